// Scratch for blocks of work that run at the same time: as many as there are threads, lent out one a block.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

namespace hartline::design {

/// What a block finds in a slot must not matter: it depends on which blocks ran before.
template <class Scratch>
class ScratchSlots {
 public:
  template <class... Arguments>
  explicit ScratchSlots(int num_threads, const Arguments&... arguments)
      : busy_(new std::atomic_flag[static_cast<std::size_t>(num_threads)]) {
    for (int k = 0; k < num_threads; ++k) {
      slots_.emplace_back(arguments...);
      busy_[static_cast<std::size_t>(k)].clear();
    }
  }

  /// Calls body(slot) with a slot that nobody else has. Allocates: nothing.
  template <class Body>
  void with(Body&& body) {
    for (std::size_t k = 0;; k = (k + 1) % slots_.size()) {
      if (!busy_[k].test_and_set(std::memory_order_acquire)) {
        const Return back{busy_[k]};
        return body(slots_[k]);
      }
      if (k + 1 == slots_.size()) std::this_thread::yield();
    }
  }

 private:
  struct Return {
    std::atomic_flag& busy;
    ~Return() { busy.clear(std::memory_order_release); }
  };
  std::vector<Scratch> slots_;
  std::unique_ptr<std::atomic_flag[]> busy_;
};

}  // namespace hartline::design
