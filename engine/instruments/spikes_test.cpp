#include "instruments/spikes.hpp"

#include <gtest/gtest.h>

#include <numeric>

#include "base/error.hpp"
#include "instruments/test_subjects.hpp"

// False alarms: bounds of statistics are five standard errors wide, six in ten million for a right sensor.

namespace hartline::instruments {
namespace {

double total(const Response& response) { return std::accumulate(response.values.begin(), response.values.end(), 0.0); }

Response detections(const Program& program, const SpikeSensorSpec& spec, double duration_ms, std::uint64_t seed = 1) {
  const auto sensor = make_spike_sensor(program, spec, {seed, 0});
  State state = program.start();
  InstrumentState own = sensor->start();
  return run_trial(program, state, *sensor, own, 0, duration_ms);
}

TEST(Spikes, PerfectSensorsCountWhatHappened) {
  const Program program(network(0.1, given_cells(2, {1, 2.9, 3, 7.5}, {0, 0, 0, 1})), 1);
  const Response out = detections(program, {.of = "cells", .bin_ms = 3}, 10);
  EXPECT_EQ(out.kind, ResponseKind::counts);
  EXPECT_EQ(out.num_cells, 2);
  EXPECT_EQ(out.num_bins, 3);  // the last millisecond is no bin
  EXPECT_EQ(out.values, (std::vector<double>{2, 1, 0, 0, 0, 1}));
}

TEST(Spikes, JitterMovesDetectionsAsItSays) {
  std::vector<double> times(4000, 50);
  std::vector<int> who(4000);
  std::iota(who.begin(), who.end(), 0);
  const Program program(network(0.1, given_cells(4000, times, who)), 1);
  const Response out = detections(program, {.of = "cells", .bin_ms = 0.1, .jitter_ms = 1.5}, 100);
  std::vector<double> seen;
  for (std::size_t k = 0; k < out.values.size(); ++k)
    for (int n = 0; n < out.values[k]; ++n) seen.push_back(0.1 * (static_cast<double>(k % 1000) + 0.5));
  ASSERT_EQ(seen.size(), 4000u);
  const Moments m = moments(seen);
  EXPECT_NEAR(m.mean, 50, 0.05 + 5 * 1.5 / std::sqrt(4000));
  EXPECT_NEAR(m.variance, 1.5 * 1.5 + 0.01 / 12, 5 * 2.25 * std::sqrt(2 / 4000.0));
}

TEST(Spikes, MissesGrowWithRate) {
  // r is shot noise of Poisson spikes: E exp(-r c) = exp(-λ τ Ein(c / τ)), Ein(x) = ∫ (1 - e^-u) / u from 0 to x
  for (const double rate_hz : {5.0, 40.0, 120.0}) {
    const Program program(network(0.1, poisson_cells(400, rate_hz)), 7);
    const double c = 10, tau = 50, miss = 0.1, duration_ms = 3000, settle_ms = 500;
    const auto perfect = make_spike_sensor(program, {.of = "cells"}, {1, 0});
    const auto sensor =
        make_spike_sensor(program, {.of = "cells", .miss_probability = miss, .miss_time_ms = c, .rate_window_ms = tau}, {1, 1});
    State state = program.start();
    InstrumentState own = perfect->start(), lossy = sensor->start();
    run_trial(program, state, *sensor, lossy, 0, settle_ms);
    State again = state;
    const double num = total(run_trial(program, state, *perfect, own, 1, duration_ms));
    const double found = total(run_trial(program, again, *sensor, lossy, 1, duration_ms));
    const double x = c / tau, ein = x - x * x / 4 + x * x * x / 18 - x * x * x * x / 96;
    const double p = (1 - miss) * std::exp(-rate_hz * 1e-3 * tau * ein);
    EXPECT_NEAR(found / num, p, 5 * std::sqrt(p * (1 - p) / num) + 0.003) << rate_hz;  // steps are not quite Poisson
  }
}

TEST(Spikes, MergesLoseWhatADeadTimeLoses) {
  // After a detection W - 1 steps are dead, then one comes with probability p a step: 1 / (W - 1 + 1 / p) a step
  const double rate_hz = 100, p = rate_hz * 1e-4;
  const Program program(network(0.1, poisson_cells(400, rate_hz)), 3);
  const Response out = detections(program, {.of = "cells", .merge_ms = 4}, 2000);
  const double steps = 20000.0 * 400, expected = steps / (39 + 1 / p);
  EXPECT_NEAR(total(out), expected, 5 * std::sqrt(expected));
  EXPECT_LT(total(out), 0.8 * steps * p);
}

TEST(Spikes, FalseDetectionsArePoisson) {
  const Program program(network(0.1, given_cells(1000, {0.5}, {0})), 1);
  const Response out = detections(program, {.of = "cells", .bin_ms = 500, .false_rate_hz = 8}, 500);
  const double without_spike = total(out) - 1;
  EXPECT_NEAR(without_spike, 4000, 5 * std::sqrt(4000));
  const Moments m = moments(out.values);
  EXPECT_NEAR(m.variance / m.mean, 1, 5 * std::sqrt(2.0 / 1000) + 0.01);
}

TEST(Spikes, TrialsDifferAndSeedsRepeat) {
  const Program program(network(0.1, poisson_cells(50, 50)), 1);
  const SpikeSensorSpec spec{.of = "cells", .jitter_ms = 1, .miss_probability = 0.3};
  EXPECT_EQ(detections(program, spec, 200, 4).values, detections(program, spec, 200, 4).values);
  EXPECT_NE(detections(program, spec, 200, 4).values, detections(program, spec, 200, 5).values);
}

TEST(Spikes, WrongDescriptionsAreToldWhereAndWhy) {
  const Program program(network(0.1, poisson_cells(2, 5)), 1);
  const auto message = [&](const SpikeSensorSpec& spec) {
    try {
      make_spike_sensor(program, spec, {}, "sensor");
    } catch (const SpecError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(message({.of = "cells", .bin_ms = 0.25}), "sensor.bin_ms: must be a whole number of steps of 0.1 ms (got 0.25 ms).");
  EXPECT_EQ(message({.of = "cells", .jitter_ms = -1}), "sensor.jitter_ms: must be >= 0 ms (got -1 ms).");
  EXPECT_NE(message({.of = "cell"}).find("Did you mean \"cells\""), std::string::npos);
}

}  // namespace
}  // namespace hartline::instruments
