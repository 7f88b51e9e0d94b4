// TOML 1.0 text ↔ Table. Writing is base's to_toml.
#pragma once

#include <string>
#include <string_view>

#include "base/value.hpp"

namespace hartline::io {

/// Reads a TOML text; keys keep the order of the text, each value carries its line. `file` names the text in messages.
/// Values nest at most 32 deep, dotted keys included, so that no text can exhaust the stack.
/// Throws: SpecError for a syntax error (with line and column), a key given twice, a date or time, too deep a nesting.
Table parse_toml(std::string_view text, std::string_view file);

/// Reads a TOML file.
/// Throws: IoError if it cannot be read, SpecError as above.
Table read_toml(const std::string& path);

}  // namespace hartline::io
