// What a run with a belief by samples writes down besides its trials.
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.hpp"
#include "io/memory_record.hpp"
#include "io/toml.hpp"
#include "loop/run.hpp"

namespace hartline::loop {
namespace {

io::MemoryRecord run_of(const std::string& text) {
  io::MemoryRecord record;
  const auto executor = make_serial_executor();
  const auto experiment = build(read_spec(io::parse_toml(text, "test.toml"), "test.toml"), "", 1, *executor);
  const SteadyClock clock;
  Run run(*experiment, record, clock);
  run.go();
  run.finish();
  return record;
}

int number_of(const io::MemoryRecord& record, const char* kind) {
  int out = 0;
  for (const Event& event : record.events()) out += event.kind == kind;
  return out;
}

constexpr const char* two = R"toml(
format = 1
seed = 1
num_trials = 8
[stimulus]
x = "range(0.5, 2, 0.5)"
[model]
response = ["r ~ normal(a * x, noise)", "s ~ normal(b * x, noise)"]
noise = "NOISE"
[model.parameters]
a = "normal(0, 1)"
b = "normal(0, 1)"
[belief]
kind = "particles"
num_particles = 600
)toml";

std::string with_noise(const char* noise) {
  std::string text = two;
  return text.replace(text.find("NOISE"), 5, noise);
}

TEST(Samples, ErrorsOfDrawnUtilitiesAreInTheRecord) {
  const io::MemoryRecord record = run_of(with_noise("0.5"));
  const auto errors = record.arrays("utility_error");
  ASSERT_EQ(errors.size(), 8u);
  for (const auto& [trial, error] : errors) EXPECT_GT(error.values[0], 0) << trial;
}

TEST(Samples, AUtilityAtItsLimitIsToldOnce) {
  EXPECT_EQ(number_of(run_of(with_noise("1e-4")), "drawn"), 1);
  EXPECT_EQ(number_of(run_of(with_noise("0.5")), "drawn"), 0);
}

TEST(Samples, HealthOfParticlesIsInTheRecordEveryTrial) {
  const io::MemoryRecord record = run_of(with_noise("0.1"));
  const auto health = record.arrays("particles");
  ASSERT_EQ(health.size(), 8u);
  double stages = 0;
  for (const auto& [trial, array] : health) {
    EXPECT_GE(array.values[0], 1) << trial;
    EXPECT_LE(array.values[0], 600.5) << trial;
    EXPECT_GE(array.values[1], 1) << trial;
    stages += array.values[3];
  }
  EXPECT_GT(stages, 0);
}

/// A truth beyond the values of a grid that does not follow.
TEST(Samples, BordersOfAGridAreWatched) {
  const std::string text = R"toml(
format = 1
seed = 1
num_trials = 12
subject = { truth = "values", values = [6.0] }
[stimulus]
x = "range(0.5, 2, 0.5)"
[model]
response = "r ~ normal(a * x, 0.2)"
[model.parameters]
a = "normal(0, 1)"
[belief]
num_values = 12
)toml";
  EXPECT_EQ(number_of(run_of(text), "border"), 1);
  std::string inside = text;
  inside.replace(inside.find("6.0"), 3, "0.3");
  EXPECT_EQ(number_of(run_of(inside), "border"), 0);
}

}  // namespace
}  // namespace hartline::loop
