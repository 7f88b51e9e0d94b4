#include "models/text_likelihood.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "equations/differentiate.hpp"

namespace hartline::models {

using equations::Id;

TextLikelihood::TextLikelihood(std::shared_ptr<const EncodingText> text) : text_(std::move(text)), program_(text_->program) {
  equations::Graph& g = program_.graph;
  std::vector<Id> arguments = program_.responses[0].arguments;
  response_ = g.add_symbol({"response", {}, {}, ""});
  std::vector<Id> outputs;
  if (text_->num_choices > 0) {
    arguments = choice_probabilities(g, *text_->law, arguments, text_->num_choices);
    for (const Id p : arguments) outputs.push_back(g.apply(equations::Op::log, p));
  } else {
    outputs = {log_density(g, *text_->law, arguments, g.symbol_value(response_))};
  }
  num_arguments_ = arguments.size();
  std::vector<Id> with_gradient = arguments;
  // only a box is searched by gradients, and only where every function has a derivative
  bool differentiable = std::any_of(text_->stimulus.begin(), text_->stimulus.end(),
                                    [](const TextStimulus& variable) { return variable.values.empty(); });
  std::vector<equations::Variable> variables;
  for (std::size_t k = 0; k < text_->stimulus.size() && differentiable; ++k)
    for (std::size_t j = 0; j < text_->stimulus[k].num(); ++j) variables.push_back({program_.given[k], j});
  try {
    for (const Id argument : arguments)
      for (const Id slope : equations::gradient(g, argument, variables)) with_gradient.push_back(slope);
  } catch (const SpecError&) {
    differentiable = false;
  }
  std::vector<bool> varies(g.num_symbols(), true);
  for (std::size_t k = 0; k < text_->stimulus.size(); ++k) varies[program_.given[k]] = false;
  varies[response_] = false;
  for (const Id output : outputs) kernels_.push_back(equations::make_kernel(g, {&output, 1}, varies));
  arguments_ = equations::make_kernel(g, arguments, varies);
  if (differentiable) argument_gradient_ = equations::make_kernel(g, with_gradient, varies);
}

void TextLikelihood::run(const equations::Kernel& kernel, std::span<const double> stimulus, double response,
                         const ParameterSets& sets, double* out, std::size_t stride, std::size_t num_outputs) const {
  thread_local std::vector<equations::Input> inputs;
  thread_local std::vector<double*> columns;
  inputs.assign(program_.graph.num_symbols(), {});
  const double* from = stimulus.data();
  for (std::size_t k = 0; k < text_->stimulus.size(); ++k) {
    inputs[program_.given[k]] = {from, 1, 0};
    from += text_->stimulus[k].num();
  }
  from = sets.data;
  for (std::size_t k = 0; k < text_->parameters.size(); ++k) {
    inputs[program_.given[text_->stimulus.size() + k]] = {from, sets.stride, 1};
    from += text_->parameters[k].num() * sets.stride;
  }
  inputs[response_] = {&response, 1, 0};
  columns.resize(num_outputs);
  for (std::size_t k = 0; k < num_outputs; ++k) columns[k] = out + k * stride;
  kernel.run(inputs, sets.num, columns);
}

void TextLikelihood::operator()(std::span<const double> stimulus, Datum response, const ParameterSets& sets, double* out) const {
  const double r = response.value;
  const bool choice = text_->num_choices > 0;
  if (choice && !(r >= 0 && r < static_cast<double>(text_->num_choices) && std::nearbyint(r) == r))
    throw RunError({"response", fmt::format("a choice, 0 … {}", text_->num_choices - 1), number_text(r), ""});
  if (response.censored) return log_tails(stimulus, r, sets, out);
  if (!is_possible(*text_->law, r)) {
    std::fill_n(out, sets.num, -std::numeric_limits<double>::infinity());
    return;
  }
  run(*kernels_[choice ? static_cast<std::size_t>(r) : 0], stimulus, r, sets, out, sets.stride, 1);
}

void TextLikelihood::log_tails(std::span<const double> stimulus, double bound, const ParameterSets& sets, double* out) const {
  thread_local std::vector<double> columns;
  columns.resize(num_arguments_ * sets.stride);
  arguments(stimulus, sets, columns.data());
  std::array<double, 64> a;
  if (text_->law->kind == ResponseKind::counts) bound = std::ceil(bound);
  for (std::size_t i = 0; i < sets.num; ++i) {
    for (std::size_t k = 0; k < num_arguments_; ++k) a[k] = columns[k * sets.stride + i];
    out[i] = std::log1p(-distribution(*text_->law, {a.data(), num_arguments_}, bound).below);
  }
}

void TextLikelihood::arguments(std::span<const double> stimulus, const ParameterSets& sets, double* out, std::size_t stride) const {
  run(*arguments_, stimulus, 0, sets, out, stride ? stride : sets.stride, num_arguments_);
}

void TextLikelihood::argument_gradient(std::span<const double> stimulus, const ParameterSets& sets, double* out,
                                       std::size_t stride) const {
  if (!argument_gradient_)
    throw SpecError({"model.response", "a law whose arguments can be differentiated by the stimulus", "another",
                     "A box of stimuli is searched by gradients."});
  run(*argument_gradient_, stimulus, 0, sets, out, stride ? stride : sets.stride, num_arguments_ * (1 + text_->stimulus_dim));
}

void TextLikelihood::draw_prior(std::uint64_t seed, Purpose purpose, std::uint64_t first, std::size_t num,
                                std::span<double> parameters) const {
  std::vector<double> one(text_->num_parameters);
  for (std::size_t i = 0; i < num; ++i) {
    Stream stream(seed, purpose, first + i);
    text_->draw_prior(stream, one);
    for (std::size_t k = 0; k < one.size(); ++k) parameters[k * num + i] = one[k];
  }
}

}  // namespace hartline::models
