// Cells and runs for the tests of instruments.
#pragma once

#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/threads.hpp"
#include "dynamics/test_networks.hpp"
#include "instruments/indicator.hpp"
#include "instruments/sensor.hpp"

namespace hartline::instruments {

using dynamics::network;
using dynamics::Program;
using dynamics::State;
using dynamics::table;

/// Cells whose potential is what is written to `cells.v`.
inline Table held_cells(int num, const char* start = "-70 mV") {
  return table({{"cells", table({{"num", num},
                                 {"equations", table({{"dv/dt", "0 mV/s : mV"}})},
                                 {"start", table({{"v", start}})},
                                 {"method", "euler"}})}});
}

/// Cells that spike in each step with probability rate · dt.
inline Table poisson_cells(int num, double rate_hz) {
  return table({{"cells", table({{"num", num},
                                 {"equations", table({{"dv/dt", "0 mV/s : mV"}})},
                                 {"start", table({{"v", "0 mV"}})},
                                 {"method", "euler"},
                                 {"threshold", "random < " + std::to_string(rate_hz) + " Hz * dt"}})}});
}

/// Cells that spike when told.
inline Table given_cells(int num, const std::vector<double>& times_ms, const std::vector<int>& neurons) {
  List times, who;
  for (const double t : times_ms) times.emplace_back(t);
  for (const int i : neurons) who.emplace_back(i);
  return table({{"cells", table({{"num", num}, {"spike_times_ms", times}, {"spike_neurons", who}})}});
}

inline Executor& alone() {
  static const std::unique_ptr<Executor> serial = make_serial_executor();
  return *serial;
}

/// A trial of a sensor; `before` is called before each step.
inline Response run_trial(const Program& program, State& state, const Sensor& sensor, InstrumentState& own, std::int64_t trial,
                          double duration_ms, const std::function<void(State&, std::int64_t)>& before = {},
                          Executor& executor = alone()) {
  const std::int64_t num = std::llround(duration_ms / (program.dt_s() * 1e3));
  sensor.begin(state, own, trial, num);
  for (std::int64_t k = 0; k < num; ++k) {
    if (before) before(state, k);
    program.step(state, executor);
    sensor.observe(state, own);
  }
  Response out;
  sensor.read(own, out);
  return out;
}

inline Sourced assumed(double value) { return {value, "assumed: for a test"}; }

/// An indicator with two time constants each way and round numbers.
inline Indicator round_indicator() {
  Indicator out;
  out.name = "round";
  out.sensitivity = assumed(-0.4);
  out.two_photon_sensitivity = assumed(0);
  out.on_fast = assumed(1);
  out.on_slow = assumed(10);
  out.off_fast = assumed(2);
  out.off_slow = assumed(20);
  out.fast_share = assumed(0.7);
  out.brightness = assumed(2);
  out.two_photon_brightness = assumed(1);
  out.reference_light = assumed(10);
  out.bleaching_time = assumed(0.5);
  out.photocurrent = assumed(30);
  return out;
}

struct Moments {
  double mean = 0, variance = 0;
};
template <class Range>
Moments moments(const Range& values) {
  Moments out;
  double n = 0, sum = 0;
  for (const double x : values) sum += x, n += 1;
  out.mean = sum / n;
  for (const double x : values) out.variance += (x - out.mean) * (x - out.mean) / (n - 1);
  return out;
}

}  // namespace hartline::instruments
