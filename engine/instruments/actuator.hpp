// Actuator: how a stimulus reaches a network. Constant and shared by threads; what it remembers is an InstrumentState.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/trial.hpp"
#include "dynamics/program.hpp"
#include "instruments/state.hpp"

namespace hartline::instruments {

/// In the ring of a subject: start once, begin a trial with its stimulus, drive before every step.
class Actuator {
 public:
  virtual ~Actuator() = default;

  virtual InstrumentState start() const = 0;

  /// Takes a stimulus. Throws: SpecError for one that does not fit.
  virtual void begin(const dynamics::State& state, InstrumentState& own, std::int64_t trial, const Stimulus& stimulus) const = 0;

  /// Writes the ports for the step that follows.
  /// Allocates: nothing    (tests/realtime/instrument_allocation_test.cpp: Instruments.DriveWithoutAllocating)
  virtual void drive(dynamics::State& state, InstrumentState& own) const = 0;

  virtual Terms terms() const = 0;

  /// Of the numbers of a stimulus; empty where they have none or it takes no numbers.
  virtual std::string unit() const { return {}; }
  /// What each driven cell makes of the numbers of a stimulus, [num_cells, dim]; empty where that is no sum of them.
  virtual std::span<const double> fields() const { return {}; }
};

/// The numbers of a stimulus. Throws: SpecError for one that is no array, or holds none or one that is not finite.
const std::vector<double>& array_of(const Stimulus& stimulus, const std::string& path);

}  // namespace hartline::instruments
