// Networks whose numbers are kept as floats.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "base/threads.hpp"
#include "dynamics/program.hpp"
#include "dynamics/run.hpp"
#include "dynamics/test_runs.hpp"

namespace hartline::dynamics {
namespace {

const std::unique_ptr<Executor> serial = make_serial_executor();

Table narrow(Table network) {
  network.set("precision", "float");
  return network;
}

/// Currents, plasticity, gap junctions, noise and inputs.
Table plastic_network() {
  Table net = cuba_network(1500, 0.05, "random * 2 ms");
  Table& cells = *net.find("neurons")->table()->find("cells")->table();
  cells.find("equations")->table()->set("dv/dt", "(ge + gi - (v - El) + gap) / (20 ms) + 0.5 mV * sqrt(2 / (20 ms)) * xi : mV");
  cells.set("parameters", table({{"gap", "0 mV"}}));
  cells.set("own", List{"gap"});
  net.find("synapses")
      ->table()
      ->set("rule", table({{"from", "cells"},
                           {"to", "cells"},
                           {"connect", table({{"fixed_in", 20}})},
                           {"equations", table({{"dx/dt", "-x / (20 ms)"}, {"dy/dt", "-y / (30 ms)"}})},
                           {"start", table({{"x", "0"}, {"y", "0"}})},
                           {"parameters", table({{"w", "0.2 mV * random"}})},
                           {"on_pre", List{"x += 1", "w -= 0.01 mV * y", "ge_post += w"}},
                           {"on_post", List{"y += 1", "w += 0.01 mV * x"}},
                           {"summed", table({{"gap", "0.01 * (v_pre - v_post) : mV"}})}}));
  net.set("inputs",
          table({{"more", table({{"to", "cells"}, {"adds", "ge"}, {"weight", "0.1 mV"}, {"rate", "20 Hz"}, {"num", 50}})}}));
  return net;
}

TEST(Precision, FloatsTakeHalfTheRoomAndSayTheSame) {
  const Program wide(plastic_network(), 1), half(narrow(plastic_network()), 1);
  State a = wide.start(), b = half.start();
  // pairs of neurons, delays and lists of spikes are no part of it
  const double num_floats = static_cast<double>(row(wide, a, "rule.w").size()) * 3 + 1500 * 7;
  EXPECT_NEAR(static_cast<double>(a.bytes().size() - b.bytes().size()), 4 * num_floats, 0.02 * 4 * num_floats);
  const std::vector<double> w = row(wide, a, "rule.w"), w_half = row(half, b, "rule.w");
  for (std::size_t k = 0; k < w.size(); ++k) EXPECT_NEAR(w_half[k], w[k], 1e-7 * std::abs(w[k]));
  // until spikes come at other times, which in such a network is soon, all is the same to 24 bits
  for (int k = 0; k < 100; ++k) {
    wide.step(a, *serial);
    half.step(b, *serial);
  }
  const std::vector<double> v = row(wide, a, "cells.v"), v_half = row(half, b, "cells.v");
  std::size_t num_off = 0;
  for (std::size_t k = 0; k < v.size(); ++k) num_off += std::abs(v[k] - v_half[k]) > 1e-3;
  EXPECT_LT(num_off, v.size() / 50);
  std::int64_t num[2] = {0, 0};
  for (int k = 0; k < 4000; ++k) {
    wide.step(a, *serial);
    half.step(b, *serial);
    num[0] += static_cast<std::int64_t>(wide.happened(a, {0, 0}).size());
    num[1] += static_cast<std::int64_t>(half.happened(b, {0, 0}).size());
  }
  EXPECT_GT(num[0], 1000);
  EXPECT_NEAR(static_cast<double>(num[1]) / static_cast<double>(num[0]), 1, 0.1);
}

TEST(Precision, ThreadsForksAndPausesDoNotMatterToFloats) {
  const Program program(narrow(plastic_network()), 2);
  const auto after = [&](State state, int num, Executor& executor) {
    for (int k = 0; k < num; ++k) program.step(state, executor);
    return state;
  };
  const State whole = after(program.start(), 400, *serial);
  for (const int threads : {2, 8}) {
    const State other = after(program.start(), 400, *make_executor(threads));
    EXPECT_EQ(std::memcmp(whole.bytes().data(), other.bytes().data(), whole.bytes().size()), 0) << threads;
  }
  const State half_way = after(program.start(), 150, *serial);
  const State forked = after(half_way, 250, *serial), restored = after(program.restore(half_way.bytes()), 250, *serial);
  EXPECT_EQ(std::memcmp(whole.bytes().data(), forked.bytes().data(), whole.bytes().size()), 0);
  EXPECT_EQ(std::memcmp(whole.bytes().data(), restored.bytes().data(), whole.bytes().size()), 0);
}

TEST(Precision, FloatsTakeStepsWithinSteps) {
  Table cells = squid_cell("rodas4");
  cells.set("num", 30);
  cells.set("parameters", table({{"I", "4 uA/cm^2 + i * 1 uA/cm^2"}}));
  const Table net = network(0.1, table({{"cells", cells}}));
  const Program wide(net, 1), half(narrow(net), 1);
  State a = wide.start(), b = half.start();
  for (int k = 0; k < 15; ++k) {
    wide.step(a, *serial);
    half.step(b, *serial);
  }
  const std::vector<double> v = row(wide, a, "cells.v"), v_half = row(half, b, "cells.v");
  for (std::size_t k = 0; k < v.size(); ++k) EXPECT_NEAR(v_half[k], v[k], 1e-2) << k;
}

TEST(Precision, WhatNoFloatHoldsIsRefused) {
  const Table cell =
      table({{"equations", table({{"dx/dt", "x^2 / (1 s)"}})}, {"start", table({{"x", "1e37"}})}, {"method", "euler"}});
  const Program program(narrow(network(1, table({{"cell", cell}}))), 1);
  State state = program.start();
  EXPECT_THROW(program.write(state, program.port("cell.x"), 1e300), RunError);
  EXPECT_THROW(program.step(state, *serial), RunError);
  EXPECT_NEAR(row(program, state, "cell.x")[0], 1e37, 1e31);
}

TEST(Precision, TimesAreKeptWhole) {
  // after 2,000 s a float of the time is off by up to .06 ms, and the end of the refractory time falls on either side of a half
  // step
  Table cell = table({{"equations", table({{"dv/dt", "(30 mV - v) / (50 ms) : mV"}})},
                      {"start", table({{"v", "0 mV"}})},
                      {"threshold", "v > 20 mV"},
                      {"reset", List{"v = 0 mV", "last = t"}},
                      {"refractory", "5.03 ms"},
                      {"held", List{"v"}},
                      {"parameters", table({{"last", "0 s"}})},
                      {"own", List{"last"}}});
  const Program wide(network(10, table({{"cell", cell}})), 1), half(narrow(network(10, table({{"cell", cell}}))), 1);
  State a = wide.start(), b = half.start();
  std::int64_t differ = 0, num = 0;
  for (int k = 0; k < 200'000; ++k) {
    wide.step(a, *serial);
    half.step(b, *serial);
    num += static_cast<std::int64_t>(wide.happened(a, {0, 0}).size());
    differ += wide.happened(a, {0, 0}).size() != half.happened(b, {0, 0}).size();
  }
  EXPECT_GT(num, 300);
  EXPECT_EQ(differ, 0);
  EXPECT_EQ(row(wide, a, "cell.last")[0], row(half, b, "cell.last")[0]);
}

TEST(Precision, PortsOfFloatsAreReadAndWritten) {
  const Program program(narrow(network(0.1, table({{"cell", adex_cell("rk4")}}))), 1);
  State state = program.start();
  program.write(state, program.port("cell.v"), -61.25);  // a float
  EXPECT_NEAR(row(program, state, "cell.v")[0], -61.25, 1e-5);
  program.write(state, program.port("cell.I"), 0.1);  // shared: a double
  EXPECT_EQ(row(program, state, "cell.I")[0], 0.1);
  for (int k = 0; k < 5000; ++k) program.step(state, *serial);
  EXPECT_TRUE(std::isfinite(row(program, state, "cell.v")[0]));
}

}  // namespace
}  // namespace hartline::dynamics
