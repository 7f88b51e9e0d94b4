#include "design/design.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "design/pool_design.hpp"
#include "models/glm.hpp"
#include "models/grid.hpp"

namespace hartline::design {
namespace {

using models::Glm;

StimulusSet random_pool(std::size_t num, std::size_t dim, bool once = false) {
  StimulusSet set;
  set.dim = dim;
  set.pool.resize(num * dim);
  set.once = once;
  for (std::size_t i = 0; i < num; ++i) Stream(3, Purpose::pool, i).fill_sphere({&set.pool[i * dim], dim}, 1);
  return set;
}

Response counts(double r) { return {ResponseKind::counts, 1, 1, {r}, {}, ""}; }

TEST(PoolDesign, FollowedProjectionsEqualFreshOnes) {
  const auto executor = make_serial_executor();
  for (const double drift : {0.0, 0.001}) {
    models::GlmSpec spec;
    spec.bias = true;
    const Glm glm(spec, {.prior_sd = 0.5, .drift_per_s = drift, .bias_drift_per_s = drift}, 12);
    const StimulusSet set = random_pool(700, 12);
    const auto prior = glm.prior();
    const auto design = make_design({}, set, glm.capability(*prior), {}, 1, *executor);
    const auto plan = design->make_plan();
    auto belief = glm.prior();
    Choice choice;
    std::vector<double> truth(13, 0.3);
    for (std::uint64_t t = 0; t < 500; ++t) {
      design->choose(*plan, glm.capability(*belief), t, {}, choice);
      Stream stream(1, Purpose::test, t);
      glm.update(*belief, choice.values, counts(glm.sample(truth, choice.values, stream)), 1);
      design->follow(*plan, glm.capability(*belief), choice.pool_index, choice.values, 1);
    }
    const auto followed = design->utilities(*plan, glm.capability(*belief));
    const auto fresh = design->utilities(*design->make_plan(), glm.capability(*belief));
    for (std::size_t i = 0; i < 700; ++i) EXPECT_NEAR(followed[i], fresh[i], 1e-10);
  }
}

TEST(PoolDesign, TakesTheMemberWithTheLargestUtility) {
  const auto executor = make_serial_executor();
  const Glm glm({}, {.prior_sd = 0.5}, 5);
  const StimulusSet set = random_pool(999, 5);
  const auto prior = glm.prior();
  const auto design = make_design({}, set, glm.capability(*prior), {}, 1, *executor);
  const auto plan = design->make_plan();
  auto belief = glm.prior();
  glm.update(*belief, {&set.pool[0], 5}, counts(3), 0);
  Choice choice;
  design->choose(*plan, glm.capability(*belief), 0, {}, choice);
  const auto utilities = design->utilities(*plan, glm.capability(*belief));
  EXPECT_EQ(choice.pool_index, std::max_element(utilities.begin(), utilities.end()) - utilities.begin());
  EXPECT_EQ(choice.utility, *std::max_element(utilities.begin(), utilities.end()));
  EXPECT_EQ(choice.units, 4);
}

TEST(PoolDesign, TiesAreBrokenAlikeAtAnyNumberOfThreads) {
  const Glm glm({}, {.prior_sd = 0.5}, 2);
  StimulusSet set;
  set.dim = 2;
  for (int i = 0; i < 5000; ++i) set.pool.insert(set.pool.end(), {1, 0});  // all the same
  std::set<std::int64_t> by_trial;
  for (std::uint64_t trial = 0; trial < 5; ++trial) {
    std::set<std::int64_t> by_threads;
    for (int threads : {1, 2, 8}) {
      const auto executor = make_executor(threads);
      const auto prior = glm.prior();
      const auto design = make_design({}, set, glm.capability(*prior), {}, 9, *executor);
      Choice choice;
      design->choose(*design->make_plan(), glm.capability(*prior), trial, {}, choice);
      by_threads.insert(choice.pool_index);
    }
    EXPECT_EQ(by_threads.size(), 1u);
    by_trial.insert(by_threads.begin(), by_threads.end());
  }
  EXPECT_GT(by_trial.size(), 1u);  // and not always by the first member
}

TEST(PoolDesign, ShowsEachMemberOnceAndThenSaysSo) {
  const auto executor = make_serial_executor();
  const Glm glm({}, {}, 3);
  const StimulusSet set = random_pool(20, 3, true);
  for (const char* kind : {"infomax", "random", "sequence"}) {
    DesignSpec spec;
    spec.kind = kind;
    const auto design = make_design(spec, set, glm.capability(*glm.prior()), {}, 1, *executor);
    const auto plan = design->make_plan();
    auto belief = glm.prior();
    std::set<std::int64_t> shown;
    Choice choice;
    for (std::uint64_t t = 0; t < 20; ++t) {
      design->choose(*plan, glm.capability(*belief), t, {}, choice);
      shown.insert(choice.pool_index);
      design->follow(*plan, glm.capability(*belief), choice.pool_index, choice.values, 1);
    }
    EXPECT_EQ(shown.size(), 20u) << kind;
    EXPECT_THROW(design->choose(*plan, glm.capability(*belief), 20, {}, choice), RunError);
  }
}

TEST(PoolDesign, RepeatsAChoiceCutShortByItsUnits) {
  const auto executor = make_serial_executor();
  const Glm glm({}, {.prior_sd = 0.5}, 4);
  const StimulusSet set = random_pool(20000, 4);
  const auto prior = glm.prior();
  const auto design = make_design({}, set, glm.capability(*prior), {}, 1, *executor);
  auto belief = glm.prior();
  glm.update(*belief, {&set.pool[0], 4}, counts(1), 0);
  ManualClock clock;
  clock.step_ns = 1000;
  Budget deadline;
  deadline.clock = &clock;
  deadline.deadline_ns = 2500;
  Choice cut, again, whole;
  design->choose(*design->make_plan(), glm.capability(*belief), 5, deadline, cut);
  EXPECT_LT(cut.units, 79);
  Budget units;
  units.max_units = cut.units;
  design->choose(*design->make_plan(), glm.capability(*belief), 5, units, again);
  EXPECT_EQ(cut.pool_index, again.pool_index);
  EXPECT_EQ(cut.units, again.units);
  design->choose(*design->make_plan(), glm.capability(*belief), 5, {}, whole);
  EXPECT_EQ(whole.units, 79);
  EXPECT_GE(whole.utility, cut.utility);
}

/// A member that takes 5 ms: the clock is looked at after every one.
TEST(PoolDesign, IsHardlyLateWhereUtilitiesAreDear) {
  class Dear final : public PoolScorer {
   public:
    explicit Dear(ManualClock& clock) : clock_(clock) {}
    std::unique_ptr<State> make_state() const override { return std::make_unique<State>(); }
    std::size_t block_size() const override { return 1; }
    void follow(State&, const models::Capability&, std::span<const std::uint8_t>) const override {}
    void prepare(State&, const models::Capability&, std::span<const std::uint8_t>) const override {}
    void score(State&, const models::Capability&, std::span<const std::size_t> members, std::span<double> utility,
               std::span<double>) const override {
      for (std::size_t k = 0; k < members.size(); ++k) utility[k] = static_cast<double>(members[k] % 7);
      clock_.advance_ns(5000000);
    }

   private:
    ManualClock& clock_;
  };
  const auto executor = make_serial_executor();
  const StimulusSet set = random_pool(500, 2);
  ManualClock clock;
  const auto design = make_pool_design({}, std::make_unique<Dear>(clock), set, 1, *executor);
  Budget budget;
  budget.clock = &clock;
  budget.deadline_ns = 50000000;
  Choice choice;
  design->choose(*design->make_plan(), models::DiscreteView{}, 0, budget, choice);
  EXPECT_EQ(choice.units, 10);
  EXPECT_EQ(clock.now_ns(), budget.deadline_ns);
}

TEST(RandomDesign, FollowsItsStatedLaw) {
  const auto executor = make_serial_executor();
  const Glm glm({}, {}, 30);
  const auto prior = glm.prior();
  StimulusSet ball;
  ball.dim = 30;
  ball.power = 4;
  DesignSpec spec;
  spec.kind = "random";
  Choice choice;
  const auto draw = [&](auto check) {
    const auto design = make_design(spec, ball, glm.capability(*glm.prior()), {}, 1, *executor);
    const auto plan = design->make_plan();
    for (std::uint64_t t = 0; t < 200; ++t) {
      design->choose(*plan, glm.capability(*prior), t, {}, choice);
      EXPECT_TRUE(std::isnan(choice.utility));
      check();
    }
  };
  spec.law = "sphere";
  draw([&] {
    double norm = 0;
    for (double x : choice.values) norm += x * x;
    EXPECT_NEAR(norm, 4, 1e-12);
  });
  spec.law = "gaussian";
  spec.law_sd = 0.1;
  double squares = 0;
  draw([&] {
    for (double x : choice.values) squares += x * x / 6000;
  });
  EXPECT_NEAR(squares, 0.01, 0.01 * 5 * std::sqrt(2. / 6000));
  spec = {};
  spec.kind = "random";
  spec.law = "box";
  spec.low = -0.5;
  spec.high = 2;
  draw([&] {
    for (double x : choice.values) {
      EXPECT_GE(x, -0.5);
      EXPECT_LT(x, 2);
    }
  });
}

TEST(Design, UtilitiesDoNotDependOnTheNumberOfThreads) {
  models::GlmSpec lagged;
  lagged.num_lags = 3;
  lagged.bias = true;
  const Glm plain({}, {.prior_sd = 0.5}, 6), reach(lagged, {.prior_sd = 0.3}, 6);
  const StimulusSet set = random_pool(700, 6);
  for (const Glm* glm : {&plain, &reach})
    for (const char* utility : {"auto", "parameter_variance", "prediction_error", "target", "upper_confidence"}) {
      DesignSpec spec;
      spec.utility = utility;
      if (spec.utility == "target") spec.target = {2};
      std::vector<std::vector<double>> all;
      for (const int threads : {1, 2, 8}) {
        const auto executor = make_executor(threads);
        auto belief = glm->prior();
        const auto design = make_design(spec, set, glm->capability(*belief), {}, 1, *executor);
        const auto plan = design->make_plan();
        for (std::size_t t = 0; t < 5; ++t) {
          glm->update(*belief, {&set.pool[6 * t], 6}, counts(1), 0);
          design->follow(*plan, glm->capability(*belief), 0, {}, 1);
        }
        all.push_back(design->utilities(*plan, glm->capability(*belief)));
      }
      EXPECT_EQ(all[0], all[1]) << utility;
      EXPECT_EQ(all[0], all[2]) << utility;
    }
}

TEST(Design, RefusesChoicesThatDoNotFit) {
  const auto executor = make_serial_executor();
  const Glm glm({}, {}, 3);
  StimulusSet ball;
  ball.dim = 3;
  const StimulusSet pool = random_pool(5, 3);
  DesignSpec spec;
  spec.search = "pool";
  EXPECT_THROW(make_design(spec, ball, glm.capability(*glm.prior()), {}, 1, *executor), SpecError);
  spec.search = "ball";
  EXPECT_THROW(make_design(spec, pool, glm.capability(*glm.prior()), {}, 1, *executor), SpecError);
  spec = {};
  spec.kind = "random";
  spec.law = "sphere";
  EXPECT_THROW(make_design(spec, pool, glm.capability(*glm.prior()), {}, 1, *executor), SpecError);
  spec = {};
  spec.kind = "sequence";
  EXPECT_THROW(make_design(spec, ball, glm.capability(*glm.prior()), {}, 1, *executor), SpecError);
  spec = {};
}

TEST(DiscreteDesign, UncertaintySamplingTakesTheMostVariableResponse) {
  const auto executor = make_serial_executor();
  models::PsychometricSpec spec;
  spec.threshold = {.from = -40, .to = 0, .num = 21};
  spec.slope = {.values = {3.5}};
  spec.guess = {.values = {.5}};
  spec.lapse = {.values = {.02}};
  StimulusSet set;
  set.dim = 1;
  set.pool = models::Axis{.from = -40, .to = 0, .num = 41}.points("x");
  const models::GridModel model(models::make_family(spec), set.pool, *executor);
  const auto belief = model.prior();
  DesignSpec uncertainty;
  uncertainty.kind = "uncertainty";
  const auto design = make_design(uncertainty, set, model.capability(*belief), model.parameter_names, 1, *executor);
  const auto plan = design->make_plan();
  Choice choice;
  design->choose(*plan, model.capability(*belief), 0, {}, choice);
  double best = 0;
  for (std::size_t x = 0; x < 41; ++x) best = std::max(best, model.mean_response(*belief, x).second);
  EXPECT_DOUBLE_EQ(choice.utility, best);
}

}  // namespace
}  // namespace hartline::design
