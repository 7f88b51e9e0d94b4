#include "models/text_model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "models/circle.hpp"

namespace hartline::models {

namespace {

constexpr std::size_t block = 512;  // sets

const SampleBelief& samples(const Belief& belief) { return dynamic_cast<const SampleBelief&>(belief); }

/// The value that a share p of the weights lies below.
double weighted_quantile(std::vector<std::pair<double, double>>& values, double p) {
  std::sort(values.begin(), values.end());
  double below = 0;
  for (const auto& [value, weight] : values) {
    below += weight;
    if (below >= p) return value;
  }
  return values.back().first;
}

/// A gain on the rate of counts, and on all rates of what is made of several laws.
void raise_rates(const LawPart& part, double gain, std::span<double> arguments) {
  if (part.law->parts.empty()) arguments[part.first] *= gain;
  for (const LawPart& one : part.law->parts) raise_rates({one.law, part.first + one.first, one.num}, gain, arguments);
}

}  // namespace

TextModel::TextModel(std::shared_ptr<const EncodingText> text, Executor& executor)
    : likelihood_(std::move(text)), executor_(executor) {
  const EncodingText& read = likelihood_.text();
  stimulus_dim = read.stimulus_dim;
  num_parameters = read.num_parameters;
  num_cells = read.responses.size();
  response_kind = read.responses[0].law->kind;
  num_choices = static_cast<std::int64_t>(read.responses[0].num_choices);
  for (const TextResponse& one : read.responses) {
    if (one.law->kind != response_kind) response_kind = ResponseKind::trace;  // numbers of any kind
    if (static_cast<std::int64_t>(one.num_choices) != num_choices) num_choices = 0;
  }
  has_context = likelihood_.has_states();
  for (const TextParameter& parameter : read.parameters)
    for (const std::string& name : number_names(parameter.name, parameter.shape)) parameter_names.push_back(name);
}

TextModel::Trial TextModel::read(std::span<const double> stimulus, const Response& response) const {
  check(stimulus, response);
  Trial out;
  for (std::size_t j = 0; j < num_cells; ++j) {
    const Mark mark = mark_of(response, j);
    const bool is_value = has_value(mark);
    out.pending = out.pending || mark == Mark::pending;
    out.counts = out.counts || is_value;
    out.responses.emplace_back(is_value ? response.values[j] : std::nan(""), mark == Mark::censored);
    // a blanked response was there, and has its part in what comes next
    out.answers.emplace_back(is_value || mark == Mark::blanked ? response.values[j] : std::nan(""));
  }
  return out;
}

void TextModel::remember(TextHistory& history, std::span<const double> stimulus, const Trial& trial) const {
  history.stimuli.insert(history.stimuli.end(), stimulus.begin(), stimulus.end());
  history.responses.insert(history.responses.end(), trial.responses.begin(), trial.responses.end());
  if (likelihood_.has_states()) history.answers.insert(history.answers.end(), trial.answers.begin(), trial.answers.end());
  ++history.num;
}

Capability TextModel::capability(const Belief& belief) const {
  const SampleBelief& b = samples(belief);
  return SampleView{b.weights, b.parameters.data(), &likelihood_, b.imagined};
}

void TextModel::log_likelihoods(SampleBelief& belief, std::span<const double> stimulus, std::span<const Datum> responses,
                                std::span<double> out) const {
  const std::size_t num = belief.num(), num_blocks = (num + block - 1) / block;
  executor_.for_each_block(static_cast<int>(num_blocks), [&](int b) {
    const std::size_t first = static_cast<std::size_t>(b) * block, count = std::min(block, num - first);
    likelihood_(stimulus, responses, belief.sets().part(first, count), &out[first]);
  });
  for (std::size_t i = 0; i < num; ++i) {
    if (!std::isnan(out[i]) && out[i] < INFINITY) continue;
    std::string at;
    for (std::size_t k = 0; k < num_parameters; ++k)
      at += fmt::format("{}{} = {}", k ? ", " : "At ", parameter_names[k], number_text(belief.parameters[k * num + i]));
    throw RunError({"model.response", "a law wherever the prior reaches", "a likelihood of " + number_text(out[i]),
                    at + ". The belief is unchanged."});
  }
}

void TextModel::advance(SampleBelief& belief, std::span<const double> stimulus, const Trial& trial) const {
  if (!likelihood_.has_states()) return;
  const std::size_t num = belief.num(), num_blocks = (num + block - 1) / block;
  executor_.for_each_block(static_cast<int>(num_blocks), [&](int b) {
    const std::size_t first = static_cast<std::size_t>(b) * block, count = std::min(block, num - first);
    likelihood_.advance(stimulus, trial.answers, belief.sets().part(first, count),
                        &belief.parameters[num_parameters * num + first]);
  });
  bool lost = false;
  for (std::size_t j = 0; j < num_cells; ++j) lost = lost || (std::isnan(trial.answers[j].value) && likelihood_.looks_back(j));
  if (lost && !trial.pending)
    belief.notices.push_back(
        {true, "state", "a response that the states depend on is missing: they went on from the one that was expected"});
}

void TextModel::replay(const TextHistory& history, std::size_t num_trials, double* rows, std::size_t stride, std::size_t num,
                       double* out, double* one) const {
  const ParameterSets sets{rows, stride, num};
  double* states = rows + num_parameters * stride;
  if (likelihood_.has_states()) likelihood_.start(sets, states);
  std::fill_n(out, num, 0.0);
  for (std::size_t t = 0; t < num_trials; ++t) {
    const std::span<const double> stimulus{&history.stimuli[t * stimulus_dim], stimulus_dim};
    likelihood_(stimulus, {&history.responses[t * num_cells], num_cells}, sets, one);
    for (std::size_t i = 0; i < num; ++i) out[i] += one[i];
    if (likelihood_.has_states()) likelihood_.advance(stimulus, {&history.answers[t * num_cells], num_cells}, sets, states);
  }
}

std::vector<Prediction> TextModel::foretell(SampleBelief& belief, std::span<const double> stimulus,
                                            std::span<const Datum> responses) const {
  const std::size_t num = belief.num(), num_arguments = likelihood_.num_arguments(), num_blocks = (num + block - 1) / block;
  std::vector<Prediction> parts(num_blocks * num_cells);
  executor_.for_each_block(static_cast<int>(num_blocks), [&](int b) {
    const std::size_t first = static_cast<std::size_t>(b) * block, count = std::min(block, num - first);
    likelihood_.arguments(stimulus, belief.sets().part(first, count), &belief.arguments[first]);
    double all[64];
    const std::span<const double> a(all, num_arguments);
    for (std::size_t i = first; i < first + count; ++i) {
      for (std::size_t k = 0; k < num_arguments; ++k) all[k] = belief.arguments[k * num + i];
      const double w = belief.weights[i];
      if (w < 1e-12) continue;
      for (std::size_t j = 0; j < num_cells; ++j) {
        const LawPart& part = text().laws[j];
        Prediction& of = parts[static_cast<std::size_t>(b) * num_cells + j];
        of.mean += w * expected_value(*part.law, part.of(a));
        if (std::isnan(responses[j].value)) continue;
        const Below p = distribution(*part.law, part.of(a), responses[j].value);
        of.below += w * p.below;
        of.up_to += w * p.up_to;
      }
    }
  });
  std::vector<Prediction> out(num_cells);
  for (std::size_t k = 0; k < parts.size(); ++k) {
    out[k % num_cells].mean += parts[k].mean;
    out[k % num_cells].below += parts[k].below;
    out[k % num_cells].up_to += parts[k].up_to;
  }
  for (std::size_t j = 0; j < num_cells; ++j) {
    if (responses[j].censored) out[j].up_to = 1;
    if (std::isnan(responses[j].value)) out[j].below = out[j].up_to = std::nan("");  // nothing to be held against
  }
  return out;
}

void TextModel::imagine(SampleBelief& belief, std::span<const double> stimulus, const Trial& trial, std::uint64_t seed) const {
  const std::size_t num = belief.num();
  if (belief.imagined.empty()) belief.imagined.assign(num_sample_futures, belief.weights);
  std::vector<double> drawn(num_cells), log_likelihood(num);
  for (std::size_t k = 0; k < num_sample_futures; ++k) {
    std::vector<double>& weights = belief.imagined[k];
    Stream stream(seed, Purpose::imagine, belief.num_updates, belief.num_pending * num_sample_futures + k);
    double u = (static_cast<double>(k) + stream.uniform()) / static_cast<double>(num_sample_futures);  // stratified
    std::size_t i = 0;
    while (i + 1 < num && u >= weights[i]) u -= weights[i++];
    draw(&belief.parameters[i], num, stimulus, 1, stream, drawn);
    log_likelihoods(belief, stimulus, std::vector<Datum>(drawn.begin(), drawn.end()), log_likelihood);
    const double top = *std::max_element(log_likelihood.begin(), log_likelihood.end());
    double total = 0;
    for (std::size_t n = 0; n < num; ++n) total += weights[n] *= std::exp(log_likelihood[n] - top);
    for (double& w : weights) w /= total;
  }
  ++belief.num_pending;
  advance(belief, stimulus, trial);
}

void TextModel::predict(const Belief& any_belief, std::span<const double> stimuli, std::span<double> mean) const {
  const SampleBelief& belief = samples(any_belief);
  const std::size_t num = belief.num(), num_arguments = likelihood_.num_arguments();
  std::vector<double> arguments(num_arguments * num), a(num_arguments);
  const std::vector<double> rows = rows_at_start(belief);
  const LawPart& part = text().laws[0];
  for (std::size_t x = 0; x < mean.size(); ++x) {
    likelihood_.arguments(stimuli.subspan(x * stimulus_dim, stimulus_dim), {rows.data(), num, num}, arguments.data());
    mean[x] = 0;
    for (std::size_t i = 0; i < num; ++i) {
      for (std::size_t k = 0; k < num_arguments; ++k) a[k] = arguments[k * num + i];
      mean[x] += belief.weights[i] * expected_value(*part.law, part.of(a));
    }
  }
}

void TextModel::summarise(const Belief& any_belief, std::span<double> mean, std::span<double> sd) const {
  const SampleBelief& belief = samples(any_belief);
  const std::size_t num = belief.num();
  for (std::size_t k = 0; k < num_parameters; ++k) {
    const double* values = &belief.parameters[k * num];
    if (const PriorLaw& prior = text().prior(k); prior.period() > 0) {
      const Circle circle = on_circle({values, num}, belief.weights, prior.period(), prior.low());
      mean[k] = circle.mean;
      sd[k] = circle.sd;
      continue;
    }
    mean[k] = std::inner_product(belief.weights.begin(), belief.weights.end(), values, 0.0);
    double variance = 0;
    for (std::size_t i = 0; i < num; ++i) variance += belief.weights[i] * (values[i] - mean[k]) * (values[i] - mean[k]);
    sd[k] = std::sqrt(variance);
  }
}

std::vector<double> TextModel::rows_at_start(const SampleBelief& belief) const {
  std::vector<double> out = belief.parameters;
  if (likelihood_.has_states()) likelihood_.start({out.data(), belief.num(), belief.num()}, &out[num_parameters * belief.num()]);
  return out;
}

std::vector<double> TextModel::rows_at_start(std::span<const double> parameters) const {
  std::vector<double> out(parameters.begin(), parameters.end());
  out.resize(likelihood_.num_rows());
  if (likelihood_.has_states()) likelihood_.start({out.data(), 1, 1}, &out[num_parameters]);
  return out;
}

void TextModel::draw(const double* rows, std::size_t stride, std::span<const double> stimulus, double gain, Stream& stream,
                     std::span<double> out) const {
  std::vector<double> a(likelihood_.num_arguments());
  likelihood_.arguments(stimulus, {rows, stride, 1}, a.data(), 1);
  for (std::size_t j = 0; j < num_cells; ++j) {
    const LawPart& part = text().laws[j];
    if (!is_valid(*part.law, part.of(a))) {
      std::string at;
      for (std::size_t k = 0; k < num_parameters; ++k)
        at += fmt::format("{}{} = {}", k ? ", " : "At ", parameter_names[k], number_text(rows[k * stride]));
      throw RunError({"model.response", "a law with possible arguments", number_text(a[part.first]), at + "."});
    }
    if (part.law->kind == ResponseKind::counts && gain != 1) raise_rates(part, gain, a);
    out[j] = draw_response(*part.law, part.of(a), stream);
  }
}

void TextModel::sample(std::span<const double> parameters, std::span<const double> stimulus, Context& context, Stream& stream,
                       std::span<double> response) const {
  std::vector<double> rows = rows_at_start(parameters);
  std::copy(context.states.begin(), context.states.end(), rows.begin() + static_cast<std::ptrdiff_t>(num_parameters));
  draw(rows.data(), 1, stimulus, context.gain, stream, response);
  if (!likelihood_.has_states()) return;
  const std::vector<Datum> answers(response.begin(), response.end());
  likelihood_.advance(stimulus, answers, {rows.data(), 1, 1}, &rows[num_parameters]);
  context.states.assign(rows.begin() + static_cast<std::ptrdiff_t>(num_parameters), rows.end());
}

double TextModel::log_likelihood(std::span<const double> parameters, std::span<const double> stimulus, double response) const {
  if (num_cells > 1) throw RunError({"model.response", "one for the likelihood of one value", fmt::format("{}", num_cells), ""});
  double out = 0;
  likelihood_(stimulus, response, {rows_at_start(parameters).data(), 1, 1}, &out);
  return out;
}

double TextModel::log_predictive(const SampleBelief& belief, std::span<const double> stimulus, double response) const {
  std::vector<double> log_likelihood(belief.num());
  likelihood_(stimulus, response, belief.sets(), log_likelihood.data());
  const double top = *std::max_element(log_likelihood.begin(), log_likelihood.end());
  double total = 0;
  for (std::size_t i = 0; i < belief.num(); ++i) total += belief.weights[i] * std::exp(log_likelihood[i] - top);
  return top + std::log(total);
}

double TextModel::quantile(const SampleBelief& belief, std::size_t k, double p) const {
  std::vector<std::pair<double, double>> values(belief.num());
  for (std::size_t i = 0; i < belief.num(); ++i) values[i] = {belief.parameters[k * belief.num() + i], belief.weights[i]};
  if (const PriorLaw& prior = text().prior(k); prior.period() > 0) {  // on both sides of the mean
    const Circle circle =
        on_circle({&belief.parameters[k * belief.num()], belief.num()}, belief.weights, prior.period(), prior.low());
    for (auto& [value, weight] : values) value = circle.nearest(value);
  }
  return weighted_quantile(values, p);
}

double TextModel::response_quantile(const SampleBelief& belief, std::span<const double> stimulus, double p) const {
  const std::size_t num = belief.num(), num_arguments = likelihood_.num_arguments();
  std::vector<double> arguments(num_arguments * num), a(num_arguments);
  likelihood_.arguments(stimulus, {rows_at_start(belief).data(), num, num}, arguments.data());
  std::vector<std::pair<double, double>> values(num);
  const LawPart& part = text().laws[0];
  for (std::size_t i = 0; i < num; ++i) {
    for (std::size_t k = 0; k < num_arguments; ++k) a[k] = arguments[k * num + i];
    values[i] = {expected_value(*part.law, part.of(a)), belief.weights[i]};
  }
  return weighted_quantile(values, p);
}

double TextModel::expected_response(std::span<const double> parameters, std::span<const double> stimulus) const {
  std::vector<double> a(likelihood_.num_arguments());
  likelihood_.arguments(stimulus, {rows_at_start(parameters).data(), 1, 1}, a.data());
  const LawPart& part = text().laws[0];
  return expected_value(*part.law, part.of(a));
}

}  // namespace hartline::models
