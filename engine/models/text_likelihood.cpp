#include "models/text_likelihood.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "equations/differentiate.hpp"
#include "models/law_tail.hpp"

namespace hartline::models {

using equations::Id;

TextLikelihood::TextLikelihood(std::shared_ptr<const EncodingText> text) : text_(std::move(text)), program_(text_->program) {
  equations::Graph& g = program_.graph;
  std::vector<bool> varies(g.num_symbols(), true);
  for (std::size_t k = 0; k < text_->stimulus.size(); ++k) varies[program_.given[k]] = false;
  for (const equations::ResponseLine& line : program_.responses) varies[line.symbol] = false;
  std::vector<Id> arguments;
  for (std::size_t j = 0; j < text_->responses.size(); ++j) {
    const equations::ResponseLine& line = program_.responses[j];
    auto& kernels = kernels_.emplace_back();
    const auto add = [&](Id output) { kernels.push_back(equations::make_kernel(g, {&output, 1}, varies)); };
    if (text_->responses[j].num_choices > 0)
      for (const Id p : line.arguments) add(g.apply(equations::Op::log, p));
    else
      add(log_density(g, *text_->responses[j].law, line.arguments, g.symbol_value(line.symbol)));
    arguments.insert(arguments.end(), line.arguments.begin(), line.arguments.end());
  }
  std::vector<Id> with_gradient = arguments, start, next;
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
  arguments_ = equations::make_kernel(g, arguments, varies);
  if (differentiable) argument_gradient_ = equations::make_kernel(g, with_gradient, varies);
  if (!has_states()) return;
  looks_back_.assign(num_responses(), false);
  for (const equations::State& state : program_.states) {
    start.push_back(state.start);
    next.push_back(state.next);
    for (std::size_t j = 0; j < num_responses(); ++j)
      looks_back_[j] = looks_back_[j] || equations::depends_on(g, state.next, program_.responses[j].symbol);
  }
  start_ = equations::make_kernel(g, start, varies);
  for (const equations::ResponseLine& line : program_.responses) varies[line.symbol] = true;
  next_ = equations::make_kernel(g, next, varies);
}

void TextLikelihood::run(const equations::Kernel& kernel, std::span<const double> stimulus,
                         std::span<const equations::Input> responses, const ParameterSets& sets, double* out, std::size_t stride,
                         std::size_t num_outputs) const {
  thread_local std::vector<equations::Input> inputs;
  thread_local std::vector<double*> columns;
  inputs.assign(program_.graph.num_symbols(), {});
  const double* from = stimulus.data();
  for (std::size_t k = 0; k < text_->stimulus.size() && from; ++k) {
    inputs[program_.given[k]] = {from, 1, 0};
    from += text_->stimulus[k].num();
  }
  from = sets.data;
  for (std::size_t k = 0; k < text_->parameters.size(); ++k) {
    inputs[program_.given[text_->stimulus.size() + k]] = {from, sets.stride, 1};
    from += text_->parameters[k].num() * sets.stride;
  }
  for (const equations::State& state : program_.states) {
    inputs[state.symbol] = {from, sets.stride, 1};
    from += sets.stride;
  }
  for (std::size_t j = 0; j < responses.size(); ++j) inputs[program_.responses[j].symbol] = responses[j];
  columns.resize(num_outputs);
  for (std::size_t k = 0; k < num_outputs; ++k) columns[k] = out + k * stride;
  kernel.run(inputs, sets.num, columns);
}

void TextLikelihood::operator()(std::span<const double> stimulus, std::span<const Datum> responses, const ParameterSets& sets,
                                double* out) const {
  if (responses.size() == 1 && !std::isnan(responses[0].value)) return add_one(0, stimulus, responses[0], sets, out);
  thread_local std::vector<double> one;
  one.resize(sets.num);
  std::fill_n(out, sets.num, 0.0);
  for (std::size_t j = 0; j < responses.size(); ++j) {
    if (std::isnan(responses[j].value)) continue;
    add_one(j, stimulus, responses[j], sets, one.data());
    for (std::size_t i = 0; i < sets.num; ++i) out[i] += one[i];
  }
}

/// One response's own: sets out.
void TextLikelihood::add_one(std::size_t j, std::span<const double> stimulus, Datum response, const ParameterSets& sets,
                             double* out) const {
  const double r = response.value;
  const TextResponse& about = text_->responses[j];
  if (about.num_choices > 0 && !(r >= 0 && r < static_cast<double>(about.num_choices) && std::nearbyint(r) == r))
    throw RunError({"response", fmt::format("a choice, 0 … {}", about.num_choices - 1), number_text(r), ""});
  if (response.censored) return log_tails(j, stimulus, r, Side::from, sets, out);
  if (about.law->form == LawForm::censored && sets.num > 0) {  // its limits are the same for all sets
    std::array<double, 64> a;
    arguments(stimulus, sets.part(0, 1), a.data(), 1);
    const LawPart& part = text_->laws[j];
    const double low = a[part.first + part.num - 2], high = a[part.first + part.num - 1];
    if (r <= low) return log_tails(j, stimulus, low, Side::up_to, sets, out);
    if (r >= high) return log_tails(j, stimulus, high, Side::from, sets, out);
  }
  if (!is_possible(about.law->form == LawForm::censored ? *about.law->parts[0].law : *about.law, r)) {
    std::fill_n(out, sets.num, -std::numeric_limits<double>::infinity());
    return;
  }
  thread_local std::vector<equations::Input> inputs;
  inputs.assign(text_->responses.size(), {});
  inputs[j] = {&r, 1, 0};
  run(*kernels_[j][about.num_choices > 0 ? static_cast<std::size_t>(r) : 0], stimulus, inputs, sets, out, sets.stride, 1);
}

void TextLikelihood::log_tails(std::size_t j, std::span<const double> stimulus, double bound, Side side, const ParameterSets& sets,
                               double* out) const {
  thread_local std::vector<double> columns;
  columns.resize(num_arguments() * sets.stride);
  arguments(stimulus, sets, columns.data());
  std::array<double, 64> a;
  const LawPart& part = text_->laws[j];
  for (std::size_t i = 0; i < sets.num; ++i) {
    for (std::size_t k = 0; k < part.num; ++k) a[k] = columns[(part.first + k) * sets.stride + i];
    const std::span<const double> own(a.data(), part.num);
    out[i] = is_valid(*part.law, own) ? log_tail(*part.law, own, bound, side) : std::nan("");
  }
}

void TextLikelihood::start(const ParameterSets& sets, double* states) const {
  run(*start_, {}, {}, sets, states, sets.stride, text_->num_states);
}

void TextLikelihood::advance(std::span<const double> stimulus, std::span<const Datum> responses, const ParameterSets& sets,
                             double* states) const {
  thread_local std::vector<double> next, columns, expected;
  thread_local std::vector<equations::Input> inputs;
  inputs.assign(responses.size(), {});
  next.resize(text_->num_states * sets.num);
  for (std::size_t j = 0; j < responses.size(); ++j) {
    inputs[j] = {&responses[j].value, 1, 0};
    if (!looks_back_[j] || !std::isnan(responses[j].value)) continue;
    if (columns.size() < num_arguments() * sets.num) columns.resize(num_arguments() * sets.num);
    expected.resize(responses.size() * sets.num);
    arguments(stimulus, sets, columns.data(), sets.num);
    std::array<double, 64> a;
    const LawPart& part = text_->laws[j];
    for (std::size_t i = 0; i < sets.num; ++i) {
      for (std::size_t k = 0; k < part.num; ++k) a[k] = columns[(part.first + k) * sets.num + i];
      expected[j * sets.num + i] = expected_value(*part.law, {a.data(), part.num});
    }
    inputs[j] = {&expected[j * sets.num], 1, 1};
  }
  run(*next_, stimulus, inputs, sets, next.data(), sets.num, text_->num_states);
  for (std::size_t k = 0; k < text_->num_states; ++k) std::copy_n(&next[k * sets.num], sets.num, states + k * sets.stride);
}

void TextLikelihood::arguments(std::span<const double> stimulus, const ParameterSets& sets, double* out, std::size_t stride) const {
  run(*arguments_, stimulus, {}, sets, out, stride ? stride : sets.stride, num_arguments());
}

void TextLikelihood::argument_gradient(std::span<const double> stimulus, const ParameterSets& sets, double* out,
                                       std::size_t stride) const {
  if (!argument_gradient_)
    throw SpecError({"model.response", "a law whose arguments can be differentiated by the stimulus", "another",
                     "A box of stimuli is searched by gradients."});
  run(*argument_gradient_, stimulus, {}, sets, out, stride ? stride : sets.stride, num_arguments() * (1 + text_->stimulus_dim));
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
