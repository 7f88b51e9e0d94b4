// RecordInfo: what a record says about its run as a whole.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hartline::io {

struct RecordInfo {
  std::string configuration;                                  // as resolved, TOML text
  std::vector<std::pair<std::string, std::string>> versions;  // of the program and its libraries, in order
  std::string durability = "every-trial";                     // or "window:n": up to n observed trials may be lost with the power
  std::uint64_t seed = 0;
  std::string host;
  std::int64_t started_ns = 0;  // wall time since 1970 in UTC
  bool operator==(const RecordInfo&) const = default;
};

/// The window of a durability in trials; 0 for "every-trial".
/// Throws: SpecError naming `record.durability`.
std::int64_t window_of(std::string_view durability);

}  // namespace hartline::io
