// Progress on standard error: one line that is rewritten on a terminal, a plain line every ten percent elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace hartline::cli {

class Progress {
 public:
  /// `unit`: what is counted, for example trials.
  Progress(std::string unit, std::int64_t all, bool quiet);
  ~Progress();
  void show(std::int64_t done);

 private:
  std::string unit_;
  std::int64_t all_;
  bool quiet_, terminal_;
  bool drawn_ = false;
  std::int64_t tenth_ = 0, first_ = -1;
  std::chrono::steady_clock::time_point begun_, shown_;
};

}  // namespace hartline::cli
