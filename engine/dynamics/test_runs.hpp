// What tests and benchmarks look at when a network runs.
#pragma once

#include <cmath>
#include <memory>
#include <vector>

#include "base/threads.hpp"
#include "dynamics/program.hpp"
#include "dynamics/recorder.hpp"
#include "dynamics/run.hpp"
#include "dynamics/test_networks.hpp"

namespace hartline::dynamics {

/// All numbers of a port.
inline std::vector<double> row(const Program& program, const State& state, const char* name) {
  const Port port = program.port(name);
  std::vector<double> out(port.num);
  program.read(state, port, out);
  return out;
}

/// Spike times of a cell, ms.
inline std::vector<double> spikes(const Table& cell, double dt_ms, double duration_ms) {
  const Program program(network(dt_ms, table({{"cell", cell}})), 1);
  State state = program.start();
  MemorySink sink;
  const auto recorder = record_events(program, "cell", sink);
  Recorder* const recorders[] = {recorder.get()};
  run(program, state, std::llround(duration_ms / dt_ms), *make_serial_executor(), recorders);
  std::vector<double> times;
  for (std::size_t k = 0; k < sink.values.size(); k += 2) times.push_back(sink.values[k]);
  return times;
}

}  // namespace hartline::dynamics
