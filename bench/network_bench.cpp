// Single cells, stepped through their ports: a number written, a step, a number read, as a dynamic clamp does.
#include <fmt/format.h>

#include <cstring>

#include "base/threads.hpp"
#include "bench/measure.hpp"
#include "dynamics/program.hpp"
#include "io/toml.hpp"
#include "loop/library.hpp"

namespace hartline::bench {

Rows adex_port_rows() {
  Table network = io::parse_toml("dt_ms = 0.1\nneurons = { cell = { model = \"adex\" } }", "bench");
  loop::take_from_library(network);
  const dynamics::Program program(network, 1);
  const auto executor = make_serial_executor();
  const dynamics::Port current = program.port("cell.I"), v = program.port("cell.v");
  dynamics::State driven = program.start();
  constexpr int num_blocks = 50, block = 20000;  // 100 s of the cell
  std::vector<double> times;
  double seen = 0;
  for (int b = 0; b < num_blocks; ++b) {
    const double begun = thread_ms();
    for (int k = 0; k < block; ++k) {
      program.write(driven, current, 0.8);
      program.step(driven, *executor);
      double out = 0;
      program.read(driven, v, {&out, 1});
      seen += out;
    }
    times.push_back((thread_ms() - begun) * 1e3 / block);
  }
  // the same cell whose current was set once
  dynamics::State plain = program.start();
  program.write(plain, current, 0.8);
  std::int64_t spikes = 0;
  const auto event = program.event("cell");
  for (int k = 0; k < num_blocks * block; ++k) {
    program.step(plain, *executor);
    spikes += static_cast<std::int64_t>(program.happened(plain, event).size());
  }
  const bool same = std::memcmp(plain.bytes().data(), driven.bytes().data(), plain.bytes().size()) == 0;
  Row row;
  row.name = "adex_port";
  row.metric = "write, step, read";
  row.value = median(times);
  row.unit = "us";
  row.aim = "<= 2 us";
  row.aim_met = row.value <= 2;
  row.answer_ok = same && spikes > 100 && std::isfinite(seen);
  row.answer = fmt::format("state after {} steps {} that without ports; {} spikes; slowest block {:.2f} us", num_blocks * block,
                           same ? "is, to the bit," : "is NOT", spikes, quantile(times, 1));
  return {row};
}

Rows squid_port_rows() {
  Table network = io::parse_toml("dt_ms = 0.025\nneurons = { cell = { model = \"hodgkin_huxley\", method = \"rk4\" } }", "bench");
  loop::take_from_library(network);
  const dynamics::Program program(network, 1);
  const auto executor = make_serial_executor();
  const dynamics::Port current = program.port("cell.I"), v = program.port("cell.v");
  const double amplitude = 0.1 / current.scale;  // 10 uA/cm2
  constexpr int num_runs = 9, num_steps = 3800;  // 95 ms each
  // threshold crossings, ms: converged at 1e-10 by another program
  const double golden[] = {1.89798, 16.80621, 31.44140, 46.06446, 60.68663, 75.30873, 89.93083};
  std::vector<double> times, seen(num_steps), crossings;
  for (int run = 0; run < num_runs; ++run) {
    dynamics::State state = program.start();
    const double begun = thread_ms();
    for (int k = 0; k < num_steps; ++k) {
      program.write(state, current, amplitude);
      program.step(state, *executor);
      program.read(state, v, {&seen[static_cast<std::size_t>(k)], 1});
    }
    times.push_back((thread_ms() - begun) * 1e3 / num_steps);
  }
  for (std::size_t k = 1; k < seen.size(); ++k)
    if (seen[k - 1] <= 0 && seen[k] > 0)
      crossings.push_back(0.025 * (static_cast<double>(k) + seen[k - 1] / (seen[k - 1] - seen[k])));
  double worst = crossings.size() == std::size(golden) ? 0 : INFINITY;
  for (std::size_t k = 0; k < std::size(golden) && k < crossings.size(); ++k)
    worst = std::max(worst, std::abs(crossings[k] - golden[k]));
  Row row;
  row.name = "squid_port/C++";
  row.metric = "write, step, read";
  row.value = median(times);
  row.unit = "us";
  row.answer_ok = worst < 0.001;
  row.answer = fmt::format("rk4, 0.025 ms: {} spikes, {:.2g} ms off the converged times at most", crossings.size(), worst);
  return {row};
}

}  // namespace hartline::bench
