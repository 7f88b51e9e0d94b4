// Steps of any length within a step (rodas4).
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "dynamics/program.hpp"
#include "dynamics/recorder.hpp"
#include "dynamics/run.hpp"
#include "dynamics/test_runs.hpp"

namespace hartline::dynamics {
namespace {

const std::unique_ptr<Executor> serial = make_serial_executor();

Table cell(Table equations, Table start, double tolerance) {
  return table({{"equations", std::move(equations)}, {"start", std::move(start)}, {"method", "rodas4"}, {"tolerance", tolerance}});
}

TEST(StepsWithin, AreAsShortAsStiffEquationsNeed) {
  // Robertson's reaction, all 40 s in one step; its values are those of Hairer & Wanner 1996
  const Program reaction(network(40000, table({{"cell", cell(table({{"dx/dt", "(-0.04 * x + 10^4 * y * z) / (1 s)"},
                                                                    {"dy/dt", "(0.04 * x - 10^4 * y * z - 3 * 10^7 * y^2) / (1 s)"},
                                                                    {"dz/dt", "3 * 10^7 * y^2 / (1 s)"}}),
                                                             table({{"x", 1.0}, {"y", 0.0}, {"z", 0.0}}), 1e-10)}})),
                         1);
  State state = reaction.start();
  reaction.step(state, *serial);
  EXPECT_NEAR(row(reaction, state, "cell.x")[0], 0.7158270688, 1e-9);
  EXPECT_NEAR(row(reaction, state, "cell.y")[0], 9.185534765e-6, 1e-11);
  EXPECT_NEAR(row(reaction, state, "cell.z")[0], 0.2841637457, 1e-9);
  // van der Pol's oscillator with µ = 1000 at t = 2 of its slow time, in four steps; values of the test set for initial value
  // problem solvers (Mazzia & Magherini 2008)
  const Program oscillator(
      network(500, table({{"cell", cell(table({{"dx/dt", "y / (1 s)"}, {"dy/dt", "10^6 * ((1 - x^2) * y - x) / (1 s)"}}),
                                        table({{"x", 2.0}, {"y", 0.0}}), 1e-9)}})),
      1);
  state = oscillator.start();
  for (int k = 0; k < 4; ++k) oscillator.step(state, *serial);
  EXPECT_NEAR(row(oscillator, state, "cell.x")[0], 1.706167732170483, 1e-6);
  EXPECT_NEAR(row(oscillator, state, "cell.y")[0], -0.8928097010247975, 1e-6);
}

TEST(StepsWithin, ErrFollowsTheTolerance) {
  const auto error = [](double tolerance) {
    const Program program(
        network(1000,
                table({{"cell", cell(table({{"dx/dt", "(cos(t / (1 s)) - x^3) / (1 s)"}}), table({{"x", 0.5}}), tolerance)}})),
        1);
    State state = program.start();
    for (int k = 0; k < 5; ++k) program.step(state, *serial);
    return row(program, state, "cell.x")[0];
  };
  const double fine = error(1e-12);
  double before = 1;
  for (const double tolerance : {1e-4, 1e-6, 1e-8}) {
    const double off = std::abs(error(tolerance) - fine);
    EXPECT_LT(off, 3 * tolerance);
    EXPECT_LT(off, before);
    before = off;
  }
}

TEST(StepsWithin, CellsHaveTheirConvergedSpikeTimes) {
  const double squid[] = {1.89798, 16.80621, 31.44140, 46.06446, 60.68663, 75.30873, 89.93083};
  std::vector<double> times = spikes(squid_cell("rodas4"), 0.01, 95);
  ASSERT_EQ(times.size(), std::size(squid));
  for (std::size_t k = 0; k < times.size(); ++k) EXPECT_NEAR(times[k], squid[k] - 0.005, 0.006);  // those of a step are its start's
  // v of an exponential cell is infinite soon after the threshold: the step ends there
  const double adex[] = {6.6060, 13.7028, 21.3422, 29.5796, 38.4718, 48.0748, 58.4390, 69.6048};
  times = spikes(adex_cell("rodas4"), 0.001, 500);
  ASSERT_EQ(times.size(), 33u);
  for (std::size_t k = 0; k < std::size(adex); ++k) EXPECT_NEAR(times[k], adex[k], 0.0015 + 0.0005 * static_cast<double>(k));
  EXPECT_EQ(spikes(adex_cell("rodas4"), 0.1, 500).size(), 33u);
}

TEST(StepsWithin, WhatIsHeldHasNoSlope) {
  // v goes to 0 at once and stays there 2 ms; meanwhile w decays by itself
  Table held = cell(table({{"dv/dt", "(30 mV - v) / (10 ms) : mV"}, {"dw/dt", "(v - w) / (5 ms) : mV"}}),
                    table({{"v", "25 mV"}, {"w", "7 mV"}}), 1e-10);
  for (const auto& [key, text] : {std::pair{"threshold", "v > 20 mV"}, {"refractory", "2 ms"}}) held.set(key, text);
  held.set("reset", List{"v = 0 mV"});
  held.set("held", List{"v"});
  const Program program(network(0.5, table({{"cell", held}})), 1);
  State state = program.start();
  program.step(state, *serial);
  const double after = row(program, state, "cell.w")[0];
  EXPECT_EQ(row(program, state, "cell.v")[0], 0);
  for (int k = 0; k < 3; ++k) program.step(state, *serial);
  EXPECT_EQ(row(program, state, "cell.v")[0], 0);
  EXPECT_NEAR(row(program, state, "cell.w")[0], after * std::exp(-1.5 / 5), 1e-9);
  program.step(state, *serial);
  EXPECT_GT(row(program, state, "cell.v")[0], 0);
}

TEST(StepsWithin, NeitherThreadsNorNeighboursNorAPauseMatter) {
  Table cells = squid_cell("rodas4");
  cells.set("num", 3000);
  cells.set("parameters", table({{"I", "4 uA/cm^2 + i * 0.01 uA/cm^2"}}));
  const Program program(network(0.1, table({{"cells", cells}})), 1);
  const auto after = [&](State state, int num, Executor& executor) {
    for (int k = 0; k < num; ++k) program.step(state, executor);
    return state;
  };
  const State whole = after(program.start(), 60, *serial);
  for (const int threads : {2, 8}) {
    const State other = after(program.start(), 60, *make_executor(threads));
    EXPECT_EQ(std::memcmp(whole.bytes().data(), other.bytes().data(), whole.bytes().size()), 0) << threads;
  }
  const State paused = after(program.restore(after(program.start(), 23, *serial).bytes()), 37, *serial);
  EXPECT_EQ(std::memcmp(whole.bytes().data(), paused.bytes().data(), whole.bytes().size()), 0);
  // a cell alone, with the current of number 2,345
  Table alone = squid_cell("rodas4");
  alone.set("parameters", table({{"I", "4 uA/cm^2 + 2345 * 0.01 uA/cm^2"}}));
  const Program one(network(0.1, table({{"cells", alone}})), 1);
  State state = one.start();
  for (int k = 0; k < 60; ++k) one.step(state, *serial);
  std::vector<double> v(3000);
  program.read(whole, program.port("cells.v"), v);
  EXPECT_EQ(v[2345], row(one, state, "cells.v")[0]);
}

TEST(StepsWithin, CellsWithoutEquationsNeedNone) {
  const Program program(network(1, table({{"cell", table({{"method", "rodas4"}, {"num", 9}, {"threshold", "random < 0.5"}})}})), 1);
  State state = program.start();
  std::size_t num = 0;
  for (int k = 0; k < 100; ++k) {
    program.step(state, *serial);
    num += program.happened(state, {0, 0}).size();
  }
  EXPECT_NEAR(static_cast<double>(num), 450, 90);  // six standard deviations
}

TEST(StepsWithin, SayWhereNoLengthWillDo) {
  const Program program(network(1000, table({{"cell", cell(table({{"dx/dt", "x^2 / (1 s)"}}), table({{"x", 1.0}}), 1e-6)}})),
                        1);  // infinite at 1 s
  State state = program.start();
  try {
    program.step(state, *serial);
    program.step(state, *serial);
    FAIL();
  } catch (const RunError& error) {
    EXPECT_NE(std::string(error.what()).find("neurons.cell.x[0]: must be finite"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("No length of steps met the tolerance"), std::string::npos) << error.what();
  }
  try {
    const Program noisy(
        network(1, table({{"cell", cell(table({{"dx/dt", "-x / (1 s) + xi / sqrt(1 s)"}}), table({{"x", 1.0}}), 1e-6)}})), 1);
    FAIL();
  } catch (const SpecError& error) {
    EXPECT_NE(std::string(error.what()).find("must be free of noise, for rodas4"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace hartline::dynamics
