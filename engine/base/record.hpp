// Record: where a run is written down. One writer; a reader sees whole trials only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/histogram.hpp"
#include "base/trial.hpp"

namespace hartline {

/// Where a run is written down. Two commits a trial: the decision before the stimulus is presented, the observation after.
/// An implementation may queue; a failure is thrown by the next call.
/// Throws: IoError; everything committed before it stays readable.
class Record {
 public:
  virtual ~Record() = default;

  /// Writes the decision (index, attempt, token, requested stimulus, utility, units, lateness) and returns when it is durable
  /// in the sense of the record's durability.
  virtual void decide(const Trial& trial) = 0;

  /// Writes rendered and delivered stimulus, response and evidence. Returns at once; durable in the background.
  virtual void observe(const Trial& trial) = 0;

  /// Writes an event. Returns at once.
  virtual void note(const Event& event) = 0;

  /// Writes a named array that belongs to a trial count (an estimate, a standard deviation, a truth). Replaces one of the same
  /// name and count. Returns at once.
  virtual void put(std::string_view name, std::int64_t num_trials, const Array& array) = 0;

  /// Writes the latency histogram of a stage, replacing an earlier one.
  virtual void put_latency(std::string_view stage, const Histogram& histogram) = 0;

  /// Returns when everything is on the disk.
  virtual void flush() = 0;
};

}  // namespace hartline
