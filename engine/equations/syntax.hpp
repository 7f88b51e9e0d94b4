// Syntax: the text of one statement as a tree, every part with its place in the text.
//
//   statement   name = expression [: unit]          a named sub-expression
//               name ~ law(arguments)               a response
//               name' = expression [: unit]         a state carried from trial to trial
//               dname/dt = expression [: unit]      a differential equation
//   expression  or, and, not, < <= > >= == !=, + -, * /, - (sign), ^, in that order of binding; a ^ b ^ c is a ^ (b ^ c)
//   primary     3.5   100 ms   name   name[i, j]   function(arguments)   (expression)
//               sum(k in n, expression)             k = 0 … n - 1
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.hpp"

namespace hartline::equations {

/// Characters [begin, end) of a text.
struct Span {
  std::uint32_t begin = 0, end = 0;
};

enum class Form : std::uint8_t { number, name, element, call, sign, negation, binary, sum };

/// One part of an expression.
struct Syntax {
  Form form = Form::number;
  std::string text;                 // of a name, an element, a call or a binary operator; the index of a sum
  double value = 0;                 // of a number, in its unit
  Unit unit;                        // of a number
  std::vector<std::uint32_t> args;  // positions in Tree::parts
  Span span;
  std::uint32_t depth = 0;  // of the parts below
  bool has_unit = false;    // of a number
};

enum class StatementKind : std::uint8_t { equals, response, next, differential };

/// A statement. Positions are those of `text`, so messages can point at them.
struct Statement {
  StatementKind kind = StatementKind::equals;
  std::string name;
  std::string text;
  std::vector<Syntax> parts;
  std::uint32_t root = 0;
  bool has_unit = false;
  Unit unit;
  std::string unit_text;

  const Syntax& at(std::uint32_t part) const { return parts[part]; }
  std::string_view text_of(const Syntax& part) const {
    return std::string_view(text).substr(part.span.begin, part.span.end - part.span.begin);
  }
};

/// Reads `expression [: unit]`; the statement takes `name`. `path` names the text in messages.
/// Throws: SpecError with the column of what is wrong, UnitError for a unit that is none.
Statement parse_expression(std::string name, std::string_view text, const std::string& path);

/// Reads a whole statement. Throws: as parse_expression.
Statement parse_statement(std::string_view text, const std::string& path);

}  // namespace hartline::equations
