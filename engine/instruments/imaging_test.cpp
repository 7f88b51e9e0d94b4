#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "instruments/calcium_imaging.hpp"
#include "instruments/test_subjects.hpp"
#include "instruments/voltage_imaging.hpp"

// False alarms: bounds of statistics are five standard errors wide.

namespace hartline::instruments {
namespace {

/// Photons [num_cells, num_frames] of held cells whose potential is v(t), t in ms at the beginning of a step.
Response frames(const Program& program, const Sensor& sensor, double duration_ms, const std::function<double(double)>& v) {
  State state = program.start();
  InstrumentState own = sensor.start();
  const auto port = program.port("cells.v");
  return run_trial(program, state, sensor, own, 0, duration_ms,
                   [&](State& s, std::int64_t k) { program.write(s, port, v(static_cast<double>(k) * program.dt_s() * 1e3)); });
}

std::vector<double> column(const Response& response, std::int64_t frame) {
  std::vector<double> out;
  for (std::int64_t cell = 0; cell < response.num_cells; ++cell)
    out.push_back(response.values[static_cast<std::size_t>(cell * response.num_bins + frame)]);
  return out;
}

TEST(Camera, CountsArePoisson) {
  // χ² of 200,000 counts over bins of probability 1 % or more, at 15 means; bound at five standard deviations of χ²
  Stream stream(1, Purpose::test);
  for (const double mean : {0.0, 0.3, 4.0, 9.99, 10.0, 12.5, 20.0, 33.0, 60.0, 100.0, 250.0, 700.0, 2000.0, 1e4, 1e6}) {
    const int num = 200000;
    std::vector<double> counts(num);
    for (double& k : counts) k = count_photons(stream, mean);
    std::sort(counts.begin(), counts.end());
    double chi2 = 0, p = 0;
    int bins = 0;
    std::size_t seen = 0, before = 0;
    for (double k = std::max(0.0, std::floor(mean - 12 * std::sqrt(mean + 1))); k < mean + 12 * std::sqrt(mean + 1) + 5; ++k) {
      p += mean > 0 ? std::exp(k * std::log(mean) - mean - std::lgamma(k + 1)) : (k == 0 ? 1 : 0);
      while (seen < counts.size() && counts[seen] <= k) ++seen;
      if (p < 0.01) continue;
      const double n = static_cast<double>(seen - before);
      chi2 += (n - num * p) * (n - num * p) / (num * p);
      ++bins;
      p = 0;
      before = seen;
    }
    const double rest = static_cast<double>(counts.size() - before);
    EXPECT_NEAR(rest, num * p, 5 * std::sqrt(num * p) + 2) << mean;
    EXPECT_LT(chi2, bins + 5 * std::sqrt(2.0 * bins)) << mean;
  }
}

TEST(VoltageImaging, StepIsSeenWithShotNoise) {
  // SNR of a step of 100 mV in one frame is |ΔF/F| √F₀, of any brightness
  const Program program(network(0.1, held_cells(4000)), 1);
  Indicator indicator = round_indicator();
  indicator.bleaching_time = assumed(1e9);
  for (const double photons : {100.0, 400.0, 1600.0}) {
    const auto sensor =
        make_voltage_imaging(program, {.voltage = "cells.v", .camera = {.photons_per_frame = photons}}, indicator, {1, 0});
    const Response out = frames(program, *sensor, 201, [](double t) { return t < 100 ? -70.0 : 30.0; });
    const Moments before = moments(column(out, 50)), after = moments(column(out, 200));
    const double f0 = 2 * photons, snr = (before.mean - after.mean) / std::sqrt(before.variance);
    EXPECT_NEAR(before.mean, f0, 5 * std::sqrt(f0 / 4000));
    EXPECT_NEAR(before.variance / before.mean, 1, 5 * std::sqrt(2.0 / 4000));
    EXPECT_NEAR(snr, 0.4 * std::sqrt(f0), 5 * std::sqrt(1.6 / 4000) + snr * 5 / std::sqrt(8000.0)) << photons;
  }
}

TEST(VoltageImaging, FollowsWithItsKinetics) {
  const Program program(network(0.1, held_cells(1)), 1);
  Indicator indicator = round_indicator();
  indicator.bleaching_time = assumed(1e9);
  const double f0 = 2e10;  // shot noise is 7e-6 of it
  const auto sensor = make_voltage_imaging(
      program, {.voltage = "cells.v", .camera = {.frame_rate_hz = 10000, .photons_per_frame = f0 / 2}}, indicator, {1, 0});
  const Response out = frames(program, *sensor, 300, [](double t) { return t < 5 || t >= 155 ? -70.0 : 30.0; });
  const auto on = [](double t) { return 1 - 0.7 * std::exp(-t / 1) - 0.3 * std::exp(-t / 10); };
  const auto off = [](double t) { return 0.7 * std::exp(-t / 2) + 0.3 * std::exp(-t / 20); };
  for (std::size_t k = 0; k < out.values.size(); ++k) {
    const double t = 0.1 * static_cast<double>(k + 1);  // at the end of the step
    const double y = t < 5.05 ? 0 : t < 155.05 ? on(t - 5) : off(t - 155);
    EXPECT_NEAR(out.values[k] / f0, 1 - 0.4 * y, 5e-5) << t;
  }
}

TEST(VoltageImaging, BleachesExponentially) {
  const Program program(network(0.1, held_cells(2000)), 1);
  const double tau_ms = 500;
  for (const double light : {1.0, 2.0}) {
    const VoltageImagingSpec spec{
        .voltage = "cells.v", .light = light, .camera = {.frame_rate_hz = 100, .exposure_share = 0.5, .photons_per_frame = 200}};
    const auto sensor = make_voltage_imaging(program, spec, round_indicator(), {1, 0});
    const Response out = frames(program, *sensor, 1000, [](double) { return -70.0; });
    for (const std::int64_t frame : {0, 20, 99}) {
      // light is on half of the time
      const double exposed = 5, begin = 5 * static_cast<double>(frame), rate = light / tau_ms;
      const double expected = light * 2 * 200 / 10 * (std::exp(-begin * rate) - std::exp(-(begin + exposed) * rate)) / rate;
      EXPECT_NEAR(moments(column(out, frame)).mean / expected, 1, 5 / std::sqrt(expected * 2000) + 2e-4) << frame;
    }
  }
}

TEST(VoltageImaging, TwoPhotonsMaySeeNothing) {
  const Program program(network(0.1, held_cells(1000)), 1);
  const VoltageImagingSpec spec{.voltage = "cells.v", .excitation = "two_photon", .camera = {.photons_per_frame = 1000}};
  const auto sensor = make_voltage_imaging(program, spec, round_indicator(), {1, 0});
  const Response out = frames(program, *sensor, 20, [](double t) { return t < 10 ? -70.0 : 30.0; });
  EXPECT_NEAR(moments(column(out, 5)).mean, moments(column(out, 19)).mean, 5 * std::sqrt(2 * 1000 / 1000.0) + 1000 * 0.03);
  EXPECT_NEAR(moments(column(out, 0)).mean, 1000, 5 + 2);
}

TEST(VoltageImaging, NoiseOfReadingAndBackgroundAdd) {
  const Program program(network(0.1, held_cells(4000)), 1);
  Indicator indicator = round_indicator();
  indicator.bleaching_time = assumed(1e9);
  const VoltageImagingSpec spec{.voltage = "cells.v",
                                .camera = {.photons_per_frame = 50, .background_photons = 30, .read_noise_photons = 6}};
  const auto sensor = make_voltage_imaging(program, spec, indicator, {1, 0});
  const Moments m = moments(column(frames(program, *sensor, 3, [](double) { return -70.0; }), 2));
  EXPECT_NEAR(m.mean, 130, 5 * std::sqrt(166 / 4000.0));
  EXPECT_NEAR(m.variance, 166, 5 * 166 * std::sqrt(2.0 / 4000));
}

TEST(VoltageImaging, EndsWhereFluorescenceWouldBeNegative) {
  const Program program(network(0.1, held_cells(1)), 1);
  const auto sensor = make_voltage_imaging(program, {.voltage = "cells.v"}, round_indicator(), {1, 0});
  EXPECT_THROW(frames(program, *sensor, 100, [](double) { return 300.0; }), RunError);
  EXPECT_THROW(make_voltage_imaging(program, {.voltage = "cells.v", .excitation = "three_photon"}, round_indicator(), {1, 0}),
               SpecError);
  EXPECT_THROW(make_voltage_imaging(program, {.voltage = "cells.v", .camera = {.frame_rate_hz = 700}}, round_indicator(), {1, 0}),
               SpecError);
  EXPECT_THROW(frames(program, *sensor, 0.5, [](double) { return -70.0; }), SpecError);
}

TEST(CalciumImaging, TransientPeaksWhenItShould) {
  const Program program(network(0.1, given_cells(1, {10}, {0})), 1);
  const double rise = 20, decay = 300, photons = 1e10;
  const CalciumImagingSpec spec{.of = "cells",
                                .rise_ms = rise,
                                .decay_ms = decay,
                                .most = 4,
                                .half_spikes = 3,
                                .hill = 2,
                                .camera = {.frame_rate_hz = 10000, .photons_per_frame = photons}};
  const auto sensor = make_calcium_imaging(program, spec, {1, 0});
  State state = program.start();
  InstrumentState own = sensor->start();
  const Response out = run_trial(program, state, *sensor, own, 0, 400);
  const double peak = decay * rise / (decay - rise) * std::log(decay / rise);
  const double norm = std::exp(-peak / decay) - std::exp(-peak / rise);
  std::size_t most = 0;
  for (std::size_t k = 0; k < out.values.size(); ++k) {
    const double t = 0.1 * static_cast<double>(k + 1) - 10;
    const double c = t <= 0 ? 0 : (std::exp(-t / decay) - std::exp(-t / rise)) / norm, h = 4 * c * c / (c * c + 9);
    EXPECT_NEAR(out.values[k] / photons, 1 + h, 6e-5) << t;
    if (out.values[k] > out.values[most]) most = k;
  }
  EXPECT_NEAR(0.1 * static_cast<double>(most + 1) - 10, peak, 3);  // flat at the peak, where shot noise decides
  EXPECT_NEAR(out.values[most] / photons, 1 + 4.0 / 10, 1e-4);
}

TEST(CalciumImaging, ManySpikesSaturateTheIndicator) {
  std::vector<double> times;
  for (int k = 0; k < 200; ++k) times.push_back(10 + 0.1 * k);
  const Program program(network(0.1, given_cells(1, times, std::vector<int>(200, 0))), 1);
  const CalciumImagingSpec spec{
      .of = "cells", .most = 4, .half_spikes = 3, .camera = {.frame_rate_hz = 100, .photons_per_frame = 1e8}};
  const auto sensor = make_calcium_imaging(program, spec, {1, 0});
  State state = program.start();
  InstrumentState own = sensor->start();
  const Response out = run_trial(program, state, *sensor, own, 0, 200);
  double most = 0;
  for (const double x : out.values) most = std::max(most, x / 1e8);
  EXPECT_GT(most, 4.98);
  EXPECT_LT(most, 5.001);
}

TEST(CalciumImaging, NeuropilAndMotionHaveTheirSize) {
  // No spikes: F₀ exp(-d² / 2R²) (1 + a e^(n - σ²/2)). With normal d of variance m² each way the mean of the first is
  // 1 / (1 + m² / R²); that of the second 1 + a.
  const Program program(network(1, given_cells(1, {0}, {0})), 1);
  const double photons = 1e6, a = 0.5, sd = 0.4, motion = 3, radius = 6;
  const CalciumImagingSpec spec{.of = "cells",
                                .rise_ms = 2,
                                .decay_ms = 4,
                                .camera = {.frame_rate_hz = 100, .photons_per_frame = photons},
                                .neuropil_share = a,
                                .neuropil_sd = sd,
                                .neuropil_ms = 30,
                                .motion_um = motion,
                                .motion_ms = 20,
                                .cell_radius_um = radius};
  const auto sensor = make_calcium_imaging(program, spec, {3, 0});
  State state = program.start();
  InstrumentState own = sensor->start();
  Response out = run_trial(program, state, *sensor, own, 0, 400000);
  out.values.erase(out.values.begin(), out.values.begin() + 100);  // the spike is gone
  const double seen = 1 / (1 + motion * motion / (radius * radius));
  const Moments m = moments(out.values);
  const double seen_squared = 1 / (1 + 2 * motion * motion / (radius * radius)),
               near_squared = 1 + 2 * a + a * a * std::exp(sd * sd);
  const double variance = seen_squared * near_squared - seen * seen * (1 + a) * (1 + a);
  // frames are correlated over some 3 (neuropil) and 2 (motion) of them either way: at least 40,000 / 7 independent ones
  EXPECT_NEAR(m.mean / photons, seen * (1 + a), 5 * std::sqrt(variance * 7 / 40000));
  EXPECT_NEAR(m.variance / (photons * photons) / variance, 1, 5 * std::sqrt(4.0 * 7 / 40000));
}

TEST(CalciumImaging, DecayMustBeSlowerThanRise) {
  const Program program(network(0.1, given_cells(1, {10}, {0})), 1);
  EXPECT_THROW(make_calcium_imaging(program, {.of = "cells", .rise_ms = 50, .decay_ms = 50}, {}), SpecError);
}

}  // namespace
}  // namespace hartline::instruments
