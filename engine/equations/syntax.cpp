#include "equations/syntax.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/error.hpp"

namespace hartline::equations {

namespace {

constexpr std::size_t max_depth = 200;  // of brackets and signs, so that no text exhausts the stack
constexpr std::uint32_t max_parts_deep = 1000;
constexpr std::size_t max_length = 100000;  // characters

enum class Kind : std::uint8_t { number, name, symbol, end };

struct Token {
  Kind kind = Kind::end;
  std::string_view text;
  double value = 0;
  Span span;
};

bool starts_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
bool is_digit(char c) { return c >= '0' && c <= '9'; }

class Parser {
 public:
  Parser(std::string_view text, const std::string& path) : path_(path) {
    out_.text = text;
    if (text.size() > max_length)
      throw SpecError({path_, fmt::format("at most {} characters", max_length), std::to_string(text.size()), ""});
    advance();
  }

  Statement expression(std::string name) {
    out_.name = std::move(name);
    body();
    return std::move(out_);
  }

  Statement statement() {
    const Token first = token_;
    if (first.kind != Kind::name) fail(first, "a name");
    advance();
    out_.name = first.text;
    if (first.text.size() > 1 && first.text[0] == 'd' && is("/")) {
      advance();
      if (token_.kind != Kind::name || token_.text != "dt") fail(token_, "dt");
      advance();
      out_.kind = StatementKind::differential;
      out_.name = first.text.substr(1);
    } else if (is("'")) {
      advance();
      out_.kind = StatementKind::next;
    } else if (is("~")) {
      out_.kind = StatementKind::response;
    }
    expect(out_.kind == StatementKind::response ? "~" : "=");
    body();
    return std::move(out_);
  }

 private:
  void body() {
    out_.root = disjunction();
    if (is(":")) {
      const std::size_t begin = token_.span.end;
      out_.has_unit = true;
      std::string_view rest = std::string_view(out_.text).substr(begin);
      while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
      while (!rest.empty() && rest.back() == ' ') rest.remove_suffix(1);
      out_.unit_text = rest;
      out_.unit = read_unit(rest, path_);
      return;
    }
    if (token_.kind != Kind::end) fail(token_, "an operator or the end");
  }

  // --- expressions, from the loosest binding to the tightest ---------------------------------------------------------------

  std::uint32_t disjunction() {
    std::uint32_t left = conjunction();
    while (is("or")) left = joined(left, &Parser::conjunction);
    return left;
  }
  std::uint32_t conjunction() {
    std::uint32_t left = negation();
    while (is("and")) left = joined(left, &Parser::negation);
    return left;
  }
  std::uint32_t negation() {
    if (!is("not")) return comparison();
    const Deeper deeper(*this);
    const std::uint32_t begin = token_.span.begin;
    advance();
    const std::uint32_t inner = negation();
    return add({Form::negation, "not", 0, {}, {inner}, {begin, end_of(inner)}});
  }
  std::uint32_t comparison() {
    const std::uint32_t left = addition();
    for (const char* op : {"<", "<=", ">", ">=", "==", "!="})
      if (is(op)) return joined(left, &Parser::addition);
    return left;
  }
  std::uint32_t addition() {
    std::uint32_t left = product();
    while (is("+") || is("-")) left = joined(left, &Parser::product);
    return left;
  }
  std::uint32_t product() {
    std::uint32_t left = sign();
    while (is("*") || is("/")) left = joined(left, &Parser::sign);
    return left;
  }
  std::uint32_t sign() {
    if (!is("-") && !is("+")) return power();
    const Deeper deeper(*this);
    const bool negative = is("-");
    const std::uint32_t begin = token_.span.begin;
    advance();
    const std::uint32_t inner = sign();
    return negative ? add({Form::sign, "-", 0, {}, {inner}, {begin, end_of(inner)}}) : inner;
  }
  std::uint32_t power() {
    const bool in_brackets = is("(");
    const std::uint32_t base = primary();
    if (!is("^")) return base;
    if (!in_brackets && out_.parts[base].form == Form::number && out_.parts[base].has_unit)
      fail(token_, "in brackets what is raised: 5 * (1 cm)^2, 3 / s");
    const Deeper deeper(*this);
    advance();
    const std::uint32_t exponent = sign();
    return add({Form::binary, "^", 0, {}, {base, exponent}, {begin_of(base), end_of(exponent)}});
  }

  std::uint32_t primary() {
    const Deeper deeper(*this);
    const Token token = token_;
    if (token.kind == Kind::number) return number();
    if (is("(")) {
      advance();
      const std::uint32_t inner = disjunction();
      expect(")");
      return inner;
    }
    if (token.kind != Kind::name || is("or") || is("and") || is("not")) fail(token, "a number, a name or a bracket");
    advance();
    std::uint32_t made = 0;
    if (is("("))
      made = token.text == "sum" ? sum(token) : call(token);
    else
      made = add({Form::name, std::string(token.text), 0, {}, {}, token.span});
    while (is("[")) {
      advance();
      Syntax element{Form::element, std::string(token.text), 0, {}, {made}, {token.span.begin, 0}};
      arguments("]", element);
      made = add(std::move(element));
    }
    return made;
  }

  std::uint32_t number() {
    const Token token = token_;
    advance();
    Syntax part{Form::number, "", token.value, {}, {}, token.span};
    if (token_.kind == Kind::name && !is("or") && !is("and") && !is("in")) {
      const auto unit = unit_named(token_.text);
      if (!unit) {
        const std::string near = did_you_mean(token_.text, unit_names());
        throw UnitError({path_, "an operator or a unit after a number", quoted(token_.text) + column(token_.span), near});
      }
      part.unit = *unit;
      part.has_unit = true;
      part.span.end = token_.span.end;
      advance();
    }
    return add(std::move(part));
  }

