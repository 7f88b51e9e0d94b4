#include "design/response_integral.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "design/utility.hpp"

namespace hartline::design {
namespace {

using models::ResponseLaw;

struct Pair {
  const char *law, *link;
};
constexpr Pair pairs[] = {{"poisson", "exp"},       {"poisson", "softplus"}, {"poisson", "logistic"},  {"bernoulli", "logistic"},
                          {"gaussian", "identity"}, {"gaussian", "exp"},     {"gaussian", "softplus"}, {"gaussian", "logistic"}};

ResponseLaw law_of(const Pair& pair) { return models::make_response_law(pair.law, pair.link, 0.6, 0.9, "model"); }

template <class F>
double expectation(double m, double v, F f) {
  const double sd = std::sqrt(v), step = 0.002;
  double total = 0;
  for (double z = -14; z <= 14; z += step) total += step * std::exp(-0.5 * z * z) / std::sqrt(2 * M_PI) * f(m + sd * z);
  return total;
}

/// Σ_r p(r | ρ) f(D)
template <class F>
double over_counts(const ResponseLaw& law, double rho, F f) {
  if (law.law != models::Law::poisson || !law.log_concave() || law.curvature_is_fixed()) return f(law.fisher(rho));
  double total = 0;
  const double mean = law.mean(rho);
  for (int r = 0; r < mean + 12 * std::sqrt(mean) + 20; ++r)
    total += std::exp(law.log_likelihood(r, rho)) * f(law.curvature(r, rho));
  return total;
}

TEST(ResponseIntegral, AgreesWithBruteForce) {
  for (const Pair& pair : pairs) {
    const ResponseLaw law = law_of(pair);
    for (const double m : {-2.0, 0.7})
      for (const double v : {0.05, 1.5}) {
        const double w = 0.4 * v;
        const double information =
            expectation(m, v, [&](double rho) { return over_counts(law, rho, [&](double d) { return 0.5 * std::log1p(d * w); }); });
        EXPECT_NEAR(information_about(law, m, v, w).value, information, 1e-8 * (1e-3 + information))
            << pair.law << ' ' << pair.link;
        const double shrink =
            expectation(m, v, [&](double rho) { return over_counts(law, rho, [&](double d) { return d / (1 + d * v); }); });
        EXPECT_NEAR(shrinkage(law, m, v).value, shrink, 1e-8 * (1e-3 + shrink)) << pair.law << ' ' << pair.link;
        const double mean = expectation(m, v, [&](double rho) { return law.mean(rho); });
        const double square = expectation(m, v, [&](double rho) { return law.mean(rho) * law.mean(rho); });
        const double bound = mean + 1.5 * std::sqrt(square - mean * mean);
        EXPECT_NEAR(confident_response(law, 0, m, v).value, mean, 1e-8 * (1e-3 + std::abs(mean))) << pair.law << ' ' << pair.link;
        EXPECT_NEAR(confident_response(law, 1.5, m, v).value, bound, 1e-6 * (1 + std::abs(bound))) << pair.law << ' ' << pair.link;
        EXPECT_NEAR(information_about(law, m, v, v).value, LinearUtility(Utility::laplace_information, law)(m, v), 1e-8);
      }
  }
}

TEST(ResponseIntegral, DerivativesAreDifferences) {
  for (const Pair& pair : pairs) {
    const ResponseLaw law = law_of(pair);
    const double h = 1e-4;
    for (const double m : {-1.0, 0.7})
      for (const double v : {0.1, 1.5}) {
        const double w = 0.4 * v;
        const SlopeOfThree about = information_about(law, m, v, w);
        const auto near = [&](double got, double up, double down, const char* what) {
          EXPECT_NEAR(got, (up - down) / (2 * h), 1e-6 * (1 + std::abs(got))) << pair.law << ' ' << pair.link << ' ' << what;
        };
        near(about.m, information_about(law, m + h, v, w).value, information_about(law, m - h, v, w).value, "information m");
        near(about.v, information_about(law, m, v + h, w).value, information_about(law, m, v - h, w).value, "information v");
        near(about.w, information_about(law, m, v, w + h).value, information_about(law, m, v, w - h).value, "information w");
        const Slope shrink = shrinkage(law, m, v), bound = confident_response(law, 1.5, m, v);
        near(shrink.m, shrinkage(law, m + h, v).value, shrinkage(law, m - h, v).value, "shrinkage m");
        near(shrink.v, shrinkage(law, m, v + h).value, shrinkage(law, m, v - h).value, "shrinkage v");
        near(bound.m, confident_response(law, 1.5, m + h, v).value, confident_response(law, 1.5, m - h, v).value, "bound m");
        near(bound.v, confident_response(law, 1.5, m, v + h).value, confident_response(law, 1.5, m, v - h).value, "bound v");
      }
  }
}

}  // namespace
}  // namespace hartline::design
