// Learner: the beliefs and the plans as a function of the trials so far. Running, resuming, replaying and reporting all go through
// it.
#pragma once

#include <future>
#include <memory>
#include <vector>

#include "loop/experiment.hpp"
#include "loop/watch.hpp"
#include "models/glm.hpp"

namespace hartline::loop {

/// The state of a run that learns: of every arm the belief, the plan and the history that a refit needs.
///
/// Trials are taken in in their order, whatever the order in which responses came; those decided and not yet taken in are pending
/// and enter each choice as expected information (controls_test.cpp: Learner.LateAndDisorderedResponsesGiveTheSameBelief).
class Learner {
 public:
  explicit Learner(const Experiment& experiment);
  /// One whose first arm believes `belief` before any trial.
  Learner(const Experiment& experiment, const models::Belief& belief);

  /// Chooses the stimulus of a trial whose index, arm, role and request time are set. Allocates where responses are pending.
  void choose(const Trial& trial, const design::Budget& budget, design::Choice& out);

  /// Lets the time until the request pass for the arm's belief, as a choice does.
  void pass_time(const Trial& trial);

  /// Draws the stimulus of a trial whose choice is late, by the law of random stimuli. May run beside `choose`.
  void draw_fallback(const Trial& trial, design::Choice& out);

  /// Takes note of a decision, in order of trials; until it is learned it is pending.
  void decide(const Trial& trial);

  /// Takes in the next trial, answered; sets its log_evidence. The beliefs use the delivered stimulus.
  /// Throws: RunError naming the trial; beliefs and plans are then unchanged.
  void learn(Trial& trial);

  /// Refits on the whole history, if the experiment asks for it at the end.
  void finish();

  std::int64_t num_trials() const { return num_trials_; }
  /// Trials of one arm that its belief has taken in.
  std::int64_t num_trials(std::size_t arm) const { return arms_[arm].num_trials; }

  const models::Belief& belief(std::size_t arm = 0) const { return *arms_[arm].belief; }
  models::Capability capability(std::size_t arm = 0) const { return experiment_.model->capability(*arms_[arm].belief); }
  design::Plan& plan(std::size_t arm = 0) { return *arms_[arm].plan; }
  const Watch& watch() const { return watch_; }

  /// Mean and standard deviation of the parameters, [num_parameters].
  Array mean(std::size_t arm = 0) const;
  Array sd(std::size_t arm = 0) const;
  /// Width of the 90 % credible interval of a parameter.
  double credible_width(std::size_t parameter, std::size_t arm = 0) const;
  /// Hash of every bit of the beliefs.
  std::uint64_t digest() const;

  /// What was noticed since the last call.
  std::vector<Event> take_news();

 private:
  struct ArmState {
    std::unique_ptr<models::Belief> belief;
    std::unique_ptr<design::Plan> plan;
    std::int64_t num_trials = 0;
    std::int64_t last_time_ns = 0;
    bool has_time = false;
    models::History history;
    std::future<std::unique_ptr<models::Belief>> refit;  // begun at refit_trial
    std::int64_t refit_trial = 0;
    std::size_t refit_history = 0;  // trials that the refit has seen
    std::size_t num_attended = 0;   // comings and goings of cells that were noted
  };
  /// Seconds since the arm's belief last moved in time.
  static double elapse(ArmState& arm, std::int64_t time_ns);
  /// Trials of an arm from one on that its design may still choose, as far as a design looks ahead.
  std::int64_t num_to_come(std::size_t arm, std::int64_t trial) const;
  bool serves(std::size_t arm, const Trial& trial) const;
  /// A trial lasts until the next stimulus is delivered.
  void note_duration(const Trial& trial);
  /// Cells that came or went with this trial.
  void note_attendance(std::size_t arm, const Trial& trial);
  /// Parameters of texts that nothing depends on.
  void note_unused();
  void note_notices(std::size_t arm, const Trial& trial);
  void remember(ArmState& arm, std::span<const double> x, const Response& response);
  void begin_refit(ArmState& arm);
  void take_refit(ArmState& arm);

  const Experiment& experiment_;
  std::vector<ArmState> arms_;
  std::unique_ptr<design::Plan> fallback_plan_;  // null where there is no fallback
  std::vector<Trial> pending_;                   // ring of decided trials, by index
  std::int64_t num_decided_ = 0, num_trials_ = 0;
  bool keeps_history_ = false;
  std::int64_t last_member_ = -1, last_delivered_ns_ = 0;
  Response blank_;  // scratch
  Watch watch_;
  std::vector<Event> news_;
};

}  // namespace hartline::loop
