// Worker: one thread that does one job at a time, so that another can stop waiting for it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

namespace hartline::loop {

class Worker {
 public:
  Worker() = default;
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Begins a job; the one before must be done. The thread is made with the first.
  void begin(std::function<void()> job);
  /// Waits for the job, at most so long; returns whether it is done.
  bool wait_for(std::int64_t ns);
  /// Waits for the job, if there is one. Throws: what it threw.
  void wait();

 private:
  void work();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::function<void()> job_;
  std::exception_ptr failure_;
  bool busy_ = false, ending_ = false;
  std::thread thread_;
};

}  // namespace hartline::loop
