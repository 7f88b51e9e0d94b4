#include "loop/run.hpp"

#include <fmt/format.h>

#include <bit>
#include <cmath>

#include "base/error.hpp"
#include "io/record_reader.hpp"

namespace hartline::loop {

namespace {

class NullRecord final : public Record {
 public:
  void decide(const Trial&) override {}
  void observe(const Trial&) override {}
  void note(const Event&) override {}
  void put(std::string_view, std::int64_t, const Array&) override {}
  void put_latency(std::string_view, const Histogram&) override {}
  void flush() override {}
};

bool same_bits(double a, double b) { return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b); }

void set_stimulus(const Experiment& experiment, const design::Choice& choice, Stimulus& out) {
  if (choice.pool_index >= 0) {
    out.what = PoolItem{choice.pool_index, experiment.pool_hash[static_cast<std::size_t>(choice.pool_index)]};
    return;
  }
  if (!std::holds_alternative<Array>(out.what)) out.what = Array{};
  Array& array = std::get<Array>(out.what);
  array.shape.assign(experiment.shape.begin(), experiment.shape.end());
  array.values.assign(choice.values.begin(), choice.values.end());
}

constexpr std::int64_t latency_every = 1000;  // trials between two writings of the histograms

}  // namespace

std::unique_ptr<Record> make_null_record() { return std::make_unique<NullRecord>(); }

Run::Run(const Experiment& experiment, Record& record, const Clock& clock)
    : experiment_(experiment),
      record_(record),
      clock_(clock),
      subject_(experiment.make_subject()),
      learner_(experiment),
      start_ns_(clock.now_ns()) {}

void Run::restore(const io::RecordReader& reader) {
  bool pending = false;
  reader.for_each_trial([&](const Trial& trial, const io::TrialTimes&) {
    trial_ = trial;
    pending = !trial.answered;
    if (!trial.answered) return;
    const double evidence = trial.log_evidence;
    // a recorded subject has to know what it has shown; a simulated one what it has lived through
    Trial again = trial;
    subject_->present(experiment_.values(trial.requested.stimulus, trial.index), again);
    learner_.learn(trial_);
    if (!same_bits(trial_.log_evidence, evidence))
      throw RunError({fmt::format("trial {}, log_evidence", trial.index), number_text(evidence) + " as recorded",
                      number_text(trial_.log_evidence), "This build or this machine does not repeat the record."},
                     trial.index);
  });
  for (const auto& [name, histogram] : reader.latency())
    for (std::size_t s = 0; s < num_stages; ++s)
      if (stage_names[s] == name) latency_[s] = histogram;
  if (pending) {
    ++trial_.attempt;
    decided_ = true;
    record_.note(
        {trial_.index, clock_.now_ns() - start_ns_, Level::warning, "interrupted",
         fmt::format("trial {} was decided and not observed; it is presented again as attempt {}", trial_.index, trial_.attempt)});
  }
}

void Run::decide() {
  const std::int64_t begun = clock_.now_ns();
  trial_.index = learner_.num_trials();
  trial_.attempt = 1;
  trial_.token = Stream(experiment_.seed, Purpose::token, static_cast<std::uint64_t>(trial_.index))();
  design::Budget budget;
  const auto& deadline_ms = experiment_.spec.design.deadline_ms;
  if (deadline_ms) {
    budget.clock = &clock_;
    budget.deadline_ns = begun + static_cast<std::int64_t>(*deadline_ms * 1e6);
  }
  learner_.choose(trial_.index, budget, choice_);
  set_stimulus(experiment_, choice_, trial_.requested.stimulus);
  trial_.requested.clock.clear();
  trial_.requested.time_ns = 0;
  trial_.utility = choice_.utility;
  trial_.units = choice_.units;
  const std::int64_t ended = clock_.now_ns();
  trial_.lateness_ms = deadline_ms ? std::max(0.0, static_cast<double>(ended - budget.deadline_ns) * 1e-6) : 0;
  latency_[static_cast<std::size_t>(Stage::choose)].add(ended - begun);
  if (trial_.lateness_ms > 0)
    record_.note({trial_.index, ended - start_ns_, Level::warning, "deadline",
                  fmt::format("the choice was {:.3f} ms late after {} units", trial_.lateness_ms, trial_.units)});
}

void Run::step() {
  const std::int64_t begun = clock_.now_ns();
  if (!decided_) decide();
  decided_ = false;
  trial_.answered = false;
  const std::int64_t chosen = clock_.now_ns();
  record_.decide(trial_);
  const std::int64_t durable = clock_.now_ns();
  subject_->present(experiment_.values(trial_.requested.stimulus, trial_.index), trial_);
  const std::int64_t answered = clock_.now_ns();
  try {
    learner_.learn(trial_);
  } catch (...) {
    record_.observe(trial_);  // what came back is kept even where the belief refuses it
    record_.flush();
    throw;
  }
  record_.observe(trial_);
  const std::int64_t ended = clock_.now_ns();
  latency_[static_cast<std::size_t>(Stage::decide)].add(durable - chosen);
  latency_[static_cast<std::size_t>(Stage::present)].add(answered - durable);
  latency_[static_cast<std::size_t>(Stage::update)].add(ended - answered);
  latency_[static_cast<std::size_t>(Stage::trial)].add(ended - begun);
  if (learner_.num_trials() % latency_every == 0) write_latency();
}

void Run::go(const std::function<void(std::int64_t)>& progress, const std::atomic<bool>* stop) {
  while (!done() && !(stop && *stop)) {
    step();
    if (progress) progress(learner_.num_trials());
  }
}

void Run::write_latency() {
  for (std::size_t s = 0; s < num_stages; ++s) record_.put_latency(stage_names[s], latency_[s]);
}

void Run::finish() {
  learner_.finish();
  const std::int64_t num = learner_.num_trials();
  record_.put("mean", num, learner_.mean());
  record_.put("sd", num, learner_.sd());
  const std::vector<double> truth = subject_->truth();
  if (!truth.empty()) record_.put("truth", num, {{static_cast<std::int64_t>(truth.size())}, truth});
  write_latency();
  record_.flush();
}

ReplayResult replay(const Experiment& experiment, const io::RecordReader& reader,
                    const std::function<void(std::int64_t)>& progress) {
  ReplayResult result;
  Learner learner(experiment);
  design::Choice choice;
  Stimulus chosen;
  std::int64_t chosen_for = -1;
  reader.for_each_trial([&](const Trial& recorded, const io::TrialTimes&) {
    if (result.first_difference >= 0) return;
    if (chosen_for != recorded.index) {
      design::Budget budget;
      if (recorded.units > 0) budget.max_units = recorded.units;
      learner.choose(recorded.index, budget, choice);
      set_stimulus(experiment, choice, chosen);
      chosen_for = recorded.index;
    }
    const auto differ = [&](std::string what) {
      result.first_difference = recorded.index;
      result.difference = std::move(what);
    };
    if (!(chosen.what == recorded.requested.stimulus.what)) {
      differ("the stimulus");
    } else if (!same_bits(choice.utility, recorded.utility) && !(std::isnan(choice.utility) && std::isnan(recorded.utility))) {
      differ(fmt::format("the utility: {} recorded, {} recomputed", recorded.utility, choice.utility));
    } else if (recorded.answered) {
      Trial trial = recorded;
      learner.learn(trial);
      ++result.num_trials;
      if (!same_bits(trial.log_evidence, recorded.log_evidence))
        differ(fmt::format("the evidence: {} recorded, {} recomputed", recorded.log_evidence, trial.log_evidence));
      if (progress) progress(result.num_trials);
    }
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
