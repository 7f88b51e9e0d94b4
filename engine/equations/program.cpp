#include "equations/program.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "equations/lower.hpp"

namespace hartline::equations {

namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t' || text.front() == '\r')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

/// given NAME [sizes] : unit
Symbol read_given(std::string_view text, const std::string& path) {
  const Statement statement = parse_expression("", text, path);
  const Syntax& root = statement.at(statement.root);
  Symbol symbol{root.text, {}, statement.unit, statement.unit_text};
  if (root.form == Form::element && statement.at(root.args[0]).form == Form::name) {
    for (std::size_t k = 1; k < root.args.size(); ++k) {
      const Syntax& size = statement.at(root.args[k]);
      if (size.form != Form::number || !(size.value >= 1 && size.value <= 1e6) ||
          size.value != static_cast<double>(static_cast<std::size_t>(size.value)))
        throw SpecError({path, "sizes that are whole numbers, 1 or more", std::string(statement.text_of(size)), ""});
      symbol.shape.push_back(static_cast<std::size_t>(size.value));
    }
    if (symbol.shape.size() > 3 || !(static_cast<double>(symbol.num()) <= 1e6))
      throw SpecError({path, "at most three sizes and a million numbers", "given " + std::string(text), ""});
  } else if (root.form != Form::name) {
    throw SpecError({path, "given name [sizes] : unit", "given " + std::string(text), ""});
  }
  return symbol;
}

}  // namespace

Id Program::find(std::string_view name) const {
  for (const Named& named : values)
    if (named.name == name) return named.value;
  return no_id;
}

std::vector<Id> Program::roots() const {
  std::vector<Id> out;
  for (const Named& named : values) out.push_back(named.value);
  for (const ResponseLine& response : responses) out.insert(out.end(), response.arguments.begin(), response.arguments.end());
  for (const Named& named : next) out.push_back(named.value);
  return out;
}

Program read_program(std::string_view text, const std::string& path) {
  Program program;
  Scope scope(program.graph);
  struct Line {
    Statement statement;
    std::string path;
  };
  constexpr std::size_t max_length = 1000000;
  if (text.size() > max_length)
    throw SpecError({path, fmt::format("at most {} characters", max_length), std::to_string(text.size()), ""});
  std::vector<Line> lines;
  std::size_t number = 0;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = trimmed(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    const std::string at = fmt::format("{}:{}", path, ++number);
    if (line.empty() || line.front() == '#') continue;
    if (line.starts_with("given ")) {
      program.given.push_back(scope.declare(read_given(line.substr(6), at), at));
      continue;
    }
    lines.push_back({parse_statement(line, at), at});
    const Statement& statement = lines.back().statement;
    if (statement.kind == StatementKind::equals) scope.define(statement, at);
    if (statement.kind == StatementKind::differential)
      throw SpecError(
          {at, "an equation, a response or a state", "d" + statement.name + "/dt", "Encoding models have no time of their own."});
  }
  for (const Line& line : lines) {
    const Statement& s = line.statement;
    if (s.kind == StatementKind::equals) {
      program.values.push_back({s.name, scope.value(s.name, line.path), s.unit_text});
    } else if (s.kind == StatementKind::next) {
      const Id now = scope.value(s.name, line.path), value = scope.lower(s, line.path);
      if (!(program.graph.at(now).dimension == program.graph.at(value).dimension))
        throw UnitError(
            fmt::format("{}: {} is {} and its next value is {}.", line.path, s.name, scope.unit_of(now), scope.unit_of(value)));
      program.next.push_back({s.name, value, s.unit_text});
    } else {
      const Syntax& law = s.at(s.root);
      if (law.form != Form::call) throw SpecError({line.path, "a law, as in r ~ poisson(rate)", std::string(s.text_of(law)), ""});
      ResponseLine response{s.name, law.text, {}, s.unit, s.unit_text};
      for (const std::uint32_t argument : law.args) response.arguments.push_back(scope.lower_part(s, argument, line.path));
      program.responses.push_back(std::move(response));
    }
  }
  return program;
}

}  // namespace hartline::equations
