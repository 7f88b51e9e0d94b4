// RecordReader: a record as values, from a finished file, one being written, or one whose process was killed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/histogram.hpp"
#include "base/trial.hpp"
#include "io/record_info.hpp"
#include "io/sqlite.hpp"

namespace hartline::io {

/// When a trial reached the record, wall time in ns since 1970.
struct TrialTimes {
  std::int64_t decided_at_ns = 0;
  std::int64_t observed_at_ns = 0;  // 0: decided and never observed
};

/// Reads a record without writing to it. Every call sees one state of it: whole trials, and with each call the newest.
/// Throws: IoError for what is missing, not a record, of a newer format or damaged, from every member.
class RecordReader {
 public:
  using Visitor = std::function<void(const Trial&, const TrialTimes&)>;

  explicit RecordReader(const std::string& path, const std::string& vfs = "");

  RecordInfo info() const;
  /// How many trials were observed, in whichever attempt.
  std::int64_t num_trials() const;
  /// Calls `visit` for every attempt of every trial from `first_trial` on, in order of trial and attempt.
  void for_each_trial(const Visitor& visit, std::int64_t first_trial = 0) const;
  /// In the order in which they were noted.
  std::vector<Event> events() const;
  /// Names in order of the alphabet.
  std::vector<std::string> array_names() const;
  /// The arrays of a name with their trial counts, which increase.
  std::vector<std::pair<std::int64_t, Array>> arrays(const std::string& name) const;
  /// Stages in order of the alphabet.
  std::vector<std::pair<std::string, Histogram>> latency() const;
  /// Names and texts in order of the alphabet.
  std::vector<std::pair<std::string, std::string>> documents() const;

 private:
  Database database_;
};

}  // namespace hartline::io
