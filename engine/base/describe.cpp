#include "base/describe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace hartline {

namespace {

std::string with_unit(std::string text, std::string_view unit) {
  if (!unit.empty()) (text += ' ') += unit;
  return text;
}

void check_range(double v, const Value& value, const Place& place, std::string_view key, std::string_view unit,
                 const Constraint& c) {
  const bool inside = (c.low_open ? v > c.low : v >= c.low) && v <= c.high;
  if (!inside || !std::isfinite(v)) {
    const std::string requirement = std::isfinite(v) ? requirement_text(c, unit) : "a finite number";
    throw SpecError({place.of(key), requirement, with_unit(number_text(v), unit), place.line(value)});
  }
}

[[noreturn]] void refuse_kind(const Value& value, const Place& place, std::string_view key, std::string wanted) {
  throw SpecError({place.of(key), std::move(wanted), std::string(kind_name(value)) + " " + display(value), place.line(value)});
}

}  // namespace

std::string requirement_text(const Constraint& c, std::string_view unit) {
  if (!c.choices.empty()) return fmt::format("one of {}", fmt::join(c.choices, ", "));
  const bool has_low = std::isfinite(c.low), has_high = std::isfinite(c.high);
  if (has_low && has_high) return with_unit(fmt::format("between {} and {}", c.low, c.high), unit);
  if (has_low) return with_unit(fmt::format("{} {}", c.low_open ? ">" : ">=", c.low), unit);
  if (has_high) return with_unit(fmt::format("<= {}", c.high), unit);
  return with_unit("any", unit);
}

std::string Place::line(const Value& value) const {
  if (value.line <= 0) return "";
  return fmt::format("line {}{}.", value.line, file.empty() ? "" : " of " + file);
}

void read(const Value& value, const Place& place, std::string_view key, std::string_view, const Constraint&, bool& out) {
  const bool* v = std::get_if<bool>(&value.is);
  if (!v) refuse_kind(value, place, key, "true or false");
  out = *v;
}

void read(const Value& value, const Place& place, std::string_view key, std::string_view unit, const Constraint& c,
          std::int64_t& out) {
  const auto* v = std::get_if<std::int64_t>(&value.is);
  if (!v) refuse_kind(value, place, key, "a whole number");
  check_range(static_cast<double>(*v), value, place, key, unit, c);
  out = *v;
}

void read(const Value& value, const Place& place, std::string_view key, std::string_view unit, const Constraint& c, double& out) {
  double v = 0;
  if (const auto* whole = std::get_if<std::int64_t>(&value.is))
    v = static_cast<double>(*whole);
  else if (const auto* real = std::get_if<double>(&value.is))
    v = *real;
  else
    refuse_kind(value, place, key, "a number");
  check_range(v, value, place, key, unit, c);
  out = v;
}

void read(const Value& value, const Place& place, std::string_view key, std::string_view, const Constraint& c, std::string& out) {
  const std::string* v = value.text();
  if (!v) refuse_kind(value, place, key, c.choices.empty() ? "a text" : requirement_text(c, ""));
  if (!c.choices.empty() && std::find(c.choices.begin(), c.choices.end(), *v) == c.choices.end()) {
    std::string hint = did_you_mean(*v, c.choices);
    const std::string line = place.line(value);
    if (!hint.empty() && !line.empty()) hint += " ";
    throw SpecError({place.of(key), requirement_text(c, ""), "\"" + *v + "\"", hint + line});
  }
  out = *v;
}

void refuse_unknown(const Table& table, const Place& place, const std::vector<std::string_view>& known) {
  for (const auto& [key, value] : table.items) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    std::string hint = did_you_mean(key, known);
    const std::string line = place.line(value);
    if (!hint.empty() && !line.empty()) hint += " ";
    throw SpecError({place.of(key), fmt::format("one of the keys {}", fmt::join(known, ", ")), "\"" + key + "\"", hint + line});
  }
}

void refuse_missing(const Place& place, std::string_view key, const Constraint& c, std::string_view unit) {
  const bool bounded = !c.choices.empty() || std::isfinite(c.low) || std::isfinite(c.high);
  throw SpecError({place.of(key), bounded ? "given, " + requirement_text(c, unit) : "given", "nothing",
                   place.file.empty() ? "" : "Add it to " + place.file + "."});
}

}  // namespace hartline
