#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "design/test_beliefs.hpp"
#include "design/utility.hpp"
#include "models/grid.hpp"

namespace hartline::design {
namespace {

using models::GaussianView;
using models::Glm;

TEST(Pending, FollowedProjectionsSeeWhatThePendingBeliefKnows) {
  const auto executor = make_serial_executor();
  for (const double drift : {0.0, 0.01}) {
    models::GlmSpec spec;
    spec.bias = true;
    const Glm glm(spec, {.prior_sd = 0.5, .drift_per_s = drift, .bias_drift_per_s = drift}, 6);
    const StimulusSet set = random_pool(400, 6);
    auto belief = glm.prior();
    const auto design = make_design({}, set, glm.capability(*belief), {}, 1, *executor);
    const auto plan = design->make_plan();
    learn(glm, *belief, set, 40, design.get(), plan.get());
    const auto fork = belief->fork();
    for (std::size_t i : {3u, 8u, 3u}) glm.update(*fork, {&set.pool[i * 6], 6}, counts({0}, Mark::pending), 1);
    const auto view = std::get<GaussianView>(glm.capability(*fork));
    const auto followed = design->utilities(*plan, view), fresh = design->utilities(*design->make_plan(), view);
    const LinearUtility utility(Utility::laplace_information, glm.law);
    for (std::size_t i = 0; i < set.num(); ++i) {
      const Matrix s = rows_of(view, &set.pool[i * 6]);
      const double wanted = utility((s * mean_of(view))(0), (s * covariance_of(view) * s.transpose())(0, 0));
      EXPECT_NEAR(followed[i], wanted, 1e-10);
      EXPECT_NEAR(fresh[i], wanted, 1e-10);
    }
    const auto after = design->utilities(*plan, glm.capability(*belief));
    const auto before = design->utilities(*design->make_plan(), glm.capability(*belief));
    for (std::size_t i = 0; i < set.num(); ++i) EXPECT_NEAR(after[i], before[i], 1e-10);
  }
}

/// ½ log det(I + S C Sᵀ / σ²) of some members.
double joint_information_of(const GaussianView& view, const StimulusSet& set, const std::vector<std::int64_t>& members,
                            double noise_sd) {
  Matrix s(static_cast<Eigen::Index>(members.size()), static_cast<Eigen::Index>(view.dim));
  for (std::size_t k = 0; k < members.size(); ++k)
    s.row(static_cast<Eigen::Index>(k)) = rows_of(view, &set.pool[static_cast<std::size_t>(members[k]) * set.dim]);
  const Matrix v = s * covariance_of(view) * s.transpose() / (noise_sd * noise_sd);
  return 0.5 * std::log((Matrix::Identity(v.rows(), v.cols()) + v).determinant());
}

TEST(Pending, BatchFromAPoolIsTheGreedyOneAndBeatsTheBestTakenSingly) {
  const auto executor = make_serial_executor();
  models::GlmSpec spec;
  spec.response = "gaussian";
  spec.link = "identity";
  spec.noise_sd = 0.6;
  const Glm glm(spec, {.prior_sd = 1}, 5);
  StimulusSet set = random_pool(60, 5);
  auto belief = glm.prior();
  learn(glm, *belief, set, 8);
  const auto view = std::get<GaussianView>(glm.capability(*belief));
  const auto design = make_design({}, set, view, {}, 1, *executor);
  const auto plan = design->make_plan();

  std::vector<std::int64_t> batch;
  const auto fork = belief->fork();
  Choice choice;
  for (std::uint64_t k = 0; k < 3; ++k) {
    design->choose(*plan, glm.capability(*fork), k, {}, choice);
    batch.push_back(choice.pool_index);
    Response pending = counts({0}, Mark::pending);
    pending.kind = glm.response_kind;
    glm.update(*fork, choice.values, pending, 0);
  }

  std::vector<std::int64_t> greedy;
  for (int k = 0; k < 3; ++k) {
    double best = -1;
    std::int64_t at = 0;
    for (std::int64_t i = 0; i < 60; ++i) {
      auto with = greedy;
      with.push_back(i);
      if (const double u = joint_information_of(view, set, with, spec.noise_sd); u > best) {
        best = u;
        at = i;
      }
    }
    greedy.push_back(at);
  }
  EXPECT_EQ(batch, greedy);

  const auto utilities = design->utilities(*plan, view);
  std::vector<std::int64_t> order(60);
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return utilities[static_cast<std::size_t>(a)] > utilities[static_cast<std::size_t>(b)];
  });
  order.resize(3);
  EXPECT_GT(joint_information_of(view, set, batch, spec.noise_sd), joint_information_of(view, set, order, spec.noise_sd) + 1e-3);
}

TEST(Pending, GridUtilitiesAreMeansOverTheOutlook) {
  const auto executor = make_serial_executor();
  models::PsychometricSpec spec;
  spec.threshold = {.from = -40, .to = 0, .num = 21};
  spec.slope = {.values = {2, 4}};
  spec.guess = {.values = {.5}};
  spec.lapse = {.values = {.02}};
  StimulusSet set;
  set.dim = 1;
  set.pool = models::Axis{.from = -40, .to = 0, .num = 21}.points("x");
  const models::GridModel model(models::make_family(spec), set.pool, *executor);
  auto belief = model.prior();
  const auto design = make_design({}, set, model.capability(*belief), model.parameter_names, 1, *executor);
  const auto plan = design->make_plan();
  const auto alone = design->utilities(*plan, model.capability(*belief));
  model.update(*belief, {&set.pool[10], 1}, {ResponseKind::choice, 1, 1, {0}, {Mark::pending}, ""}, 0);
  const auto view = std::get<models::DiscreteView>(model.capability(*belief));
  ASSERT_EQ(view.outlook.size(), models::num_imagined);
  const auto ahead = design->utilities(*plan, view);
  std::vector<double> p(model.num_outcomes());
  for (std::size_t x = 0; x < set.num(); ++x) {
    double mean = 0;
    for (const models::Belief* b : view.outlook) {
      const double within = model.predictive(*b, x, p);
      mean += (outcome_entropy(p) - within) / static_cast<double>(view.outlook.size());
    }
    EXPECT_NEAR(ahead[x], mean, 1e-12);
  }
  EXPECT_LT(ahead[10], alone[10]);
}

}  // namespace
}  // namespace hartline::design
