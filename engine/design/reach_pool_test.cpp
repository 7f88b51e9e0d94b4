#include <gtest/gtest.h>

#include "base/error.hpp"
#include "design/joint_utility.hpp"
#include "design/test_beliefs.hpp"

namespace hartline::design {
namespace {

using models::GaussianView;
using models::Glm;

struct Shape {
  const char* name;
  std::size_t frame_dim, num_frames, num_lags, num_history;
  bool bias, isolated;
  double drift;
};
constexpr Shape shapes[] = {{"one frame, four lags", 3, 1, 4, 0, false, false, 0},
                            {"history and a bias", 3, 1, 3, 2, true, false, 0},
                            {"three frames that drift", 2, 3, 4, 1, true, false, 0.001},
                            {"isolated trials", 2, 5, 3, 0, true, true, 0}};

Glm glm_of(const Shape& shape) {
  models::GlmSpec spec;
  spec.num_lags = static_cast<std::int64_t>(shape.num_lags);
  spec.num_history = static_cast<std::int64_t>(shape.num_history);
  spec.bias = shape.bias;
  return Glm(spec, {.prior_sd = 0.4, .drift_per_s = shape.drift, .bias_drift_per_s = shape.drift}, shape.frame_dim,
             {.num_frames = shape.num_frames, .isolated = shape.isolated, .num_blank_bins = shape.isolated ? 1u : 0u});
}

/// Joint utility of one stimulus from its rows formed anew.
double dense_utility(const GaussianView& view, const JointUtility& joint, const double* x, const Matrix& b, bool current_bin) {
  const Matrix s = rows_of(view, x), c = covariance_of(view);
  const Eigen::Index rows = current_bin ? 1 : s.rows();
  const Vector m = s.topRows(rows) * mean_of(view);
  const Matrix v = s.topRows(rows) * c * s.topRows(rows).transpose(), w = s.topRows(rows) * b * s.topRows(rows).transpose();
  JointScratch scratch(static_cast<std::size_t>(rows));
  return joint.value(static_cast<std::size_t>(rows), m.data(), v.data(), w.data(), scratch);
}

TEST(ReachPool, FollowedProjectionsEqualFreshOnes) {
  const auto executor = make_serial_executor();
  for (const Shape& shape : shapes)
    for (const char* scoring : {"joint", "current_bin"}) {
      const Glm glm = glm_of(shape);
      const StimulusSet set = random_pool(150, glm.stimulus_dim);
      auto belief = glm.prior();
      DesignSpec spec;
      spec.scoring = scoring;
      const auto design = make_design(spec, set, glm.capability(*belief), {}, 1, *executor);
      const auto plan = design->make_plan();
      design->follow(*plan, glm.capability(*belief), -1, {}, 1);
      learn(glm, *belief, set, 120, design.get(), plan.get());
      const auto view = std::get<GaussianView>(glm.capability(*belief));
      const auto followed = design->utilities(*plan, view), fresh = design->utilities(*design->make_plan(), view);
      const JointUtility joint(GaussianUtility(Utility::laplace_information, glm.law));
      const Matrix none = Matrix::Zero(static_cast<Eigen::Index>(view.dim), static_cast<Eigen::Index>(view.dim));
      for (std::size_t i = 0; i < set.num(); ++i) {
        EXPECT_NEAR(followed[i], fresh[i], 1e-9) << shape.name;
        const double dense = dense_utility(view, joint, &set.pool[i * set.dim], none, shape.num_lags > 0 && scoring[0] == 'c');
        EXPECT_NEAR(followed[i], dense, 1e-9) << shape.name << ' ' << scoring;
      }
    }
}

TEST(ReachPool, SecondFormsAreThoseOfTheRows) {
  const auto executor = make_serial_executor();
  for (const Shape& shape : shapes) {
    const Glm glm = glm_of(shape);
    const StimulusSet set = random_pool(70, glm.stimulus_dim);
    auto belief = glm.prior();
    DesignSpec spec;
    spec.utility = "parameter_variance";
    const auto design = make_design(spec, set, glm.capability(*belief), {}, 1, *executor);
    learn(glm, *belief, set, 10);
    const auto view = std::get<GaussianView>(glm.capability(*belief));
    const Matrix c = covariance_of(view), b = c * c;
    const auto utilities = design->utilities(*design->make_plan(), view);
    const JointUtility joint(GaussianUtility(spec, glm.law));
    for (std::size_t i = 0; i < set.num(); ++i)
      EXPECT_NEAR(utilities[i], dense_utility(view, joint, &set.pool[i * set.dim], b, false), 1e-9) << shape.name;
  }
}

TEST(ReachPool, PendingResponsesCountInFollowedProjections) {
  const auto executor = make_serial_executor();
  for (const Shape& shape : shapes) {
    const Glm glm = glm_of(shape);
    const StimulusSet set = random_pool(70, glm.stimulus_dim);
    auto belief = glm.prior();
    const auto design = make_design({}, set, glm.capability(*belief), {}, 1, *executor);
    const auto plan = design->make_plan();
    learn(glm, *belief, set, 20, design.get(), plan.get());
    const auto fork = belief->fork();
    for (std::size_t i : {5u, 9u})
      glm.update(*fork, {&set.pool[i * set.dim], set.dim}, counts(std::vector<double>(glm.num_bins), Mark::pending), 1);
    const auto view = std::get<GaussianView>(glm.capability(*fork));
    ASSERT_FALSE(view.pending.empty());
    const auto followed = design->utilities(*plan, view), fresh = design->utilities(*design->make_plan(), view);
    const JointUtility joint(GaussianUtility(Utility::laplace_information, glm.law));
    const Matrix none = Matrix::Zero(static_cast<Eigen::Index>(view.dim), static_cast<Eigen::Index>(view.dim));
    for (std::size_t i = 0; i < set.num(); ++i) {
      const double dense = dense_utility(view, joint, &set.pool[i * set.dim], none, false);
      EXPECT_NEAR(followed[i], dense, 1e-9) << shape.name;
      EXPECT_NEAR(fresh[i], dense, 1e-9) << shape.name;
    }
    // and leave the projections as they were
    const auto before = design->utilities(*design->make_plan(), glm.capability(*belief));
    const auto after = design->utilities(*plan, glm.capability(*belief));
    for (std::size_t i = 0; i < set.num(); ++i) EXPECT_NEAR(after[i], before[i], 1e-9);
  }
}

TEST(ReachPool, ChoosesAlikeAtAnyNumberOfThreads) {
  const Glm glm = glm_of(shapes[2]);
  const StimulusSet set = random_pool(500, glm.stimulus_dim);
  std::vector<std::pair<std::int64_t, double>> chosen;
  for (int threads : {1, 2, 8}) {
    const auto executor = make_executor(threads);
    auto belief = glm.prior();
    const auto design = make_design({}, set, glm.capability(*belief), {}, 1, *executor);
    const auto plan = design->make_plan();
    learn(glm, *belief, set, 12, design.get(), plan.get());
    Choice choice;
    design->choose(*plan, glm.capability(*belief), 12, {}, choice);
    chosen.emplace_back(choice.pool_index, choice.utility);
  }
  EXPECT_EQ(chosen[0], chosen[1]);
  EXPECT_EQ(chosen[0], chosen[2]);
}

TEST(ReachPool, CurrentBinNeedsAModelThatLooksBack) {
  const auto executor = make_serial_executor();
  const Glm glm({}, {}, 3);
  DesignSpec spec;
  spec.scoring = "current_bin";
  EXPECT_THROW(make_design(spec, random_pool(5, 3), glm.capability(*glm.prior()), {}, 1, *executor), SpecError);
}

}  // namespace
}  // namespace hartline::design
