// Whether designs allocate once they are warm: every search, kind of belief and modifier, on any thread.
#include <gtest/gtest.h>

#include "counted_allocations.hpp"
#include "design/rollouts.hpp"
#include "design/test_beliefs.hpp"
#include "models/grid.hpp"
#include "models/test_texts.hpp"

namespace hartline {
namespace {

using design::Choice;
using design::DesignSpec;
using design::StimulusSet;

struct Case {
  const char* name;
  const models::Model* model;
  const StimulusSet* set;
  DesignSpec spec;
};

/// Allocations in choose and follow over trials 31 to 60, with two responses always pending where `pending`.
std::int64_t allocations(const Case& c, bool pending, Executor& executor) {
  auto belief = c.model->prior();
  const auto design = design::make_design(c.spec, *c.set, c.model->capability(*belief), c.model->parameter_names, 1, executor);
  const auto plan = design->make_plan();
  Choice choice;
  Response response;
  response.kind = c.model->response_kind;
  response.num_bins = static_cast<std::int64_t>(c.model->num_bins);
  std::int64_t num = 0;
  const auto counted = [&](std::uint64_t trial, auto&& call) {
    if (trial < 30) return call();
    realtime::begin_to_count();
    call();
    for (const auto& count : realtime::end_to_count()) num += count.num;
  };
  for (std::uint64_t t = 0; t < 60; ++t) {
    auto ahead = belief->fork();
    response.values.assign(c.model->num_bins, 0.0);
    response.marks.assign(c.model->num_bins, Mark::pending);
    for (int k = 0; pending && k < 2 && t > 0; ++k) c.model->update(*ahead, choice.values, response, 0);
    const auto before = c.model->capability(*ahead);
    counted(t, [&] { design->choose(*plan, before, t, {}, choice); });
    response.marks.clear();
    for (double& r : response.values) r = static_cast<double>(t % 2);
    c.model->update(*belief, choice.values, response, 1);
    const auto after = c.model->capability(*belief);
    counted(t, [&] { design->follow(*plan, after, choice.pool_index, choice.values, 1.5); });
  }
  return num;
}

TEST(Designs, DoNotAllocateAfterTheFirstTrials) {
#ifdef HARTLINE_SANITIZED
  GTEST_SKIP() << "a sanitizer has its own malloc, which cannot be counted";
#endif
  const auto serial = make_serial_executor(), two = make_executor(2);
  models::GlmSpec lagged;
  lagged.num_lags = 3;
  lagged.num_history = 1;
  lagged.bias = true;
  const models::Glm plain({}, {.prior_sd = 0.3}, 6), reach(lagged, {.prior_sd = 0.2}, 3, {.num_frames = 2});
  models::PsychometricSpec curve;
  curve.threshold = {.from = -30, .to = -10, .num = 11};
  curve.slope = {.values = {2, 3.5}};
  curve.guess = {.values = {.5}};
  curve.lapse = {.values = {.02}};
  StimulusSet axis, box, display;
  axis.dim = 1;
  axis.pool = models::Axis{.from = -35, .to = -5, .num = 23}.points("x");
  const models::GridModel grid(models::make_family(curve), axis.pool, *serial);
  const StimulusSet pool = design::random_pool(600, 6);
  box.dim = display.dim = 6;
  box.shape = design::SetKind::box;
  display.shape = design::SetKind::ball_in_box;
  box.low = display.low = {-0.5};
  box.high = display.high = {0.6};
  const auto spec = [](const char* utility, auto&& change) {
    DesignSpec out;
    out.utility = utility;
    change(out);
    return out;
  };
  const auto same = [](DesignSpec&) {};
  const auto modified = [](DesignSpec& s) {
    s.per_second = s.no_repeat = true;
    s.explore = 0.2;
    s.max_expected_count = 50;
  };
  const auto target = [](DesignSpec& s) { s.target = {0, 1}; };
  const auto ahead = [](DesignSpec& s) {
    s.lookahead.depth = 2;
    s.no_repeat = true;
  };
  const Case cases[] = {{"pool", &plain, &pool, spec("auto", modified)},
                        {"pool, variance", &plain, &pool, spec("parameter_variance", same)},
                        {"pool, prediction", &plain, &pool, spec("prediction_error", same)},
                        {"pool, target", &plain, &pool, spec("target", target)},
                        {"reach", &reach, &pool, spec("auto", modified)},
                        {"reach, variance", &reach, &pool, spec("parameter_variance", same)},
                        {"reach, target", &reach, &pool, spec("target", target)},
                        {"box", &plain, &box, spec("auto", same)},
                        {"display", &plain, &display, spec("auto", [](DesignSpec& s) { s.explore = 0.2; })},
                        {"display with reach", &reach, &display, spec("auto", same)},
                        {"box with reach, target", &reach, &box, spec("target", target)},
                        {"box with a cap", &plain, &box, spec("auto", [](DesignSpec& s) { s.max_expected_count = 2; })},
                        {"grid", &grid, &axis, spec("auto", modified)},
                        {"grid, variance", &grid, &axis, spec("parameter_variance", same)},
                        {"grid, prediction", &grid, &axis, spec("prediction_error", same)},
                        {"grid, target", &grid, &axis, spec("target", target)},
                        {"grid, two trials", &grid, &axis, spec("auto", ahead)}};
  for (const Case& c : cases)
    for (Executor* executor : {serial.get(), two.get()})
      for (const bool pending : {false, true})
        EXPECT_EQ(allocations(c, pending, *executor), 0)
            << c.name << (pending ? ", pending, " : ", ") << executor->num_threads() << " threads";
}

TEST(Designs, PoliciesDoNotAllocateAfterTheFirstTrials) {
#ifdef HARTLINE_SANITIZED
  GTEST_SKIP() << "a sanitizer has its own malloc, which cannot be counted";
#endif
  const auto text = models::test_text({{"x", "box(-4, 4)[2]"}}, "y ~ normal(x[0] * a - x[1], 0.5)", {{"a", "normal(0, 1)"}});
  const models::TextLikelihood likelihood(text);
  StimulusSet box;
  box.dim = 2;
  box.shape = design::SetKind::box;
  box.low = {-4};
  box.high = {4};
  DesignSpec spec;
  spec.kind = "policy";
  for (const bool recurrent : {false, true}) {
    auto network = std::make_shared<models::TrainedNetwork>();
    network->target = "policy";
    network->recurrent = recurrent;
    network->encoder = network->readout = {16};
    network->num_codes = 4;
    design::begin_network(likelihood, *network);
    const auto design = design::make_policy_design(network, *text, spec, box);
    const auto plan = design->make_plan();
    Choice choice;
    Response response;
    response.values = {0.5};
    std::int64_t num = 0;
    for (std::uint64_t t = 0; t < 20; ++t) {
      if (t >= 10) realtime::begin_to_count();
      design->choose(*plan, {}, t, {}, choice);
      design->learn(*plan, choice.values, response);
      if (t >= 10)
        for (const auto& count : realtime::end_to_count()) num += count.num;
    }
    EXPECT_EQ(num, 0) << recurrent;
  }
}

}  // namespace
}  // namespace hartline
