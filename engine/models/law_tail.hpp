// One side of a bound under a response's law: what a censored response says.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "models/text_law.hpp"

namespace hartline::models {

/// Which responses are meant: those up to the bound, or those from it on. The bound itself is one of them.
enum class Side : std::uint8_t { up_to, from };

/// log P(r <= bound) or log P(r >= bound), given the values of the arguments (of a choice its probabilities), nats. Small tails are
/// worked out themselves and not as what is left of one. Those of an angle are, counted from -π.
/// Accuracy: relative 1e-9 of log P    (law_tail_test.cpp: LawTail.AgreesWithFiftyDigits)
double log_tail(const TextLaw& law, std::span<const double> arguments, double bound, Side side);

/// Responses that stand for a tail: Σ_k e^log_weight_k p(r_k | a) is its probability, also of arguments a that differ a little, so
/// that its derivatives are those of this sum.
struct TailNodes {
  std::vector<double> r, log_weight;
};

/// Counts one by one, densities by Gauss' rule in panels as wide as the law's scale, from the mode outward as far as it matters.
/// Not of choices and angles. Accuracy: relative 1e-9 of the tail and 1e-5 of its derivatives    (law_tail_test.cpp:
/// LawTail.NodesHaveTheTailAndItsDerivatives); of beta laws with b < 1/2, whose mass lies nearer to one than doubles do, less.
void tail_nodes(const TextLaw& law, std::span<const double> arguments, double bound, Side side, TailNodes& out);

/// E[r; r <= bound], of counts and of densities on one line: not of choices, angles and laws with limits.
double partial_mean(const TextLaw& law, std::span<const double> arguments, double bound);

}  // namespace hartline::models
