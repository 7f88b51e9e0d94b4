// Program: what a text says, as a graph with names. It prints as a text that reads back to the same program.
//
//   given x : deg                       a value that is given when the program is evaluated
//   given w[8, 8]                       many of them
//   rate = b + A * exp(-x^2) : Hz       a named value
//   r ~ poisson(rate * window)          a response
//   start z = 1 mV : mV                 a state, and what it is worth in the first trial
//   z' = 0.9 * z + 0.1 * r : mV         what it is worth in the trial after
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "equations/graph.hpp"

namespace hartline::equations {

class Scope;
struct Statement;

/// A value with a name.
struct Named {
  std::string name;
  Id value = no_id;
  std::string unit_text;
  bool derived = false;  // made by a pass
};

/// A law inside a mixture.
struct LawPart {
  std::string law;
  std::size_t first = 0, num = 0;  // its arguments, among those of the response; its weight stands before them
};

/// A response and the law that it is drawn from.
struct ResponseLine {
  std::string name;
  std::string law;
  std::vector<Id> arguments;
  Unit unit;
  std::string unit_text;
  std::vector<LawPart> parts;  // of mixture(weight, law(…), weight, law(…), …)
  bool censored = false;       // of censored(law(…), low, high): the limits are the last two arguments
  std::uint32_t symbol = 0;    // its value, for the states that depend on it
};

/// What is carried from trial to trial.
struct State {
  std::string name;
  std::uint32_t symbol = 0;
  Id start = no_id, next = no_id;
  std::string unit_text;
};

struct Program {
  Graph graph;
  std::vector<std::uint32_t> given;  // symbols, in order
  std::vector<Named> values;
  std::vector<ResponseLine> responses;
  std::vector<State> states;
  bool has_units = true;  // false: values are in base units and numbers without unit

  /// The value of that name, or no_id.
  Id find(std::string_view name) const;
  /// Everything that has to be worked out.
  std::vector<Id> roots() const;
};

/// Reads `law(…)`, `mixture(weight, law(…), …)` or either inside `censored(…, low, high)` of a response. `symbol`: its value.
/// Throws: SpecError, UnitError.
ResponseLine read_response(Scope& scope, const Statement& statement, std::uint32_t symbol, const std::string& path);

/// Responses are independent given stimulus and parameters: no argument of a law depends on one. Throws: SpecError.
void check_response(const Program& program, const ResponseLine& response, const std::string& path);

/// A state's unit and the units of what it starts with and becomes are the same, and it starts with parameters alone.
/// Throws: UnitError, SpecError.
void check_state(const Scope& scope, const Program& program, const State& state, const std::string& path);

/// Reads a program, one statement a line. `path` names it in messages.
/// Throws: SpecError, UnitError.
Program read_program(std::string_view text, const std::string& path);

/// The program as a text that read_program reads back; values are shared by name as in `values`.
/// (equations_test.cpp: Programs.WhatIsPrintedReadsBack)
std::string print(const Program& program);

/// One expression as text.
std::string print(const Graph& graph, Id id);

/// A change of a program.
struct Pass {
  std::string_view name;
  std::string_view meaning;
  bool always;  // done to every program that is evaluated, in this order; else only where it is asked for, after those
  void (*run)(Program& program);
};
const std::vector<Pass>& passes();

/// Runs the passes that are always done up to the one of that name, and that one. Throws: SpecError for a name that is none.
void run_passes(Program& program, std::string_view last);

/// Values in base units become plain numbers: each given value is multiplied by the size of its unit.
void erase_units(Program& program);
/// Constants folded, neutral elements left out, equal expressions made one.
void simplify(Program& program);
/// Every expression that is used more than once gets a name.
void name_shared(Program& program);
/// Adds the derivative of every named value by every given number.
void differentiate(Program& program);
/// Adds the coefficients of every named value that is linear in a given vector.
void extract_linear(Program& program);

}  // namespace hartline::equations
