// Field tables: a user-facing struct lists its fields once; reading, writing, validation and documentation come from that list.
//
//   struct Glm {
//     std::string link = "exp";
//     double bin_ms = 1000;
//     template <class Field> static void describe(Field&& field) {
//       field("link", &Glm::link, "", one_of({"exp", "softplus"}), "maps the linear predictor to the rate");
//       field("bin_ms", &Glm::bin_ms, "ms", positive(), "width of the bin in which spikes are counted");
//     }
//   };
#pragma once

#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/error.hpp"
#include "base/value.hpp"

namespace hartline {

/// What a field's value has to satisfy.
struct Constraint {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool low_open = false;                       // the bound itself is excluded
  std::vector<std::string_view> choices = {};  // of a text; empty: any text
  bool required = false;                       // the key must be given
};

inline Constraint any() { return {}; }
inline Constraint positive() { return {.low = 0, .low_open = true}; }
inline Constraint non_negative() { return {.low = 0}; }
inline Constraint at_least(double low) { return {.low = low}; }
inline Constraint between(double low, double high) { return {.low = low, .high = high}; }
inline Constraint one_of(std::initializer_list<std::string_view> choices) { return {.choices = choices}; }
inline Constraint required(Constraint c = {}) {
  c.required = true;
  return c;
}

/// "one of a, b, c" or "> 0 ms", for messages and documentation.
std::string requirement_text(const Constraint& constraint, std::string_view unit);

/// Where a value came from: the path of its table, and the file for messages.
struct Place {
  std::string path;  // "" at the top
  std::string file;
  std::string of(std::string_view key) const { return path.empty() ? std::string(key) : path + "." + std::string(key); }
  std::string line(const Value& value) const;
};

// Readers of one value; each throws SpecError naming path, requirement and value.
void read(const Value& value, const Place& place, std::string_view key, std::string_view unit, const Constraint& c, bool& out);
void read(const Value& value, const Place& place, std::string_view key, std::string_view unit, const Constraint& c,
          std::int64_t& out);
void read(const Value& value, const Place& place, std::string_view key, std::string_view unit, const Constraint& c, double& out);
void read(const Value& value, const Place& place, std::string_view key, std::string_view unit, const Constraint& c,
          std::string& out);

/// Throws SpecError for the first key of `table` that is not in `known`, naming the nearest one.
void refuse_unknown(const Table& table, const Place& place, const std::vector<std::string_view>& known);

/// Throws SpecError: a key that must be given is absent.
[[noreturn]] void refuse_missing(const Place& place, std::string_view key, const Constraint& c, std::string_view unit);

/// A table that somebody else will read: kept as it is.
inline void read(const Value& value, const Place& place, std::string_view key, std::string_view, const Constraint&, Table& out) {
  if (!value.table())
    throw SpecError({place.of(key), "a table", std::string(kind_name(value)) + " " + display(value), place.line(value)});
  out = *value.table();
}

template <class T>
concept Described = requires {
  T::describe([](auto&&...) {});
};

template <class T>
void read(const Value& value, const Place& place, std::string_view key, std::string_view unit, const Constraint& c,
          std::vector<T>& out) {
  const List* list = value.list();
  if (!list) throw SpecError({place.of(key), "a list", std::string(kind_name(value)) + " " + display(value), place.line(value)});
  out.clear();
  for (std::size_t i = 0; i < list->size(); ++i) {
    T item{};
    read((*list)[i], place, std::string(key) + "[" + std::to_string(i) + "]", unit, c, item);
    out.push_back(std::move(item));
  }
}

template <class T>
void read(const Value& value, const Place& place, std::string_view key, std::string_view unit, const Constraint& c,
          std::optional<T>& out) {
  out.emplace();
  read(value, place, key, unit, c, *out);
}

template <Described T>
void read_table(const Table& table, const Place& place, T& out);

template <Described T>
void read(const Value& value, const Place& place, std::string_view key, std::string_view, const Constraint&, T& out) {
  const Table* table = value.table();
  if (!table) throw SpecError({place.of(key), "a table", std::string(kind_name(value)) + " " + display(value), place.line(value)});
  read_table(*table, {place.of(key), place.file}, out);
}

/// Fills `out` from `table` by its field table; fields that are absent keep their defaults.
/// Throws: SpecError for an unknown key, a missing required key, a wrong kind or a value outside its constraint.
template <Described T>
void read_table(const Table& table, const Place& place, T& out) {
  std::vector<std::string_view> known;
  T::describe([&](std::string_view name, auto, auto&&...) { known.push_back(name); });
  refuse_unknown(table, place, known);
  T::describe([&](std::string_view name, auto member, std::string_view unit, const Constraint& c, std::string_view) {
    if (const Value* value = table.find(name))
      read(*value, place, name, unit, c, out.*member);
    else if (c.required)
      refuse_missing(place, name, c, unit);
  });
}

template <class T>
Value to_value(const std::vector<T>& in);
template <class T>
Value to_value(const std::optional<T>& in);

template <class T>
Value to_value(const T& in) {
  if constexpr (Described<T>) {
    Table table;
    T::describe([&](std::string_view name, auto member, auto&&...) {
      Value value = to_value(in.*member);
      if (!value.is_null()) table.set(name, std::move(value));
    });
    return table;
  } else {
    return Value(in);
  }
}

template <class T>
Value to_value(const std::vector<T>& in) {
  List list;
  for (const T& item : in) list.push_back(to_value(item));
  return list;
}

template <class T>
Value to_value(const std::optional<T>& in) {
  return in ? to_value(*in) : Value();
}

}  // namespace hartline
