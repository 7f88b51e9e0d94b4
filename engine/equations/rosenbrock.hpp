// Rosenbrock: a step of stiff equations as expressions, with its Jacobian worked out from them. Units must have been erased.
#pragma once

#include "equations/integrate.hpp"

namespace hartline::equations {

/// Rodas of Hairer and Wanner: six stages, order four, stiffly accurate and L-stable, with an error estimate of order three. Each
/// stage solves (1 / (γ h) − ∂f/∂x) k = r; the elimination is done once, in the order that fills least, without exchanging rows: a
/// pivot that vanishes makes the step infinite, and the one that is tried next, shorter, is not.
/// Order: four    (integrate_test.cpp: Integrators.HaveTheirOrder)
/// Throws: SpecError for noise.
/// Reference: Hairer & Wanner 1996, Solving Ordinary Differential Equations II, IV.7 and IV.10
Integrated rosenbrock(Graph& graph, const Dynamics& dynamics);

}  // namespace hartline::equations
