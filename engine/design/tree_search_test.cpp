#include "design/tree_search.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "design/tree_objective.hpp"
#include "models/particles.hpp"
#include "models/text_grid.hpp"

namespace hartline::design {
namespace {

using models::SampleView;

/// A text over a box, with a belief on a grid.
struct Setting {
  Setting(const char* box, std::initializer_list<std::pair<const char*, const char*>> model,
          std::initializer_list<std::pair<const char*, const char*>> parameters, std::size_t num_values, int num_threads = 1)
      : executor(make_executor(num_threads)) {
    Table variables, lines, priors;
    variables.set("x", box);
    for (const auto& [name, value] : parameters) priors.set(name, value);
    for (const auto& [name, value] : model) lines.set(name, value);
    lines.set("parameters", priors);
    auto text = std::make_shared<const models::EncodingText>(variables, lines);
    for (const models::TextStimulus& variable : text->stimulus)
      for (std::size_t k = 0; k < variable.num(); ++k) {
        set.low.push_back(variable.low);
        set.high.push_back(variable.high);
        ++set.dim;
      }
    set.shape = SetKind::box;
    const std::vector<std::size_t> each(parameters.size(), num_values);
    grid = std::make_unique<models::TextGrid>(std::move(text), each, false, *executor);
    belief = grid->prior();
  }
  models::Capability view() const { return grid->capability(*belief); }
  SampleObjective objective(const char* target = nullptr) const {
    DesignSpec spec;
    spec.utility = target ? "target" : "mutual_information";
    if (target) spec.target = {target};
    return {spec, set, std::get<SampleView>(view()), grid->parameter_names};
  }
  Choice choose(const DesignSpec& spec, const Budget& budget = {}, std::uint64_t trial = 0) const {
    const auto design = make_design(spec, set, view(), grid->parameter_names, 1, *executor);
    const auto plan = design->make_plan();
    Choice out;
    design->choose(*plan, view(), trial, budget, out);
    return out;
  }

