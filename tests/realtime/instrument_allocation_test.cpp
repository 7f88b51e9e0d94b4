// Whether instruments allocate once a trial has begun.
#include <gtest/gtest.h>

#include "counted_allocations.hpp"
#include "instruments/calcium_imaging.hpp"
#include "instruments/current_clamp.hpp"
#include "instruments/electrode.hpp"
#include "instruments/light.hpp"
#include "instruments/spikes.hpp"
#include "instruments/test_subjects.hpp"
#include "instruments/voltage_clamp.hpp"
#include "instruments/voltage_imaging.hpp"

namespace hartline::instruments {
namespace {

template <class Work>
std::int64_t allocations(Work&& work) {
  realtime::begin_to_count();
  work();
  std::int64_t num = 0;
  for (const realtime::ThreadCount& count : realtime::end_to_count()) num += count.num;
  return num;
}

TEST(Instruments, ObserveWithoutAllocating) {
#ifdef HARTLINE_SANITIZED
  GTEST_SKIP() << "a sanitizer has its own malloc, which cannot be counted";
#endif
  Table cells = poisson_cells(20, 100);
  cells.find("cells")->table()->set("parameters", table({{"I", "0 nA"}}));
  cells.find("cells")->table()->set("own", List{"I"});
  const Program program(network(0.1, cells), 1);
  const std::vector<double> places(60, 1);
  std::vector<std::unique_ptr<Sensor>> all;
  all.push_back(make_spike_sensor(
      program, {.of = "cells", .jitter_ms = 1, .miss_probability = 0.1, .miss_time_ms = 1, .merge_ms = 1, .false_rate_hz = 50},
      {}));
  all.push_back(make_electrode(program,
                               {.current = "cells.I",
                                .cells_um = places,
                                .electrodes_um = {9, 9, 9},
                                .resistance_mohm = 1,
                                .flicker_uv = 1,
                                .high_pass_hz = 300,
                                .low_pass_hz = 3000,
                                .artefact_of = "cells.I"},
                               {}));
  all.push_back(make_electrode(program, {.spikes = "cells", .cells_um = places, .electrodes_um = {9, 9, 9}}, {}));
  all.push_back(make_voltage_imaging(program, {.voltage = "cells.v", .camera = {.read_noise_photons = 1}}, round_indicator(), {}));
  all.push_back(make_calcium_imaging(
      program, {.of = "cells", .camera = {.frame_rate_hz = 100}, .neuropil_share = 1, .neuropil_sd = 1, .motion_um = 1}, {}));
  for (std::size_t k = 0; k < all.size(); ++k) {
    State state = program.start();
    InstrumentState own = all[k]->start();
    run_trial(program, state, *all[k], own, 0, 30);
    Response out;
    all[k]->read(own, out);
    all[k]->begin(state, own, 1, 300);
    EXPECT_EQ(allocations([&] {
                for (int step = 0; step < 300; ++step) {
                  program.step(state, alone());
                  all[k]->observe(state, own);
                }
                all[k]->read(own, out);
              }),
              0)
        << k;
  }
}

TEST(Instruments, DriveWithoutAllocating) {
#ifdef HARTLINE_SANITIZED
  GTEST_SKIP() << "a sanitizer has its own malloc, which cannot be counted";
#endif
  Table cells = held_cells(2);
  cells.find("cells")->table()->set("parameters", table({{"I", "0 nA"}, {"light", "0 mW/mm^2 : mW/mm^2"}}));
  cells.find("cells")->table()->set("own", List{"I", "light"});
  const Program program(network(0.1, cells), 1);
  std::vector<std::pair<std::unique_ptr<Actuator>, Stimulus>> all;
  const Stimulus numbers{Array{{3}, {1, 2, 3}}, {}}, pattern{Pattern{{0, 1}, {1, 2}, 1, 20, 100}, {}};
  all.emplace_back(make_current_clamp(program, {.current = "cells.I", .shape = "ramps", .segment_ms = 5, .noise_sd = 1}), numbers);
  all.emplace_back(make_voltage_clamp(program, {.voltage = "cells.v", .current = "cells.I", .lag_ms = 0.5, .segment_ms = 5}),
                   numbers);
  all.emplace_back(make_light(program, {.light = "cells.light", .cells_um = {0, 0, 0, 1, 0, 0}}), pattern);
  all.emplace_back(make_photocurrent(program, {.current = "cells.I"}, round_indicator()), numbers);
  for (std::size_t k = 0; k < all.size(); ++k) {
    State state = program.start();
    InstrumentState own = all[k].first->start();
    all[k].first->begin(state, own, 0, all[k].second);
    EXPECT_EQ(allocations([&] {
                for (int step = 0; step < 300; ++step) all[k].first->drive(state, own), state.next_step();
              }),
              0)
        << k;
  }
}

}  // namespace
}  // namespace hartline::instruments
