#include "base/value.hpp"

#include <fmt/format.h>

#include <cmath>

namespace hartline {

const Value* Table::find(std::string_view key) const {
  for (const auto& [name, value] : items)
    if (name == key) return &value;
  return nullptr;
}

Value* Table::find(std::string_view key) { return const_cast<Value*>(std::as_const(*this).find(key)); }

void Table::set(std::string_view key, Value value) {
  if (Value* existing = find(key))
    *existing = std::move(value);
  else
    items.emplace_back(std::string(key), std::move(value));
}

bool Table::operator==(const Table& other) const { return items == other.items; }

Value numbers(const std::vector<double>& values) {
  List list;
  list.reserve(values.size());
  for (double v : values) list.emplace_back(v);
  return list;
}

std::string_view kind_name(const Value& value) {
  constexpr std::string_view names[] = {"nothing", "true or false", "a whole number", "a number", "a text", "a list", "a table"};
  return names[value.is.index()];
}

namespace {

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\')
      (out += '\\') += c;
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      out += fmt::format("\\u{:04X}", static_cast<unsigned>(c));
    else
      out += c;
  }
  return out + "\"";
}

std::string number_in_toml(double v) {
  if (std::isnan(v)) return "nan";
  if (std::isinf(v)) return v > 0 ? "inf" : "-inf";
  std::string text = fmt::format("{}", v);
  if (text.find_first_of(".en") == std::string::npos) text += ".0";
  return text;
}

std::string bare_or_quoted(std::string_view key) {
  const bool bare = !key.empty() && key.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
                                        std::string_view::npos;
  return bare ? std::string(key) : quoted(key);
}

bool is_table_list(const Value& value) {
  const List* list = value.list();
  if (!list || list->empty()) return false;
  for (const Value& item : *list)
    if (!item.table()) return false;
  return true;
}

std::string inline_toml(const Value& value) {
  struct Writer {
    std::string operator()(std::monostate) const { return "\"\""; }
    std::string operator()(bool v) const { return v ? "true" : "false"; }
    std::string operator()(std::int64_t v) const { return fmt::format("{}", v); }
    std::string operator()(double v) const { return number_in_toml(v); }
    std::string operator()(const std::string& v) const { return quoted(v); }
    std::string operator()(const List& v) const {
      std::string out = "[";
      for (std::size_t i = 0; i < v.size(); ++i) out += (i ? ", " : "") + inline_toml(v[i]);
      return out + "]";
    }
    std::string operator()(const Table& v) const {
      std::string out = "{";
      for (std::size_t i = 0; i < v.items.size(); ++i)
        out += (i ? ", " : " ") + bare_or_quoted(v.items[i].first) + " = " + inline_toml(v.items[i].second);
      return out + (v.items.empty() ? "}" : " }");
    }
  };
  return std::visit(Writer{}, value.is);
}

void write_table(const Table& table, const std::string& prefix, std::string& out) {
  for (const auto& [key, value] : table.items)
    if (!value.table() && !is_table_list(value)) out += bare_or_quoted(key) + " = " + inline_toml(value) + "\n";
  for (const auto& [key, value] : table.items) {
    const std::string path = prefix + bare_or_quoted(key);
    if (const Table* child = value.table()) {
      out += "\n[" + path + "]\n";
      write_table(*child, path + ".", out);
    } else if (is_table_list(value)) {
      for (const Value& item : *value.list()) {
        out += "\n[[" + path + "]]\n";
        write_table(*item.table(), path + ".", out);
      }
    }
  }
}

}  // namespace

std::string display(const Value& value) { return inline_toml(value); }

std::string to_toml(const Table& table) {
  std::string out;
  write_table(table, "", out);
  return out;
}

}  // namespace hartline
