// Counts the allocations of this thread while it writes a record.
#include <gtest/gtest.h>

#include "io/allocation_count.hpp"
#include "io/example_trial.hpp"
#include "io/temporary_folder.hpp"

namespace hartline::io {
namespace {

/// Allocations of the calling thread over 200 trials after 200 others.
std::int64_t allocations_in_a_run(const std::string& durability) {
  TemporaryFolder folder;
  RecordInfo info = example_info();
  info.durability = durability;
  const auto record = RunRecord::create(folder / "run.hartline", info);
  Trial trial = example_trial(1);
  trial.response.reason.assign(100, 'r');
  trial.response.marks.assign(trial.response.values.size(), Mark::missing);
  const Event event{0, 0, Level::info, "a kind longer than a short string", std::string(200, 'm')};
  const Array array{{64}, std::vector<double>(64, 0.5)};
  const Histogram histogram;
  std::int64_t before = 0;
  for (int i = 0; i < 400; ++i) {
    if (i == 200) before = num_allocations();
    trial.index = i;
    record->decide(trial);
    record->observe(trial);
    record->note(event);
    record->put("an estimate with a long name", i, array);
    record->put_latency("choose", histogram);
  }
  return num_allocations() - before;
}

TEST(RunRecord, CallsDoNotAllocateAfterWarmUp) {
  EXPECT_EQ(allocations_in_a_run("every-trial"), 0);
  EXPECT_EQ(allocations_in_a_run("window:20"), 0);
}

TEST(RunRecord, TheCounterOfAllocationsCounts) {
  const std::int64_t before = num_allocations();
  EXPECT_FALSE(std::string(1000, 'x').empty());
  EXPECT_EQ(num_allocations() - before, 1);
}

}  // namespace
}  // namespace hartline::io
