#include "dynamics/program.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "dynamics/recorder.hpp"
#include "dynamics/run.hpp"
#include "dynamics/test_runs.hpp"

namespace hartline::dynamics {
namespace {

const std::unique_ptr<Executor> serial = make_serial_executor();

TEST(Cells, AdaptiveExponentialHasItsConvergedSpikeTimes) {
  const std::vector<double> times = spikes(adex_cell("rk4"), 0.0002, 500);
  ASSERT_EQ(times.size(), 33u);
  const double converged[] = {6.6060, 13.7028, 21.3422, 29.5796, 38.4718, 48.0748, 58.4390, 69.6048};
  for (std::size_t k = 0; k < std::size(converged); ++k) EXPECT_NEAR(times[k], converged[k], 0.001);
  EXPECT_NEAR(times.back(), 484.778, 0.001);
}

TEST(Cells, AdaptiveExponentialHasBriansTimesWithBriansMethodAndStep) {
  const std::vector<double> times = spikes(adex_cell("euler"), 0.1, 500);
  ASSERT_EQ(times.size(), 33u);
  const double brian[] = {6.6, 13.8, 21.6, 30.0};
  for (std::size_t k = 0; k < std::size(brian); ++k) EXPECT_NEAR(times[k], brian[k], 1e-9);
  EXPECT_NEAR(times.back(), 487.6, 1e-9);
}

TEST(Cells, SquidMembraneHasItsConvergedSpikeTimes) {
  const std::vector<double> times = spikes(squid_cell("rk4"), 0.001, 95);
  const double converged[] = {1.89798, 16.80621, 31.44140, 46.06446, 60.68663, 75.30873, 89.93083};
  ASSERT_EQ(times.size(), std::size(converged));
  for (std::size_t k = 0; k < std::size(converged); ++k) EXPECT_NEAR(times[k], converged[k], 0.01);
}

TEST(Cells, IntegrateAndFireHasItsRate) {
  // v = R I (1 - e^(-t/τ)) from the reset, then 2 ms refractory: T = 2 ms + τ log(R I / (R I - θ))
  const Table cell = table({{"equations", table({{"dv/dt", "(25 mV - v) / (10 ms) : mV"}})},
                            {"start", table({{"v", "0 mV"}})},
                            {"threshold", "v > 20 mV"},
                            {"reset", List{"v = 0 mV"}},
                            {"refractory", "2 ms"},
                            {"held", List{"v"}}});
  const double period = 2 + 10 * std::log(25.0 / 5);
  const std::vector<double> times = spikes(cell, 0.001, 200);
  ASSERT_GE(times.size(), 10u);
  EXPECT_NEAR(times[9] - times[0], 9 * period, 9 * 0.0015);  // a step at most late each time
}

/// Bytes after some steps.
std::vector<std::byte> bytes_after(const Program& program, State state, std::int64_t num, Executor& executor) {
  run(program, state, num, executor);
  return {state.bytes().begin(), state.bytes().end()};
}

TEST(Network, ForkIsNoFork) {
  const Program program(cuba_network(500, 0.1, "(random * 3) * 1 ms"), 3);
  State state = program.start();
  run(program, state, 1500, *serial);
  const State fork = state;
  const auto alone = bytes_after(program, fork, 700, *serial);
  run(program, state, 700, *serial);
  EXPECT_TRUE(std::equal(alone.begin(), alone.end(), state.bytes().begin()));
  EXPECT_NE(std::memcmp(fork.bytes().data(), state.bytes().data(), state.bytes().size()), 0);
}

TEST(Network, RestoredIsAsItWas) {
  const Program program(cuba_network(300, 0.1), 3);
  State state = program.start();
  run(program, state, 500, *serial);
  const std::vector<std::byte> saved(state.bytes().begin(), state.bytes().end());
  const State restored = program.restore(saved);
  EXPECT_EQ(bytes_after(program, restored, 300, *serial), bytes_after(program, state, 300, *serial));
  const Program other(cuba_network(300, 0.1), 4);
  EXPECT_THROW(other.restore(saved), SpecError);
  EXPECT_THROW(program.restore(std::span(saved).first(100)), SpecError);
}

TEST(Network, ThreadsDoNotMatter) {
  const Program program(cuba_network(6000, 0.02), 5);
  const auto alone = bytes_after(program, program.start(), 400, *serial);
  for (const int num : {2, 8}) EXPECT_EQ(alone, bytes_after(program, program.start(), 400, *make_executor(num))) << num;
}

TEST(Network, SpikesArriveAfterTheirDelay) {
  Table source = table({{"num", 2}, {"spike_times_ms", List{1.0, 2.0, 2.5}}, {"spike_neurons", List{0, 1, 0}}});
  Table target = table({{"num", 3}, {"equations", table({{"dg/dt", "0 nS/s : nS"}})}, {"start", table({{"g", "0 nS"}})}});
  const Table synapses = table({{"s", table({{"from", "source"},
                                             {"to", "target"},
                                             {"connect", table({{"from", List{0, 0, 1}}, {"to", List{0, 2, 2}}})},
                                             {"delay", "(0.3 + 0.2 * j) * 1 ms"},
                                             {"parameters", table({{"w", "(1 + i) * 1 nS"}})},
                                             {"on_pre", List{"g_post += w"}}})}});
  const Program program(network(0.1, table({{"source", source}, {"target", target}}), synapses), 1);
  State state = program.start();
  const Port g = program.port("target.g");
  const auto at = [&](double ms) {
    run(program, state, std::llround(ms / 0.1) - state.step(), *serial);
    std::vector<double> out(3);
    program.read(state, g, out);
    return out;
  };
  // a spike of the step from 1.0 ms to 1.1 ms is handed on in the step that begins 1.3 ms
  EXPECT_EQ(at(1.3), (std::vector<double>{0, 0, 0}));
  EXPECT_EQ(at(1.4), (std::vector<double>{1, 0, 0}));
  EXPECT_EQ(at(1.7), (std::vector<double>{1, 0, 0}));
  EXPECT_EQ(at(1.8), (std::vector<double>{1, 0, 1}));
  EXPECT_EQ(at(2.8), (std::vector<double>{1, 0, 3}));
  EXPECT_EQ(at(2.9), (std::vector<double>{2, 0, 3}));
}

TEST(Network, PairsOfSpikesChangeWeightsAsTheirTimesSay) {
  // spike-timing dependent plasticity with traces that are worked out at spikes, against the sum over all pairs
  const std::vector<double> pre{5, 20, 41, 80, 81}, post{8, 19, 60, 79, 95};
  const auto trains = [](const std::vector<double>& times) {
    List at, who;
    for (const double t : times) {
      at.emplace_back(t);
      who.emplace_back(0);
    }
    return table({{"spike_times_ms", at}, {"spike_neurons", who}});
  };
  const Table synapses = table({{"s", table({{"from", "a"},
                                             {"to", "b"},
                                             {"connect", table({{"one_to_one", true}})},
                                             {"equations", table({{"dx/dt", "-x / (20 ms)"}, {"dy/dt", "-y / (30 ms)"}})},
                                             {"start", table({{"x", "0"}, {"y", "0"}})},
                                             {"parameters", table({{"w", "0.5"}})},
                                             {"own", List{"w"}},
                                             {"on_pre", List{"x += 0.01", "w -= 0.5 * y"}},
                                             {"on_post", List{"y += 0.012", "w += x"}}})}});
  const Program program(network(0.1, table({{"a", trains(pre)}, {"b", trains(post)}}), synapses), 1);
  EXPECT_EQ(program.synapses()[0].reason, "variables are worked out when a spike comes");
  State state = program.start();
  run(program, state, 1000, *serial);
  double w = 0.5;
  for (const double a : pre)
    for (const double b : post) {
      if (a < b) w += 0.01 * std::exp(-(b - a) / 20);
      if (b < a) w -= 0.5 * 0.012 * std::exp(-(a - b) / 30);
    }
  std::vector<double> out(1);
  program.read(state, program.port("s.w"), out);
  EXPECT_NEAR(out[0], w, 1e-13);
}

TEST(Network, VariablesOfSynapsesGoOnTogether) {
  // a cascade that a spike sets off: x = e^(-t/2) and y = 2 (e^(-t/3) - e^(-t/2)), t in ms since
  const Table source = table({{"spike_times_ms", List{1.0}}, {"spike_neurons", List{0}}});
  const Table target = table({{"equations", table({{"dg/dt", "0 nS/s : nS"}})}, {"start", table({{"g", "0 nS"}})}});
  const Table cascade = table({{"from", "source"},
                               {"to", "target"},
                               {"connect", table({{"one_to_one", true}})},
                               {"method", "every_step"},
                               {"equations", table({{"dx/dt", "-x / (2 ms)"}, {"dy/dt", "(x - y) / (3 ms)"}})},
                               {"start", table({{"x", "0"}, {"y", "0"}})},
                               {"on_pre", List{"x += 1"}}});
  const Program program(network(0.001, table({{"source", source}, {"target", target}}), table({{"s", cascade}})), 1);
  State state = program.start();
  run(program, state, 5000, *serial);
  std::vector<double> x(1), y(1);
  program.read(state, program.port("s.x"), x);
  program.read(state, program.port("s.y"), y);
  EXPECT_NEAR(x[0], std::exp(-4.0 / 2), 1e-3);
  EXPECT_NEAR(y[0], 2 * (std::exp(-4.0 / 3) - std::exp(-4.0 / 2)), 1e-3);
}

TEST(Network, GapJunctionsShareVoltage) {
  const Table cell = table({{"num", 2},
                            {"equations", table({{"dv/dt", "I / (1 nF) : mV"}})},
                            {"parameters", table({{"I", "0 nA"}})},
                            {"own", List{"I"}},
                            {"start", table({{"v", "i * 10 mV"}})}});
  const Table synapses = table({{"gap", table({{"from", "cell"},
                                               {"to", "cell"},
                                               {"connect", table({{"condition", "i != j"}})},
                                               {"summed", table({{"I", "(v_pre - v_post) * 100 nS"}})}})}});
  const Program program(network(0.01, table({{"cell", cell}}), synapses), 1);
  State state = program.start();
  run(program, state, 500, *serial);
  std::vector<double> v(2);
  program.read(state, program.port("cell.v"), v);
  // Euler's own decay of the difference, 2 · 100 nS / 1 nF · 10 µs a step
  EXPECT_NEAR(v[1] - v[0], 10 * std::pow(1 - 2e-3, 500), 1e-10);
  EXPECT_NEAR(v[0] + v[1], 10, 1e-12);
}

TEST(Network, SpikesFromOutsideAreAPoissonProcess) {
  // shot noise g' = -g / τ with kicks a at rate r: mean a r τ, variance a² r τ / 2
  for (const double num : {100.0, 20000.0}) {  // a mean of .2 and of 40 spikes a step
    const Table cells =
        table({{"num", 4000}, {"equations", table({{"dg/dt", "-g / (5 ms) : nS"}})}, {"start", table({{"g", "0 nS"}})}});
    Table net = network(0.1, table({{"cells", cells}}));
    net.set(
        "inputs",
        table(
            {{"kicks",
              table({{"to", "cells"}, {"adds", "g"}, {"weight", "2 nS"}, {"rate", "20 Hz"}, {"num", num == 100 ? 100 : 20000}})}}));
    const Program program(net, 7);
    State state = program.start();
    run(program, state, 800, *serial);
    std::vector<double> g(4000);
    program.read(state, program.port("cells.g"), g);
    double sum = 0, square = 0;
    for (const double x : g) sum += x / 4000;
    for (const double x : g) square += (x - sum) * (x - sum) / 3999;
    // kicks come at the ends of steps: a sum of e^(-k dt/τ) instead of the integral
    const double rate = num * 20 * 1e-4, decay = std::exp(-0.1 / 5);
    const double mean = 2 * rate / (1 - decay), variance = 4 * rate / (1 - decay * decay);
    EXPECT_NEAR(sum, mean, 5 * std::sqrt(variance / 4000));
    EXPECT_NEAR(square, variance, 5 * variance * std::sqrt(2.0 / 4000 * 1.5));
  }
}

TEST(Network, CellsWithoutEquationsAreAPoissonGroup) {
  const Table cells =
      table({{"num", 5000}, {"parameters", table({{"rate", "(10 + 0.01 * i) * 1 Hz"}})}, {"threshold", "random < rate * dt"}});
  const Program program(network(0.1, table({{"cells", cells}})), 2);
  State state = program.start();
  double first = 0, last = 0, sum_of_others = 0;
  for (int k = 0; k < 10000; ++k) {
    program.step(state, *serial);
    for (const std::int32_t i : program.happened(state, program.event("cells")))
      (i < 1000 ? first : i >= 4000 ? last : sum_of_others) += 1;
  }
  EXPECT_NEAR(first / 1000, 15, 5 * std::sqrt(15.0 / 1000));
  EXPECT_NEAR(last / 1000, 55, 5 * std::sqrt(55.0 / 1000));
}

TEST(Network, WhatIsNotFiniteEndsTheRunBeforeTheStep) {
  const Table cell = table({{"num", 3},
                            {"equations", table({{"dv/dt", "v^2 / (1 mV * 1 ms) : mV"}})},
                            {"start", table({{"v", "i * 1 mV"}})},
                            {"method", "euler"}});
  const Program program(network(0.5, table({{"cell", cell}})), 1);
  State state = program.start();
  try {
    run(program, state, 100000, *serial);
    FAIL() << "grew for ever";
  } catch (const RunError& error) {
    EXPECT_NE(std::string(error.what()).find("neurons.cell.v[2]: must be finite"), std::string::npos) << error.what();
  }
  std::vector<double> v(3);
  program.read(state, program.port("cell.v"), v);
  for (const double x : v) EXPECT_TRUE(std::isfinite(x));
  EXPECT_GT(v[2], 1e100);
}

/// Linear cells are stepped in place, and one of them gets an infinite number at 500 ms; beside them cells that go on.
TEST(Network, ARunThatFailsLeavesTheLastGoodState) {
  Table net = cuba_network(300, 0.05);
  net.find("neurons")->table()->set("last", table({{"spike_times_ms", List{500.0}}, {"spike_neurons", List{0}}}));
  net.find("synapses")
      ->table()
      ->set("wrong", table({{"from", "last"},
                            {"to", "cells[7:8]"},
                            {"connect", table({{"probability", "1"}})},
                            {"on_pre", List{"ge_post += 1 mV / i"}}}));
  const Program program(net, 1);
  State state = program.start(), good = program.start();
  EXPECT_THROW(run(program, state, 6000, *serial), RunError);
  run(program, good, 5000, *serial);
  EXPECT_EQ(state.step(), 5000);
  EXPECT_EQ(std::memcmp(state.bytes().data(), good.bytes().data(), good.bytes().size()), 0);
}

TEST(Ports, ParametersChangeBetweenSteps) {
  const Table cell = table({{"num", 2},
                            {"equations", table({{"dv/dt", "(E - v) / tau : mV"}})},
                            {"parameters", table({{"E", "0 mV"}, {"tau", "10 ms"}})},
                            {"start", table({{"v", "5 mV"}})}});
  const Program program(network(0.1, table({{"cell", cell}})), 1);
  State state = program.start();
  run(program, state, 100, *serial);
  program.write(state, program.port("cell.tau"), 5);  // coefficients of exact integration follow
  program.write(state, program.port("cell.E"), 20);
  run(program, state, 100, *serial);
  std::vector<double> v(2);
  program.read(state, program.port("cell.v"), v);
  EXPECT_NEAR(v[0], 20 + (5 * std::exp(-1.0) - 20) * std::exp(-2.0), 1e-12);
  const double both[] = {1, 2};
  program.write(state, program.port("cell.v"), both);
  program.read(state, program.port("cell.v"), v);
  EXPECT_EQ(v, (std::vector<double>{1, 2}));
  EXPECT_THROW(program.write(state, program.port("cell.E"), std::nan("")), RunError);
  EXPECT_THROW(program.port("cell.u"), SpecError);
}

TEST(Ports, AreInTheUnitThatTheyAreWrittenIn) {
  const auto unit = [](const char* text) {
    const Table cell = table({{"equations", table({{"dv/dt", "0 mV/s : mV"}})},
                              {"parameters", table({{"p", text}})},
                              {"start", table({{"v", "0 mV"}})}});
    const Program program(network(1, table({{"cell", cell}})), 1);
    const Port port = program.port("cell.p");
    State state = program.start();
    program.write(state, port, 7);
    double out = 0;
    program.read(state, port, {&out, 1});
    EXPECT_DOUBLE_EQ(out, 7) << text;
    return port.unit_text;
  };
  EXPECT_EQ(unit("0 mW/mm^2"), "mW/mm^2");
  EXPECT_EQ(unit("-3 mS/cm^2"), "mS/cm^2");
  EXPECT_EQ(unit("10 nS"), "nS");
  EXPECT_EQ(unit("2 nS * 3"), "S");
  EXPECT_EQ(unit("3 mV / (2 ms) : V/s"), "V/s");
}

TEST(Ports, ValuesOverTimeAreHeldAndEnd) {
  Table net = network(
      0.5, table({{"cell", table({{"equations", table({{"dv/dt", "drive / (1 ms) : mV"}})}, {"start", table({{"v", "0 mV"}})}})}}));
  net.set("arrays", table({{"drive", table({{"dt_ms", 1}, {"unit", "mV"}, {"values", List{1, 3}}})}}));
  const Program program(net, 1);
  State state = program.start();
  run(program, state, 4, *serial);
  std::vector<double> v(1);
  program.read(state, program.port("cell.v"), v);
  EXPECT_NEAR(v[0], 4, 1e-12);
  EXPECT_THROW(program.step(state, *serial), RunError);
}

/// One group reads an array of as many numbers as another has neurons, which has resets.
TEST(Ports, AnArrayMayBeForOneGroupAlone) {
  const Table reads =
      table({{"num", 3}, {"equations", table({{"dv/dt", "drive / (1 ms) : mV"}})}, {"start", table({{"v", "0 mV"}})}});
  const Table resets = table({{"num", 3},
                              {"equations", table({{"dv/dt", "1 mV/ms : mV"}})},
                              {"start", table({{"v", "0 mV"}})},
                              {"threshold", "v > 1.5 mV"},
                              {"reset", List{"v = 0 mV"}}});
  Table net = network(1, table({{"a", reads}, {"b", resets}}));
  net.set("arrays", table({{"drive", table({{"dt_ms", 1}, {"unit", "mV"}, {"num", 3}, {"values", List{1, 2, 3, 4, 5, 6}}})}}));
  const Program program(net, 1);
  State state = program.start();
  run(program, state, 2, *serial);
  std::vector<double> v(3);
  program.read(state, program.port("a.v"), v);
  EXPECT_NEAR(v[2], 9, 1e-12);
  EXPECT_THROW(program.step(state, *serial), RunError);
  program.read(state, program.port("b.v"), v);
  EXPECT_EQ(v[0], 0);  // as it was
}

TEST(Pace, CountsWhatIsLate) {
  const Program program(
      network(0.1, table({{"cell", table({{"equations", table({{"dv/dt", "0 mV/s : mV"}})}, {"start", table({{"v", "0 mV"}})}})}})),
      1);
  State state = program.start();
  ManualClock clock;
  clock.step_ns = 1000;
  std::int64_t k = 0;
  const Pace pace = run_paced(program, state, 100, 1, clock, *serial, {}, [&](State&) {
    if (k++ == 50) clock.advance_ns(350000);
  });
  EXPECT_EQ(pace.num_steps, 100);
  EXPECT_EQ(pace.num_missed,
            2);  // due 5.1 and 5.2 ms after the first, begun after 5.35; that of 5.3 ms is late by less than a step
  EXPECT_EQ(pace.lateness.count(), 100);
}

/// What a table of neurons is told.
std::string message(const Table& cell, const Table& synapses = {}) {
  try {
    Program(network(0.1, table({{"cell", cell}}), synapses), 1);
  } catch (const SpecError& error) {
    return error.what();
  }
  return "";
}

TEST(Texts, WrongOnesAreToldWhereAndWhy) {
  const auto with = [](const char* key, Value value) {
    Table cell = adex_cell("auto");
    cell.set(key, std::move(value));
    return cell;
  };
  const auto has = [](const std::string& text, const char* part) { EXPECT_NE(text.find(part), std::string::npos) << text; };
  has(message(with("start", table({{"v", "1 nA"}, {"w", "0 nA"}}))), "neurons.cell.start.v: must be in mV");
  has(message(with("start", table({{"v", "EL"}}))), "neurons.cell.start.w: must be given");
  has(message(with("threshold", "v")), "neurons.cell.threshold: must be a condition");
  has(message(with("reset", List{"u = 1"})), "neurons.cell.reset[0]: must be a change of a variable or a parameter");
  has(message(with("reset", List{"I += 1 nA"})), "own = [\"I\"]");
  has(message(with("method", "exact")), "neurons.cell.method: must be another one than exact");
  has(message(with("held", List{"v"})), "left out where nothing is refractory");
  has(message(with("equations", table({{"dv/dt", "v : mV"}, {"dw/dt", "0 nA/s : nA"}}))), "dv/dt: must be in mV / s");
  has(message(with("thershold", "v > 1 mV")), "Did you mean \"threshold\"");
  const auto joined = [](Table s) { return table({{"s", std::move(s)}}); };
  const Value all = table({{"probability", "1"}});
  has(message(adex_cell("auto"), joined(table({{"from", "cells"}, {"to", "cell"}, {"connect", all}}))), "Did you mean \"cell\"");
  has(message(adex_cell("auto"),
              joined(table({{"from", "cell"}, {"to", "cell"}, {"connect", all}, {"on_pre", List{"g_post += 1 nS"}}}))),
      "synapses.s.on_pre[0]");
  has(message(adex_cell("auto"), joined(table({{"from", "cell"}, {"to", "cell"}, {"connect", table({{"probability", "1.5"}})}}))),
      "between 0 and 1");
  has(message(adex_cell("auto"), joined(table({{"from", "cell"}, {"to", "cell"}, {"connect", table({})}}))), "must be one rule");
  has(message(adex_cell("auto"),
              joined(table({{"from", "cell"}, {"to", "cell"}, {"connect", all}, {"parameters", table({{"w", "v_pre"}})}}))),
      "synapses.s.parameters.w: must be the same for all");
  const auto late = [&](const char* key, const Value& value, const char* delay) {
    return message(adex_cell("auto"),
                   joined(table({{"from", "cell"}, {"to", "cell"}, {"connect", all}, {key, value}, {"delay", delay}})));
  };
  has(late("on_pre", List{"w_post += 1 nA"}, "-1 ms"), "synapses.s.delay: must be 0 ms or more");
  has(late("on_post", List{"w_post += 1 nA"}, "1 ms"), "synapses.s.delay: must be left out without on_pre");
  const auto path = [&](Table pathway) { return late("pathways", table({{"p", std::move(pathway)}}), ""); };
  has(path(table({{"event", "burst"}, {"change", List{"w_post += 1 nA"}}})),
      "synapses.s.pathways.p.event: must be an event of cell");
  has(path(table({{"from", "source"}})), "synapses.s.pathways.p.change: must be given");
  has(path(table({{"change", List{"u_post += 1"}}})), "synapses.s.pathways.p.change[0]");
}

}  // namespace
}  // namespace hartline::dynamics
