#include "io/toml.hpp"

#include <algorithm>
#include <utility>

#include "base/error.hpp"
#include "io/file.hpp"

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#define TOML_MAX_NESTED_VALUES 32
// Its assertions stop at inputs that it reports as errors a line later ("[!"); with NDEBUG they are promises to the compiler.
#undef NDEBUG
#define TOML_ASSERT(condition) static_cast<void>(0)
#include <toml++/impl/forward_declarations.h>
// Whether a letter is a blank it answers with undefined behaviour for é and others; the answer is no.
#undef TOML_UNREACHABLE
#define TOML_UNREACHABLE \
  return {}
#include <toml++/impl/unicode.h>
#undef TOML_UNREACHABLE
#define TOML_UNREACHABLE __builtin_unreachable()
#include <toml++/toml.h>

namespace hartline::io {

namespace {

constexpr int max_depth = 32;

std::string name_of(std::string_view file) { return file.empty() ? "TOML text" : std::string(file); }

[[noreturn]] void refuse_syntax(std::string_view file, std::size_t line, std::size_t column, std::string reason) {
  if (!reason.empty() && reason.back() != '.') reason += '.';
  throw SpecError({name_of(file), "valid TOML", "",
                   "Line " + std::to_string(line) + ", column " + std::to_string(column) + ": " + std::move(reason)});
}

/// Walks the text as the parser's lexer would and refuses what the parser itself does not bound: a dotted key with very many
/// parts becomes a tree so deep that freeing it overflows the stack. Control characters are refused too, as TOML demands, because
/// the walk relies on line ends. The walk agrees with the parser up to the first syntax error, where the parser stops.
void check_lexically(std::string_view text, std::string_view file) {
  std::size_t line = 1, line_start = 0;
  int dots = 0;
  std::string_view quote;  // the open quotation mark, or ""
  bool comment = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool carriage_return = c == '\r' && i + 1 < text.size() && text[i + 1] == '\n';
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 || byte == 0x7f) && c != '\t' && c != '\n' && !carriage_return)
      refuse_syntax(file, line, i - line_start + 1, "a control character; in a text write \\u and four hexadecimal digits");
    if (c == '\n') {
      ++line;
      line_start = i + 1;
      dots = 0;
      comment = false;
      if (quote.size() == 1) quote = {};  // an error, which the parser reports better
    } else if (comment) {
      continue;
    } else if (!quote.empty()) {
      if (c == '\\' && quote[0] == '"') {
        if (i + 1 < text.size() && text[i + 1] != '\n' && text[i + 1] != '\r') ++i;
      } else if (text.substr(i, quote.size()) == quote) {
        i += quote.size() - 1;
        // Up to two further marks belong to a multi-line text that ends in marks.
        for (int extra = 0; extra < 2 && quote.size() == 3 && i + 1 < text.size() && text[i + 1] == quote[0]; ++extra) ++i;
        quote = {};
      }
    } else if (c == '#') {
      comment = true;
    } else if (c == '"' || c == '\'') {
      const std::string_view triple = text.substr(i, 3);
      if (triple == "\"\"\"" || triple == "'''") {
        quote = triple;
        i += 2;
      } else {
        quote = text.substr(i, 1);
      }
    } else if (c == '.') {
      if (++dots >= max_depth)
        refuse_syntax(file, line, i - line_start + 1, "a dotted key may have at most " + std::to_string(max_depth) + " parts");
    } else if (c == '=' || c == ',' || c == '[' || c == ']' || c == '{' || c == '}') {
      dots = 0;
    }
  }
}

/// The way from the top to a value, for messages; lives on the stack of the walk.
struct Path {
  const Path* up;
  std::string_view key;  // of a table
  std::size_t idx;       // of a list, where the key is ""

  std::string text() const {
    if (!up) return "";
    const std::string before = up->text();
    if (key.empty()) return before + "[" + std::to_string(idx) + "]";
    return before.empty() ? std::string(key) : before + "." + std::string(key);
  }
};

int line_of(const toml::node& node) { return static_cast<int>(node.source().begin.line); }

Value convert(const toml::node& node, const Path& path, int depth, std::string_view file);

Table convert_table(const toml::table& in, const Path& path, int depth, std::string_view file) {
  // The parser sorts by name; the source positions of the keys give the order of the text back.
  std::vector<std::pair<const toml::key*, const toml::node*>> entries;
  for (auto&& [key, node] : in) entries.emplace_back(&key, &node);
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    const auto &x = a.first->source().begin, &y = b.first->source().begin;
    return std::pair(x.line, x.column) < std::pair(y.line, y.column);
  });
  Table out;
  out.items.reserve(entries.size());
  for (const auto& [key, node] : entries)
    out.items.emplace_back(std::string(key->str()), convert(*node, {&path, key->str(), 0}, depth + 1, file));
  return out;
}

Value convert(const toml::node& node, const Path& path, int depth, std::string_view file) {
  const int line = line_of(node);
  const auto where = [&] { return "Line " + std::to_string(line) + " of " + name_of(file) + "."; };
  if (depth > max_depth) throw SpecError({path.text(), "at most " + std::to_string(max_depth) + " levels deep", "", where()});
  Value out;
  if (const toml::table* table = node.as_table()) {
    out = convert_table(*table, path, depth, file);
  } else if (const toml::array* array = node.as_array()) {
    List list;
    list.reserve(array->size());
    for (std::size_t i = 0; i < array->size(); ++i) list.push_back(convert(*array->get(i), {&path, "", i}, depth + 1, file));
    out = std::move(list);
  } else if (const auto* text = node.as_string()) {
    out = text->get();
  } else if (const auto* whole = node.as_integer()) {
    out = whole->get();
  } else if (const auto* real = node.as_floating_point()) {
    out = real->get();
  } else if (const auto* truth = node.as_boolean()) {
    out = truth->get();
  } else {
    throw SpecError({path.text(), "a number, a text, true or false, a list or a table", "a date or time",
                     "Put it in quotes if it is meant as a text. " + where()});
  }
  out.line = line;
  return out;
}

}  // namespace

Table parse_toml(std::string_view text, std::string_view file) {
  check_lexically(text, file);
  const toml::parse_result result = toml::parse(text, file);
  if (!result) {
    const toml::parse_error& error = result.error();
    refuse_syntax(file, error.source().begin.line, error.source().begin.column, std::string(error.description()));
  }
  return convert_table(result.table(), {nullptr, "", 0}, 0, file);
}

Table read_toml(const std::string& path) { return parse_toml(read_text(path), path); }

}  // namespace hartline::io
