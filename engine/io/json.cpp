#include "io/json.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace hartline::io {

namespace {

constexpr std::size_t max_depth = 128;

/// Length of the UTF-8 sequence at the start of `text`, 0 where there is none.
std::size_t utf8_length(std::string_view text) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = at(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((at(i) & 0xc0) != 0x80) return 0;
  // Overlong forms, surrogates and what lies beyond U+10FFFF differ in the second byte.
  if ((first == 0xe0 && at(1) < 0xa0) || (first == 0xed && at(1) > 0x9f) || (first == 0xf0 && at(1) < 0x90) ||
      (first == 0xf4 && at(1) > 0x8f))
    return 0;
  return length;
}

void write_text(std::string_view text, std::string& out) {
  constexpr char digits[] = "0123456789abcdef";
  out += '"';
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const char c = text[0];
    if (length == 0) {
      out += "\xEF\xBF\xBD";
    } else if (length > 1) {
      out += text.substr(0, length);
    } else if (c == '"' || c == '\\') {
      (out += '\\') += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == '<') {
      out += "\\u00";
      out += digits[static_cast<unsigned char>(c) >> 4];
      out += digits[static_cast<unsigned char>(c) & 15];
    } else {
      out += c;
    }
    text.remove_prefix(std::max<std::size_t>(1, length));
  }
  out += '"';
}

void write_number(double v, std::string& out) {
  if (!std::isfinite(v)) {
    out += "null";
    return;
  }
  const std::string text = number_text(v);
  out += text;
  if (text.find_first_of(".e") == std::string::npos) out += ".0";
}

struct Writer {
  std::string& out;
  int indent;
  int level = 0;

  void operator()(std::monostate) { out += "null"; }
  void operator()(bool v) { out += v ? "true" : "false"; }
  void operator()(std::int64_t v) { out += std::to_string(v); }
  void operator()(double v) { write_number(v, out); }
  void operator()(const std::string& v) { write_text(v, out); }
  void operator()(const List& v) {
    write_items('[', ']', v, [&](const Value& item) { std::visit(*this, item.is); });
  }
  void operator()(const Table& v) {
    write_items('{', '}', v.items, [&](const auto& item) {
      write_text(item.first, out);
      out += indent < 0 ? ":" : ": ";
      std::visit(*this, item.second.is);
    });
  }

  template <class Items, class Write>
  void write_items(char open, char close, const Items& items, Write write) {
    out += open;
    ++level;
    bool first = true;
    for (const auto& item : items) {
      if (!first) out += ',';
      first = false;
      new_line();
      write(item);
    }
    --level;
    if (!first) new_line();
    out += close;
  }

  void new_line() {
    if (indent < 0) return;
    out += '\n';
    out.append(static_cast<std::size_t>(indent * level), ' ');
  }
};

/// Builds the tree from the parser's events; false stops the parser.
class Builder : public nlohmann::json_sax<nlohmann::json> {
 public:
  Value root;
  std::string problem;         // what was met, or why it is no JSON where the position is known
  std::size_t problem_at = 0;  // 1-based byte; 0: unknown

  bool null() override { return add({}); }
  bool boolean(bool v) override { return add(v); }
  bool number_integer(number_integer_t v) override { return add(static_cast<std::int64_t>(v)); }
  bool number_unsigned(number_unsigned_t v) override {
    if (v > static_cast<number_unsigned_t>(std::numeric_limits<std::int64_t>::max())) return too_large(std::to_string(v));
    return add(static_cast<std::int64_t>(v));
  }
  bool number_float(number_float_t v, const string_t& text) override {
    // Beyond 64 bits the parser turns a whole number into a rounded double.
    return text.find_first_of(".eE") == string_t::npos ? too_large(text) : add(v);
  }
  bool string(string_t& v) override { return add(std::move(v)); }
  bool binary(binary_t&) override { return refuse("a binary value"); }
  bool start_object(std::size_t) override { return open(Table{}); }
  bool key(string_t& v) override {
    if (!open_.back().keys.insert(v).second) return refuse("the key \"" + v + "\" twice");
    open_.back().key = std::move(v);
    return true;
  }
  bool end_object() override { return shut(); }
  bool start_array(std::size_t) override { return open(List{}); }
  bool end_array() override { return shut(); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception& error) override {
    // Its text reads "[json.exception…] parse error at line 1, column 2: reason"; the reason is what a person needs.
    std::string_view text = error.what();
    if (const std::size_t mark = text.find(": "); mark != std::string_view::npos) text.remove_prefix(mark + 2);
    problem = text;
    problem_at = position;
    return false;
  }

 private:
  struct Level {
    Value value;
    std::string key = {};             // the one whose value comes next
    std::set<std::string> keys = {};  // those met so far
  };

  bool add(Value v) {
    if (open_.empty())
      root = std::move(v);
    else if (List* list = open_.back().value.list())
      list->push_back(std::move(v));
    else
      open_.back().value.table()->items.emplace_back(std::move(open_.back().key), std::move(v));
    return true;
  }
  bool open(Value v) {
    if (open_.size() >= max_depth) return refuse("more than " + std::to_string(max_depth) + " levels");
    open_.push_back({std::move(v)});
    return true;
  }
  bool shut() {
    Value done = std::move(open_.back().value);
    open_.pop_back();
    return add(std::move(done));
  }
  bool refuse(std::string reason) {
    problem = std::move(reason);
    return false;
  }
  bool too_large(const std::string& text) { return refuse("the whole number " + text + ", which 64 bits do not hold"); }

  std::vector<Level> open_;
};

}  // namespace

std::string to_json(const Value& value, int indent) {
  std::string out;
  std::visit(Writer{out, indent}, value.is);
  return out;
}

Value parse_json(std::string_view text, std::string_view source) {
  Builder builder;
  if (nlohmann::json::sax_parse(text.begin(), text.end(), &builder)) return std::move(builder.root);
  if (builder.problem_at == 0) throw SpecError({std::string(source), "valid JSON", builder.problem, ""});
  const std::string_view before = text.substr(0, std::min(builder.problem_at - 1, text.size()));
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  throw SpecError({std::string(source), "valid JSON", "",
                   "Line " + std::to_string(line) + ", column " + std::to_string(before.size() - line_start + 1) + ": " +
                       builder.problem + "."});
}

}  // namespace hartline::io
