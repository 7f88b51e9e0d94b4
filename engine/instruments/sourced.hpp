// Sourced: a number of the library with the place that it was taken from.
#pragma once

#include <string>

#include "base/describe.hpp"

namespace hartline::instruments {

/// In a file { value = 0.6, unit = "ms", source = "Author et al. 2018, Table 1" }. A source that begins with "assumed" says that
/// nobody measured it, or that the number was not looked up. The value is kept in the unit of its field.
struct Sourced {
  double value = 0;
  std::string source;
  bool assumed() const { return source.starts_with("assumed"); }
};

/// Throws: SpecError for a value without unit or source, UnitError for another unit.
void read(const Value& value, const Place& place, std::string_view key, std::string_view unit, const Constraint& c, Sourced& out);

}  // namespace hartline::instruments
