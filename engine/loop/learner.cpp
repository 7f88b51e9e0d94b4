#include "loop/learner.hpp"

#include <cmath>

#include "base/error.hpp"
#include "models/grid.hpp"

namespace hartline::loop {

Learner::Learner(const Experiment& experiment)
    : experiment_(experiment), belief_(experiment.model->prior()), plan_(experiment.design->make_plan()) {
  // the plan sees the prior here, not at the first choice: a run that is restored or replayed may make none before it learns
  experiment.design->follow(*plan_, capability(), -1, {}, std::nan(""));
  keeps_history_ = experiment.glm() && (experiment.refine_every > 0 || experiment.refine_at_end);
  if (keeps_history_) {
    const auto num = static_cast<std::size_t>(experiment.spec.num_trials);
    history_.stimuli.reserve(num * experiment.stimuli.dim);
    history_.values.reserve(num);
    history_.marks.reserve(num);
  }
}

void Learner::learn(Trial& trial) {
  const std::span<const double> x = experiment_.values(trial.delivered.stimulus, trial.index);
  const double elapsed_s = num_trials_ > 0 ? static_cast<double>(trial.delivered.time_ns - last_time_ns_) * 1e-9 : 0;
  models::Update update;
  try {
    update = experiment_.model->update(*belief_, x, trial.response, elapsed_s);
  } catch (const RunError& error) {
    Fault fault = error.fault;
    fault.path = "trial " + std::to_string(trial.index) + ", " + fault.path;
    throw RunError(fault, trial.index);
  }
  trial.log_evidence = update.log_evidence;
  last_time_ns_ = trial.delivered.time_ns;
  ++num_trials_;
  if (keeps_history_ && update.used) {
    history_.stimuli.insert(history_.stimuli.end(), x.begin(), x.end());
    history_.values.push_back(trial.response.values[0]);
    history_.marks.push_back(models::mark_of(trial.response, 0));
    ++history_.num_trials;
  }
  if (experiment_.refine_every > 0) {
    if (refit_.valid() && num_trials_ == refit_trial_ + experiment_.refine_lag) take_refit();
    if (!refit_.valid() && num_trials_ % experiment_.refine_every == 0) begin_refit();
  }
  const auto* item = std::get_if<PoolItem>(&trial.requested.stimulus.what);
  experiment_.design->follow(*plan_, capability(), item ? item->index : -1, x, std::nan(""));
}

void Learner::begin_refit() {
  refit_trial_ = num_trials_;
  refit_history_ = history_.num_trials;
  refit_ = std::async(std::launch::async, [glm = experiment_.glm(), history = history_, fork = belief_->fork()]() mutable {
    glm->refine(dynamic_cast<models::GaussianBelief&>(*fork), history);
    return std::move(fork);
  });
}

void Learner::take_refit() {
  auto fork = refit_.get();
  // the trials since it was begun
  const std::size_t dim = experiment_.stimuli.dim;
  Response response;
  response.kind = experiment_.model->response_kind;
  for (std::size_t t = refit_history_; t < history_.num_trials; ++t) {
    response.values.assign(1, history_.values[t]);
    response.marks.assign(1, history_.marks[t]);
    experiment_.model->update(*fork, {&history_.stimuli[t * dim], dim}, response, 0);
  }
  auto& current = dynamic_cast<models::GaussianBelief&>(*belief_);
  const std::uint64_t version = current.version;
  current = dynamic_cast<const models::GaussianBelief&>(*fork);
  current.version = version + 1;
  current.exact = false;
}

void Learner::choose(std::int64_t trial, const design::Budget& budget, design::Choice& out) {
  experiment_.design->choose(*plan_, capability(), static_cast<std::uint64_t>(trial), budget, out);
}

void Learner::finish() {
  if (refit_.valid()) refit_.wait();
  if (experiment_.refine_at_end && history_.num_trials > 0)
    experiment_.glm()->refine(dynamic_cast<models::GaussianBelief&>(*belief_), history_);
}

Array Learner::mean() const {
  Array out{{static_cast<std::int64_t>(experiment_.model->num_parameters)}, {}};
  if (const auto* gaussian = dynamic_cast<const models::GaussianBelief*>(belief_.get())) {
    out.values = gaussian->mean;
    return out;
  }
  const auto& belief = dynamic_cast<const models::GridBelief&>(*belief_);
  for (std::size_t k = 0; k < experiment_.model->num_parameters; ++k) {
    const auto marginal = experiment_.grid()->marginal(belief, k);
    double mean = 0;
    for (std::size_t i = 0; i < marginal.size(); ++i) mean += marginal[i] * experiment_.grid()->family().parameters[k].values[i];
    out.values.push_back(mean);
  }
  return out;
}

Array Learner::sd() const {
  Array out = mean();
  const std::size_t dim = out.values.size();
  if (const auto* gaussian = dynamic_cast<const models::GaussianBelief*>(belief_.get())) {
    for (std::size_t i = 0; i < dim; ++i) out.values[i] = std::sqrt(gaussian->covariance[i * dim + i]);
    return out;
  }
  const auto& belief = dynamic_cast<const models::GridBelief&>(*belief_);
  for (std::size_t k = 0; k < dim; ++k) {
    const auto marginal = experiment_.grid()->marginal(belief, k);
    double variance = 0;
    for (std::size_t i = 0; i < marginal.size(); ++i)
      variance += marginal[i] * std::pow(experiment_.grid()->family().parameters[k].values[i] - out.values[k], 2);
    out.values[k] = std::sqrt(variance);
  }
  return out;
}

std::uint64_t Learner::digest() const {
  if (const auto* gaussian = dynamic_cast<const models::GaussianBelief*>(belief_.get()))
    return content_hash(gaussian->mean.data(), gaussian->mean.size()) ^
           (content_hash(gaussian->covariance.data(), gaussian->covariance.size()) * 3);
  const auto& weights = dynamic_cast<const models::GridBelief&>(*belief_).log_weights;
  return content_hash(weights.data(), weights.size());
}

}  // namespace hartline::loop
