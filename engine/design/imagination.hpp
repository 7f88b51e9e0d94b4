// Beliefs that are imagined: what a subject might answer, and what would then be believed.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "design/design_spec.hpp"
#include "design/sample_objective.hpp"
#include "design/stimulus_set.hpp"
#include "models/model.hpp"

namespace hartline {
class Executor;
}

namespace hartline::design {

/// Branches of imagined beliefs over a pool, numbered from 0. Constant; the branches are in a State. The belief itself is never
/// changed: branches are forks of it.
class Imagination {
 public:
  struct State {
    virtual ~State() = default;
  };

  virtual ~Imagination() = default;
  virtual std::unique_ptr<State> make_state() const = 0;

  /// The branches become the belief as it is; where responses are pending, its equally likely futures. Returns how many.
  virtual std::size_t begin(State& state, const models::Capability& belief) const = 0;

  /// Leaves the first `num` branches.
  virtual void cut(State& state, std::size_t num) const = 0;

  /// Adds a branch for everything that may be answered to a member under branch `from`; appends their probabilities, which sum
  /// to one.
  virtual void answer(State& state, std::size_t from, std::size_t member, std::vector<double>& probability) const = 0;

  /// An answer that is drawn moves a branch on.
  virtual void answer_once(State& state, std::size_t branch, std::size_t member, Stream& stream) const = 0;

  /// Utility of a member under each of `branches`. Members may be scored at the same time.
  virtual void score(State& state, std::size_t member, std::span<const std::size_t> branches, std::span<double> utility) const = 0;

  /// Adds to `out` [num samples] a share of w_n ∂U / ∂w_n of a member under a branch, from which errors of totals follow. Returns
  /// false, and does nothing, where a branch is all that is believed or the utility has no such derivatives.
  virtual bool add_by_sample(State& state, std::size_t member, std::size_t branch, double share,
                             std::vector<double>& out) const = 0;
};

/// Outcomes are enumerated: those of probability above 1e-6.
std::unique_ptr<Imagination> imagine_tables(const DesignSpec& spec, const StimulusSet& set, const models::DiscreteView& prior,
                                            std::span<const std::string> parameter_names, Executor& executor);

/// Choices are enumerated, also several together; counts, normal and lognormal responses are imagined as Futures has them. Of
/// others `spec.lookahead.num_futures` values stand for the rest, each for the same share of what is expected; of several responses
/// as many are drawn. Throws: SpecError for a text with states.
std::unique_ptr<Imagination> imagine_samples(const DesignSpec& spec, const SampleObjective& objective, const StimulusSet& set,
                                             const models::SampleView& prior, Executor& executor);

}  // namespace hartline::design
