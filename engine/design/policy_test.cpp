#include "design/policy.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "design/rollouts.hpp"
#include "models/particles.hpp"
#include "models/test_texts.hpp"

namespace hartline::design {
namespace {

using models::test_text;

std::shared_ptr<const models::EncodingText> sources() {
  return test_text({{"x", "box(-4, 4)[2]"}}, "y ~ normal(log(0.1 + 1 / (0.01 + (x[0] - a)^2 + (x[1] - b)^2)), 0.5)",
                   {{"a", "normal(0, 1)"}, {"b", "normal(0, 1)"}});
}

StimulusSet box_of(double low, double high, std::size_t dim) {
  StimulusSet set;
  set.dim = dim;
  set.low = {low};
  set.high = {high};
  set.shape = SetKind::box;
  return set;
}

std::shared_ptr<models::TrainedNetwork> untrained(const models::EncodingText& text, const models::TextLikelihood& likelihood,
                                                  bool recurrent = false) {
  auto out = std::make_shared<models::TrainedNetwork>();
  out->target = "policy";
  out->num_trials = 10;
  out->recurrent = recurrent;
  out->encoder = {64, 64};
  out->num_codes = 16;
  out->readout = {64};
  begin_network(likelihood, *out);
  // a stimulus that depends visibly on the history
  Stream stream(4, Purpose::test);
  for (double& w : out->weights) w += 0.1 * stream.normal();
  models::check_network(*out, text, "network");
  return out;
}

/// A policy over the sources, with a belief that it does not look at.
struct Bench {
  explicit Bench(bool recurrent = false)
      : text(sources()), likelihood(text), set(box_of(-4, 4, 2)), executor(make_serial_executor()), model(text, {100}, 1, *executor) {
    DesignSpec spec;
    spec.kind = "policy";
    design = make_policy_design(untrained(*text, likelihood, recurrent), *text, spec, set);
  }
  Choice after(const std::vector<std::pair<std::vector<double>, Response>>& trials) const {
    const auto plan = design->make_plan();
    const auto belief = model.prior();
    for (const auto& [x, response] : trials) design->learn(*plan, x, response);
    Choice out;
    design->choose(*plan, model.capability(*belief), trials.size(), {}, out);
    return out;
  }
  Response answer(double y, Mark mark = Mark::observed) const { return models::test_response(model, y, mark); }

