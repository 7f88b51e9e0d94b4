#include "design/evolution.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "design/score.hpp"
#include "models/test_texts.hpp"

namespace hartline::design {
namespace {

/// r ~ N(w x, 0.5²), w ~ N(0, 1), x in [-1, 1]: best at |x| = 1, whatever was answered; ½ log(1 + Σ x² / 0.25) nats.
std::shared_ptr<const models::EncodingText> line() {
  return models::test_text({{"x", "box(-1, 1)"}}, "r ~ normal(w * x, 0.5)", {{"w", "normal(0, 1)"}});
}

models::TrainedNetwork small_network(const models::TextLikelihood& likelihood, std::int64_t num_trials) {
  models::TrainedNetwork out;
  out.target = "policy";
  out.num_trials = num_trials;
  out.encoder = {8};
  out.num_codes = 4;
  out.readout = {8};
  begin_network(likelihood, out);
  return out;
}

TrainSpec small_spec() {
  TrainSpec out;
  out.num_rollouts = 24;
  out.num_contrasts = 100;
  out.num_pairs = 8;
  return out;
}

TEST(Rollouts, ScoreAsRecordsAreScored) {
  const models::TextLikelihood likelihood(
      models::test_text({{"x", "box(-1, 1)"}}, "r ~ poisson(exp(1 + w * x))", {{"w", "normal(0, 1)"}}));
  const models::TrainedNetwork network = small_network(likelihood, 5);
  const Rollouts rollouts(likelihood, network, 3);
  Rollouts::Histories histories;
  rollouts.simulate(network.weights, 1, 0, 1, histories);
  Rollouts::Suspects scratch;
  const Contrasts contrasts = rollouts.draw_contrasts(1, 4000);
  const double ours = rollouts.score(histories, contrasts, scratch);
  // the same contrasts through log p(h | θ) of one set at a time
  const std::vector<models::Datum> answers(histories.responses.begin(), histories.responses.end());
  const auto log_likelihood = [&](double w) {
    double total = 0;
    for (std::size_t t = 0; t < 5; ++t) {
      double one = 0;
      likelihood({&histories.stimuli[t], 1}, answers[t], {&w, 1, 1}, &one);
      total += one;
    }
    return total;
  };
  const double of_truth = log_likelihood(histories.truth[0]);
  double sum = 1;
  for (const double w : contrasts.parameters) sum += std::exp(log_likelihood(w) - of_truth);
  EXPECT_NEAR(ours, std::log(4001.0) - std::log(sum), 1e-9);
}

TEST(Rollouts, AreTheSameWhoeverRunsBesideThem) {
  const models::TextLikelihood likelihood(line());
  const models::TrainedNetwork network = small_network(likelihood, 4);
  const Rollouts rollouts(likelihood, network, 3);
  Rollouts::Histories all, one;
  rollouts.simulate(network.weights, 2, 0, 9, all);
  rollouts.simulate(network.weights, 2, 7, 1, one);
  for (std::size_t t = 0; t < 4; ++t) {
    EXPECT_EQ(all.stimuli[7 * 4 + t], one.stimuli[t]);
    EXPECT_EQ(all.responses[7 * 4 + t], one.responses[t]);
  }
}

TEST(Evolution, IsTheSameAtAnyNumberOfThreads) {
  const models::TextLikelihood likelihood(line());
  const models::TrainedNetwork network = small_network(likelihood, 3);
  const auto serial = make_serial_executor(), three = make_executor(3);
  Evolution a(likelihood, network, small_spec(), *serial), b(likelihood, network, small_spec(), *three);
  std::vector<double> ga(network.weights.size()), gb(ga.size());
  EXPECT_EQ(a.estimate(network.weights, 5, ga), b.estimate(network.weights, 5, gb));
  EXPECT_EQ(ga, gb);
  // and as a map over pairs
  std::vector<PairFitness> pairs;
  for (std::size_t k = 0; k < 8; ++k) pairs.push_back(a.fitness(network.weights, 5, k));
  std::vector<double> mapped(ga.size());
  a.combine(5, pairs, mapped);
  EXPECT_EQ(ga, mapped);
}

/// Of f = Σ c_i w_i the ranks of neighbours keep the direction of c: its cosine with the estimate over many pairs is near one.
TEST(Evolution, PointsUpALinearScore) {
  const models::TextLikelihood likelihood(line());
  const models::TrainedNetwork network = small_network(likelihood, 3);
  TrainSpec spec = small_spec();
  spec.num_pairs = 2000;
  const auto serial = make_serial_executor();
  const Evolution evolution(likelihood, network, spec, *serial);
  const std::size_t num = network.weights.size();
  std::vector<double> slope(num), change(num), estimate(num);
  Stream(1, Purpose::test).fill_normal(slope);
  std::vector<PairFitness> pairs;
  for (std::size_t k = 0; k < 2000; ++k) {
    Stream(1, Purpose::particles, 1, k).fill_normal(change);
    double f = 0;
    for (std::size_t i = 0; i < num; ++i) f += slope[i] * change[i];
    pairs.push_back({f, -f});
  }
  evolution.combine(1, pairs, estimate);
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < num; ++i) {
    ab += slope[i] * estimate[i];
    aa += slope[i] * slope[i];
    bb += estimate[i] * estimate[i];
  }
  EXPECT_GT(ab / std::sqrt(aa * bb), 0.95);
}

/// An untrained network shows stimuli near 0 and learns little; what can be learned in three trials is ½ log 13 = 1.28 nats.
TEST(Evolution, FindsTheBestStimuliOfALine) {
  const models::TextLikelihood likelihood(line());
  models::TrainedNetwork network = small_network(likelihood, 3);
  const auto serial = make_serial_executor();
  Evolution evolution(likelihood, network, small_spec(), *serial);
  std::vector<double> gradient(network.weights.size());
  double first = 0, last = 0;
  for (std::uint64_t step = 1; step <= 150; ++step) {
    const double score = evolution.estimate(network.weights, step, gradient);
    take_step(network, gradient, falling_rate(0.03, static_cast<double>(step) / 150), score);
    if (step <= 5) first += score / 5;
    if (step > 130) last += score / 20;
  }
  EXPECT_LT(first, 0.6);
  EXPECT_GT(last, 1.1);
  Rollouts::Histories histories;
  Rollouts(likelihood, network, 9).simulate(network.weights, 1, 0, 20, histories);
  for (const double x : histories.stimuli) EXPECT_GT(std::abs(x), 0.8);
}

TEST(Adam, ShortensAGradientThatIsMuchLongerThanUsual) {
  models::TrainedNetwork a, b;
  a.weights = b.weights = {0, 0};
  std::vector<double> gradient = {1, -1};
  for (int k = 0; k < 50; ++k) {
    take_step(a, gradient, 0.01, 0);
    take_step(b, gradient, 0.01, 0);
  }
  EXPECT_NEAR(a.weights[0], 0.5, 1e-6);  // a constant slope: a rate a step
  EXPECT_NEAR(a.square[0] / (1 - std::pow(0.99, 50)), 1, 1e-9);
  gradient = {1000, -1000};
  take_step(a, gradient, 0.01, 0);
  gradient = {1.5, -1.5};
  take_step(b, gradient, 0.01, 0);
  EXPECT_NEAR(a.weights[0], b.weights[0], 1e-12);
  EXPECT_NEAR(a.square[1], b.square[1], 1e-12);
}

TEST(Adam, GoesBackToTheBestAfterAFall) {
  models::TrainedNetwork n;
  n.weights = {0};
  const double up[] = {1.0};
  const auto interval = [&](double score) {
    for (int k = 0; k < 20; ++k) take_step(n, up, 0.01, score);
    note_score(n);
  };
  interval(3);
  interval(4);
  const double best = n.weights[0];
  EXPECT_NEAR(best, 0.4, 1e-6);
  interval(3.6);  // by chance, or on the way elsewhere
  EXPECT_NEAR(n.weights[0], 0.6, 1e-6);
  EXPECT_EQ(n.num_falls, 0);
  interval(3.4);
  EXPECT_EQ(n.weights[0], best);
  EXPECT_EQ(n.momentum[0], 0);
  EXPECT_EQ(n.num_falls, 1);
  ASSERT_EQ(n.curve.size(), 4u);
  EXPECT_NEAR(n.curve[2], 3.6, 1e-12);
  interval(4.1);
  EXPECT_GT(n.weights[0], best);
  EXPECT_EQ(n.best_score, 4.1);
}

}  // namespace
}  // namespace hartline::design
