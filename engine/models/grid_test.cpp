#include "models/grid.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "models/grid_kernels.hpp"
#include "numerics/special.hpp"

namespace hartline::models {
namespace {

Axis values(std::vector<double> v) { return {.values = std::move(v)}; }
Axis range(double from, double to, std::int64_t num) { return {.from = from, .to = to, .num = num}; }

Response counts(double r) { return {ResponseKind::counts, 1, 1, {r}, {}, ""}; }
Response choice(double r) { return {ResponseKind::choice, 1, 1, {r}, {}, ""}; }

double information(const GridModel& model, const Belief& belief, std::size_t x) {
  std::vector<double> p(model.num_outcomes());
  double h = -model.predictive(belief, x, p);
  for (double q : p)
    if (q > 0) h -= q * std::log(q);
  return h;
}

TuningCurveSpec poisson_case() {
  TuningCurveSpec spec;
  spec.centre = range(-9, 9, 19);
  spec.width = values({.5, 1, 2, 4});
  spec.amplitude = values({10, 25, 50});
  spec.baseline = values({1, 2, 5});
  return spec;
}

// Values worked out by brute force, tests/reference/poisson_grid.py.
TEST(Grid, ReproducesThePoissonCase) {
  const auto executor = make_serial_executor();
  const GridModel model(make_family(poisson_case()), range(-10, 10, 41).points("x"), *executor);
  ASSERT_EQ(model.num_nodes(), 684u);
  auto belief = model.prior();
  const auto index_of = [](double x) { return static_cast<std::size_t>(std::lround((x + 10) * 2)); };
  EXPECT_NEAR(information(model, *belief, index_of(0.5)), 1.05707703, 1e-8);
  EXPECT_NEAR(information(model, *belief, index_of(-0.5)), 1.05707703, 1e-8);
  EXPECT_NEAR(information(model, *belief, index_of(0)), 1.05510225, 1e-8);
  EXPECT_NEAR(information(model, *belief, index_of(-10)), 0.75210215, 1e-8);
  EXPECT_NEAR(information(model, *belief, index_of(5)), 1.03152838, 1e-8);
  for (const auto& [x, r] : {std::pair{-5.0, 1.0}, {0.0, 2.0}, {3.0, 40.0}}) model.update(*belief, {&x, 1}, counts(r), 0);
  const auto& posterior = dynamic_cast<const GridBelief&>(*belief);
  const double means[] = {3.71737232, 1.12726690, 47.82311305, 1.53844948};
  for (std::size_t k = 0; k < 4; ++k) {
    const auto marginal = model.marginal(posterior, k);
    double mean = 0;
    for (std::size_t i = 0; i < marginal.size(); ++i) mean += marginal[i] * model.family().parameters[k].values[i];
    EXPECT_NEAR(mean, means[k], 1e-8);
  }
  EXPECT_NEAR(entropy(posterior), 2.49792555, 1e-8);
  EXPECT_NEAR(information(model, *belief, index_of(5)), 1.24223953, 1e-8);
  EXPECT_NEAR(information(model, *belief, index_of(0)), 0.26722369, 1e-8);
  EXPECT_NEAR(information(model, *belief, index_of(-10)), 0.11682664, 1e-8);
  for (std::size_t x = 0; x < 41; ++x) EXPECT_LE(information(model, *belief, x), 1.24223953 + 1e-8);
}

TEST(Grid, OutcomeProbabilitiesSumToOne) {
  const auto executor = make_serial_executor();
  const GridModel model(make_family(poisson_case()), range(-10, 10, 9).points("x"), *executor);
  auto belief = model.prior();
  for (int step = 0; step < 3; ++step) {
    for (std::size_t x = 0; x < 9; ++x) {
      std::vector<double> p(model.num_outcomes());
      model.predictive(*belief, x, p);
      double total = 0, mean = 0;
      for (std::size_t r = 0; r < p.size(); ++r) {
        total += p[r];
        mean += static_cast<double>(r) * p[r];
      }
      EXPECT_NEAR(total, 1, 1e-12);
      EXPECT_NEAR(mean, model.mean_response(*belief, x).first, 1e-9);
    }
    const double x = 1.25;  // not one of the set
    model.update(*belief, {&x, 1}, counts(17), 0);
  }
}

TEST(Grid, CountTablesAgreeWithDirectSumsAtHighRates) {
  const auto executor = make_serial_executor();
  TuningCurveSpec spec;
  spec.centre = range(-5, 5, 13);
  spec.width = values({.5, 1, 3});
  spec.amplitude = values({5, 30, 200});
  spec.baseline = values({.5, 2, 4});
  const GridModel model(make_family(spec), range(-6, 6, 7).points("x"), *executor);
  auto belief = model.prior();
  for (int step = 0; step < 3; ++step) {
    const auto& weights = dynamic_cast<const GridBelief&>(*belief).weights;
    for (std::size_t x = 0; x < 7; ++x) {
      std::vector<double> p(model.num_outcomes()), direct(model.num_outcomes(), 0), parameters(4);
      double mean_entropy = 0;
      for (std::size_t n = 0; n < model.num_nodes(); ++n) {
        model.node(n, parameters);
        double h = 0;
        for (std::size_t r = 0; r < direct.size(); ++r) {
          const double log_p = model.log_likelihood(parameters, {&model.stimuli()[x], 1}, static_cast<double>(r));
          direct[r] += weights[n] * std::exp(log_p);
          h -= std::exp(log_p) * log_p;
        }
        mean_entropy += weights[n] * h;
      }
      EXPECT_NEAR(model.predictive(*belief, x, p), mean_entropy, 1e-11);
      for (std::size_t r = 0; r < direct.size(); ++r) EXPECT_NEAR(p[r], direct[r], 1e-13) << r;
    }
    const double shown = step == 0 ? 0 : 2;
    model.update(*belief, {&shown, 1}, counts(step == 0 ? 31 : 180), 0);
  }
}

TEST(Grid, PoissonEntropyAgreesWithItsSum) {
  std::vector<double> log_factorials;
  for (int r = 0; r < 500; ++r) log_factorials.push_back(numerics::log_factorial(r));
  for (double rate : {0.01, 0.5, 3.0, 47.0, 200.0}) {
    double h = 0;
    for (int r = 0; r < 500; ++r) {
      const double log_p = r * std::log(rate) - rate - log_factorials[static_cast<std::size_t>(r)];
      h -= std::exp(log_p) * log_p;
    }
    EXPECT_NEAR(poisson_entropy(rate, std::exp(-rate), log_factorials), h, 1e-11) << rate;
  }
}

PsychometricSpec psychometric() {
  PsychometricSpec spec;
  spec.threshold = range(-40, 0, 41);
  spec.slope = range(2, 5, 13);
  spec.guess = values({.5});
  spec.lapse = range(0, .04, 5);
  return spec;
}

TEST(Grid, SkippedBlocksDoNotChangeInformation) {
  const auto executor = make_serial_executor();
  const GridModel model(make_family(psychometric()), range(-40, 0, 41).points("x"), *executor);
  auto belief = model.prior();
  Stream stream(1, Purpose::test);
  const double truth[] = {-20, 3.5, .5, .02};
  for (int t = 0; t < 400; ++t) {
    const double x = -30 + 20 * stream.uniform();
    model.update(*belief, {&x, 1}, choice(model.sample(truth, {&x, 1}, stream)), 0);
  }
  auto& sparse = dynamic_cast<GridBelief&>(*belief);
  GridBelief full = sparse;
  full.active_blocks.clear();
  for (std::uint32_t b = 0; b * block_size < model.num_nodes(); ++b) full.active_blocks.push_back(b);
  ASSERT_LT(sparse.active_blocks.size(), full.active_blocks.size());
  for (std::size_t x = 0; x < 41; ++x) EXPECT_NEAR(information(model, sparse, x), information(model, full, x), 1e-12);
}

TEST(Grid, SingleTablesRankStimuliAlike) {
  const auto executor = make_serial_executor();
  const std::vector<double> stimuli = range(-40, 0, 41).points("x");
  const GridModel model(make_family(psychometric()), stimuli, *executor),
      single(make_family(psychometric()), stimuli, *executor, std::size_t{1} << 30, true);
  EXPECT_EQ(2 * single.table_bytes(), model.table_bytes());
  auto a = model.prior(), b = single.prior();
  Stream stream(2, Purpose::test);
  const double truth[] = {-20, 3.5, .5, .02};
  double off = 0;
  for (int t = 0; t < 300; ++t) {
    const double x = std::nearbyint(-30 + 20 * stream.uniform());
    const double r = model.sample(truth, {&x, 1}, stream);
    model.update(*a, {&x, 1}, choice(r), 0);
    single.update(*b, {&x, 1}, choice(r), 0);
    for (std::size_t k = 0; k < 41; k += 4) off = std::max(off, std::abs(information(model, *a, k) - information(single, *b, k)));
  }
  EXPECT_GT(off, 0);
  EXPECT_LT(off, 1e-6);
  // the belief itself is not coarser
  const auto &exact = dynamic_cast<const GridBelief&>(*a).weights, &coarse = dynamic_cast<const GridBelief&>(*b).weights;
  for (std::size_t n = 0; n < exact.size(); ++n) ASSERT_NEAR(exact[n], coarse[n], 1e-9);
}

TEST(Grid, UpdateIsBayesRuleAtEveryStimulus) {
  const auto executor = make_serial_executor();
  const GridModel model(make_family(psychometric()), range(-40, 0, 41).points("x"), *executor);
  auto belief = model.prior();
  std::vector<double> log_posterior(model.num_nodes(), 0), parameters(4);
  for (const auto& [x, r] : {std::pair{-18.0, 1.0}, {-22.3, 0.0}, {-25.0, 1.0}}) {
    model.update(*belief, {&x, 1}, choice(r), 0);
    for (std::size_t n = 0; n < model.num_nodes(); ++n) {
      model.node(n, parameters);
      log_posterior[n] += model.log_likelihood(parameters, {&x, 1}, r);
    }
  }
  double norm = 0;
  for (double l : log_posterior) norm += std::exp(l);
  const auto& posterior = dynamic_cast<const GridBelief&>(*belief);
  double total = 0;
  for (std::size_t n = 0; n < model.num_nodes(); ++n) {
    EXPECT_NEAR(posterior.weights[n], std::exp(log_posterior[n]) / norm, 1e-14);
    total += posterior.weights[n];
  }
  EXPECT_NEAR(total, 1, 1e-12);
}

TEST(Grid, ImpossibleAndMalformedInputIsRefused) {
  const auto executor = make_serial_executor();
  const GridModel model(make_family(psychometric()), range(-40, 0, 41).points("x"), *executor);
  auto belief = model.prior();
  const double x = -20, bad = NAN;
  EXPECT_THROW(model.update(*belief, {&x, 1}, choice(2), 0), RunError);
  EXPECT_THROW(model.update(*belief, {&x, 1}, choice(0.5), 0), RunError);
  EXPECT_THROW(model.update(*belief, {&bad, 1}, choice(1), 0), RunError);
  EXPECT_THROW(model.update(*belief, {&x, 1}, counts(1), 0), RunError);
  EXPECT_THROW(GridModel(make_family(psychometric()), {-20}, *executor, 1000), SpecError);
  PsychometricSpec spec = psychometric();
  spec.lapse = values({.6});
  EXPECT_THROW(make_family(spec), SpecError);
  spec = psychometric();
  spec.slope = values({3, 2});
  EXPECT_THROW(make_family(spec), SpecError);
}

}  // namespace
}  // namespace hartline::models
