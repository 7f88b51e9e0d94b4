// Threads: work is cut into fixed blocks that do not depend on the number of threads, so results do not either.
#pragma once

#include <memory>

namespace hartline {

/// Runs numbered blocks of work. Blocks may run in any order and at the same time; a block must not read what another writes.
class Executor {
 public:
  virtual ~Executor() = default;
  virtual int num_threads() const = 0;

  /// Calls body(block) for every block in 0 … num_blocks - 1 and returns when all are done.
  template <class Body>
  void for_each_block(int num_blocks, Body&& body) {
    run(
        num_blocks, [](void* context, int block) { (*static_cast<std::remove_reference_t<Body>*>(context))(block); }, &body);
  }

 protected:
  virtual void run(int num_blocks, void (*body)(void*, int), void* context) = 0;
};

/// All blocks on the calling thread, in order.
std::unique_ptr<Executor> make_serial_executor();

/// Blocks shared among `num_threads` threads (0: as many as there are cores).
std::unique_ptr<Executor> make_executor(int num_threads);

}  // namespace hartline
