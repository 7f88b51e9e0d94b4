#include "design/score.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.hpp"
#include "base/threads.hpp"

namespace hartline::design {
namespace {

/// r ~ N(w x, 0.5²), w ~ N(0, 1): T trials at x = 1 tell ½ log(1 + T / 0.25) nats.
models::TextLikelihood linear() {
  Table stimulus, model, parameters;
  stimulus.set("x", "values(0, 1)");
  parameters.set("w", "normal(0, 1)");
  model.set("response", "r ~ normal(w * x, 0.5)");
  model.set("parameters", parameters);
  return models::TextLikelihood(std::make_shared<const models::EncodingText>(stimulus, model));
}

ScoredHistory drawn(const models::TextLikelihood& likelihood, std::uint64_t seed, std::size_t num_trials) {
  ScoredHistory history{std::vector<double>(1), std::vector<double>(num_trials, 1.0), {}, 1000 + seed};
  likelihood.draw_prior(seed, Purpose::truth, 0, 1, history.truth);
  Stream stream(seed, Purpose::response);
  for (std::size_t t = 0; t < num_trials; ++t) history.responses.push_back(history.truth[0] + 0.5 * stream.normal());
  return history;
}

/// 400 experiments of 4 trials: the two means differ by O(1 / L); their standard error is .03.
TEST(Score, BoundsTheInformationOfALinearModel) {
  const models::TextLikelihood likelihood = linear();
  const auto executor = make_serial_executor();
  double lower = 0, upper = 0, square = 0;
  constexpr int num = 400;
  for (std::uint64_t seed = 0; seed < num; ++seed) {
    const Score s = score(likelihood, drawn(likelihood, seed, 4), 5000, *executor);
    EXPECT_LE(s.spce, std::log(5001) + 1e-12);
    lower += s.spce / num;
    upper += s.snmc / num;
    square += s.spce * s.spce / num;
  }
  const double error = std::sqrt((square - lower * lower) / num), exact = 0.5 * std::log(1 + 4 / 0.25);
  EXPECT_LT(lower, upper);
  EXPECT_NEAR(lower, exact, 3.5 * error + 2e-3);
  EXPECT_NEAR(upper, exact, 3.5 * error + 2e-3);
}

TEST(Score, IsTheSameAtAnyNumberOfThreads) {
  const models::TextLikelihood likelihood = linear();
  const auto serial = make_serial_executor(), three = make_executor(3);
  const ScoredHistory history = drawn(likelihood, 3, 6);
  const Score a = score(likelihood, history, 30000, *serial), b = score(likelihood, history, 30000, *three);
  EXPECT_EQ(a.spce, b.spce);
  EXPECT_EQ(a.snmc, b.snmc);
}

TEST(Score, SaturatesAtTheLogarithmOfItsContrasts) {
  const models::TextLikelihood likelihood = linear();
  const auto executor = make_serial_executor();
  ScoredHistory history = drawn(likelihood, 5, 2000);
  EXPECT_NEAR(score(likelihood, history, 10, *executor).spce, std::log(11), 1e-6);
  history.truth[0] = INFINITY;
  EXPECT_THROW(score(likelihood, history, 10, *executor), RunError);
}

}  // namespace
}  // namespace hartline::design
