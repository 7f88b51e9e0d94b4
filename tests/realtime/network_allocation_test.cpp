// Whether a network's steps allocate once they are warm.
#include <gtest/gtest.h>

#include "base/threads.hpp"
#include "counted_allocations.hpp"
#include "dynamics/program.hpp"
#include "dynamics/test_networks.hpp"

namespace hartline::dynamics {
namespace {

TEST(Network, StepsWithoutAllocating) {
#ifdef HARTLINE_SANITIZED
  GTEST_SKIP() << "a sanitizer has its own malloc, which cannot be counted";
#endif
  Table plastic = cuba_network(400, 0.1, "random * 2 ms");
  const Table rule = table({{"from", "cells"},
                            {"to", "cells"},
                            {"connect", table({{"probability", "0.05"}})},
                            {"equations", table({{"dx/dt", "-x / (20 ms)"}})},
                            {"start", table({{"x", "0"}})},
                            {"parameters", table({{"w", "1 mV * random"}})},
                            {"on_pre", List{"x += 1", "ge_post += 0.01 * w"}},
                            {"on_post", List{"w += 0.01 mV * x"}}});
  plastic.find("synapses")->table()->set("plastic", rule);
  plastic.find("neurons")->table()->set("squid", squid_cell("rodas4"));
  plastic.set("inputs",
              table({{"noise", table({{"to", "cells"}, {"adds", "ge"}, {"weight", "0.1 mV"}, {"rate", "20 Hz"}, {"num", 100}})}}));
  for (const int num_threads : {1, 2}) {
    const auto executor = num_threads == 1 ? make_serial_executor() : make_executor(num_threads);
    const Program program(num_threads == 1 ? plastic : cuba_network(6000, 0.02), 1);
    State state = program.start();
    for (int k = 0; k < 1000; ++k) program.step(state, *executor);
    realtime::begin_to_count();
    std::size_t num_spikes = 0;
    for (int k = 0; k < 2000; ++k) {
      program.step(state, *executor);
      num_spikes += program.happened(state, {0, 0}).size();
    }
    std::int64_t num = 0;
    for (const realtime::ThreadCount& count : realtime::end_to_count()) num += count.num;
    EXPECT_EQ(num, 0) << num_threads << " threads";
    EXPECT_GT(num_spikes, 100u);
  }
}

}  // namespace
}  // namespace hartline::dynamics
