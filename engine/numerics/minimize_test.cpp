#include "numerics/minimize.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "base/error.hpp"

namespace hartline::numerics {
namespace {

using Point = std::span<const double>;

/// ½ (x - c)ᵀ A (x - c) + 3, A = diag(1, 10, 100) with 2 beside the diagonal, c = (1, -2, 3)
double quadratic(Point x, std::span<double> gradient, std::span<double> hessian) {
  constexpr double a[3][3] = {{1, 2, 0}, {2, 10, 2}, {0, 2, 100}}, c[3] = {1, -2, 3};
  double value = 3;
  for (std::size_t i = 0; i < 3; ++i) {
    double g = 0;
    for (std::size_t j = 0; j < 3; ++j) g += a[i][j] * (x[j] - c[j]);
    value += 0.5 * (x[i] - c[i]) * g;
    if (!gradient.empty()) gradient[i] = g;
    for (std::size_t j = 0; j < 3 && !hessian.empty(); ++j) hessian[i * 3 + j] = a[i][j];
  }
  return value;
}

/// 100 (y - x²)² + (1 - x)²
double rosenbrock(Point p, std::span<double> gradient, std::span<double> hessian) {
  const double x = p[0], y = p[1], bend = y - x * x;
  if (!gradient.empty()) {
    gradient[0] = -400 * x * bend - 2 * (1 - x);
    gradient[1] = 200 * bend;
  }
  if (!hessian.empty()) {
    hessian[0] = 1200 * x * x - 400 * y + 2;
    hessian[1] = hessian[2] = -400 * x;
    hessian[3] = 200;
  }
  return 100 * bend * bend + (1 - x) * (1 - x);
}

template <class F>
std::vector<Minimum> by_all(F f, Point start, const MinimizeOptions& options = {}) {
  return {nelder_mead([&](Point x) { return f(x, {}, {}); }, start, options),
          lbfgs([&](Point x, std::span<double> g) { return f(x, g, {}); }, start, options), newton(f, start, options)};
}

TEST(Minimize, FindsTheMinimumOfAQuadratic) {
  const double start[] = {5, 5, 5}, wanted[] = {1, -2, 3}, within[] = {1e-4, 1e-7, 1e-12};
  const auto minima = by_all(quadratic, start);
  for (std::size_t k = 0; k < 3; ++k) {
    EXPECT_TRUE(minima[k].converged) << k;
    EXPECT_NEAR(minima[k].value, 3, 1e-8) << k;
    for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(minima[k].x[i], wanted[i], within[k]) << k;
  }
  EXPECT_LE(minima[2].num_evaluations, 2);  // one step
}

TEST(Minimize, FindsTheMinimumOfRosenbrocksValley) {
  const double start[] = {-1.2, 1};
  const auto minima = by_all(rosenbrock, start);
  for (std::size_t k = 0; k < 3; ++k) {
    EXPECT_TRUE(minima[k].converged) << k;
    EXPECT_NEAR(minima[k].x[0], 1, 1e-4) << k;
    EXPECT_NEAR(minima[k].x[1], 1, 1e-4) << k;
  }
  EXPECT_LE(minima[2].num_evaluations, 60);
}

TEST(Minimize, KeepsToItsEvaluations) {
  const double start[] = {-1.2, 1};
  for (const Minimum& minimum : by_all(rosenbrock, start, {.max_evaluations = 9})) {
    EXPECT_FALSE(minimum.converged);
    EXPECT_LE(minimum.num_evaluations, 9);
    EXPECT_LT(minimum.value, 24.2);  // of the start
  }
}

TEST(Minimize, RepeatsItselfExactly) {
  const double start[] = {-1.2, 1};
  const auto one = by_all(rosenbrock, start), two = by_all(rosenbrock, start);
  for (std::size_t k = 0; k < 3; ++k) EXPECT_EQ(one[k].x, two[k].x);
}

TEST(Minimize, GoesRoundValuesThatAreNotFinite) {
  const double start[] = {0};
  int num_bad = 0;
  const Minimum minimum = nelder_mead(
      [&](Point x) {
        num_bad += x[0] > 1.2;
        return x[0] > 1.2 ? NAN : (x[0] - 1) * (x[0] - 1);
      },
      start, {.first_step = {2}});
  EXPECT_GT(num_bad, 0);
  EXPECT_NEAR(minimum.x[0], 1, 1e-4);
}

TEST(Minimize, PassesOnWhatTheObjectiveThrows) {
  const double start[] = {1};
  EXPECT_THROW(
      nelder_mead([](Point x) -> double { return x[0] > 0.9 && x[0] < 1.1 ? x[0] : throw std::out_of_range("far"); }, start),
      std::out_of_range);
  EXPECT_THROW(nelder_mead([](Point) { return NAN; }, start), SpecError);
  EXPECT_THROW(nelder_mead([](Point) { return 1.0; }, {}), SpecError);
}

}  // namespace
}  // namespace hartline::numerics
