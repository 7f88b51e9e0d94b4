// Quantities as texts say them: variables with their equations, parameters, and what both start with; of neurons and of synapses.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "dynamics/names.hpp"

namespace hartline::dynamics {

/// A text that waits to be lowered, with the quantity that it is of and its place in the tables.
struct QuantityText {
  std::string name, text, path;
};

/// A text or a number of a table, as a text. Throws: SpecError for anything else.
std::string text_at(const Value& value, const std::string& path, const char* example);

/// Reads a table of equations: keys dx/dt become variables, the rest are named values. Returns the slopes. Throws: SpecError.
std::vector<QuantityText> read_equations(Names& names, const Table& equations, const std::string& path);

/// Declares parameters; those that are named in `own`, or whose text says so, have a row of their own. Throws: SpecError.
std::vector<QuantityText> read_parameters(Names& names, const Table& parameters, const std::vector<std::string>& own,
                                          const std::string& path);

/// Slopes in the unit of their variable per second. Throws: SpecError, UnitError.
std::vector<Id> lower_slopes(Names& names, std::span<const QuantityText> slopes);

/// What every quantity starts with, of variables from the table `start`; those whose name no text can use start with 0. `path`: of
/// the group. Throws: SpecError, UnitError.
std::vector<Id> lower_starts(Names& names, const Table& start, std::span<const QuantityText> parameters, const std::string& path);

/// Starts are made of other starts; in the end of numbers, i and random numbers only. Units must have been erased. Throws:
/// SpecError.
void resolve_starts(Names& names, std::vector<Id>& starts, const std::string& path);

/// The equations of the first slopes.size() quantities, to be integrated.
equations::Dynamics dynamics_of(const Names& names, std::span<const Id> slopes);

}  // namespace hartline::dynamics
