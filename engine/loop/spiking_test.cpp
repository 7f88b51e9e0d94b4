#include "loop/spiking.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "io/toml.hpp"
#include "loop/experiment.hpp"

namespace hartline::loop {
namespace {

constexpr const char* noisy_cell = R"toml(
format = 1
seed = 3
num_trials = 20
[subject]
kind = "spiking"
trial_ms = 100
settle_ms = 50
read = "sum"
[subject.network.neurons.cell]
model = "lif"
[subject.network.neurons.cell.equations]
"dv/dt" = "(EL - v + R * I) / tau + 10 mV * sqrt(2 / tau) * xi : mV"
[subject.actuator]
kind = "current_clamp"
current = "cell.I"
segment_ms = 100
[subject.sensor]
kind = "spikes"
of = "cell"
bin_ms = 50
[stimulus]
current = "range(0, 600, 50) : pA"
[model]
response = "n ~ poisson(rate * window)"
rate = "gain * softplus((current - middle) / (100 pA)) : Hz"
window = "100 ms"
[model.parameters]
middle = "uniform(0, 500) : pA"
gain = "lognormal(log(20), 0.5) : Hz"
)toml";

std::string with(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

struct Built {
  std::unique_ptr<Executor> executor = make_serial_executor();
  std::unique_ptr<Experiment> experiment;
  explicit Built(const std::string& text, std::uint64_t seed = 3)
      : experiment(build(read_spec(io::parse_toml(text, "test.toml"), "test.toml"), "", seed, *executor)) {}
};

std::string message_of(const std::string& text) {
  try {
    Built built(text);
  } catch (const SpecError& error) {
    return error.what();
  }
  return "no error";
}

double answer(Subject& subject, std::int64_t index, double current_pa) {
  Trial trial;
  trial.index = index;
  trial.token = static_cast<std::uint64_t>(index) + 1;
  subject.request(trial);
  present_and_wait(subject, {&current_pa, 1}, trial);
  EXPECT_EQ(trial.response.kind, ResponseKind::counts);
  EXPECT_EQ(trial.response.num_bins, 1);
  EXPECT_EQ(trial.response.marks, (std::vector<Mark>{Mark::observed}));
  EXPECT_EQ(trial.requested.time_ns, index * 100'000'000);
  return trial.response.values[0];
}

TEST(Spiking, ATrialPresentedAgainAnswersAsBefore) {
  const Built built(noisy_cell);
  const auto one = make_spiking_subject(built.experiment->spiking), other = make_spiking_subject(built.experiment->spiking);
  std::vector<double> first, second;
  for (std::int64_t k = 0; k < 10; ++k) {
    const double current = 60.0 * static_cast<double>(k);
    first.push_back(answer(*one, k, current));
    answer(*other, k, 0);  // interrupted, then shown again with what was meant
    second.push_back(answer(*other, k, current));
  }
  EXPECT_EQ(first, second);
  EXPECT_GT(first.back(), first.front());
  EXPECT_NE(answer(*make_spiking_subject(Built(noisy_cell, 4).experiment->spiking), 0, 300),
            answer(*make_spiking_subject(Built(noisy_cell, 5).experiment->spiking), 0, 300))
      << "another seed is another life";
}

/// Without noise the count is that of the closed form: T = τ log((R I + EL - VR) / (R I + EL - VT)) + refractory.
TEST(Spiking, StimuliReachTheCellInTheirUnit) {
  const Built built(with(noisy_cell, " + 10 mV * sqrt(2 / tau) * xi", ""));
  const auto subject = make_spiking_subject(built.experiment->spiking);
  answer(*subject, 0, 400);  // from rest
  const double drive = 100e6 * 400e-12 * 1e3, period = 20 * std::log((drive - 5) / (drive - 20)) + 2;
  double spikes = 0;
  for (std::int64_t k = 1; k <= 20; ++k) spikes += answer(*subject, k, 400);
  EXPECT_NEAR(spikes, 2000 / period, 0.02 * 2000 / period);  // of a step of 0.1 ms each period is some .1 ms longer
}

/// What only a later stimulus shows ends the run there, with its trial.
TEST(Spiking, AStimulusBeyondTheAmplifierIsARunError) {
  const Built built(with(noisy_cell, "segment_ms = 100", "segment_ms = 100\nlimit = 0.5"));
  const auto subject = make_spiking_subject(built.experiment->spiking);
  answer(*subject, 0, 500);
  try {
    answer(*subject, 1, 600);
    FAIL() << "0.6 nA is beyond 0.5 nA";
  } catch (const RunError& error) {
    EXPECT_EQ(error.trial, 1);
    EXPECT_NE(std::string(error.what()).find("at most 0.5 nA"), std::string::npos) << error.what();
  }
}

/// A cell with channelrhodopsin spikes more with more light, and not in the dark.
TEST(Spiking, LightReachesACellThroughAnOpsin) {
  std::string text = noisy_cell;
  using Change = std::pair<const char*, const char*>;
  for (const auto& [from, to] :
       {Change{"model = \"lif\"", "model = \"lif\"\nopsin = \"chr2\""},
        {"R * I) / tau + 10 mV * sqrt(2 / tau) * xi", "R * (I - I_opsin)) / tau"},
        {"kind = \"current_clamp\"\ncurrent = \"cell.I\"\nsegment_ms = 100",
         "kind = \"light\"\nlight = \"cell.light\"\ncells_um = [0, 0, 0]\ntargets = [0]\nduration_ms = 100"},
        {"current = \"range(0, 600, 50) : pA\"", "power = \"range(0, 2, 0.1) : uW\""},
        {"(current - middle) / (100 pA)", "(power - middle) / (100 nW)"},
        {"uniform(0, 500) : pA", "uniform(0, 500) : nW"}})
    text = with(text, from, to);
  const Built built(text);
  const auto subject = make_spiking_subject(built.experiment->spiking);
  EXPECT_EQ(answer(*subject, 0, 0), 0);
  const double little = answer(*subject, 5, 0.05), more = answer(*subject, 10, 2);
  EXPECT_GT(little, 0);
  EXPECT_GT(more, little);
  EXPECT_NE(
      message_of(with(text, "\"chr2\"", "\"chr3\"")).find("subject.network.neurons.cell.opsin: must be a name of library/opsins"),
      std::string::npos);
  EXPECT_NE(
      message_of(with(text, "R * (I - I_opsin)", "R * I")).find("subject.network.neurons.cell.equations: must be with I_opsin"),
      std::string::npos);
  EXPECT_NE(message_of(with(text, "targets = [0]\n", "")).find("With targets it takes numbers"), std::string::npos);
}

TEST(Spiking, WhatDoesNotFitIsRefused) {
  EXPECT_NE(message_of(with(noisy_cell, "read = \"sum\"\n", "")).find("subject.sensor: must be responses of 1 x 1"),
            std::string::npos);
  EXPECT_NE(message_of(with(noisy_cell, "read = \"sum\"\n", "")).find("subject.read"), std::string::npos);
  std::string volts = noisy_cell;
  for (std::size_t at = 0; (at = volts.find("pA")) != std::string::npos;) volts.replace(at, 2, "mV");
  EXPECT_NE(message_of(volts).find("stimulus: must be in a unit that the actuator takes, such as nA (got \"mV\")"),
            std::string::npos);
  EXPECT_NE(message_of(with(noisy_cell, "\"lif\"", "\"liv\"")).find("Did you mean \"lif\"?"), std::string::npos);
  EXPECT_NE(message_of(with(noisy_cell, "\"lif\"", "\"liv\"")).find("subject.network.neurons.cell.model"), std::string::npos);
  EXPECT_NE(message_of(with(noisy_cell, "read = \"sum\"", "read = \"sum\"\nlapse = 0.1")).find("subject.lapse"), std::string::npos);
  EXPECT_NE(message_of(with(noisy_cell, "settle_ms = 50\nread = \"sum\"", "read = \"change\"")).find("subject.settle_ms"),
            std::string::npos);
  EXPECT_NE(message_of(with(noisy_cell, "trial_ms = 100", "trial_ms = 100.05")).find("subject.trial_ms"), std::string::npos);
  EXPECT_NE(message_of(with(noisy_cell, "[subject.sensor]\nkind = \"spikes\"\nof = \"cell\"\nbin_ms = 50\n", ""))
                .find("subject.sensor: must be given"),
            std::string::npos);
  EXPECT_NE(message_of(with(noisy_cell, "trial_ms = 100", "trial_ms = 50")).find("subject.trial_ms"), std::string::npos);
}

}  // namespace
}  // namespace hartline::loop
