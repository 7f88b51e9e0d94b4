// The stimuli that may be shown.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace hartline::design {

enum class SetKind : std::uint8_t {
  ball,         // |x|² <= power
  box,          // low <= x_i <= high
  ball_in_box,  // both: a ball within the range of a display
  pool,         // finitely many
};

/// A set of stimuli x [dim]; one of several frames has them one after the other.
struct StimulusSet {
  std::size_t dim = 0;
  double power = 1;                         // of a ball
  std::vector<double> pool;                 // [num, dim]; not empty: the set is a pool
  bool once = false;                        // each member of the pool may be shown once
  SetKind shape = SetKind::ball;            // of a set that is not a pool
  std::vector<double> low, high;            // [dim] or one number for all: ends of a box
  std::vector<std::vector<double>> levels;  // [dim] or none: of a box, values of the coordinates that have only these, ascending

  std::size_t num() const { return dim ? pool.size() / dim : 0; }
  SetKind kind() const { return pool.empty() ? shape : SetKind::pool; }
  bool has_power() const { return kind() == SetKind::ball || kind() == SetKind::ball_in_box; }
  bool has_range() const { return kind() == SetKind::box || kind() == SetKind::ball_in_box; }
  double low_of(std::size_t i) const { return low[low.size() == 1 ? 0 : i]; }
  double high_of(std::size_t i) const { return high[high.size() == 1 ? 0 : i]; }
  bool has_levels(std::size_t i) const { return !levels.empty() && !levels[i].empty(); }
  /// Of a box: the value at a share u of the range of coordinate i, or the level whose turn it is.
  double value_at(std::size_t i, double u) const {
    if (!has_levels(i)) return low_of(i) + u * (high_of(i) - low_of(i));
    const std::size_t num = levels[i].size(), turn = static_cast<std::size_t>(u * static_cast<double>(num));
    return levels[i][turn < num ? turn : num - 1];
  }
};

}  // namespace hartline::design
