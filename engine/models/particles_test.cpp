#include "models/particles.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "models/grid.hpp"
#include "models/test_texts.hpp"

namespace hartline::models {
namespace {

const ParticleBelief& particles(const Belief& belief) { return dynamic_cast<const ParticleBelief&>(belief); }

/// r ~ N(w x, sd²), w ~ N(0, 1), x = 1.
struct Line {
  double precision = 1, weighted = 0, log_evidence = 0;
  void take(double r, double sd) {
    const double v = 1 / precision + sd * sd, m = weighted / precision;
    log_evidence += -0.5 * (r - m) * (r - m) / v - 0.5 * std::log(2 * M_PI * v);
    precision += 1 / (sd * sd);
    weighted += r / (sd * sd);
  }
  double mean() const { return weighted / precision; }
  double sd() const { return 1 / std::sqrt(precision); }
};

TEST(Particles, AgreeWithAnExactPosterior) {
  const auto executor = make_serial_executor();
  const ParticleModel model(test_text({{"x", "box(-1, 1)"}}, "r ~ normal(w * x, 0.3)", {{"w", "normal(0, 1)"}}), {}, 3, *executor);
  const auto belief = model.prior();
  Line exact;
  Stream stream(1, Purpose::test);
  const double x = 1;
  for (int t = 0; t < 40; ++t) {
    const double r = 0.7 + 0.3 * stream.normal();
    exact.take(r, 0.3);
    model.update(*belief, {&x, 1}, test_response(model, r), 0);
    double mean = 0, sd = 0;
    model.summarise(*belief, {&mean, 1}, {&sd, 1});
    // 5,000 particles, at least half of them effective, and moves that leave them a little alike
    EXPECT_NEAR(mean, exact.mean(), 0.08 * exact.sd()) << t;
    EXPECT_NEAR(sd, exact.sd(), 0.08 * exact.sd()) << t;
    EXPECT_NEAR(particles(*belief).log_evidence, exact.log_evidence, 0.15) << t;
  }
  EXPECT_FALSE(particles(*belief).health.thin);
  EXPECT_NEAR(particles(*belief).information,
              std::log(1 / exact.sd()) + 0.5 * (exact.mean() * exact.mean() + exact.sd() * exact.sd() - 1), 0.1);
}

TEST(Particles, EvidenceAgreesWithAGrid) {
  const auto executor = make_serial_executor();
  const auto psychometric = test_text({{"x", "range(-4, 4, 0.5)"}}, "r ~ bernoulli(0.02 + 0.96 * logistic((x - t) / s))",
                                      {{"t", "normal(0, 1)"}, {"s", "lognormal(-1, 0.5)"}});
  const ParticleModel model(psychometric, {}, 3, *executor);
  const GridModel grid(make_family(psychometric, {150, 150}), every_stimulus(psychometric->stimulus), *executor);
  const auto belief = model.prior(), on_grid = grid.prior();
  double evidence = 0, evidence_of_grid = 0;
  const double truth[] = {0.6, 0.3};
  for (std::uint64_t t = 0; t < 60; ++t) {
    Stream stream(2, Purpose::test, t);
    const double x = -4 + 0.5 * static_cast<double>(stream.integer(17)),
                 r = static_cast<const Model&>(model).sample(truth, {&x, 1}, stream);
    evidence += model.update(*belief, {&x, 1}, test_response(model, r), 0).log_evidence;
    evidence_of_grid += grid.update(*on_grid, {&x, 1}, test_response(grid, r), 0).log_evidence;
  }
  EXPECT_NEAR(evidence, evidence_of_grid, 0.1);
  double mean[2], sd[2], mean_of_grid[2], sd_of_grid[2];
  model.summarise(*belief, mean, sd);
  grid.summarise(*on_grid, mean_of_grid, sd_of_grid);
  for (int k = 0; k < 2; ++k) {
    EXPECT_NEAR(mean[k], mean_of_grid[k], 0.08 * sd_of_grid[k]);
    EXPECT_NEAR(sd[k], sd_of_grid[k], 0.08 * sd_of_grid[k]);
  }
}

/// What a response says of discrete parameters is Bayes' rule.
TEST(Particles, TakeDiscreteParameters) {
  const auto executor = make_serial_executor();
  const ParticleModel model(test_text({{"x", "box(0, 1)"}}, "r ~ bernoulli(0.1 + 0.2 * k * x)", {{"k", "values(0, 1, 2, 4)"}}), {},
                            5, *executor);
  const auto belief = model.prior();
  double p[4] = {1, 1, 1, 1}, total = 0, expected = 0, mean = 0, sd = 0;
  const double values[] = {0, 1, 2, 4}, x = 1;
  for (const double r : {1., 0., 1., 1., 0., 1.}) {
    model.update(*belief, {&x, 1}, test_response(model, r), 0);
    for (int k = 0; k < 4; ++k) p[k] *= r == 1 ? 0.1 + 0.2 * values[k] : 0.9 - 0.2 * values[k];
  }
  for (int k = 0; k < 4; ++k) {
    total += p[k];
    expected += values[k] * p[k];
  }
  model.summarise(*belief, {&mean, 1}, {&sd, 1});
  EXPECT_NEAR(mean, expected / total, 0.06);
}

/// 2,000 trials with a tight budget: no trial costs more, and the posterior stays the exact one.
TEST(Particles, CostDoesNotGrowWithTheTrials) {
  const auto executor = make_executor(2);
  ParticleSettings settings;
  settings.num = 2000;
  settings.max_evaluations = 400000;
  const ParticleModel model(test_text({{"x", "box(-1, 1)"}}, "r ~ normal(w * x, 0.5)", {{"w", "normal(0, 1)"}}), settings, 3,
                            *executor);
  const auto belief = model.prior();
  Line exact;
  Stream stream(1, Purpose::test);
  const double x = 1;
  double mean = 0, sd = 0, worst = 0;
  for (int t = 0; t < 2000; ++t) {
    const double r = -0.4 + 0.5 * stream.normal();
    exact.take(r, 0.5);
    model.update(*belief, {&x, 1}, test_response(model, r), 0);
    EXPECT_LE(particles(*belief).health.num_evaluations, settings.max_evaluations);
    model.summarise(*belief, {&mean, 1}, {&sd, 1});
    worst = std::max(worst, std::abs(mean - exact.mean()) / exact.sd());
  }
  EXPECT_LT(worst, 0.25);
  EXPECT_NEAR(sd, exact.sd(), 0.12 * exact.sd());
}

/// Noise of 1e-5 of the prior: particles that may move follow the truth; particles that may not lose it, and say so.
TEST(Particles, LosingTheTruthIsTold) {
  const auto executor = make_serial_executor();
  for (const bool may_move : {true, false}) {
    ParticleSettings settings;
    settings.num = 500;
    if (!may_move) settings.max_evaluations = 100;
    const ParticleModel model(
        test_text({{"x", "box(-2, 2)"}}, "r ~ normal(a * x + b * x^2, 1e-5)", {{"a", "normal(0, 1)"}, {"b", "normal(0, 1)"}}),
        settings, 7, *executor);
    const auto belief = model.prior();
    const double truth[] = {0.3, -1.2};
    bool told = false;
    for (std::uint64_t t = 0; t < 6; ++t) {
      Stream stream(4, Purpose::test, t);
      const double x = -2 + 4 * stream.uniform(), r = static_cast<const Model&>(model).sample(truth, {&x, 1}, stream);
      model.update(*belief, {&x, 1}, test_response(model, r), 0);
      told = told || particles(*belief).health.thin;
    }
    double mean[2], sd[2];
    model.summarise(*belief, mean, sd);
    const bool lost = std::abs(mean[0] - truth[0]) > 6 * sd[0] || std::abs(mean[1] - truth[1]) > 6 * sd[1];
    EXPECT_EQ(lost, !may_move);
    EXPECT_EQ(told, !may_move);
  }
}

TEST(Particles, AreTheSameAtAnyNumberOfThreadsAndAfterAFork) {
  std::uint64_t digests[4];
  for (int k = 0; k < 4; ++k) {
    const auto executor = make_executor(k == 3 ? 1 : 1 << k);
    const ParticleModel model(test_text({{"x", "box(-1, 1)[2]"}}, "r ~ poisson(exp(1 + dot(w, x)))", {{"w", "normal(0, 1)[2]"}}),
                              {}, 3, *executor);
    auto belief = model.prior();
    for (std::uint64_t t = 0; t < 20; ++t) {
      Stream stream(2, Purpose::test, t);
      const double x[] = {2 * stream.uniform() - 1, 2 * stream.uniform() - 1};
      if (k == 3) belief = belief->fork();
      model.update(*belief, x, test_response(model, stream.poisson(3)), 0);
    }
    digests[k] = belief->digest();
  }
  for (int k = 1; k < 4; ++k) EXPECT_EQ(digests[k], digests[0]);
}

TEST(Particles, AreUnchangedByWhatTheyRefuse) {
  const auto executor = make_serial_executor();
  const ParticleModel model(test_text({{"x", "box(-1, 1)"}}, "r ~ poisson(max(w, 0) * x)", {{"w", "uniform(1, 2)"}}), {}, 3,
                            *executor);
  const auto belief = model.prior();
  const std::uint64_t before = belief->digest();
  const double x = 0.5, none = 0, wrong = -0.5;
  EXPECT_THROW(model.update(*belief, {&none, 1}, test_response(model, 3), 0), RunError);   // impossible under every particle
  EXPECT_THROW(model.update(*belief, {&wrong, 1}, test_response(model, 3), 0), RunError);  // a mean below zero is not a law
  EXPECT_FALSE(model.update(*belief, {&x, 1}, test_response(model, NAN, Mark::missing), 0).used);
  EXPECT_EQ(belief->digest(), before);
  EXPECT_EQ(particles(*belief).history.num, 0u);
}

/// A censored count enters by its tail, as in the sum over what it may have been.
TEST(Particles, TakeCensoredCountsByTheirTail) {
  const auto executor = make_serial_executor();
  const ParticleModel model(test_text({{"x", "box(0, 1)"}}, "r ~ poisson(w * x)", {{"w", "uniform(1, 9)"}}), {}, 3, *executor);
  const auto belief = model.prior();
  const double x = 1;
  const Update update = model.update(*belief, {&x, 1}, test_response(model, 6, Mark::censored), 0);
  double expected = 0;
  for (int k = 0; k < 4000; ++k) {
    const double w = 1 + 8 * (k + 0.5) / 4000;
    expected += (1 - distribution(*model.text().laws[0].law, {&w, 1}, 6).below) / 4000;
  }
  EXPECT_NEAR(update.log_evidence, std::log(expected), 0.03);
  EXPECT_NEAR(update.predictions[0].below, 1 - expected, 0.02);
  EXPECT_EQ(update.predictions[0].up_to, 1);
}

/// Where responses are still to come, the futures differ and keep the mean belief.
TEST(Particles, ImagineResponsesThatAreStillToCome) {
  const auto executor = make_serial_executor();
  const ParticleModel model(test_text({{"x", "box(-1, 1)"}}, "r ~ normal(w * x, 0.3)", {{"w", "normal(0, 1)"}}), {}, 3, *executor);
  const auto belief = model.prior()->fork();
  const double x = 1;
  model.update(*belief, {&x, 1}, test_response(model, NAN, Mark::pending), 0);
  const auto view = std::get<SampleView>(model.capability(*belief));
  ASSERT_EQ(view.outlook.size(), num_sample_futures);
  double mean = 0;
  for (const std::vector<double>& weights : view.outlook) {
    double one = 0, square = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      one += weights[i] * view.parameters[i];
      square += weights[i] * view.parameters[i] * view.parameters[i];
    }
    EXPECT_NEAR(std::sqrt(square - one * one), 0.3 / std::sqrt(1.09), 0.05);
    mean += one / static_cast<double>(num_sample_futures);
  }
  EXPECT_NEAR(mean, 0, 0.35);
}

}  // namespace
}  // namespace hartline::models
