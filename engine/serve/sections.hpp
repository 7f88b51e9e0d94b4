// The parts of the page's data, docs/report-format.md.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/histogram.hpp"
#include "base/trial.hpp"
#include "base/value.hpp"
#include "loop/learner.hpp"

namespace hartline::serve {

/// Gathers what the page shows of one run while its trials go by.
class Sections {
 public:
  explicit Sections(const loop::Experiment& experiment);

  void add_trial(const Trial& trial, const loop::Learner& after);
  /// What look-ahead said of trials: total, lead and its standard error, by trial index.
  void add_lookahead(const std::vector<std::pair<std::int64_t, Array>>& told);
  void add_snapshot(loop::Learner& learner);
  /// Takes the last snapshot again, after a final refit. `truth`: the subject's parameters at the end, where a drift has moved
  /// them.
  void end(loop::Learner& learner, const std::vector<double>& truth);

  std::string sentence(const loop::Learner& end, const std::string& note) const;
  Value figures(const loop::Learner& end, const Value& comparison,
                const std::vector<std::pair<std::string, Histogram>>& latency) const;
  Value estimate() const;
  /// The last estimate of one arm, in the same form.
  Value final_estimate(const loop::Learner& end, std::size_t arm) const;
  Value trials() const;
  Value stimuli() const;
  Value utility() const;        // what it is measured in; null where no design has one
  Value utility_curve() const;  // null where there is none
  Value deadline(double deadline_ms) const;

 private:
  void snapshot_weights(const loop::Learner& learner, std::size_t arm, Table& snapshot) const;
  void snapshot_curve(const loop::Learner& learner, std::size_t arm, Table& snapshot) const;
  void snapshot_process(const loop::Learner& learner, std::size_t arm, Table& snapshot) const;
  Table snapshot(const loop::Learner& learner, std::size_t arm) const;
  Table frame_of_estimate() const;  // all but its snapshots
  bool is_image() const;
  bool is_process_map() const;
  bool is_sample_curve() const;
  std::vector<double> curve_stimuli() const;                  // that a curve of a belief by samples is drawn over
  const design::UtilityMeaning& told_utility() const;         // of the first design that has one
  std::size_t most_probable(const loop::Learner& end) const;  // of competing models
  std::size_t num_weights() const;                            // of a linear model that a picture shows: without history and bias

  const loop::Experiment& e_;
  std::vector<double> truth_;  // the parameters that the estimate is drawn beside; empty: not known
  std::vector<double> truth_curve_;
  List snapshots_, utility_snapshots_, strip_, observations_;
  std::vector<List> marginals_;     // [num_parameters] snapshots
  List total_, lead_, lead_error_;  // of trials that looked ahead
  List utility_, response_, uncertainty_, error_, value_, point_x_, point_y_;
  std::int64_t misses_ = 0, num_trials_ = 0;
  double worst_lateness_ms_ = 0, last_error_ = 0;
  std::int64_t strip_every_ = 1;
};

Value learning_curves(const Value& comparison);
Value event_list(const std::vector<Event>& events);
Value latency_list(const std::vector<std::pair<std::string, Histogram>>& latency);

}  // namespace hartline::serve
