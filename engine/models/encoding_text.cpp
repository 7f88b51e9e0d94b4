#include "models/encoding_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "equations/kernel.hpp"
#include "equations/lower.hpp"

namespace hartline::models {

using equations::Form;
using equations::Id;
using equations::Statement;
using equations::Syntax;

namespace {

constexpr std::size_t max_numbers = 4096;

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
  std::size_t at = 0;
  for (const TextParameter& parameter : parameters)
    for (std::size_t k = 0; k < parameter.num(); ++k) out[at++] = parameter.prior.draw(stream);
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

  const Value* parameter_table = model.find("parameters");
  if (!parameter_table || !parameter_table->table() || parameter_table->table()->items.empty())
    throw SpecError(
        {"model.parameters", "a table of names and priors", parameter_table ? display(*parameter_table) : "nothing", ""});
  for (const auto& [name, value] : parameter_table->table()->items) {
    const std::string path = "model.parameters." + name;
    const Statement statement = equations::parse_expression(name, text_at(value, path, "normal(0, 1) : deg"), path);
    std::vector<std::size_t> shape;
    const std::uint32_t call = call_and_shape(statement, path, shape);
    parameters.push_back({name, shape, statement.unit_text, PriorLaw(statement, call, path)});
    declare(name, shape, statement.unit, statement.unit_text, path);
    num_parameters += parameters.back().num();
  }

  const Value* response = nullptr;
  std::vector<std::string> names;
  for (const auto& [name, value] : model.items) {
    if (name == "kind" || name == "parameters") continue;
    const std::string path = "model." + name;
    if (name == "response") {
      response = &value;
      continue;
    }
    scope.define(equations::parse_expression(name, text_at(value, path, "a + b * x : Hz"), path), path);
    names.push_back(name);
  }
  if (!response) throw SpecError({"model.response", "given, for example \"r ~ poisson(rate * window)\"", "nothing", ""});
  const std::string path = "model.response";
  const Statement statement = equations::parse_statement(text_at(*response, path, "r ~ poisson(rate * window)"), path);
  const Syntax& call = statement.at(statement.root);
  if (statement.kind != equations::StatementKind::response || call.form != Form::call)
    throw SpecError({path, "name ~ law(…), for example \"r ~ poisson(rate * window)\"", "\"" + *response->text() + "\"", ""});
  std::vector<std::string_view> laws;
  for (const TextLaw& one : text_laws()) {
    if (one.form == LawForm::binomial_count) continue;  // is binomial too
    laws.push_back(one.name);
    if (one.name == call.text) law = &one;
  }
  if (!law)
    throw SpecError(
        {path, fmt::format("one of {}", fmt::join(laws, ", ")), "\"" + call.text + "\"", did_you_mean(call.text, laws)});
  if (call.args.size() < law->min_args || call.args.size() > law->max_args)
    throw SpecError({path, std::string(law->wanted), "\"" + std::string(statement.text_of(call)) + "\"", ""});
  for (const std::string& name : names) written.values.push_back({name, scope.value(name, "model." + name), ""});
  for (equations::Named& named : written.values)
    for (const auto& [name, value] : model.items)
      if (name == named.name) named.unit_text = equations::parse_expression(name, *value.text(), name).unit_text;

  if (statement.has_unit && !law->has_unit)
    throw SpecError({path, fmt::format("without a unit behind {}", law->name), "\": " + statement.unit_text + "\"",
                     "Its arguments are numbers without unit."});

  equations::ResponseLine line{statement.name, std::string(law->name), {}, statement.unit, statement.unit_text};
  for (const std::uint32_t part : call.args) {
    const Id id = scope.lower_part(statement, part, path);
    if (!(written.graph.at(id).dimension == (law->has_unit ? statement.unit.dimension : Dimension{})))
      throw UnitError(fmt::format("{}: \"{}\" is {} where {} takes {} (column {}).{}", path, statement.text_of(statement.at(part)),
                                  scope.unit_of(id), call.text,
                                  law->has_unit && statement.has_unit ? statement.unit_text : "a number without unit",
                                  statement.at(part).span.begin + 1,
                                  law->has_unit && !statement.has_unit ? " Say the unit of the response behind a colon." : ""));
    line.arguments.push_back(id);
  }
  law = find_law(written.graph, call.text, line.arguments);
  written.responses.push_back(line);
  num_choices = models::num_choices(written.graph, *law, line.arguments, path);

  program = written;
  if (statement.has_unit)  // arguments in the unit of the response
    for (Id& id : program.responses[0].arguments) {
      const Id unit = program.graph.constant(statement.unit.scale, statement.unit.dimension);
      id = program.graph.plain(equations::make_node(equations::Op::divide, {id, unit}));
    }
  equations::erase_units(program);
  equations::simplify(program);
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
    std::vector<Id> outputs = program_.responses[0].arguments;
    if (text_->num_choices > 0) outputs = choice_probabilities(program_.graph, *text_->law, outputs, text_->num_choices);
    num_out_ = outputs.size();
    std::vector<bool> varies(program_.graph.num_symbols(), true);
    for (std::size_t k = 0; k < text_->stimulus.size(); ++k) varies[program_.given[k]] = false;
    kernel_ = equations::make_kernel(program_.graph, outputs, varies);
  }

  int num_choices() const override { return static_cast<int>(text_->num_choices); }

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
      const double top = text_->num_choices > 0 ? 1 + 1e-12 : std::numeric_limits<double>::infinity();
      if (out[k] >= 0 && out[k] <= top && std::isfinite(out[k])) continue;
      std::string at;
      const auto tell = [&](const std::vector<std::string>& names, const double*& from) {
        for (const std::string& name : names) at += fmt::format("{}{} = {}", at.empty() ? "At " : ", ", name, number_text(*from++));
      };
      for (const TextStimulus& s : text_->stimulus) tell(number_names(s.name, s.shape), stimulus);
      for (const TextParameter& one : text_->parameters) tell(number_names(one.name, one.shape), p);
      throw SpecError({"model.response", text_->num_choices > 0 ? "a probability, 0 to 1" : ">= 0 expected counts",
                       number_text(out[k]), at + "."});
    }
  }

  std::shared_ptr<const EncodingText> text_;
  equations::Program program_;
  std::size_t num_out_ = 1;
  std::shared_ptr<const equations::Kernel> kernel_;
};

}  // namespace

bool has_tables(const EncodingText& text) { return text.law->form == LawForm::poisson || text.num_choices > 0; }

std::unique_ptr<Family> make_family(std::shared_ptr<const EncodingText> text, const std::vector<std::size_t>& num_values) {
  if (!has_tables(*text))
    throw SpecError({"model.response", "a poisson count or a choice for a grid", "\"" + std::string(text->law->name) + "\"",
                     "Other laws take belief.kind = \"particles\"."});
  return std::make_unique<TextFamily>(std::move(text), num_values);
}

}  // namespace hartline::models