  std::uint32_t call(const Token& name) {
    advance();
    Syntax part{Form::call, std::string(name.text), 0, {}, {}, {name.span.begin, 0}};
    arguments(")", part);
    return add(std::move(part));
  }

  /// sum(k in n, expression); anything else in brackets is a call of one vector.
  std::uint32_t sum(const Token& name) {
    advance();
    const Token index = token_;
    const std::size_t next = next_;
    if (index.kind == Kind::name) {
      advance();
      if (is("in")) {
        advance();
        Syntax part{Form::sum, std::string(index.text), 0, {}, {}, {name.span.begin, 0}};
        part.args.push_back(addition());
        expect(",");
        part.args.push_back(disjunction());
        part.span.end = token_.span.end;
        expect(")");
        return add(std::move(part));
      }
      token_ = index;
      next_ = next;
    }
    Syntax part{Form::call, "sum", 0, {}, {}, {name.span.begin, 0}};
    arguments(")", part);
    return add(std::move(part));
  }

  void arguments(std::string_view close, Syntax& part) {
    if (!is(close)) {
      part.args.push_back(disjunction());
      while (is(",")) {
        advance();
        part.args.push_back(disjunction());
      }
    }
    part.span.end = token_.span.end;
    expect(close);
  }

  std::uint32_t joined(std::uint32_t left, std::uint32_t (Parser::*next)()) {
    const std::string op(token_.text);
    advance();
    const std::uint32_t right = (this->*next)();
    return add({Form::binary, op, 0, {}, {left, right}, {begin_of(left), end_of(right)}});
  }

  // --- tokens ----------------------------------------------------------------------------------------------------------------

  void advance() {
    const std::string_view text = out_.text;
    while (next_ < text.size() && (text[next_] == ' ' || text[next_] == '\t' || text[next_] == '\n')) ++next_;
    const auto begin = static_cast<std::uint32_t>(next_);
    token_ = {};
    token_.span = {begin, begin};
    if (next_ >= text.size()) return;
    const char c = text[next_];
    std::size_t end = next_ + 1;
    if (is_digit(c) || (c == '.' && end < text.size() && is_digit(text[end]))) {
      const auto [stop, failed] = std::from_chars(text.data() + next_, text.data() + text.size(), token_.value);
      end = static_cast<std::size_t>(stop - text.data());
      token_.kind = Kind::number;
      if (failed != std::errc{} || !std::isfinite(token_.value)) {
        token_.span.end = static_cast<std::uint32_t>(end);
        token_.text = text.substr(next_, end - next_);
        fail(token_, "a number that a double can hold");
      }
    } else if (starts_name(c)) {
      while (end < text.size() && (starts_name(text[end]) || is_digit(text[end]))) ++end;
      token_.kind = Kind::name;
    } else {
      for (const std::string_view two : {"<=", ">=", "==", "!=", "**"})
        if (text.substr(next_, 2) == two) end = next_ + 2;
      token_.kind = Kind::symbol;
    }
    token_.text = text.substr(next_, end - next_);
    token_.span.end = static_cast<std::uint32_t>(end);
    next_ = end;
    if (token_.text == "**") fail(token_, "^ for a power");
  }

  bool is(std::string_view text) const { return token_.kind != Kind::end && token_.kind != Kind::number && token_.text == text; }

  void expect(std::string_view text) {
    if (!is(text)) fail(token_, quoted(text));
    advance();
  }

  [[noreturn]] void fail(const Token& at, const std::string& wanted) const {
    throw SpecError({path_, wanted, (at.kind == Kind::end ? "the end" : quoted(at.text)) + column(at.span),
                     fmt::format("In \"{}\".", out_.text.substr(0, 200))});
  }

  static std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }
  static std::string column(const Span& span) { return fmt::format(" at column {}", span.begin + 1); }

  std::uint32_t add(Syntax part) {
    for (const std::uint32_t arg : part.args) part.depth = std::max(part.depth, out_.parts[arg].depth + 1);
    if (part.depth > max_parts_deep) fail(token_, fmt::format("at most {} operations, one upon the other", max_parts_deep));
    out_.parts.push_back(std::move(part));
    return static_cast<std::uint32_t>(out_.parts.size() - 1);
  }
  std::uint32_t begin_of(std::uint32_t part) const { return out_.parts[part].span.begin; }
  std::uint32_t end_of(std::uint32_t part) const { return out_.parts[part].span.end; }

  struct Deeper {
    explicit Deeper(Parser& p) : parser(p) {
      if (++parser.depth_ > max_depth) parser.fail(parser.token_, fmt::format("nested at most {} deep", max_depth));
    }
    ~Deeper() { --parser.depth_; }
    Deeper(const Deeper&) = delete;
    Deeper& operator=(const Deeper&) = delete;
    Parser& parser;
  };

  const std::string& path_;
  Statement out_;
  Token token_;
  std::size_t next_ = 0;
  std::size_t depth_ = 0;
};

}  // namespace

Statement parse_expression(std::string name, std::string_view text, const std::string& path) {
  return Parser(text, path).expression(std::move(name));
}

Statement parse_statement(std::string_view text, const std::string& path) { return Parser(text, path).statement(); }

}  // namespace hartline::equations
