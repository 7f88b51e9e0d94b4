#include "models/text_model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.hpp"
#include "base/threads.hpp"

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

}  // namespace

TextModel::TextModel(std::shared_ptr<const EncodingText> text, Executor& executor)
    : likelihood_(std::move(text)), executor_(executor) {
  const EncodingText& read = likelihood_.text();
  stimulus_dim = read.stimulus_dim;
  num_parameters = read.num_parameters;
  num_choices = static_cast<std::int64_t>(read.num_choices);
  response_kind = read.law->kind;
  for (const TextParameter& parameter : read.parameters)
    for (const std::string& name : number_names(parameter.name, parameter.shape)) {
      parameter_names.push_back(name);
      priors_.push_back(&parameter.prior);
    }
}

Capability TextModel::capability(const Belief& belief) const {
  const SampleBelief& b = samples(belief);
  return SampleView{b.weights, b.parameters.data(), &likelihood_, b.imagined};
}

void TextModel::log_likelihoods(SampleBelief& belief, std::span<const double> stimulus, Datum response,
                                std::span<double> out) const {
  const std::size_t num = belief.num(), num_blocks = (num + block - 1) / block;
  executor_.for_each_block(static_cast<int>(num_blocks), [&](int b) {
    const std::size_t first = static_cast<std::size_t>(b) * block, count = std::min(block, num - first);
    likelihood_(stimulus, response, belief.sets().part(first, count), &out[first]);
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

Prediction TextModel::foretell(SampleBelief& belief, std::span<const double> stimulus, Datum response) const {
  const std::size_t num = belief.num(), num_arguments = likelihood_.num_arguments(), num_blocks = (num + block - 1) / block;
  const TextLaw& law = *text().law;
  std::vector<Prediction> parts(num_blocks);
  executor_.for_each_block(static_cast<int>(num_blocks), [&](int b) {
    const std::size_t first = static_cast<std::size_t>(b) * block, count = std::min(block, num - first);
    likelihood_.arguments(stimulus, belief.sets().part(first, count), &belief.arguments[first]);
    double a[64];
    for (std::size_t i = first; i < first + count; ++i) {
      for (std::size_t k = 0; k < num_arguments; ++k) a[k] = belief.arguments[k * num + i];
      const double w = belief.weights[i];
      if (w < 1e-12) continue;
      parts[static_cast<std::size_t>(b)].mean += w * expected_value(law, {a, num_arguments});
      const Below p = distribution(law, {a, num_arguments}, response.value);
      parts[static_cast<std::size_t>(b)].below += w * p.below;
      parts[static_cast<std::size_t>(b)].up_to += w * p.up_to;
    }
  });
  Prediction out;
  for (const Prediction& part : parts) {
    out.mean += part.mean;
    out.below += part.below;
    out.up_to += part.up_to;
  }
  if (response.censored) out.up_to = 1;
  return out;
}

void TextModel::imagine(SampleBelief& belief, std::span<const double> stimulus, std::uint64_t seed) const {
  const std::size_t num = belief.num();
  if (belief.imagined.empty()) belief.imagined.assign(num_sample_futures, belief.weights);
  std::vector<double> parameters(num_parameters), log_likelihood(num);
  for (std::size_t k = 0; k < num_sample_futures; ++k) {
    std::vector<double>& weights = belief.imagined[k];
    Stream stream(seed, Purpose::imagine, belief.num_updates, belief.num_pending * num_sample_futures + k);
    double u = (static_cast<double>(k) + stream.uniform()) / static_cast<double>(num_sample_futures);  // stratified
    std::size_t i = 0;
    while (i + 1 < num && u >= weights[i]) u -= weights[i++];
    for (std::size_t j = 0; j < num_parameters; ++j) parameters[j] = belief.parameters[j * num + i];
    log_likelihoods(belief, stimulus, Model::sample(parameters, stimulus, stream), log_likelihood);
    const double top = *std::max_element(log_likelihood.begin(), log_likelihood.end());
    double total = 0;
    for (std::size_t n = 0; n < num; ++n) total += weights[n] *= std::exp(log_likelihood[n] - top);
    for (double& w : weights) w /= total;
  }
  ++belief.num_pending;
}

void TextModel::predict(const Belief& any_belief, std::span<const double> stimuli, std::span<double> mean) const {
  const SampleBelief& belief = samples(any_belief);
  const std::size_t num = belief.num(), num_arguments = likelihood_.num_arguments();
  std::vector<double> arguments(num_arguments * num), a(num_arguments);
  for (std::size_t x = 0; x < mean.size(); ++x) {
    likelihood_.arguments(stimuli.subspan(x * stimulus_dim, stimulus_dim), belief.sets(), arguments.data());
    mean[x] = 0;
    for (std::size_t i = 0; i < num; ++i) {
      for (std::size_t k = 0; k < num_arguments; ++k) a[k] = arguments[k * num + i];
      mean[x] += belief.weights[i] * expected_value(*text().law, a);
    }
  }
}

void TextModel::summarise(const Belief& any_belief, std::span<double> mean, std::span<double> sd) const {
  const SampleBelief& belief = samples(any_belief);
  const std::size_t num = belief.num();
  for (std::size_t k = 0; k < num_parameters; ++k) {
    const double* values = &belief.parameters[k * num];
    mean[k] = std::inner_product(belief.weights.begin(), belief.weights.end(), values, 0.0);
    double variance = 0;
    for (std::size_t i = 0; i < num; ++i) variance += belief.weights[i] * (values[i] - mean[k]) * (values[i] - mean[k]);
    sd[k] = std::sqrt(variance);
  }
}

void TextModel::sample(std::span<const double> parameters, std::span<const double> stimulus, Context& context, Stream& stream,
                       std::span<double> response) const {
  std::vector<double> a(likelihood_.num_arguments());
  likelihood_.arguments(stimulus, {parameters.data(), 1, 1}, a.data());
  if (!is_valid(*text().law, a)) {
    std::string at;
    for (std::size_t k = 0; k < num_parameters; ++k)
      at += fmt::format("{}{} = {}", k ? ", " : "At ", parameter_names[k], number_text(parameters[k]));
    throw RunError({"model.response", "a law with possible arguments", number_text(a[0]), at + "."});
  }
  if (response_kind == ResponseKind::counts) a[0] *= context.gain;
  response[0] = draw_response(*text().law, a, stream);
}

double TextModel::log_likelihood(std::span<const double> parameters, std::span<const double> stimulus, double response) const {
  double out = 0;
  likelihood_(stimulus, response, {parameters.data(), 1, 1}, &out);
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
  return weighted_quantile(values, p);
}

double TextModel::response_quantile(const SampleBelief& belief, std::span<const double> stimulus, double p) const {
  const std::size_t num = belief.num(), num_arguments = likelihood_.num_arguments();
  std::vector<double> arguments(num_arguments * num), a(num_arguments);
  likelihood_.arguments(stimulus, belief.sets(), arguments.data());
  std::vector<std::pair<double, double>> values(num);
  for (std::size_t i = 0; i < num; ++i) {
    for (std::size_t k = 0; k < num_arguments; ++k) a[k] = arguments[k * num + i];
    values[i] = {expected_value(*text().law, a), belief.weights[i]};
  }
  return weighted_quantile(values, p);
}

void TextModel::from_scores(const double* scores, std::size_t stride, std::size_t num, double* parameters) const {
  for (std::size_t k = 0; k < num_parameters; ++k)
    for (std::size_t i = 0; i < num; ++i) parameters[k * stride + i] = priors_[k]->from_normal(scores[k * stride + i]);
}

double TextModel::expected_response(std::span<const double> parameters, std::span<const double> stimulus) const {
  std::vector<double> a(likelihood_.num_arguments());
  likelihood_.arguments(stimulus, {parameters.data(), 1, 1}, a.data());
  return expected_value(*text().law, a);
}

}  // namespace hartline::models
