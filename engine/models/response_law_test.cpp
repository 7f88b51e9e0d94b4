#include "models/response_law.hpp"

#include <gtest/gtest.h>

#include <boost/math/special_functions/beta.hpp>
#include <boost/math/special_functions/gamma.hpp>
#include <boost/multiprecision/cpp_bin_float.hpp>
#include <chrono>
#include <cmath>

#include "base/error.hpp"

namespace hartline::models {
namespace {

using Digits = boost::multiprecision::cpp_bin_float_50;

ResponseLaw counts_law(double alpha, const char* link = "exp", double bin_s = 1) {
  return make_response_law(alpha > 0 ? "negative_binomial" : "poisson", link, bin_s, 1, "model", alpha);
}

/// ∫ f(ρ) N(ρ; m, v) dρ on a grid that resolves anything wider than `width`.
template <class F>
double expectation(double m, double v, double width, F f) {
  const double sd = std::sqrt(v), step = std::min(0.05, 0.1 * width / sd);
  double total = 0;
  for (double z = -9; z <= 9; z += step) total += step * std::exp(-0.5 * z * z) / std::sqrt(2 * M_PI) * f(m + sd * z);
  return total;
}

/// P(r <= k) of a count, by Boost.
double count_cdf(const ResponseLaw& law, double k, double rho) {
  if (k < 0) return 0;
  const double mu = law.mean(rho), alpha = law.overdispersion;
  if (mu == 0) return 1;
  return alpha > 0 ? boost::math::ibeta(1 / alpha, k + 1, 1 / (1 + alpha * mu)) : boost::math::gamma_q(k + 1, mu);
}

TEST(NegativeBinomial, ProbabilitiesHaveTheStatedMeanAndVariance) {
  for (double alpha : {0.02, 0.3, 2.0})
    for (double rho : {-2.0, 0.5, 3.0}) {
      const ResponseLaw law = counts_law(alpha, "exp", 0.7);
      double total = 0, mean = 0, square = 0;
      for (int r = 0; r < 4000; ++r) {
        const double p = std::exp(law.log_likelihood(r, rho));
        total += p;
        mean += p * r;
        square += p * r * r;
      }
      EXPECT_NEAR(total, 1, 1e-11);
      EXPECT_NEAR(mean, law.mean(rho), 1e-10 * (1 + mean));
      EXPECT_NEAR(square - mean * mean, law.variance(rho), 1e-9 * (1 + square));
      EXPECT_DOUBLE_EQ(law.variance(rho), law.mean(rho) + alpha * law.mean(rho) * law.mean(rho));
    }
}

TEST(NegativeBinomial, IsAPoissonCountWithAGammaGain) {
  // p(r) = ∫ Poisson(r; γ μ) Gamma(γ; 1/α, α) dγ, over log γ
  for (double alpha : {0.1, 0.8})
    for (double r : {0.0, 3.0, 40.0}) {
      const ResponseLaw law = counts_law(alpha), poisson = counts_law(0);
      const double n = 1 / alpha, rho = 1.3;
      double total = 0;
      for (double y = -60; y < 6; y += 0.01)
        total += 0.01 * std::exp(poisson.log_likelihood(r, rho + y) + n * (y + std::log(n)) - n * std::exp(y) - std::lgamma(n));
      EXPECT_NEAR(law.log_likelihood(r, rho), std::log(total), 1e-10) << alpha << ' ' << r;
    }
}

TEST(NegativeBinomial, TendsToPoissonAsOverdispersionVanishes) {
  const ResponseLaw poisson = counts_law(0);
  for (double alpha : {1e-8, 1e-12})
    for (double r : {0.0, 5.0, 300.0}) {
      const ResponseLaw law = counts_law(alpha);
      const double rho = std::log(r + 1) + 0.2, mu = law.mean(rho), near = 2 * alpha * (mu * mu + r * r) + 1e-12 * (1 + r);
      EXPECT_NEAR(law.log_likelihood(r, rho), poisson.log_likelihood(r, rho), near);
      EXPECT_NEAR(law.slope(r, rho), poisson.slope(r, rho), near);
      EXPECT_NEAR(law.curvature(r, rho), poisson.curvature(r, rho), near);
      EXPECT_NEAR(law.log_tail(r + 3, rho), poisson.log_tail(r + 3, rho), near);
    }
}

TEST(NegativeBinomial, DerivativesAgreeWithFiniteDifferences) {
  for (const char* link : {"exp", "softplus", "logistic"})
    for (double alpha : {0.05, 0.3, 3.0})
      for (double r : {0.0, 1.0, 12.0})
        for (double rho = -4; rho < 4; rho += 0.37) {
          const ResponseLaw law = counts_law(alpha, link, 0.8);
          const double h = 1e-5;
          const double slope = (law.log_likelihood(r, rho + h) - law.log_likelihood(r, rho - h)) / (2 * h);
          const double curvature = -(law.slope(r, rho + h) - law.slope(r, rho - h)) / (2 * h);
          EXPECT_NEAR(law.slope(r, rho), slope, 1e-7 * (1 + std::abs(slope))) << link << rho;
          EXPECT_NEAR(law.curvature(r, rho), curvature, 1e-7 * (1 + std::abs(curvature))) << link << rho;
        }
}

TEST(NegativeBinomial, FisherInformationIsTheMeanCurvature) {
  for (const char* link : {"exp", "softplus", "logistic"})
    for (double rho : {-2.0, 0.3, 2.0}) {
      const ResponseLaw law = counts_law(0.4, link, 0.8);
      double mean = 0;
      for (int r = 0; r < 400; ++r) mean += std::exp(law.log_likelihood(r, rho)) * law.curvature(r, rho);
      EXPECT_NEAR(law.fisher(rho), mean, 1e-10 * (1 + mean)) << link;
    }
}

TEST(NegativeBinomial, IsLogConcaveExactlyWhereItSaysSo) {
  for (const char* link : {"exp", "softplus", "logistic"})
    for (double alpha : {0.05, 1.0}) {
      const ResponseLaw law = counts_law(alpha, link, 5);
      bool concave = true;
      for (double r : {0.0, 1.0, 30.0})
        for (double rho = -20; rho < 40; rho += 0.1) concave = concave && law.curvature(r, rho) >= -1e-14;
      EXPECT_EQ(law.log_concave(), concave) << link;
      EXPECT_FALSE(law.curvature_is_fixed());
    }
}

TEST(NegativeBinomial, SamplesHaveTheStatedMoments) {
  const ResponseLaw law = counts_law(0.5);
  constexpr int num = 200000;
  double mean = 0, square = 0;
  for (std::uint64_t t = 0; t < num; ++t) {
    Stream stream(11, Purpose::test, t);
    const double r = law.sample(1.2, stream);
    mean += r / num;
    square += r * r / num;
  }
  // five standard errors, a false alarm in 2e6: sd of the mean .0084, of the variance about .07
  EXPECT_NEAR(mean, law.mean(1.2), 0.042);
  EXPECT_NEAR(square - mean * mean, law.variance(1.2), 0.35);
}

TEST(NegativeBinomial, SurvivesRatesThatOverflow) {
  const ResponseLaw law = counts_law(0.3);
  for (double rho : {-800.0, 800.0})
    for (double r : {0.0, 7.0}) {
      EXPECT_TRUE(std::isfinite(law.log_likelihood(r, rho)));
      EXPECT_TRUE(std::isfinite(law.slope(r, rho)));
      EXPECT_TRUE(std::isfinite(law.curvature(r, rho)));
      EXPECT_TRUE(std::isfinite(law.fisher(rho)));
    }
  EXPECT_NEAR(law.slope(7, 800), -1 / 0.3, 1e-12);
}

TEST(NegativeBinomial, EvidenceAgreesWithBruteForce) {
  for (const char* link : {"exp", "softplus", "logistic"})
    for (double alpha : {0.05, 0.3, 2.0})
      for (double m : {-1.0, 3.0})
        for (double v : {0.01, 2.0, 40.0})
          for (double r : {0.0, 4.0, 90.0}) {
            const ResponseLaw law = counts_law(alpha, link);
            const Mode mode = find_mode(law, r, m, v);
            const double wanted =
                std::log(expectation(m, v, 0.1, [&](double rho) { return std::exp(law.log_likelihood(r, rho)); }));
            if (wanted < -30) continue;  // the grid does not reach that far
            EXPECT_NEAR(log_evidence(law, r, m, v, mode), wanted, 1e-8) << link << ' ' << alpha << ' ' << m << ' ' << v << ' ' << r;
            const double scale = std::abs(mode.rho) + std::abs(m) + v * std::abs(law.curvature(r, mode.rho) * mode.rho);
            EXPECT_NEAR(mode.rho, m + v * law.slope(r, mode.rho), 1e-11 * (1 + scale));
          }
}

TEST(NegativeBinomial, OverdispersionIsCheckedByName) {
  const auto message = [](const char* law, double alpha) {
    try {
      make_response_law(law, "exp", 1, 1, "model", alpha);
    } catch (const SpecError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(
      message("negative_binomial", 0),
      "model.overdispersion: must be > 0 for negative_binomial responses (got 0). Without overdispersion the response is poisson.");
  EXPECT_EQ(message("poisson", 0.3),
            "model.overdispersion: must be 0 for poisson responses (got 0.3). Overdispersed counts are negative_binomial.");
  EXPECT_NE(message("negative_binomial", NAN), "");
  EXPECT_EQ(message("negative_binomial", 0.3), "");
  EXPECT_THROW(make_response_law("negative_binomial", "identity", 1, 1, "model", 0.3), SpecError);
}

/// log P(r >= c), its derivative in ρ and minus the second, of exp counts in fifty digits from the recursion of probabilities:
/// one minus the sum below c while that has digits left, else the sum from c on.
std::array<double, 3> tail_in_fifty_digits(double c, double rho, double overdispersion) {
  const Digits alpha = overdispersion, mu = exp(Digits(rho)), q = mu / (1 + alpha * mu), rest = 1 / (1 + alpha * mu);
  Digits p = alpha > 0 ? Digits(exp(-log(Digits(1 + alpha * mu)) / alpha)) : Digits(exp(-mu));
  Digits total = 0, first = 0, second = 0;  // of p, p' = p score, p'' = p (score² - information), with respect to η = ρ
  const auto add = [&](double r) {
    const Digits score = (r - mu) * rest, information = (1 + alpha * r) * q * rest;
    total += p;
    first += p * score;
    second += p * (score * score - information);
    const bool negligible = p * (1 + score * score) < total * 1e-25;
    p *= q * (1 + alpha * r) / (r + 1);
    return negligible;
  };
  for (double r = 0; r < c; ++r) add(r);
  Digits log_p;
  if (1 - total > 1e-20) {
    log_p = total < 1e-20 ? Digits(-total) : Digits(log(1 - total));
    total = 1 - total, first = -first, second = -second;
  } else {
    total = first = second = 0;
    for (double r = c; !add(r); ++r) {
    }
    log_p = log(total);
  }
  const Digits slope = first / total;
  return {static_cast<double>(log_p), static_cast<double>(slope), static_cast<double>(slope * slope - second / total)};
}

constexpr double tail_counts[] = {1, 2, 7, 60, 500}, tail_alphas[] = {0, 1e-6, 0.05, 0.3, 2};

TEST(Tail, AgreesWithFiftyDigits) {
  for (double alpha : tail_alphas)
    for (double c : tail_counts)
      for (double away : {-12.0, -3.0, -0.4, -0.02, 0.0, 0.03, 0.3, 1.5}) {
        const double rho = std::log(c) + away;
        const auto wanted = tail_in_fifty_digits(c, rho, alpha);
        const ResponseLaw law = counts_law(alpha);
        EXPECT_NEAR(law.log_tail(c, rho), wanted[0], (alpha > 0 ? 3e-11 : 2e-12) * (1 + std::abs(wanted[0])))
            << alpha << ' ' << c << ' ' << away;
        EXPECT_NEAR(law.tail_slope(c, rho), wanted[1], 2e-10 * wanted[1] + 1e-280) << alpha << ' ' << c << ' ' << away;
        EXPECT_NEAR(law.tail_curvature(c, rho), wanted[2], 1e-9 * std::max(wanted[2], wanted[1] * wanted[1]) + 1e-280)
            << alpha << ' ' << c << ' ' << away;
      }
}

TEST(Tail, FollowsTheLinkAndTheLaw) {
  struct Pair {
    const char *law, *link;
    double alpha;
  };
  constexpr Pair pairs[] = {{"poisson", "softplus", 0},   {"poisson", "logistic", 0},  {"negative_binomial", "softplus", 0.4},
                            {"bernoulli", "logistic", 0}, {"gaussian", "identity", 0}, {"gaussian", "exp", 0},
                            {"gaussian", "softplus", 0},  {"gaussian", "logistic", 0}};
  for (const Pair& pair : pairs) {
    const ResponseLaw law = make_response_law(pair.law, pair.link, 0.8, 0.7, "model", pair.alpha);
    for (double c : {0.4, 1.0, 5.0})
      for (double rho = -5; rho < 5; rho += 0.3) {
        if (law.law == Law::bernoulli && c > 1) continue;
        double wanted = 0;
        if (law.law == Law::gaussian)
          wanted = std::log(0.5 * std::erfc((c - law.mean(rho)) / 0.7 / std::sqrt(2)));
        else if (law.law == Law::bernoulli)
          wanted = std::log(law.mean(rho));
        else
          wanted = std::log1p(-count_cdf(law, std::ceil(c) - 1, rho));
        if (wanted > -15) {
          EXPECT_NEAR(law.log_tail(c, rho), wanted, 1e-9) << pair.law << pair.link << c << ' ' << rho;
        }
        const double h = 1e-5;
        const double slope = (law.log_tail(c, rho + h) - law.log_tail(c, rho - h)) / (2 * h);
        const double curvature = -(law.tail_slope(c, rho + h) - law.tail_slope(c, rho - h)) / (2 * h);
        EXPECT_NEAR(law.tail_slope(c, rho), slope, 1e-7 * (1 + std::abs(slope))) << pair.law << pair.link << c << ' ' << rho;
        EXPECT_NEAR(law.tail_curvature(c, rho), curvature, 1e-7 * (1 + std::abs(curvature))) << pair.law << pair.link << c << rho;
      }
    if (law.law != Law::gaussian) {
      EXPECT_EQ(law.log_tail(0, 0.3), 0);
      EXPECT_EQ(law.tail_slope(-2, 0.3), 0);
    }
  }
  EXPECT_EQ(make_response_law("bernoulli", "logistic", 1, 1, "model").log_tail(2, 0), -INFINITY);
}

TEST(Tail, OfANormalIsAccurateFarOut) {
  const ResponseLaw law = make_response_law("gaussian", "identity", 1, 1, "model");
  // log Φ(z) from 50 digits of erfc, hazard φ/Φ and its product with (hazard + z)
  for (double z : {-200.0, -37.0, -12.1, -11.9, -5.0, 0.0, 3.0, 8.0}) {
    const Digits p = boost::math::erfc(-Digits(z) / sqrt(Digits(2))) / 2;
    const Digits hazard = exp(-Digits(z) * z / 2) / sqrt(2 * boost::math::constants::pi<Digits>()) / p;
    const double wanted = static_cast<double>(log(p)), curvature = static_cast<double>(hazard * (hazard + z));
    EXPECT_NEAR(law.log_tail(-z, 0) / wanted, 1, 1e-13) << z;
    EXPECT_NEAR(law.tail_slope(-z, 0) / static_cast<double>(hazard), 1, 1e-12) << z;
    EXPECT_NEAR(law.tail_curvature(-z, 0) / curvature, 1, 1e-11) << z;
  }
}

TEST(Tail, ModeSolvesItsEquation) {
  for (const char* link : {"exp", "softplus", "logistic"})
    for (double alpha : {0.0, 0.3})
      for (double c : {1.0, 5.0, 80.0, 2000.0})
        for (double m : {-3.0, 0.0, 5.0})
          for (double v : {1e-9, 0.3, 40.0}) {
            const ResponseLaw law = counts_law(alpha, link);
            const Datum r(c, true);
            const Mode mode = find_mode(law, r, m, v);
            EXPECT_TRUE(law.log_concave(r));
            EXPECT_GE(law.curvature(r, mode.rho), 0);
            const double scale = std::abs(mode.rho) + std::abs(m) + v * std::abs(law.curvature(r, mode.rho) * mode.rho);
            EXPECT_NEAR(mode.rho, m + v * law.slope(r, mode.rho), 1e-10 * scale + 1e-14)
                << link << alpha << ' ' << c << m << ' ' << v;
            EXPECT_NEAR(mode.rho, m + v * mode.step, 1e-10 * scale + 1e-14);
          }
}

TEST(Tail, EvidenceAgreesWithBruteForce) {
  for (const char* link : {"exp", "softplus", "logistic", "identity"})
    for (double alpha : {-1.0, 0.0, 0.3})  // -1: a trace
      for (double c : {1.0, 6.0, 400.0})
        for (double m : {-1.0, 2.0, 5.5})
          for (double v : {0.01, 1.0, 9.0}) {
            if (alpha >= 0 && std::string_view(link) == "identity") continue;
            const ResponseLaw law =
                alpha < 0 ? make_response_law("gaussian", link, 1, 0.05, "model") : counts_law(alpha, link, 1.5);
            const Datum r(c, true);
            const double wanted = std::log(expectation(m, v, alpha < 0 ? 1e-3 : 0.05, [&](double rho) {
              return alpha < 0 ? 0.5 * std::erfc((c - law.mean(rho)) / 0.05 / std::sqrt(2)) : std::exp(law.log_tail(c, rho));
            }));
            if (!(wanted > -20)) continue;  // the grid does not reach that far
            EXPECT_NEAR(log_evidence(law, r, m, v, find_mode(law, r, m, v)), wanted, 1e-8)
                << link << ' ' << alpha << ' ' << c << ' ' << m << ' ' << v;
          }
}

TEST(Tail, CensoredEvidenceIsTheSumOverLargerCounts) {
  const ResponseLaw law = counts_law(0.3);
  for (double c : {1.0, 4.0, 30.0}) {
    double below = 0;
    for (int r = 0; r < c; ++r) below += std::exp(log_evidence(law, r, 1.2, 0.8, find_mode(law, r, 1.2, 0.8)));
    EXPECT_NEAR(std::exp(log_evidence(law, {c, true}, 1.2, 0.8, find_mode(law, {c, true}, 1.2, 0.8))), 1 - below, 1e-9);
  }
}

TEST(Prediction, AgreesWithBruteForce) {
  double worst = 0;
  for (const char* link : {"exp", "softplus", "logistic"})
    for (double alpha : {0.0, 0.05, 0.5, 4.0})
      for (double k : {0.0, 1.0, 7.0, 60.0, 300.0})
        for (double m : {-2.0, 1.0, 4.5})
          for (double v : {0.0, 1e-3, 0.2, 1.0, 9.0}) {
            const ResponseLaw law = counts_law(alpha, link, 1.2);
            const Prediction got = predict_response(law, k, m, v), censored = predict_response(law, {k, true}, m, v);
            const double width = 0.5 / std::sqrt(k + 1);
            const auto brute = [&](auto f) { return v > 0 ? expectation(m, v, width, f) : f(m); };
            const double below = brute([&](double rho) { return count_cdf(law, k - 1, rho); });
            const double up_to = brute([&](double rho) { return count_cdf(law, k, rho); });
            EXPECT_NEAR(got.below, below, 1e-8) << link << ' ' << alpha << ' ' << k << ' ' << m << ' ' << v;
            EXPECT_NEAR(got.up_to, up_to, 1e-8) << link << ' ' << alpha << ' ' << k << ' ' << m << ' ' << v;
            EXPECT_NEAR(censored.below, below, 1e-8);
            EXPECT_EQ(censored.up_to, 1);
            if (v <= 1) {
              const double mean = brute([&](double rho) { return law.mean(rho); });
              EXPECT_NEAR(got.mean / mean, 1, 1e-10) << link << ' ' << m << ' ' << v;
            }
            worst = std::max({worst, std::abs(got.below - below), std::abs(got.up_to - up_to)});
          }
  std::printf("worst error of a distribution function: %.1e\n", worst);
}

TEST(Prediction, OfTracesAndChoicesAgreesWithBruteForce) {
  for (const char* link : {"identity", "exp", "softplus", "logistic"})
    for (double noise : {0.02, 0.3, 2.0})
      for (double r : {-0.5, 0.01, 0.3, 0.5, 0.99, 3.0, 40.0})
        for (double m : {-2.0, 0.7})
          for (double v : {0.2, 1.0, 9.0}) {
            const ResponseLaw law = make_response_law("gaussian", link, 1, noise, "model");
            const Prediction got = predict_response(law, r, m, v);
            const double wanted = expectation(m, v, noise / std::max(r, 1.0), [&](double rho) {
              return 0.5 * std::erfc((law.mean(rho) - r) / noise / std::sqrt(2));
            });
            EXPECT_NEAR(got.up_to, wanted, 1e-8) << link << ' ' << noise << ' ' << r << ' ' << m << ' ' << v;
            EXPECT_EQ(got.below, got.up_to);
          }
  const ResponseLaw choice = make_response_law("bernoulli", "logistic", 1, 1, "model");
  const double p = expectation(0.4, 2, 1, [&](double rho) { return choice.mean(rho); });
  const Prediction zero = predict_response(choice, 0, 0.4, 2), one = predict_response(choice, 1, 0.4, 2);
  EXPECT_NEAR(zero.mean, p, 1e-10);
  EXPECT_EQ(zero.below, 0);
  EXPECT_NEAR(zero.up_to, 1 - p, 1e-10);
  EXPECT_NEAR(one.below, 1 - p, 1e-10);
  EXPECT_EQ(one.up_to, 1);
}

TEST(Prediction, RandomisedTransformIsUniform) {
  // below + u (up_to - below) of responses drawn from the prediction itself. Kolmogorov-Smirnov at 5000 draws, false alarm 1e-6:
  // D < 2.69 / sqrt(5000)
  for (double alpha : {0.0, 0.3}) {
    const ResponseLaw law = counts_law(alpha);
    std::vector<double> u;
    for (std::uint64_t t = 0; t < 5000; ++t) {
      Stream stream(4, Purpose::test, t);
      const double m = stream.normal(), v = stream.uniform();
      const Prediction p = predict_response(law, law.sample(m + std::sqrt(v) * stream.normal(), stream), m, v);
      u.push_back(p.below + stream.uniform() * (p.up_to - p.below));
    }
    std::sort(u.begin(), u.end());
    double distance = 0;
    for (std::size_t i = 0; i < u.size(); ++i)
      distance = std::max(distance, std::abs(u[i] - (static_cast<double>(i) + 0.5) / 5000));
    EXPECT_LT(distance, 2.69 / std::sqrt(5000));
  }
}

TEST(Prediction, TakesSomeMicroseconds) {
  // printed, not bounded: a shared machine's clock proves nothing
  for (double alpha : {0.0, 0.3})
    for (double k : {3.0, 60.0, 1000.0})
      for (double v : {1e-3, 0.2, 4.0}) {
        const ResponseLaw law = counts_law(alpha);
        const auto start = std::chrono::steady_clock::now();
        double total = 0;
        for (int i = 0; i < 1000; ++i) total += predict_response(law, k, std::log(k) + 1e-6 * i, v).up_to;
        const auto spent = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count() / 1000;
        std::printf("alpha %.1f count %4.0f v %.3f: %.2f microseconds\n", alpha, k, v, spent);
        EXPECT_GT(total, 0);
      }
}

}  // namespace
}  // namespace hartline::models
