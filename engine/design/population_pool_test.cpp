#include "design/population_pool.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <Eigen/LU>
#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "design/population_kernels.hpp"
#include "design/utility.hpp"

namespace hartline::design {
namespace {

using models::Population;
using models::PopulationBelief;
using models::PopulationView;

StimulusSet normal_pool(std::size_t num, std::size_t dim, bool once = false) {
  StimulusSet set;
  set.dim = dim;
  set.pool.resize(num * dim);
  set.once = once;
  for (std::size_t i = 0; i < num; ++i) Stream(3, Purpose::pool, i).fill_normal({&set.pool[i * dim], dim});
  return set;
}

DesignSpec spec_of(const std::string& utility) {
  DesignSpec spec;
  spec.utility = utility;
  return spec;
}

/// A population in its ring, with the truth drawn from the prior.
struct Ring {
  Ring(const Population& p, const StimulusSet& s, Executor& executor, const DesignSpec& spec = spec_of("laplace_information"))
      : population(p),
        set(s),
        design(make_population_pool_design(spec, p, s, 1, executor)),
        plan(design->make_plan()),
        belief(p.prior()),
        truth(p.num_parameters) {
    Stream(2, Purpose::truth).fill_normal(truth);
    for (double& w : truth) w *= 0.25;
    response = {ResponseKind::counts, static_cast<std::int64_t>(p.num_cells), 1, std::vector<double>(p.num_cells), {}, ""};
  }
  void choose() { design->choose(*plan, population.capability(*belief), trial, {}, choice); }
  void respond() {
    models::Context context = population.start();
    Stream stream(2, Purpose::response, trial);
    population.sample(truth, choice.values, context, stream, response.values);
  }
  void learn() {
    population.update(*belief, choice.values, response, 1);
    design->follow(*plan, population.capability(*belief), choice.pool_index, choice.values, 0);
    ++trial;
  }
  void step() {
    choose();
    respond();
    learn();
  }
  std::vector<double> utilities() { return design->utilities(*plan, population.capability(*belief)); }

