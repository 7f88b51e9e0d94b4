#include "design/utility.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.hpp"

namespace hartline::design {
namespace {

using models::Law;
using models::ResponseLaw;

struct Pair {
  const char *law, *link;
};
constexpr Pair pairs[] = {{"poisson", "exp"},       {"poisson", "softplus"}, {"poisson", "logistic"},  {"bernoulli", "logistic"},
                          {"gaussian", "identity"}, {"gaussian", "exp"},     {"gaussian", "softplus"}, {"gaussian", "logistic"}};

ResponseLaw law_of(const Pair& pair) { return models::make_response_law(pair.law, pair.link, 0.6, 0.9, "model"); }

/// ∫ f(ρ) N(ρ; m, v) dρ on a fine grid.
template <class F>
double expectation(double m, double v, F f) {
  const double sd = std::sqrt(v), step = 0.002;
  double total = 0;
  for (double z = -16; z <= 16; z += step) total += step * std::exp(-0.5 * z * z) / std::sqrt(2 * M_PI) * f(m + sd * z);
  return total;
}

double laplace_by_brute_force(const ResponseLaw& law, double m, double v) {
  return expectation(m, v, [&](double rho) {
    if (law.law != Law::poisson || !law.log_concave()) return 0.5 * std::log1p(law.fisher(rho) * v);
    double total = 0;
    const double mean = law.mean(rho);
    double p = std::exp(-mean);
    if (law.curvature_is_fixed() || mean > 600) return 0.5 * std::log1p(law.curvature(mean, rho) * v);
    for (int r = 0; r < mean + 12 * std::sqrt(mean) + 20; ++r) {
      total += p * 0.5 * std::log1p(law.curvature(r, rho) * v);
      p *= mean / (r + 1);
    }
    return total;
  });
}

TEST(Utility, AgreesWithBruteForce) {
  for (const Pair& pair : pairs) {
    const ResponseLaw law = law_of(pair);
    const LinearUtility laplace(Utility::laplace_information, law), first(Utility::first_order_information, law);
    for (double m : {-3.0, 0.0, 1.5})
      for (double v : {0.01, 0.7, 4.0}) {
        const double wanted = laplace_by_brute_force(law, m, v);
        EXPECT_NEAR(laplace(m, v), wanted, 1e-9 * (1 + wanted)) << pair.law << ' ' << pair.link << ' ' << m << ' ' << v;
        const double first_order = expectation(m, v, [&](double rho) { return 0.5 * v * law.fisher(rho); });
        EXPECT_NEAR(first(m, v), first_order, 1e-8 * (1 + first_order)) << pair.law << ' ' << pair.link << ' ' << m << ' ' << v;
      }
  }
}

TEST(Utility, LiesBetweenItsBounds) {
  const LinearUtility utility(Utility::laplace_information, law_of(pairs[0]));
  for (double m = -6; m < 6; m += 0.7)
    for (double v : {1e-6, 0.1, 1.0, 9.0}) {
      double low = 0, high = 0;
      ASSERT_TRUE(utility.bounds({&m, 1}, {&v, 1}, {&low, 1}, {&high, 1}));
      EXPECT_LE(low, utility(m, v) * (1 + 1e-12));
      EXPECT_GE(high, utility(m, v) * (1 - 1e-12));
    }
}

TEST(Utility, BatchEqualsSingleAtEverySize) {
  const LinearUtility utility(Utility::laplace_information, law_of(pairs[1]));
  for (std::size_t n = 1; n < 20; ++n) {
    std::vector<double> m(n), v(n), u(n);
    for (std::size_t i = 0; i < n; ++i) {
      m[i] = 0.3 * static_cast<double>(i) - 1;
      v[i] = 0.1 + 0.2 * static_cast<double>(i);
    }
    utility.evaluate(m, v, u);
    for (std::size_t i = 0; i < n; ++i) EXPECT_NEAR(u[i], utility(m[i], v[i]), 1e-10);
  }
}

TEST(Utility, GradientIsADifference) {
  for (const Pair& pair : pairs) {
    const LinearUtility utility(Utility::laplace_information, law_of(pair));
    for (const double m : {-1.0, 0.8})
      for (const double v : {0.1, 2.0}) {
        double by_m = 0, by_v = 0;
        utility.gradient(m, v, by_m, by_v);
        const double h = 1e-4;
        EXPECT_NEAR(by_m, (utility(m + h, v) - utility(m - h, v)) / (2 * h), 1e-6) << pair.law << ' ' << pair.link;
        EXPECT_NEAR(by_v, (utility(m, v + h) - utility(m, v - h)) / (2 * h), 1e-6) << pair.law << ' ' << pair.link;
      }
  }
}

TEST(Utility, MutualInformationReproducesItsGoldenValue) {
  // tests/reference/laplace_glm.py: at the best stimulus of the two-dimensional case
  const LinearUtility exact(Utility::mutual_information, models::make_response_law("poisson", "exp", 1, 1, "model"));
  const double x0 = 0.983235, x1 = 0.182345;
  EXPECT_NEAR(exact(x0 + 0.5 * x1, x0 * x0 + 0.25 * x1 * x1), 0.72882722, 1e-6);
}

TEST(Utility, MutualInformationAgreesWithBruteForce) {
  for (const Pair& pair : pairs) {
    const ResponseLaw law = law_of(pair);
    if (law.law == Law::gaussian) continue;
    const LinearUtility exact(Utility::mutual_information, law);
    for (double m : {-2.0, 0.5})
      for (double v : {0.05, 1.0}) {
        double information = 0;
        for (int r = 0; r < (law.law == Law::bernoulli ? 2 : 300); ++r) {
          const double p = expectation(m, v, [&](double rho) { return std::exp(law.log_likelihood(r, rho)); });
          if (p < 1e-14) continue;
          information += expectation(m, v, [&](double rho) {
            const double log_p = law.log_likelihood(r, rho);
            return std::exp(log_p) * (log_p - std::log(p));
          });
        }
        EXPECT_NEAR(exact(m, v), information, 1e-6) << pair.law << ' ' << pair.link << ' ' << m << ' ' << v;
      }
  }
}

TEST(Utility, GaussianIdentityIsTheClosedForm) {
  const ResponseLaw law = models::make_response_law("gaussian", "identity", 1, 0.5, "model");
  for (const Utility utility : {Utility::laplace_information, Utility::mutual_information})
    EXPECT_DOUBLE_EQ(LinearUtility(utility, law)(3, 2), 0.5 * std::log1p(2 / 0.25));
}

TEST(Utility, LargeRatesAreNotCutOff) {
  // ρ up to 12: counts beyond a hundred thousand; the information of a large count is that of its logarithm's variance
  const ResponseLaw law = models::make_response_law("poisson", "exp", 1, 1, "model");
  const LinearUtility laplace(Utility::laplace_information, law), exact(Utility::mutual_information, law);
  EXPECT_NEAR(laplace(10, 0.5), 0.5 * (10 + std::log(0.5)), 1e-3);
  EXPECT_NEAR(exact(8, 0.5), laplace(8, 0.5), 5e-3);
}

TEST(Utility, UnavailablePairsAreRefused) { EXPECT_THROW(LinearUtility(Utility::mutual_information, law_of(pairs[5])), SpecError); }

}  // namespace
}  // namespace hartline::design
