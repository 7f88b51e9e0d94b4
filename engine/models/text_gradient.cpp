#include "models/text_gradient.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "equations/differentiate.hpp"

namespace hartline::models {

using equations::Id;

namespace {

bool is_trace(const TextResponse& response) { return response.num_choices == 0 && response.law->kind == ResponseKind::trace; }

}  // namespace

TextGradient::TextGradient(const EncodingText& text) : text_(text), program_(text.program) {
  if (text.num_states > 0)
    throw SpecError(
        {"train.method", "evolution for a text with states", "\"gradient\"", "No derivative is carried from trial to trial."});
  for (const TextResponse& response : text.responses)
    if (response.law->form == LawForm::censored)
      throw SpecError(
          {"train.method", "evolution for a text with censored responses", "\"gradient\"", "Their tails have no such derivative."});
  equations::Graph& g = program_.graph;
  std::vector<bool> varies(g.num_symbols(), true);
  std::vector<equations::Variable> stimulus;
  for (std::size_t k = 0; k < text.stimulus.size(); ++k) {
    varies[program_.given[k]] = false;
    for (std::size_t j = 0; j < text.stimulus[k].num(); ++j) stimulus.push_back({program_.given[k], j});
  }
  for (const equations::ResponseLine& line : program_.responses) varies[line.symbol] = false;
  std::vector<Id> arguments;
  for (std::size_t j = 0; j < text.responses.size(); ++j) {
    const equations::ResponseLine& line = program_.responses[j];
    const auto add = [&](Id value) {
      std::vector<Id> outputs{value};
      const std::vector<Id> slopes = equations::gradient(g, value, stimulus);
      outputs.insert(outputs.end(), slopes.begin(), slopes.end());
      if (is_trace(text.responses[j])) outputs.push_back(equations::derivative(g, value, {line.symbol, 0}));
      kernels_[j].push_back(equations::make_kernel(g, outputs, varies));
    };
    kernels_.emplace_back();
    if (text.responses[j].num_choices > 0)
      for (const Id p : line.arguments) add(g.apply(equations::Op::log, p));
    else
      add(log_density(g, *text.responses[j].law, line.arguments, g.symbol_value(line.symbol)));
    arguments.insert(arguments.end(), line.arguments.begin(), line.arguments.end());
  }
  std::vector<Id> outputs = arguments;
  for (const Id argument : arguments)
    for (const Id slope : equations::gradient(g, argument, stimulus)) outputs.push_back(slope);
  arguments_ = equations::make_kernel(g, outputs, varies);
}

void TextGradient::run(const equations::Kernel& kernel, std::span<const double> stimulus, std::size_t j, const double* response,
                       const ParameterSets& sets, double* out, std::size_t num_outputs) const {
  thread_local std::vector<equations::Input> inputs;
  thread_local std::vector<double*> columns;
  inputs.assign(program_.graph.num_symbols(), {});
  const double* from = stimulus.data();
  for (std::size_t k = 0; k < text_.stimulus.size(); ++k) {
    inputs[program_.given[k]] = {from, 1, 0};
    from += text_.stimulus[k].num();
  }
  from = sets.data;
  for (std::size_t k = 0; k < text_.parameters.size(); ++k) {
    inputs[program_.given[text_.stimulus.size() + k]] = {from, sets.stride, 1};
    from += text_.parameters[k].num() * sets.stride;
  }
  if (response) inputs[program_.responses[j].symbol] = {response, 1, 0};
  columns.resize(num_outputs);
  for (std::size_t k = 0; k < num_outputs; ++k) columns[k] = out + k * sets.num;
  kernel.run(inputs, sets.num, columns);
}

/// log p of one response, its derivatives by the stimulus, and of a trace by itself.
void TextGradient::run_law(std::span<const double> stimulus, std::size_t j, const double* response, const ParameterSets& sets,
                           double* out) const {
  const TextResponse& about = text_.responses[j];
  run(*kernels_[j][about.num_choices > 0 ? static_cast<std::size_t>(*response) : 0], stimulus, j, response, sets, out,
      1 + text_.stimulus_dim + (is_trace(about) ? 1 : 0));
}

void TextGradient::operator()(std::span<const double> stimulus, std::span<const double> responses, const ParameterSets& sets,
                              double* out) const {
  const std::size_t num = sets.num, dim = text_.stimulus_dim;
  thread_local std::vector<double> one;
  one.resize((2 + dim) * num);
  std::fill_n(out, num_rows() * num, 0.0);
  for (std::size_t j = 0; j < responses.size(); ++j) {
    run_law(stimulus, j, &responses[j], sets, one.data());
    for (std::size_t i = 0; i < (1 + dim) * num; ++i) out[i] += one[i];
    if (is_trace(text_.responses[j])) std::copy_n(&one[(1 + dim) * num], num, out + (1 + dim + j) * num);
  }
}

bool TextGradient::is_smooth(std::size_t j) const {
  return text_.responses[j].law->form == LawForm::normal || text_.responses[j].law->form == LawForm::lognormal;
}

void TextGradient::response_slopes(std::span<const double> stimulus, std::span<const double> responses,
                                   std::span<const double> parameters, double* out) const {
  const std::size_t dim = text_.stimulus_dim, num = text_.num_arguments;
  thread_local std::vector<double> values;
  values.resize(num * (1 + dim));
  run(*arguments_, stimulus, 0, nullptr, {parameters.data(), 1, 1}, values.data(), values.size());
  for (std::size_t j = 0; j < responses.size(); ++j) {
    const std::size_t first = text_.laws[j].first;
    const bool logarithm = text_.responses[j].law->form == LawForm::lognormal;
    const double m = values[first], s = is_smooth(j) ? values[first + 1] : 1,
                 e = ((logarithm ? std::log(responses[j]) : responses[j]) - m) / s;
    for (std::size_t i = 0; i < dim; ++i) {
      const double of_mean = values[num + first * dim + i], of_sd = is_smooth(j) ? values[num + (first + 1) * dim + i] : 0;
      out[j * dim + i] = is_smooth(j) ? (of_mean + e * of_sd) * (logarithm ? responses[j] : 1) : 0;
    }
  }
}

void TextGradient::log_slopes(std::span<const double> stimulus, std::span<const double> responses,
                              std::span<const double> parameters, double* out) const {
  const std::size_t dim = text_.stimulus_dim;
  thread_local std::vector<double> one;
  one.resize(2 + dim);
  std::fill_n(out, dim, 0.0);
  for (std::size_t j = 0; j < responses.size(); ++j) {
    if (is_smooth(j)) continue;
    run_law(stimulus, j, &responses[j], {parameters.data(), 1, 1}, one.data());
    for (std::size_t i = 0; i < dim; ++i) out[i] += one[1 + i];
  }
}

}  // namespace hartline::models
