// The order of every integrator, without noise and with it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "../proof/proof.hpp"
#include "base/random.hpp"
#include "equations/test_system.hpp"

namespace hartline::equations {
namespace {

using Equations = std::vector<System::Equation>;

/// What is expected of a method: its order, strong order with noise (0: takes none) and the steps that its error is measured at.
/// The strong order is that for equations whose drift and noise commute, as here; otherwise rk4 has 1 too.
struct Expected {
  double order = 0, strong = 0;
  int num_steps = 32;
};
const std::map<Method, Expected> expected = {
    {Method::exponential_euler, {1, 1}},
    {Method::euler, {1, 0.5}},
    {Method::heun, {2, 1}},
    {Method::rk2, {2, 1}},
    {Method::rk4, {4, 2}},
    {Method::milstein, {1, 1}},
    {Method::rodas4, {4, 0, 128}},
};

/// Error at time 1. Exponential Euler needs equations that are linear in their own variable; all others take x' = cos t - x³.
double error(Method method, int num_steps) {
  Equations equations{{"x", "cos(t) - x^3"}};
  std::vector<double> start{0.5};
  if (method == Method::exponential_euler) {
    equations = {{"x", "(1 + y) * (1 - x)"}, {"y", "2 * x - (1 + x^2) * y"}};
    start = {0.1, 0.2};
  }
  System system(equations);
  const double fine = system.run(Method::rk4, start, 1.0 / 8192, 8192)[0];
  return std::abs(system.run(method, start, 1.0 / num_steps, num_steps)[0] - fine);
}

/// Mean error at time 1 of x' = a x + b x ξ beside its solution under the same noise: Itô's for Euler, else Stratonovich's.
/// Exponential Euler takes x' = -a x + b ξ, beside its own finest steps.
double strong_error(Method method, int num_steps) {
  constexpr int fine = 512, num_runs = 400;
  const bool additive = method == Method::exponential_euler;
  System system(Equations{{"x", additive ? "-p * x + q * xi" : "p * x + q * x * xi"}});
  const double a = additive ? 2 : 0.3, b = 0.8;
  double sum = 0;
  for (int run = 0; run < num_runs; ++run) {
    Stream stream(1, Purpose::test, static_cast<std::uint64_t>(run));
    std::vector<double> increments(fine);
    double total = 0;
    for (double& w : increments) total += w = stream.normal() / std::sqrt(static_cast<double>(fine));
    const auto end = [&](int num) {
      return system.run(method, {1}, 1.0 / num, num, a, b, [&](int k) {
        double w = 0;
        for (int i = k * (fine / num); i < (k + 1) * (fine / num); ++i) w += increments[static_cast<std::size_t>(i)];
        return w * std::sqrt(static_cast<double>(num));
      })[0];
    };
    const double truth = additive ? end(fine) : std::exp((method == Method::euler ? a - b * b / 2 : a) + b * total);
    sum += std::abs(end(num_steps) - truth);
  }
  return sum / num_runs;
}

TEST(Orders, OfEveryIntegrator) {
  proof::Sheet sheet("Orders of integrators", {"method", "order", "measured", "strong order with noise", "measured"});
  for (const MethodName& known : methods()) {
    if (known.method == Method::exact) continue;
    SCOPED_TRACE(known.name);
    ASSERT_TRUE(expected.contains(known.method));
    const Expected& wanted = expected.at(known.method);
    const double order = std::log2(error(known.method, wanted.num_steps) / error(known.method, 2 * wanted.num_steps));
    EXPECT_NEAR(order, wanted.order, wanted.order == 4 ? 0.2 : 0.15);
    std::string strong = "takes none";
    if (wanted.strong > 0) {
      const double measured = std::log2(strong_error(known.method, 8) / strong_error(known.method, 64)) / 3;
      EXPECT_NEAR(measured, wanted.strong, 0.15);
      strong = fmt::format("{:.2f}", measured);
    }
    sheet.row({std::string(known.name), fmt::format("{:g}", wanted.order), fmt::format("{:.2f}", order),
               wanted.strong > 0 ? fmt::format("{:g}", wanted.strong) : "", strong});
  }
}

TEST(Orders, ExactIntegrationHasNone) {
  // a cascade, x' = -x/p + y and y' = -3 y + q, at any number of steps
  System cascade(Equations{{"x", "-x / p + y"}, {"y", "-3 * y + q"}});
  const double p = 0.7, q = 2.5, x0 = 0.3, y0 = -0.4, t = 2, steady = q / 3, rate = 1 / p;
  const double y = steady + (y0 - steady) * std::exp(-3 * t);
  const double x =
      steady * p + (x0 - steady * p) * std::exp(-rate * t) + (y0 - steady) * (std::exp(-3 * t) - std::exp(-rate * t)) / (rate - 3);
  proof::Sheet sheet("Exact integration of a cascade of two over 2 s", {"steps", "largest error, relative", "allowed"});
  for (const int n : {1, 10, 100, 1000, 10000}) {
    const std::vector<double> out = cascade.run(Method::exact, {x0, y0}, t / n, n, p, q);
    const double largest = std::max(std::abs(out[0] / x - 1), std::abs(out[1] / y - 1));
    EXPECT_LE(largest, 1e-12) << n;
    sheet.row({std::to_string(n), fmt::format("{:.1e}", largest), "1e-12"});
  }
}

}  // namespace
}  // namespace hartline::equations
