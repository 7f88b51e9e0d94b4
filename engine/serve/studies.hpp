// The parts of the page about controls and populations: arms, validation, mismatch, cells.
#pragma once

#include <vector>

#include "base/value.hpp"
#include "loop/learner.hpp"

namespace hartline::serve {

/// Gathers what arms, validation and the mismatch test have to show while the trials of a run go by.
class Studies {
 public:
  explicit Studies(const loop::Experiment& experiment);

  void add_trial(const Trial& trial, const loop::Learner& after);

  /// `estimates`: the final estimate of each arm, as in the document; null where an experiment has one arm.
  Value arms(const std::vector<Value>& estimates) const;
  Value validation(const loop::Learner& end) const;                                    // null without one
  Value mismatch(const loop::Learner& end) const;                                      // null where it was off
  Value population(const loop::Learner& end, const std::vector<double>& truth) const;  // null for one cell

 private:
  struct ArmCurve {
    List trials, uncertainty, error;
  };
  struct Repeats {
    std::vector<double> trials, responses;
  };

  const loop::Experiment& e_;
  std::vector<ArmCurve> arms_;
  std::vector<Repeats> repeats_;  // [validation stimuli]
  std::vector<double> mismatch_trials_, evidence_;
};

/// Correlation that noise allows between the means of repeated responses and a perfect prediction: with S the variance of the
/// means and N the mean variance of a mean,
///
///   √(max(0, S - N) / S)
double noise_ceiling(const std::vector<std::vector<double>>& repeats);

}  // namespace hartline::serve
