// What a sensor or an actuator remembers, and the names of its random numbers.
#pragma once

#include <cstdint>
#include <vector>

#include "base/random.hpp"

namespace hartline::instruments {

/// Everything of an instrument that changes. A copy is a fork, its numbers are a checkpoint.
struct InstrumentState {
  std::int64_t trial = -1;      // -1: none has begun
  std::int64_t first_step = 0;  // steps that the network had taken when the trial began
  std::int64_t num_steps = 0;   // of the trial
  std::vector<double> numbers;  // in the instrument's own order
  bool operator==(const InstrumentState&) const = default;
};

/// Whose random numbers they are: two instruments of a subject share none where their numbers differ.
struct DrawNames {
  std::uint64_t seed = 0;
  std::uint32_t number = 0;  // of the instrument, below 64

  /// `kind` below 16, `trial` below 2⁵⁴, `channel` and `at` below 2³².
  Stream stream(std::int64_t trial, std::uint64_t kind, std::size_t channel, std::int64_t at) const {
    return {seed, Purpose::sensor, std::uint64_t{number} << 58 | kind << 54 | static_cast<std::uint64_t>(trial),
            std::uint64_t{channel} << 32 | static_cast<std::uint64_t>(at)};
  }
};

/// When what is read arrives, and what reading a trial costs.
struct Terms {
  double delay_ms = 0;
  double cost = 0;  // in the unit of the experiment's costs
};

}  // namespace hartline::instruments
