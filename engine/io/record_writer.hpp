// RecordWriter: rows of a record, from one thread. RunRecord puts a queue in front of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/histogram.hpp"
#include "base/trial.hpp"
#include "io/record_info.hpp"
#include "io/sqlite.hpp"

namespace hartline::io {

/// Writes an empty record and gives it its name only when it is complete, so that a file of that name is a record.
/// Throws: IoError, also if the name is taken.
void create_record_file(const std::string& path, const RecordInfo& info, const std::string& vfs);

/// Opens a record for writing. What is written becomes durable, and visible to readers, with commit().
/// Throws: IoError from every member.
class RecordWriter {
 public:
  /// Checks that the file is an intact record first.
  RecordWriter(const std::string& path, const std::string& vfs);

  const std::string& durability() const { return durability_; }
  void decide(const Trial& trial, std::int64_t wall_ns);
  void observe(const Trial& trial, std::int64_t wall_ns);
  void note(const Event& event);
  void put(std::string_view name, std::int64_t num_trials, const Array& array);
  void put_latency(std::string_view stage, const Histogram& histogram);
  void put_document(std::string_view name, std::string_view text);

  /// Makes everything since the last commit durable. Without anything to write it does nothing.
  void commit();
  /// Moves the log into the file once it is long. Apart from commit() because it takes longer.
  void shorten_log();
  /// Commits nothing more: ends an open transaction without it and leaves the files as they are.
  void abandon() noexcept;
  /// After the last commit: one plain file without a log, unless a reader has it open.
  void finish();

 private:
  void begin();
  void put_stimulus(const Trial& trial, int station, const Stimulus& stimulus);

  Database database_;
  std::string durability_;
  bool in_transaction_ = false;
  Statement begin_, commit_, decide_, observe_, stimulus_, drop_stimulus_, note_, put_, stage_, drop_latency_, latency_, document_;
};

}  // namespace hartline::io
