#include "counted_allocations.hpp"

#include <dirent.h>
#include <execinfo.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>

// glibc's own allocator under its other names; defining malloc here puts ours before it for every library of the process, and
// operator new and the C++ library come through it.
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
}

namespace hartline::realtime {
namespace {

constexpr std::size_t max_threads = 64;
struct Slot {
  std::atomic<pid_t> thread{0};
  std::atomic<std::int64_t> num{0};
};
std::array<Slot, max_threads> slots;
std::array<std::atomic<pid_t>, max_threads> left_out;
std::atomic<bool> counting{false};
std::atomic<int> traces_left{0};
thread_local bool inside = false;  // a trace allocates too

void count() {
  if (!counting.load(std::memory_order_relaxed) || inside) return;
  const pid_t self = gettid();
  for (const auto& thread : left_out)
    if (thread == self) return;
  for (Slot& slot : slots) {
    pid_t owner = slot.thread.load();
    if (owner == 0 && slot.thread.compare_exchange_strong(owner, self)) owner = self;
    if (owner != self) continue;
    ++slot.num;
    break;
  }
  if (traces_left.fetch_sub(1) <= 0) return;
  inside = true;
  std::array<void*, 40> chain;
  backtrace_symbols_fd(chain.data(), backtrace(chain.data(), static_cast<int>(chain.size())), STDERR_FILENO);
  [[maybe_unused]] const auto written = write(STDERR_FILENO, "--\n", 3);
  inside = false;
}

}  // namespace

void begin_to_count(const std::vector<pid_t>& but) {
  for (std::size_t i = 0; i < max_threads; ++i) left_out[i] = i < but.size() ? but[i] : 0;
  std::array<void*, 4> warm_up;
  backtrace(warm_up.data(), 4);  // loads its library
  const char* trace = std::getenv("HARTLINE_TRACE_ALLOCATIONS");
  traces_left = trace && *trace == '1' ? 50 : 0;
  for (Slot& slot : slots) {
    slot.num = 0;
    slot.thread = 0;
  }
  counting = true;
}

std::vector<ThreadCount> end_to_count() {
  counting = false;
  std::vector<ThreadCount> out;
  for (const Slot& slot : slots)
    if (slot.thread != 0) out.push_back({slot.thread, slot.num});
  return out;
}

std::vector<pid_t> threads_of_process() {
  std::vector<pid_t> out;
  DIR* folder = opendir("/proc/self/task");
  while (const dirent* entry = readdir(folder))
    if (entry->d_name[0] != '.') out.push_back(std::atoi(entry->d_name));
  closedir(folder);
  return out;
}

}  // namespace hartline::realtime

#ifndef HARTLINE_SANITIZED
extern "C" {
void* malloc(std::size_t size) {
  hartline::realtime::count();
  return __libc_malloc(size);
}
void* calloc(std::size_t num, std::size_t size) {
  hartline::realtime::count();
  return __libc_calloc(num, size);
}
void* realloc(void* memory, std::size_t size) {
  hartline::realtime::count();
  return __libc_realloc(memory, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  hartline::realtime::count();
  return __libc_memalign(alignment, size);
}
void* memalign(std::size_t alignment, std::size_t size) {
  hartline::realtime::count();
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** out, std::size_t alignment, std::size_t size) {
  hartline::realtime::count();
  *out = __libc_memalign(alignment, size);
  return *out ? 0 : ENOMEM;
}
}
#endif
