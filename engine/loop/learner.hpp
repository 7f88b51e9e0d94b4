// Learner: the belief and the plan as a function of the trials so far. Running, resuming, replaying and reporting all go through
// it.
#pragma once

#include <future>
#include <memory>

#include "loop/experiment.hpp"
#include "models/glm.hpp"

namespace hartline::loop {

/// The state of a run that learns: belief, plan and the history that a refit needs.
class Learner {
 public:
  explicit Learner(const Experiment& experiment);

  /// Takes in an answered trial; sets its log_evidence. The belief uses the delivered stimulus.
  /// Throws: RunError naming the trial; belief and plan are then unchanged.
  void learn(Trial& trial);

  /// Chooses the stimulus of a trial.
  void choose(std::int64_t trial, const design::Budget& budget, design::Choice& out);

  /// Refits on the whole history, if the experiment asks for it at the end.
  void finish();

  const models::Belief& belief() const { return *belief_; }
  models::Capability capability() const { return experiment_.model->capability(*belief_); }
  design::Plan& plan() { return *plan_; }
  std::int64_t num_trials() const { return num_trials_; }

  /// Mean and standard deviation of the parameters, [num_parameters].
  Array mean() const;
  Array sd() const;
  /// Hash of every bit of the belief.
  std::uint64_t digest() const;

 private:
  void begin_refit();
  void take_refit();

  const Experiment& experiment_;
  std::unique_ptr<models::Belief> belief_;
  std::unique_ptr<design::Plan> plan_;
  std::int64_t num_trials_ = 0;
  std::int64_t last_time_ns_ = 0;
  models::History history_;
  bool keeps_history_ = false;
  std::future<std::unique_ptr<models::Belief>> refit_;  // begun at refit_trial_
  std::int64_t refit_trial_ = 0;
  std::size_t refit_history_ = 0;  // responses that the refit has seen
};

}  // namespace hartline::loop
