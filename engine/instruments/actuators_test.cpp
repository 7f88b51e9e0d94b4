#include <gtest/gtest.h>

#include <numbers>

#include "base/error.hpp"
#include "instruments/current_clamp.hpp"
#include "instruments/fields.hpp"
#include "instruments/light.hpp"
#include "instruments/opsin.hpp"
#include "instruments/test_subjects.hpp"
#include "instruments/voltage_clamp.hpp"

namespace hartline::instruments {
namespace {

/// Passive cells of 200 MΩ and 100 pF at rest at -70 mV, with a current of their own.
Table passive_cells(int num) {
  return table({{"cells", table({{"num", num},
                                 {"equations", table({{"dv/dt", "((-70 mV - v) / (200 Mohm) + I) / (100 pF) : mV"}})},
                                 {"parameters", table({{"I", "0 nA"}})},
                                 {"own", List{"I"}},
                                 {"start", table({{"v", "-70 mV"}})}})}});
}

Stimulus numbers_of(std::vector<double> values) {
  return {Array{{static_cast<std::int64_t>(values.size())}, std::move(values)}, {}};
}

/// Values of a port before each step.
std::vector<double> driven(const Program& program, const Actuator& actuator, const Stimulus& stimulus, const char* port,
                           std::int64_t num, std::int64_t trial = 0) {
  State state = program.start();
  InstrumentState own = actuator.start();
  actuator.begin(state, own, trial, stimulus);
  std::vector<double> out, row(program.port(port).num);
  for (std::int64_t k = 0; k < num; ++k) {
    actuator.drive(state, own);
    program.read(state, program.port(port), row);
    out.push_back(row[0]);
    program.step(state, alone());
  }
  return out;
}

TEST(CurrentClamp, FollowsStepsAndRamps) {
  const Program program(network(0.5, passive_cells(1)), 1);
  const CurrentClampSpec steps{.current = "cells.I", .segment_ms = 1, .onset_ms = 0.5, .holding = -0.1};
  EXPECT_EQ(driven(program, *make_current_clamp(program, steps), numbers_of({1, 2}), "cells.I", 7),
            (std::vector<double>{-0.1, 1, 1, 2, 2, -0.1, -0.1}));
  const CurrentClampSpec ramps{.current = "cells.I", .shape = "ramps", .segment_ms = 2};
  EXPECT_EQ(driven(program, *make_current_clamp(program, ramps), numbers_of({0, 4, 2}), "cells.I", 9),
            (std::vector<double>{0, 1, 2, 3, 4, 3.5, 3, 2.5, 0}));
}

/// Cell i is driven by holding + gain_i k_i·x, the field as its Gabor function says; pictures follow one another.
TEST(Fields, DriveEachCellThroughItsOwn) {
  const Program program(network(0.5, passive_cells(2)), 1);
  FieldsSpec spec{.current = "cells.I", .gain = {0.2, 0.3}, .holding = -0.1, .onset_ms = 0.5, .frame_ms = 1};
  spec.orientation_deg = {0, 90};
  spec.sigma_px = {1};
  spec.wavelength_px = {3};
  const std::vector<std::int64_t> shape = {3, 3};
  const auto fields = make_fields(program, spec, shape);
  // across columns for cell 0, across rows for cell 1; of length 1 times its gain
  double norm = 0;
  std::vector<double> k(9);
  for (int row = 0; row < 3; ++row)
    for (int column = 0; column < 3; ++column) {
      const double x = column - 1, y = row - 1;
      k[3 * row + column] = std::exp(-(x * x + y * y) / 2) * std::cos(2 * std::numbers::pi * x / 3);
      norm += k[3 * row + column] * k[3 * row + column];
    }
  for (double& one : k) one /= std::sqrt(norm);
  ASSERT_EQ(fields->fields().size(), 18u);
  for (int row = 0; row < 3; ++row)
    for (int column = 0; column < 3; ++column) {
      EXPECT_NEAR(fields->fields()[3 * row + column], 0.2 * k[3 * row + column], 1e-14);
      EXPECT_NEAR(fields->fields()[9 + 3 * row + column], 0.3 * k[3 * column + row], 1e-14);
    }
  // two pictures: cell 0's own field, then nothing
  std::vector<double> pictures(18, 0.0);
  std::copy(k.begin(), k.end(), pictures.begin());
  const std::vector<double> wanted = {-0.1, 0.1, 0.1, -0.1, -0.1, -0.1, -0.1};
  const std::vector<double> got = driven(program, *fields, {Array{{2, 3, 3}, pictures}, {}}, "cells.I", 7);
  for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_NEAR(got[i], wanted[i], 1e-14) << i;

  spec.gain = {1, 2, 3};
  EXPECT_THROW(make_fields(program, spec, shape), SpecError);
  spec.gain = {1};
  EXPECT_THROW(make_fields(program, spec, {9}), SpecError);
  State state = program.start();
  InstrumentState own = fields->start();
  EXPECT_THROW(fields->begin(state, own, 0, numbers_of({1, 2})), SpecError);
}

TEST(CurrentClamp, NoiseIsFrozen) {
  const Program program(network(0.1, passive_cells(1)), 1);
  const CurrentClampSpec spec{.current = "cells.I", .segment_ms = 20000, .noise_sd = 0.2, .noise_ms = 3};
  const auto clamp = make_current_clamp(program, spec);
  const std::vector<double> first = driven(program, *clamp, numbers_of({0}), "cells.I", 200000, 0);
  EXPECT_EQ(first, driven(program, *clamp, numbers_of({0}), "cells.I", 200000, 9));
  CurrentClampSpec other = spec;
  other.noise_seed = 2;
  EXPECT_NE(first, driven(program, *make_current_clamp(program, other), numbers_of({0}), "cells.I", 200000));
  // 200,000 steps at a correlation of 30 steps: some 3,300 independent ones; bounds of five standard errors
  const Moments m = moments(first);
  EXPECT_NEAR(m.mean, 0, 5 * 0.2 / std::sqrt(3300));
  EXPECT_NEAR(m.variance / 0.04, 1, 5 * std::sqrt(2.0 / 3300));
  double lagged = 0;
  for (std::size_t k = 0; k + 30 < first.size(); ++k) lagged += first[k] * first[k + 30] / static_cast<double>(first.size() - 30);
  EXPECT_NEAR(lagged / m.variance, std::exp(-1.0), 5 * std::sqrt(2.0 / 3300));
}

TEST(CurrentClamp, StimuliThatDoNotFitAreRefused) {
  const Program program(network(0.1, passive_cells(1)), 1);
  const auto clamp = make_current_clamp(program, {.current = "cells.I", .limit = 1});
  State state = program.start();
  InstrumentState own = clamp->start();
  const auto message = [&](const Stimulus& stimulus) {
    try {
      clamp->begin(state, own, 0, stimulus);
    } catch (const SpecError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(message(numbers_of({0.5, -1.5})), "stimulus[1]: must be at most 1 nA in magnitude (got -1.5 nA).");
  EXPECT_EQ(message(numbers_of({std::nan("")})), "stimulus[0]: must be finite (got nan).");
  EXPECT_EQ(message({Pattern{}, {}}), "actuator: must be given an array of numbers as stimulus (got another kind).");
  EXPECT_EQ(message(numbers_of({1})), "");
  EXPECT_THROW(make_current_clamp(program, {.current = "cells.J"}), SpecError);
}

TEST(VoltageClamp, HoldsUpToItsSeriesResistance) {
  const Program program(network(0.01, passive_cells(2)), 1);
  for (const double series : {5.0, 20.0}) {
    const auto clamp =
        make_voltage_clamp(program, {.voltage = "cells.v", .current = "cells.I", .series_mohm = series, .segment_ms = 60});
    State state = program.start();
    InstrumentState own = clamp->start();
    clamp->begin(state, own, 0, numbers_of({-20, 30}));
    std::vector<double> v(2), current(2);
    for (const double command : {-20.0, 30.0}) {
      for (int k = 0; k < 6000; ++k) {
        clamp->drive(state, own);
        program.step(state, alone());
      }
      program.read(state, program.port("cells.v"), v);
      program.read(state, program.port("cells.I"), current);
      const double settled = (command / series - 70.0 / 200) / (1 / series + 1.0 / 200);
      for (const int cell : {0, 1}) {
        EXPECT_NEAR(v[static_cast<std::size_t>(cell)], settled, 1e-6);
        EXPECT_NEAR(current[static_cast<std::size_t>(cell)], (settled + 70) / 200, 1e-8);
      }
    }
  }
}

TEST(VoltageClamp, LagsByWhatItSays) {
  const Program program(network(0.1, passive_cells(1)), 1);
  const auto clamp =
      make_voltage_clamp(program, {.voltage = "cells.v", .current = "cells.I", .series_mohm = 50, .lag_ms = 0.3, .segment_ms = 5});
  const std::vector<double> current = driven(program, *clamp, numbers_of({-20}), "cells.I", 6);
  EXPECT_EQ(std::vector<double>(current.begin(), current.begin() + 3), (std::vector<double>{0, 0, 0}));
  EXPECT_NEAR(current[3], 1, 1e-12);  // 50 mV / 50 MΩ
  EXPECT_NEAR(current[5], 1, 1e-12);  // the potential of the steps before has not come back yet
}

Opsin channelrhodopsin() {
  Opsin o;
  o.name = "test";
  const std::pair<Sourced Opsin::*, double> values[] = {
      {&Opsin::conductance, 114}, {&Opsin::ratio, 0.05}, {&Opsin::half_flux, 2.33e17}, {&Opsin::wavelength, 470},
      {&Opsin::k1, 4.15},         {&Opsin::k2, 0.868},   {&Opsin::p, 0.833},           {&Opsin::gf0, 0.0373},
      {&Opsin::kf, 0.0581},       {&Opsin::gb0, 0.0161}, {&Opsin::kb, 0.063},          {&Opsin::q, 1.94},
      {&Opsin::gd1, 0.105},       {&Opsin::gd2, 0.0138}, {&Opsin::gr0, 0.00033},       {&Opsin::reversal, 5},
      {&Opsin::v0, 43},           {&Opsin::v1, 17.1}};
  for (const auto& [member, value] : values) o.*member = assumed(value);
  return o;
}

TEST(Opsin, SettlesAtItsClosedForm) {
  const Opsin opsin = channelrhodopsin();
  EXPECT_NEAR(opsin.half_light_mw_per_mm2(), 2.33e17 * 6.62607015e-34 * 299792458 / 470e-9 * 1e3, 1e-9);
  Table cells = held_cells(4);
  Table& group = *cells.find("cells")->table();
  group.set("method", "rk4");
  group.find("equations")->table()->set("sensed", "I_opsin / (1 nA)");
  group.find("equations")->table()->set("dy/dt", "(sensed - y) / (1 ms)");
  group.find("start")->table()->set("y", "0");
  add_opsin(group, opsin);
  const Program program(network(0.1, cells), 1);
  State state = program.start();
  const double light[] = {0, 1, 30, 1000};
  program.write(state, program.port("cells.light"), light);
  for (int k = 0; k < 400000; ++k) program.step(state, alone());
  std::vector<double> y(4);
  program.read(state, program.port("cells.y"), y);
  for (std::size_t k = 0; k < 4; ++k) {
    const double expected = opsin.steady_current_na(light[k], -70);
    EXPECT_NEAR(y[k], expected, 1e-6 * std::abs(expected) + 1e-9) << light[k];
    if (k > 0) {
      EXPECT_LT(expected, opsin.steady_current_na(light[k - 1], -70));  // more light, more inward current
    }
  }
  EXPECT_EQ(opsin.steady_current_na(0, -70), 0);
  EXPECT_THROW(add_opsin(group, opsin), SpecError);
}

TEST(Opsin, DepolarisesACellToTheBalanceOfItsCurrents) {
  const Opsin opsin = channelrhodopsin();
  Table cell = passive_cells(1);
  Table& group = *cell.find("cells")->table();
  group.set("method", "rk4");
  group.find("equations")->table()->set("dv/dt", "((-70 mV - v) / (200 Mohm) - I_opsin) / (100 pF) : mV");
  add_opsin(group, opsin);
  const Program program(network(0.1, cell), 1);
  State state = program.start();
  program.write(state, program.port("cells.light"), 0.5);
  for (int k = 0; k < 400000; ++k) program.step(state, alone());
  std::vector<double> v(1);
  program.read(state, program.port("cells.v"), v);
  EXPECT_GT(v[0], -60);
  EXPECT_NEAR((-70 - v[0]) / 200, opsin.steady_current_na(0.5, v[0]), 1e-9);
}

/// Cells on a line along x, 10 µm apart, and one above the first.
Table lit_cells() {
  Table cells = held_cells(4);
  cells.find("cells")->table()->set("parameters", table({{"light", "0 mW/mm^2 : mW/mm^2"}}));
  cells.find("cells")->table()->set("own", List{"light"});
  return cells;
}
const std::vector<double> places{0, 0, 0, 10, 0, 0, 20, 0, 0, 0, 0, 25};

TEST(Light, SpreadsOverNeighbours) {
  const Program program(network(0.1, lit_cells()), 1);
  const auto light = make_light(program, {.light = "cells.light", .cells_um = places, .spread_um = 8, .axial_spread_um = 25});
  State state = program.start();
  InstrumentState own = light->start();
  light->begin(state, own, 0, {Pattern{{0, 2}, {3, 1}, 0, 10, 0}, {}});
  light->drive(state, own);
  std::vector<double> e(4);
  program.read(state, program.port("cells.light"), e);
  const double top = 1e6 / (2 * std::numbers::pi * 64);  // mW/mm² for 1 mW
  const auto at = [&](double um) { return top * std::exp(-um * um / 128); };
  EXPECT_NEAR(e[0], 3 * at(0) + at(20), 1e-9 * e[0]);
  EXPECT_NEAR(e[1], 3 * at(10) + at(10), 1e-9 * e[0]);
  EXPECT_NEAR(e[2], 3 * at(20) + at(0), 1e-9 * e[0]);
  EXPECT_NEAR(e[3], (3 * at(0) + at(20)) * std::exp(-0.5), 1e-9 * e[0]);
  double power = 0;  // across its plane a spot holds its power
  for (int x = -100; x <= 100; ++x)
    for (int y = -100; y <= 100; ++y) power += at(std::hypot(x, y)) * 1e-6;
  EXPECT_NEAR(power, 1, 1e-6);
}

TEST(Light, TakesThePowersOfItsTargetsAsNumbers) {
  const Program program(network(0.5, lit_cells()), 1);
  const LightSpec bare{.light = "cells.light", .cells_um = places, .pulse_ms = 1};
  LightSpec aimed = bare;
  aimed.targets = {2, 0};
  aimed.onset_ms = 2;
  aimed.duration_ms = 10;
  aimed.rate_hz = 200;
  const auto light = make_light(program, aimed), other = make_light(program, bare);
  EXPECT_EQ(light->unit(), "mW");
  EXPECT_EQ(driven(program, *light, numbers_of({3, 1}), "cells.light", 40),
            driven(program, *other, {Pattern{{2, 0}, {3, 1}, 2, 10, 200}, {}}, "cells.light", 40));
  State state = program.start();
  InstrumentState own = light->start();
  EXPECT_THROW(light->begin(state, own, 0, numbers_of({1})), SpecError);
  EXPECT_THROW(light->begin(state, own, 0, numbers_of({1, -1})), SpecError);
  aimed.targets = {4};
  EXPECT_THROW(make_light(program, aimed), SpecError);
}

TEST(Light, PulsesAtItsRate) {
  const Program program(network(0.5, lit_cells()), 1);
  const auto light = make_light(program, {.light = "cells.light", .cells_um = places, .pulse_ms = 1});
  const std::vector<double> on = driven(program, *light, {Pattern{{0}, {1}, 2, 10, 200}, {}}, "cells.light", 40);
  for (std::size_t k = 0; k < on.size(); ++k) {
    const double t = 0.5 * static_cast<double>(k) - 2;
    EXPECT_EQ(on[k] > 0, t >= 0 && t < 10 && std::fmod(t, 5) < 1) << t;
  }
  State state = program.start();
  InstrumentState own = light->start();
  EXPECT_THROW(light->begin(state, own, 0, {Pattern{{4}, {1}, 0, 1, 0}, {}}), SpecError);
  EXPECT_THROW(light->begin(state, own, 0, {Pattern{{0}, {1, 2}, 0, 1, 0}, {}}), SpecError);
  EXPECT_THROW(light->begin(state, own, 0, {Pattern{{0}, {2000}, 0, 1, 0}, {}}), SpecError);
  EXPECT_THROW(light->begin(state, own, 0, {Pattern{{0}, {1}, 0, 1, 2000}, {}}), SpecError);
  EXPECT_THROW(light->begin(state, own, 0, numbers_of({1})), SpecError);
}

TEST(Light, OfAnIndicatorDrivesItsPhotocurrent) {
  const Program program(network(0.1, passive_cells(1)), 1);
  const auto light = make_photocurrent(program, {.current = "cells.I", .light = 2}, round_indicator());
  EXPECT_NEAR(driven(program, *light, numbers_of({0}), "cells.I", 3)[2], 0.06, 1e-12);
}

}  // namespace
}  // namespace hartline::instruments
