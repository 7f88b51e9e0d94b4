#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "base/random.hpp"
#include "numerics/dense.hpp"
#include "numerics/float_lanes.hpp"
#include "numerics/lanes.hpp"
#include "numerics/quadrature.hpp"
#include "numerics/special.hpp"
#include "numerics/symmetric_eigen.hpp"

namespace hartline::numerics {
namespace {

double ulp_error(double got, long double wanted) {
  const double reference = static_cast<double>(wanted);
  const double ulp = std::abs(std::nextafter(reference, INFINITY) - reference);
  return static_cast<double>(std::abs((static_cast<long double>(got) - wanted) / ulp));
}

template <class Function, class Oracle>
double worst_ulp(Function function, Oracle oracle, double low, double high, bool logarithmic) {
  double worst = 0;
  for (int i = 0; i < 200000; ++i) {
    const double u = i / 199999.0;
    const double x = logarithmic ? std::exp(std::log(low) + u * std::log(high / low)) : low + u * (high - low);
    worst = std::max(worst, ulp_error(function(spread(x))[0], oracle(static_cast<long double>(x))));
  }
  return worst;
}

TEST(Lanes, ExpIsAccurate) {
  const auto oracle = [](long double x) { return std::exp(x); };
  EXPECT_LT(worst_ulp([](Lanes x) { return exp(x); }, oracle, -708, 709, false), 1.5);
  EXPECT_LT(worst_ulp([](Lanes x) { return exp(x); }, oracle, -1, 1, false), 1.5);
  EXPECT_EQ(exp(spread(-1000))[0], 0);
  EXPECT_EQ(exp(spread(1000))[0], INFINITY);
  EXPECT_TRUE(std::isnan(exp(spread(NAN))[0]));
}

TEST(Lanes, LogIsAccurate) {
  const auto oracle = [](long double x) { return std::log(x); };
  EXPECT_LT(worst_ulp([](Lanes x) { return log(x); }, oracle, 1e-300, 1e300, true), 1.5);
  EXPECT_LT(worst_ulp([](Lanes x) { return log(x); }, oracle, 0.5, 2, false), 1.5);
}

TEST(Lanes, LogOnePlusIsAccurate) {
  const auto oracle = [](long double x) { return std::log1p(x); };
  EXPECT_LT(worst_ulp([](Lanes x) { return log1p(x); }, oracle, 1e-20, 1e10, true), 2.0);
}

TEST(Lanes, SoftplusAndLogisticAgreeWithTheScalarOnes) {
  for (double x = -800; x < 800; x += 0.37) {
    EXPECT_NEAR(softplus(spread(x))[3], softplus(x), 1e-15 * (1 + std::abs(x)));
    EXPECT_NEAR(logistic(spread(x))[3], logistic(x), 1e-15);
  }
}

/// The largest relative error of a function of floats, x from low to high by the factor.
template <class Function, class Oracle>
double worst_relative(Function f, Oracle oracle, float low, float high, float factor) {
  double worst = 0;
  for (float x = low; std::abs(x) < std::abs(high); x *= factor) {
    const Floats all = spread<4>(x), y = f(all);
    const double wanted = oracle(static_cast<double>(x));
    for (int k = 0; k < 4; ++k) worst = std::max(worst, std::abs(static_cast<double>(y.of[k][5]) / wanted - 1));
  }
  return worst;
}

TEST(FloatLanes, AreAsAccurateAsTheySay) {
  const auto exponential = [](double x) { return std::exp(x); };
  EXPECT_LT(worst_relative([](const Floats& x) { return exp(x); }, exponential, 1e-6f, 88, 1.0031f), 1e-5);
  EXPECT_LT(worst_relative([](const Floats& x) { return exp(x); }, exponential, -1e-6f, -87, 1.0031f), 1e-5);
  EXPECT_EQ(exp(spread<4>(-1e30f)).of[2][7], exp(spread<4>(-87.0f)).of[2][7]);
  const auto one_over = [](double x) { return 1 / x; };
  EXPECT_LT(worst_relative([](const Floats& x) { return reciprocal(x); }, one_over, 1e-36f, 1e36f, 1.031f), 1e-5);
  EXPECT_LT(worst_relative([](const Floats& x) { return inverse(x); }, one_over, 1e-18f, 1e18f, 1.031f), 1e-6);
  const auto log_one_plus = [](double x) { return std::log1p(x); };
  EXPECT_LT(worst_relative([](const Floats& x) { return log1p(x); }, log_one_plus, 1e-20f, 1e-4f, 1.013f), 1e-5);
  EXPECT_LT(worst_relative([](const Floats& x) { return log1p(x); }, log_one_plus, 1e-4f, 1e37f, 1.0013f), 1e-6);
  const auto exponential_minus_one = [](double x) { return std::expm1(x); };
  EXPECT_LT(worst_relative([](const Floats& x) { return expm1(x); }, exponential_minus_one, 1e-20f, 80, 1.013f), 3e-5);
  for (const float x : {-3.0f, -0.0f, 0.0f, 2.5f}) EXPECT_EQ(no_less_than_zero(spread<4>(x)).of[3][15], std::max(x, 0.0f));
}

std::vector<double> draw(std::size_t n, std::uint64_t index) {
  std::vector<double> out(n);
  Stream(1, Purpose::test, 0, index).fill_normal(out);
  return out;
}

TEST(Dense, ProductsAgreeWithPlainLoopsAtEverySize) {
  for (std::size_t n = 1; n < 70; ++n) {
    const auto a = draw(n * n, 1), x = draw(n, 2);
    std::vector<double> y(n), t(n), b = a;
    multiply_rows(a.data(), n, 0, n, n, x.data(), y.data());
    multiply_transposed(a.data(), n, n, n, x.data(), t.data());
    subtract_outer(b.data(), n, 0, n, x.data());
    for (std::size_t i = 0; i < n; ++i) {
      double row = 0, column = 0;
      for (std::size_t j = 0; j < n; ++j) {
        row += a[i * n + j] * x[j];
        column += a[j * n + i] * x[j];
        EXPECT_NEAR(b[i * n + j], a[i * n + j] - x[i] * x[j], 1e-14);
      }
      EXPECT_NEAR(y[i], row, 1e-12);
      EXPECT_NEAR(t[i], column, 1e-12);
      EXPECT_NEAR(dot(a.data() + i * n, x.data(), n), row, 1e-12);
    }
  }
}

TEST(Dense, OuterProductsKeepExactSymmetry) {
  constexpr std::size_t n = 37;
  std::vector<double> a(n * n, 0);
  for (std::uint64_t k = 0; k < 100; ++k) subtract_outer(a.data(), n, 0, n, draw(n, k).data());
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) ASSERT_EQ(a[i * n + j], a[j * n + i]);
}

TEST(Quadrature, RulesIntegrateMomentsOfTheNormalLaw) {
  for (const NormalRule& rule : {gauss_hermite(32), trapezoid(0.5, 9)}) {
    const double moments[] = {1, 0, 1, 0, 3, 0, 15};
    for (int power = 0; power < 7; ++power) {
      double total = 0;
      for (std::size_t k = 0; k < rule.nodes.size(); ++k) total += rule.weights[k] * std::pow(rule.nodes[k], power);
      EXPECT_NEAR(total, moments[power], 1e-12);
    }
  }
}

TEST(Special, LogFactorialAgreesWithTheSum) {
  double sum = 0;
  for (int k = 1; k < 200; ++k) {
    sum += std::log(k);
    EXPECT_NEAR(log_factorial(k), sum, 1e-12 * (1 + sum));
  }
}

TEST(Dense, ProductsTogetherEqualProductsApart) {
  for (const std::size_t n : {1, 3, 7, 8, 9, 20, 37, 100}) {
    std::vector<double> a(n * n), x(2 * n), together(2 * n), apart(n), part(n);
    Stream stream(2, Purpose::test, n);
    stream.fill_normal(a);
    stream.fill_normal(x);
    multiply_rows_together(a.data(), n, n, n, nullptr, 0, nullptr);  // a search that may not go on
    multiply_rows_together(a.data(), n, n, n, x.data(), 2, together.data());
    for (std::size_t k = 0; k < 2; ++k) {
      multiply_rows(a.data(), n, 0, n, n, &x[k * n], apart.data());
      for (std::size_t i = 0; i < n; ++i) {
        EXPECT_EQ(together[k * n + i], apart[i]) << n;
        multiply_rows(a.data(), n, i, i + 1, n, &x[k * n], part.data());
        EXPECT_EQ(part[0], apart[i]) << n;
        EXPECT_NEAR(apart[i], std::inner_product(&x[k * n], &x[k * n] + n, &a[i * n], 0.0), 1e-12) << n;
      }
    }
    multiply_transposed(a.data(), n, n, n, x.data(), part.data());
    for (std::size_t j = 0; j < n; ++j) {
      double wanted = 0;
      for (std::size_t i = 0; i < n; ++i) wanted += x[i] * a[i * n + j];
      EXPECT_NEAR(part[j], wanted, 1e-12) << n;
    }
  }
}

TEST(SymmetricEigen, ReproducesTheMatrix) {
  SymmetricEigen eigen;
  for (const int n : {1, 2, 3, 17, 48, 96})
    for (const bool repeated : {false, true}) {
      SymmetricEigen::Matrix root(n, n);
      Stream stream(3, Purpose::test, static_cast<std::uint64_t>(n));
      for (int i = 0; i < n; ++i)
        for (int j = 0; j < n; ++j) root(i, j) = repeated && j > n / 3 ? 0 : stream.normal();
      SymmetricEigen::Matrix a = root * root.transpose();
      a = (a + SymmetricEigen::Matrix(a.transpose())).eval() * 0.5;
      eigen.compute(a);
      const double scale = eigen.values()[0];
      for (int k = 0; k < n; ++k) {
        SymmetricEigen::Vector y = SymmetricEigen::Vector::Zero(n), v(n), back(n);
        y[k] = 1;
        eigen.from_eigenbasis(y.data(), v.data());
        EXPECT_LT((a * v - eigen.values()[static_cast<std::size_t>(k)] * v).norm(), 1e-13 * scale) << n;
        eigen.to_eigenbasis(v.data(), back.data());
        EXPECT_LT((back - y).norm(), 1e-13);
        if (k > 0) {
          EXPECT_LE(eigen.values()[static_cast<std::size_t>(k)], eigen.values()[static_cast<std::size_t>(k) - 1]);
        }
      }
    }
}

}  // namespace
}  // namespace hartline::numerics
