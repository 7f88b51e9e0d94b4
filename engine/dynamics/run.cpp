#include "dynamics/run.hpp"

#include <chrono>
#include <cmath>
#include <thread>

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

}  // namespace

void run(const Program& program, State& state, std::int64_t num_steps, Executor& executor, std::span<Recorder* const> recorders,
         const std::atomic<bool>* stop) {
  for (std::int64_t k = 0; k < num_steps && !(stop && *stop); ++k) {
    program.step(state, executor);
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
