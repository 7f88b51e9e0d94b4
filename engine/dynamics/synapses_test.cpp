// Pathways of synapses: whose events reach them, and when.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "dynamics/program.hpp"
#include "dynamics/run.hpp"
#include "dynamics/test_runs.hpp"

namespace hartline::dynamics {
namespace {

const std::unique_ptr<Executor> serial = make_serial_executor();

/// Cells whose x changes with what synapses bring alone.
Table targets(int num) { return table({{"num", num}, {"equations", table({{"dx/dt", "0 / s"}})}, {"start", table({{"x", "0"}})}}); }

TEST(Pathways, EachHasItsDelay) {
  // one spike at 1 ms: 1 at once, 10 after 2 ms, and 100 after 3 ms + i, which differs between synapses
  const Table source = table({{"num", 3}, {"spike_times_ms", List{1.0, 1.0, 1.0}}, {"spike_neurons", List{0, 1, 2}}});
  const Table pathways = table({{"late", table({{"delay", "2 ms"}, {"change", List{"x_post += 10"}}})},
                                {"later", table({{"delay", "3 ms + i * 1 ms"}, {"change", List{"x_post += w"}}})}});
  const Table synapses = table({{"from", "source"},
                                {"to", "cells"},
                                {"connect", table({{"one_to_one", true}})},
                                {"parameters", table({{"w", "100 + i"}})},
                                {"on_pre", List{"x_post += 1"}},
                                {"pathways", pathways}});
  const Program program(network(1, table({{"source", source}, {"cells", targets(3)}}), table({{"s", synapses}})), 1);
  State state = program.start();
  const double wanted[][3] = {{0, 0, 0}, {1, 1, 1}, {1, 1, 1}, {11, 11, 11}, {111, 11, 11}, {111, 112, 11}, {111, 112, 113}};
  for (const auto& values : wanted) {
    program.step(state, *serial);
    const std::vector<double> x = row(program, state, "cells.x");
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(x[i], values[i]) << program.time_s(state) * 1e3 << " ms, cell " << i;
  }
}

TEST(Pathways, SpikesOfTargetsComeAfterDelaysOfTheirOwn) {
  // all to all; a target's spike at 2 ms is counted by each synapse when its own delay is over
  const Table sources = table({{"num", 2}, {"spike_times_ms", List{0.0}}, {"spike_neurons", List{0}}});
  const Table ends = table({{"num", 2}, {"spike_times_ms", List{2.0, 4.0}}, {"spike_neurons", List{1, 0}}});
  const Table synapses = table({{"from", "sources"},
                                {"to", "ends"},
                                {"connect", table({{"probability", "1"}})},
                                {"parameters", table({{"seen", "0"}})},
                                {"own", List{"seen"}},
                                {"on_post", List{"seen += 1"}},
                                {"delay_post", "1 ms + (2 * i + j) * 1 ms"}});
  const Program program(network(1, table({{"sources", sources}, {"ends", ends}}), table({{"s", synapses}})), 1);
  State state = program.start();
  std::vector<int> first(4, -1);
  for (int step = 0; step < 12; ++step) {
    program.step(state, *serial);
    const std::vector<double> seen = row(program, state, "s.seen");
    for (std::size_t k = 0; k < 4; ++k) {
      EXPECT_LE(seen[k], 1);
      if (seen[k] == 1 && first[k] < 0) first[k] = step;
    }
  }
  // synapses stand by source, then target: 0-0, 0-1, 1-0, 1-1
  EXPECT_EQ(first, (std::vector<int>{4 + 1, 2 + 2, 4 + 3, 2 + 4}));
}

TEST(Pathways, EventsOtherThanSpikesAreHandedOn) {
  Table cell = table({{"equations", table({{"dv/dt", "1 mV/ms : mV"}})}, {"start", table({{"v", "0 mV"}})}});
  cell.set("events", table({{"half", table({{"when", "v > 4.5 mV"}, {"change", List{"v = 0 mV"}}})}}));
  const Table synapses =
      table({{"from", "cell"},
             {"to", "cells"},
             {"connect", table({{"probability", "1"}})},
             {"pathways", table({{"p", table({{"event", "half"}, {"delay", "2 ms"}, {"change", List{"x_post += 1"}}})}})}});
  const Program program(network(1, table({{"cell", cell}, {"cells", targets(2)}}), table({{"s", synapses}})), 1);
  State state = program.start();
  for (int step = 0; step < 12; ++step) {
    program.step(state, *serial);
    const double wanted = step < 4 + 2 ? 0 : step < 9 + 2 ? 1 : 2;  // events in steps 4 and 9
    for (const double x : row(program, state, "cells.x")) EXPECT_EQ(x, wanted) << step;
  }
}

TEST(Pathways, ThreadsDoNotMatter) {
  Table net = cuba_network(3000, 0.05, "random * 3 ms");
  net.find("synapses")
      ->table()
      ->find("excitatory")
      ->table()
      ->set("pathways",
            table({{"second", table({{"delay", "random * 2 ms"}, {"change", List{"gi_post -= 0.1 mV * random"}}})},
                   {"back", table({{"from", "target"}, {"delay", "random * 1 ms"}, {"change", List{"ge_post += 0.01 mV"}}})}}));
  const Program program(net, 3);
  State one = program.start();
  for (int k = 0; k < 300; ++k) program.step(one, *serial);
  for (const int threads : {2, 8}) {
    State other = program.start();
    const auto executor = make_executor(threads);
    for (int k = 0; k < 300; ++k) program.step(other, *executor);
    EXPECT_EQ(std::memcmp(one.bytes().data(), other.bytes().data(), one.bytes().size()), 0) << threads;
  }
}

/// The second pathway has no delays, but synapses stand by those of the first: their targets do not rise.
TEST(Pathways, ThreadsDoNotMatterWhereTargetsStandInNoOrder) {
  const Table source = table({{"num", 400}, {"threshold", "random < 2"}});
  const Table synapses = table({{"from", "source"},
                                {"to", "cells"},
                                {"connect", table({{"probability", "0.5"}})},
                                {"on_pre", List{"x_post += 1"}},
                                {"delay", "random * 5 ms"},
                                {"pathways", table({{"now", table({{"change", List{"x_post += 1"}}})}})}});
  const Program program(network(1, table({{"source", source}, {"cells", targets(300)}}), table({{"s", synapses}})), 3);
  State one = program.start();
  for (int k = 0; k < 20; ++k) program.step(one, *serial);
  for (const int threads : {2, 3, 8}) {
    State other = program.start();
    const auto executor = make_executor(threads);
    for (int k = 0; k < 20; ++k) program.step(other, *executor);
    EXPECT_EQ(std::memcmp(one.bytes().data(), other.bytes().data(), one.bytes().size()), 0) << threads;
  }
}

TEST(Pathways, WhatFeedsBackGoesSpikeBySpike) {
  // each of 2,000 spikes goes half of the way to 1
  const Table source = table({{"num", 2000}, {"threshold", "random < 2"}});
  const Table synapses = table({{"from", "source"},
                                {"to", "cells"},
                                {"connect", table({{"probability", "1"}})},
                                {"on_pre", List{"x_post += 0.5 * (1 - x_post)"}}});
  const Program program(network(1, table({{"source", source}, {"cells", targets(3)}}), table({{"s", synapses}})), 1);
  State state = program.start();
  program.step(state, *serial);
  for (const double x : row(program, state, "cells.x")) EXPECT_EQ(x, 1);
}

TEST(Connect, APartOfAGroupDoesNotReachItself) {
  for (const char* rule : {"probability", "fixed_in", "fixed_out", "condition"}) {
    Table connect = table({{"to_itself", false}});
    if (std::string(rule) == "probability") connect.set("probability", "1");
    if (std::string(rule) == "condition") connect.set("condition", "i >= 0");
    if (std::string(rule) == "fixed_in") connect.set("fixed_in", 5);
    if (std::string(rule) == "fixed_out") connect.set("fixed_out", 8);
    const Table synapses = table({{"from", "cells[2:8]"}, {"to", "cells"}, {"connect", connect}});
    const Program program(network(1, table({{"cells", targets(10)}}), table({{"s", synapses}})), 1);
    const Wiring& wiring = program.synapses()[0].wiring;
    EXPECT_GE(wiring.num(), 48u) << rule;
    for (std::size_t k = 0; k < wiring.num(); ++k) EXPECT_NE(wiring.source[k], wiring.target[k]) << rule;
  }
}

TEST(Connect, StartsAndTheFirstStepDrawOtherNumbers) {
  const Table source = table({{"num", 50}, {"threshold", "random < 2"}});
  const Table synapses = table({{"from", "source"},
                                {"to", "cells"},
                                {"connect", table({{"one_to_one", true}})},
                                {"parameters", table({{"w", "random"}, {"u", "0"}})},
                                {"own", List{"u"}},
                                {"on_pre", List{"u = random"}}});
  const Program program(network(1, table({{"source", source}, {"cells", targets(50)}}), table({{"s", synapses}})), 1);
  State state = program.start();
  program.step(state, *serial);
  const std::vector<double> w = row(program, state, "s.w"), u = row(program, state, "s.u");
  for (std::size_t k = 0; k < w.size(); ++k) EXPECT_NE(w[k], u[k]);
}

TEST(Inputs, HaveRandomNumbersOfTheirOwn) {
  Table net = network(1, table({{"cells", table({{"num", 1000},
                                                 {"equations", table({{"dx/dt", "0 / s"}, {"dy/dt", "0 / s"}})},
                                                 {"start", table({{"x", "0"}, {"y", "0"}})}})}}));
  const auto input = [](const char* adds) {
    return table({{"to", "cells"}, {"adds", adds}, {"weight", "randn"}, {"rate", "5000 Hz"}});
  };
  net.set("inputs", table({{"a", input("x")}, {"b", input("y")}}));
  const Program program(net, 1);
  State state = program.start();
  program.step(state, *serial);
  const std::vector<double> x = row(program, state, "cells.x"), y = row(program, state, "cells.y");
  double xy = 0, xx = 0, yy = 0;
  for (std::size_t k = 0; k < x.size(); ++k) xy += x[k] * y[k], xx += x[k] * x[k], yy += y[k] * y[k];
  EXPECT_LT(std::abs(xy / std::sqrt(xx * yy)), 5 / std::sqrt(1000.0));  // false alarm 6e-7
}

TEST(Methods, WhatIsNotFiniteInASynapseEndsTheRunBeforeTheStep) {
  // two sets: the first goes on, the second has one synapse that explodes at 1 s; spikes come all the time
  const auto growing = [](const char* slope, const char* start) {
    return table({{"from", "source"},
                  {"to", "cells"},
                  {"connect", table({{"one_to_one", true}})},
                  {"equations", table({{"dx/dt", slope}})},
                  {"start", table({{"x", start}})},
                  {"method", "every_step"},
                  {"on_pre", List{"x_post += 1"}}});
  };
  const Table synapses =
      table({{"calm", growing("(1 - x) / (1 s)", "0")}, {"wild", growing("x^2 / (1 s)", "where(i == 1, 1, 0)")}});
  Table source = table({{"num", 2}, {"threshold", "random < 2"}});
  const Program program(network(10, table({{"source", source}, {"cells", targets(2)}}), synapses), 1);
  State state = program.start();
  const char* const names[] = {"cells.x", "calm.x", "wild.x"};
  std::vector<std::vector<double>> before(3);
  try {
    for (int k = 0; k < 200; ++k) {
      for (std::size_t n = 0; n < 3; ++n) before[n] = row(program, state, names[n]);
      program.step(state, *serial);
    }
    FAIL();
  } catch (const RunError& error) {
    EXPECT_NE(std::string(error.what()).find("synapses.wild.x[1]: must be finite"), std::string::npos) << error.what();
    EXPECT_GT(before[2][1], 100);
    for (std::size_t n = 0; n < 3; ++n) EXPECT_EQ(row(program, state, names[n]), before[n]) << names[n];
  }
}

TEST(Methods, LinearCellsSayThatWhatIsNotFiniteCameFromOutside) {
  const Table cell = table({{"num", 2}, {"equations", table({{"dx/dt", "-x / (10 ms)"}})}, {"start", table({{"x", "1"}})}});
  const Table synapses =
      table({{"from", "source"}, {"to", "cells"}, {"connect", table({{"one_to_one", true}})}, {"on_pre", List{"x_post += 1 / i"}}});
  const Table source = table({{"num", 2}, {"spike_times_ms", List{3.0, 3.0}}, {"spike_neurons", List{0, 1}}});
  const Program program(network(1, table({{"source", source}, {"cells", cell}}), table({{"s", synapses}})), 1);
  State state = program.start();
  try {
    run(program, state, 10, *serial);
    FAIL();
  } catch (const RunError& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("neurons.cells.x[0]: must be finite (got inf)"), std::string::npos) << text;
    EXPECT_NE(text.find("At 5 ms, step 4. The equations are linear: synapses, inputs, resets or parameters brought it"),
              std::string::npos)
        << text;
  }
}

TEST(Methods, WhatIsNotLinearGoesOnEveryStep) {
  // x' = x (1 - x) of each synapse needs nothing from outside and has a closed form, but no exact step between spikes
  const Table source = table({{"spike_times_ms", List{0.0}}, {"spike_neurons", List{0}}});
  const auto synapses = [](const char* method) {
    return table({{"s", table({{"from", "source"},
                               {"to", "cells"},
                               {"connect", table({{"one_to_one", true}})},
                               {"equations", table({{"dx/dt", "x * (1 - x) / (1 s)"}})},
                               {"start", table({{"x", "0.1"}})},
                               {"method", method},
                               {"on_pre", List{"x_post += x"}}})}});
  };
  const Table neurons = table({{"source", source}, {"cells", targets(1)}});
  const Program program(network(10, neurons, synapses("auto")), 1);
  EXPECT_EQ(program.synapses()[0].reason, "variables go on every step, by rk4");
  State state = program.start();
  run(program, state, 200, *serial);
  EXPECT_NEAR(row(program, state, "s.x")[0], 1 / (1 + 9 * std::exp(-2.0)), 1e-8);
  try {
    const Program refused(network(10, neurons, synapses("event")), 1);
    FAIL();
  } catch (const SpecError& error) {
    EXPECT_NE(std::string(error.what()).find("every_step"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace hartline::dynamics
