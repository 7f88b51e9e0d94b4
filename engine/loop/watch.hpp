// Watch: what goes wrong in a run, told from its trials: a model that does not fit, a domain too narrow, a search that is stuck.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "loop/experiment.hpp"
#include "loop/mismatch.hpp"

namespace hartline::loop {

/// State of the watch. A function of the trials learned, in order. Each warning is given once a run.
class Watch {
 public:
  explicit Watch(const Experiment& experiment);

  /// Looks at a trial that its arm's belief has just taken in, and appends what is to be told to `news`.
  void look(const Trial& trial, std::span<const models::Prediction> predictions, const models::Belief& belief,
            std::vector<Event>& news);

  const MismatchTest& mismatch(std::int64_t arm) const { return mismatch_[static_cast<std::size_t>(arm)]; }
  /// log10 of the evidence at which the test of an arm warns: the false alarms are shared among the arms.
  double threshold() const;
  /// Trial of the first mismatch warning, or -1.
  std::int64_t alarm_trial() const { return alarm_trial_; }

 private:
  void look_at_responses(const Trial& trial, std::span<const models::Prediction> predictions, std::vector<Event>& news);
  void look_at_stimuli(const Trial& trial, std::vector<Event>& news);
  void look_at_information(const Trial& trial, std::vector<Event>& news);
  void look_at_belief(const Trial& trial, const models::Belief& belief, std::vector<Event>& news);
  void look_at_border(const Trial& trial, std::size_t parameter, const std::string& name, double lowest, double highest,
                      std::vector<Event>& news);
  bool on_edge(std::int64_t member) const;

  const Experiment& e_;
  std::vector<MismatchTest> mismatch_;  // [num_arms]
  std::int64_t alarm_trial_ = -1;
  std::vector<std::int64_t> members_;  // of the last trials, the oldest overwritten
  std::vector<double> informations_;   // nats, the same of designs whose utility is information
  std::int64_t num_looked_ = 0, num_informations_ = 0;
  std::vector<double> low_, high_;  // of each coordinate of a pool on axes
  std::vector<double> marginal_;    // scratch
  std::vector<std::uint8_t> told_border_;
  bool told_edge_ = false, told_repeats_ = false, told_stalled_ = false;
};

}  // namespace hartline::loop
