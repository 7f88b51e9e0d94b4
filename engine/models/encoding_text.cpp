#include "models/encoding_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "equations/differentiate.hpp"
#include "equations/lower.hpp"

namespace hartline::models {

using equations::Form;
using equations::Id;
using equations::Statement;
using equations::Syntax;

namespace {

constexpr std::size_t max_numbers = 4096, max_arguments = 64;

std::size_t product(const std::vector<std::size_t>& shape) {
  std::size_t n = 1;
  for (const std::size_t size : shape) n *= size;
  return n;
}

std::string text_at(const Value& value, const std::string& path, const char* example) {
  if (!value.text()) throw SpecError({path, fmt::format("a text, for example \"{}\"", example), display(value), ""});
  return *value.text();
}

/// law(…) or law(…)[2, 2]: the call, and the sizes behind it.
std::uint32_t call_and_shape(const Statement& statement, const std::string& path, std::vector<std::size_t>& shape) {
  const Syntax& root = statement.at(statement.root);
  if (root.form != Form::element) return statement.root;
  for (std::size_t k = 1; k < root.args.size(); ++k) {
    const double size = constant_argument(statement, root.args[k], path);
    if (!(size >= 1 && size <= static_cast<double>(max_numbers)) || std::nearbyint(size) != size)
      throw SpecError({path, "sizes that are whole numbers, 1 or more", number_text(size), ""});
    shape.push_back(static_cast<std::size_t>(size));
  }
  if (shape.size() > 3 || product(shape) > max_numbers)
    throw SpecError(
        {path, fmt::format("at most three sizes and {} numbers", max_numbers), std::string(statement.text_of(root)), ""});
  return root.args[0];
}

TextStimulus read_stimulus(const std::string& name, const Statement& statement, const std::string& path) {
  TextStimulus out{name, {}, statement.unit, statement.unit_text, {}, 0, 0};
  const Syntax& call = statement.at(call_and_shape(statement, path, out.shape));
  constexpr std::string_view names[] = {"range", "values", "box"};
  if (call.form != Form::call || std::find(std::begin(names), std::end(names), call.text) == std::end(names))
    throw SpecError({path, "range(first, last, step), values(…) or box(low, high)", std::string(statement.text_of(call)),
                     did_you_mean(call.text, names)});
  if (call.text != "box") {
    out.values = listed_values(statement, call, path);
    return out;
  }
  if (call.args.size() == 2) {
    out.low = constant_argument(statement, call.args[0], path);
    out.high = constant_argument(statement, call.args[1], path);
  }
  if (!(out.low < out.high)) throw SpecError({path, "box(low, high) with low < high", std::string(statement.text_of(call)), ""});
  return out;
}

}  // namespace

std::size_t TextStimulus::num() const { return product(shape); }
std::size_t TextParameter::num() const { return product(shape); }

std::vector<std::string> number_names(const std::string& name, const std::vector<std::size_t>& shape) {
  if (shape.empty()) return {name};
  std::vector<std::string> out;
  for (std::size_t i = 0; i < product(shape); ++i) {
    std::string inside;
    std::size_t rest = i;
    for (std::size_t k = shape.size(); k-- > 0; rest /= shape[k])
      inside = std::to_string(rest % shape[k]) + (inside.empty() ? "" : ", ") + inside;
    out.push_back(name + "[" + inside + "]");
  }
  return out;
}

std::vector<TextStimulus> read_variables(const Table& table) {
  std::vector<TextStimulus> out;
  for (const auto& [name, value] : table.items) {
    const std::string path = "stimulus." + name;
    out.push_back(
        read_stimulus(name, equations::parse_expression(name, text_at(value, path, "range(-20, 20, 0.5) : deg"), path), path));
  }
  if (out.empty()) throw SpecError({"stimulus", "one variable or more, for example x = \"range(-20, 20, 0.5) : deg\"", "none", ""});
  return out;
}

std::vector<double> every_stimulus(const std::vector<TextStimulus>& variables) {
  std::vector<const std::vector<double>*> axes;
  double num = 1;
  for (const TextStimulus& variable : variables) {
    if (variable.values.empty())
      throw SpecError({"stimulus." + variable.name, "range(first, last, step) or values(…) for a belief on a grid", "a box", ""});
    for (std::size_t k = 0; k < variable.num(); ++k) {
      axes.push_back(&variable.values);
      num *= static_cast<double>(variable.values.size());
    }
  }
  if (num > 1e6) throw SpecError({"stimulus", "at most 1000000 combinations", fmt::format("{:g}", num), ""});
  std::vector<double> out(static_cast<std::size_t>(num) * axes.size());
  for (std::size_t i = 0; i * axes.size() < out.size(); ++i) {
    std::size_t rest = i;
    for (std::size_t k = axes.size(); k-- > 0; rest /= axes[k]->size())
      out[i * axes.size() + k] = (*axes[k])[rest % axes[k]->size()];
  }
  return out;
}

void EncodingText::draw_prior(Stream& stream, std::span<double> out) const {
  if (is_correlated()) {
    for (double& z : out) z = stream.normal();
    return from_scores(out.data(), 1, 1, out.data());
  }
  for (std::size_t k = 0; k < num_parameters; ++k) out[k] = priors_[k]->draw(stream);
}

const EncodingText::Root& EncodingText::root(std::size_t k) const {
  static const Root none;
  return roots_.empty() ? none : roots_[k];
}

void EncodingText::from_scores(const double* scores, std::size_t stride, std::size_t num, double* out) const {
  for (std::size_t k = num_parameters; k-- > 0;)  // from the last, as rows need those before
    for (std::size_t i = 0; i < num; ++i) {
      double z = scores[k * stride + i];
      if (!root(k).empty()) {
        z = 0;
        for (const auto& [j, c] : root(k)) z += c * scores[j * stride + i];
      }
      out[k * stride + i] = priors_[k]->from_normal(z);
    }
}

EncodingText::EncodingText(const Table& stimulus_table, const Table& model) {
  equations::Scope scope(written.graph);
  const auto declare = [&](const std::string& name, const std::vector<std::size_t>& shape, const Unit& unit,
                           const std::string& unit_text, const std::string& path) {
    written.given.push_back(scope.declare({name, shape, unit, unit_text}, path));
  };
  stimulus = read_variables(stimulus_table);
  for (const TextStimulus& variable : stimulus) {
    declare(variable.name, variable.shape, variable.unit, variable.unit_text, "stimulus." + variable.name);
    stimulus_dim += variable.num();
  }

  const auto table_of = [&](const char* name) {
    const Value* value = model.find(name);
    if (value && !value->table()) throw SpecError({"model." + std::string(name), "a table", display(*value), ""});
    return value ? value->table() : nullptr;
  };
  const Table *parameter_table = table_of("parameters"), *state_table = table_of("state"), *correlations = table_of("correlations");
  std::vector<std::string_view> keys;
  for (const auto& [name, value] : model.items) keys.push_back(name);
  const auto instead = [&](std::string_view wanted) {
    const std::string near = nearest_name(wanted, keys);
    return near.empty() ? "" : fmt::format("Is \"{}\" meant to be it?", near);
  };
  if (!model.find("response"))
    throw SpecError({"model.response", "given, for example \"r ~ poisson(rate * window)\"", "nothing", instead("response")});
  if (!parameter_table || parameter_table->items.empty())
    throw SpecError({"model.parameters", "a table of names and priors", "nothing", instead("parameters")});
  for (const auto& [name, value] : parameter_table->items) {
    const std::string path = "model.parameters." + name;
    const Statement statement = equations::parse_expression(name, text_at(value, path, "normal(0, 1) : deg"), path);
    std::vector<std::size_t> shape;
    const std::uint32_t call = call_and_shape(statement, path, shape);
    parameters.push_back({name, shape, statement.unit_text, PriorLaw(statement, call, path)});
    declare(name, shape, statement.unit, statement.unit_text, path);
    num_parameters += parameters.back().num();
  }
  for (const TextParameter& parameter : parameters) priors_.resize(priors_.size() + parameter.num(), &parameter.prior);
  if (correlations) read_correlations(*correlations);

  const Value* response = nullptr;
  std::vector<std::pair<std::string, std::string>> names;  // and units
  for (const auto& [name, value] : model.items) {
    if (name == "kind" || name == "parameters" || name == "state" || name == "correlations") continue;
    const std::string path = "model." + name;
    if (name == "response") {
      response = &value;
      continue;
    }
    const Statement statement = equations::parse_expression(name, text_at(value, path, "a + b * x : Hz"), path);
    names.emplace_back(name, statement.unit_text);
    scope.define(statement, path);
  }
  if (state_table)
    for (const auto& [name, value] : state_table->items) {
      if (name.ends_with("'")) continue;
      const std::string path = "model.state." + name;
      const Statement statement = equations::parse_expression(name, text_at(value, path, "0 : mV"), path);
      const std::uint32_t symbol = scope.declare({name, {}, statement.unit, statement.unit_text}, path);
      written.states.push_back({name, symbol, equations::no_id, equations::no_id, statement.unit_text});
    }
  num_states = written.states.size();
  read_responses(scope, *response, state_table);
  for (const auto& [name, unit_text] : names) written.values.push_back({name, scope.value(name, "model." + name), unit_text});

  for (std::size_t k = 0; k < parameters.size(); ++k) {
    std::vector<Id> needed;
    for (const equations::ResponseLine& line : written.responses)
      needed.insert(needed.end(), line.arguments.begin(), line.arguments.end());
    for (const equations::State& state : written.states) needed.insert(needed.end(), {state.start, state.next});
    if (std::none_of(needed.begin(), needed.end(),
                     [&](Id id) { return equations::depends_on(written.graph, id, written.given[stimulus.size() + k]); }))
      unused.push_back(parameters[k].name);
  }

  program = written;
  for (equations::ResponseLine& line :
       program.responses)  // arguments in the unit of the response, weights of a mixture as they are
    for (std::size_t k = 0; k < line.arguments.size() && line.unit.scale != 1; ++k) {
      Id& id = line.arguments[k];
      const Dimension& dimension = line.unit.dimension;
      const auto is_weight = [&](const equations::LawPart& part) { return part.first == k + 1; };
      if (std::any_of(line.parts.begin(), line.parts.end(), is_weight)) continue;
      id = program.graph.plain(
          equations::make_node(equations::Op::divide, {id, program.graph.constant(line.unit.scale, dimension)}));
    }
  equations::erase_units(program);
  equations::simplify(program);
  for (std::size_t j = 0; j < responses.size(); ++j) {
    equations::ResponseLine& line = program.responses[j];
    if (responses[j].num_choices > 0) {
      line.arguments = choice_probabilities(program.graph, *responses[j].law, line.arguments, responses[j].num_choices);
      line.law = "categorical";
      line.parts.clear();
      if (responses[j].law->form == LawForm::mixture) responses[j].law = find_law(program.graph, "categorical", {});
    }
    laws.push_back({responses[j].law, num_arguments, line.arguments.size()});
    num_arguments += line.arguments.size();
  }
  if (num_arguments > max_arguments)
    throw SpecError({"model.response",
                     fmt::format("at most {} arguments of laws and probabilities of choices in all", max_arguments),
                     std::to_string(num_arguments), ""});
}

namespace {

/// All of what a law is made of has a rate.
bool has_rate(const TextLaw& law) {
  if (law.form == LawForm::poisson || law.form == LawForm::negative_binomial) return true;
  return !law.parts.empty() &&
         std::all_of(law.parts.begin(), law.parts.end(), [](const LawPart& part) { return has_rate(*part.law); });
}

}  // namespace

bool EncodingText::has_rates() const {
  return std::any_of(responses.begin(), responses.end(), [](const TextResponse& response) { return has_rate(*response.law); });
}

void EncodingText::read_responses(equations::Scope& scope, const Value& value, const Table* states) {
  std::vector<Statement> statements;
  const auto path_of = [&](std::size_t j) { return value.text() ? "model.response" : fmt::format("model.response[{}]", j); };
  const auto read = [&](const Value& one) {
    const std::string path = path_of(statements.size());
    statements.push_back(equations::parse_statement(text_at(one, path, "r ~ poisson(rate * window)"), path));
  };
  if (value.list()) {
    for (const Value& one : *value.list()) read(one);
    if (statements.empty()) throw SpecError({"model.response", "one response or more", "none", ""});
  } else {
    read(value);
  }
  // what a response was is a name in the next values of states only
  std::vector<std::uint32_t> symbols;
  for (std::size_t j = 0; j < statements.size(); ++j) {
    const Statement& s = statements[j];
    const equations::Symbol symbol{s.name, {}, s.unit, s.unit_text};
    symbols.push_back(states || statements.size() > 1 ? scope.declare(symbol, path_of(j)) : written.graph.add_symbol(symbol));
  }
  for (std::size_t j = 0; j < statements.size(); ++j) {
    const equations::ResponseLine line = equations::read_response(scope, statements[j], symbols[j], path_of(j));
    const TextLaw* law = read_law(scope, statements[j], line, path_of(j));
    responses.push_back({line.name, law, num_choices(written.graph, *law, line.arguments, path_of(j))});
    written.responses.push_back(line);
  }
  for (equations::State& state : written.states) {
    const std::string path = "model.state." + state.name, next_path = path + "'";
    const Value* next = states->find(state.name + "'");
    if (!next) throw SpecError({next_path, "what " + state.name + " is worth in the next trial", "nothing", ""});
    const auto lowered = [&](const Value& one, const std::string& at) {
      return scope.lower(equations::parse_expression(state.name, text_at(one, at, "z + 0.1 * (r - z)"), at), at);
    };
    state.start = lowered(*states->find(state.name), path);
    state.next = lowered(*next, next_path);
    equations::check_state(scope, written, state, path);
    for (std::size_t k = 0; k < stimulus.size(); ++k)
      if (equations::depends_on(written.graph, state.start, written.given[k]))
        throw SpecError({path, "a start that depends on parameters alone", "\"" + stimulus[k].name + "\"", ""});
  }
  if (states)
    for (const auto& [name, next] : states->items)
      if (name.ends_with("'") && !states->find(name.substr(0, name.size() - 1)))
        throw SpecError({"model.state." + name, "a state that starts somewhere", "no " + name.substr(0, name.size() - 1), ""});
  for (std::size_t j = 0; j < statements.size(); ++j) equations::check_response(written, written.responses[j], path_of(j));
}

/// The law of a line, checked.
const TextLaw* EncodingText::read_law(const equations::Scope& scope, const Statement& s, const equations::ResponseLine& line,
                                      const std::string& path) {
  const Syntax& whole = s.at(s.root);
  const Syntax& call = line.censored ? s.at(whole.args[0]) : whole;
  const auto checked = [&](const std::string& name, const Syntax& part, std::size_t first, std::size_t num) {
    std::vector<std::string_view> known{"mixture", "censored"};
    for (const TextLaw& one : text_laws())
      if (one.form != LawForm::binomial_count) known.push_back(one.name);  // is binomial too
    const std::span<const Id> arguments{line.arguments.data() + first, num};
    const TextLaw* law = find_law(written.graph, name, arguments);
    if (law && law->form == LawForm::binomial && line.censored)  // hits that are counted
      law = &*std::find_if(text_laws().begin(), text_laws().end(),
                           [](const TextLaw& one) { return one.form == LawForm::binomial_count; });
    if (!law)
      throw SpecError({path, fmt::format("one of {}", fmt::join(known, ", ")), "\"" + name + "\"", did_you_mean(name, known)});
    if (num < law->min_args || num > law->max_args)
      throw SpecError({path, std::string(law->wanted), "\"" + std::string(s.text_of(part)) + "\"", ""});
    if (s.has_unit && !law->has_unit)
      throw SpecError(
          {path, fmt::format("without a unit behind {}", name), "\": " + s.unit_text + "\"",
           fmt::format("Its arguments are numbers without unit, and so is the response: the number of {}.", s.unit_text)});
    for (std::size_t k = 0; k < num; ++k) {
      if (written.graph.at(arguments[k]).dimension == (law->has_unit ? s.unit.dimension : Dimension{})) continue;
      const Syntax& argument = s.at(part.args[k]);
      throw UnitError(fmt::format("{}: \"{}\" is {} where {} takes {} (column {}).{}", path, s.text_of(argument),
                                  scope.unit_of(arguments[k]), name,
                                  law->has_unit && s.has_unit ? s.unit_text : "a number without unit", argument.span.begin + 1,
                                  law->has_unit && !s.has_unit ? " Say the unit of the response behind a colon." : ""));
    }
    return law;
  };
  const auto seen = [&](const TextLaw* law) {
    if (!line.censored) return law;
    const std::size_t num = line.arguments.size() - 2;
    TextLaw out = make_censored({law, 0, num}, path);
    for (std::size_t k = 0; k < 2; ++k) {
      const Id limit = line.arguments[num + k];
      const Syntax& argument = s.at(whole.args[1 + k]);
      if (written.graph.at(limit).dimension != (law->has_unit ? s.unit.dimension : Dimension{}) &&
          !(written.graph.is_constant(limit, 0)))
        throw UnitError(fmt::format("{}: \"{}\" is {} where a limit is {} (column {}).", path, s.text_of(argument),
                                    scope.unit_of(limit), law->has_unit && s.has_unit ? s.unit_text : "a number without unit",
                                    argument.span.begin + 1));
      for (std::size_t p = 0; p < parameters.size(); ++p)
        if (equations::depends_on(written.graph, limit, written.given[stimulus.size() + p]))
          throw SpecError({path, "limits made of numbers and of the stimulus", "\"" + std::string(s.text_of(argument)) + "\"",
                           "What is censored has to be known from the response."});
      for (const equations::State& state : written.states)
        if (equations::depends_on(written.graph, limit, state.symbol))
          throw SpecError({path, "limits made of numbers and of the stimulus", "\"" + std::string(s.text_of(argument)) + "\"",
                           "What is censored has to be known from the response."});
    }
    return static_cast<const TextLaw*>(&made_.emplace_back(std::move(out)));
  };
  const std::size_t num_own = line.arguments.size() - (line.censored ? 2 : 0);
  if (line.parts.empty()) return seen(checked(call.text, call, 0, num_own));
  std::vector<LawPart> parts;
  for (std::size_t k = 0; k < line.parts.size(); ++k) {
    const equations::LawPart& part = line.parts[k];
    if (!written.graph.at(line.arguments[part.first - 1]).dimension.none())
      throw UnitError(fmt::format("{}: the weight \"{}\" has a unit (column {}).", path, s.text_of(s.at(call.args[2 * k])),
                                  s.at(call.args[2 * k]).span.begin + 1));
    parts.push_back({checked(part.law, s.at(call.args[2 * k + 1]), part.first, part.num), part.first, part.num});
  }
  return seen(&made_.emplace_back(make_mixture(std::move(parts), path)));
}

void EncodingText::read_correlations(const Table& table) {
  const std::size_t d = num_parameters;
  std::vector<std::string> names;
  for (const TextParameter& parameter : parameters)
    for (std::string& name : number_names(parameter.name, parameter.shape)) names.push_back(std::move(name));
  std::vector<std::vector<double>> matrix(d, std::vector<double>(d, 0.0));
  for (std::size_t k = 0; k < d; ++k) matrix[k][k] = 1;
  const std::vector<std::string_view> views(names.begin(), names.end());
  for (const auto& [pair, value] : table.items) {
    const std::string path = "model.correlations.\"" + pair + "\"";
    // of "w[0, 1], b" the comma that stands outside of brackets
    std::size_t comma = std::string::npos;
    int depth = 0;
    for (std::size_t c = 0; c < pair.size(); ++c) {
      depth += pair[c] == '[' ? 1 : pair[c] == ']' ? -1 : 0;
      if (pair[c] == ',' && depth == 0) comma = c;
    }
    const auto find = [&](std::string name) {
      const auto bare = [](std::string text) {
        std::erase(text, ' ');
        return text;
      };
      const auto at = std::find_if(names.begin(), names.end(), [&](const std::string& one) { return bare(one) == bare(name); });
      while (!name.empty() && name.front() == ' ') name.erase(0, 1);
      if (at == names.end())
        throw SpecError({path, fmt::format("two of {}", fmt::join(names, ", ")), "\"" + name + "\"", did_you_mean(name, views)});
      const auto k = static_cast<std::size_t>(at - names.begin());
      if (!priors_[k]->has_density()) throw SpecError({path, "priors with a density", "single values of " + name, ""});
      return k;
    };
    if (comma == std::string::npos) throw SpecError({path, "two parameters, for example \"mu, b\" = 0.5", "\"" + pair + "\"", ""});
    const std::size_t a = find(pair.substr(0, comma)), b = find(pair.substr(comma + 1));
    const auto* real = std::get_if<double>(&value.is);
    const auto* whole = std::get_if<std::int64_t>(&value.is);
    const double c = real ? *real : whole ? static_cast<double>(*whole) : std::nan("");
    if (a == b || !(std::abs(c) < 1)) throw SpecError({path, "two parameters and a number between -1 and 1", display(value), ""});
    if (matrix[a][b] != 0) throw SpecError({path, "each pair once", "\"" + pair + "\" again", ""});
    matrix[a][b] = matrix[b][a] = c;
  }
  roots_.resize(d);
  std::vector<std::vector<double>> root(d, std::vector<double>(d, 0.0));  // Cholesky
  for (std::size_t k = 0; k < d; ++k) {
    for (std::size_t j = 0; j <= k; ++j) {
      double rest = matrix[k][j];
      for (std::size_t i = 0; i < j; ++i) rest -= root[k][i] * root[j][i];
      if (j == k && !(rest > 1e-12))
        throw SpecError({"model.correlations", "correlations that can be had together", "others, at " + names[k], ""});
      root[k][j] = j < k ? rest / root[j][j] : std::sqrt(rest);
      if (root[k][j] != 0) roots_[k].emplace_back(j, root[k][j]);
    }
    if (roots_[k].size() == 1) roots_[k].clear();
  }
  if (std::all_of(roots_.begin(), roots_.end(), [](const Root& row) { return row.empty(); })) roots_.clear();
}

}  // namespace hartline::models
