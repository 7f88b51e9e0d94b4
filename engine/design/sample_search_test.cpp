#include <gtest/gtest.h>

#include <cmath>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "design/design.hpp"
#include "design/sample_objective.hpp"
#include "design/sample_pool.hpp"
#include "models/particles.hpp"

namespace hartline::design {
namespace {

using models::ParticleModel;
using models::SampleView;

struct Setting {
  Setting(std::initializer_list<std::pair<const char*, const char*>> stimulus,
          std::initializer_list<std::pair<const char*, const char*>> model,
          std::initializer_list<std::pair<const char*, const char*>> parameters, int num_threads = 1, std::size_t num = 5000)
      : executor(make_executor(num_threads)) {
    Table variables, lines, priors;
    for (const auto& [name, value] : stimulus) variables.set(name, value);
    for (const auto& [name, value] : parameters) priors.set(name, value);
    for (const auto& [name, value] : model) lines.set(name, value);
    lines.set("parameters", priors);
    auto text = std::make_shared<const models::EncodingText>(variables, lines);
    for (const models::TextStimulus& variable : text->stimulus)
      for (std::size_t k = 0; k < variable.num(); ++k) {
        set.low.push_back(variable.values.empty() ? variable.low : variable.values.front());
        set.high.push_back(variable.values.empty() ? variable.high : variable.values.back());
        set.levels.push_back(variable.values);
        ++set.dim;
      }
    set.shape = SetKind::box;
    models::ParticleSettings settings;
    settings.num = num;
    particles = std::make_unique<ParticleModel>(std::move(text), settings, 1, *executor);
    belief = particles->prior();
  }

  void tell(std::initializer_list<double> x, double r) {
    Response response;
    response.kind = particles->response_kind;
    response.num_cells = response.num_bins = 1;
    response.values = {r};
    particles->update(*belief, std::vector<double>(x), response, 0);
  }
  models::Capability view() const { return particles->capability(*belief); }
  std::unique_ptr<Design> design(const DesignSpec& spec) const {
    return make_design(spec, set, view(), particles->parameter_names, 5, *executor);
  }

