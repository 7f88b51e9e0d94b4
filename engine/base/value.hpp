// Value: a configuration or JSON document as a tree; Array: numbers with a shape.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace hartline {

/// Numbers in row-major order.
struct Array {
  std::vector<std::int64_t> shape;
  std::vector<double> values;  // [product of shape]
  bool operator==(const Array&) const = default;
};

struct Value;
using List = std::vector<Value>;

/// Keys with values, in the order in which they were written.
struct Table {
  std::vector<std::pair<std::string, Value>> items;

  const Value* find(std::string_view key) const;
  Value* find(std::string_view key);
  /// Sets or appends.
  void set(std::string_view key, Value value);
  bool operator==(const Table& other) const;  // not here: Value is not complete yet
};

/// One node of the tree. `line` is where it stood in the text (0: nowhere) and does not take part in comparison.
struct Value {
  std::variant<std::monostate, bool, std::int64_t, double, std::string, List, Table> is;
  int line = 0;

  Value() = default;
  Value(bool v) : is(v) {}
  Value(int v) : is(static_cast<std::int64_t>(v)) {}
  Value(std::int64_t v) : is(v) {}
  Value(double v) : is(v) {}
  Value(const char* v) : is(std::string(v)) {}
  Value(std::string v) : is(std::move(v)) {}
  Value(List v) : is(std::move(v)) {}
  Value(Table v) : is(std::move(v)) {}

  const Table* table() const { return std::get_if<Table>(&is); }
  Table* table() { return std::get_if<Table>(&is); }
  const List* list() const { return std::get_if<List>(&is); }
  List* list() { return std::get_if<List>(&is); }
  const std::string* text() const { return std::get_if<std::string>(&is); }
  bool is_null() const { return std::holds_alternative<std::monostate>(is); }
  bool operator==(const Value& other) const { return is == other.is; }
};

/// A list of numbers as a Value.
Value numbers(const std::vector<double>& values);

/// What kind of value it is, for messages: "a number", "a table" …
std::string_view kind_name(const Value& value);

/// The value as a person would write it, for messages: "ball", 3.5, [1, 2] …
std::string display(const Value& value);

/// TOML text of a table, keys in their order; sub-tables after plain keys. Reads back to the same tree.
std::string to_toml(const Table& table);

}  // namespace hartline
