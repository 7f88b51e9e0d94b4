// Minimisers of smooth functions of a few variables. Deterministic: the same objective and start give the same path.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace hartline::numerics {

/// f(x). A value that is not finite counts as worse than any other.
using Objective = std::function<double(std::span<const double> x)>;
/// f(x) and its gradient [n].
using ObjectiveWithGradient = std::function<double(std::span<const double> x, std::span<double> gradient)>;
/// f(x), its gradient [n] and its Hessian [n, n].
using ObjectiveWithHessian =
    std::function<double(std::span<const double> x, std::span<double> gradient, std::span<double> hessian)>;

struct MinimizeOptions {
  std::int64_t max_evaluations = 1000;
  double tolerance = 1e-10;             // of the value, relative, between two iterations
  std::vector<double> first_step = {};  // nelder_mead: of each variable; empty: chosen from the start
};

struct Minimum {
  std::vector<double> x;  // the best point met
  double value = 0;
  std::int64_t num_evaluations = 0;
  bool converged = false;  // false: the evaluations ran out, or no better point could be found from a point that is no minimum
};

// What the objective throws is thrown on. Throws: SpecError for an empty start or one at which the value is not finite.
// Accuracy of all three    (minimize_test.cpp: Minimize.FindsTheMinimumOfAQuadratic, Minimize.FindsTheMinimumOfRosenbrocksValley)

/// Nelder & Mead's simplex, without derivatives. Reference: Nelder & Mead 1965, doi 10.1093/comjnl/7.4.308; NLopt's LN_NELDERMEAD
Minimum nelder_mead(const Objective& objective, std::span<const double> start, const MinimizeOptions& options = {});

/// Quasi-Newton with limited memory. Reference: Nocedal 1980, doi 10.1090/S0025-5718-1980-0572855-7; NLopt's LD_LBFGS
Minimum lbfgs(const ObjectiveWithGradient& objective, std::span<const double> start, const MinimizeOptions& options = {});

/// Damped Newton for small dense problems: (H + τ I) Δ = -∇f with the least τ of 0, 1e-6 |H|, 1e-5 |H| … that makes it positive
/// definite, and Δ halved until f falls by a part of what the gradient promises.
Minimum newton(const ObjectiveWithHessian& objective, std::span<const double> start, const MinimizeOptions& options = {});

}  // namespace hartline::numerics
