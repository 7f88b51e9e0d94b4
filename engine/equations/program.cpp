#include "equations/program.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/error.hpp"
#include "equations/differentiate.hpp"
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
  for (const State& state : states) out.insert(out.end(), {state.start, state.next});
  return out;
}

ResponseLine read_response(Scope& scope, const Statement& s, std::uint32_t symbol, const std::string& path) {
  Scope::check_name(s.name, path);
  const Syntax& law = s.at(s.root);
  if (s.kind != StatementKind::response || law.form != Form::call)
    throw SpecError({path, "name ~ law(…), for example \"r ~ poisson(rate * window)\"", "\"" + s.text + "\"", ""});
  const bool censored = law.text == "censored";
  if (censored && (law.args.size() != 3 || s.at(law.args[0]).form != Form::call))
    throw SpecError({path, "censored(law(…), low, high)", "\"" + std::string(s.text_of(law)) + "\"", ""});
  const Syntax& seen = censored ? s.at(law.args[0]) : law;
  ResponseLine out{s.name, seen.text, {}, s.unit, s.unit_text, {}, censored, symbol};
  const auto add = [&](const std::uint32_t argument) { out.arguments.push_back(scope.lower_part(s, argument, path)); };
  if (seen.text == "mixture") {
    constexpr const char* wanted = "mixture(weight, law(…), weight, law(…), …)";
    if (seen.args.size() < 4 || seen.args.size() % 2 != 0)
      throw SpecError({path, wanted, "\"" + std::string(s.text_of(seen)) + "\"", ""});
    for (std::size_t k = 0; k < seen.args.size(); k += 2) {
      const Syntax& part = s.at(seen.args[k + 1]);
      if (part.form != Form::call) throw SpecError({path, wanted, "\"" + std::string(s.text_of(part)) + "\" for a law", ""});
      if (part.text == "censored" || part.text == "mixture")
        throw SpecError({path, "a mixture of laws", "\"" + part.text + "\"",
                         part.text == "censored" ? "What is censored is all of it: censored(mixture(…), low, high)." : ""});
      add(seen.args[k]);
      out.parts.push_back({part.text, out.arguments.size(), part.args.size()});
      for (const std::uint32_t argument : part.args) add(argument);
    }
  } else {
    for (const std::uint32_t argument : seen.args) add(argument);
  }
  if (censored) {
    add(law.args[1]);
    add(law.args[2]);
  }
  return out;
}

void check_state(const Scope& scope, const Program& program, const State& state, const std::string& path) {
  const Graph& g = program.graph;
  const Dimension dimension = g.symbol(state.symbol).unit.dimension;
  for (const auto& [id, what] : {std::pair{state.start, "start"}, std::pair{state.next, "next value"}})
    if (!(g.at(id).dimension == dimension))
      throw UnitError(fmt::format("{}: {} is {} and its {} is {}.", path, state.name,
                                  state.unit_text.empty() ? "a number without unit" : state.unit_text, what, scope.unit_of(id)));
  for (const ResponseLine& response : program.responses)
    if (depends_on(g, state.start, response.symbol))
      throw SpecError({path, "a start that depends on parameters alone", "\"" + response.name + "\"", ""});
  for (const State& other : program.states)
    if (depends_on(g, state.start, other.symbol))
      throw SpecError({path, "a start that depends on parameters alone", "\"" + other.name + "\"", ""});
}

void check_response(const Program& program, const ResponseLine& response, const std::string& path) {
  for (const Id argument : response.arguments)
    for (const ResponseLine& other : program.responses)
      if (depends_on(program.graph, argument, other.symbol))
        throw SpecError({path, "responses that are independent given stimulus and parameters",
                         "\"" + other.name + "\" among the arguments of \"" + response.name + "\"",
                         "What was answered may enter the next value of a state."});
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
  std::map<std::string, Line, std::less<>> starts;
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
    if (line.starts_with("start ")) {
      Statement statement = parse_statement(line.substr(6), at);
      if (statement.kind != StatementKind::equals)
        throw SpecError({at, "start name = value : unit", "\"" + std::string(line) + "\"", ""});
      const std::uint32_t symbol = scope.declare({statement.name, {}, statement.unit, statement.unit_text}, at);
      program.states.push_back({statement.name, symbol, no_id, no_id, statement.unit_text});
      starts.emplace(program.states.back().name, Line{std::move(statement), at});
      continue;
    }
    lines.push_back({parse_statement(line, at), at});
    const Statement& statement = lines.back().statement;
    if (statement.kind == StatementKind::equals) scope.define(statement, at);
    if (statement.kind == StatementKind::differential)
      throw SpecError(
          {at, "an equation, a response or a state", "d" + statement.name + "/dt", "Encoding models have no time of their own."});
  }
  // what a response was may be used by states, and by nothing else
  std::vector<std::uint32_t> answered;
  std::vector<std::string> response_paths;
  for (const Line& line : lines) {
    const Statement& s = line.statement;
    if (s.kind == StatementKind::response)
      answered.push_back(program.states.empty() ? program.graph.add_symbol({s.name, {}, s.unit, s.unit_text})
                                                : scope.declare({s.name, {}, s.unit, s.unit_text}, line.path));
  }
  for (const Line& line : lines) {
    const Statement& s = line.statement;
    if (s.kind == StatementKind::equals) {
      program.values.push_back({s.name, scope.value(s.name, line.path), s.unit_text});
    } else if (s.kind == StatementKind::next) {
      const auto state =
          std::find_if(program.states.begin(), program.states.end(), [&](const State& z) { return z.name == s.name; });
      if (state == program.states.end() || state->next != no_id)
        throw SpecError({line.path, state == program.states.end() ? "a state that starts somewhere" : "one next value of a state",
                         "\"" + s.name + "'\"", "Say it as: start " + s.name + " = 0"});
      state->next = scope.lower(s, line.path);
    } else {
      program.responses.push_back(read_response(scope, s, answered[program.responses.size()], line.path));
      response_paths.push_back(line.path);
    }
  }
  for (State& state : program.states) {
    const Line& line = starts.at(state.name);
    if (state.next == no_id) throw SpecError({line.path, "a next value of every state", "none of " + state.name, ""});
    state.start = scope.lower(line.statement, line.path);
    check_state(scope, program, state, line.path);
  }
  for (std::size_t j = 0; j < program.responses.size(); ++j) check_response(program, program.responses[j], response_paths[j]);
  return program;
}

}  // namespace hartline::equations