  std::shared_ptr<const models::EncodingText> text;
  models::TextLikelihood likelihood;
  StimulusSet set;
  std::unique_ptr<Executor> executor;
  models::ParticleModel model;
  std::unique_ptr<Design> design;
};

TEST(Policy, DoesNotDependOnTheOrderOfTrials) {
  const Bench bench;
  const auto a = bench.after({{{1, 2}, bench.answer(0.3)}, {{-1, 0}, bench.answer(2)}, {{3, 3}, bench.answer(-1)}}),
             b = bench.after({{{3, 3}, bench.answer(-1)}, {{1, 2}, bench.answer(0.3)}, {{-1, 0}, bench.answer(2)}}),
             c = bench.after({{{3, 3}, bench.answer(-1)}, {{1, 2}, bench.answer(0.9)}, {{-1, 0}, bench.answer(2)}});
  EXPECT_NEAR(a.values[0], b.values[0], 1e-12);
  EXPECT_NEAR(a.values[1], b.values[1], 1e-12);
  EXPECT_GT(std::abs(a.values[0] - c.values[0]) + std::abs(a.values[1] - c.values[1]), 1e-6);
}

TEST(Policy, LeavesOutWhatIsMissing) {
  const Bench bench, recurrent(true);
  const std::vector<double> x{1, 2};
  const Choice none = bench.after({});
  EXPECT_EQ(bench.after({{x, bench.answer(NAN, Mark::missing)}}).values, none.values);
  EXPECT_EQ(bench.after({{x, bench.answer(7, Mark::blanked)}}).values, none.values);
  EXPECT_NE(bench.after({{x, bench.answer(7)}}).values, none.values);
  // where order matters a lost trial is read with its mean
  EXPECT_NE(recurrent.after({{x, recurrent.answer(NAN, Mark::missing)}}).values, recurrent.after({}).values);
}

TEST(Policy, KeepsToTheBoxAndToTheValuesOfVariables) {
  const auto text = test_text({{"x", "box(-4, 4)"}, {"level", "values(3, 1, 2)"}}, "y ~ normal(a * x * level, 1)", {{"a", "normal(0, 1)"}});
  const StimulusRule rule(*text);
  std::vector<double> x(2);
  const double far[] = {1.5707963267948966, -1.5707963267948966}, near[] = {0, 0.1}, other[] = {-1.5707963267948966, 0.9};
  EXPECT_EQ(rule(far, 1, x), -1);
  EXPECT_EQ(x, (std::vector<double>{4, 1}));
  rule(near, 1, x);
  EXPECT_EQ(x, (std::vector<double>{0, 2}));
  rule(other, 1, x);
  EXPECT_EQ(x, (std::vector<double>{-4, 3}));
}

/// Every member of a pool can be reached, and is the nearest.
TEST(Policy, ChoosesTheNearestMemberOfAPool) {
  const auto text = test_text({{"reward", "range(1, 9, 2)"}, {"delay", "values(0, 3, 1)"}}, "now ~ bernoulli(logistic(reward - a * delay))",
                              {{"a", "normal(0, 1)"}});
  const std::vector<double> pool = models::every_stimulus(text->stimulus);
  const StimulusRule rule(*text);
  std::vector<double> x(2);
  for (std::size_t member = 0; member * 2 < pool.size(); ++member) {
    double o[2];
    for (std::size_t i = 0; i < 2; ++i)
      o[i] = std::asin(std::clamp((pool[member * 2 + i] + 0.1 - rule.middle()[i]) / rule.range()[i], -0.999, 0.999));
    EXPECT_EQ(rule(o, 1, x), static_cast<std::int64_t>(member));
    EXPECT_EQ(x[0], pool[member * 2]);
    EXPECT_EQ(x[1], pool[member * 2 + 1]);
  }
}

TEST(Policy, ChoosesWithinAMillisecond) {
  const Bench bench, recurrent(true);
  for (const Bench* one : {&bench, &recurrent}) {
    const auto plan = one->design->make_plan();
    const auto belief = one->model.prior();
    const models::Capability view = one->model.capability(*belief);
    const std::vector<double> x{1, 2};
    const Response response = one->answer(0.5);
    Choice out;
    std::vector<double> times;
    for (int k = 0; k < 200; ++k) {
      const auto begun = std::chrono::steady_clock::now();
      one->design->learn(*plan, x, response);
      one->design->choose(*plan, view, 0, {}, out);
      times.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count());
    }
    std::sort(times.begin(), times.end());
    EXPECT_LT(times[100], 1e-3);
    RecordProperty("microseconds", static_cast<int>(1e6 * times[100]));
  }
}

TEST(Policy, RefusesSettingsThatItHasNoUseFor) {
  const Bench bench;
  const auto refused = [&](auto&& change) {
    DesignSpec spec;
    spec.kind = "policy";
    change(spec);
    try {
      make_policy_design(untrained(*bench.text, bench.likelihood), *bench.text, spec, bench.set);
    } catch (const SpecError& error) {
      return error.fault.path;
    }
    return std::string("nothing");
  };
  EXPECT_EQ(refused([](DesignSpec& spec) { spec.batch = 2; }), "design.batch");
  EXPECT_EQ(refused([](DesignSpec& spec) { spec.explore = 0.1; }), "design.explore");
  EXPECT_EQ(refused([](DesignSpec& spec) { spec.utility = "target"; }), "design.utility");
  EXPECT_EQ(refused([](DesignSpec& spec) { spec.deadline_ms = 3; }), "nothing");
}

}  // namespace
}  // namespace hartline::design
