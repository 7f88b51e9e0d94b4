#include "design/utility.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include "base/error.hpp"

namespace hartline::design {
namespace {

using models::Law;
using models::ResponseLaw;

struct Pair {
  const char *law, *link;
  double overdispersion = 0;
};
constexpr Pair pairs[] = {{"poisson", "exp"},
                          {"poisson", "softplus"},
                          {"poisson", "logistic"},
                          {"bernoulli", "logistic"},
                          {"gaussian", "identity"},
                          {"gaussian", "exp"},
                          {"gaussian", "softplus"},
                          {"gaussian", "logistic"},
                          {"negative_binomial", "exp", 0.01},
                          {"negative_binomial", "exp", 0.3},
                          {"negative_binomial", "exp", 3},
                          {"negative_binomial", "softplus", 0.3},
                          {"negative_binomial", "logistic", 0.3}};

ResponseLaw law_of(const Pair& pair) {
  return models::make_response_law(pair.law, pair.link, 0.6, 0.9, "model", pair.overdispersion);
}

/// ∫ f(ρ) N(ρ; m, v) dρ on a fine grid.
template <class F>
double expectation(double m, double v, F f, double step = 0.002) {
  const double sd = std::sqrt(v);
  double total = 0;
  for (double z = -16; z <= 16; z += step) total += step * std::exp(-0.5 * z * z) / std::sqrt(2 * M_PI) * f(m + sd * z);
  return total;
}

double laplace_by_brute_force(const ResponseLaw& law, double m, double v, double step = 0.002) {
  return expectation(
      m, v,
      [&](double rho) {
        if (!law.counts() || !law.log_concave()) return 0.5 * std::log1p(law.fisher(rho) * v);
        double total = 0;
        const double mean = law.mean(rho);
        if (law.law == Law::negative_binomial) {
          const double alpha = law.overdispersion, ratio = mean / (1 + alpha * mean);
          if (std::abs(rho - m) > 7 * std::sqrt(v)) return 0.0;  // 3e-12 of the mass
          double p = std::exp(-std::log1p(alpha * mean) / alpha), seen = 0;
          for (int r = 0; 1 - seen > 1e-12 && r < 4000000; ++r) {
            total += p * 0.5 * std::log1p(law.curvature(r, rho) * v);
            seen += p;
            p *= ratio * (1 + alpha * r) / (r + 1);
          }
          return total;
        }
        double p = std::exp(-mean);
        if (law.curvature_is_fixed() || mean > 600) return 0.5 * std::log1p(law.curvature(mean, rho) * v);
        for (int r = 0; r < mean + 12 * std::sqrt(mean) + 20; ++r) {
          total += p * 0.5 * std::log1p(law.curvature(r, rho) * v);
          p *= mean / (r + 1);
        }
        return total;
      },
      step);
}

TEST(Utility, AgreesWithBruteForce) {
  for (const Pair& pair : pairs) {
    const ResponseLaw law = law_of(pair);
    const LinearUtility laplace(Utility::laplace_information, law), first(Utility::first_order_information, law);
    for (double m : {-3.0, 0.0, 1.5})
      for (double v : {0.01, 0.7, 4.0}) {
        if (law.law == Law::negative_binomial && law.log_concave()) continue;  // the next test has a coarser brute force
        const double wanted = laplace_by_brute_force(law, m, v);
        EXPECT_NEAR(laplace(m, v), wanted, 1e-9 * (1 + wanted)) << pair.law << ' ' << pair.link << ' ' << m << ' ' << v;
        const double first_order = expectation(m, v, [&](double rho) { return 0.5 * v * law.fisher(rho); });
        EXPECT_NEAR(first(m, v), first_order, 1e-8 * (1 + first_order)) << pair.law << ' ' << pair.link << ' ' << m << ' ' << v;
      }
  }
}

TEST(Utility, OfOverdispersedCountsAgreesWithBruteForce) {
  double worst = 0;
  for (double alpha : {0.05, 0.3, 3.0})
    for (double m : {-3.0, 1.5, 4.0, 7.0})
      for (double v : {0.01, 0.5, 2.0}) {
        if (m + 7 * std::sqrt(v) > 9) continue;  // sums of millions of counts
        const ResponseLaw law = law_of({"negative_binomial", "exp", alpha});
        const double wanted = laplace_by_brute_force(law, m, v, 0.1), got = LinearUtility(Utility::laplace_information, law)(m, v);
        EXPECT_NEAR(got, wanted, 2e-9 * wanted) << alpha << ' ' << m << ' ' << v;
        worst = std::max(worst, std::abs(got / wanted - 1));
      }
  std::printf("worst relative error: %.1e\n", worst);
}

TEST(Utility, OfOverdispersedCountsSaturates) {
  // a gain of variance α leaves an information of at most 1/α about log μ, however high the rate
  const ResponseLaw law = law_of({"negative_binomial", "exp", 0.5});
  EXPECT_NEAR(LinearUtility(Utility::first_order_information, law)(40, 0.2), 0.5 * 0.2 / 0.5, 1e-12);
  const double far = LinearUtility(Utility::laplace_information, law)(300, 0.2);
  EXPECT_NEAR(far, LinearUtility(Utility::laplace_information, law)(40, 0.2), 1e-9);
  EXPECT_LT(far, 0.5 * std::log1p(0.2 / 0.5));
}

TEST(Utility, ExpectedResponseAndUpperConfidenceAgreeWithBruteForce) {
  for (const Pair& pair : pairs) {
    const ResponseLaw law = law_of(pair);
    for (double m : {-3.0, 0.0, 1.5})
      for (double v : {1e-6, 0.7, 4.0}) {
        const double mean = expectation(m, v, [&](double rho) { return law.mean(rho); });
        const double sd = std::sqrt(expectation(m, v, [&](double rho) { return std::pow(law.mean(rho) - mean, 2); }));
        EXPECT_NEAR(LinearUtility(Utility::expected_response, law)(m, v), mean, 1e-9 * (1 + std::abs(mean)));
        EXPECT_NEAR(LinearUtility(Utility::upper_confidence, law)(m, v), mean + 2 * sd, 1e-8 * (1 + std::abs(mean))) << pair.law;
        EXPECT_NEAR(LinearUtility(Utility::upper_confidence, law, 0.5)(m, v), mean + 0.5 * sd, 1e-8 * (1 + std::abs(mean)));
        EXPECT_NEAR(models::expected_response(law, m, v), mean, 1e-9 * (1 + std::abs(mean)));
      }
    EXPECT_DOUBLE_EQ(LinearUtility(Utility::upper_confidence, law)(0.3, 0), law.mean(0.3));
  }
}

constexpr Utility all_utilities[] = {Utility::laplace_information, Utility::first_order_information, Utility::mutual_information,
                                     Utility::posterior_variance,  Utility::expected_response,       Utility::upper_confidence};

TEST(Utility, MonotonicityHoldsWhereItIsPromised) {
  for (const Pair& pair : pairs)
    for (const Utility which : all_utilities) {
      const ResponseLaw law = law_of(pair);
      if (which == Utility::mutual_information && law.law == Law::gaussian && law.link != models::Link::identity) continue;
      const LinearUtility utility(which, law);
      for (std::uint64_t t = 0; t < 40; ++t) {
        Stream stream(6, Purpose::test, t);
        const double m = 2 * stream.normal(), v = 3 * stream.uniform(), u = utility(m, v), slack = 1e-6 * (1 + std::abs(u));
        if (utility.increases_with_variance()) {
          EXPECT_GE(utility(m, v * 1.1), u - slack) << pair.law << pair.link << static_cast<int>(which);
        }
        if (utility.never_falls_with_mean()) {
          EXPECT_GE(utility(m + 0.2, v), u - slack) << pair.law << pair.link << static_cast<int>(which);
        }
      }
    }
  EXPECT_FALSE(LinearUtility(Utility::expected_response, law_of({"poisson", "logistic"})).increases_with_variance());
  EXPECT_FALSE(LinearUtility(Utility::laplace_information, law_of({"negative_binomial", "exp", 0.3})).increases_with_variance());
}

TEST(Utility, GradientAgreesWithFiniteDifferences) {
  for (const Pair& pair : pairs)
    for (const Utility which : all_utilities) {
      const ResponseLaw law = law_of(pair);
      if (which == Utility::mutual_information && law.law == Law::gaussian && law.link != models::Link::identity) continue;
      const LinearUtility utility(which, law);
      for (double m : {-2.0, 1.1, 3.0})
        for (double v : {1e-3, 0.4, 3.0}) {
          double du_dm = 0, du_dv = 0;
          utility.gradient(m, v, du_dm, du_dv);
          // Richardson's extrapolation of central differences, over other steps than gradient's own
          const auto difference = [&](double h, bool of_m) {
            return of_m ? (utility(m + h, v) - utility(m - h, v)) / (2 * h)
                        : (utility(m, v * (1 + h)) - utility(m, v * (1 - h))) / (2 * h);
          };
          const auto wanted = [&](bool of_m) {
            const double a = difference(0.004, of_m), b = difference(0.002, of_m);
            return b + (b - a) / 3;
          };
          const double scale = std::max({std::abs(utility(m, v)), std::abs(du_dm), v * std::abs(du_dv)});
          const double within = (which == Utility::mutual_information ? 1e-5 : 1e-7) * scale;
          EXPECT_NEAR(du_dm, wanted(true), within) << pair.law << pair.link << static_cast<int>(which) << ' ' << m << ' ' << v;
          EXPECT_NEAR(v * du_dv, wanted(false), within) << pair.law << pair.link << static_cast<int>(which) << ' ' << m << ' ' << v;
        }
    }
}

TEST(Utility, GradientReproducesClosedForms) {
  const ResponseLaw law = law_of(pairs[0]);
  double du_dm = 0, du_dv = 0;
  LinearUtility(Utility::expected_response, law).gradient(0.7, 0.4, du_dm, du_dv);
  const double mean = 0.6 * std::exp(0.9);
  EXPECT_NEAR(du_dm, mean, 1e-8);
  EXPECT_NEAR(du_dv, 0.5 * mean, 1e-8);
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
        for (int r = 0; r < (law.law == Law::bernoulli ? 2 : pair.overdispersion > 1 ? 4000 : 400); ++r) {
          const double p = expectation(
              m, v, [&](double rho) { return std::exp(law.log_likelihood(r, rho)); }, 0.02);
          if (p < 1e-14) continue;
          information += expectation(
              m, v,
              [&](double rho) {
                const double log_p = law.log_likelihood(r, rho);
                return std::exp(log_p) * (log_p - std::log(p));
              },
              0.02);
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

TEST(Utility, UnavailablePairsAreRefused) {
  EXPECT_THROW(LinearUtility(Utility::mutual_information, law_of(pairs[5])), SpecError);
  EXPECT_THROW(LinearUtility(Utility::upper_confidence, law_of(pairs[0]), -1), SpecError);
}

}  // namespace
}  // namespace hartline::design
