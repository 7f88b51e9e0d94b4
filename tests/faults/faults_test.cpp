// A run against disks that fail and machines that lose their power: what was acknowledged is there, the rest is whole or absent.
#include <gtest/gtest.h>

#include <functional>

#include "base/error.hpp"
#include "base/random.hpp"
#include "fault_vfs.hpp"
#include "io/example_trial.hpp"
#include "io/record_reader.hpp"
#include "io/run_record.hpp"
#include "io/temporary_folder.hpp"

namespace hartline::io {
namespace {

constexpr int num_trials = 20;

/// What the calls of a run promised.
struct Outcome {
  int decided = 0;         // decide() returned for this many trials
  int observed = 0;        // observe() returned for this many
  int flushed = 0;         // observed trials that flush() or a later decide() vouched for
  std::string error = "";  // of the first call that threw
  std::string again = "";  // of the call after it
};

/// Creates a record, runs `num_trials` trials with an array each and closes it.
Outcome run(const std::string& path, const std::string& durability, const FaultVfs& vfs, std::size_t array_size = 10) {
  Outcome out;
  std::unique_ptr<RunRecord> record;
  try {
    RecordInfo info = example_info();
    info.durability = durability;
    record = RunRecord::create(path, info, vfs.name());
    const Array array{{static_cast<std::int64_t>(array_size)}, std::vector<double>(array_size, 0.5)};
    for (int i = 0; i < num_trials; ++i) {
      record->decide(example_trial(i));
      out.decided = i + 1;
      if (durability == "every-trial") out.flushed = i;
      record->observe(example_trial(i));
      out.observed = i + 1;
      record->put("mean", i, array);
    }
    record->flush();
    out.flushed = num_trials;
  } catch (const IoError& error) {
    out.error = error.what();
    try {
      if (record) record->note({});
    } catch (const IoError& second) {
      out.again = second.what();
    }
  }
  return out;
}

std::string observed_part_left_out(Trial trial) {
  Trial decided;
  copy_decision(trial, decided);
  return text_of(decided);
}

/// How many trials are decided and observed; fails unless they are a prefix of whole trials, and unless the run can go on.
std::pair<int, int> check_prefix(const std::string& path) {
  int decided = 0, observed = 0;
  RecordReader(path).for_each_trial([&](const Trial& trial, const TrialTimes& times) {
    EXPECT_EQ(trial.index, decided);
    const Trial expected = example_trial(decided);
    if (times.observed_at_ns != 0) {
      EXPECT_EQ(observed, decided) << "a hole";
      EXPECT_EQ(text_of(trial), text_of(expected));
      ++observed;
    } else {
      EXPECT_EQ(text_of(trial), observed_part_left_out(expected));
    }
    ++decided;
  });
  EXPECT_LE(decided - observed, 1);
  const auto record = RunRecord::append(path);
  Trial next = example_trial(decided);
  next.attempt = 2;
  record->decide(next);
  return {decided, observed};
}

bool exists(const TemporaryFolder& folder) {
  for (const std::string& name : folder.names())
    if (name == "run.hartline") return true;
  return false;
}

class DiskFaults : public testing::TestWithParam<std::tuple<FaultVfs::Failure, bool>> {};

INSTANTIATE_TEST_SUITE_P(Every, DiskFaults,
                         testing::Combine(testing::Values(FaultVfs::Failure::disk_full, FaultVfs::Failure::input_output),
                                          testing::Bool()),
                         [](const auto& kind) {
                           const bool full = std::get<0>(kind.param) == FaultVfs::Failure::disk_full;
                           return std::string(full ? "Full" : "InputOutput") + (std::get<1>(kind.param) ? "Lasting" : "Once");
                         });

TEST_P(DiskFaults, EachOperationInTurnGivesOneErrorAndKeepsWhatWasAcknowledged) {
  FaultVfs vfs("faults");
  int num_failed = 0;
  for (std::int64_t n = 1;; ++n) {
    TemporaryFolder folder(TemporaryFolder::in_memory());
    const std::string path = folder / "run.hartline";
    vfs.fail_at(n, std::get<0>(GetParam()), std::get<1>(GetParam()));
    const Outcome outcome = run(path, "every-trial", vfs);
    const bool struck = vfs.has_struck();
    vfs.repair();
    SCOPED_TRACE("operation " + std::to_string(n) + ": " + outcome.error);
    if (!outcome.error.empty()) {
      ++num_failed;
      EXPECT_EQ(outcome.error.rfind(path + ": must be ", 0), 0u);
      // While a record is being made there is no next call.
      if (outcome.decided > 0) {
        EXPECT_EQ(outcome.again, outcome.error);
      }
    } else {
      EXPECT_EQ(outcome.flushed, num_trials);
    }
    if (exists(folder)) {
      const auto [decided, observed] = check_prefix(path);
      EXPECT_GE(decided, outcome.decided);
      EXPECT_GE(observed, outcome.flushed);
    } else {
      EXPECT_EQ(outcome.decided, 0);
      EXPECT_TRUE(folder.names().empty());
    }
    if (testing::Test::HasFailure() || !struck) break;
  }
  EXPECT_GT(num_failed, 2 * num_trials);
}

TEST(DiskFaults, AFullDiskIsNamedWithTheNextStep) {
  TemporaryFolder folder(TemporaryFolder::in_memory());
  FaultVfs vfs("full");
  const std::string path = folder / "run.hartline";
  const std::string message =
      path + ": must be on a disk with space left (got a full disk). Free some space, then resume; every finished trial is kept.";
  vfs.fail_at(3, FaultVfs::Failure::disk_full, true);
  EXPECT_EQ(run(path, "every-trial", vfs).error, message);
  EXPECT_TRUE(folder.names().empty());
  vfs.repair();
  const auto record = RunRecord::create(path, example_info(), vfs.name());
  record->decide(example_trial(0));
  vfs.fail_at(1, FaultVfs::Failure::disk_full, true);
  for (int call = 0; call < 3; ++call) {
    try {
      record->decide(example_trial(1));
      ADD_FAILURE() << "no error";
    } catch (const IoError& error) {
      EXPECT_EQ(error.what(), message);
    }
  }
  EXPECT_THROW(record->flush(), IoError);
  EXPECT_EQ(RecordReader(path).events().size(), 0u);
}

TEST(DiskFaults, AnUnreadableRecordGivesOneError) {
  TemporaryFolder folder(TemporaryFolder::in_memory());
  FaultVfs vfs("unwritable");
  vfs.fail_at(1, FaultVfs::Failure::input_output, true);
  EXPECT_EQ(run(folder / "run.hartline", "every-trial", vfs).error,
            folder / "run.hartline" +
                ": must be in a folder that may be written (got Input/output error). "
                "Choose another folder or change the permissions.");
}

/// Cuts the power at operation n of a run and returns what the run promised and what is left.
struct AfterCut {
  Outcome promised;
  int decided = 0, observed = 0;
  bool struck = false;
};

AfterCut cut_and_read(FaultVfs& vfs, const std::string& durability, std::int64_t n, std::uint64_t seed,
                      std::size_t array_size = 10) {
  TemporaryFolder folder(TemporaryFolder::in_memory());
  const std::string path = folder / "run.hartline";
  AfterCut out;
  vfs.cut_power_at(n);
  out.promised = run(path, durability, vfs, array_size);
  out.struck = vfs.has_struck();
  vfs.lose_power(seed);
  if (exists(folder))
    std::tie(out.decided, out.observed) = check_prefix(path);
  else
    EXPECT_EQ(out.promised.decided, 0);
  return out;
}

TEST(PowerLoss, UnderEveryTrialNoAcknowledgedTrialIsLost) {
  FaultVfs vfs("power");
  int num_cuts = 0;
  for (std::uint64_t seed : {0, 1, 2, 3}) {
    for (std::int64_t n = 1;; ++n) {
      const AfterCut after = cut_and_read(vfs, "every-trial", n, seed * 1000003 + (seed > 1 ? static_cast<std::uint64_t>(n) : 0));
      SCOPED_TRACE("operation " + std::to_string(n) + ", seed " + std::to_string(seed));
      EXPECT_GE(after.decided, after.promised.decided);
      EXPECT_GE(after.observed, after.promised.flushed);
      if (testing::Test::HasFailure() || !after.struck) break;
      ++num_cuts;
    }
    if (testing::Test::HasFailure()) break;
  }
  EXPECT_GT(num_cuts, 4 * 4 * num_trials);
  RecordProperty("cuts", num_cuts);
}

TEST(PowerLoss, UnderAWindowAtMostItsTrialsAreLost) {
  constexpr int window = 3;
  FaultVfs vfs("power");
  int most_lost = 0;
  for (std::uint64_t seed : {0, 2}) {
    for (std::int64_t n = 1;; ++n) {
      const std::uint64_t choice = seed == 0 ? 0 : seed + static_cast<std::uint64_t>(n);
      const AfterCut after = cut_and_read(vfs, "window:" + std::to_string(window), n, choice);
      SCOPED_TRACE("operation " + std::to_string(n) + ", seed " + std::to_string(seed));
      EXPECT_LE(after.promised.observed - after.observed, window);
      EXPECT_GE(after.observed, after.promised.flushed);
      most_lost = std::max(most_lost, after.promised.observed - after.observed);
      if (testing::Test::HasFailure() || !after.struck) break;
    }
    if (testing::Test::HasFailure()) break;
  }
  // Otherwise the test would hold without a window.
  EXPECT_GE(most_lost, 2);
}

TEST(PowerLoss, WhileTheLogIsMovedIntoTheFileNothingIsLost) {
  constexpr std::size_t large = 60000;  // 20 arrays of 0.5 MB: the log is moved twice
  FaultVfs vfs("power");
  vfs.cut_power_at(1 << 30);
  std::int64_t num_operations = 0;
  {
    TemporaryFolder folder(TemporaryFolder::in_memory());
    run(folder / "run.hartline", "every-trial", vfs, large);
    num_operations = vfs.num_operations();
    vfs.lose_power(0);
  }
  ASSERT_GT(num_operations, 4000);
  for (std::uint64_t i = 0; i < 40; ++i) {
    const auto n = 1 + Stream(i, Purpose::test).integer(num_operations);
    const AfterCut after = cut_and_read(vfs, "every-trial", n, i, large);
    SCOPED_TRACE("operation " + std::to_string(n) + ", seed " + std::to_string(i));
    EXPECT_GE(after.decided, after.promised.decided);
    EXPECT_GE(after.observed, after.promised.flushed);
  }
}

TEST(Durability, EveryTrialSyncsOnceOrTwiceATrialAndAWindowOnceAWindow) {
  const auto syncs_of_a_run = [](const std::string& durability, int trials) {
    TemporaryFolder folder(TemporaryFolder::in_memory());
    FaultVfs vfs("count");
    RecordInfo info = example_info();
    info.durability = durability;
    const auto record = RunRecord::create(folder / "run.hartline", info, vfs.name());
    const std::int64_t before = vfs.num_syncs();
    for (int i = 0; i < trials; ++i) {
      record->decide(example_trial(i));
      record->observe(example_trial(i));
    }
    record->flush();
    return vfs.num_syncs() - before;
  };
  const std::int64_t every = syncs_of_a_run("every-trial", 100);
  EXPECT_GE(every, 100);
  EXPECT_LE(every, 203);  // the log's header is synced once
  const std::int64_t window = syncs_of_a_run("window:10", 100);
  EXPECT_GE(window, 10);
  EXPECT_LE(window, 13);
}

}  // namespace
}  // namespace hartline::io
