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

/// Two trials of fixed stimuli: E[S] over who is the truth and over all answers, against its derivatives, which the pulls of all
/// these histories give together: E[∂I_t/∂x_t + ∂(S - S_t+1)/∂x_t + (S - S_t+1) ∂ log p/∂x_t].
TEST(HistoryGradient, OfChoicesIsTheDifferenceOfMeans) {
  const models::TextLikelihood likelihood(
      models::test_text({{"x", "box(-3, 3)"}}, "r ~ bernoulli(logistic(2 * (x - a)))", {{"a", "normal(0, 1)"}}));
  const models::TextGradient gradient(likelihood.text());
  models::TrainedNetwork network = network_of(likelihood);
  network.num_trials = 2;
  const Rollouts rollouts(likelihood, network, 3);
  const Contrasts drawn = rollouts.draw_contrasts(1, 40);
  Rollouts::Histories h;
  rollouts.simulate(network.weights, 1, 0, 1, h);
  const double first = h.truth[0];
  const double x[] = {0.4, -0.3};
  // visit(contrasts, probability of this history) for every truth and every answer
  const auto for_each_history = [&](double x0, double x1, const auto& visit) {
    for (std::size_t l = 0; l <= drawn.num; ++l) {
      Contrasts contrasts = drawn;
      h.truth[0] = first;
      if (l > 0) std::swap(h.truth[0], contrasts.parameters[l - 1]);
      for (const double r0 : {0.0, 1.0})
        for (const double r1 : {0.0, 1.0}) {
          h.stimuli = {x0, x1};
          h.responses = {r0, r1};
          double p = 1 / static_cast<double>(drawn.num + 1);
          for (int t = 0; t < 2; ++t) {
            const double yes = 1 / (1 + std::exp(-2 * (h.stimuli[t] - h.truth[0])));
            p *= h.responses[t] == 1 ? yes : 1 - yes;
          }
          visit(contrasts, p);
        }
    }
  };
  Rollouts::Suspects scratch;
  const auto mean_score = [&](double x0, double x1) {
    double out = 0;
    for_each_history(x0, x1, [&](const Contrasts& contrasts, double p) { out += p * rollouts.score(h, contrasts, scratch); });
    return out;
  };
  double now[] = {0, 0}, got[] = {0, 0};
  for_each_history(x[0], x[1], [&](const Contrasts& contrasts, double p) {
    Pulls pulls = make_pulls(rollouts, 1);
    pull(rollouts, gradient, h, contrasts, 0, pulls);
    for (int t = 0; t < 2; ++t) {
      now[t] += p * pulls.now[t];
      got[t] += p * (pulls.now[t] + pulls.stimulus[t] + pulls.to_come[t] * pulls.log_slope[t]);
      EXPECT_EQ(pulls.response[t], 0);
      EXPECT_EQ(pulls.slope[t], 0);
    }
  });
  constexpr double step = 1e-5;
  EXPECT_NEAR(got[0], (mean_score(x[0] + step, x[1]) - mean_score(x[0] - step, x[1])) / (2 * step), 1e-7);
  EXPECT_NEAR(got[1], (mean_score(x[0], x[1] + step) - mean_score(x[0], x[1] - step)) / (2 * step), 1e-7);
  EXPECT_NEAR(now[1], got[1], 1e-10);          // nothing follows the last trial
  EXPECT_GT(std::abs(now[0] - got[0]), 1e-4);  // something follows the first
}

TEST(HistoryGradient, TakesTheMeanOfTheOthersOff) {
  Pulls pulls;
  pulls.score = {1, 2, 6};
  pulls.now = {1, 1, 1};
  pulls.stimulus = {0, 10, 20};
  pulls.to_come = {1, 2, 6};
  pulls.log_slope = {1, 1, 2};
  Pulls half = pulls;
  add_score_function(half, 0.5);
  EXPECT_EQ(half.stimulus, (std::vector<double>{-0.5, 5.25, 15.5}));
  add_score_function(pulls);
  EXPECT_EQ(pulls.stimulus, (std::vector<double>{-2, 9.5, 30}));
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
