// Differentiation of expressions, as expressions. Units must have been erased.
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "equations/graph.hpp"

namespace hartline::equations {

/// One number that is given: a symbol, or one element of a vector by its flat index.
struct Variable {
  std::uint32_t symbol = 0;
  std::size_t element = 0;
  auto operator<=>(const Variable&) const = default;
};

/// ∂ root / ∂ variable, carried forward from the variable to the root.
/// Throws: SpecError where a function has no derivative here (that of trigamma).
Id derivative(Graph& graph, Id root, const Variable& variable);

/// ∂ root / ∂ each variable, carried back from the root to all variables at once: for many variables.
/// (equations_test.cpp: Derivatives.ForwardEqualsReverseEqualsDifference)
std::vector<Id> gradient(Graph& graph, Id root, std::span<const Variable> variables);

/// root = rest + Σ coefficient · variable, where coefficients and rest do not depend on the variables. Empty where root is not
/// linear.
struct Linear {
  std::vector<Id> coefficients;
  Id rest = no_id;
};
std::vector<Linear> linear_in(Graph& graph, Id root, std::span<const Variable> variables);

/// Whether the value depends on any element of a symbol.
bool depends_on(const Graph& graph, Id root, std::uint32_t symbol);

/// root with the index of `depth` set to a value.
Id with_index(Graph& graph, Id root, std::uint32_t depth, double value);

}  // namespace hartline::equations
