// Budget: how much search work one choice may do. Work is counted in units, so that a choice can be repeated exactly.
#pragma once

#include <cstdint>
#include <limits>

#include "base/clock.hpp"

namespace hartline::design {

/// A limit in units (repeatable) and, where a clock is given, a deadline (anytime: the best found so far is taken).
struct Budget {
  std::int64_t max_units = std::numeric_limits<std::int64_t>::max();
  std::int64_t num_trials = std::numeric_limits<std::int64_t>::max();  // still to come, with this one: as far as there is to look
  const Clock* clock = nullptr;
  std::int64_t deadline_ns = 0;

  /// Whether unit number `done` + 1 may still be begun.
  bool allows(std::int64_t done) const {
    if (done >= max_units) return false;
    return !clock || clock->now_ns() < deadline_ns;
  }
};

}  // namespace hartline::design
