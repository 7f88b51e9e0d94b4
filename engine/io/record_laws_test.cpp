// One suite of laws for every Record: what was written is what is read.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "io/example_trial.hpp"
#include "io/memory_record.hpp"
#include "io/record_reader.hpp"
#include "io/run_record.hpp"
#include "io/temporary_folder.hpp"

namespace hartline::io {
namespace {

constexpr double inf = std::numeric_limits<double>::infinity();

struct Contents {
  std::vector<Trial> trials;
  std::vector<Event> events;
  std::vector<std::pair<std::int64_t, Array>> arrays;
  std::vector<std::pair<std::string, Histogram>> latency;
};

struct Fixture {
  virtual ~Fixture() = default;
  virtual Record& record() = 0;
  virtual Contents read(const std::string& array) = 0;
};

struct OnDisk : Fixture {
  explicit OnDisk(const std::string& durability) {
    RecordInfo info = example_info();
    info.durability = durability;
    writer = RunRecord::create(path, info);
  }
  Record& record() override { return *writer; }
  Contents read(const std::string& array) override {
    const RecordReader reader(path);
    return {trials_of(path), reader.events(), reader.arrays(array), reader.latency()};
  }
  TemporaryFolder folder;
  std::string path = folder / "run.hartline";
  std::unique_ptr<RunRecord> writer;
};

struct InMemory : Fixture {
  Record& record() override { return memory; }
  Contents read(const std::string& array) override {
    return {memory.trials(), memory.events(), memory.arrays(array), memory.latency()};
  }
  MemoryRecord memory;
};

class RecordLaws : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string kind = GetParam();
    if (kind == "memory")
      fixture = std::make_unique<InMemory>();
    else
      fixture = std::make_unique<OnDisk>(kind);
  }
  Record& record() { return fixture->record(); }
  Contents read(const std::string& array = "") {
    record().flush();
    return fixture->read(array);
  }
  std::unique_ptr<Fixture> fixture;
};

INSTANTIATE_TEST_SUITE_P(Every, RecordLaws, testing::Values("memory", "every-trial", "window:3"), [](const auto& kind) {
  std::string name = kind.param;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '-' || c == ':'; }, '_');
  return name;
});

TEST_P(RecordLaws, TrialsOfEveryKindReadBackBitForBit) {
  std::vector<Trial> written;
  for (int i = 0; i < 12; ++i) {
    written.push_back(example_trial(i));
    record().decide(written.back());
    record().observe(written.back());
  }
  const std::vector<Trial> read_back = read().trials;
  ASSERT_EQ(read_back.size(), written.size());
  for (std::size_t i = 0; i < written.size(); ++i) EXPECT_EQ(text_of(read_back[i]), text_of(written[i])) << i;
}

TEST_P(RecordLaws, InfinitiesMinusZeroAndNanSurvive) {
  Trial trial = example_trial(1);
  trial.utility = std::nan("");
  trial.log_evidence = -inf;
  trial.lateness_ms = -0.0;
  trial.requested.stimulus.what = Array{{4}, {-0.0, inf, -inf, std::nan("")}};
  trial.rendered.stimulus.what = Array{{4}, {0.0, inf, -inf, std::nan("")}};
  record().decide(trial);
  record().observe(trial);
  EXPECT_EQ(text_of(read().trials.at(0)), text_of(trial));
}

TEST_P(RecordLaws, AStimulusThatDiffersOnlyInTheSignOfZeroIsKeptApart) {
  Trial trial = example_trial(1);
  trial.requested.stimulus.what = Array{{2}, {0.0, 1}};
  trial.rendered.stimulus.what = Array{{2}, {-0.0, 1}};
  trial.delivered.stimulus.covariates[1].second = 0.0;  // requested: -0
  record().decide(trial);
  record().observe(trial);
  EXPECT_EQ(text_of(read().trials.at(0)), text_of(trial));
}

