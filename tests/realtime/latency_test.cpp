// Whether the durations of a run are kept, and a deadline that was missed is said.
#include <gtest/gtest.h>

#include "../laws/ring.hpp"

namespace hartline {
namespace {

TEST(Ring, EveryStageOfEveryTrialIsTimed) {
  const std::int64_t num_trials = proof::sized(2000, 60);
  proof::Sheet sheet(fmt::format("Stages of {} trials, durability every-trial", num_trials),
                     {"experiment", "stage", "p50, ms", "p99, ms", "most, ms"});
  for (const laws::Case& c : {laws::ball(num_trials, 64), laws::pool(num_trials), laws::grid(num_trials)}) {
    const auto executor = make_executor(0);
    const auto experiment = proof::build(c.text, 1, *executor);
    const io::TemporaryFolder folder;
    const std::string path = folder / "run.hartline";
    const SteadyClock clock;
    {
      const auto record = io::RunRecord::create(path, laws::info_of(*experiment, "every-trial"));
      loop::Run run(*experiment, *record, clock);
      run.go();
      run.finish();
    }
    const auto kept = io::RecordReader(path).latency();
    ASSERT_EQ(kept.size(), loop::num_stages);
    for (const auto& [stage, histogram] : kept) {
      EXPECT_EQ(histogram.count(), num_trials) << stage;
      const double p50 = histogram.percentile_ns(.5), p99 = histogram.percentile_ns(.99);
      EXPECT_GT(p50, 0) << stage;
      EXPECT_TRUE(std::isfinite(p99)) << stage;
      EXPECT_GE(p99, p50) << stage;
      EXPECT_GT(histogram.max_ns(), 0) << stage;
      sheet.row({c.name, stage, fmt::format("{:.3f}", p50 * 1e-6), fmt::format("{:.3f}", p99 * 1e-6),
                 fmt::format("{:.3f}", static_cast<double>(histogram.max_ns()) * 1e-6)});
    }
  }
}

/// The clock stands still but for what it is told: a reading costs 4 ms from trial 10 to 19, so that a choice that has 1 ms is
/// late.
TEST(Ring, AMissedDeadlineIsRecordedAsAnEvent) {
  const auto executor = make_serial_executor();
  const auto experiment = proof::build(laws::grid(30).text + "deadline_ms = 1.0\n", 1, *executor);
  const io::TemporaryFolder folder;
  const std::string path = folder / "run.hartline";
  ManualClock clock;
  {
    const auto record = io::RunRecord::create(path, laws::info_of(*experiment));
    loop::Run run(*experiment, *record, clock);
    while (!run.done()) {
      const std::int64_t t = run.learner().num_trials();
      clock.step_ns = t >= 10 && t < 20 ? 4'000'000 : 1'000;
      run.step();
    }
    run.finish();
  }
  const io::RecordReader reader(path);
  std::vector<std::int64_t> late, told;
  for (const Trial& trial : laws::trials_of(reader)) {
    EXPECT_GE(trial.lateness_ms, 0);
    if (trial.lateness_ms > 0) late.push_back(trial.index);
  }
  for (const Event& event : reader.events()) {
    EXPECT_EQ(event.kind, "deadline");
    EXPECT_EQ(event.level, Level::warning);
    told.push_back(event.trial);
  }
  const std::vector<std::int64_t> expected = {10, 11, 12, 13, 14, 15, 16, 17, 18, 19};
  EXPECT_EQ(late, expected);
  EXPECT_EQ(told, expected);
}

}  // namespace
}  // namespace hartline
