#include "models/text_laplace.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "models/test_texts.hpp"
#include "models/text_grid.hpp"

namespace hartline::models {
namespace {

const TextLaplaceBelief& laplace(const Belief& belief) { return dynamic_cast<const TextLaplaceBelief&>(belief); }

TEST(TextLaplace, IsExactWhereThePosteriorIsNormal) {
  const auto executor = make_serial_executor();
  const TextLaplace model(test_text({{"x", "box(-1, 1)"}}, "r ~ normal(w * x, 0.3)", {{"w", "normal(2, 3)"}}), 1000, 1, *executor);
  const auto belief = model.prior();
  double precision = 1. / 9, weighted = 2. / 9, evidence = 0;
  Stream stream(1, Purpose::test);
  for (int t = 0; t < 30; ++t) {
    const double x = 2 * stream.uniform() - 1, r = 4 * x + 0.3 * stream.normal();
    const double m = weighted / precision * x, v = x * x / precision + 0.09;
    evidence += -0.5 * (r - m) * (r - m) / v - 0.5 * std::log(2 * M_PI * v);
    precision += x * x / 0.09;
    weighted += x * r / 0.09;
    model.update(*belief, {&x, 1}, test_response(model, r), 0);
    double mean = 0, sd = 0;
    model.summarise(*belief, {&mean, 1}, {&sd, 1});
    EXPECT_NEAR(mean, weighted / precision, 1e-9);  // samples come in pairs
    EXPECT_NEAR(sd, 1 / std::sqrt(precision), 0.06 / std::sqrt(precision));
    EXPECT_NEAR(3 * std::sqrt(laplace(*belief).covariance[0]), 1 / std::sqrt(precision), 1e-9);
    EXPECT_NEAR(laplace(*belief).log_evidence, evidence, 1e-8);
    EXPECT_TRUE(laplace(*belief).trusted);
    EXPECT_GT(laplace(*belief).effective, 0.9);
  }
}

/// Every prior that has a density, and a choice: near a fine grid once there are trials enough.
TEST(TextLaplace, AgreesWithAGridAfterManyTrials) {
  const auto executor = make_executor(2);
  const auto text = test_text({{"x", "box(-4, 4)"}}, "r ~ bernoulli(g + (1 - 2 * g) * logistic((x - t) / s))",
                              {{"t", "uniform(-3, 3)"}, {"s", "gamma(2, 0.4)"}, {"g", "beta(2, 30)"}});
  const TextLaplace model(text, 1000, 1, *executor);
  const TextGrid grid(text, {30, 30, 16}, true, *executor);
  const auto belief = model.prior(), on_grid = grid.prior();
  const double truth[] = {0.8, 0.5, 0.04};
  for (std::uint64_t t = 0; t < 200; ++t) {
    Stream stream(2, Purpose::test, t);
    const double x = -4 + 8 * stream.uniform(), r = static_cast<const Model&>(model).sample(truth, {&x, 1}, stream);
    model.update(*belief, {&x, 1}, test_response(model, r), 0);
    grid.update(*on_grid, {&x, 1}, test_response(grid, r), 0);
  }
  double mean[3], sd[3], mean2[3], sd2[3];
  model.summarise(*belief, mean, sd);
  grid.summarise(*on_grid, mean2, sd2);
  EXPECT_TRUE(laplace(*belief).trusted) << laplace(*belief).effective;
  for (int k = 0; k < 3; ++k) {
    EXPECT_NEAR(mean[k], mean2[k], 0.25 * sd2[k]) << k;
    EXPECT_NEAR(sd[k], sd2[k], 0.2 * sd2[k]) << k;
  }
  EXPECT_NEAR(laplace(*belief).log_evidence, static_cast<const SampleBelief&>(*on_grid).log_evidence, 0.3);
}

/// w² is all that can be known: two modes of the same height, which are found and told of. A line has one.
TEST(TextLaplace, SaysWhenItIsNotToBeTrusted) {
  const auto executor = make_serial_executor();
  for (const char* response : {"r ~ normal(w^2 * x, 0.3)", "r ~ normal(w * x, 0.3)"}) {
    const bool two = response[12] == '^';
    const TextLaplace model(test_text({{"x", "box(-1, 1)"}}, response, {{"w", "normal(0, 1)"}}), 1000, 1, *executor);
    const auto belief = model.prior();
    bool told = false;
    for (int t = 0; t < 5; ++t) {
      const double x = 1;
      model.update(*belief, {&x, 1}, test_response(model, 1.2), 0);
      for (const Notice& notice : laplace(*belief).notices) told = told || notice.warning;
    }
    EXPECT_EQ(told, two);
    EXPECT_EQ(laplace(*belief).trusted, !two);
    if (two) {
      EXPECT_NEAR(laplace(*belief).second_mode, 0.5, 1e-6);
    }
  }
  // one mode that is far from normal: one of ten choices, all of which went one way
  const TextLaplace model(test_text({{"x", "box(0, 1)"}}, "r ~ bernoulli(logistic(8 * w * x))", {{"w", "normal(0, 3)"}}), 1000, 1,
                          *executor);
  const auto belief = model.prior();
  for (int t = 0; t < 10; ++t) {
    const double x = 1;
    model.update(*belief, {&x, 1}, test_response(model, 1), 0);
  }
  EXPECT_FALSE(laplace(*belief).trusted) << laplace(*belief).effective;
}

TEST(TextLaplace, RefusesWhatItCannotDo) {
  const auto executor = make_serial_executor();
  EXPECT_THROW(TextLaplace(test_text({{"x", "box(0, 1)"}}, "r ~ bernoulli(0.1 + 0.2 * k * x)", {{"k", "values(0, 1, 2)"}}), 100, 1,
                           *executor),
               SpecError);
  const TextLaplace model(test_text({{"x", "box(0, 1)"}}, "r ~ von_mises(w * x, 2)", {{"w", "uniform(1, 2)"}}), 100, 1, *executor);
  const auto belief = model.prior();
  const std::uint64_t before = belief->digest();
  const double x = 1;
  EXPECT_THROW(model.update(*belief, {&x, 1}, test_response(model, 1, Mark::censored), 0), RunError);
  EXPECT_EQ(belief->digest(), before);
}

/// Beside a fine grid: marks and limits of counts and of a waiting time.
TEST(TextLaplace, TakesWhatIsCensored) {
  const auto executor = make_serial_executor();
  for (const char* response : {"r ~ poisson(exp(a + b * x))", "r ~ censored(poisson(exp(a + b * x)), 0, 5)",
                               "r ~ censored(gamma(exp(a), exp(b * x)), 0.2, 1.5)"}) {
    const auto text = test_text({{"x", "box(-1, 1)"}}, response, {{"a", "normal(1, 0.7)"}, {"b", "normal(0, 0.7)"}});
    const TextLaplace model(text, 4000, 1, *executor);
    const TextGrid grid(text, {60, 60}, true, *executor);
    const auto belief = model.prior(), on_grid = grid.prior();
    const double truth[] = {1.2, 0.6};
    int num_censored = 0;
    for (std::uint64_t t = 0; t < 60; ++t) {
      Stream stream(2, Purpose::test, t);
      const double x = -1 + 2 * stream.uniform();
      double r = static_cast<const Model&>(model).sample(truth, {&x, 1}, stream);
      const bool lost = model.response_kind == ResponseKind::counts && r > 4;
      num_censored += lost || r == 1.5;
      if (lost) r = 5;
      const Mark mark = lost ? Mark::censored : Mark::observed;
      model.update(*belief, {&x, 1}, test_response(model, r, mark), 0);
      grid.update(*on_grid, {&x, 1}, test_response(grid, r, mark), 0);
    }
    EXPECT_GT(num_censored, 8) << response;
    double mean[2], sd[2], mean2[2], sd2[2];
    model.summarise(*belief, mean, sd);
    grid.summarise(*on_grid, mean2, sd2);
    EXPECT_TRUE(laplace(*belief).trusted) << response;
    for (int k = 0; k < 2; ++k) {
      EXPECT_NEAR(mean[k], mean2[k], 0.06 * sd2[k]) << response << k;
      EXPECT_NEAR(sd[k], sd2[k], 0.06 * sd2[k]) << response << k;
    }
    EXPECT_NEAR(laplace(*belief).log_evidence, static_cast<const SampleBelief&>(*on_grid).log_evidence, 0.1) << response;
  }
}

}  // namespace
}  // namespace hartline::models
