// Designs: how the next stimulus is chosen from a belief.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "design/budget.hpp"
#include "design/design_spec.hpp"
#include "design/stimulus_set.hpp"
#include "models/model.hpp"

namespace hartline {
class Executor;
}

namespace hartline::design {

/// A stimulus chosen.
struct Choice {
  std::int64_t pool_index = -1;  // -1: not from a pool
  std::vector<double> values;    // [dim]
  double utility = 0;            // less its cost and per second, where the design says so; NaN for a draw
  // of a utility that is drawn: its standard error, and what it cannot exceed however much a response tells; else 0 and infinity
  double utility_error = 0, utility_limit = std::numeric_limits<double>::infinity();
  std::int64_t units = 0;  // units of work done
  // with look-ahead: utilities summed over the trials thought of, and by how much that is more than for the choice that thinks of
  // one trial less, with its standard error, 0 where it is exact
  double total = 0, lead = 0, lead_error = 0;
  bool explored = false;  // drawn by the design's exploration share
};

/// State of a design. A function of the stimuli presented and the updates of the belief, in order.
class Plan {
 public:
  virtual ~Plan() = default;
};

/// How the next stimulus is chosen: constant, shared by threads.
class Design {
 public:
  virtual ~Design() = default;
  virtual std::unique_ptr<Plan> make_plan() const = 0;

  /// Takes note of what happened: a stimulus was decided on (`stimulus` not empty), a response changed the belief, or the trial of
  /// a member of the pool was found to have taken `duration_s` (else NaN).
  virtual void follow(Plan& plan, const models::Capability& belief, std::int64_t pool_index, std::span<const double> stimulus,
                      double duration_s) const = 0;

  /// Takes note of a response to a stimulus, for designs that remember the trials themselves; others look at the belief.
  virtual void learn(Plan& plan, std::span<const double> stimulus, const Response& response) const;

  /// The stimulus for a trial. Repeatable: same plan, belief, trial and units give the same bytes, at any number of threads.
  /// Allocates: nothing after the first calls. Throws: RunError when a pool is exhausted, no stimulus is allowed or no utility is
  /// finite.
  virtual void choose(Plan& plan, const models::Capability& belief, std::uint64_t trial, const Budget& budget,
                      Choice& out) const = 0;

  /// The utility of every member of the pool, as choose() compares them; empty for other sets or a design without utility.
  virtual std::vector<double> utilities(Plan& plan, const models::Capability& belief) const = 0;
};

/// Builds a design. `prior`: what the model's prior belief can do; kinds and sizes are taken from it, and the law of a linear
/// model. `parameter_names` [num_parameters]: for targets. The set, the law and the executor must outlive the design.
/// Throws: SpecError for a setting that does not fit the stimuli or the belief, or that this kind of design does not use.
std::unique_ptr<Design> make_design(const DesignSpec& spec, const StimulusSet& set, const models::Capability& prior,
                                    std::span<const std::string> parameter_names, std::uint64_t seed, Executor& executor);

}  // namespace hartline::design
