#include "design/lookahead.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "design/imagination.hpp"
#include "models/grid.hpp"
#include "models/particles.hpp"
#include "models/text_grid.hpp"

namespace hartline::design {
namespace {

std::shared_ptr<const models::EncodingText> text_of(const char* pool,
                                                    std::initializer_list<std::pair<const char*, const char*>> model,
                                                    std::initializer_list<std::pair<const char*, const char*>> parameters) {
  Table variables, lines, priors;
  variables.set("x", pool);
  for (const auto& [name, value] : parameters) priors.set(name, value);
  for (const auto& [name, value] : model) lines.set(name, value);
  lines.set("parameters", priors);
  return std::make_shared<const models::EncodingText>(variables, lines);
}

struct Setting {
  Setting(std::unique_ptr<models::Model> m, std::vector<double> pool, std::unique_ptr<Executor> e)
      : executor(std::move(e)), model(std::move(m)), belief(model->prior()) {
    set.dim = 1;
    set.pool = std::move(pool);
  }
  Choice choose(const DesignSpec& spec, const Budget& budget = {}, std::uint64_t trial = 0) const {
    const auto design = make_design(spec, set, model->capability(*belief), model->parameter_names, 1, *executor);
    const auto plan = design->make_plan();
    Choice out;
    design->choose(*plan, model->capability(*belief), trial, budget, out);
    return out;
  }
  std::unique_ptr<Executor> executor;
  std::unique_ptr<models::Model> model;
  std::unique_ptr<models::Belief> belief;
  StimulusSet set;
};

DesignSpec ahead(std::int64_t depth, std::int64_t width, std::int64_t num_futures = 32, std::int64_t num_samples = 512) {
  DesignSpec spec;
  spec.lookahead = {depth, width, num_futures, num_samples};
  return spec;
}

/// One source on a line, at steps of .02, under a standard normal prior, by its density at even steps from -4.5 to 4.5.
Setting source(int num_threads, std::size_t num_values) {
  auto executor = make_executor(num_threads);
  std::vector<double> pool;
  for (int k = -125; k <= 125; ++k) pool.push_back(0.02 * k);
  auto text = text_of("range(-3, 3, 0.05)", {{"response", "y ~ normal(log(0.1 + 1 / (1e-4 + (x - theta)^2)), 0.5)"}},
                      {{"theta", "uniform(-4.5, 4.5)"}});
  auto model = std::make_unique<models::TextGrid>(std::move(text), std::vector<std::size_t>{num_values}, false, *executor);
  Setting out(std::move(model), std::move(pool), std::move(executor));
  auto& belief = dynamic_cast<models::SampleBelief&>(*out.belief);
  double total = 0;
  for (std::size_t n = 0; n < num_values; ++n)
    total += belief.weights[n] = std::exp(-0.5 * belief.parameters[n] * belief.parameters[n]);
  for (double& w : belief.weights) w /= total;
  return out;
}

/// The golden case: greedy takes 0 and 2.628 nats in two trials, the best pair begins at .5 and has 2.757.
TEST(Lookahead, FindsWhatIsWorthMoreTogether) {
  const Setting s = source(0, 1400);
  EXPECT_EQ(s.choose({}).values[0], 0);
  const Choice greedy = s.choose(ahead(2, 1, 48, 1400));
  EXPECT_EQ(greedy.values[0], 0);
  EXPECT_NEAR(greedy.total, 2.628, 0.003);
  const Choice choice = s.choose(ahead(2, 61, 48, 1400));
  EXPECT_GE(std::abs(choice.values[0]), 0.4);
  EXPECT_LE(std::abs(choice.values[0]), 0.6);
  EXPECT_NEAR(choice.total, 2.757, 0.003);
  EXPECT_NEAR(choice.lead, 0.129, 0.004);
  EXPECT_EQ(choice.lead_error, 0);  // all of the belief is looked at
  Budget last;
  last.num_trials = 1;  // nothing comes after it
  EXPECT_EQ(s.choose(ahead(2, 61, 48, 1400), last).values[0], 0);
}

/// Fewer samples than the belief has: the stated error of the lead is that over which sets of samples differ.
TEST(Lookahead, StatesItsError) {
  const Setting s = source(0, 1500);
  const double lead = s.choose(ahead(2, 40, 32, 1500)).lead;
  const Choice few = s.choose(ahead(2, 40, 32, 300));
  EXPECT_GT(few.lead_error, 0.001);
  EXPECT_LT(few.lead_error, 0.06);
  EXPECT_NEAR(few.lead, lead, 4 * few.lead_error);
}

/// Even where the time is over before it begins.
TEST(Lookahead, AnswersAtEveryDeadline) {
  const Setting s = source(1, 100);
  for (const std::int64_t ns : {0, 5, 40, 80, 300}) {
    ManualClock clock;
    clock.step_ns = 1;
    Budget budget;
    budget.clock = &clock;
    budget.deadline_ns = ns;
    const Choice choice = s.choose(ahead(2, 8), budget);
    EXPECT_GE(choice.units, 1);
    EXPECT_TRUE(std::isfinite(choice.utility));
    budget.max_units = choice.units;
    budget.clock = nullptr;
    EXPECT_EQ(s.choose(ahead(2, 8), budget).values, choice.values);
  }
}

/// A psychometric function on a grid: V_2 by its definition, plain, with costs, and where what was shown may not come again.
TEST(Lookahead, EqualsBruteForceOnTables) {
  auto executor = make_serial_executor();
  std::vector<double> pool = {-3, -1, 0, 0.5, 2, 4};
  auto text = text_of("values(-3, -1, 0, 0.5, 2, 4)", {{"response", "r ~ bernoulli(0.03 + 0.94 * logistic(k * (x - m)))"}},
                      {{"m", "normal(0, 2)"}, {"k", "lognormal(0, 1)"}});
  auto family = models::make_family(text, {15, 9});
  auto grid = std::make_unique<models::GridModel>(std::move(family), pool, *executor);
  const models::GridModel& model = *grid;
  Setting s(std::move(grid), pool, std::move(executor));
  const auto information = [&](const models::Belief& belief, std::size_t x, std::vector<double>& p) {
    p.resize(2);
    const double conditional = model.predictive(belief, x, p);
    double marginal = 0;
    for (const double q : p) marginal -= q > 0 ? q * std::log(q) : 0;
    return marginal - conditional;
  };
  const std::vector<double> free(6, 0), dear = {0, 0, 0.2, 0.1, 0, 0};
  const struct {
    const char* name;
    bool no_repeat, once;
    const std::vector<double>& cost;
  } cases[] = {
      {"plain", false, false, free}, {"costs", false, false, dear}, {"no repeat", true, false, free}, {"once", false, true, free}};
  std::vector<std::int64_t> chosen;
  for (const auto& c : cases) {
    double best = -1, greedy = -1, one_step = -1;
    std::size_t best_x = 0, greedy_x = 0;
    std::vector<double> p, unused;
    for (std::size_t x = 0; x < pool.size(); ++x) {
      const double now = information(*s.belief, x, p) - c.cost[x];
      double total = now;
      for (std::size_t y = 0; y < 2; ++y) {
        const auto fork = s.belief->fork();
        Response response;
        response.kind = ResponseKind::choice;
        response.num_cells = response.num_bins = 1;
        response.values = {static_cast<double>(y)};
        model.update(*fork, {&pool[x], 1}, response, 0);
        double next = -1;
        for (std::size_t z = 0; z < pool.size(); ++z)
          if (z != x || !(c.no_repeat || c.once)) next = std::max(next, information(*fork, z, unused) - c.cost[z]);
        total += p[y] * next;
      }
      if (total > best) {
        best = total;
        best_x = x;
      }
      if (now > one_step) {
        one_step = now;
        greedy = total;
        greedy_x = x;
      }
    }
    if (best - greedy < 0.02 * best) {
      best = greedy;
      best_x = greedy_x;
    }
    DesignSpec spec = ahead(2, 6);
    spec.no_repeat = c.no_repeat;
    if (&c.cost == &dear) spec.cost = dear;
    s.set.once = c.once;
    const Choice choice = s.choose(spec);
    EXPECT_EQ(choice.pool_index, static_cast<std::int64_t>(best_x)) << c.name;
    EXPECT_NEAR(choice.total, best, 1e-12) << c.name;
    EXPECT_EQ(choice.lead_error, 0) << c.name;
    chosen.push_back(choice.pool_index);
  }
  EXPECT_NE(chosen[0], chosen[1]);  // costs matter here
}

/// The totals of the golden case's table, for first stimuli that are given.
TEST(Imagination, ReproducesTheSourceOnALine) {
  const Setting s = source(0, 1400);
  DesignSpec spec = ahead(2, 1, 48, 1400);
  spec.utility = "mutual_information";
  const auto view = std::get<models::SampleView>(s.model->capability(*s.belief));
  const SampleObjective objective(spec, s.set, view, s.model->parameter_names);
  const auto imagination = imagine_samples(spec, objective, s.set, view, *s.executor);
  const auto state = imagination->make_state();
  const double expected[][2] = {{0, 2.628}, {-0.40, 2.750}, {-0.45, 2.754}, {-0.50, 2.757}, {-0.55, 2.756}, {-0.60, 2.754}};
  for (const auto& [x, total] : expected) {
    ASSERT_EQ(imagination->begin(*state, s.model->capability(*s.belief)), 1);
    // .45 and .55 lie between two members, whose totals are as far from it
    double found = 0;
    const double at = (x + 2.5) / 0.02;
    for (const double side : {std::floor(at + 0.25), std::ceil(at - 0.25)}) {
      const auto member = static_cast<std::size_t>(side);
      std::vector<double> probability;
      double value = 0;
      std::size_t root = 0;
      imagination->cut(*state, 1);
      imagination->score(*state, member, {&root, 1}, {&value, 1});
      imagination->answer(*state, 0, member, probability);
      std::vector<std::size_t> branches(probability.size());
      for (std::size_t b = 0; b < branches.size(); ++b) branches[b] = 1 + b;
      std::vector<double> most(branches.size(), 0.0), utility(branches.size());
      for (std::size_t i = 0; i < s.set.num(); ++i) {
        imagination->score(*state, i, branches, utility);
        for (std::size_t b = 0; b < branches.size(); ++b) most[b] = std::max(most[b], utility[b]);
      }
      for (std::size_t b = 0; b < branches.size(); ++b) value += probability[b] * most[b];
      found += value / 2;
    }
    EXPECT_NEAR(found, total, 0.003) << x;
  }
}

/// Choices of samples are enumerated, too, and agree with the tables of the same grid.
TEST(Lookahead, SamplesAgreeWithTables) {
  std::vector<double> totals;
  for (const bool tables : {true, false}) {
    auto executor = make_serial_executor();
    std::vector<double> pool = {-3, -1, 0, 0.5, 2, 4};
    auto text = text_of("values(-3, -1, 0, 0.5, 2, 4)", {{"response", "r ~ bernoulli(0.03 + 0.94 * logistic(k * (x - m)))"}},
                        {{"m", "normal(0, 2)"}, {"k", "lognormal(0, 1)"}});
    std::unique_ptr<models::Model> model;
    if (tables)
      model = std::make_unique<models::GridModel>(models::make_family(text, {15, 9}), pool, *executor);
    else
      model = std::make_unique<models::TextGrid>(text, std::vector<std::size_t>{15, 9}, false, *executor);
    const Setting s(std::move(model), pool, std::move(executor));
    const Choice choice = s.choose(ahead(2, 6));
    totals.push_back(choice.total);
    totals.push_back(choice.values[0]);
  }
  EXPECT_NEAR(totals[0], totals[2], 1e-9);
  EXPECT_EQ(totals[1], totals[3]);
}

TEST(Lookahead, IsTheSameAtAnyNumberOfThreadsAndAfterItsUnits) {
  Choice first;
  for (const int num_threads : {1, 2, 8}) {
    const Setting s = source(num_threads, 200);
    const DesignSpec spec = ahead(3, 4, 8);
    const Choice choice = s.choose(spec, {}, 2);
    if (num_threads == 1) first = choice;
    EXPECT_EQ(choice.values, first.values);
    EXPECT_EQ(choice.total, first.total);
    EXPECT_EQ(choice.units, first.units);
    for (const std::int64_t max_units : {1, 3, 17, 19}) {
      Budget budget;
      budget.max_units = max_units;
      const Choice cut = s.choose(spec, budget, 2);
      EXPECT_LE(cut.units, max_units);
      budget.max_units = cut.units;  // as a replay does
      const Choice again = s.choose(spec, budget, 2);
      EXPECT_EQ(cut.values, again.values);
      EXPECT_EQ(cut.total, again.total);
      EXPECT_EQ(cut.units, again.units);
    }
  }
}

/// Three trials together are worth more than two and one step more, and no more than three of the best alone.
TEST(Lookahead, DeeperTotalsGrow) {
  const Setting s = source(0, 200);
  const double one = s.choose({}).utility, two = s.choose(ahead(2, 3, 16)).total, three = s.choose(ahead(3, 3, 16)).total;
  EXPECT_GT(two, one + 0.5);
  EXPECT_GT(three, two + 0.5);
  EXPECT_LT(three, 3.5 * one);
}

TEST(Lookahead, LeavesTheBeliefAlone) {
  const Setting s = source(0, 100);
  const std::uint64_t before = s.belief->digest();
  s.choose(ahead(3, 3, 8));
  EXPECT_EQ(s.belief->digest(), before);
}

TEST(Lookahead, RefusesWhatItDoesNotDo) {
  const Setting s = source(1, 50);
  DesignSpec spec;
  spec.lookahead.width = 3;
  EXPECT_THROW(s.choose(spec), SpecError);
  spec = ahead(2, 3);
  spec.max_expected_count = 3;
  EXPECT_THROW(s.choose(spec), SpecError);
  spec = ahead(2, 3);
  spec.kind = "random";
  EXPECT_THROW(s.choose(spec), SpecError);
}

}  // namespace
}  // namespace hartline::design
