// What all designs over a finite pool share: which members are left, and how a tie is broken.
#pragma once

#include <cmath>
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
/// scan; utilities that are not finite are passed over.
struct Best {
  double utility = -std::numeric_limits<double>::infinity();
  std::int64_t index = -1;

  void offer(double u, std::int64_t i, std::uint64_t seed, std::uint64_t trial) {
    if (!(u >= utility) || !std::isfinite(u)) return;
    if (u == utility && index >= 0) {
      const auto key = [&](std::int64_t member) { return Stream(seed, Purpose::tie, trial, static_cast<std::uint64_t>(member))(); };
      if (key(index) <= key(i)) return;
    }
    utility = u;
    index = i;
  }
};

/// How long trials of each member have taken so far.
class Durations {
 public:
  explicit Durations(std::size_t num) : total_(num, 0.0), count_(num, 0.0) {}
  void note(std::int64_t index, double duration_s) {
    if (!(duration_s > 0) || index < 0) return;
    total_[static_cast<std::size_t>(index)] += duration_s;
    count_[static_cast<std::size_t>(index)] += 1;
    total_of_all_ += duration_s;
    count_of_all_ += 1;
  }
  /// Mean of the member, of all where it has none, 1 s before the first.
  double expected_s(std::size_t i) const {
    if (count_[i] > 0) return total_[i] / count_[i];
    return count_of_all_ > 0 ? total_of_all_ / count_of_all_ : 1;
  }

 private:
  std::vector<double> total_, count_;  // [num]
  double total_of_all_ = 0, count_of_all_ = 0;
};

/// Copies a member of the pool into a choice.
inline void take(const StimulusSet& set, std::int64_t index, Choice& out) {
  const auto from = set.pool.begin() + index * static_cast<std::int64_t>(set.dim);
  out.pool_index = index;
  out.values.assign(from, from + static_cast<std::int64_t>(set.dim));
}

}  // namespace hartline::design
