// Whole networks with exact integration, beside closed forms after 10,000 steps.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "../proof/proof.hpp"
#include "dynamics/run.hpp"

namespace hartline {
namespace {

constexpr std::int64_t num_steps = 10000;
constexpr double dt = 0.1;  // ms

const std::unique_ptr<Executor> serial = make_serial_executor();

void tell(const std::string& network, double largest) {
  proof::Sheet sheet("Exact integration of " + network + ", 10,000 steps of 0.1 ms", {"largest error, relative", "allowed"});
  sheet.row({fmt::format("{:.1e}", largest), "1e-12"});
}

TEST(ExactNetwork, ALeakyCellIsWhereItsLastSpikeLeftIt) {
  // v = 25 mV (1 - e^(-t/τ)) from every reset, threshold 20 mV
  const dynamics::Program program(io::parse_toml(R"toml(
dt_ms = 0.1
[neurons.cell]
threshold = "v > 20 mV"
reset = ["v = 0 mV"]
equations = { "dv/dt" = "(25 mV - v) / (10 ms) : mV" }
start = { v = "0 mV" }
)toml",
                                                 "network"),
                                  1);
  dynamics::State state = program.start();
  const dynamics::Port port = program.port("cell.v");
  const auto period = static_cast<std::int64_t>(std::floor(10 * std::log(5.0) / dt)) + 1;
  double v = 0, largest = 0;
  for (std::int64_t k = 1; k <= num_steps; ++k) {
    program.step(state, *serial);
    program.read(state, port, std::span(&v, 1));
    const std::int64_t since = k % period;
    const double closed = -25 * std::expm1(-static_cast<double>(since) * dt / 10);
    if (since == 0) {
      EXPECT_EQ(v, 0) << k;
    } else {
      largest = std::max(largest, std::abs(v / closed - 1));
    }
  }
  EXPECT_LE(largest, 1e-12);
  tell("a leaky cell that spikes 62 times", largest);
}

}  // namespace
}  // namespace hartline
