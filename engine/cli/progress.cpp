#include "cli/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

namespace hartline::cli {

Progress::Progress(std::string unit, std::int64_t all, bool quiet)
    : unit_(std::move(unit)),
      all_(all),
      quiet_(quiet),
      terminal_(isatty(STDERR_FILENO) == 1),
      begun_(std::chrono::steady_clock::now()),
      shown_(begun_) {}

Progress::~Progress() {
  if (drawn_) std::fputs("\n", stderr);
}

void Progress::show(std::int64_t done) {
  if (quiet_) return;
  if (first_ < 0) first_ = done - 1;
  const auto now = std::chrono::steady_clock::now();
  const double seconds = std::chrono::duration<double>(now - begun_).count();
  const double left = done > first_ ? seconds / static_cast<double>(done - first_) * static_cast<double>(all_ - done) : 0;
  if (terminal_) {
    if (now - shown_ < std::chrono::milliseconds(100) && done < all_) return;
    shown_ = now;
    drawn_ = true;
    std::fputs(fmt::format("\r{} of {} {}, {:.0f} s left \033[K", done, all_, unit_, left).c_str(), stderr);
    std::fflush(stderr);
  } else if (done * 10 / all_ > tenth_) {
    tenth_ = done * 10 / all_;
    std::fputs(fmt::format("{} of {} {}, {:.0f} s left\n", done, all_, unit_, left).c_str(), stderr);
  }
}

}  // namespace hartline::cli
