#include "models/encoding_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "equations/differentiate.hpp"
#include "equations/kernel.hpp"
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
  if (!parameter_table || parameter_table->items.empty())
    throw SpecError({"model.parameters", "a table of names and priors", "nothing", ""});
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
  if (!response) throw SpecError({"model.response", "given, for example \"r ~ poisson(rate * window)\"", "nothing", ""});
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

bool EncodingText::has_rates() const {
  const auto has_rate = [](const TextLaw& law) { return law.form == LawForm::poisson || law.form == LawForm::negative_binomial; };
  return std::any_of(responses.begin(), responses.end(), [&](const TextResponse& response) {
    const std::vector<LawPart>& parts = response.law->parts;
    return parts.empty() ? has_rate(*response.law)
                         : std::all_of(parts.begin(), parts.end(), [&](const LawPart& part) { return has_rate(*part.law); });
  });
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
    for (const auto& [name, unused] : states->items)
      if (name.ends_with("'") && !states->find(name.substr(0, name.size() - 1)))
        throw SpecError({"model.state." + name, "a state that starts somewhere", "no " + name.substr(0, name.size() - 1), ""});
  for (std::size_t j = 0; j < statements.size(); ++j) equations::check_response(written, written.responses[j], path_of(j));
}

/// The law of a line, checked.
const TextLaw* EncodingText::read_law(const equations::Scope& scope, const Statement& s, const equations::ResponseLine& line,
                                      const std::string& path) {
  const Syntax& call = s.at(s.root);
  const auto checked = [&](const std::string& name, const Syntax& part, std::size_t first, std::size_t num) {
    std::vector<std::string_view> known{"mixture"};
    for (const TextLaw& one : text_laws())
      if (one.form != LawForm::binomial_count) known.push_back(one.name);  // is binomial too
    const std::span<const Id> arguments{line.arguments.data() + first, num};
    const TextLaw* law = find_law(written.graph, name, arguments);
    if (!law)
      throw SpecError({path, fmt::format("one of {}", fmt::join(known, ", ")), "\"" + name + "\"", did_you_mean(name, known)});
    if (num < law->min_args || num > law->max_args)
      throw SpecError({path, std::string(law->wanted), "\"" + std::string(s.text_of(part)) + "\"", ""});
    if (s.has_unit && !law->has_unit)
      throw SpecError({path, fmt::format("without a unit behind {}", name), "\": " + s.unit_text + "\"",
                       "Its arguments are numbers without unit."});
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
  if (line.parts.empty()) return checked(call.text, call, 0, line.arguments.size());
  std::vector<LawPart> parts;
  for (std::size_t k = 0; k < line.parts.size(); ++k) {
    const equations::LawPart& part = line.parts[k];
    if (!written.graph.at(line.arguments[part.first - 1]).dimension.none())
      throw UnitError(fmt::format("{}: the weight \"{}\" has a unit (column {}).", path, s.text_of(s.at(call.args[2 * k])),
                                  s.at(call.args[2 * k]).span.begin + 1));
    parts.push_back({checked(part.law, s.at(call.args[2 * k + 1]), part.first, part.num), part.first, part.num});
  }
  return &mixtures_.emplace_back(make_mixture(std::move(parts), path));
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
      if (priors_[k]->is_discrete()) throw SpecError({path, "priors with a density", "single values of " + name, ""});
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

namespace {

class TextFamily final : public Family {
 public:
  TextFamily(std::shared_ptr<const EncodingText> text, const std::vector<std::size_t>& num_values)
      : text_(std::move(text)), program_(text_->program) {
    stimulus_dim = text_->stimulus_dim;
    for (std::size_t k = 0; k < text_->parameters.size(); ++k) {
      const TextParameter& parameter = text_->parameters[k];
      const std::vector<double> nodes = parameter.prior.nodes(num_values[k]);
      for (const std::string& name : number_names(parameter.name, parameter.shape))
        parameters.push_back({name, parameter.unit_text, nodes});
    }
    const std::vector<Id>& outputs = program_.responses[0].arguments;
    num_out_ = outputs.size();
    std::vector<bool> varies(program_.graph.num_symbols(), true);
    for (std::size_t k = 0; k < text_->stimulus.size(); ++k) varies[program_.given[k]] = false;
    kernel_ = equations::make_kernel(program_.graph, outputs, varies);
  }

  int num_choices() const override { return static_cast<int>(text_->responses[0].num_choices); }

  bool draw_prior(Stream& stream, std::span<double> out) const override {
    text_->draw_prior(stream, out);
    return true;
  }

  void evaluate(const double* stimulus, const double* p, double* out) const override { evaluate_all(stimulus, 1, p, out); }

  void evaluate_all(const double* stimulus, std::size_t num, const double* all, double* out) const override {
    thread_local std::vector<double> kept;
    thread_local std::vector<double*> columns;
    thread_local std::vector<equations::Input> inputs;
    std::vector<double> values = std::move(kept);
    values.resize(num_out_ * num);
    columns.resize(num_out_);
    for (std::size_t k = 0; k < num_out_; ++k) columns[k] = &values[k * num];
    inputs.resize(program_.graph.num_symbols());
    const double* from = stimulus;
    for (std::size_t k = 0; k < text_->stimulus.size(); ++k) {
      inputs[program_.given[k]] = {from, 1, 0};
      from += text_->stimulus[k].num();
    }
    from = all;
    for (std::size_t k = 0; k < text_->parameters.size(); ++k) {
      inputs[program_.given[text_->stimulus.size() + k]] = {from, 1, text_->num_parameters};
      from += text_->parameters[k].num();
    }
    kernel_->run(inputs, num, columns);
    for (std::size_t i = 0; i < num; ++i) {
      for (std::size_t k = 0; k < num_out_; ++k) out[i * num_out_ + k] = columns[k][i];
      check(stimulus, all + i * text_->num_parameters, out + i * num_out_);
    }
    kept = std::move(values);
  }

 private:
  void check(const double* stimulus, const double* p, const double* out) const {
    for (std::size_t k = 0; k < num_out_; ++k) {
      const double top = num_choices() > 0 ? 1 + 1e-12 : std::numeric_limits<double>::infinity();
      if (out[k] >= 0 && out[k] <= top && std::isfinite(out[k])) continue;
      std::string at;
      const auto tell = [&](const std::vector<std::string>& names, const double*& from) {
        for (const std::string& name : names) at += fmt::format("{}{} = {}", at.empty() ? "At " : ", ", name, number_text(*from++));
      };
      for (const TextStimulus& s : text_->stimulus) tell(number_names(s.name, s.shape), stimulus);
      for (const TextParameter& one : text_->parameters) tell(number_names(one.name, one.shape), p);
      throw SpecError(
          {"model.response", num_choices() > 0 ? "a probability, 0 to 1" : ">= 0 expected counts", number_text(out[k]), at + "."});
    }
  }

  std::shared_ptr<const EncodingText> text_;
  equations::Program program_;
  std::size_t num_out_ = 1;
  std::shared_ptr<const equations::Kernel> kernel_;
};

}  // namespace

bool has_tables(const EncodingText& text) {
  const TextResponse& first = text.responses[0];
  const bool even = std::none_of(text.parameters.begin(), text.parameters.end(),
                                 [](const TextParameter& parameter) { return parameter.prior.is_uneven(); });
  return even && text.responses.size() == 1 && text.num_states == 0 && !text.is_correlated() &&
         (first.law->form == LawForm::poisson || first.num_choices > 0);
}

std::unique_ptr<Family> make_family(std::shared_ptr<const EncodingText> text, const std::vector<std::size_t>& num_values) {
  if (!has_tables(*text))
    throw SpecError({"model.response", "one poisson count or choice, no state and no correlations, for tables",
                     "\"" + std::string(text->responses[0].law->name) + "\"", "Other texts take belief.kind = \"particles\"."});
  return std::make_unique<TextFamily>(std::move(text), num_values);
}

}  // namespace hartline::models
