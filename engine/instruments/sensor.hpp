// Sensor: what is seen of a network. Constant and shared by threads; what it remembers is an InstrumentState.
#pragma once

#include "base/trial.hpp"
#include "dynamics/program.hpp"
#include "instruments/state.hpp"

namespace hartline::instruments {

/// In the ring of a subject: start once, begin a trial, observe after every step, read at the end. Every draw is a function of
/// (seed, number, trial, channel, time), so a copied state goes on as the original does and threads do not matter.
/// (instrument_laws_test.cpp: Instruments.ForkIsNoFork, instrument_laws_test.cpp: Instruments.ThreadsDoNotMatter)
class Sensor {
 public:
  virtual ~Sensor() = default;

  virtual InstrumentState start() const = 0;

  /// A trial of `num_steps` steps of the network begins. Filters, bleaching and windows go on from the trial before.
  /// Throws: SpecError for a trial that is too short to read.
  virtual void begin(const dynamics::State& state, InstrumentState& own, std::int64_t trial, std::int64_t num_steps) const = 0;

  /// Looks at the state after a step.
  /// Allocates: nothing    (tests/realtime/instrument_allocation_test.cpp: Instruments.ObserveWithoutAllocating)
  /// Throws: RunError where what is seen has no meaning, such as fluorescence below zero.
  virtual void observe(const dynamics::State& state, InstrumentState& own) const = 0;

  /// What the trial gave, [num_cells or num_electrodes, num_bins].
  virtual void read(const InstrumentState& own, Response& out) const = 0;

  virtual Terms terms() const = 0;
};

}  // namespace hartline::instruments
