// Whether the ring allocates once it is warm: on any thread but the record's own, in any library that the program uses.
#include <gtest/gtest.h>

#include <algorithm>

#include "../laws/ring.hpp"
#include "counted_allocations.hpp"

namespace hartline {
namespace {

constexpr std::int64_t warm_up = 100;

/// Allocations of all threads but the record's over the trials after the hundredth.
std::int64_t allocations_after_warm_up(const std::string& text, const std::string& durability, std::int64_t num_trials,
                                       Executor& executor) {
  // a warning allocates, once a run
  const char* quiet = "[watch]\nborder_mass = 1\nrepeat_share = 1\nedge_share = 1\nstalled_nats = 0\n";
  const auto experiment = proof::build(text + quiet, 1, executor);
  const io::TemporaryFolder folder;
  const SteadyClock clock;
  const auto before = realtime::threads_of_process();
  const auto record = io::RunRecord::create(folder / "run.hartline", laws::info_of(*experiment, durability));
  std::vector<pid_t> writers;
  for (pid_t thread : realtime::threads_of_process())
    if (std::find(before.begin(), before.end(), thread) == before.end()) writers.push_back(thread);
  EXPECT_EQ(writers.size(), 1u);
  loop::Run run(*experiment, *record, clock);
  for (std::int64_t t = 0; t < warm_up; ++t) run.step();
  realtime::begin_to_count(writers);
  record->note({});  // one entry more, so that decisions and observations change places in the record's queue
  for (std::int64_t t = warm_up; t < num_trials; ++t) run.step();
  std::int64_t num = 0;
  for (const realtime::ThreadCount& count : realtime::end_to_count()) num += count.num;
  return num;
}

TEST(Ring, DoesNotAllocateAfterWarmUp) {
#ifdef HARTLINE_SANITIZED
  GTEST_SKIP() << "a sanitizer has its own malloc, which cannot be counted";
#endif
  const std::int64_t num_trials = proof::sized(1100, 160);
  std::vector<laws::Case> cases = {laws::ball(num_trials, 64),      laws::ball(num_trials, 100),    laws::ball(num_trials, 16),
                                   laws::pool(num_trials),          laws::grid(num_trials),         laws::counts_grid(num_trials),
                                   laws::censored_grid(num_trials), laws::random_design(num_trials)};
  const auto serial = make_serial_executor(), two = make_executor(2);
  proof::Sheet sheet(fmt::format("Allocations in trials 101 to {}, on every thread but the record's", num_trials),
                     {"experiment", "durability", "threads", "allocations"});
  for (const laws::Case& c : cases)
    for (Executor* executor : {serial.get(), two.get()})
      for (const char* durability : {"window:20", "every-trial"}) {
        if (executor == two.get() && c.text.find("kind = \"ball\"") != std::string::npos)
          continue;  // the search of a ball is serial
        const std::int64_t num = allocations_after_warm_up(c.text, durability, num_trials, *executor);
        EXPECT_EQ(num, 0) << c.name << ", " << durability << ", " << executor->num_threads() << " threads";
        sheet.row({c.name, durability, fmt::format("{}", executor->num_threads()), fmt::format("{}", num)});
      }
}

/// The counter sees what it should: operator new, malloc, and what another library allocates.
TEST(Ring, TheCounterOfAllocationsCounts) {
#ifdef HARTLINE_SANITIZED
  GTEST_SKIP() << "a sanitizer has its own malloc, which cannot be counted";
#endif
  const auto num_in = [](auto&& body) {
    realtime::begin_to_count();
    body();
    std::int64_t num = 0;
    for (const realtime::ThreadCount& count : realtime::end_to_count()) num += count.num;
    return num;
  };
  std::string kept;
  void* volatile memory = nullptr;  // so that the compiler keeps the calls
  EXPECT_EQ(num_in([] {}), 0);
  EXPECT_EQ(num_in([&] { kept.assign(1000, 'x'); }), 1);
  EXPECT_EQ(num_in([&] { memory = std::malloc(static_cast<std::size_t>(kept.size())); }), 1);
  std::free(memory);
  EXPECT_EQ(num_in([&] { memory = std::aligned_alloc(64, 64 * kept.size()); }), 1);
  std::free(memory);
  char* copy = nullptr;
  EXPECT_EQ(num_in([&] { copy = realpath("/", nullptr); }), 1);
  std::free(copy);
}

}  // namespace
}  // namespace hartline
