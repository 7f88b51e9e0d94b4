// What the fuzzers and their test call: each reads bytes from outside, and either succeeds or throws hartline::Error.
// Anything else (another exception, a sanitizer's finding, no end) is a defect.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hartline::fuzz {

void read_as_toml(std::string_view bytes);
void read_as_json(std::string_view bytes);
/// The bytes as a model's program.
void read_as_text(std::string_view bytes);
void read_as_npy(std::string_view bytes);
/// The bytes as a trained network, and whatever they hold behind an intact first line.
void read_as_network(std::string_view bytes);
/// The bytes as a record.
void read_as_record(std::string_view bytes);
/// The bytes as the log beside an intact record.
void read_as_log(std::string_view bytes);
/// The bytes as what a rig sends, in pieces, over a pipe and over a line that wants a token.
void read_as_rig(std::string_view bytes);
std::vector<std::string> rig_seeds();

/// Throws what is not an Error, so that nothing takes a broken promise for a refusal.
void demand(bool holds, const char* promise);

struct Target {
  std::string_view name;
  void (*read)(std::string_view);
  std::vector<std::string> (*seeds)();  // valid inputs to start from
};

/// All of them.
const std::vector<Target>& targets();

}  // namespace hartline::fuzz
