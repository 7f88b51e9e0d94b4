// RunRecord: the record of a run as a file, docs/record-format.md.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/record.hpp"
#include "io/record_info.hpp"

namespace hartline::io {

/// Writes a record from a thread of its own through a queue of fixed length. One writer at a time; readers may read meanwhile.
///
/// Durability "every-trial": decide() returns when the decision and everything before it is on the disk.
/// Durability "window:n": nothing waits for the disk until n observed trials are not on it yet; a loss of power loses at most
/// those n.
///
/// A failure is thrown by the next call and by every call after it; what was committed stays readable.
/// Allocates: nothing on the caller's side once each slot of the queue has held values as large    (record_allocation_test.cpp:
/// RunRecord.CallsDoNotAllocateAfterWarmUp)
/// Throws: IoError; SpecError for values that do not fill their shape
class RunRecord final : public Record {
 public:
  /// Starts a record. `vfs` names a virtual file system of SQLite, "" the usual one.
  /// Throws: IoError if the file exists or cannot be made, SpecError for an unknown durability.
  static std::unique_ptr<RunRecord> create(const std::string& path, const RecordInfo& info, const std::string& vfs = "");
  /// Continues a record, also one whose process was killed.
  /// Throws: IoError if it is missing, damaged or being written.
  static std::unique_ptr<RunRecord> append(const std::string& path, const std::string& vfs = "");
  /// Commits what is queued. Call flush() before to hear of a failure.
  ~RunRecord() override;

  void decide(const Trial& trial) override;
  void observe(const Trial& trial) override;
  void note(const Event& event) override;
  void put(std::string_view name, std::int64_t num_trials, const Array& array) override;
  void put_latency(std::string_view stage, const Histogram& histogram) override;
  void flush() override;

 private:
  class Queue;
  explicit RunRecord(std::unique_ptr<Queue> queue);
  std::unique_ptr<Queue> queue_;
};

/// Adds a named text to a finished record, replacing one of the same name.
/// Throws: IoError, also while the record is being written.
void write_document(const std::string& path, std::string_view name, std::string_view text);

}  // namespace hartline::io
