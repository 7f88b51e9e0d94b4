// What PyNN's system tests ask of cells by formulas and laws (NeuralEnsemble/PyNN, test/system/scenarios: test_scenario2.py,
// test_cell_types.py): when leaky cells reach their threshold, and how the intervals of spike sources are distributed.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/math/special_functions/gamma.hpp>
#include <cmath>
#include <functional>
#include <map>

#include "../proof/proof.hpp"
#include "dynamics/run.hpp"

namespace hartline {
namespace {

const std::unique_ptr<Executor> serial = make_serial_executor();

/// Spike times of each neuron, ms.
std::map<int, std::vector<double>> spikes(const std::string& text, double duration_ms) {
  const dynamics::Program program(io::parse_toml(text, "network"), 1);
  dynamics::State state = program.start();
  dynamics::MemorySink sink;
  const auto recorder = record_events(program, "cell", sink);
  dynamics::Recorder* const recorders[] = {recorder.get()};
  dynamics::run(program, state, std::llround(duration_ms * 1e-3 / program.dt_s()), *serial, recorders);
  std::map<int, std::vector<double>> out;
  for (std::size_t k = 0; k < sink.values.size(); k += 2) out[static_cast<int>(sink.values[k + 1])].push_back(sink.values[k]);
  return out;
}

TEST(PynnLaws, ARampOfCurrentsReachesTheThresholdAsTheLogarithmSays) {
  const auto found = spikes(R"toml(
dt_ms = 0.01
[neurons.cell]
num = 83
threshold = "v > 10 mV"
reset = ["v = 0 mV"]
refractory = "100 ms"
held = ["v"]
equations = { "dv/dt" = "where(t >= 25 ms and t < 125 ms, I, 0 nA) / (1 nF) - v / (20 ms) : mV" }
parameters = { I = "(0.5 + i / 83) * 1 nA" }
start = { v = "0 mV" }
)toml",
                            150);
  EXPECT_EQ(found.count(0), 0u);  // its current leads to the threshold itself
  ASSERT_EQ(found.size(), 82u);
  double largest = 0;
  for (const auto& [i, times] : found) {
    ASSERT_EQ(times.size(), 1u) << i;
    const double end = (0.5 + i / 83.0) * 20, expected = 25 + 20 * std::log(end / (end - 10));
    largest = std::max(largest, std::abs(times[0] / expected - 1));
  }
  EXPECT_LE(largest, 0.005);
  proof::Sheet sheet("Leaky cells under a ramp of currents, beside 25 ms + tau log(I R / (I R - v))",
                     {"cells", "step, ms", "largest error", "allowed"});
  sheet.row({"82", "0.01", fmt::format("{:.2g}", largest), "0.005"});
}

/// Largest distance of the distribution of intervals from a law.
double distance(const std::map<int, std::vector<double>>& trains, const std::function<double(double)>& law) {
  std::vector<double> intervals;
  for (const auto& [i, times] : trains)
    for (std::size_t k = 1; k < times.size(); ++k) intervals.push_back(times[k] - times[k - 1]);
  std::sort(intervals.begin(), intervals.end());
  const auto num = static_cast<double>(intervals.size());
  double out = 0;
  for (std::size_t k = 0; k < intervals.size(); ++k) {
    const double p = law(intervals[k]);
    out = std::max({out, std::abs(p - static_cast<double>(k) / num), std::abs(p - static_cast<double>(k + 1) / num)});
  }
  return out;
}

TEST(PynnLaws, SourcesHaveTheirLawsOfIntervals) {
  proof::Sheet sheet(
      "Intervals of spike sources, 20 cells and 5 s each, step 0.05 ms: distance from their law (Kolmogorov-Smirnov)",
      {"source", "distance", "allowed"});
  const auto expect = [&](const std::string& name, double d) {
    EXPECT_LT(d, 0.1) << name;
    sheet.row({name, fmt::format("{:.3f}", d), "0.1"});
  };
  for (const auto& [rate, refractory] : {std::pair{100.0, 0.0}, {200.0, 0.0}, {1000.0, 0.0}, {100.0, 5.0}, {50.0, 5.0}}) {
    const double mean = 1000 / rate - refractory;
    const auto trains = spikes(fmt::format(R"toml(
dt_ms = 0.05
[neurons.cell]
num = 20
threshold = "random < -expm1(-dt / ({} ms))"
refractory = "{} ms"
)toml",
                                           mean, refractory),
                               5000);
    expect(fmt::format("Poisson, {:g} Hz, refractory for {:g} ms", rate, refractory),
           distance(trains, [&](double t) { return -std::expm1(-std::max(t - refractory, 0.0) / mean); }));
  }
  for (const auto& [shape, rate] : {std::pair{6.0, 100.0}, {4.0, 200.0}, {2.0, 1000.0}}) {
    const auto trains = spikes(fmt::format(R"toml(
dt_ms = 0.05
[neurons.cell]
num = 20
threshold = "count > {0} - 0.5"
reset = ["count += -{0}"]
equations = {{ "dcount/dt" = "0 / (1 s)" }}
start = {{ count = "0" }}
events.tick = {{ when = "random < -expm1(-dt * {1} Hz)", change = ["count += 1"] }}
)toml",
                                           shape, rate),
                               5000);
    expect(fmt::format("gamma, shape {:g}, {:g} Hz", shape, rate),
           distance(trains, [&](double t) { return boost::math::gamma_p(shape, t * 1e-3 * rate); }));
  }
}

}  // namespace
}  // namespace hartline
