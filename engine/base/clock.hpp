// Clock: where times come from; a test brings its own.
#pragma once

#include <cstdint>

namespace hartline {

class Clock {
 public:
  virtual ~Clock() = default;
  /// Nanoseconds since an arbitrary start; never goes back.
  virtual std::int64_t now_ns() const = 0;
};

/// The machine's monotonic clock.
class SteadyClock final : public Clock {
 public:
  std::int64_t now_ns() const override;
};

/// A clock that stands still until told.
class ManualClock final : public Clock {
 public:
  std::int64_t now_ns() const override { return now_ += step_ns; }
  void advance_ns(std::int64_t ns) { now_ += ns; }
  std::int64_t step_ns = 0;  // added at every reading

 private:
  mutable std::int64_t now_ = 0;
};

/// Wall-clock time as nanoseconds since 1970 in UTC, for the record only.
std::int64_t wall_time_ns();

}  // namespace hartline
