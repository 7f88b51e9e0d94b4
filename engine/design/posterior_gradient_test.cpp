#include "design/posterior_gradient.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "base/threads.hpp"
#include "models/test_texts.hpp"

namespace hartline::design {
namespace {

models::TrainedNetwork small_network(const models::TextLikelihood& likelihood, bool recurrent) {
  models::TrainedNetwork out;
  out.target = "posterior";
  out.num_trials = 3;
  out.recurrent = recurrent;
  out.encoder = {6};
  out.num_codes = 4;
  out.readout = {7};
  out.num_components = 2;
  begin_network(likelihood, out);
  Stream stream(4, Purpose::test);
  for (double& w : out.weights) w += 0.2 * stream.normal();
  return out;
}

TEST(PosteriorGradient, IsTheDifferenceOfScores) {
  const models::TextLikelihood likelihood(
      models::test_text({{"x", "box(-2, 2)"}}, "r ~ poisson(exp(a + b * x))", {{"a", "normal(0, 1)"}, {"b", "lognormal(0, 0.5)"}}));
  const auto executor = make_executor(2);
  TrainSpec spec;
  spec.num_rollouts = 40;
  const auto policy = std::make_shared<models::TrainedNetwork>();
  policy->target = "policy";
  policy->num_trials = 3;
  policy->encoder = policy->readout = {5};
  policy->num_codes = 3;
  begin_network(likelihood, *policy);
  for (const bool recurrent : {false, true}) {
    const models::TrainedNetwork network = small_network(likelihood, recurrent);
    PosteriorGradient ascent(likelihood, network, spec, recurrent ? policy : nullptr, *executor);
    std::vector<double> w = network.weights, gradient(w.size()), scratch(w.size());
    ascent.estimate(w, 3, gradient);
    for (std::size_t i = 0; i < w.size(); i += 5) {
      const double kept = w[i];
      w[i] = kept + 1e-6;
      const double above = ascent.estimate(w, 3, scratch);
      w[i] = kept - 1e-6;
      const double below = ascent.estimate(w, 3, scratch);
      w[i] = kept;
      EXPECT_NEAR(gradient[i], (above - below) / 2e-6, 1e-6) << recurrent << ' ' << i;
    }
  }
}

TEST(PosteriorGradient, IsTheSameAtAnyNumberOfThreads) {
  const models::TextLikelihood likelihood(
      models::test_text({{"x", "box(-2, 2)"}}, "r ~ normal(a * x, 1)", {{"a", "normal(0, 1)"}}));
  const models::TrainedNetwork network = small_network(likelihood, false);
  const auto serial = make_serial_executor(), three = make_executor(3);
  std::vector<double> a(network.weights.size()), b(a.size());
  const TrainSpec spec;
  EXPECT_EQ(PosteriorGradient(likelihood, network, spec, nullptr, *serial).estimate(network.weights, 2, a),
            PosteriorGradient(likelihood, network, spec, nullptr, *three).estimate(network.weights, 2, b));
  EXPECT_EQ(a, b);
}

}  // namespace
}  // namespace hartline::design