TEST_P(RecordLaws, ADecidedTrialIsReadWithoutAnObservation) {
  record().decide(example_trial(1));
  const Trial trial = read().trials.at(0);
  EXPECT_FALSE(trial.answered);
  EXPECT_EQ(trial.delivered.clock, "");
  EXPECT_TRUE(trial.response.values.empty());
}

TEST_P(RecordLaws, AttemptsAreKeptAndOrderedWhateverTheirOrderOfArrival) {
  const auto with = [](int index, int attempt) {
    Trial trial = example_trial(index);
    trial.attempt = attempt;
    trial.response.values.assign(trial.response.values.size(), attempt);
    return trial;
  };
  for (const Trial& trial : {with(1, 1), with(0, 1), with(1, 2)}) record().decide(trial);
  for (const Trial& trial : {with(1, 2), with(0, 1), with(1, 1)}) record().observe(trial);
  const std::vector<Trial> trials = read().trials;
  ASSERT_EQ(trials.size(), 3u);
  EXPECT_EQ(text_of(trials[0]), text_of(with(0, 1)));
  EXPECT_EQ(text_of(trials[1]), text_of(with(1, 1)));
  EXPECT_EQ(text_of(trials[2]), text_of(with(1, 2)));
}

TEST_P(RecordLaws, ASecondObservationReplacesTheFirst) {
  Trial trial = example_trial(1);
  record().decide(trial);
  trial.rendered.stimulus.what = PoolItem{9, 9};
  record().observe(trial);
  trial.rendered.stimulus = trial.requested.stimulus;
  trial.log_evidence = -7;
  record().observe(trial);
  EXPECT_EQ(text_of(read().trials.at(0)), text_of(trial));
}

TEST_P(RecordLaws, EventsKeepTheirOrder) {
  record().note({5, 70, Level::warning, "deadline", "missed by 3 ms"});
  record().note({2, 60, Level::info, "paused", ""});
  const std::vector<Event> events = read().events;
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].trial, 5);
  EXPECT_EQ(events[0].time_ns, 70);
  EXPECT_EQ(events[0].level, Level::warning);
  EXPECT_EQ(events[0].kind, "deadline");
  EXPECT_EQ(events[0].message, "missed by 3 ms");
  EXPECT_EQ(events[1].kind, "paused");
}

TEST_P(RecordLaws, ArraysAreOrderedByTrialCountAndReplaced) {
  record().put("mean", 10, {{2}, {1, 2}});
  record().put("mean", 5, {{0, 3}, {}});
  record().put("mean", 10, {{1, 2}, {3, inf}});
  record().put("other", 1, {{}, {4}});
  const auto arrays = read("mean").arrays;
  ASSERT_EQ(arrays.size(), 2u);
  EXPECT_EQ(arrays[0].first, 5);
  EXPECT_EQ(arrays[0].second, (Array{{0, 3}, {}}));
  EXPECT_EQ(arrays[1].second, (Array{{1, 2}, {3, inf}}));
  EXPECT_EQ(read("other").arrays.at(0).second, (Array{{}, {4}}));
  EXPECT_TRUE(read("none").arrays.empty());
}

TEST_P(RecordLaws, ALatencyHistogramReplacesTheEarlierOne) {
  Histogram first, second;
  first.add(100);
  second.add(1000);
  second.add(2000000);
  record().put_latency("choose", first);
  record().put_latency("choose", second);
  record().put_latency("update", Histogram());
  const auto latency = read().latency;
  ASSERT_EQ(latency.size(), 2u);
  EXPECT_EQ(latency[0].first, "choose");
  EXPECT_EQ(latency[0].second.count(), 2);
  EXPECT_EQ(latency[0].second.max_ns(), 2000000);
  EXPECT_EQ(latency[0].second.percentile_ns(0.5), second.percentile_ns(0.5));
  EXPECT_EQ(latency[1].second.count(), 0);
}

TEST_P(RecordLaws, AnObservationWithoutADecisionIsAFaultOfOurs) {
  EXPECT_THROW(
      {
        record().observe(example_trial(0));
        record().flush();
      },
      InternalError);
}

}  // namespace
}  // namespace hartline::io
