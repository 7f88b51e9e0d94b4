// Quadrature under a normal law.
#pragma once

#include <span>
#include <vector>

namespace hartline::numerics {

/// Nodes and weights with Σ w_k f(z_k) ≈ ∫ f(z) N(z; 0, 1) dz.
struct NormalRule {
  std::vector<double> nodes;    // [num_nodes]
  std::vector<double> weights;  // [num_nodes]
};

/// Gauss-Hermite rule, exact for polynomials up to order 2 n - 1. n in 1 … 128.
/// Reference: Golub & Welsch 1969, doi 10.1090/S0025-5718-69-99647-1
NormalRule gauss_hermite(int n);

/// Trapezoidal rule with the given step on [-reach, reach]; for an f that is analytic in a strip of half-width a around the real
/// line the error falls as exp(-2 π a / step).
/// Reference: Trefethen & Weideman 2014, doi 10.1137/130932132
NormalRule trapezoid(double step, double reach);

}  // namespace hartline::numerics
