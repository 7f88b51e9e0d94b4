// One adaptive cell, stepped through its ports: a number written, a step, a number read, as a dynamic clamp does.
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

}  // namespace hartline::bench
