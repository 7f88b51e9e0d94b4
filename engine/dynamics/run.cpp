#include "dynamics/run.hpp"

#include <chrono>
#include <cmath>
#include <thread>

#include "base/error.hpp"

namespace hartline::dynamics {

namespace {

constexpr std::int64_t watch_ns = 100000;  // the clock is watched for the last of a wait, as a sleep may end late

void wait_until(const Clock& clock, std::int64_t due_ns) {
  for (;;) {
    const std::int64_t left = due_ns - clock.now_ns();
    if (left <= 0) return;
    if (left > watch_ns) std::this_thread::sleep_for(std::chrono::nanoseconds(left - watch_ns));
  }
}

constexpr std::int64_t keep_every = 4096;  // steps, of which the state is kept to go back to

bool is_finite(const Program& program, const State& state) {
  for (const Group& group : program.groups())
    for (std::size_t k = 0; k < group.num_checked; ++k) {
      const Quantity& q = group.quantities[k];
      const Row row = state.row(q.offset + ((state.step() & 1) != 0 ? q.apart : 0), q.is_narrow);
      for (std::size_t i = 0; i < group.num; ++i)
        if (!std::isfinite(row[i])) return false;
    }
  return true;
}

/// From a state before it to the last whose variables are finite; step `failed` is the one that cannot be taken.
void go_back(const Program& program, State& state, const State& kept, std::int64_t failed, Executor& executor) {
  state = kept;
  while (state.step() + 1 < failed) program.step(state, executor);
  const State before = state;
  if (state.step() < failed) program.step(state, executor);
  if (!is_finite(program, state)) state = before;
}

}  // namespace

void run(const Program& program, State& state, std::int64_t num_steps, Executor& executor, std::span<Recorder* const> recorders,
         const std::atomic<bool>* stop) {
  const bool keeps = num_steps >= keep_every / 16;  // who steps by hand keeps what they need
  State kept;
  for (std::int64_t k = 0; k < num_steps && !(stop && *stop); ++k) {
    if (keeps && k % keep_every == 0) kept = state;
    try {
      program.step(state, executor);
    } catch (const RunError&) {
      if (keeps) go_back(program, state, kept, state.step(), executor);
      throw;
    }
    for (Recorder* recorder : recorders) recorder->observe(program, state);
  }
}

Pace run_paced(const Program& program, State& state, std::int64_t num_steps, double speed, const Clock& clock, Executor& executor,
               std::span<Recorder* const> recorders, const std::function<void(State&)>& before_step,
               const std::atomic<bool>* stop) {
  Pace pace;
  const double period_ns = program.dt_s() * 1e9 / speed;
  const std::int64_t start = clock.now_ns();
  for (std::int64_t k = 0; k < num_steps && !(stop && *stop); ++k) {
    const std::int64_t due = start + std::llround(static_cast<double>(k) * period_ns);
    wait_until(clock, due);
    const std::int64_t late = clock.now_ns() - due;
    pace.lateness.add(late);
    if (static_cast<double>(late) >= period_ns) ++pace.num_missed;
    ++pace.num_steps;
    if (before_step) before_step(state);
    program.step(state, executor);
    for (Recorder* recorder : recorders) recorder->observe(program, state);
  }
  return pace;
}

}  // namespace hartline::dynamics
