// Laws of the record: a replay and a resumed run are the run, and nothing that happened is lost.
#include <gtest/gtest.h>

#include <algorithm>
#include <sqlite3.h>

#include <limits>

#include "base/error.hpp"
#include "ring.hpp"

namespace hartline {
namespace {

using namespace laws;

loop::ReplayResult replay_of(const std::string& text, const std::string& path, Executor& executor) {
  const auto experiment = proof::build(text, 1, executor);
  return loop::replay(*experiment, io::RecordReader(path));
}

/// Changes a record behind its back.
void tamper(const std::string& path, const std::string& sql) {
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
  EXPECT_GT(sqlite3_changes(db), 0);
  sqlite3_close(db);
}

TEST(RingLaws, AReplayIsTheRun) {
  const auto executor = make_serial_executor(), other_executor = make_executor(2);
  const SteadyClock clock;
  for (const Case& c : every_case(24)) {
    SCOPED_TRACE(c.name);
    const io::TemporaryFolder folder;
    const std::string path = folder / "run.hartline";
    const auto experiment = proof::build(c.text, 1, *executor);
    const std::uint64_t digest = run_into(path, *experiment, clock);
    for (Executor* e : {executor.get(), other_executor.get()}) {
      const loop::ReplayResult result = replay_of(c.text, path, *e);
      EXPECT_EQ(result.first_difference, -1) << result.difference;
      EXPECT_EQ(result.num_trials, 24);
      EXPECT_EQ(result.digest, digest);
    }
  }
}

/// A response that was changed shows in that trial, as the evidence of a count depends on it.
TEST(RingLaws, AReplayNamesTheFirstTrialThatWasTamperedWith) {
  const auto executor = make_serial_executor();
  const SteadyClock clock;
  const Case c = ball(40, 12);
  const auto experiment = proof::build(c.text, 1, *executor);
  const auto find = [&](const std::string& sql) {
    const io::TemporaryFolder folder;
    const std::string path = folder / "run.hartline";
    run_into(path, *experiment, clock);
    tamper(path, sql);
    return replay_of(c.text, path, *executor);
  };
  // 0000000000003640 is 22.0, which no count of these rates reaches by chance
  loop::ReplayResult result = find("UPDATE trial SET response = x'0000000000003640' WHERE trial_idx = 17");
  EXPECT_EQ(result.first_difference, 17);
  EXPECT_NE(result.difference.find("evidence"), std::string::npos) << result.difference;

  result = find(
      "UPDATE stimulus SET samples = (SELECT samples FROM stimulus WHERE trial_idx = 4 AND station = 'requested') "
      "WHERE trial_idx = 23 AND station = 'requested'");
  EXPECT_EQ(result.first_difference, 23);
  EXPECT_NE(result.difference.find("stimulus"), std::string::npos) << result.difference;

  // a delivered stimulus has a row of its own only where it is not the requested one
  result = find(
      "INSERT INTO stimulus SELECT 30, 1, 'delivered', kind, pool_idx, content_hash, shape, samples, targets, power_mw, "
      "onset_ms, duration_ms, rate_hz, covariate_names, covariates FROM stimulus WHERE trial_idx = 4 AND station = 'requested'");
  EXPECT_EQ(result.first_difference, 30);

  result = find("UPDATE trial SET utility = utility * (1 + 4e-16) WHERE trial_idx = 12");
  EXPECT_EQ(result.first_difference, 12);
  EXPECT_NE(result.difference.find("utility"), std::string::npos) << result.difference;

  result = find("UPDATE trial SET log_evidence = log_evidence - 1e-9 WHERE trial_idx = 5");
  EXPECT_EQ(result.first_difference, 5);
}

TEST(RingLaws, AReplayWithAnotherDesignDiffers) {
  const auto executor = make_serial_executor();
  const SteadyClock clock;
  const Case c = ball(40, 12);
  const io::TemporaryFolder folder;
  const std::string path = folder / "run.hartline";
  run_into(path, *proof::build(c.text, 1, *executor), clock);
  const loop::ReplayResult random = replay_of(c.text + "[design]\nkind = \"random\"\n", path, *executor);
  EXPECT_EQ(random.first_difference, 0);
  const loop::ReplayResult utility = replay_of(c.text + "[design]\nutility = \"first_order_information\"\n", path, *executor);
  EXPECT_GE(utility.first_difference, 0);
}

TEST(RingLaws, ARunResumedAtAnyPointEndsLikeTheUninterruptedOne) {
  constexpr std::int64_t num_trials = 24;
  const auto executor = make_serial_executor();
  const SteadyClock clock;
  for (const Case& c : every_case(num_trials)) {
    SCOPED_TRACE(c.name);
    const Outcome expected = run_in_memory(c.text, *executor, clock);
    const auto experiment = proof::build(c.text, 1, *executor);
    // 18 lies within a refit that was begun and not taken over
    for (const std::int64_t stop_at : {0, 7, 18, 23}) {
      for (const bool decided : {false, true}) {
        SCOPED_TRACE(fmt::format("stopped after {} trials{}", stop_at, decided ? " and a decision" : ""));
        const io::TemporaryFolder folder;
        const std::string path = folder / "run.hartline";
        run_into(path, *experiment, clock, stop_at);
        if (decided) {
          // as it is when the power fails while the stimulus is shown
          Trial trial = expected.trials[static_cast<std::size_t>(stop_at)];
          trial.answered = false;
          const auto record = io::RunRecord::append(path);
          record->decide(trial);
          record->flush();
        }
        std::uint64_t digest = 0;
        {
          const io::RecordReader reader(path);
          const auto record = io::RunRecord::append(path);
          loop::Run run(*experiment, *record, clock);
          run.restore(reader);
          EXPECT_EQ(run.learner().num_trials(), stop_at);
          run.go();
          run.finish();
          digest = run.learner().digest();
        }
        const io::RecordReader reader(path);
        const std::vector<Trial> attempts = trials_of(reader);
        EXPECT_EQ(digest, expected.digest);
        EXPECT_EQ(first_difference(outcome_of(attempts, digest), expected), -1);
        ASSERT_EQ(attempts.size(), static_cast<std::size_t>(num_trials + decided));
        if (decided) {
          const Trial &first = attempts[static_cast<std::size_t>(stop_at)],
                      &second = attempts[static_cast<std::size_t>(stop_at + 1)];
          EXPECT_EQ(first.attempt, 1);
          EXPECT_FALSE(first.answered);
          EXPECT_EQ(second.attempt, 2);
          EXPECT_TRUE(second.answered);
          const auto events = reader.events();
          EXPECT_EQ(std::count_if(events.begin(), events.end(), [](const Event& e) { return e.kind == "interrupted"; }), 1);
        }
        EXPECT_EQ(loop::replay(*experiment, reader).first_difference, -1);
      }
    }
  }
}

/// Readings of the clock take so long that the deadline cuts some searches: some trials do more units of work than others, and the
/// replay, which has no clock, repeats them.
TEST(RingLaws, DeadlineRunsReplayExactly) {
  const auto executor = make_executor(2);
  const std::string deadline = "deadline_ms = 1.0\n";
  Case wide_pool = pool(20);
  wide_pool.text.replace(wide_pool.text.find("num = 1500"), 10, "num = 8000");
  wide_pool.text += "[design]\n" + deadline;
  Case grid_case = grid(20);
  grid_case.text += deadline;
  for (const Case& c : {wide_pool, grid_case, Case{"ball", ball(20).text + "[design]\n" + deadline}}) {
    SCOPED_TRACE(c.name);
    const io::TemporaryFolder folder;
    const std::string path = folder / "run.hartline";
    const auto experiment = proof::build(c.text, 1, *executor);
    ManualClock clock;
    std::uint64_t digest = 0;
    {
      const auto record = io::RunRecord::create(path, info_of(*experiment));
      loop::Run run(*experiment, *record, clock);
      while (!run.done()) {
        clock.step_ns = 400'000 + 300'000 * (run.learner().num_trials() % 4);
        run.step();
      }
      run.finish();
      digest = run.learner().digest();
    }
    const io::RecordReader reader(path);
    const auto trials = trials_of(reader);
    std::int64_t least = std::numeric_limits<std::int64_t>::max(), most = 0;
    for (const Trial& trial : trials) {
      least = std::min(least, trial.units);
      most = std::max(most, trial.units);
    }
    EXPECT_LT(least, most);  // the deadline did cut
    const loop::ReplayResult result = loop::replay(*experiment, reader);
    EXPECT_EQ(result.first_difference, -1) << result.difference;
    EXPECT_EQ(result.digest, digest);
    // and it matters: without the deadline other stimuli are chosen
    std::string without = c.text;
    without.erase(without.find(deadline), deadline.size());
    const SteadyClock real;
    EXPECT_GE(first_difference(run_in_memory(without, *executor, real), outcome_of(trials, digest)), 0);
  }
}

// --- recorded subjects and values that are not finite ----------------------------------------------------------------------

std::shared_ptr<loop::Recording> example_recording(std::int64_t num, std::size_t dim) {
  auto recording = std::make_shared<loop::Recording>();
  recording->name = "example";
  recording->shape = {static_cast<std::int64_t>(dim)};
  recording->dim = dim;
  recording->stimuli.resize(static_cast<std::size_t>(num) * dim);
  Stream(1, Purpose::test, 1).fill_normal(recording->stimuli);
  Stream stream(1, Purpose::test, 2);
  for (std::int64_t t = 0; t < num; ++t) recording->responses.push_back(stream.poisson(2));
  recording->pool_last = num;
  return recording;
}

const char* const recorded_text =
    "[subject]\nkind = \"recorded\"\nfolder = \"/recording\"\n[stimulus]\nkind = \"recorded\"\n[model]\nkind = \"glm\"\n";

/// Runs until the trial that cannot be taken in, and looks at what the record holds then.
void expect_refusal(const std::shared_ptr<loop::Recording>& recording, std::int64_t bad_trial) {
  const auto executor = make_serial_executor();
  const SteadyClock clock;
  const auto experiment = proof::build(head(20) + recorded_text + "[design]\nkind = \"sequence\"\n", 1, *executor, recording);
  const io::TemporaryFolder folder;
  const std::string path = folder / "run.hartline";
  {
    const auto record = io::RunRecord::create(path, info_of(*experiment));
    loop::Run run(*experiment, *record, clock);
    try {
      run.go();
      ADD_FAILURE() << "a value that is not finite was taken in";
    } catch (const RunError& error) {
      EXPECT_EQ(error.trial, bad_trial);
      EXPECT_NE(std::string(error.what()).find(fmt::format("trial {}", bad_trial)), std::string::npos) << error.what();
    }
    EXPECT_EQ(run.learner().num_trials(), bad_trial);
  }
  const auto trials = trials_of(io::RecordReader(path));
  ASSERT_GE(static_cast<std::int64_t>(trials.size()), bad_trial);
  for (std::int64_t t = 0; t < bad_trial; ++t) {
    const Trial& trial = trials[static_cast<std::size_t>(t)];
    EXPECT_TRUE(trial.answered);
    EXPECT_EQ(trial.index, t);
    EXPECT_EQ(trial.response.values, std::vector<double>{recording->responses[static_cast<std::size_t>(t)]});
    EXPECT_TRUE(std::isfinite(trial.log_evidence));
  }
}

TEST(RingLaws, ARunStopsAtAResponseThatIsNotFiniteAndKeepsWhatCameBefore) {
  for (const double bad : {std::nan(""), HUGE_VAL}) {
    const auto recording = example_recording(20, 4);
    recording->responses[7] = bad;
    expect_refusal(recording, 7);
  }
}

TEST(RingLaws, ARunStopsAtAStimulusThatIsNotFiniteAndKeepsWhatCameBefore) {
  for (const double bad : {std::nan(""), HUGE_VAL}) {
    const auto recording = example_recording(20, 4);
    recording->stimuli[9 * 4 + 2] = bad;
    expect_refusal(recording, 9);
  }
}

TEST(RingLaws, ARecordedSubjectRefusesASecondPresentation) {
  const auto recording = example_recording(20, 4);
  const auto subject = loop::make_recorded(recording, 1000);
  Trial trial;
  trial.index = 3;
  trial.requested.stimulus.what = PoolItem{5, content_hash(&recording->stimuli[20], 4)};
  const std::span<const double> x(&recording->stimuli[20], 4);
  subject->present(x, trial);
  trial.attempt = 2;
  EXPECT_NO_THROW(present_and_wait(*subject, x, trial));  // the same trial after an interruption
  EXPECT_EQ(trial.response.values, std::vector<double>{recording->responses[5]});
  trial.index = 4;
  trial.attempt = 1;
  EXPECT_THROW(subject->present(x, trial), RunError);
}

/// An adaptive run over a recording shows every stimulus once at most, also across an interruption.
TEST(RingLaws, ARecordedRunShowsNothingTwice) {
  const auto executor = make_serial_executor();
  const SteadyClock clock;
  const auto recording = example_recording(60, 4);
  const auto experiment = proof::build(head(60) + recorded_text, 1, *executor, recording);
  const io::TemporaryFolder folder;
  const std::string path = folder / "run.hartline", whole_path = folder / "whole.hartline";
  const std::uint64_t whole = run_into(whole_path, *experiment, clock);
  run_into(path, *experiment, clock, 31);
  {
    const io::RecordReader reader(path);
    const auto record = io::RunRecord::append(path);
    loop::Run run(*experiment, *record, clock);
    run.restore(reader);
    run.go();
    run.finish();
    EXPECT_EQ(run.learner().digest(), whole);
  }
  std::vector<int> times(60, 0);
  for (const Trial& trial : trials_of(io::RecordReader(path)))
    ++times[static_cast<std::size_t>(std::get<PoolItem>(trial.requested.stimulus.what).index)];
  EXPECT_EQ(times, std::vector<int>(60, 1));
}

}  // namespace
}  // namespace hartline
