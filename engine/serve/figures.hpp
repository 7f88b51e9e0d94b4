// What sections of a page are made of.
#pragma once

#include <cmath>
#include <string>
#include <string_view>
#include <utility>

#include "base/value.hpp"

namespace hartline::serve {

/// A large number with its name, its unit and a note below it.
inline Table figure(std::string label, double value, std::string unit, int digits, std::string note) {
  Table out;
  out.set("label", std::move(label));
  out.set("value", value);
  out.set("unit", std::move(unit));
  out.set("digits", digits);
  out.set("note", std::move(note));
  return out;
}

inline const Value* member(const Value& value, std::string_view key) { return value.table() ? value.table()->find(key) : nullptr; }

/// NaN where it is none.
inline double number(const Value& value) {
  if (const auto* whole = std::get_if<std::int64_t>(&value.is)) return static_cast<double>(*whole);
  const auto* real = std::get_if<double>(&value.is);
  return real ? *real : std::nan("");
}

}  // namespace hartline::serve