  const Population& population;
  const StimulusSet& set;
  std::unique_ptr<Design> design;
  std::unique_ptr<Plan> plan;
  std::unique_ptr<models::Belief> belief;
  std::vector<double> truth;
  Response response;
  Choice choice;
  std::uint64_t trial = 0;
};

/// The definition, in double and pair by pair.
std::vector<double> by_definition(const Population& population, const models::Belief& belief, const StimulusSet& set,
                                  Utility utility) {
  const auto capability = population.capability(belief);
  const auto& view = std::get<PopulationView>(capability);
  const LinearUtility linear(utility, population.glm().law);
  std::vector<double> out(set.num());
  for (std::size_t i = 0; i < set.num(); ++i) {
    double total = 0, least = 1e300;
    for (std::size_t c = 0; c < view.cells.size(); ++c) {
      const models::GaussianView& cell = view.cells[c];
      Eigen::VectorXd s = Eigen::VectorXd::Ones(static_cast<Eigen::Index>(cell.dim));
      for (std::size_t k = 0; k < set.dim; ++k) s[static_cast<Eigen::Index>(k)] = set.pool[i * set.dim + k];
      const Eigen::Map<const Eigen::VectorXd> mean(cell.mean, s.size());
      const Eigen::Map<const Eigen::MatrixXd> covariance(cell.covariance, s.size(), s.size());
      const double u = linear(s.dot(mean), s.dot(covariance * s));
      total += view.weights[c] * u;
      least = std::min(least, u);
    }
    out[i] = population.spec().aggregate == "worst" ? least : total;
  }
  return out;
}

double largest_error(const std::vector<double>& a, const std::vector<double>& b) {
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(a[i] / b[i] - 1));
  return worst;
}

TEST(PopulationKernel, AgreesWithTheDoubleReference) {
  const LinearUtility reference(Utility::laplace_information, models::make_response_law("poisson", "exp", 1, 1, "model"));
  double worst = 0;
  // one feature, x = 1, and a step that is nothing: what is kept stays
  const std::vector<float> x(2 * tile_size, 1.0f);
  const float g = 0;
  std::vector<float> kept(2 * tile_size);
  for (double m = -30; m <= 30; m += 0.37) {
    for (double decade = -8; decade <= 1.3; decade += 0.4) {
      for (const bool mixed : {false, true}) {  // a tile that one variance sends down another path
        for (std::size_t i = 0; i < tile_size; ++i) {
          kept[i] = static_cast<float>(std::pow(10, decade + 0.4 * static_cast<double>(i) / tile_size));
          kept[tile_size + i] = static_cast<float>(m);
        }
        if (mixed) kept[5] = 20;
        const CellPass cell;
        const Pass pass{1, {&cell, 1}, &g, {}, 0, Aggregate::sum};
        double out[tile_size];
        score_exp_counts(pass, true, x.data(), kept.data(), out);
        for (std::size_t i = 0; i < tile_size; ++i)
          worst =
              std::max(worst, std::abs(out[i] / reference(static_cast<double>(kept[tile_size]), static_cast<double>(kept[i])) - 1));
      }
    }
  }
  fmt::print("largest relative error {:.1e}\n", worst);
  EXPECT_LT(worst, 1e-4);
}

TEST(PopulationPool, ScoresEqualTheDefinition) {
  const auto executor = make_executor(2);
  const StimulusSet set = normal_pool(150, 7);
  for (const char* aggregate : {"sum", "weighted", "worst"})
    for (const char* link : {"exp", "softplus"})
      for (const double prior_sd : {0.1, 0.5}) {
        models::PopulationSpec spec{.num_cells = 11, .aggregate = aggregate};  // more than go together, and an odd one
        if (spec.aggregate == "weighted") spec.weights = {1, 0.5, 0, 3, 2, 1, 1, 0.1, 2, 0, 1};
        const Population population({.link = link, .bin_ms = 300, .bias = true}, {.prior_sd = prior_sd, .bias_sd = 0.4}, spec, 7,
                                    {}, *executor);
        Ring ring(population, set, *executor);
        for (int t = 0; t < 30; ++t) {
          ring.step();
          if (t % 10 == 0)
            ring.design->follow(*ring.plan, population.capability(*ring.belief), -1, {}, 0);  // twice the same: nothing new
        }
        const auto expected = by_definition(population, *ring.belief, set, Utility::laplace_information);
        EXPECT_LT(largest_error(ring.utilities(), expected), 1e-4) << aggregate << ' ' << link << ' ' << prior_sd;
        ring.choose();
        EXPECT_EQ(ring.choice.pool_index, std::max_element(expected.begin(), expected.end()) - expected.begin());
        EXPECT_NEAR(ring.choice.utility, *std::max_element(expected.begin(), expected.end()), 1e-9);
        EXPECT_EQ(ring.choice.units, 3);
      }
}

TEST(PopulationPool, SharedGainUtilityEqualsTheDenseDeterminant) {
  const auto executor = make_serial_executor();
  const double s = 0.5;
  const StimulusSet set = normal_pool(70, 4);
  const Population population({}, {.prior_sd = 0.3}, {.num_cells = 6, .shared_gain_sd = s}, 4, {}, *executor);
  Ring ring(population, set, *executor);
  for (int t = 0; t < 20; ++t) ring.step();
  const auto scores = ring.utilities();
  const LinearUtility linear(Utility::laplace_information, population.glm().law);
  std::vector<double> expected(set.num());
  for (std::size_t i = 0; i < set.num(); ++i) {
    const Eigen::Map<const Eigen::Vector4d> x(&set.pool[i * 4]);
    Eigen::MatrixXd noise = Eigen::MatrixXd::Constant(6, 6, s * s), spread = Eigen::MatrixXd::Zero(6, 6);
    for (std::size_t c = 0; c < 6; ++c) {
      const auto& cell = dynamic_cast<const PopulationBelief&>(*ring.belief).cells[c];
      const double m = x.dot(Eigen::Map<const Eigen::Vector4d>(cell.mean.data()));
      const double v = x.dot(Eigen::Map<const Eigen::Matrix4d>(cell.covariance.data()) * x);
      // E log(1 + v e^η), η ~ N(m, v + s²): a utility at the variance v + s² with a lower rate
      const double d = std::expm1(2 * linear(m + std::log(v / (v + s * s)), v + s * s)) / v;
      noise(static_cast<Eigen::Index>(c), static_cast<Eigen::Index>(c)) += 1 / d;
      spread(static_cast<Eigen::Index>(c), static_cast<Eigen::Index>(c)) = v;
    }
    expected[i] = 0.5 * std::log((noise + spread).determinant() / noise.determinant());
  }
  EXPECT_LT(largest_error(scores, expected), 2e-4);
  ring.choose();
  EXPECT_EQ(ring.choice.pool_index, std::max_element(expected.begin(), expected.end()) - expected.begin());
  EXPECT_NEAR(ring.choice.utility, *std::max_element(expected.begin(), expected.end()), 1e-9);
}

TEST(PopulationPool, FollowedMeansAndVariancesEqualFreshOnes) {
  const auto executor = make_serial_executor();
  const StimulusSet set = normal_pool(500, 6);
  double worst[2] = {};  // in the first 300 trials; just before the tiles are renewed
  for (const double drift : {0.0, 1e-4})
    for (const double gain_sd : {0.0, 0.3}) {
      const Population population({.bias = true},
                                  {.prior_sd = 0.3, .bias_sd = 0.3, .drift_per_s = drift, .bias_drift_per_s = drift},
                                  {.num_cells = 9, .shared_gain_sd = gain_sd}, 6, {}, *executor);
      Ring ring(population, set, *executor);
      for (int t = 0; t < 2040; ++t) {
        ring.step();
        if (t != 20 && t != 299 && t != 2039) continue;
        const auto fresh = ring.design->utilities(*ring.design->make_plan(), population.capability(*ring.belief));
        double& so_far = worst[t == 2039];
        so_far = std::max(so_far, largest_error(ring.utilities(), fresh));
      }
    }
  fmt::print("largest relative error {:.1e}, after 2,040 trials {:.1e}\n", worst[0], worst[1]);
  EXPECT_LT(worst[0], 2e-5);
  EXPECT_LT(worst[1], 1e-4);
}

TEST(PopulationPool, CellsThatAreGoneDoNotCountAndComeBackAsTheyAre) {
  const auto executor = make_serial_executor();
  const StimulusSet set = normal_pool(130, 3);
  const Population population({}, {.prior_sd = 0.3, .drift_per_s = 1e-3}, {.num_cells = 4, .vanish_after = 2}, 3, {}, *executor);
  Ring ring(population, set, *executor);
  for (int t = 0; t < 40; ++t) {
    ring.choose();
    ring.respond();
    ring.response.marks.assign(4, Mark::observed);
    if (t >= 10 && t < 25) ring.response.marks[2] = Mark::missing;
    if (t >= 15 && t < 30) ring.response.marks[0] = Mark::missing;
    ring.learn();
    EXPECT_LT(largest_error(ring.utilities(), by_definition(population, *ring.belief, set, Utility::laplace_information)), 1e-4)
        << t;
  }
  EXPECT_EQ(dynamic_cast<const PopulationBelief&>(*ring.belief).attendance.size(), 4u);
}

TEST(PopulationPool, PendingResponsesCountWithoutBeingKept) {
  const auto executor = make_serial_executor();
  const StimulusSet set = normal_pool(130, 3);
  for (const double drift : {0.0, 1e-3}) {
    const Population population({.bias = true}, {.prior_sd = 0.3, .bias_sd = 0.3, .drift_per_s = drift}, {.num_cells = 4}, 3, {},
                                *executor);
    Ring ring(population, set, *executor);
    for (int t = 0; t < 5; ++t) ring.step();
    const auto before = ring.utilities();
    Response pending = ring.response;
    pending.marks.assign(4, Mark::pending);
    auto fork = ring.belief->fork();
    population.update(*fork, {&set.pool[0], 3}, pending, 1);
    population.update(*fork, {&set.pool[9], 3}, pending, 1);
    const auto expected = by_definition(population, *fork, set, Utility::laplace_information);
    EXPECT_LT(largest_error(ring.design->utilities(*ring.plan, population.capability(*fork)), expected), 1e-4);
    EXPECT_LT(largest_error(ring.design->utilities(*ring.design->make_plan(), population.capability(*fork)), expected), 1e-4);
    EXPECT_EQ(ring.utilities(), before);
  }
}

TEST(PopulationPool, SameBitsAtAnyNumberOfThreadsAndWhetherOrNotItChose) {
  const StimulusSet set = normal_pool(1000, 5);
  std::vector<double> first;
  for (const int threads : {1, 2, 8}) {
    const auto executor = make_executor(threads);
    const Population population({}, {.prior_sd = 0.4}, {.num_cells = 21}, 5, {}, *executor);
    Ring ring(population, set, *executor);
    const auto silent = ring.design->make_plan();  // follows, never chooses
    for (int t = 0; t < 60; ++t) {
      ring.step();
      ring.design->follow(*silent, population.capability(*ring.belief), ring.choice.pool_index, ring.choice.values, 0);
    }
    const auto scores = ring.utilities();
    if (threads == 1) first = scores;
    EXPECT_EQ(scores, first);
    const auto resumed = ring.design->utilities(*silent, population.capability(*ring.belief));
    // a plan that began later has projected anew once; float accuracy, not bits
    EXPECT_LT(largest_error(resumed, scores), 1e-5);
    const auto plan_a = ring.design->make_plan(), plan_b = ring.design->make_plan();
    for (Plan* plan : {plan_a.get(), plan_b.get()}) ring.design->follow(*plan, population.capability(*ring.belief), -1, {}, 0);
    for (int t = 0; t < 20; ++t) {
      Budget few;
      few.max_units = 1 + t % 5;
      Choice other;
      ring.step();
      ring.design->follow(*plan_a, population.capability(*ring.belief), -1, {}, 0);
      ring.design->follow(*plan_b, population.capability(*ring.belief), -1, {}, 0);
      ring.design->choose(*plan_b, population.capability(*ring.belief), static_cast<std::uint64_t>(t), few, other);
      EXPECT_EQ(other.units, few.max_units);
    }
    EXPECT_EQ(ring.design->utilities(*plan_a, population.capability(*ring.belief)),
              ring.design->utilities(*plan_b, population.capability(*ring.belief)));
  }
}

TEST(PopulationPool, ShowsEachMemberOnceAndBreaksTiesBySeed) {
  const auto executor = make_serial_executor();
  const StimulusSet set = normal_pool(20, 3, true);
  const Population population({}, {.prior_sd = 0.4}, {.num_cells = 3}, 3, {}, *executor);
  Ring ring(population, set, *executor);
  std::vector<std::int64_t> shown;
  for (int t = 0; t < 20; ++t) {
    ring.step();
    shown.push_back(ring.choice.pool_index);
  }
  std::sort(shown.begin(), shown.end());
  EXPECT_EQ(std::unique(shown.begin(), shown.end()), shown.end());
  EXPECT_THROW(ring.choose(), RunError);
  StimulusSet same;
  same.dim = 3;
  for (int i = 0; i < 300; ++i) same.pool.insert(same.pool.end(), {1, 0, 0});
  Ring equal(population, same, *executor);
  equal.choose();
  const std::int64_t once = equal.choice.pool_index;
  equal.choose();
  EXPECT_EQ(equal.choice.pool_index, once);
  equal.trial = 1;
  equal.choose();
  EXPECT_NE(equal.choice.pool_index, once);
}

TEST(PopulationPool, ModifiersWeighAndBar) {
  const auto executor = make_serial_executor();
  const Population population({}, {.prior_sd = 0.5}, {.num_cells = 12}, 4, {}, *executor);
  const StimulusSet set = normal_pool(700, 4);
  DesignSpec spec = spec_of("laplace_information");
  spec.per_second = spec.no_repeat = true;
  spec.explore = 0.25;
  for (std::size_t i = 0; i < set.num(); ++i) spec.cost.push_back(0.05 * static_cast<double>(i % 7));
  Ring ring(population, set, *executor, spec);
  std::vector<double> total(set.num()), count(set.num());
  double all = 0, num = 0;
  int explored = 0;
  std::int64_t last = -1;
  for (int t = 0; t < 200; ++t) {
    ring.choose();
    const auto u = by_definition(population, *ring.belief, set, Utility::laplace_information);
    const auto value = [&](std::size_t i) {
      const double seconds = count[i] > 0 ? total[i] / count[i] : num > 0 ? all / num : 1;
      return (u[i] - spec.cost[i]) / seconds;
    };
    EXPECT_NE(ring.choice.pool_index, last);
    EXPECT_EQ(std::isnan(ring.choice.utility), ring.choice.explored);
    explored += ring.choice.explored;
    const auto chosen = static_cast<std::size_t>(ring.choice.pool_index);
    if (!ring.choice.explored) {
      double best = -1e300;
      for (std::size_t i = 0; i < set.num(); ++i)
        if (static_cast<std::int64_t>(i) != last) best = std::max(best, value(i));
      EXPECT_NEAR(ring.choice.utility, best, 1e-9 * std::abs(best)) << t;
      EXPECT_NEAR(value(chosen), best, 1e-9 * std::abs(best)) << t;
    }
    last = ring.choice.pool_index;
    const double seconds = 1 + static_cast<double>(chosen % 3);
    total[chosen] += seconds, count[chosen] += 1, all += seconds, num += 1;
    ring.respond();
    population.update(*ring.belief, ring.choice.values, ring.response, 1);
    ring.design->follow(*ring.plan, population.capability(*ring.belief), last, ring.choice.values, seconds);
    ++ring.trial;
  }
  EXPECT_NEAR(explored, 50, 31);  // fails by chance once in a million
}

TEST(PopulationPool, RefusesWhatItCannotScore) {
  const auto executor = make_serial_executor();
  const StimulusSet set = normal_pool(20, 3);
  const Population lagged({.num_lags = 2}, {}, {.num_cells = 3}, 3, {}, *executor);
  EXPECT_THROW(make_population_pool_design(spec_of("laplace_information"), lagged, set, 1, *executor), SpecError);
  const Population gain({}, {}, {.num_cells = 3, .shared_gain_sd = 0.2}, 3, {}, *executor);
  EXPECT_THROW(make_population_pool_design(spec_of("posterior_variance"), gain, set, 1, *executor), SpecError);
  const Population many({}, {}, {.num_cells = 2'000'000}, 1, {}, *executor);
  const StimulusSet large = normal_pool(1100, 1);
  try {
    make_population_pool_design(spec_of("laplace_information"), many, large, 1, *executor);
    FAIL();
  } catch (const SpecError& error) {
    EXPECT_STREQ(error.what(),
                 "stimulus.pool: must be <= 1000 members for 2000000 cells (got 1100). It would take 18 GB; draw a smaller pool.");
  }
}

}  // namespace
}  // namespace hartline::design
