#include "design/rollouts.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "models/history_tape.hpp"

namespace hartline::design {

namespace {

constexpr std::size_t num_scale_draws = 2000;
constexpr double least_likely = 20;  // nats below the truth

}  // namespace

void draw_responses(const models::TextLikelihood& likelihood, std::span<const double> arguments, Stream& stream, double* out) {
  const std::vector<models::LawPart>& laws = likelihood.text().laws;
  for (std::size_t j = 0; j < laws.size(); ++j) {
    const std::span<const double> a = laws[j].of(arguments);
    if (!models::is_valid(*laws[j].law, a))
      throw RunError({"model.response", "a law wherever prior and stimuli reach", number_text(a[0]), "See the model's text."});
    out[j] = models::draw_response(*laws[j].law, a, stream);
  }
}

Rollouts::Rollouts(const models::TextLikelihood& likelihood, const models::TrainedNetwork& network, std::uint64_t seed)
    : likelihood_(likelihood),
      trained_(network),
      network_(models::shape_of(network, likelihood.text())),
      rule_(likelihood.text()),
      seed_(seed) {}

Contrasts Rollouts::draw_contrasts(std::uint64_t step, std::size_t num) const {
  Contrasts out;
  out.num = num;
  out.parameters.resize(likelihood_.text().num_parameters * num);
  std::vector<double> one(likelihood_.text().num_parameters);
  for (std::size_t l = 0; l < num; ++l) {
    Stream stream(seed_, Purpose::contrast, step, l + 1);  // index 0 is that of scores
    likelihood_.text().draw_prior(stream, one);
    for (std::size_t k = 0; k < one.size(); ++k) out.parameters[k * num + l] = one[k];
  }
  return out;
}

void Rollouts::simulate(std::span<const double> weights, std::uint64_t step, std::size_t first, std::size_t num, Histories& out,
                        models::HistoryTape* tape) const {
  const std::size_t dim = rule_.dim(), num_responses = likelihood_.num_responses(), rows = likelihood_.num_rows(),
                    num_parameters = likelihood_.text().num_parameters, trials = num_trials();
  if (out.owner != this || out.num != num) {
    out.owner = this;
    out.num = num;
    out.state = network_.start(num);
    out.inputs.assign(network_.shape().num_inputs * out.state.stride, 0.0);
    out.outputs.assign(network_.shape().num_outputs * out.state.stride, 0.0);
    out.truth.resize(num * rows);
    out.stimuli.resize(num * trials * dim);
    out.responses.resize(num * trials * num_responses);
  }
  network_.restart(out.state);
  if (tape) tape->restart();
  const std::size_t stride = out.state.stride;
  thread_local std::vector<double> arguments;
  thread_local std::vector<models::Datum> answers;
  arguments.resize(likelihood_.num_arguments());
  for (std::size_t r = 0; r < num; ++r) {
    Stream stream(seed_, Purpose::truth, step, first + r);
    const std::span<double> truth{&out.truth[r * rows], rows};
    likelihood_.text().draw_prior(stream, truth.first(num_parameters));
    if (likelihood_.has_states()) likelihood_.start({truth.data(), 1, 1}, &truth[num_parameters]);
  }
  for (std::size_t t = 0; t < trials; ++t) {
    if (!tape) network_.read(weights, out.state, out.outputs.data());
    const double* told = tape ? tape->read(weights) : out.outputs.data();
    for (std::size_t r = 0; r < num; ++r) {
      if (!std::isfinite(told[r]))
        throw RunError({"train", "weights whose network is finite", number_text(told[r]), "Lower train.learning_rate."});
      const std::span<double> x{&out.stimuli[(r * trials + t) * dim], dim};
      double* y = &out.responses[(r * trials + t) * num_responses];
      rule_(told + r, stride, x);
      double* truth = &out.truth[r * rows];
      likelihood_.arguments(x, {truth, 1, 1}, arguments.data(), 1);
      Stream stream(seed_, Purpose::response, step, (first + r) * trials + t);
      draw_responses(likelihood_, arguments, stream, y);
      if (likelihood_.has_states()) {
        answers.assign(y, y + num_responses);
        likelihood_.advance(x, answers, {truth, 1, 1}, truth + num_parameters);
      }
      models::scale_inputs(trained_, x, {y, num_responses}, r, stride, out.inputs.data());
    }
    if (tape)
      tape->take(weights, out.inputs.data());
    else
      network_.take(weights, out.inputs.data(), out.state);
  }
}

void Rollouts::suspect(const Histories& histories, std::size_t r, const Contrasts& contrasts, const Before& before,
                       Suspects& out) const {
  const std::size_t dim = rule_.dim(), num_responses = likelihood_.num_responses(), rows = likelihood_.num_rows(),
                    num_parameters = likelihood_.text().num_parameters, trials = num_trials(), all = contrasts.num + 1;
  out.num = out.stride = all;
  out.sets.resize(rows * all);
  out.total.assign(all, 0.0);
  out.one.resize(all);
  for (std::size_t k = 0; k < num_parameters; ++k) {
    out.sets[k * all] = histories.truth[r * rows + k];
    std::copy_n(&contrasts.parameters[k * contrasts.num], contrasts.num, &out.sets[k * all + 1]);
  }
  double* const states = &out.sets[num_parameters * all];
  if (likelihood_.has_states()) likelihood_.start({out.sets.data(), all, all}, states);
  thread_local std::vector<models::Datum> answers;
  const auto weigh = [&] {
    out.likelihood.resize(out.num);
    double sum = 0;
    for (std::size_t l = 0; l < out.num; ++l) sum += out.likelihood[l] = std::exp(out.total[l] - out.total[0]);
    out.score = -std::log(sum / static_cast<double>(all));
  };
  for (std::size_t t = 0; t < trials; ++t) {
    if (before) {
      weigh();
      before(t, out);
    }
    const std::span<const double> x{&histories.stimuli[(r * trials + t) * dim], dim};
    const double* y = &histories.responses[(r * trials + t) * num_responses];
    const models::ParameterSets left{out.sets.data(), all, out.num};
    answers.assign(y, y + num_responses);
    likelihood_(x, answers, left, out.one.data());
    for (std::size_t l = 0; l < out.num; ++l) out.total[l] += out.one[l];
    if (likelihood_.has_states()) likelihood_.advance(x, answers, left, states);
    std::size_t kept = 1;
    for (std::size_t l = 1; l < out.num; ++l) {
      if (out.total[l] < out.total[0] - least_likely) continue;
      if (kept != l) {
        for (std::size_t k = 0; k < rows; ++k) out.sets[k * all + kept] = out.sets[k * all + l];
        out.total[kept] = out.total[l];
      }
      ++kept;
    }
    out.num = kept;
  }
  weigh();
  if (!std::isfinite(out.score))
    throw RunError({"train", "a likelihood wherever prior and stimuli reach", number_text(out.score), "See the model's text."});
}

double Rollouts::score(const Histories& histories, const Contrasts& contrasts, Suspects& scratch) const {
  double out = 0;
  for (std::size_t r = 0; r < histories.num; ++r) {
    suspect(histories, r, contrasts, nullptr, scratch);
    out += scratch.score;
  }
  return out;
}

void begin_network(const models::TextLikelihood& likelihood, models::TrainedNetwork& network) {
  const models::EncodingText& text = likelihood.text();
  const StimulusRule rule(text);
  network.stimulus_middle = rule.middle();
  network.stimulus_range = rule.range();
  const std::size_t num_responses = text.responses.size();
  std::vector<double> truth(likelihood.num_rows()), x(rule.dim()), arguments(likelihood.num_arguments()), y(num_responses);
  std::vector<double> sum(num_responses, 0.0), square(num_responses, 0.0);
  for (std::size_t i = 0; i < num_scale_draws; ++i) {
    // rollouts count their steps from 1
    Stream stream(static_cast<std::uint64_t>(network.seed), Purpose::truth, 0, i + 1);
    text.draw_prior(stream, std::span<double>(truth).first(text.num_parameters));
    if (likelihood.has_states()) likelihood.start({truth.data(), 1, 1}, &truth[text.num_parameters]);
    rule.draw(stream, x);
    likelihood.arguments(x, {truth.data(), 1, 1}, arguments.data(), 1);
    draw_responses(likelihood, arguments, stream, y.data());
    for (std::size_t j = 0; j < num_responses; ++j) {
      sum[j] += y[j];
      square[j] += y[j] * y[j];
    }
  }
  network.response_mean.clear();
  network.response_scale.clear();
  for (std::size_t j = 0; j < num_responses; ++j) {
    const double mean = sum[j] / num_scale_draws, variance = square[j] / num_scale_draws - mean * mean;
    const bool usable = std::isfinite(mean) && std::isfinite(variance) && variance > 0;
    network.response_mean.push_back(std::isfinite(mean) ? mean : 0);
    network.response_scale.push_back(usable ? std::sqrt(variance) : 1);
  }
  network.weights =
      models::initial_weights(models::HistoryNetwork(models::shape_of(network, text)), static_cast<std::uint64_t>(network.seed));
}

}  // namespace hartline::design
