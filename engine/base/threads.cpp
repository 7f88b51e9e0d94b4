#include "base/threads.hpp"

#include <tbb/global_control.h>
#include <tbb/info.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>

namespace hartline {

namespace {

class SerialExecutor final : public Executor {
 public:
  int num_threads() const override { return 1; }

 protected:
  void run(int num_blocks, void (*body)(void*, int), void* context) override {
    for (int block = 0; block < num_blocks; ++block) body(context, block);
  }
};

class ArenaExecutor final : public Executor {
 public:
  explicit ArenaExecutor(int num_threads)
      : num_threads_(num_threads),
        limit_(tbb::global_control::max_allowed_parallelism,
               static_cast<std::size_t>(std::max(num_threads, tbb::info::default_concurrency()))),
        arena_(num_threads) {}
  int num_threads() const override { return num_threads_; }

 protected:
  void run(int num_blocks, void (*body)(void*, int), void* context) override {
    arena_.execute([&] {
      tbb::parallel_for(
          0, num_blocks, [&](int block) { body(context, block); }, tbb::simple_partitioner{});
    });
  }

 private:
  int num_threads_;
  tbb::global_control limit_;  // more threads than cores, where that was asked for
  tbb::task_arena arena_;
};

}  // namespace

std::unique_ptr<Executor> make_serial_executor() { return std::make_unique<SerialExecutor>(); }

std::unique_ptr<Executor> make_executor(int num_threads) {
  const int count = num_threads > 0 ? num_threads : tbb::info::default_concurrency();
  if (count == 1) return make_serial_executor();
  return std::make_unique<ArenaExecutor>(count);
}

}  // namespace hartline
