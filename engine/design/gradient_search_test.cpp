#include "design/gradient_search.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.hpp"
#include "design/ball_search.hpp"
#include "design/test_beliefs.hpp"

namespace hartline::design {
namespace {

using models::GaussianView;
using models::Glm;

StimulusSet set_of(SetKind kind, std::size_t dim) {
  StimulusSet set;
  set.dim = dim;
  set.shape = kind;
  set.power = 1.3;
  set.low = {-0.6};
  set.high = {0.8};
  return set;
}

void draw(const StimulusSet& set, Stream& stream, std::span<double> x) {
  const bool box = set.has_range();
  do {
    if (box)
      for (std::size_t i = 0; i < x.size(); ++i) x[i] = set.low_of(i) + (set.high_of(i) - set.low_of(i)) * stream.uniform();
    else
      stream.fill_sphere(x, std::sqrt(set.power));
    double norm = 0;
    for (const double value : x) norm += value * value;
    if (!set.has_power() || norm <= set.power * (1 + 1e-12)) return;
    // in many dimensions few draws from the box lie in the ball: scale them onto its sphere, which may stay in the box
    for (double& value : x) value *= std::sqrt(set.power / norm);
    return;
  } while (true);
}

struct Problem {
  Glm glm;
  std::unique_ptr<models::Belief> belief;
  GaussianView view() const { return std::get<GaussianView>(glm.capability(*belief)); }
};

Problem problem(std::size_t dim, bool reach, const char* response, const char* link, double prior_sd = 0.9) {
  models::GlmSpec spec;
  spec.response = response;
  spec.link = link;
  spec.bias = true;
  if (reach) {
    spec.num_lags = 3;
    spec.num_history = 1;
  }
  Problem out{Glm(spec, {.prior_sd = prior_sd, .bias_sd = 0.5}, reach ? dim / 2 : dim, {.num_frames = reach ? 2u : 1u}), nullptr};
  out.belief = out.glm.prior();
  const StimulusSet pool = random_pool(20, out.glm.stimulus_dim);
  learn(out.glm, *out.belief, pool, 6);
  return out;
}

TEST(GaussianObjective, GradientIsADifference) {
  for (const bool reach : {false, true})
    for (const char* utility : {"laplace_information", "parameter_variance", "prediction_error", "target", "upper_confidence"}) {
      const Problem p = problem(4, reach, "poisson", "softplus");
      const StimulusSet set = set_of(SetKind::ball, 4);
      DesignSpec spec;
      spec.utility = utility;
      if (spec.utility == "target") spec.target = {0, 2};
      const GaussianView view = p.view();
      const SecondForm second(spec, set, view, {}, 1);
      const GaussianObjective objective(JointUtility(GaussianUtility(spec, p.glm.law)), second, false, view);
      GaussianObjective::Scratch scratch(objective);
      objective.prepare(view, scratch);
      std::vector<double> x = {0.3, -0.5, 0.2, 0.6}, gradient(4), none(4), count_gradient(4, 0.0);
      objective(view, x, scratch, gradient);
      objective.count(scratch);
      const std::vector<double> ones(objective.num_rows(), 1.0);
      objective.add_count_gradient(view, ones, scratch, count_gradient);
      for (std::size_t i = 0; i < 4; ++i) {
        const double h = 1e-4;
        double total[2], log_counts[2];
        for (const int side : {0, 1}) {
          auto moved = x;
          moved[i] += side ? h : -h;
          total[side] = objective(view, moved, scratch, none);
          objective.count(scratch);
          log_counts[side] = 0;
          for (const double log_count : scratch.log_count) log_counts[side] += log_count;
        }
        EXPECT_NEAR(gradient[i], (total[1] - total[0]) / (2 * h), 2e-6) << utility << ' ' << reach;
        EXPECT_NEAR(count_gradient[i], (log_counts[1] - log_counts[0]) / (2 * h), 2e-6) << utility << ' ' << reach;
      }
    }
}

TEST(GradientSearch, NeverLosesAgainstRandomStimuli) {
  for (std::size_t dim = 2; dim <= 6; ++dim)
    for (const bool reach : {false, true})
      for (const SetKind kind : {SetKind::ball, SetKind::box, SetKind::ball_in_box})
        for (const char* response : {"poisson", "bernoulli"}) {
          if (reach && dim % 2 == 1) continue;
          const Problem p = problem(dim, reach, response, response[0] == 'p' ? "exp" : "logistic");
          const StimulusSet set = set_of(kind, dim);
          const GaussianView view = p.view();
          const GaussianObjective objective(JointUtility(GaussianUtility(Utility::laplace_information, p.glm.law)), {}, false,
                                            view);
          const GradientSearch search(objective, set, std::numeric_limits<double>::infinity(), 4000);
          const auto scratch = search.make_scratch();
          std::vector<double> x(dim), other(dim), inside(dim);
          const GradientOptimum found = search(view, {}, {}, 1, dim, {}, *scratch, x);
          JointScratch joint(objective.num_rows());
          const JointUtility utility(GaussianUtility(Utility::laplace_information, p.glm.law));
          const auto value = [&](const std::vector<double>& at) {
            const Matrix s = rows_of(view, at.data()), v = s * covariance_of(view) * s.transpose();
            const Vector m = s * mean_of(view);
            return utility.value(objective.num_rows(), m.data(), v.data(), nullptr, joint);
          };
          EXPECT_NEAR(value(x), found.utility, 1e-9 * (1 + found.utility));
          Stream stream(dim, Purpose::test, reach);
          double best = 0;
          for (int k = 0; k < (reach ? 20000 : 100000); ++k) {
            draw(set, stream, other);
            bool in = true;
            for (std::size_t i = 0; set.has_range() && i < dim; ++i)
              in = in && other[i] >= set.low_of(i) && other[i] <= set.high_of(i);
            if (in) best = std::max(best, value(other));
          }
          EXPECT_GE(found.utility, best * (1 - 1e-6))
              << "d=" << dim << " reach=" << reach << " set=" << static_cast<int>(kind) << response;
        }
}

TEST(GradientSearch, EqualsTheBallSearchOnABall) {
  double units = 0;
  for (const std::size_t dim : {3, 10, 40})
    for (const char* response : {"poisson", "bernoulli"}) {
      const Problem p = problem(dim, false, response, response[0] == 'p' ? "exp" : "logistic");
      const StimulusSet set = set_of(SetKind::ball, dim);
      const GaussianView view = p.view();
      const GaussianUtility utility(Utility::laplace_information, p.glm.law);
      const GradientSearch search(GaussianObjective(JointUtility(utility), {}, false, view), set,
                                  std::numeric_limits<double>::infinity(), 4000);
      const BallSearch ball(utility.linear(), set.power, 96);
      const auto scratch = search.make_scratch();
      const auto ball_scratch = ball.make_scratch(dim);
      std::vector<double> x(dim), y(dim);
      const GradientOptimum found = search(view, {}, {}, 1, 0, {}, *scratch, x);
      const double wanted = ball(view, {}, 1, 0, {}, *ball_scratch, y).utility;
      EXPECT_NEAR(found.utility, wanted, 1e-6 * wanted) << dim << ' ' << response;
      units += static_cast<double>(found.units) / 6;
    }
  std::printf("gradient search of a ball: %.0f evaluations on average\n", units);
}

TEST(GradientSearch, TheCapIsKeptAndUsedUp) {
  for (const bool reach : {false, true})
    for (const SetKind kind : {SetKind::ball, SetKind::box, SetKind::ball_in_box}) {
      const Problem p = problem(4, reach, "poisson", "exp");
      const StimulusSet set = set_of(kind, 4);
      const GaussianView view = p.view();
      const GaussianUtility utility(Utility::laplace_information, p.glm.law);
      const GaussianObjective objective(JointUtility(utility), {}, false, view);
      const double cap = 1.6;
      const GradientSearch search(objective, set, cap, 8000), free(objective, set, std::numeric_limits<double>::infinity(), 8000);
      const auto scratch = search.make_scratch();
      std::vector<double> x(4), other(4);
      const GradientOptimum without = free(view, {}, {}, 1, 0, {}, *scratch, x);
      ASSERT_GT(free.largest_count(view, x, *scratch), cap);
      const GradientOptimum found = search(view, {}, {}, 1, 0, {}, *scratch, x);
      ASSERT_TRUE(found.allowed);
      EXPECT_LE(search.largest_count(view, x, *scratch), cap * (1 + 1e-12));
      EXPECT_LT(found.utility, without.utility);
      Stream stream(5, Purpose::test, reach);
      double best = 0;
      GaussianObjective::Scratch inner(objective);
      std::vector<double> gradient(4);
      for (int k = 0; k < 20000; ++k) {
        draw(set, stream, other);
        bool in = true;
        for (std::size_t i = 0; set.has_range() && i < 4; ++i) in = in && other[i] >= set.low_of(i) && other[i] <= set.high_of(i);
        const double u = objective(view, other, inner, gradient);
        objective.count(inner);
        for (const double log_count : inner.log_count) in = in && log_count <= std::log(cap);
        if (in) best = std::max(best, u);
      }
      EXPECT_GE(found.utility, best * (1 - 1e-6)) << reach << ' ' << static_cast<int>(kind);
      const GradientSearch impossible(objective, set, 1e-6, 8000);
      const GradientOptimum none = impossible(view, {}, {}, 1, 0, {}, *scratch, x);
      EXPECT_FALSE(none.allowed);
      EXPECT_GT(none.smallest_count, 1e-6);
    }
}

TEST(GradientSearch, WorkBudgetIsHonouredAndRepeatable) {
  const Problem p = problem(6, true, "poisson", "exp");
  const StimulusSet set = set_of(SetKind::ball_in_box, 6);
  const GaussianView view = p.view();
  const GradientSearch search(
      GaussianObjective(JointUtility(GaussianUtility(Utility::laplace_information, p.glm.law)), {}, false, view), set,
      std::numeric_limits<double>::infinity(), 4000);
  const auto scratch = search.make_scratch(), other = search.make_scratch();
  std::vector<double> x(6), again(6), last = {0.1, 0.2, 0.3, 0.1, 0.2, 0.3};
  ManualClock clock;
  clock.step_ns = 1000;
  for (const std::int64_t deadline_ns : {500, 20500, 90500}) {
    Budget deadline;
    deadline.clock = &clock;
    deadline.deadline_ns = clock.now_ns() + deadline_ns;
    const GradientOptimum cut = search(view, last, {}, 1, 7, deadline, *scratch, x);
    EXPECT_LE(cut.units, 1 + deadline_ns / 1000);
    EXPECT_GE(cut.units, 1);
    Budget units;
    units.max_units = cut.units;
    const GradientOptimum repeated = search(view, last, {}, 1, 7, units, *other, again);
    EXPECT_EQ(repeated.units, cut.units);
    EXPECT_EQ(repeated.utility, cut.utility);
    EXPECT_EQ(x, again);
  }
}

TEST(GradientSearch, DesignsUseItWhereTheBallCurveDoesNotFit) {
  const auto executor = make_serial_executor();
  const Problem p = problem(4, false, "poisson", "exp");
  DesignSpec spec;
  Choice choice, again;
  for (const SetKind kind : {SetKind::box, SetKind::ball_in_box, SetKind::ball}) {
    const StimulusSet set = set_of(kind, 4);
    if (kind == SetKind::ball) spec.search = "gradient";
    const auto design = make_design(spec, set, p.view(), {}, 1, *executor);
    const auto plan = design->make_plan();
    design->choose(*plan, p.view(), 0, {}, choice);
    EXPECT_GT(choice.utility, 0);
    Budget units;
    units.max_units = choice.units;
    design->choose(*design->make_plan(), p.view(), 0, units, again);
    EXPECT_EQ(choice.values, again.values);
    EXPECT_EQ(choice.units, again.units);
  }
  spec.search = "ball";
  EXPECT_THROW(make_design(spec, set_of(SetKind::box, 4), p.view(), {}, 1, *executor), SpecError);
  spec.search = "auto";
  spec.max_expected_count = 1e-9;
  const StimulusSet ball = set_of(SetKind::ball, 4);
  const auto capped = make_design(spec, ball, p.view(), {}, 1, *executor);
  try {
    capped->choose(*capped->make_plan(), p.view(), 3, {}, choice);
    FAIL() << "no stimulus is allowed";
  } catch (const RunError& error) {
    EXPECT_EQ(error.fault.path, "design.max_expected_count");
    EXPECT_EQ(error.trial, 3);
  }
}

}  // namespace
}  // namespace hartline::design
