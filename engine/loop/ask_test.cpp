// The inverted loop: a rig asks for stimuli and tells of responses.
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>

#include "base/error.hpp"
#include "io/memory_record.hpp"
#include "io/record_reader.hpp"
#include "io/run_record.hpp"
#include "io/temporary_folder.hpp"
#include "io/toml.hpp"
#include "loop/run.hpp"
#include "models/glm.hpp"

namespace hartline::loop {
namespace {

constexpr const char* base =
    "format = 1\nseed = 3\nnum_trials = 60\n[stimulus]\nkind = \"random_pool\"\nshape = [6]\nnum = 40\n[model]\nkind = \"glm\"\n"
    "[belief]\nprior_sd = 0.6\nrefine_at_end = false\n";

// whole tiles of mmse cannot be cut short: 1,500 members take far longer than a millisecond
constexpr const char* slow_choices =
    "format = 1\nseed = 3\nnum_trials = 6\n[subject]\nkind = \"remote\"\n[stimulus]\nkind = \"axis\"\naxis = { from = 0.0, to = "
    "1.0, "
    "num = 1500 }\n[model]\nkind = \"gaussian_process\"\n[design]\nutility = \"mmse\"\n";

std::unique_ptr<Experiment> experiment(const std::string& text, Executor& executor) {
  return build(read_spec(io::parse_toml(text, "test.toml"), "test.toml"), "", 3, executor);
}

/// A cell that answers by rule, so that who asks does not matter.
Answer answer_to(const Experiment& e, const Trial& trial) {
  const auto x = e.values(trial.requested.stimulus, trial.index);
  Answer out;
  out.token = trial.token;
  out.response.values = {std::floor(std::exp(1 + x[0] - x[2]))};
  return out;
}

io::RecordInfo info_of(const Experiment& e) {
  io::RecordInfo info;
  info.configuration = to_toml(resolved(e.spec));
  info.durability = "window:50";
  info.seed = e.seed;
  return info;
}

TEST(Ask, AnyOrderOfTellingGivesTheBeliefOfOrderedTrials) {
  const auto executor = make_serial_executor();
  const auto e = experiment(std::string(base) + "[subject]\nkind = \"remote\"\n", *executor);
  io::MemoryRecord record;
  const ManualClock clock;
  loop::Run run(*e, record, clock);
  Stream stream(1, Purpose::test);
  std::vector<Trial> open;
  while (!run.done()) {
    if (open.size() < 4)
      if (const Trial* trial = run.ask()) open.push_back(*trial);
    const auto at = static_cast<std::ptrdiff_t>(stream.integer(static_cast<std::int64_t>(open.size())));
    const Answer answer = answer_to(*e, open[static_cast<std::size_t>(at)]);
    EXPECT_EQ(run.tell(answer), loop::Run::Told::taken);
    if (stream.uniform() < 0.3) {
      EXPECT_EQ(run.tell(answer), loop::Run::Told::doubled);
    }
    open.erase(open.begin() + at);
  }
  EXPECT_EQ(run.ask(), nullptr);
  ASSERT_EQ(record.trials().size(), 60u);
  Learner learner(*e);
  for (Trial trial : record.trials()) learner.learn(trial);
  EXPECT_EQ(learner.digest(), run.learner().digest());
}

TEST(Ask, ChoosesWhatTheLoopOfASimulatedSubjectChooses) {
  const auto executor = make_serial_executor();
  const auto simulated = experiment(base, *executor);
  const auto remote = experiment(std::string(base) + "[subject]\nkind = \"remote\"\n", *executor);
  io::MemoryRecord by_loop, by_rig;
  const SteadyClock clock;
  loop::Run loop_run(*simulated, by_loop, clock);
  loop_run.go();
  loop::Run run(*remote, by_rig, clock);
  for (const Trial& seen : by_loop.trials()) {
    const Trial* trial = run.ask();
    ASSERT_NE(trial, nullptr);
    EXPECT_EQ(trial->requested.stimulus, seen.requested.stimulus);
    EXPECT_EQ(trial->token, seen.token);
    Answer answer;
    answer.token = trial->token;
    answer.response = seen.response;
    run.tell(answer);
  }
  EXPECT_EQ(run.learner().digest(), loop_run.learner().digest());
}

TEST(Ask, WhatDoesNotFitIsRefusedAndTheTrialStaysOpen) {
  const auto executor = make_serial_executor();
  const auto e = experiment(std::string(base) + "[subject]\nkind = \"remote\"\n", *executor);
  io::MemoryRecord record;
  const SteadyClock clock;
  loop::Run run(*e, record, clock);
  const Trial trial = *run.ask();
  Answer answer = answer_to(*e, trial), bad = answer;
  bad.response.values = {-1};
  EXPECT_THROW(run.tell(bad), RunError);
  bad = answer;
  bad.response.values = {1, 2};
  EXPECT_THROW(run.tell(bad), RunError);
  bad = answer;
  bad.delivered = {1, 2};
  EXPECT_THROW(run.tell(bad), RunError);
  bad = answer;
  bad.token += 1;
  EXPECT_EQ(run.tell(bad), loop::Run::Told::stranger);
  ASSERT_EQ(run.open().size(), 1u);
  // the belief uses what was delivered
  answer.delivered = {0.1, 0, 0, 0, 0, 0};
  answer.delivered_ns = 5'000'000;
  EXPECT_EQ(run.tell(answer), loop::Run::Told::taken);
  const Trial kept = record.trials().front();
  EXPECT_EQ(std::get<Array>(kept.delivered.stimulus.what).values, answer.delivered);
  EXPECT_EQ(kept.delivered.time_ns, 5'000'000);
  EXPECT_EQ(kept.delivered.clock, "rig");
  EXPECT_EQ(kept.requested.clock, "engine");
  const auto belief = e->model->prior();
  e->model->update(*belief, answer.delivered, answer.response, 0);
  EXPECT_EQ(belief->digest(), dynamic_cast<const models::GaussianBelief&>(run.learner().belief()).digest());
}

TEST(Ask, ATrialThatIsNeverToldOfCountsAsMissing) {
  const auto executor = make_serial_executor();
  const auto e = experiment(std::string(base) + "[subject]\nkind = \"remote\"\npatience_trials = 3\n", *executor);
  io::MemoryRecord record;
  const SteadyClock clock;
  loop::Run run(*e, record, clock);
  const Trial lost = *run.ask();
  for (int t = 0; t < 3; ++t) run.tell(answer_to(*e, *run.ask()));
  EXPECT_EQ(run.learner().num_trials(), 4);
  EXPECT_EQ(run.tell(answer_to(*e, lost)), loop::Run::Told::late);
  const Trial given_up = *run.ask();
  EXPECT_TRUE(run.give_up(given_up.token, "the screen went black"));
  EXPECT_FALSE(run.give_up(given_up.token, "again"));
  EXPECT_EQ(run.learner().num_trials(), 5);
  EXPECT_EQ(record.trials()[4].response.reason, "the screen went black");
}

TEST(Ask, ADeadlineThatIsMissedShowsTheFallbackAndReplayRepeatsIt) {
  const auto executor = make_serial_executor();
  const auto e = experiment(slow_choices, *executor);
  const io::TemporaryFolder folder;
  const std::string path = folder / "run.hartline";
  const SteadyClock clock;
  std::uint64_t digest = 0;
  std::int64_t num_late = 0;
  {
    const auto record = io::RunRecord::create(path, info_of(*e));
    loop::Run run(*e, *record, clock);
    for (int t = 0; t < 6; ++t) {
      const bool hurried = t % 2 == 1;
      const Trial trial = *run.ask(hurried ? std::optional(0.05) : std::nullopt);
      const bool late = trial.role == Role::fallback;  // on a busy machine a choice may be there before anybody looks
      EXPECT_TRUE(hurried || !late);
      EXPECT_EQ(std::isnan(trial.utility), late);
      num_late += late;
      EXPECT_EQ(run.num_fallbacks(), num_late);
      Answer answer;
      answer.token = trial.token;
      answer.response.values = {static_cast<double>(t)};
      EXPECT_EQ(run.tell(answer), loop::Run::Told::taken);
    }
    run.finish();
    digest = run.learner().digest();
  }
  const io::RecordReader reader(path);
  std::int64_t num = 0;
  for (const Event& event : reader.events()) num += event.kind == "fallback";
  EXPECT_GE(num_late, 1);
  EXPECT_EQ(num, num_late);
  const ReplayResult result = replay(*e, reader);
  EXPECT_EQ(result.first_difference, -1) << result.difference;
  EXPECT_EQ(result.digest, digest);
  const auto record = io::RunRecord::append(path);
  loop::Run resumed(*e, *record, clock);
  resumed.restore(reader);
  EXPECT_EQ(resumed.num_fallbacks(), num_late);
}

/// A clock for two threads, and a record that takes its time.
struct SlowClock final : Clock {
  std::int64_t now_ns() const override { return now; }
  std::atomic<std::int64_t> now = 0;
};
struct SlowRecord final : Record {
  explicit SlowRecord(SlowClock& clock) : clock_(clock) {}
  void decide(const Trial& trial) override {
    clock_.now += 400'000;
    kept.decide(trial);
  }
  void observe(const Trial& trial) override { kept.observe(trial); }
  void note(const Event& event) override { kept.note(event); }
  void put(std::string_view name, std::int64_t num, const Array& array) override { kept.put(name, num, array); }
  void put_latency(std::string_view stage, const Histogram& histogram) override { kept.put_latency(stage, histogram); }
  void flush() override {}
  io::MemoryRecord kept;
  SlowClock& clock_;
};

TEST(Ask, ADeadlineLeavesTimeToWriteTheDecision) {
  const auto executor = make_serial_executor();
  const auto e = experiment(slow_choices, *executor);
  SlowClock clock;
  SlowRecord record(clock);
  loop::Run run(*e, record, clock);
  const auto turn = [&](std::optional<double> deadline_ms) {
    Answer answer;
    answer.token = run.ask(deadline_ms)->token;
    answer.response.values = {1};
    run.tell(answer);
    const auto events = record.kept.events();
    return events.empty() ? std::string() : events.back().message;
  };
  turn({});  // shows how long writing takes
  std::string message;
  for (int k = 0; k < 4 && message.empty(); ++k)
    message = turn(1.0);  // on a busy machine a choice may be there before anybody looks
  EXPECT_EQ(message.substr(0, 36), "no choice was there after 0.600 ms; ");
  EXPECT_EQ(turn(0.3), "the stimulus left 0.100 ms late: its decision took 0.400 ms to write");
}

TEST(Ask, ResumeGivesUpWhatWasOpenAndRepeatsABeliefThatDrifts) {
  const auto executor = make_serial_executor();
  const auto e = experiment(std::string(base) + "drift_per_s = 0.001\n[subject]\nkind = \"remote\"\n", *executor);
  const io::TemporaryFolder folder;
  const std::string path = folder / "run.hartline";
  ManualClock clock;
  clock.step_ns = 7'654'321;
  {
    const auto record = io::RunRecord::create(path, info_of(*e));
    loop::Run run(*e, *record, clock);
    for (int t = 0; t < 20; ++t) {
      Answer answer = answer_to(*e, *run.ask());
      answer.delivered_ns = run.now_ns();
      run.tell(answer);
    }
    run.ask();
    record->flush();
  }
  const io::RecordReader reader(path);
  const auto record = io::RunRecord::append(path);
  loop::Run run(*e, *record, clock);
  run.restore(reader);
  EXPECT_EQ(run.learner().num_trials(), 21);
  EXPECT_TRUE(run.open().empty());
  while (const Trial* trial = run.ask()) run.tell(answer_to(*e, *trial));
  run.finish();
  EXPECT_EQ(replay(*e, io::RecordReader(path)).first_difference, -1);
}

}  // namespace
}  // namespace hartline::loop
