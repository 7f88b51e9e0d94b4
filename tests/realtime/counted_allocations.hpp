// Counted allocations: this program's malloc and its kin, counted for each thread while the counter is on.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace hartline::realtime {

/// Allocations that one thread made while the counter was on.
struct ThreadCount {
  pid_t thread = 0;
  std::int64_t num = 0;
};

/// Forgets all counts and begins to count, on every thread but those named. With
/// HARTLINE_TRACE_ALLOCATIONS=1 each allocation of the first fifty is printed with its call chain.
void begin_to_count(const std::vector<pid_t>& but = {});
/// Counts of the threads that allocated.
std::vector<ThreadCount> end_to_count();

/// The threads of this process.
std::vector<pid_t> threads_of_process();

}  // namespace hartline::realtime
