// JSON text ↔ Value.
#pragma once

#include <string>
#include <string_view>

#include "base/value.hpp"

namespace hartline::io {

/// Writes JSON: keys in their order, numbers as the shortest text that reads back to the same double (a double keeps its point),
/// NaN and infinities as null. `<` becomes \u003c, so that the text may stand inside an HTML script element; bytes that
/// are not UTF-8 become U+FFFD. `indent` < 0: one line; else that many blanks a level.
std::string to_json(const Value& value, int indent = -1);

/// Reads JSON, at most 128 levels deep. Whole numbers must fit 64 bits with sign. `source` names the text in messages.
/// Throws: SpecError for a syntax error (with line and column), a key given twice, too deep a nesting, trailing text.
Value parse_json(std::string_view text, std::string_view source = "JSON text");

}  // namespace hartline::io
