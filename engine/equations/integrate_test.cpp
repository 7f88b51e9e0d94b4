#include "equations/integrate.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.hpp"
#include "base/random.hpp"
#include "equations/test_system.hpp"

namespace hartline::equations {
namespace {

/// log2 of the quotient of the errors with steps of 2 h and h.
template <class Error>
double order(Error&& error) {
  return std::log2(error(32) / error(64));
}

TEST(Integrators, HaveTheirOrder) {
  // x' = -x³ + cos t against a run of fine steps
  System cubic(std::vector<System::Equation>{{"x", "cos(t) - x^3"}});
  const double fine = cubic.run(Method::rk4, {0.5}, 1.0 / 8192, 8192)[0];
  for (const auto& [method, wanted] :
       {std::pair{Method::euler, 1.0}, {Method::heun, 2.0}, {Method::rk2, 2.0}, {Method::rk4, 4.0}}) {
    const double measured = order([&](int n) { return std::abs(cubic.run(method, {0.5}, 1.0 / n, n)[0] - fine); });
    EXPECT_NEAR(measured, wanted, 0.15) << name_of(method);
  }
  // linear in each variable, with coefficients that move
  System gates(std::vector<System::Equation>{{"x", "(1 + y) * (1 - x)"}, {"y", "2 * x - (1 + x^2) * y"}});
  const double end = gates.run(Method::rk4, {0.1, 0.2}, 1.0 / 8192, 8192)[0];
  EXPECT_NEAR(order([&](int n) {
                return std::abs(gates.run(Method::exponential_euler, {0.1, 0.2}, 1.0 / n, n)[0] - end);
              }),
              1, 0.1);
  // errors of order four and five meet at longer steps
  const auto rodas4 = [](System& system, std::vector<double> x, double wanted) {
    const auto error = [&](int n) { return std::abs(system.run(Method::rodas4, x, 1.0 / n, n)[0] - wanted); };
    return std::log2(error(128) / error(256));
  };
  EXPECT_NEAR(rodas4(cubic, {0.5}, fine), 4, 0.2);
  EXPECT_NEAR(rodas4(gates, {0.1, 0.2}, end), 4, 0.2);
}

TEST(Integrators, StiffEquationsAllowLongSteps) {
  // x' = -10⁶ (x - cos t) - sin t (Prothero & Robinson 1974): x = cos t, however long the steps; explicit ones would explode
  System stiff(std::vector<System::Equation>{{"x", "-10^6 * (x - cos(t)) - sin(t)"}});
  EXPECT_NEAR(stiff.run(Method::rodas4, {1}, 0.1, 20)[0], std::cos(2.0), 1e-8);
}

TEST(Integrators, ExactIsExact) {
  // a cascade with a drive: x' = -x/p + y, y' = -3 y + q, closed form
  System cascade(std::vector<System::Equation>{{"x", "-x / p + y"}, {"y", "-3 * y + q"}});
  EXPECT_EQ(cascade.advice().method, Method::exact);
  const double p = 0.7, q = 2.5, x0 = 0.3, y0 = -0.4, t = 2;
  const double steady_y = q / 3, a = y0 - steady_y, rate = 1 / p;
  const double x =
      steady_y * p + (x0 - steady_y * p) * std::exp(-rate * t) + a * (std::exp(-3 * t) - std::exp(-rate * t)) / (rate - 3);
  for (const int n : {1, 7, 200}) {
    const std::vector<double> out = cascade.run(Method::exact, {x0, y0}, t / n, n, p, q);
    EXPECT_NEAR(out[0], x, 1e-12) << n;
    EXPECT_NEAR(out[1], steady_y + a * std::exp(-3 * t), 1e-12) << n;
  }
  // a rotation keeps its radius, and a double root is no trouble
  System rotation(std::vector<System::Equation>{{"x", "-p * y"}, {"y", "p * x"}});
  const std::vector<double> turned = rotation.run(Method::exact, {1, 0}, 0.01, 1000, 3);
  EXPECT_NEAR(turned[0], std::cos(30), 1e-12);
  EXPECT_NEAR(turned[1], std::sin(30), 1e-12);
  System twice(std::vector<System::Equation>{{"x", "y - x"}, {"y", "-y"}});
  EXPECT_NEAR(twice.run(Method::exact, {0, 1}, 0.1, 10)[0], std::exp(-1.0), 1e-13);
}

TEST(Integrators, ExponentialEulerIsExactWhereItsCoefficientsStay) {
  System decay(std::vector<System::Equation>{{"x", "q - p * x"}});
  EXPECT_NEAR(decay.run(Method::exponential_euler, {2}, 0.5, 4, 3, 1.5)[0], 0.5 + 1.5 * std::exp(-6.0), 1e-14);
  EXPECT_NEAR(decay.run(Method::exponential_euler, {2}, 0.5, 4, 0, 1.5)[0], 2 + 1.5 * 2, 1e-14);  // no rate at all
}

/// Strong error of x' = a x + b x ξ at time 1 beside its solution under the same noise, the mean of many runs.
double strong_error(Method method, int num_steps, bool stratonovich) {
  System system(std::vector<System::Equation>{{"x", "p * x + q * x * xi"}});
  const double a = 0.3, b = 0.8;
  double sum = 0;
  constexpr int num_runs = 400;
  for (int run = 0; run < num_runs; ++run) {
    double total = 0;
    Stream stream(1, Purpose::test, static_cast<std::uint64_t>(run));
    constexpr int fine = 256;
    std::vector<double> increments(fine);
    for (double& w : increments) total += w = stream.normal() / std::sqrt(static_cast<double>(fine));
    const int each = fine / num_steps;
    const auto noise = [&](int k) {
      double w = 0;
      for (int i = 0; i < each; ++i) w += increments[static_cast<std::size_t>(k * each + i)];
      return w * std::sqrt(static_cast<double>(num_steps));
    };
    const double truth = std::exp((stratonovich ? a : a - b * b / 2) + b * total);
    sum += std::abs(system.run(method, {1}, 1.0 / num_steps, num_steps, a, b, noise)[0] - truth);
  }
  return sum / num_runs;
}

TEST(Integrators, NoiseHasItsStrongOrder) {
  const auto measured = [](Method method, bool stratonovich) {
    return std::log2(strong_error(method, 16, stratonovich) / strong_error(method, 128, stratonovich)) / 3;
  };
  EXPECT_NEAR(measured(Method::euler, false), 0.5, 0.15);
  EXPECT_NEAR(measured(Method::milstein, true), 1, 0.15);
  EXPECT_NEAR(measured(Method::heun, true), 1, 0.15);
}

TEST(Integrators, AnOrnsteinUhlenbeckProcessHasItsVarianceAtAnyStep) {
  System process(std::vector<System::Equation>{{"x", "-p * x + q * xi"}});
  EXPECT_EQ(process.advice().method, Method::exact);
  Stream stream(2, Purpose::test);
  double square = 0;
  constexpr int num = 20000;
  const double p = 2, q = 0.6;  // dt p = 3: far beyond what Euler could do
  for (int k = 0; k < num; ++k) {
    const double x = process.run(Method::exact, {0}, 1.5, 3, p, q, [&](int) { return stream.normal(); })[0];
    square += x * x / num;
  }
  const double variance = q * q / (2 * p);
  EXPECT_NEAR(square, variance, 5 * variance * std::sqrt(2.0 / num));  // five standard errors
}

TEST(Integrators, TheEquationsCallForTheirMethod) {
  // what t drives changes within a step
  System driven(std::vector<System::Equation>{{"x", "(sin(t) - x) / p"}});
  EXPECT_EQ(driven.advice().method, Method::rk4);
  EXPECT_THROW(driven.run(Method::exact, {0}, 0.1, 1), SpecError);
  EXPECT_EQ(System(std::vector<System::Equation>{{"x", "-x * q"}}).advice().method,
            Method::exponential_euler);  // each lane its own rate
  EXPECT_EQ(System(std::vector<System::Equation>{{"x", "-x * p + q"}}).advice().method, Method::exact);
  EXPECT_EQ(System(std::vector<System::Equation>{{"x", "-x * y"}, {"y", "1 - y"}}).advice().method, Method::exponential_euler);
  EXPECT_EQ(System(std::vector<System::Equation>{{"x", "exp(x)"}}).advice().method, Method::rk4);
  EXPECT_EQ(System(std::vector<System::Equation>{{"x", "-x^3 + xi"}}).advice().method, Method::heun);
  EXPECT_EQ(System(std::vector<System::Equation>{{"x", "-x + x * xi"}}).advice().method, Method::heun);
}

TEST(Integrators, RefuseWhatTheyCannotDo) {
  EXPECT_THROW(System(std::vector<System::Equation>{{"x", "x^2"}}).run(Method::exact, {1}, 0.1, 1), SpecError);
  EXPECT_THROW(System(std::vector<System::Equation>{{"x", "x^2"}}).run(Method::exponential_euler, {1}, 0.1, 1), SpecError);
  EXPECT_THROW(System(std::vector<System::Equation>{{"x", "-x + exp(xi)"}}).run(Method::milstein, {1}, 0.1, 1), SpecError);
  EXPECT_THROW(System(std::vector<System::Equation>{{"x", "y * xi"}, {"y", "1"}}).run(Method::milstein, {1, 1}, 0.1, 1), SpecError);
}

}  // namespace
}  // namespace hartline::equations