  std::unique_ptr<Executor> executor;
  StimulusSet set;
  std::unique_ptr<ParticleModel> particles;
  std::unique_ptr<models::Belief> belief;
};

Setting sources(const char* box, const char* prior, int num_threads = 1) {
  return {{{"x", box}},
          {{"response", "y ~ normal(log(0.1 + 1 / (1e-4 + sum(j in 2, (x[j] - theta[j])^2))), 0.5)"}},
          {{"theta", prior}},
          num_threads};
}

/// One source on a line, the golden case: 1.2998 nats at 0, 1.2898 at -.4, 1.1869 at -1; 20,000 samples have an error of .01.
TEST(SampleObjective, ReproducesTheSourceOnALine) {
  const Setting s({{"x", "box(-4, 4)"}}, {{"response", "y ~ normal(log(0.1 + 1 / (1e-4 + (x - theta)^2)), 0.5)"}},
                  {{"theta", "normal(0, 1)"}}, 1, 20000);
  DesignSpec spec;
  spec.utility = "mutual_information";
  const SampleObjective objective(spec, s.set, std::get<SampleView>(s.view()), s.particles->parameter_names);
  SampleObjective::Prepared prepared;
  SampleObjective::Scratch scratch;
  objective.prepare(s.view(), prepared);
  const double expected[][2] = {{0, 1.2998}, {-0.4, 1.2898}, {-1, 1.1869}};
  for (const auto& [x, nats] : expected) EXPECT_NEAR(objective(prepared, {&x, 1}, scratch, {}, nullptr), nats, 0.02);
}

TEST(SampleObjective, GradientsAreDifferences) {
  Setting s = sources("box(-4, 4)[2]", "normal(0, 1)[2]");
  s.tell({0.4, 0.1}, 0.9);
  DesignSpec spec;
  spec.utility = "mutual_information";
  for (const bool target : {false, true}) {
    if (target) {
      spec.utility = "target";
      spec.target = {1};
    }
    const SampleObjective objective(spec, s.set, std::get<SampleView>(s.view()), s.particles->parameter_names);
    SampleObjective::Prepared prepared;
    SampleObjective::Scratch scratch;
    objective.prepare(s.view(), prepared);
    double gradient[2], unused[2];
    double x[] = {0.7, -1.1};
    objective(prepared, x, scratch, gradient, nullptr);
    for (int j = 0; j < 2; ++j) {
      const double at = x[j], h = 1e-4;
      x[j] = at + h;
      const double above = objective(prepared, x, scratch, unused, nullptr);
      x[j] = at - h;
      const double below = objective(prepared, x, scratch, unused, nullptr);
      x[j] = at;
      EXPECT_NEAR(gradient[j], (above - below) / (2 * h), 0.02 * std::abs(gradient[j]) + 2e-3);
    }
  }
}

/// Of a linear model with r = a + b x and standard normal priors the variances of a, b and of predictions at x' fall by
/// 1, x² and (1 + x x')² divided by 1 + x² + .4². 20,000 samples have an error of .01, responses of 256 of them one of .06.
TEST(SampleObjective, VariancesFall) {
  Setting s({{"x", "box(-1, 1)"}}, {{"response", "r ~ normal(a + b * x, 0.4)"}}, {{"a", "normal(0, 1)"}, {"b", "normal(0, 1)"}}, 1,
            20000);
  s.set.shape = SetKind::pool;
  s.set.pool = {-1, 0, 1};
  const auto fall = [&](const char* utility, double x) {
    DesignSpec spec;
    spec.utility = utility;
    const SampleObjective objective(spec, s.set, std::get<SampleView>(s.view()), s.particles->parameter_names);
    SampleObjective::Prepared prepared, thin;
    SampleObjective::Scratch scratch;
    objective.prepare(s.view(), prepared);
    objective.thin(prepared, objective.num_enough(), thin);
    const double all = objective(prepared, {&x, 1}, scratch, {}, nullptr);
    EXPECT_LT(scratch.error, 0.12 * all);
    EXPECT_NEAR(objective(thin, {&x, 1}, scratch, {}, nullptr), all, 0.3 * all);
    return all;
  };
  for (const double x : {-1., 0., 0.5, 1.}) {
    const double by = 1 + x * x + 0.16, predicted = 1 + 2 * x * x / 3;
    EXPECT_NEAR(fall("parameter_variance", x), (1 + x * x) / by, 0.15 * (1 + x * x) / by) << x;
    EXPECT_NEAR(fall("prediction_error", x), predicted / by, 0.15 * predicted / by) << x;
  }
}

/// A target tells less than all parameters, and the parameter that a response does not depend on nothing.
TEST(SampleObjective, TargetsAreParts) {
  const Setting s({{"x", "box(-1, 1)"}}, {{"response", "r ~ normal(a + b * x, 0.4)"}},
                  {{"a", "normal(0, 1)"}, {"b", "normal(0, 1)"}});
  const auto information = [&](const char* utility, std::vector<Target> target, double x) {
    DesignSpec spec;
    spec.utility = utility;
    spec.target = std::move(target);
    const SampleObjective objective(spec, s.set, std::get<SampleView>(s.view()), s.particles->parameter_names);
    SampleObjective::Prepared prepared;
    SampleObjective::Scratch scratch;
    objective.prepare(s.view(), prepared);
    return objective(prepared, {&x, 1}, scratch, {}, nullptr);
  };
  // at x = 0 only a matters: ½ log(1 + 1 / .16); groups of a 16th of the samples lose some
  EXPECT_NEAR(information("mutual_information", {}, 0), 0.5 * std::log(1 + 1 / 0.16), 0.02);
  EXPECT_NEAR(information("target", {0}, 0), 0.5 * std::log(1 + 1 / 0.16), 0.06);
  EXPECT_NEAR(information("target", {1}, 0), 0, 0.01);
  // at x = 1 both do: I(a; r) = ½ log(2.16 / 1.16)
  EXPECT_NEAR(information("target", {0}, 1), 0.5 * std::log(2.16 / 1.16), 0.02);
  EXPECT_EQ(information("target", {"a"}, 1), information("target", {0}, 1));
  // functions of parameters: what is measured itself, and what it says nothing about
  EXPECT_NEAR(information("target", {"a + b"}, 1), 0.5 * std::log(1 + 2 / 0.16), 0.08);
  EXPECT_NEAR(information("target", {"a - b"}, 1), 0, 0.01);
  EXPECT_LT(information("target", {0, 1}, 1), information("mutual_information", {}, 1) + 1e-9);
}

/// A line through 0 or a parabola: at 0 nothing tells them apart; the information is that between two normal laws of r.
TEST(SampleObjective, TellsModelsApart) {
  const auto executor = make_serial_executor();
  const auto made = [&](const char* response) {
    Table variables, lines, priors;
    variables.set("x", "box(-1, 1)");
    priors.set("w", "normal(1, 0.2)");
    lines.set("response", response);
    lines.set("parameters", priors);
    models::ParticleSettings settings;
    settings.num = 4000;
    return std::make_unique<ParticleModel>(std::make_shared<const models::EncodingText>(variables, lines), settings, 1, *executor);
  };
  const auto line = made("r ~ normal(w * x, 0.3)"), parabola = made("r ~ normal(w * x^2, 0.3)"), counts = made("r ~ poisson(w^2)");
  const auto of_line = line->prior(), of_parabola = parabola->prior(), of_counts = counts->prior();
  const models::Model* both[] = {line.get(), parabola.get()};
  const models::Belief* beliefs[] = {of_line.get(), of_parabola.get()};
  const double weights[] = {0.7, 0.3};
  const models::CandidatesView view{both, beliefs, weights};
  const SampleObjective objective(view);
  SampleObjective::Prepared all, prepared;
  SampleObjective::Scratch scratch;
  objective.prepare(view, all);
  objective.thin(all, 1000, prepared);
  for (const double x : {0.0, 0.5, -0.5, -1.0}) {
    // r ~ N(x, .2² x² + .3²) or N(x², .2² x⁴ + .3²)
    double exact = 0;
    const double m[] = {x, x * x}, v[] = {0.04 * x * x + 0.09, 0.04 * x * x * x * x + 0.09};
    for (double r = -4; r < 4; r += 0.001) {
      double p[2], mixed = 0;
      for (int k = 0; k < 2; ++k) {
        p[k] = std::exp(-0.5 * (r - m[k]) * (r - m[k]) / v[k]) / std::sqrt(2 * M_PI * v[k]);
        mixed += weights[k] * p[k];
      }
      for (int k = 0; k < 2; ++k)
        if (p[k] > 1e-200) exact += 0.001 * weights[k] * p[k] * std::log(p[k] / mixed);
    }
    EXPECT_NEAR(objective(all, {&x, 1}, scratch, {}, nullptr), exact, 0.01) << x;
    EXPECT_NEAR(objective(prepared, {&x, 1}, scratch, {}, nullptr), exact, 0.02) << x;
  }
  const models::Model* different[] = {line.get(), counts.get()};
  const models::Belief* their_beliefs[] = {of_line.get(), of_counts.get()};
  EXPECT_THROW(SampleObjective(models::CandidatesView{different, their_beliefs, weights}), SpecError);
  // the search of a box finds the end where they differ most
  StimulusSet set;
  set.dim = 1;
  set.shape = SetKind::box;
  set.low = {-1};
  set.high = {1};
  const auto design = make_design({}, set, view, std::vector<std::string>{"line", "parabola"}, 1, *executor);
  const auto plan = design->make_plan();
  Choice choice;
  design->choose(*plan, view, 0, {}, choice);
  EXPECT_NEAR(choice.values[0], -1, 1e-6);
}

/// Which law counts follow: of two that are known it is a sum over counts.
TEST(SampleObjective, TellsLawsApart) {
  const auto executor = make_serial_executor();
  const auto made = [&](const char* response) {
    Table variables, lines, priors;
    variables.set("x", "values(1, 4, 16)");
    priors.set("w", "normal(1, 1e-6)");
    lines.set("response", response);
    lines.set("parameters", priors);
    models::ParticleSettings settings;
    settings.num = 500;
    return std::make_unique<ParticleModel>(std::make_shared<const models::EncodingText>(variables, lines), settings, 1, *executor);
  };
  const auto poisson = made("r ~ poisson(w * x)"), burst = made("r ~ negative_binomial(w * x, 0.5)");
  const auto of_poisson = poisson->prior(), of_burst = burst->prior();
  const models::Model* both[] = {poisson.get(), burst.get()};
  const models::Belief* beliefs[] = {of_poisson.get(), of_burst.get()};
  const double weights[] = {0.6, 0.4};
  const models::CandidatesView view{both, beliefs, weights};
  const SampleObjective objective(view);
  SampleObjective::Prepared prepared;
  SampleObjective::Scratch scratch;
  objective.prepare(view, prepared);
  for (const double x : {1.0, 4.0, 16.0}) {
    double exact = 0, p[2] = {std::exp(-x), std::pow(1 + 0.5 * x, -2)};
    for (double r = 0; r < 400; ++r) {
      const double mixed = weights[0] * p[0] + weights[1] * p[1];
      for (int k = 0; k < 2; ++k)
        if (p[k] > 1e-200) exact += weights[k] * p[k] * std::log(p[k] / mixed);
      p[0] *= x / (r + 1);
      p[1] *= (r + 2) / (r + 1) * 0.5 * x / (1 + 0.5 * x);
    }
    const double found = objective(prepared, {&x, 1}, scratch, {}, nullptr);
    EXPECT_NEAR(found, exact, 4 * scratch.error) << x;
    EXPECT_LT(scratch.error, 0.05);
    EXPECT_GT(scratch.error, 0);
  }
}

TEST(SampleSearch, FindsTheBestOfAGrid) {
  for (const int dim : {1, 2}) {
    Setting s = dim == 2 ? sources("box(-4, 4)[2]", "normal(0, 1)[2]")
                         : Setting({{"x", "box(-4, 4)"}}, {{"response", "y ~ normal(log(0.1 + 1 / (1e-4 + (x - theta)^2)), 0.5)"}},
                                   {{"theta", "normal(0, 1)"}});
    if (dim == 2) s.tell({0.5, 0.5}, 1.0);
    if (dim == 1) s.tell({0.5}, 1.0);
    DesignSpec spec;
    const auto design = s.design(spec);
    const auto plan = design->make_plan();
    Choice choice;
    design->choose(*plan, s.view(), 3, {}, choice);
    spec.utility = "mutual_information";
    const SampleObjective objective(spec, s.set, std::get<SampleView>(s.view()), s.particles->parameter_names);
    SampleObjective::Prepared prepared;
    SampleObjective::Scratch scratch;
    objective.prepare(s.view(), prepared);
    double best = 0;
    const int num = dim == 1 ? 401 : 41;
    for (int i = 0; i < num; ++i)
      for (int j = 0; j < (dim == 1 ? 1 : num); ++j) {
        const double x[] = {-4 + 8. * i / (num - 1), -4 + 8. * j / (num - 1)};
        best = std::max(best, objective(prepared, {x, static_cast<std::size_t>(dim)}, scratch, {}, nullptr));
      }
    EXPECT_GT(choice.utility, best - 1e-3) << dim;
    EXPECT_NEAR(objective(prepared, choice.values, scratch, {}, nullptr), choice.utility, 1e-12);
  }
}

TEST(SampleSearch, FunctionsOfParametersHaveTheirUnits) {
  const std::string names[] = {"A", "mu", "w[0]", "w[1]"}, units[] = {"Hz", "kHz", "deg", "deg"};
  const auto value = [&](const char* function) {
    const Target target(function);
    const auto plain = without_units({&target, 1}, names, units);
    const double parameters[] = {3, 2, 30, 90};
    double out = 0;
    TargetFunctions(plain, names)(parameters, 1, 1, &out);
    return out;
  };
  EXPECT_DOUBLE_EQ(value("A + mu"), 2003);
  EXPECT_DOUBLE_EQ(value("log(mu / A)"), std::log(2000 / 3.));
  EXPECT_DOUBLE_EQ(value("sin(w[0]) + w[1] / 1 deg"), 90.5);
  EXPECT_EQ(value("A"), 3);  // a parameter by its name is its number
  EXPECT_THROW(value("A + w[0]"), UnitError);
  EXPECT_THROW(value("exp(A)"), UnitError);
  EXPECT_THROW(TargetFunctions::check(INFINITY), RunError);
}

TEST(SampleSearch, IsTheSameAtAnyNumberOfThreadsAndAfterItsUnits) {
  Choice first, first_cut[4];
  for (const int num_threads : {1, 2, 8}) {
    Setting s = sources("box(-4, 4)[2]", "normal(0, 1)[2]", num_threads);
    s.tell({0.5, 0.5}, 1.0);
    const auto design = s.design({});
    const auto plan = design->make_plan();
    Choice choice;
    design->choose(*plan, s.view(), 3, {}, choice);
    if (num_threads == 1) first = choice;
    EXPECT_EQ(choice.values, first.values);
    EXPECT_EQ(choice.utility, first.utility);
    EXPECT_EQ(choice.units, first.units);
    for (const std::int64_t max_units : {std::int64_t{1}, std::int64_t{40}, std::int64_t{110}}) {
      Budget budget;
      budget.max_units = max_units;
      Choice cut, again;
      design->choose(*plan, s.view(), 3, budget, cut);
      EXPECT_LT(cut.units, max_units + 8);
      Choice& other = first_cut[max_units / 40];
      if (num_threads == 1) other = cut;
      EXPECT_EQ(cut.values, other.values);
      EXPECT_EQ(cut.units, other.units);
      budget.max_units = cut.units;  // as a replay does
      design->choose(*plan, s.view(), 3, budget, again);
      EXPECT_EQ(cut.values, again.values);
      EXPECT_EQ(cut.units, again.units);
    }
  }
}

/// Time that runs out after so many looks at it.
class CountingClock final : public Clock {
 public:
  explicit CountingClock(int num_looks) : left_(num_looks) {}
  std::int64_t now_ns() const override { return left_-- > 0 ? 0 : 100; }
  bool is_over() const { return left_ <= 0; }

