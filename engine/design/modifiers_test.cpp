#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.hpp"
#include "design/response_integral.hpp"
#include "design/test_beliefs.hpp"

namespace hartline::design {
namespace {

using models::GaussianView;
using models::Glm;

struct Problem {
  Glm glm{{}, {.prior_sd = 0.7}, 4};
  std::unique_ptr<models::Belief> belief = glm.prior();
  StimulusSet set = random_pool(600, 4);
  std::unique_ptr<Executor> executor = make_serial_executor();
  Problem() { learn(glm, *belief, set, 10); }
  GaussianView view() const { return std::get<GaussianView>(glm.capability(*belief)); }
  std::unique_ptr<Design> make(const DesignSpec& spec) const { return make_design(spec, set, view(), {}, 1, *executor); }
  double count(std::size_t i) const {
    const Matrix s = rows_of(view(), &set.pool[4 * i]);
    return models::expected_response(glm.law, (s * mean_of(view()))(0), (s * covariance_of(view()) * s.transpose())(0, 0));
  }
};

std::int64_t best_of(const std::vector<double>& values) { return std::max_element(values.begin(), values.end()) - values.begin(); }

TEST(Modifiers, UtilityPerSecondUsesMeasuredDurations) {
  const Problem p;
  DesignSpec spec;
  spec.per_second = true;
  const auto design = p.make(spec), plain = p.make({});
  const auto plan = design->make_plan();
  const auto u = plain->utilities(*plain->make_plan(), p.view());
  EXPECT_EQ(design->utilities(*plan, p.view()), u);  // no duration is known: 1 s each
  const std::int64_t top = best_of(u);
  design->follow(*plan, p.view(), top, {}, 10);
  design->follow(*plan, p.view(), top, {}, 6);
  design->follow(*plan, p.view(), 1, {}, 2);
  design->follow(*plan, p.view(), 2, {}, std::nan(""));  // not known: does not count
  const auto rate = design->utilities(*plan, p.view());
  for (std::size_t i = 0; i < rate.size(); ++i)
    EXPECT_DOUBLE_EQ(rate[i], u[i] / (static_cast<std::int64_t>(i) == top ? 8 : i == 1 ? 2 : 6));
  Choice choice;
  design->choose(*plan, p.view(), 0, {}, choice);
  EXPECT_EQ(choice.pool_index, best_of(rate));
  EXPECT_NEAR(choice.utility, rate[static_cast<std::size_t>(choice.pool_index)], 1e-12);
  EXPECT_NE(choice.pool_index, top);
}

TEST(Modifiers, CostsAreSubtracted) {
  const Problem p;
  const auto plain = p.make({});
  const auto u = plain->utilities(*plain->make_plan(), p.view());
  DesignSpec spec;
  spec.cost.assign(600, 0.0);
  spec.cost[static_cast<std::size_t>(best_of(u))] = 1;
  const auto design = p.make(spec);
  auto wanted = u;
  wanted[static_cast<std::size_t>(best_of(u))] -= 1;
  Choice choice;
  design->choose(*design->make_plan(), p.view(), 0, {}, choice);
  EXPECT_EQ(choice.pool_index, best_of(wanted));
  EXPECT_NE(choice.pool_index, best_of(u));
  spec.cost.pop_back();
  EXPECT_THROW(p.make(spec), SpecError);
}

TEST(Modifiers, TheCapBarsStimuliAndSaysWhenItBarsAll) {
  const Problem p;
  double smallest = 1e300;
  for (std::size_t i = 0; i < 600; ++i) smallest = std::min(smallest, p.count(i));
  const auto plain = p.make({});
  const auto u = plain->utilities(*plain->make_plan(), p.view());
  DesignSpec spec;
  spec.max_expected_count = 1.5 * smallest;
  const auto design = p.make(spec);
  Choice choice;
  design->choose(*design->make_plan(), p.view(), 0, {}, choice);
  double best = 0;
  for (std::size_t i = 0; i < 600; ++i)
    if (p.count(i) <= *spec.max_expected_count) best = std::max(best, u[i]);
  EXPECT_NEAR(choice.utility, best, 1e-12);
  EXPECT_LE(p.count(static_cast<std::size_t>(choice.pool_index)), *spec.max_expected_count);
  EXPECT_LT(best, *std::max_element(u.begin(), u.end()));
  // a draw keeps to it too
  spec.explore = 1;
  const auto drawing = p.make(spec);
  std::set<std::int64_t> drawn;
  for (std::uint64_t t = 0; t < 60; ++t) {
    drawing->choose(*drawing->make_plan(), p.view(), t, {}, choice);
    EXPECT_TRUE(choice.explored);
    EXPECT_LE(p.count(static_cast<std::size_t>(choice.pool_index)), *spec.max_expected_count);
    drawn.insert(choice.pool_index);
  }
  EXPECT_GT(drawn.size(), 1u);
  for (const double explore : {0.0, 1.0}) {
    spec.explore = explore;
    spec.max_expected_count = 0.9 * smallest;
    const auto none = p.make(spec);
    try {
      none->choose(*none->make_plan(), p.view(), 4, {}, choice);
      FAIL() << "every stimulus is above the cap";
    } catch (const RunError& error) {
      EXPECT_NE(std::string(error.what()).find(number_text(smallest).substr(0, 8)), std::string::npos) << error.what();
      EXPECT_EQ(error.trial, 4);
    }
  }
}

TEST(Modifiers, TheExplorationShareIsKept) {
  const Problem p;
  StimulusSet ball;
  ball.dim = 4;
  DesignSpec spec;
  spec.explore = 0.3;
  for (const StimulusSet* set : {&p.set, static_cast<const StimulusSet*>(&ball)}) {
    const auto design = make_design(spec, *set, p.view(), {}, 1, *p.executor),
               plain = make_design({}, *set, p.view(), {}, 1, *p.executor);
    const auto plan = design->make_plan(), plain_plan = plain->make_plan();
    int explored = 0;
    Choice choice, other;
    for (std::uint64_t t = 0; t < 1000; ++t) {
      design->choose(*plan, p.view(), t, {}, choice);
      explored += choice.explored;
      EXPECT_EQ(std::isnan(choice.utility), choice.explored);
      if (choice.explored || t > 100) continue;
      plain->choose(*plain_plan, p.view(), t, {}, other);
      EXPECT_EQ(choice.values, other.values);  // the other trials are as without exploration
      EXPECT_FALSE(other.explored);
    }
    EXPECT_NEAR(explored, 300, 5 * std::sqrt(210.0));  // fails by chance once in a million
  }
}

TEST(Modifiers, NoMemberFollowsItself) {
  const Problem p;
  DesignSpec spec;
  spec.no_repeat = true;
  for (const char* kind : {"infomax", "random"}) {
    spec.kind = kind;
    StimulusSet two = random_pool(2, 4);
    const auto design = make_design(spec, two, p.view(), {}, 1, *p.executor);
    const auto plan = design->make_plan();
    Choice choice;
    std::int64_t last = -1;
    for (std::uint64_t t = 0; t < 20; ++t) {
      design->choose(*plan, p.view(), t, {}, choice);
      EXPECT_NE(choice.pool_index, last) << kind;
      last = choice.pool_index;
      design->follow(*plan, p.view(), last, choice.values, 1);
    }
  }
  EXPECT_THROW(make_design(spec, random_pool(1, 4), p.view(), {}, 1, *p.executor), SpecError);
}

TEST(Modifiers, BoundsNeverChangeTheChoice) {
  // the same utilities with the fast path (bounds) and without it (a cap that bars nothing), on wide beliefs, whose bounds are
  // loose
  DesignSpec costly, capped;
  costly.per_second = capped.per_second = true;
  for (std::size_t i = 0; i < 600; ++i) costly.cost.push_back(0.001 * static_cast<double>(i % 13));
  capped.cost = costly.cost;
  capped.max_expected_count = 1e300;
  const Glm glm({}, {.prior_sd = 3}, 4);
  const StimulusSet set = random_pool(600, 4);
  const auto executor = make_serial_executor();
  auto belief = glm.prior();
  const auto fast = make_design(costly, set, glm.capability(*belief), {}, 1, *executor);
  const auto slow = make_design(capped, set, glm.capability(*belief), {}, 1, *executor);
  const auto fast_plan = fast->make_plan(), slow_plan = slow->make_plan();
  Choice a, b;
  for (std::uint64_t t = 0; t < 40; ++t) {
    fast->choose(*fast_plan, glm.capability(*belief), t, {}, a);
    slow->choose(*slow_plan, glm.capability(*belief), t, {}, b);
    EXPECT_EQ(a.pool_index, b.pool_index);
    glm.update(*belief, a.values, counts({static_cast<double>(t % 3)}), 0);
    for (const bool quick : {true, false})
      (quick ? fast : slow)
          ->follow(quick ? *fast_plan : *slow_plan, glm.capability(*belief), a.pool_index, a.values,
                   1 + 0.1 * static_cast<double>(t));
  }
}

}  // namespace
}  // namespace hartline::design