  std::unique_ptr<Executor> executor;
  StimulusSet set;
  std::unique_ptr<models::TextModel> grid;
  std::unique_ptr<models::Belief> belief;
};

DesignSpec ahead(std::int64_t width, std::int64_t num_futures = 64, std::int64_t num_samples = 2048) {
  DesignSpec spec;
  spec.lookahead = {2, width, num_futures, num_samples};
  return spec;
}

/// One source on a line under a standard normal prior, by its density at even steps from -4.5 to 4.5.
Setting source(std::size_t num_values, int num_threads = 0) {
  Setting out("box(-2.5, 2.5)", {{"response", "y ~ normal(log(0.1 + 1 / (1e-4 + (x - theta)^2)), 0.5)"}},
              {{"theta", "uniform(-4.5, 4.5)"}}, num_values, num_threads);
  auto& belief = dynamic_cast<models::SampleBelief&>(*out.belief);
  double total = 0;
  for (std::size_t n = 0; n < num_values; ++n)
    total += belief.weights[n] = std::exp(-0.5 * belief.parameters[n] * belief.parameters[n]);
  for (double& w : belief.weights) w /= total;
  return out;
}

/// By the stimulus, through the weights of every branch, and by all the next stimuli; for every form of response.
TEST(TreeObjective, GradientsAreDifferences) {
  const struct {
    const char* name;
    Setting setting;
    std::vector<double> x;
    std::size_t num_futures;
    const char* target = nullptr;
  } cases[] = {
      {"normal", source(300, 1), {-0.5}, 64},
      {"normal, few", source(300, 1), {-0.5}, 6},
      {"sd that varies",
       {"box(-2, 2)[2]",
        {{"response", "y ~ normal(a * x[0] + b * x[1], 0.3 + 0.2 * x[0]^2 + 0.1 * abs(b))"}},
        {{"a", "normal(0, 1)"}, {"b", "normal(0, 1)"}},
        15},
       {0.7, -0.9},
       64},
      {"target",
       {"box(-2, 2)[2]",
        {{"response", "y ~ normal(a * x[0] + b * x[1] + a * b, 0.3)"}},
        {{"a", "normal(0, 1)"}, {"b", "normal(0, 1)"}},
        15},
       {0.7, -0.9},
       64,
       "b"},
      {"lognormal",
       {"box(-2, 2)[2]",
        {{"response", "y ~ lognormal(a * x[0] + b * x[1]^2, 0.4)"}},
        {{"a", "normal(0, 1)"}, {"b", "normal(0, 1)"}},
        15},
       {0.7, -0.9},
       64},
      {"choice",
       {"box(-2, 2)[2]",
        {{"response", "r ~ bernoulli(0.02 + 0.96 * logistic(3 * (a * x[0] + b * x[1])))"}},
        {{"a", "normal(0, 1)"}, {"b", "normal(0, 1)"}},
        15},
       {0.7, -0.9},
       64},
      {"counts",
       {"box(-2, 2)[2]",
        {{"response", "r ~ poisson(8 * exp(-(x[0] - a)^2 - (x[1] - b)^2) + 0.1)"}},
        {{"a", "normal(0, 1)"}, {"b", "normal(0, 1)"}},
        15},
       {0.7, -0.9},
       64},
  };
  for (const auto& c : cases) {
    const Setting& s = c.setting;
    const std::size_t dim = s.set.dim;
    const SampleObjective objective = s.objective(c.target);
    SampleObjective::Prepared prepared;
    objective.prepare(s.view(), prepared);
    const TreeObjective trees(objective, dim, c.num_futures, *s.executor);
    TreeObjective::State state(1);
    trees.begin(state, prepared, 4096);
    Tree tree;
    tree.x = c.x;
    trees.place(state, tree);
    const std::size_t num = tree.num_branches();
    EXPECT_LE(num, c.num_futures) << c.name;
    for (std::size_t i = 0; i < num * dim; ++i) tree.next[i] += 0.3 * std::sin(1.7 * static_cast<double>(i + 1));
    trees.evaluate(state, tree);
    const auto slope = [&](auto&& number) {
      constexpr double h = 1e-6;
      double ends[4];
      for (int k = 0; k < 4; ++k) {
        Tree moved = tree;
        number(moved) += h * (k < 2 ? k - 2 : k - 1);  // -2, -1, 1, 2
        trees.evaluate(state, moved);
        ends[k] = moved.total;
      }
      return (8 * (ends[2] - ends[1]) - (ends[3] - ends[0])) / (12 * h);
    };
    for (std::size_t j = 0; j < dim; ++j)
      EXPECT_NEAR(tree.gradient[j], slope([&](Tree& t) -> double& { return t.x[j]; }), 1e-6) << c.name << " " << j;
    for (std::size_t i = 0; i < num * dim; ++i)
      EXPECT_NEAR(tree.share[i / dim] * tree.next_gradient[i], slope([&](Tree& t) -> double& { return t.next[i]; }), 1e-6)
          << c.name << " " << i;
  }
}

/// The golden case: the best pair begins at .5 and has 2.757 nats, where the one-step choice takes 0 and 2.628.
TEST(TreeSearch, FindsWhatIsWorthMoreTogether) {
  const Setting s = source(1400);
  const Choice greedy = s.choose({});
  EXPECT_NEAR(greedy.values[0], 0, 0.02);
  EXPECT_NEAR(greedy.utility, 1.2998, 1e-3);
  const Choice choice = s.choose(ahead(8));
  EXPECT_GE(std::abs(choice.values[0]), 0.4);
  EXPECT_LE(std::abs(choice.values[0]), 0.6);
  EXPECT_NEAR(choice.total, 2.757, 0.003);
  EXPECT_NEAR(choice.lead, 0.129, 0.004);
  EXPECT_EQ(choice.lead_error, 0);  // all of the belief is looked at
  Budget last;
  last.num_trials = 1;  // nothing comes after it
  EXPECT_EQ(s.choose(ahead(8), last).values, greedy.values);
}

/// Totals of the table, where the first stimulus is given.
TEST(TreeObjective, ReproducesTheSourceOnALine) {
  const Setting s = source(1400);
  const SampleObjective objective = s.objective();
  SampleObjective::Prepared prepared;
  objective.prepare(s.view(), prepared);
  const TreeObjective trees(objective, 1, 64, *s.executor);
  TreeObjective::State state(s.executor->num_threads());
  trees.begin(state, prepared, 4096);
  std::vector<double> places;
  for (int k = -125; k <= 125; ++k) places.push_back(0.02 * k);
  const double expected[][2] = {{0, 2.628}, {-0.40, 2.750}, {-0.45, 2.754}, {-0.50, 2.757}, {-0.55, 2.756}, {-0.60, 2.754}};
  for (const auto& [x, total] : expected) {
    Tree tree;
    tree.x = {x};
    trees.place(state, tree);
    EXPECT_TRUE(trees.choose_next(state, tree, places, false, {}));
    EXPECT_NEAR(tree.total, total, 0.003) << x;
  }
}

TEST(TreeSearch, IsTheSameAtAnyNumberOfThreadsAndAfterItsUnits) {
  Choice first;
  for (const int num_threads : {1, 2, 8}) {
    const Setting s = source(200, num_threads);
    const DesignSpec spec = ahead(4, 16);
    const Choice choice = s.choose(spec, {}, 2);
    if (num_threads == 1) first = choice;
    EXPECT_EQ(choice.values, first.values);
    EXPECT_EQ(choice.total, first.total);
    EXPECT_EQ(choice.units, first.units);
    EXPECT_GT(choice.units, s.choose({}, {}, 2).units);
    for (std::int64_t max_units : {std::int64_t{1}, std::int64_t{64}, choice.units - 60, choice.units - 20, choice.units - 1}) {
      Budget budget;
      budget.max_units = max_units;
      const Choice cut = s.choose(spec, budget, 2);
      EXPECT_LE(cut.units, std::max<std::int64_t>(max_units, 8));
      budget.max_units = cut.units;  // as a replay does
      const Choice again = s.choose(spec, budget, 2);
      EXPECT_EQ(cut.values, again.values);
      EXPECT_EQ(cut.total, again.total);
      EXPECT_EQ(cut.units, again.units);
    }
  }
}

/// A box and a pool of the same stimuli: the tree is worth what the pool's look-ahead says of its first stimulus.
TEST(TreeSearch, AgreesWithThePool) {
  Setting s("box(-2, 2)[2]", {{"response", "r ~ bernoulli(0.02 + 0.96 * logistic(3 * (a * x[0] + b * x[1] - 0.5)))"}},
            {{"a", "normal(0, 1)"}, {"b", "normal(0, 1)"}}, 20, 0);
  const Choice tree = s.choose(ahead(8));
  s.set.shape = SetKind::pool;
  for (int i = -10; i <= 10; ++i)
    for (int j = -10; j <= 10; ++j) s.set.pool.insert(s.set.pool.end(), {0.2 * i, 0.2 * j});
  const Choice pool = s.choose(ahead(441, 64, 4096));
  EXPECT_GE(tree.total, pool.total - 0.005);
  EXPECT_LE(tree.total, pool.total + 0.02);  // between the members there is a little more
}

TEST(TreeSearch, RefusesWhatItDoesNotDo) {
  const Setting s = source(50, 1);
  DesignSpec spec = ahead(3);
  spec.lookahead.depth = 3;
  EXPECT_THROW(s.choose(spec), SpecError);
  spec = ahead(3);
  spec.utility = "parameter_variance";
  EXPECT_THROW(s.choose(spec), SpecError);
  const Setting other("box(0.5, 2)", {{"response", "r ~ gamma(a * x, 1)"}}, {{"a", "lognormal(0, 1)"}}, 20);
  EXPECT_THROW(other.choose(ahead(3)), SpecError);
}

}  // namespace
}  // namespace hartline::design
