#include "design/policy_gradient.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "models/test_texts.hpp"

namespace hartline::design {
namespace {

std::shared_ptr<const models::EncodingText> sources() {
  return models::test_text({{"x", "box(-4, 4)[2]"}}, "y ~ normal(log(0.1 + 1 / (0.1 + (x[0] - a)^2 + (x[1] - b)^2)), 0.5)",
                           {{"a", "normal(0, 1)"}, {"b", "normal(0, 1)"}});
}

models::TrainedNetwork small_network(const models::TextLikelihood& likelihood, bool recurrent) {
  models::TrainedNetwork out;
  out.target = "policy";
  out.num_trials = 4;
  out.recurrent = recurrent;
  out.encoder = {8, 7};
  out.num_codes = 5;
  out.readout = {6};
  begin_network(likelihood, out);
  Stream stream(4, Purpose::test);
  for (double& w : out.weights) w += 0.2 * stream.normal();
  return out;
}

TrainSpec spec_of(std::int64_t num_rollouts) {
  TrainSpec out;
  out.method = "gradient";
  out.num_rollouts = num_rollouts;
  out.num_contrasts = 50;
  out.most_pull = 1e12;  // derivatives as they are
  return out;
}

/// The responses of normal laws follow the stimuli under the same luck, so the mean score is a smooth function of the weights.
TEST(PolicyGradient, IsTheDifferenceOfScores) {
  const models::TextLikelihood likelihood(sources());
  const auto executor = make_serial_executor();
  for (const bool recurrent : {false, true}) {
    const models::TrainedNetwork network = small_network(likelihood, recurrent);
    const auto ascent = std::make_unique<PolicyGradient>(likelihood, network, spec_of(40), *executor);
    std::vector<double> w = network.weights, gradient(w.size()), scratch(w.size());
    ascent->estimate(w, 3, gradient);
    double size = 0;
    for (const double g : gradient) size = std::max(size, std::abs(g));
    EXPECT_GT(size, 1e-3);
    for (std::size_t i = 0; i < w.size(); i += 7) {
      const double h = 1e-5, kept = w[i];
      w[i] = kept + h;
      const double above = ascent->estimate(w, 3, scratch);
      w[i] = kept - h;
      const double below = ascent->estimate(w, 3, scratch);
      w[i] = kept;
      EXPECT_NEAR(gradient[i], (above - below) / (2 * h), 1e-5 * size) << recurrent << ' ' << i;
    }
  }
}

/// Of a choice the score function stands in: over many rollouts its mean is the derivative of the mean score. A step h along one
/// weight changes the mean score by h times it; both have a standard error that is worked out from the parts.
TEST(PolicyGradient, OfChoicesIsTheDifferenceOfMeans) {
  const models::TextLikelihood likelihood(
      models::test_text({{"x", "box(-3, 3)"}}, "r ~ bernoulli(logistic(2 * (x - a)))", {{"a", "normal(0, 1)"}}));
  const auto executor = make_executor(2);
  models::TrainedNetwork network = small_network(likelihood, false);
  network.num_trials = 3;
  TrainSpec spec = spec_of(1024);
  spec.foresight = 1;
  spec.num_contrasts = 500;  // many: they stand for the truth where answers are worked out
  const auto ascent = std::make_unique<PolicyGradient>(likelihood, network, spec, *executor);
  std::vector<double> w = network.weights, gradient(w.size()), scratch(w.size());
  // along the gradient itself, where the signal is largest
  std::vector<double> direction(w.size());
  ascent->estimate(w, 1, direction);
  double length = 0;
  for (const double g : direction) length += g * g;
  for (double& g : direction) g /= std::sqrt(length);
  constexpr int repeats = 20;
  double slope = 0, slope_square = 0, difference = 0, difference_square = 0;
  for (std::uint64_t step = 2; step < 2 + repeats; ++step) {
    ascent->estimate(w, step, gradient);
    double along = 0;
    for (std::size_t i = 0; i < w.size(); ++i) along += gradient[i] * direction[i];
    std::vector<double> up = w, down = w;
    const double h = 0.2;
    for (std::size_t i = 0; i < w.size(); ++i) {
      up[i] += h * direction[i];
      down[i] -= h * direction[i];
    }
    const double d = (ascent->estimate(up, step, scratch) - ascent->estimate(down, step, scratch)) / (2 * h);
    slope += along / repeats;
    slope_square += along * along / repeats;
    difference += d / repeats;
    difference_square += d * d / repeats;
  }
  const double error = std::sqrt((slope_square - slope * slope + difference_square - difference * difference) / (repeats - 1));
  EXPECT_GT(slope, 5 * error);
  EXPECT_NEAR(slope, difference, 4 * error + 0.02 * slope);  // false alarm below 1 in 1,000
}

TEST(PolicyGradient, RefusesForesightWhereAnswersCannotBeCounted) {
  const models::TextLikelihood likelihood(sources());
  const auto executor = make_serial_executor();
  TrainSpec spec = spec_of(4);
  spec.foresight = 0.5;
  EXPECT_THROW(PolicyGradient(likelihood, small_network(likelihood, false), spec, *executor), SpecError);
}

TEST(PolicyGradient, IsTheSameAtAnyNumberOfThreads) {
  const models::TextLikelihood likelihood(sources());
  const models::TrainedNetwork network = small_network(likelihood, false);
  const auto serial = make_serial_executor(), three = make_executor(3);
  std::vector<double> a(network.weights.size()), b(a.size());
  const double sa = PolicyGradient(likelihood, network, spec_of(100), *serial).estimate(network.weights, 2, a);
  const double sb = PolicyGradient(likelihood, network, spec_of(100), *three).estimate(network.weights, 2, b);
  EXPECT_EQ(sa, sb);
  EXPECT_EQ(a, b);
}

}  // namespace
}  // namespace hartline::design
