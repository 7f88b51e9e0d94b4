// Ring: small experiments of every kind, and what a run of one leaves behind.
#pragma once

#include <bit>
#include <functional>
#include <string>
#include <vector>

#include "../proof/proof.hpp"
#include "io/memory_record.hpp"
#include "io/record_reader.hpp"
#include "io/run_record.hpp"
#include "io/temporary_folder.hpp"
#include "loop/run.hpp"

namespace hartline::laws {

struct Case {
  std::string name, text;
};

inline std::string head(std::int64_t num_trials) { return fmt::format("format = 1\nseed = 1\nnum_trials = {}\n", num_trials); }

/// d = 48 lies above the size to which the search diagonalises, 12 below.
inline Case ball(std::int64_t num_trials, int dim = 48) {
  return {fmt::format("ball of {} dimensions", dim),
          head(num_trials) +
              fmt::format("[stimulus]\nkind = \"ball\"\nshape = [{}]\n[model]\nkind = \"glm\"\n[belief]\nprior_sd = 0.4\n", dim)};
}

/// 1,500 members are six blocks of work.
inline Case pool(std::int64_t num_trials) {
  return {"pool", head(num_trials) +
                      "[stimulus]\nkind = \"random_pool\"\nshape = [16]\nnum = 1500\npower = 4.0\n"
                      "[model]\nkind = \"glm\"\nlink = \"softplus\"\nbias = true\n"
                      "[belief]\nprior_sd = 0.5\ndrift_per_s = 0.001\n"};
}

inline Case grid(std::int64_t num_trials) {
  return {"grid", head(num_trials) +
                      "[stimulus]\nkind = \"axis\"\naxis = { from = -40, to = 0, num = 201 }\n"
                      "[model]\nkind = \"psychometric\"\n"
                      "threshold = { from = -40, to = 0, num = 81 }\nslope = { from = 2, to = 5, num = 7 }\n"
                      "guess = { values = [0.5] }\nlapse = { values = [0, 0.02, 0.04] }\n"
                      "[design]\nutility = \"mutual_information\"\n"};
}

inline Case counts_grid(std::int64_t num_trials) {
  return {"grid of tuning curves", head(num_trials) +
                                       "[stimulus]\nkind = \"axis\"\naxis = { from = -10, to = 10, num = 81 }\n"
                                       "[model]\nkind = \"tuning_curve\"\n"
                                       "centre = { from = -9, to = 9, num = 19 }\nwidth = { values = [1, 2, 4] }\n"
                                       "amplitude = { values = [5, 10, 20] }\n"
                                       "baseline = { values = [0.5, 2] }\n[design]\nutility = \"mutual_information\"\n"};
}

/// A sorter that loses spikes: half of the responses are censored, and each averages over nodes outside the tables.
inline Case censored_grid(std::int64_t num_trials) {
  Case c = counts_grid(num_trials);
  return {"grid of tuning curves, spikes lost", c.text + "[subject]\nsorter_limit = 3.0\nlost = \"censored\"\n"};
}

inline Case random_design(std::int64_t num_trials) {
  return {"random", head(num_trials) +
                        "[stimulus]\nkind = \"ball\"\nshape = [12]\n[model]\nkind = \"glm\"\nresponse = \"bernoulli\"\n"
                        "link = \"logistic\"\n[design]\nkind = \"random\"\n"};
}

/// A refit is begun every 16 trials beside the ring and taken over 5 trials later.
inline Case refits(std::int64_t num_trials) {
  return {"refits", head(num_trials) +
                        "[stimulus]\nkind = \"ball\"\nshape = [12]\n[model]\nkind = \"glm\"\n"
                        "[belief]\nprior_sd = 0.6\nrefine_every = 16\nrefine_lag = 5\n"};
}

/// A noisy integrate-and-fire cell that sees pictures through a field.
inline Case spiking(std::int64_t num_trials) {
  return {"spiking", head(num_trials) +
                         "[subject]\nkind = \"spiking\"\ntrial_ms = 40\n"
                         "actuator = { kind = \"fields\", current = \"cell.I\", gain = [0.5], holding = 0.2, frame_ms = 40 }\n"
                         "sensor = { kind = \"spikes\", of = \"cell\", bin_ms = 40 }\n"
                         "[subject.network.neurons.cell]\nmodel = \"lif\"\n[subject.network.neurons.cell.equations]\n"
                         "\"dv/dt\" = \"(EL - v + R * I) / tau + 10 mV * sqrt(2 / tau) * xi : mV\"\n"
                         "[stimulus]\nkind = \"ball\"\nshape = [4, 4]\n[model]\nkind = \"glm\"\nbin_ms = 40\n"};
}

inline std::vector<Case> every_case(std::int64_t num_trials) {
  return {ball(num_trials),        ball(num_trials, 12),      pool(num_trials),   grid(num_trials),
          counts_grid(num_trials), random_design(num_trials), refits(num_trials), spiking(num_trials)};
}

/// What must be the same: every bit of the belief, every stimulus, response, utility and evidence.
struct Outcome {
  std::uint64_t digest = 0;
  std::vector<Trial> trials;
};

inline bool same_bits(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b) || (a != a && b != b);
}

