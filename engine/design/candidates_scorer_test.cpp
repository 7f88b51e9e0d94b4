#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "design/test_beliefs.hpp"
#include "models/grid.hpp"

namespace hartline::design {
namespace {

using models::CandidatesView;
using models::GaussianView;
using models::Glm;

/// Two linear models of the same stimulus, one with a bias.
struct Two {
  Glm first, second;
  std::unique_ptr<models::Belief> belief[2];
  const models::Model* models[2] = {&first, &second};
  const models::Belief* beliefs[2];
  double weights[2] = {0.3, 0.7};
  StimulusSet set = random_pool(40, 3);
  static models::GlmSpec spec_of(const char* response, const char* link, bool bias) {
    models::GlmSpec spec;
    spec.response = response;
    spec.link = link;
    spec.bias = bias;
    return spec;
  }
  Two(const char* response, const char* link)
      : first(spec_of(response, link, false), {.prior_sd = 0.8}, 3), second(spec_of(response, link, true), {.prior_sd = 0.4}, 3) {
    belief[0] = first.prior();
    belief[1] = second.prior();
    learn(first, *belief[0], set, 5);
    learn(second, *belief[1], set, 9);
    for (int k : {0, 1}) beliefs[k] = belief[k].get();
  }
  CandidatesView view() const { return {models, beliefs, weights}; }
};

TEST(ModelInformation, AgreesWithBruteForce) {
  const auto executor = make_executor(2);
  for (const auto& [response, link] : {std::pair{"poisson", "exp"}, {"poisson", "softplus"}, {"bernoulli", "logistic"}}) {
    const Two two(response, link);
    const auto design = make_design({}, two.set, two.view(), {}, 1, *executor);
    const auto utilities = design->utilities(*design->make_plan(), two.view());
    for (std::size_t i = 0; i < two.set.num(); i += 3) {
      double information = 0, left = 1;
      for (int r = 0; r < (response[0] == 'b' ? 2 : 4000) && left > 1e-11; ++r) {
        double p[2], mixed = 0;
        for (int k : {0, 1}) {
          const Glm& glm = k == 0 ? two.first : two.second;
          const auto view = std::get<GaussianView>(glm.capability(*two.belief[k]));
          const Matrix s = rows_of(view, &two.set.pool[3 * i]);
          const double m = (s * mean_of(view))(0), v = (s * covariance_of(view) * s.transpose())(0, 0);
          p[k] = 0;
          for (double z = -9; z <= 9; z += 0.01)
            p[k] += 0.01 * std::exp(-0.5 * z * z + glm.law.log_likelihood(r, m + std::sqrt(v) * z)) / std::sqrt(2 * M_PI);
          mixed += two.weights[k] * p[k];
        }
        for (int k : {0, 1}) information += two.weights[k] * p[k] * std::log(p[k] / mixed);
        left -= mixed;
      }
      EXPECT_NEAR(utilities[i], information, 1e-8) << response << ' ' << link;
    }
    Choice choice;
    design->choose(*design->make_plan(), two.view(), 0, {}, choice);
    EXPECT_EQ(choice.pool_index, std::max_element(utilities.begin(), utilities.end()) - utilities.begin());
  }
}

TEST(ModelInformation, IsNothingBetweenEqualModelsAndRefusesWhatItCannotScore) {
  const auto executor = make_serial_executor();
  Two two("poisson", "exp");
  const auto design = make_design({}, two.set, two.view(), {}, 1, *executor);
  two.models[1] = two.models[0];
  two.beliefs[1] = two.beliefs[0];
  for (const double u : design->utilities(*design->make_plan(), two.view())) EXPECT_NEAR(u, 0, 1e-14);
  StimulusSet ball;
  ball.dim = 3;
  EXPECT_THROW(make_design({}, ball, two.view(), {}, 1, *executor), SpecError);
  DesignSpec spec;
  spec.utility = "laplace_information";
  EXPECT_THROW(make_design(spec, two.set, two.view(), {}, 1, *executor), SpecError);
  models::GlmSpec lagged;
  lagged.num_lags = 2;
  const Glm looks_back(lagged, {}, 3);
  const auto prior = looks_back.prior();
  two.models[1] = &looks_back;
  two.beliefs[1] = prior.get();
  EXPECT_THROW(make_design({}, two.set, two.view(), {}, 1, *executor), SpecError);
}

TEST(ModelInformation, MixesGridsAndLinearModels) {
  const auto executor = make_serial_executor();
  models::TuningCurveSpec spec;
  spec.centre = {.from = -1, .to = 1, .num = 5};
  spec.width = {.values = {1}};
  spec.amplitude = {.values = {3}};
  spec.baseline = {.values = {1}};
  StimulusSet set;
  set.dim = 1;
  set.pool = models::Axis{.from = -2, .to = 2, .num = 9}.points("x");
  const models::GridModel grid(models::make_family(spec), set.pool, *executor);
  const Glm line({}, {.prior_sd = 0.5}, 1);
  const auto a = grid.prior(), b = line.prior();
  const models::Model* const models[] = {&grid, &line};
  const models::Belief* const beliefs[] = {a.get(), b.get()};
  const double weights[] = {0.5, 0.5};
  const CandidatesView view{models, beliefs, weights};
  const auto design = make_design({}, set, view, {}, 1, *executor);
  for (const double u : design->utilities(*design->make_plan(), view)) {
    EXPECT_GT(u, 0);
    EXPECT_LT(u, std::log(2));
  }
}

}  // namespace
}  // namespace hartline::design