 private:
  mutable int left_;
};

/// Wherever the deadline falls there is a choice, also of two trials together.
TEST(SampleSearch, HasAnAnswerWheneverTimeRunsOut) {
  Setting s = sources("box(-4, 4)[2]", "normal(0, 1)[2]", 1);
  s.tell({0.5, 0.5}, 1.0);
  for (const std::int64_t depth : {1, 2}) {
    DesignSpec spec;
    spec.lookahead.depth = depth;
    const auto design = s.design(spec);
    const auto plan = design->make_plan();
    bool was_cut = true;
    for (int looks = 0; was_cut && looks<3000; looks += depth> 1 && looks > 300 ? 7 : 1) {
      const CountingClock clock(looks);
      Budget budget;
      budget.clock = &clock;
      budget.deadline_ns = 50;
      Choice choice;
      ASSERT_NO_THROW(design->choose(*plan, s.view(), 3, budget, choice)) << depth << ' ' << looks;
      EXPECT_TRUE(std::isfinite(choice.utility)) << depth << ' ' << looks;
      was_cut = clock.is_over();
    }
    EXPECT_FALSE(was_cut) << "all places were tried";
  }
}

/// A contrast that has three levels beside a position that may be anything: the best of both.
TEST(SampleSearch, MixesLevelsWithBoxes) {
  const Setting s({{"x", "box(-3, 3)"}, {"contrast", "values(0.1, 0.5, 1)"}},
                  {{"response", "r ~ poisson(1 + 20 * contrast * exp(-(x - mu)^2 / 0.5))"}}, {{"mu", "normal(0, 1)"}});
  const auto design = s.design({});
  const auto plan = design->make_plan();
  Choice choice;
  for (std::uint64_t trial = 0; trial < 4; ++trial) {
    design->choose(*plan, s.view(), trial, {}, choice);
    EXPECT_EQ(choice.values[1], 1);
    EXPECT_LE(std::abs(choice.values[0]), 3);
  }
}

/// Laws without slopes are searched by trial steps.
TEST(SampleSearch, WorksWithoutGradients) {
  const Setting s({{"x", "box(0, 3)"}}, {{"response", "r ~ gamma(4, exp(x * w) / 4)"}}, {{"w", "normal(0, 0.4)"}}, 1, 1000);
  const auto design = s.design({});
  const auto plan = design->make_plan();
  Choice choice;
  design->choose(*plan, s.view(), 0, {}, choice);
  EXPECT_GT(choice.values[0], 2.6);  // the larger x, the more w matters
}

TEST(SampleSearch, RefusesWhatItDoesNotDo) {
  const Setting s = sources("box(-4, 4)[2]", "normal(0, 1)[2]");
  DesignSpec spec;
  spec.utility = "laplace_information";
  EXPECT_THROW(s.design(spec), SpecError);
  spec.utility = "prediction_error";
  spec.average_over = "pool";
  EXPECT_THROW(s.design(spec), SpecError);
  spec = {};
  spec.max_expected_count = 3;
  EXPECT_THROW(s.design(spec), SpecError);
  spec = {};
  spec.search = "ball";
  EXPECT_THROW(s.design(spec), SpecError);
}

}  // namespace
}  // namespace hartline::design
