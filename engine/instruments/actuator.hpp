// Actuator: how a stimulus reaches a network. Constant and shared by threads; what it remembers is an InstrumentState.
#pragma once

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
};

/// The numbers of a stimulus. Throws: SpecError for one that is no array, or holds none or one that is not finite.
const std::vector<double>& array_of(const Stimulus& stimulus, const std::string& path);

}  // namespace hartline::instruments
