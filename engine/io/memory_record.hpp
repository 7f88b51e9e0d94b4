// MemoryRecord: a record that lives and dies with the process, for tests, comparisons and callers that keep nothing.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/record.hpp"

namespace hartline::io {

/// Keeps everything in memory, in the order in which a RecordReader would give it. For one thread at a time.
/// Throws: InternalError for a trial decided twice or observed before it was decided.
class MemoryRecord final : public Record {
 public:
  void decide(const Trial& trial) override;
  void observe(const Trial& trial) override;
  void note(const Event& event) override { events_.push_back(event); }
  void put(std::string_view name, std::int64_t num_trials, const Array& array) override;
  void put_latency(std::string_view stage, const Histogram& histogram) override;
  void flush() override {}

  /// In order of trial and attempt.
  std::vector<Trial> trials() const;
  const std::vector<Event>& events() const { return events_; }
  std::vector<std::pair<std::int64_t, Array>> arrays(const std::string& name) const;
  std::vector<std::pair<std::string, Histogram>> latency() const { return {latency_.begin(), latency_.end()}; }

 private:
  std::map<std::pair<std::int64_t, std::int64_t>, Trial> trials_;
  std::vector<Event> events_;
  std::map<std::string, std::map<std::int64_t, Array>> arrays_;
  std::map<std::string, Histogram> latency_;
};

}  // namespace hartline::io
