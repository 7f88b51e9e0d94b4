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

TEST(ExactNetwork, SynapsesMoveALeakyCellAsTheirClosedFormsSay) {
  // kicks w of a current with decay τs: v = EL + R w τs/(τs - τ) (e^(-t/τs) - e^(-t/τ)); of an alpha function, by a second
  // variable, its own response; a spike acts delay and one step after it
  const dynamics::Program program(io::parse_toml(R"toml(
dt_ms = 0.1
[neurons.source]
num = 2
spike_times_ms = [3, 20.5, 100, 101, 250.3, 260, 400, 555.5, 700, 850, 990]
spike_neurons = [0, 1, 0, 0, 1, 0, 1, 0, 1, 0, 1]
[neurons.cell]
start = { v = "-65 mV", I = "0 pA", J = "0 pA", x = "0 pA" }
[neurons.cell.equations]
"dv/dt" = "(-70 mV - v + 100 Mohm * (I + J)) / (20 ms) : mV"
"dI/dt" = "-I / (5 ms) : pA"
"dJ/dt" = "(x - J) / (3 ms) : pA"
"dx/dt" = "-x / (3 ms) : pA"
[synapses.exponential]
from = "source"
to = "cell"
connect = { from = [0], to = [0] }
delay = "1.5 ms"
on_pre = ["I_post += 40 pA"]
[synapses.alpha]
from = "source"
to = "cell"
connect = { from = [1], to = [0] }
delay = "0.4 ms"
on_pre = ["x_post += 60 pA"]
)toml",
                                                 "network"),
                                  1);
  EXPECT_EQ(equations::name_of(program.groups()[1].method), "exact");
  const double times[] = {3, 20.5, 100, 101, 250.3, 260, 400, 555.5, 700, 850, 990};
  const int sources[] = {0, 1, 0, 0, 1, 0, 1, 0, 1, 0, 1};
  const auto closed = [&](double t) {
    const double tau = 20, fast = 5, alpha = 3, resistance = 0.1;  // mV / pA
    double v = -70 + 5 * std::exp(-t / tau);
    for (std::size_t k = 0; k < std::size(times); ++k) {
      const double s = t - (times[k] + dt + (sources[k] == 0 ? 1.5 : 0.4));
      if (s < -1e-9) continue;
      if (sources[k] == 0) {
        v += resistance * 40 * fast / (fast - tau) * (std::exp(-s / fast) - std::exp(-s / tau));
      } else {
        const double rate = 1 / alpha - 1 / tau;  // ∫ u e^(-u/alpha) e^(-(s-u)/tau) du / (alpha tau)
        v += resistance * 60 / (alpha * tau) * std::exp(-s / tau) * (1 - (1 + rate * s) * std::exp(-rate * s)) / (rate * rate);
      }
    }
    return v;
  };
  dynamics::State state = program.start();
  const dynamics::Port port = program.port("cell.v");
  double v = 0, largest = 0;
  for (std::int64_t k = 1; k <= num_steps; ++k) {
    program.step(state, *serial);
    program.read(state, port, std::span(&v, 1));
    largest = std::max(largest, std::abs(v / closed(static_cast<double>(k) * dt) - 1));
  }
  EXPECT_LE(largest, 1e-12);
  tell("a leaky cell under synapses of two kinds", largest);
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
