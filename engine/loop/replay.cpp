// The same trials again, from a record: replay, and what resuming has in common with it.
#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <map>

#include "io/record_reader.hpp"
#include "loop/run.hpp"

namespace hartline::loop {

namespace {

bool same_bits(double a, double b) { return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b); }

}  // namespace

void walk(const io::RecordReader& reader, const std::function<bool(const Trial&)>& decided,
          const std::function<bool(Trial&)>& learned) {
  std::map<std::int64_t, Trial> open;  // decided and not yet learned; the newest attempt
  std::int64_t num_learned = 0, last = -1;
  bool going = true;
  const auto learn_until = [&](std::int64_t num) {
    while (going && num_learned < num) {
      const auto next = open.find(num_learned);
      if (next == open.end() || !next->second.answered) return;
      going = learned(next->second);
      open.erase(next);
      ++num_learned;
    }
  };
  reader.for_each_trial([&](const Trial& trial, const io::TrialTimes&) {
    if (!going) return;
    if (trial.index != last) {
      learn_until(trial.num_learned);
      if (going) going = decided(trial);
      last = trial.index;
    }
    open[trial.index] = trial;
  });
  learn_until(last + 1);
}

ReplayResult replay(const Experiment& experiment, const io::RecordReader& reader,
                    const std::function<void(std::int64_t)>& progress) {
  ReplayResult result;
  Learner learner(experiment);
  design::Choice choice;
  Stimulus chosen;
  const auto differ = [&](std::int64_t trial, std::string what) {
    result.first_difference = trial;
    result.difference = std::move(what);
    return false;
  };
  walk(
      reader,
      [&](const Trial& recorded) {
        design::Budget budget;
        if (recorded.units > 0) budget.max_units = recorded.units;
        learner.choose(recorded, budget, choice);
        experiment.set_stimulus(choice, chosen);
        if (!(chosen.what == recorded.requested.stimulus.what)) return differ(recorded.index, "the stimulus");
        if (!same_bits(choice.utility, recorded.utility) && !(std::isnan(choice.utility) && std::isnan(recorded.utility)))
          return differ(recorded.index, fmt::format("the utility: {} recorded, {} recomputed", recorded.utility, choice.utility));
        learner.decide(recorded);
        return true;
      },
      [&](Trial& trial) {
        const double recorded = trial.log_evidence;
        learner.learn(trial);
        ++result.num_trials;
        if (progress) progress(result.num_trials);
        if (same_bits(trial.log_evidence, recorded) || (std::isnan(trial.log_evidence) && std::isnan(recorded))) return true;
        return differ(trial.index, fmt::format("the evidence: {} recorded, {} recomputed", recorded, trial.log_evidence));
      });
  learner.finish();
  // the final estimate, where the run came to its end
  for (const auto& [name, recomputed] : {std::pair{"mean", learner.mean()}, std::pair{"sd", learner.sd()}})
    for (const auto& [trials, array] : reader.arrays(name))
      if (result.first_difference < 0 && trials == learner.num_trials() && array != recomputed) {
        result.first_difference = trials - 1;
        result.difference = fmt::format("the final {}", name);
      }
  result.digest = learner.digest();
  return result;
}

}  // namespace hartline::loop
