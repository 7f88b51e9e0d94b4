#include <gtest/gtest.h>

#include "base/error.hpp"
#include "instruments/calcium_imaging.hpp"
#include "instruments/electrode.hpp"
#include "instruments/instruments.hpp"
#include "instruments/spikes.hpp"
#include "instruments/test_subjects.hpp"
#include "instruments/voltage_imaging.hpp"

namespace hartline::instruments {
namespace {

constexpr int num_cells = 300;

std::vector<std::unique_ptr<Sensor>> sensors(const Program& program, std::uint64_t seed = 11) {
  std::vector<double> places;
  for (int k = 0; k < num_cells; ++k) places.insert(places.end(), {10.0 * k, 5, 0});
  std::vector<std::unique_ptr<Sensor>> out;
  out.push_back(make_spike_sensor(
      program, {.of = "cells", .jitter_ms = 1, .miss_probability = 0.2, .miss_time_ms = 3, .merge_ms = 2, .false_rate_hz = 5},
      {seed, 0}));
  out.push_back(make_electrode(program,
                               {.spikes = "cells",
                                .cells_um = places,
                                .electrodes_um = {0, 0, 0, 500, 0, 20},
                                .resistance_mohm = 1,
                                .flicker_uv = 2,
                                .high_pass_hz = 300,
                                .low_pass_hz = 3000,
                                .sample_ms = 0.2},
                               {seed, 1}));
  out.push_back(
      make_voltage_imaging(program, {.voltage = "cells.v", .camera = {.read_noise_photons = 2}}, round_indicator(), {seed, 2}));
  out.push_back(make_calcium_imaging(
      program, {.of = "cells", .camera = {.frame_rate_hz = 100}, .neuropil_share = 0.5, .neuropil_sd = 0.2, .motion_um = 1},
      {seed, 3}));
  return out;
}

struct Subject {
  State state;
  std::vector<InstrumentState> own;
};

Subject start(const Program& program, const std::vector<std::unique_ptr<Sensor>>& all) {
  Subject out{program.start(), {}};
  for (const auto& sensor : all) out.own.push_back(sensor->start());
  return out;
}

/// Responses of all sensors to a trial.
std::vector<std::vector<double>> go_on(const Program& program, const std::vector<std::unique_ptr<Sensor>>& all, Subject& subject,
                                       std::int64_t trial, Executor& executor) {
  for (std::size_t k = 0; k < all.size(); ++k) all[k]->begin(subject.state, subject.own[k], trial, 300);
  for (int step = 0; step < 300; ++step) {
    program.step(subject.state, executor);
    for (std::size_t k = 0; k < all.size(); ++k) all[k]->observe(subject.state, subject.own[k]);
  }
  std::vector<std::vector<double>> out;
  for (std::size_t k = 0; k < all.size(); ++k) {
    Response response;
    all[k]->read(subject.own[k], response);
    EXPECT_EQ(response.values.size(), static_cast<std::size_t>(response.num_cells * response.num_bins));
    out.push_back(response.values);
  }
  return out;
}

TEST(Instruments, ForkIsNoFork) {
  const Program program(dynamics::cuba_network(num_cells, 0.1), 3);
  const auto all = sensors(program);
  Subject subject = start(program, all);
  go_on(program, all, subject, 0, alone());
  for (std::size_t k = 0; k < all.size(); ++k) all[k]->begin(subject.state, subject.own[k], 1, 300);
  for (int step = 0; step < 123; ++step) {  // in the middle of a trial
    program.step(subject.state, alone());
    for (std::size_t k = 0; k < all.size(); ++k) all[k]->observe(subject.state, subject.own[k]);
  }
  const auto finish = [&](Subject copy) {
    for (int step = 123; step < 300; ++step) {
      program.step(copy.state, alone());
      for (std::size_t k = 0; k < all.size(); ++k) all[k]->observe(copy.state, copy.own[k]);
    }
    return copy;
  };
  const Subject fork = finish(subject), other = finish(subject);
  EXPECT_EQ(fork.own, other.own);
  EXPECT_NE(fork.own, subject.own);
  Subject a = fork, b = other;
  EXPECT_EQ(go_on(program, all, a, 2, alone()), go_on(program, all, b, 2, alone()));
}

TEST(Instruments, ThreadsDoNotMatter) {
  const Program program(dynamics::cuba_network(num_cells, 0.1), 3);
  const auto all = sensors(program);
  const auto responses = [&](Executor& executor) {
    Subject subject = start(program, all);
    go_on(program, all, subject, 0, executor);
    return go_on(program, all, subject, 1, executor);
  };
  const auto once = responses(alone());
  for (const int num : {2, 8}) EXPECT_EQ(once, responses(*make_executor(num))) << num;
}

TEST(Instruments, NoiseIsOfItsSeedTrialAndNumber) {
  const Program program(dynamics::cuba_network(num_cells, 0.1), 3);
  const auto all = sensors(program), others = sensors(program, 12);
  Subject subject = start(program, all);
  go_on(program, all, subject, 0, alone());
  Subject a = subject, b = subject, c = subject;
  const auto first = go_on(program, all, a, 1, alone()), other_trial = go_on(program, all, b, 2, alone()),
             other_seed = go_on(program, others, c, 1, alone());
  for (std::size_t k = 0; k < all.size(); ++k) {
    EXPECT_NE(first[k], other_trial[k]) << k;
    EXPECT_NE(first[k], other_seed[k]) << k;
  }
}

TEST(Instruments, TellTheirDelayAndCost) {
  const Program program(dynamics::cuba_network(10, 0.1), 3);
  const Terms terms = make_spike_sensor(program, {.of = "cells", .delay_ms = 7, .cost = 2}, {})->terms();
  EXPECT_EQ(terms.delay_ms, 7);
  EXPECT_EQ(terms.cost, 2);
}

/// An indicator as its file has it.
Table table_of(const Indicator& indicator) {
  Table out;
  Indicator::describe([&](const char* name, auto member, const char* unit, auto&&...) {
    if constexpr (std::is_same_v<decltype(member), Sourced Indicator::*>)
      out.set(name, table({{"value", (indicator.*member).value}, {"unit", unit}, {"source", (indicator.*member).source}}));
    else
      out.set(name, indicator.*member);
  });
  return out;
}

TEST(Instruments, AreMadeFromTheirTables) {
  Table cells = held_cells(2);
  cells.find("cells")->table()->set("parameters", table({{"I", "0 nA"}, {"light", "0 mW/mm^2 : mW/mm^2"}}));
  cells.find("cells")->table()->set("own", List{"I", "light"});
  cells.find("cells")->table()->set("threshold", "v > 0 mV");
  const Program program(network(0.1, cells), 3);
  const Value places = numbers({0, 0, 0, 10, 0, 0});
  const Table indicator = table_of(round_indicator());
  const auto sensor = [&](Table t) { return make_sensor(program, t, {})->terms(); };
  sensor(table({{"kind", "spikes"}, {"of", "cells"}}));
  sensor(table({{"kind", "electrode"}, {"current", "cells.I"}, {"cells_um", places}, {"electrodes_um", List{5, 5, 5}}}));
  sensor(table({{"kind", "calcium_imaging"}, {"of", "cells"}, {"camera", table({{"frame_rate_hz", 50}})}}));
  EXPECT_EQ(
      sensor(table({{"kind", "voltage_imaging"}, {"voltage", "cells.v"}, {"indicator", indicator}, {"delay_ms", 3}})).delay_ms, 3);
  const auto actuator = [&](Table t) { return make_actuator(program, t)->terms(); };
  actuator(table({{"kind", "current_clamp"}, {"current", "cells.I"}}));
  actuator(table({{"kind", "voltage_clamp"}, {"voltage", "cells.v"}, {"current", "cells.I"}}));
  actuator(table({{"kind", "light"}, {"light", "cells.light"}, {"cells_um", places}}));
  actuator(table({{"kind", "photocurrent"}, {"current", "cells.I"}, {"indicator", indicator}}));
  const auto message = [](auto&& make) {
    try {
      make();
    } catch (const SpecError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_NE(message([&] {
              sensor(table({{"kind", "spike"}, {"of", "cells"}}));
            }).find("Did you mean \"spikes\""),
            std::string::npos);
  EXPECT_NE(message([&] {
              sensor(table({{"kind", "spikes"}, {"of", "cells"}, {"jitter", 1}}));
            }).find("sensor.jitter"),
            std::string::npos);
  EXPECT_NE(message([&] { sensor(table({{"of", "cells"}})); }).find("sensor.kind"), std::string::npos);
  EXPECT_NE(message([&] {
              sensor(table({{"kind", "voltage_imaging"}, {"voltage", "cells.v"}}));
            }).find("sensor.indicator: must be given"),
            std::string::npos);
}

}  // namespace
}  // namespace hartline::instruments
