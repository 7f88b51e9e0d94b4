// What all designs over a finite pool share: which members are left, and how a tie is broken.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "base/error.hpp"
#include "base/random.hpp"
#include "design/design.hpp"

namespace hartline::design {

/// Members of a pool that may still be shown.
struct Available {
  explicit Available(const StimulusSet& set) : mask(set.num(), 1), count(static_cast<std::int64_t>(set.num())), once(set.once) {}
  std::vector<std::uint8_t> mask;
  std::int64_t count;
  bool once;

  void present(std::int64_t index) {
    if (!once || index < 0 || !mask[static_cast<std::size_t>(index)]) return;
    mask[static_cast<std::size_t>(index)] = 0;
    --count;
  }
  void require_some(std::uint64_t trial) const {
    if (count > 0) return;
    throw RunError({"stimulus.pool", "not exhausted", "0 stimuli left", "Each may be shown once; lower num_trials."},
                   static_cast<std::int64_t>(trial));
  }
};

/// The best of a scan. Equal utilities go to the member with the smaller random key, which does not depend on the order of the
/// scan.
struct Best {
  double utility = -std::numeric_limits<double>::infinity();
  std::int64_t index = -1;

  void offer(double u, std::int64_t i, std::uint64_t seed, std::uint64_t trial) {
    if (u < utility) return;
    if (u == utility && index >= 0) {
      const auto key = [&](std::int64_t member) { return Stream(seed, Purpose::tie, trial, static_cast<std::uint64_t>(member))(); };
      if (key(index) <= key(i)) return;
    }
    utility = u;
    index = i;
  }
};

/// Copies a member of the pool into a choice.
inline void take(const StimulusSet& set, std::int64_t index, Choice& out) {
  const auto from = set.pool.begin() + index * static_cast<std::int64_t>(set.dim);
  out.pool_index = index;
  out.values.assign(from, from + static_cast<std::int64_t>(set.dim));
}

}  // namespace hartline::design