/// The first trial that differs, or -1.
inline std::int64_t first_difference(const Outcome& a, const Outcome& b) {
  if (a.trials.size() != b.trials.size()) return static_cast<std::int64_t>(std::min(a.trials.size(), b.trials.size()));
  for (std::size_t t = 0; t < a.trials.size(); ++t) {
    const Trial &x = a.trials[t], &y = b.trials[t];
    if (x.index != y.index || x.token != y.token || x.units != y.units || !same_bits(x.utility, y.utility) ||
        !same_bits(x.log_evidence, y.log_evidence) || !(x.requested.stimulus == y.requested.stimulus) ||
        !(x.delivered.stimulus == y.delivered.stimulus) || x.response.values != y.response.values)
      return x.index;
  }
  return -1;
}

/// The last attempt of every trial.
inline Outcome outcome_of(const std::vector<Trial>& attempts, std::uint64_t digest) {
  Outcome out{digest, {}};
  for (const Trial& trial : attempts) {
    if (!out.trials.empty() && out.trials.back().index == trial.index)
      out.trials.back() = trial;
    else
      out.trials.push_back(trial);
  }
  return out;
}

inline std::vector<Trial> trials_of(const io::RecordReader& reader) {
  std::vector<Trial> out;
  reader.for_each_trial([&](const Trial& trial, const io::TrialTimes&) { out.push_back(trial); });
  return out;
}

/// One run, kept in memory.
inline Outcome run_in_memory(const std::string& text, Executor& executor, const Clock& clock, std::uint64_t seed = 1) {
  const auto experiment = proof::build(text, seed, executor);
  io::MemoryRecord record;
  loop::Run run(*experiment, record, clock);
  run.go();
  run.finish();
  return outcome_of(record.trials(), run.learner().digest());
}

inline io::RecordInfo info_of(const loop::Experiment& experiment, const std::string& durability = "window:50") {
  io::RecordInfo info;
  info.configuration = to_toml(loop::resolved(experiment.spec));
  info.durability = durability;
  info.seed = experiment.seed;
  return info;
}

/// Makes a record of a run until `last_trial` (or to its end and finished).
inline std::uint64_t run_into(const std::string& path, const loop::Experiment& experiment, const Clock& clock,
                              std::int64_t last_trial = -1) {
  const auto record = io::RunRecord::create(path, info_of(experiment));
  loop::Run run(experiment, *record, clock);
  while (!run.done() && run.learner().num_trials() != last_trial) run.step();
  if (run.done()) run.finish();
  record->flush();
  return run.learner().digest();
}

}  // namespace hartline::laws
