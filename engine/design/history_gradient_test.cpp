#include "design/history_gradient.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "models/test_texts.hpp"

namespace hartline::design {
namespace {

models::TrainedNetwork network_of(const models::TextLikelihood& likelihood) {
  models::TrainedNetwork out;
  out.target = "policy";
  out.num_trials = 3;
  out.encoder = {5};
  out.num_codes = 3;
  out.readout = {4};
  begin_network(likelihood, out);
  Stream stream(2, Purpose::test);
  for (double& w : out.weights) w += 0.3 * stream.normal();
  return out;
}

/// S at a history that was changed in one number.
TEST(HistoryGradient, IsTheDifferenceOfScores) {
  const models::TextLikelihood likelihood(models::test_text({{"x", "box(-2, 2)[2]"}},
                                                            "y ~ lognormal(a * x[0] - b * x[1]^2, 0.4 + 0.1 * x[0])",
                                                            {{"a", "normal(0, 1)"}, {"b", "lognormal(0, 0.5)"}}));
  const models::TextGradient gradient(likelihood.text());
  const models::TrainedNetwork network = network_of(likelihood);
  const Rollouts rollouts(likelihood, network, 3);
  const Contrasts contrasts = rollouts.draw_contrasts(1, 60);
  Rollouts::Histories h;
  rollouts.simulate(network.weights, 1, 0, 2, h);
  Pulls pulls = make_pulls(rollouts, 2);
  pull(rollouts, gradient, h, contrasts, 0, pulls);
  Rollouts::Suspects scratch;
  EXPECT_NEAR(pulls.score[0] + pulls.score[1], rollouts.score(h, contrasts, scratch), 1e-10);
  const auto difference = [&](double& number) {
    const double kept = number, step = 1e-6;
    number = kept + step;
    const double above = rollouts.score(h, contrasts, scratch);
    number = kept - step;
    const double below = rollouts.score(h, contrasts, scratch);
    number = kept;
    return (above - below) / (2 * step);
  };
  for (std::size_t i = 0; i < h.stimuli.size(); ++i) EXPECT_NEAR(pulls.stimulus[i], difference(h.stimuli[i]), 1e-6) << i;
  for (std::size_t i = 0; i < h.responses.size(); ++i) EXPECT_NEAR(pulls.response[i], difference(h.responses[i]), 1e-6) << i;
  // log y = m + s e with the same e: the slope of y by x
  for (std::size_t t = 0; t < 3; ++t) {
    const double a = h.truth[0], b = h.truth[1], x = h.stimuli[2 * t], other = h.stimuli[2 * t + 1], y = h.responses[t];
    const double sd = 0.4 + 0.1 * x, e = (std::log(y) - (a * x - b * other * other)) / sd;
    EXPECT_NEAR(pulls.slope[2 * t], y * (a + 0.1 * e), 1e-9 * (1 + y));
    EXPECT_NEAR(pulls.slope[2 * t + 1], y * (-2 * b * other), 1e-9 * (1 + y));
  }
  for (const double slope : pulls.log_slope) EXPECT_EQ(slope, 0);
}

/// A single trial of a single stimulus x: E[S | x] over both answers, weighted by their probabilities, against its derivative,
/// which the pulls of the two answers give together: Σ_r p_r (∂S_r/∂x + S_r ∂ log p_r/∂x).
TEST(HistoryGradient, OfChoicesIsTheDifferenceOfMeans) {
  const models::TextLikelihood likelihood(
      models::test_text({{"x", "box(-3, 3)"}}, "r ~ bernoulli(logistic(2 * (x - a)))", {{"a", "normal(0, 1)"}}));
  const models::TextGradient gradient(likelihood.text());
  models::TrainedNetwork network = network_of(likelihood);
  network.num_trials = 1;
  const Rollouts rollouts(likelihood, network, 3);
  const Contrasts contrasts = rollouts.draw_contrasts(1, 60);
  Rollouts::Histories h;
  rollouts.simulate(network.weights, 1, 0, 1, h);
  const double x = 0.4;
  Rollouts::Suspects scratch;
  const auto probability = [&](double at, double r) {
    const double p = 1 / (1 + std::exp(-2 * (at - h.truth[0])));
    return r == 1 ? p : 1 - p;
  };
  const auto mean_score = [&](double at) {
    double out = 0;
    for (const double r : {0.0, 1.0}) {
      h.stimuli[0] = at;
      h.responses[0] = r;
      out += probability(at, r) * rollouts.score(h, contrasts, scratch);
    }
    return out;
  };
  const double wanted = (mean_score(x + 1e-5) - mean_score(x - 1e-5)) / 2e-5;
  double got = 0;
  for (const double r : {0.0, 1.0}) {
    h.stimuli[0] = x;
    h.responses[0] = r;
    Pulls pulls = make_pulls(rollouts, 1);
    pull(rollouts, gradient, h, contrasts, 0, pulls);
    EXPECT_EQ(pulls.response[0], 0);
    EXPECT_EQ(pulls.slope[0], 0);
    got += probability(x, r) * (pulls.stimulus[0] + pulls.score[0] * pulls.log_slope[0]);
  }
  EXPECT_NEAR(got, wanted, 1e-7);
}

TEST(HistoryGradient, TakesTheMeanOfTheOthersOff) {
  Pulls pulls;
  pulls.score = {1, 2, 6};
  pulls.stimulus = {0, 10, 20};
  pulls.to_come = {1, 2, 6};
  pulls.log_slope = {1, 1, 2};
  add_score_function(pulls);
  EXPECT_EQ(pulls.stimulus, (std::vector<double>{-3, 8.5, 29}));
}

TEST(HistoryGradient, ShortensThoseThatPullMuchHarder) {
  Pulls pulls;
  pulls.score = {0, 0, 0};
  pulls.stimulus = {1, 1, 2, 0, 100, 0};  // three rollouts of one trial, two numbers
  pulls.response = {0, 0, 50};
  pulls.slope = {0, 0, 0, 0, 2, 0};
  const double range[] = {1, 1};
  EXPECT_EQ(shorten(pulls, range, 10), 1u);
  EXPECT_EQ(pulls.stimulus, (std::vector<double>{1, 1, 2, 0, 10, 0}));
  EXPECT_EQ(pulls.response, (std::vector<double>{0, 0, 5}));
}

}  // namespace
}  // namespace hartline::design
