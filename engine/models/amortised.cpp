#include "models/amortised.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"

namespace hartline::models {

std::uint64_t AmortisedBelief::digest() const { return content_hash(parameters.data(), parameters.size()); }

AmortisedModel::AmortisedModel(std::shared_ptr<const EncodingText> text, std::shared_ptr<const TrainedNetwork> trained,
                               std::size_t num_samples, std::uint64_t seed, Executor& executor)
    : TextModel(std::move(text), executor),
      trained_(std::move(trained)),
      network_(shape_of(*trained_, this->text())),
      mixture_{num_parameters, static_cast<std::size_t>(trained_->num_components)},
      normals_(num_parameters * num_samples),
      num_samples_(num_samples) {
  for (std::size_t i = 0; i < num_samples; ++i) {
    Stream stream(seed, Purpose::particles, 0, i);
    for (std::size_t k = 0; k < num_parameters; ++k) normals_[k * num_samples + i] = stream.normal();
  }
}

std::unique_ptr<Belief> AmortisedModel::prior() const {
  auto out = std::make_unique<AmortisedBelief>();
  out->weights.assign(num_samples_, 1 / static_cast<double>(num_samples_));
  out->scores = normals_;
  out->parameters.resize(likelihood_.num_rows() * num_samples_);
  out->arguments.resize(likelihood_.num_arguments() * num_samples_);
  text().from_scores(out->scores.data(), num_samples_, num_samples_, out->parameters.data());
  if (likelihood_.has_states()) likelihood_.start(out->sets(), &out->parameters[num_parameters * num_samples_]);
  out->state = network_.start(1);
  out->inputs.assign(network_.shape().num_inputs * out->state.stride, 0.0);
  out->outputs.assign(network_.shape().num_outputs * out->state.stride, 0.0);
  return out;
}

/// Samples of what the network tells now, and what it has learned.
void AmortisedModel::draw(AmortisedBelief& belief) const {
  network_.read(trained_->weights, belief.state, belief.outputs.data());
  const std::size_t stride = belief.state.stride;
  mixture_.draw(belief.outputs.data(), stride, normals_, num_samples_, belief.scores.data());
  text().from_scores(belief.scores.data(), num_samples_, num_samples_, belief.parameters.data());
  std::vector<double> z(num_parameters);
  belief.information = 0;
  for (std::size_t i = 0; i < num_samples_; ++i) {
    double prior = 0;
    for (std::size_t k = 0; k < num_parameters; ++k) {
      z[k] = belief.scores[k * num_samples_ + i];
      prior -= 0.5 * z[k] * z[k] + 0.91893853320467274178;
    }
    belief.information += (mixture_.log_density(belief.outputs.data(), stride, z, nullptr) - prior) / static_cast<double>(num_samples_);
  }
  if (!std::isfinite(belief.information))
    throw RunError({"belief.network", "a network whose numbers are finite", number_text(belief.information),
                    "The trials so far are far from those that it was trained on."});
  if (!likelihood_.has_states()) return;
  std::vector<double> total(num_samples_), one(num_samples_);
  replay(belief.history, belief.history.num, belief.parameters.data(), num_samples_, num_samples_, total.data(), one.data());
}

Update AmortisedModel::update(Belief& any_belief, std::span<const double> stimulus, const Response& response, double) const {
  auto& belief = dynamic_cast<AmortisedBelief&>(any_belief);
  if (stimulus.empty()) return {false, 0, {}};
  const Trial trial = read(stimulus, response);
  if (trial.pending) {
    imagine(belief, stimulus, trial, 0);
    return {false, 0, {}};
  }
  if (!trial.counts && !likelihood_.has_states()) return {false, 0, {}};
  std::vector<double> responses(num_cells);
  for (std::size_t j = 0; j < num_cells; ++j) {
    if (trial.responses[j].censored)
      throw RunError({fmt::format("response.marks[{}]", j), "observed or missing for an amortised posterior", "censored",
                      "Take belief.kind = \"particles\" or \"grid\". The belief is unchanged."});
    responses[j] = trial.responses[j].value;
  }
  Update out;
  if (trial.counts) {
    std::vector<double> log_likelihood(num_samples_);
    log_likelihoods(belief, stimulus, trial.responses, log_likelihood);
    const double top = *std::max_element(log_likelihood.begin(), log_likelihood.end());
    if (!(top > -INFINITY))
      throw RunError({"response", "possible under some sample", number_text(responses[0]),
                      "Every sample gives it probability 0. The belief is unchanged."});
    double total = 0;
    for (const double one : log_likelihood) total += std::exp(one - top);
    out.log_evidence = top + std::log(total / static_cast<double>(num_samples_));
    belief.predictions = foretell(belief, stimulus, trial.responses);
    out.predictions = belief.predictions;
  }
  out.used = trial.counts;
  if (likelihood_.has_states()) remember(belief.history, stimulus, trial);
  scale_inputs(*trained_, stimulus, responses, 0, belief.state.stride, belief.inputs.data());
  network_.take(trained_->weights, belief.inputs.data(), belief.state);
  ++belief.num_updates;
  belief.log_evidence += out.log_evidence;
  draw(belief);
  return out;
}

}  // namespace hartline::models
