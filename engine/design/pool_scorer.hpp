// Seam between a design over a pool and what it knows of a kind of belief.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <utility>

#include "models/model.hpp"

namespace hartline::design {

/// Scores the members of a pool under one kind of belief. Constant; what changes is in a State.
class PoolScorer {
 public:
  struct State {
    virtual ~State() = default;
  };

  virtual ~PoolScorer() = default;
  virtual std::unique_ptr<State> make_state() const = 0;

  /// Members that one unit of work scores, at most max_block.
  virtual std::size_t block_size() const = 0;
  static constexpr std::size_t max_block = 256;

  /// Brings what is kept of every member up to the belief. `left` [num]: 0 for members that will not be asked for again.
  virtual void follow(State& state, const models::Capability& belief, std::span<const std::uint8_t> left) const = 0;

  /// What the members share in one choice, after follow().
  virtual void prepare(State& state, const models::Capability& belief, std::span<const std::uint8_t> left) const = 0;

  /// Utility of some members of one block; `expected_count` is empty or asks for E[r], the largest over the responses reached.
  /// Several blocks may be scored at the same time.
  virtual void score(State& state, const models::Capability& belief, std::span<const std::size_t> members,
                     std::span<double> utility, std::span<double> expected_count) const = 0;

  /// Standard error and limit of one member's utility, as Choice has them.
  virtual std::pair<double, double> error(State&, std::size_t) const { return {0, std::numeric_limits<double>::infinity()}; }

  /// Certified bounds that cost much less than the utility; false where there are none.
  virtual bool bounds(State&, const models::Capability&, std::span<const std::size_t>, std::span<double>, std::span<double>) const {
    return false;
  }
};

}  // namespace hartline::design
