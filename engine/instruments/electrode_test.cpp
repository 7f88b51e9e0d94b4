#include "instruments/electrode.hpp"

#include <gtest/gtest.h>

#include <complex>
#include <numbers>

#include "base/error.hpp"
#include "instruments/noise.hpp"
#include "instruments/test_subjects.hpp"

namespace hartline::instruments {
namespace {

constexpr double pi = std::numbers::pi;

/// One-sided periodogram at the frequencies k rate / length, mean over segments with Hann's window.
std::vector<double> periodogram(const std::vector<double>& x, std::size_t length, const std::vector<std::size_t>& at,
                                double rate_hz) {
  std::vector<double> out(at.size());
  double power = 0;
  std::vector<double> window(length);
  for (std::size_t i = 0; i < length; ++i) {
    window[i] = 0.5 - 0.5 * std::cos(2 * pi * static_cast<double>(i) / static_cast<double>(length));
    power += window[i] * window[i];
  }
  const std::size_t num = x.size() / length;
  for (std::size_t s = 0; s < num; ++s)
    for (std::size_t j = 0; j < at.size(); ++j) {
      const std::complex<double> turn = std::polar(1.0, -2 * pi * static_cast<double>(at[j]) / static_cast<double>(length));
      std::complex<double> sum = 0, z = 1;
      for (std::size_t i = 0; i < length; ++i, z *= turn) sum += window[i] * x[s * length + i] * z;
      out[j] += 2 * std::norm(sum) / (power * rate_hz * static_cast<double>(num));
    }
  return out;
}

TEST(Filters, AreButterworths) {
  const double rate = 10000;
  for (const double cutoff : {30.0, 300.0, 3000.0}) {
    EXPECT_NEAR(low_pass(cutoff, rate).gain(cutoff, rate), std::sqrt(0.5), 1e-12);
    EXPECT_NEAR(high_pass(cutoff, rate).gain(cutoff, rate), std::sqrt(0.5), 1e-12);
    // by the bilinear transform 1 / √(1 + (tan f / tan c)⁴)
    const double f = 0.4 * cutoff, ratio = std::tan(pi * f / rate) / std::tan(pi * cutoff / rate);
    EXPECT_NEAR(low_pass(cutoff, rate).gain(f, rate), 1 / std::sqrt(1 + std::pow(ratio, 4)), 1e-12);
    EXPECT_NEAR(high_pass(cutoff, rate).gain(f, rate), ratio * ratio / std::sqrt(1 + std::pow(ratio, 4)), 1e-12);
  }
  EXPECT_NEAR(low_pass(300, rate).gain(0, rate), 1, 1e-12);
  EXPECT_NEAR(high_pass(300, rate).gain(0, rate), 0, 1e-12);
  // the recursion has the gain that the formula says
  const Section filter = low_pass(300, rate);
  double own[2] = {}, most = 0;
  for (int k = 0; k < 20000; ++k) {
    const double y = filter.step(std::sin(2 * pi * 200 * k / rate), own);
    if (k > 10000) most = std::max(most, std::abs(y));
  }
  EXPECT_NEAR(most, filter.gain(200, rate), 1e-3);
}

TEST(Flicker, HasItsSpectrum) {
  const double rate = 10000, level = 3;
  const Flicker flicker(level, 1, rate);
  for (double f = 1; f < rate / 10; f *= 1.3) EXPECT_NEAR(flicker.spectrum(f) * f / (level * level), 1, 0.03) << f;
  std::vector<double> own(flicker.num_numbers()), x;
  Stream stream(1, Purpose::test);
  flicker.start(stream, own.data());
  for (int k = 0; k < 400 * 2048; ++k) x.push_back(flicker.step(stream, own.data()));
  const std::vector<std::size_t> at{10, 20, 40, 80, 160};
  const std::vector<double> s = periodogram(x, 2048, at, rate);
  for (std::size_t j = 0; j < at.size();
       ++j) {  // 400 segments: standard error 5 %, bounds of four of them, 3 in 10,000 false alarms
    const double f = static_cast<double>(at[j]) * rate / 2048;
    EXPECT_NEAR(s[j] * f / (level * level), 1, 0.2 + 0.03) << f;
  }
}

/// Cells with a transmembrane current that is written.
Table current_cells(int num) {
  Table cells = held_cells(num);
  Table& group = *cells.find("cells")->table();
  group.set("parameters", table({{"I", "0 nA"}, {"drive", "0 nA"}}));
  group.set("own", List{"I"});
  return cells;
}

TEST(Electrode, FieldFallsWithDistance) {
  const Program program(network(0.1, current_cells(2)), 1);
  const auto sensor = make_electrode(
      program, {.current = "cells.I", .cells_um = {0, 0, 0, 0, 0, 100}, .electrodes_um = {20, 0, 0, 0, 40, 0, 0, 0, 200}}, {});
  State state = program.start();
  InstrumentState own = sensor->start();
  const Response out = run_trial(program, state, *sensor, own, 0, 0.2, [&](State& s, std::int64_t k) {
    const double current[] = {k == 0 ? 2.0 : 0.0, k == 0 ? 0.0 : -3.0};
    program.write(s, program.port("cells.I"), current);
  });
  const auto field = [](double na, double um) { return na * 1e-9 / (4 * pi * 0.3 * um * 1e-6) * 1e6; };  // µV
  ASSERT_EQ(out.num_bins, 2);
  EXPECT_NEAR(out.values[0], field(2, 20), 1e-9);
  EXPECT_NEAR(out.values[2], field(2, 40), 1e-9);
  EXPECT_NEAR(out.values[4], field(2, 200), 1e-9);
  EXPECT_NEAR(out.values[1], field(-3, std::sqrt(20 * 20 + 100 * 100)), 1e-9);
  EXPECT_NEAR(out.values[5], field(-3, 100), 1e-9);
  EXPECT_NEAR(out.values[0] / out.values[4], 10, 1e-12);
}

TEST(Electrode, SpikesOfPointsHaveTheirShapeAndNoCharge) {
  const Program program(network(0.05, given_cells(1, {2, 3.4}, {0, 0})), 1);
  const ElectrodeSpec spec{.spikes = "cells",
                           .spike_current_na = 10,
                           .spike_width_ms = 0.2,
                           .cells_um = {0, 0, 0},
                           .electrodes_um = {50, 0, 0},
                           .sample_ms = 0.05};
  const auto sensor = make_electrode(program, spec, {});
  State state = program.start();
  InstrumentState own = sensor->start();
  const Response out = run_trial(program, state, *sensor, own, 0, 8);
  const double gain = 1e3 / (4 * pi * 0.3 * 50);
  double charge = 0;
  for (std::size_t k = 0; k < out.values.size(); ++k) {
    double expected = 0;
    for (const double spike : {2.0, 3.4}) {
      const double s = (0.05 * static_cast<double>(k) - spike) / 0.2 - 4;
      if (s >= -4 - 1e-9 && s <= 4 + 1e-9) expected -= 10 * gain * (1 - s * s) * std::exp(-s * s / 2);
    }
    EXPECT_NEAR(out.values[k], expected, 1e-9) << k;
    charge += out.values[k];
  }
  EXPECT_NEAR(charge * 0.05, 0, 0.01 * gain);
}

TEST(Electrode, NoiseHasItsSpectrum) {
  const Program program(network(0.1, current_cells(1)), 1);
  const ElectrodeSpec spec{.current = "cells.I",
                           .cells_um = {0, 0, 0},
                           .electrodes_um = {20, 0, 0},
                           .resistance_mohm = 1,
                           .temperature_c = 37,
                           .flicker_uv = 2,
                           .high_pass_hz = 300,
                           .low_pass_hz = 3000};
  const auto sensor = make_electrode(program, spec, {5, 0});
  State state = program.start();
  InstrumentState own = sensor->start();
  const Response out = run_trial(program, state, *sensor, own, 0, 0.1 * 400 * 1024);
  const std::vector<std::size_t> at{10, 31, 82, 154, 307};
  const std::vector<double> s = periodogram(out.values, 1024, at, 10000);
  const double thermal = 4 * 1.380649e-23 * 310.15 * 1e6 * 1e12;  // 4 k T R, µV²/Hz
  const Flicker flicker(2, 1, 10000);
  for (std::size_t j = 0; j < at.size(); ++j) {  // bounds of four standard errors of 5 %
    const double f = static_cast<double>(at[j]) * 10000 / 1024;
    const double gain = high_pass(300, 10000).gain(f, 10000) * low_pass(3000, 10000).gain(f, 10000);
    EXPECT_NEAR(s[j] / (gain * gain * (thermal + flicker.spectrum(f))), 1, 0.2) << f;
  }
}

TEST(Electrode, ArtefactsDecayAndBlank) {
  const Program program(network(0.1, current_cells(1)), 1);
  const ElectrodeSpec spec{.current = "cells.I",
                           .cells_um = {0, 0, 0},
                           .electrodes_um = {20, 0, 0},
                           .artefact_of = "cells.drive",
                           .artefact_uv = 500,
                           .artefact_ms = 2,
                           .blank_ms = 1};
  const auto sensor = make_electrode(program, spec, {});
  State state = program.start();
  InstrumentState own = sensor->start();
  const Response out = run_trial(program, state, *sensor, own, 0, 10, [&](State& s, std::int64_t k) {
    if (k == 30) program.write(s, program.port("cells.drive"), 1);
  });
  EXPECT_EQ(out.reason, "stimulation artefact");
  for (std::size_t k = 0; k < 100; ++k) {
    EXPECT_EQ(out.marks[k], k >= 30 && k < 40 ? Mark::blanked : Mark::observed) << k;
    EXPECT_NEAR(out.values[k], k < 30 ? 0 : 500 * std::exp(-0.1 * static_cast<double>(k - 30) / 2), 1e-9) << k;
  }
}

TEST(Electrode, WrongDescriptionsAreToldWhereAndWhy) {
  const Program program(network(0.1, current_cells(1)), 1);
  const auto message = [&](const ElectrodeSpec& spec) {
    try {
      make_electrode(program, spec, {});
    } catch (const SpecError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(message({.cells_um = {0, 0, 0}, .electrodes_um = {1, 0, 0}}),
            "sensor: must be given one of current and spikes (got none).");
  EXPECT_EQ(message({.current = "cells.I", .cells_um = {0, 0, 0}, .electrodes_um = {0, 0, 0}}),
            "sensor.electrodes_um[0]: must be apart from cell 0 (got 0 um).");
  EXPECT_EQ(message({.current = "cells.v", .cells_um = {0, 0, 0}, .electrodes_um = {1, 0, 0}}),
            "sensor.current: must be a quantity in nA (got cells.v in mV).");
  EXPECT_EQ(message({.current = "cells.I", .cells_um = {0, 0}, .electrodes_um = {1, 0, 0}}),
            "sensor.cells_um: must be x, y, z of 1 cells, 3 numbers (got 2).");
  EXPECT_NE(message({.current = "cells.I", .cells_um = {0, 0, 0}, .electrodes_um = {1, 0, 0}, .low_pass_hz = 6000}).find("5000 Hz"),
            std::string::npos);
}

}  // namespace
}  // namespace hartline::instruments
