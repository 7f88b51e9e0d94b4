// Run: many steps of a program, as fast as they go or paced against the clock.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>

#include "base/clock.hpp"
#include "base/histogram.hpp"
#include "dynamics/recorder.hpp"

namespace hartline::dynamics {

/// How a paced run kept time. Step k is due k dt / speed after the first; it is late by as much as it begins after that, and missed
/// where the next is due by then. Nothing is left out: late steps follow one another until the time is made up for.
struct Pace {
  Histogram lateness;  // of the beginning of every step
  std::int64_t num_steps = 0, num_missed = 0;
};

/// Steps `num_steps` times; recorders look at the state after each. Stops early where `stop` is set.
/// Throws: RunError as Program::step; the state is then the last whose variables are finite, where 256 steps or more were asked for:
/// every 4,096 steps it is kept, and gone on from. (program_test.cpp: Network.ARunThatFailsLeavesTheLastGoodState)
void run(const Program& program, State& state, std::int64_t num_steps, Executor& executor,
         std::span<Recorder* const> recorders = {}, const std::atomic<bool>* stop = nullptr);

/// The same, no faster than the clock: a second of the network takes 1 / speed seconds. `before_step` may read and write ports.
/// Sleeps until shortly before a step is due, then watches the clock.    (program_test.cpp: Pace.CountsWhatIsLate)
Pace run_paced(const Program& program, State& state, std::int64_t num_steps, double speed, const Clock& clock, Executor& executor,
               std::span<Recorder* const> recorders = {}, const std::function<void(State&)>& before_step = {},
               const std::atomic<bool>* stop = nullptr);

}  // namespace hartline::dynamics
