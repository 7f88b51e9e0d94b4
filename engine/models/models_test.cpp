#include <gtest/gtest.h>

#include <Eigen/Cholesky>
#include <Eigen/LU>
#include <cmath>

#include "base/error.hpp"
#include "models/glm.hpp"
#include "models/test_refit.hpp"

namespace hartline::models {
namespace {

struct Pair {
  const char *law, *link;
};
constexpr Pair pairs[] = {{"poisson", "exp"},       {"poisson", "softplus"}, {"poisson", "logistic"},  {"bernoulli", "logistic"},
                          {"gaussian", "identity"}, {"gaussian", "exp"},     {"gaussian", "softplus"}, {"gaussian", "logistic"}};

ResponseLaw law_of(const Pair& pair) { return make_response_law(pair.law, pair.link, 0.8, 0.7, "model"); }

Response counts(double r) { return {ResponseKind::counts, 1, 1, {r}, {}, ""}; }

TEST(ResponseLaw, DerivativesAgreeWithFiniteDifferences) {
  for (const Pair& pair : pairs) {
    const ResponseLaw law = law_of(pair);
    for (double r : {0.0, 1.0, 4.0})
      for (double rho = -4; rho < 4; rho += 0.37) {
        if (law.law == Law::bernoulli && r > 1) continue;
        const double h = 1e-5;
        const double slope = (law.log_likelihood(r, rho + h) - law.log_likelihood(r, rho - h)) / (2 * h);
        const double curvature = -(law.slope(r, rho + h) - law.slope(r, rho - h)) / (2 * h);
        EXPECT_NEAR(law.slope(r, rho), slope, 1e-5 * (1 + std::abs(slope))) << pair.law << pair.link << rho;
        EXPECT_NEAR(law.curvature(r, rho), curvature, 1e-5 * (1 + std::abs(curvature))) << pair.law << pair.link << rho;
      }
  }
}

TEST(ResponseLaw, FisherInformationIsTheMeanCurvature) {
  for (const Pair& pair : pairs) {
    const ResponseLaw law = law_of(pair);
    for (double rho : {-2.0, 0.3, 2.0}) {
      double mean = 0;
      if (law.law == Law::gaussian) {
        mean = law.curvature(law.mean(rho), rho);  // the curvature is linear in r
      } else {
        for (int r = 0; r < (law.law == Law::bernoulli ? 2 : 200); ++r)
          mean += std::exp(law.log_likelihood(r, rho)) * law.curvature(r, rho);
      }
      EXPECT_NEAR(law.fisher(rho), mean, 1e-10 * (1 + mean)) << pair.law << pair.link;
    }
  }
}

TEST(ResponseLaw, ModeSolvesItsEquation) {
  for (const Pair& pair : pairs) {
    const ResponseLaw law = law_of(pair);
    for (double r : {0.0, 1.0, 30.0, 1e6})
      for (double m : {-3.0, 0.0, 5.0})
        for (double v : {1e-9, 0.3, 40.0}) {
          if (law.law == Law::bernoulli && r > 1) continue;
          if (law.law == Law::gaussian && r > 100) continue;
          const Mode mode = find_mode(law, r, m, v);
          const double slope = law.slope(r, mode.rho);
          const double scale = std::abs(mode.rho) + std::abs(m) + v * std::abs(law.curvature(r, mode.rho)) * std::abs(mode.rho);
          EXPECT_NEAR(mode.rho, m + v * slope, 1e-12 * scale + 1e-14) << pair.law << pair.link << r << ' ' << m << ' ' << v;
        }
  }
}

TEST(ResponseLaw, EvidenceSumsToOne) {
  for (const Pair& pair : pairs) {
    const ResponseLaw law = law_of(pair);
    for (double m : {-1.0, 1.0})
      for (double v : {0.01, 2.0}) {
        double total = 0;
        if (law.law == Law::gaussian) {
          if (law.link == Link::exp && v > 1) continue;  // the tail is too heavy to sum
          for (double r = -20; r < 200; r += 0.05) total += 0.05 * std::exp(log_evidence(law, r, m, v, find_mode(law, r, m, v)));
        } else {
          const int top = law.law == Law::bernoulli ? 2 : 8000;
          for (int r = 0; r < top; ++r) total += std::exp(log_evidence(law, r, m, v, find_mode(law, r, m, v)));
        }
        EXPECT_NEAR(total, 1, law.law == Law::poisson && law.link == Link::exp ? 1e-7 : 1e-8)
            << pair.law << pair.link << m << ' ' << v;
      }
  }
}

TEST(ResponseLaw, ImpossiblePairsAreRefusedWithTheReason) {
  EXPECT_THROW(make_response_law("poisson", "identity", 1, 1, "model"), SpecError);
  try {
    make_response_law("bernoulli", "exp", 1, 1, "model");
    FAIL();
  } catch (const SpecError& error) {
    EXPECT_STREQ(
        error.what(),
        "model.link: must be logistic for bernoulli responses (got \"exp\"). This link would give probabilities outside 0 to 1.");
  }
}

GaussianBelief golden_start() {
  GaussianBelief belief(2);
  belief.mean = {1, 0.5};
  belief.covariance = {1, 0, 0, 0.25};
  belief.half_logdet = 0.5 * std::log(0.25);
  return belief;
}

TEST(Glm, UpdateReproducesGoldenValues) {
  const Glm glm({}, {}, 2);
  const double x[] = {0.8, 0.6};
  struct Case {
    double r, mean0, mean1, c00, c01, c11;
  };
  for (const Case& c : {Case{3, 0.99895588, 0.49980423, 0.39803706, -0.11286805, 0.22883724},
                        Case{0, 0.01854610, 0.31597739, 0.58579195, -0.07766401, 0.23543800}}) {
    GaussianBelief belief = golden_start();
    glm.update(belief, x, counts(c.r), 0);
    EXPECT_NEAR(belief.mean[0], c.mean0, 1e-8);
    EXPECT_NEAR(belief.mean[1], c.mean1, 1e-8);
    EXPECT_NEAR(belief.covariance[0], c.c00, 1e-8);
    EXPECT_NEAR(belief.covariance[1], c.c01, 1e-8);
    EXPECT_NEAR(belief.covariance[3], c.c11, 1e-8);
    EXPECT_NEAR(belief.half_logdet, 0.5 * std::log(c.c00 * c.c11 - c.c01 * c.c01), 1e-7);
  }
}

TEST(Glm, GaussianResponsesGiveTheExactPosterior) {
  GlmSpec spec;
  spec.response = "gaussian";
  spec.link = "identity";
  spec.noise_sd = 0.5;
  spec.bias = true;
  const Glm glm(spec, {.prior_sd = 2, .bias_mean = 1, .bias_sd = 3}, 3);
  auto belief = glm.prior();
  Eigen::Matrix4d precision = Eigen::Vector4d(1 / 4., 1 / 4., 1 / 4., 1 / 9.).asDiagonal();
  Eigen::Vector4d shift(0, 0, 0, 1 / 9.);
  double log_evidence_sum = 0;
  for (std::uint64_t t = 0; t < 50; ++t) {
    Stream stream(3, Purpose::test, t);
    Eigen::Vector4d s(stream.normal(), stream.normal(), stream.normal(), 1);
    const double r = stream.normal();
    const Eigen::Vector4d mean = precision.inverse() * shift;
    const double variance = s.dot(precision.inverse() * s) + 0.25, gap = r - s.dot(mean);
    log_evidence_sum -= 0.5 * (std::log(2 * M_PI * variance) + gap * gap / variance);
    const Update update = glm.update(*belief, {s.data(), 3}, {ResponseKind::trace, 1, 1, {r}, {}, ""}, 0);
    log_evidence_sum -= update.log_evidence;
    precision += s * s.transpose() / 0.25;
    shift += s * r / 0.25;
  }
  EXPECT_NEAR(log_evidence_sum, 0, 1e-8);
  const auto& end = dynamic_cast<const GaussianBelief&>(*belief);
  const Eigen::Vector4d mean = precision.inverse() * shift;
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(end.mean[static_cast<std::size_t>(i)], mean[i], 1e-10);
  EXPECT_NEAR(end.half_logdet, -0.5 * std::log(precision.determinant()), 1e-10);
}

TEST(Glm, CovarianceStaysPositiveDefiniteAfterManyUpdates) {
  constexpr std::size_t dim = 24;
  const Glm glm({}, {.prior_sd = 0.6}, dim);
  auto any = glm.prior();
  auto& belief = dynamic_cast<GaussianBelief&>(*any);
  std::vector<double> truth(dim), x(dim);
  Stream(5, Purpose::test).fill_sphere(truth, 2);
  for (std::uint64_t t = 0; t < 100000; ++t) {
    Stream stream(5, Purpose::test, t, 1);
    stream.fill_sphere(x, 1);
    glm.update(belief, x, counts(glm.sample(truth, x, stream)), 0);
  }
  const Eigen::Map<const Eigen::MatrixXd> covariance(belief.covariance.data(), dim, dim);
  EXPECT_EQ(covariance, covariance.transpose());
  const Eigen::LLT<Eigen::MatrixXd> cholesky(covariance);
  ASSERT_EQ(cholesky.info(), Eigen::Success);
  EXPECT_NEAR(belief.half_logdet, cholesky.matrixLLT().diagonal().array().log().sum(), 1e-6);
}

TEST(Glm, DriftInflatesTheCovariancePerSecond) {
  const Glm glm({}, {.prior_sd = 1, .drift_per_s = 0.01}, 2);
  auto any = glm.prior();
  const double x[] = {1, 0};
  Response missing = counts(0);
  missing.marks = {Mark::missing};
  EXPECT_FALSE(glm.update(*any, x, missing, 2).used);
  const auto& belief = dynamic_cast<const GaussianBelief&>(*any);
  EXPECT_DOUBLE_EQ(belief.covariance[0], 1.02);
  EXPECT_NEAR(half_logdet(std::get<GaussianView>(glm.capability(belief))), std::log(1.02), 1e-14);
  EXPECT_THROW(Glm({}, {.drift_per_s = 0.01, .refine_every = 10}, 2), SpecError);
}

TEST(Glm, RefineIsTheSameFromAnyStart) {
  const Glm glm({.bias = true}, {.prior_sd = 0.8}, 5);
  History history;
  std::vector<double> truth = {0.5, -1, 0.3, 0.8, 0, 0.4}, x(5);
  auto one = glm.prior();
  for (std::uint64_t t = 0; t < 300; ++t) {
    Stream stream(9, Purpose::test, t);
    stream.fill_normal(x);
    const double r = glm.sample(truth, x, stream);
    glm.update(*one, x, counts(r), 0);
    history.stimuli.insert(history.stimuli.end(), x.begin(), x.end());
    history.values.push_back(r);
    ++history.num_trials;
  }
  auto& stepwise = dynamic_cast<GaussianBelief&>(*one);
  GaussianBelief fresh = dynamic_cast<GaussianBelief&>(*glm.prior());
  const double half_logdet_before = stepwise.half_logdet;
  glm.refine(stepwise, history);
  glm.refine(fresh, history);
  EXPECT_NEAR(stepwise.half_logdet, half_logdet_before, 0.2);
  Eigen::MatrixXd s = Eigen::MatrixXd::Ones(300, 6);
  for (Eigen::Index t = 0; t < 300; ++t)
    for (Eigen::Index i = 0; i < 5; ++i) s(t, i) = history.stimuli[static_cast<std::size_t>(t * 5 + i)];
  Eigen::VectorXd variance = Eigen::VectorXd::Constant(6, 0.64);
  variance[5] = 1;
  const Eigen::Map<const Eigen::VectorXd> values(history.values.data(), 300);
  for (std::size_t i = 0; i < 6; ++i) EXPECT_NEAR(stepwise.mean[i], fresh.mean[i], 1e-8);
  EXPECT_LT(gradient_at_mode(fresh, s, values, variance).cwiseAbs().maxCoeff(), 1e-6);
}

/// Two weights and few counts, whose posterior leans: moments by brute force over a fine grid.
TEST(Glm, RefineTellsTheMeanAndNotTheMode) {
  const Glm glm({}, {.prior_sd = 1}, 2);
  History history;
  const double stimuli[][2] = {{1, 0.2}, {0.3, 1}, {1, 1}, {-0.5, 0.8}, {0.9, -0.4}}, answers[] = {2, 1, 4, 0, 1};
  for (int t = 0; t < 5; ++t) {
    history.stimuli.insert(history.stimuli.end(), stimuli[t], stimuli[t] + 2);
    history.values.push_back(answers[t]);
    ++history.num_trials;
  }
  double mass = 0, mean[2] = {}, top = -1e300, mode[2] = {};
  for (double a = -5; a < 5; a += 0.01)
    for (double b = -5; b < 5; b += 0.01) {
      double log_p = -0.5 * (a * a + b * b);
      for (int t = 0; t < 5; ++t) {
        const double rho = a * stimuli[t][0] + b * stimuli[t][1];
        log_p += answers[t] * rho - std::exp(rho);
      }
      mass += std::exp(log_p);
      mean[0] += a * std::exp(log_p);
      mean[1] += b * std::exp(log_p);
      if (log_p > top) top = log_p, mode[0] = a, mode[1] = b;
    }
  const auto belief = glm.prior();
  glm.refine(*belief, history);
  const auto& found = dynamic_cast<const GaussianBelief&>(*belief).mean;
  double off = 0, mode_off = 0;
  for (std::size_t i = 0; i < 2; ++i) {
    off += std::pow(found[i] - mean[i] / mass, 2);
    mode_off += std::pow(mode[i] - mean[i] / mass, 2);
  }
  EXPECT_GT(std::sqrt(mode_off), 0.05);
  EXPECT_LT(std::sqrt(off), 0.2 * std::sqrt(mode_off));
}

TEST(Glm, BadInputIsRefusedAndLeavesTheBelief) {
  const Glm glm({}, {}, 2);
  auto belief = glm.prior();
  const double good[] = {1, 0}, bad[] = {1, NAN};
  EXPECT_THROW(glm.update(*belief, bad, counts(1), 0), RunError);
  EXPECT_THROW(glm.update(*belief, good, counts(INFINITY), 0), RunError);
  EXPECT_THROW(glm.update(*belief, good, counts(-1), 0), RunError);
  EXPECT_THROW(glm.update(*belief, {good, 1}, counts(1), 0), RunError);
  EXPECT_EQ(dynamic_cast<const GaussianBelief&>(*belief).covariance, (std::vector<double>{1, 0, 0, 1}));
}

TEST(Glm, SurvivesSilenceAndHugeCounts) {
  const Glm glm({}, {}, 3);
  auto any = glm.prior();
  const double x[] = {1, 0.5, -0.5};
  for (int t = 0; t < 200; ++t) glm.update(*any, x, counts(0), 0);
  glm.update(*any, x, counts(1e6), 0);
  const auto& belief = dynamic_cast<const GaussianBelief&>(*any);
  for (double m : belief.mean) EXPECT_TRUE(std::isfinite(m));
  const Eigen::Map<const Eigen::Matrix3d> covariance(belief.covariance.data());
  EXPECT_EQ(Eigen::LLT<Eigen::Matrix3d>(covariance).info(), Eigen::Success);
}

TEST(Glm, ForkEqualsNoFork) {
  const Glm glm({}, {}, 2);
  auto belief = glm.prior();
  const double x[] = {0.3, -1}, y[] = {1, 1};
  glm.update(*belief, x, counts(2), 0);
  auto fork = belief->fork();
  glm.update(*fork, y, counts(7), 0);
  auto straight = glm.prior();
  glm.update(*straight, x, counts(2), 0);
  EXPECT_EQ(dynamic_cast<GaussianBelief&>(*belief).covariance, dynamic_cast<GaussianBelief&>(*straight).covariance);
  glm.update(*straight, y, counts(7), 0);
  EXPECT_EQ(dynamic_cast<GaussianBelief&>(*fork).covariance, dynamic_cast<GaussianBelief&>(*straight).covariance);
}

}  // namespace
}  // namespace hartline::models
