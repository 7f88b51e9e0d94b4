#include "design/function_pool.hpp"

#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "design/utility.hpp"
#include "models/gaussian_process.hpp"

namespace hartline::design {
namespace {

using models::FunctionView;
using models::GaussianProcess;

/// A pool on a square of side² points, and a belief after some responses.
struct Scene {
  StimulusSet set;
  std::unique_ptr<GaussianProcess> model;
  std::unique_ptr<models::Belief> belief;
  FunctionView view() const { return std::get<FunctionView>(model->capability(*belief)); }
};

Scene scene(std::size_t side, std::size_t num_trials, const std::string& link = "exp", bool once = false) {
  Scene s;
  s.set.dim = 2;
  s.set.once = once;
  for (std::size_t i = 0; i < side; ++i)
    for (std::size_t j = 0; j < side; ++j) s.set.pool.insert(s.set.pool.end(), {static_cast<double>(i), static_cast<double>(j)});
  models::GaussianProcessSpec spec;
  spec.link = link;
  spec.mean = 1;
  spec.variance = link == "exp" ? 1.5 : 20;
  spec.length = {3};
  s.model = std::make_unique<GaussianProcess>(spec, models::GaussianProcessBeliefSpec{}, s.set.pool, 2, num_trials);
  s.belief = s.model->prior();
  Stream stream(1, Purpose::test);
  const std::vector<double> truth = s.model->draw_truth(stream);
  for (std::size_t t = 0; t < num_trials; ++t) {
    const auto i = static_cast<std::size_t>(stream.integer(static_cast<std::int64_t>(s.set.num())));
    const std::span<const double> x(&s.set.pool[2 * i], 2);
    s.model->update(*s.belief, x, {ResponseKind::counts, 1, 1, {s.model->sample(truth, x, stream)}, {}, ""}, 0);
  }
  return s;
}

DesignSpec spec_of(const std::string& utility, double kappa = DesignSpec{}.kappa) {
  DesignSpec spec;
  spec.utility = utility;
  spec.kappa = kappa;
  return spec;
}

std::vector<double> utilities(const Scene& s, const DesignSpec& spec, Executor& executor, const std::vector<double>& weights = {}) {
  const auto design = make_function_pool_design(spec, s.model->law, s.set, 1, executor, weights);
  return design->utilities(*design->make_plan(), s.model->capability(*s.belief));
}

TEST(FunctionPool, MmseAgreesWithTheWholeCovariance) {
  const auto executor = make_serial_executor();
  for (const char* link : {"exp", "softplus"})
    for (const std::size_t side : {5, 17}) {
      const Scene s = scene(side, 40, link);
      const FunctionView view = s.view();
      const auto num = static_cast<Eigen::Index>(s.set.num()), depth = static_cast<Eigen::Index>(view.num_visited);
      using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
      const Eigen::Map<const RowMatrix> k(view.prior_covariance, num, num), v(view.root, depth, num);
      const RowMatrix c = k - v.transpose() * v;
      std::vector<double> weights;
      for (const bool weighted : {false, true}) {
        if (weighted)
          for (Eigen::Index i = 0; i < num; ++i) weights.push_back(static_cast<double>(i % 5));
        const auto found = utilities(s, spec_of("mmse"), *executor, weights);
        for (Eigen::Index x = 0; x < num; ++x) {
          const auto at = [&](std::span<const double> values, Eigen::Index i) { return values[static_cast<std::size_t>(i)]; };
          EXPECT_NEAR(c(x, x), at(view.variance, x), 1e-10);
          double wanted = 0;
          for (Eigen::Index y = 0; y < num; ++y) {
            const double m = at(view.mean, y), slope = std::string(link) == "exp" ? std::exp(m) : 1 / (1 + std::exp(-m));
            wanted += (weighted ? static_cast<double>(y % 5) : 1) * slope * slope * c(x, y) * c(x, y);
          }
          const double w = s.model->law.fisher(at(view.mean, x));
          wanted *= w / (1 + w * c(x, x));
          EXPECT_NEAR(found[static_cast<std::size_t>(x)], wanted, 1e-10 * wanted);
        }
      }
    }
}

/// What mmse promises comes true: a response that is as expected lowers the weighted variance by just so much.
TEST(FunctionPool, MmseForetellsTheFallOfTheVariance) {
  const auto executor = make_serial_executor();
  const Scene s = scene(12, 30);
  const auto promised = utilities(s, spec_of("mmse"), *executor);
  for (const std::size_t x : {3, 70, 143}) {
    const auto fork = s.belief->fork();
    s.model->update(*fork, {&s.set.pool[2 * x], 2}, {ResponseKind::counts, 1, 1, {0}, {Mark::pending}, ""}, 0);
    const FunctionView before = s.view(), after = std::get<FunctionView>(s.model->capability(*fork));
    double fall = 0;
    for (std::size_t y = 0; y < s.set.num(); ++y) fall += std::exp(2 * before.mean[y]) * (before.variance[y] - after.variance[y]);
    EXPECT_NEAR(fall, promised[x], 1e-8 * promised[x]);
  }
}

TEST(FunctionPool, OtherUtilitiesAreThoseOfMeanAndVariance) {
  const auto executor = make_serial_executor();
  for (const char* link : {"exp", "softplus"}) {
    const Scene s = scene(18, 25, link);
    const FunctionView view = s.view();
    for (const char* name :
         {"laplace_information", "mutual_information", "posterior_variance", "expected_response", "upper_confidence"}) {
      const auto found = utilities(s, spec_of(name, 1.5), *executor);
      const LinearUtility utility(utility_named(name), s.model->law, 1.5);
      for (std::size_t i = 0; i < s.set.num(); i += 13)
        EXPECT_NEAR(found[i], utility(view.mean[i], view.variance[i]), 1e-9 * (1 + found[i])) << name;
    }
    const auto sd = utilities(s, spec_of("response_sd"), *executor);
    for (std::size_t i = 0; i < s.set.num(); ++i) {
      const double h = 1e-5, m = view.mean[i];
      const double slope = (s.model->law.mean(m + h) - s.model->law.mean(m - h)) / (2 * h);
      EXPECT_NEAR(sd[i], std::sqrt(view.variance[i]) * slope, 1e-8 * (1 + sd[i]));
    }
  }
}

/// Over 2,500 members: 27 units of mmse, 10 of the others.
TEST(FunctionPool, ThreadsAndBudgetsDoNotChangeAChoice) {
  const Scene s = scene(50, 60);
  const auto view = s.model->capability(*s.belief);
  for (const char* utility : {"mmse", "laplace_information", "response_sd"}) {
    std::vector<double> first;
    for (const int threads : {1, 2, 8}) {
      const auto executor = make_executor(threads);
      const auto design = make_function_pool_design(spec_of(utility), s.model->law, s.set, 1, *executor);
      const auto plan = design->make_plan();
      Choice whole, cut, again;
      for (const std::uint64_t trial : {0, 5}) {
        design->choose(*plan, view, trial, {}, whole);
        const auto all = design->utilities(*plan, view);
        EXPECT_EQ(whole.utility, *std::max_element(all.begin(), all.end()));
        EXPECT_EQ(whole.pool_index, std::max_element(all.begin(), all.end()) - all.begin());
        if (first.empty()) first = all;
        EXPECT_EQ(all, first) << utility << ", " << threads << " threads";
        Budget units;
        units.max_units = 4;
        design->choose(*plan, view, trial, units, cut);
        EXPECT_EQ(cut.units, 4);
        EXPECT_EQ(cut.utility, all[static_cast<std::size_t>(cut.pool_index)]);
        design->choose(*design->make_plan(), view, trial, units, again);
        EXPECT_EQ(cut.pool_index, again.pool_index);
        EXPECT_LE(cut.utility, whole.utility);
      }
    }
  }
}

TEST(FunctionPool, ShowsEachMemberOnceAndThenSaysSo) {
  const auto executor = make_serial_executor();
  const Scene s = scene(4, 3, "exp", true);
  for (const char* utility : {"mmse", "laplace_information", "response_sd"}) {
    const auto design = make_function_pool_design(spec_of(utility), s.model->law, s.set, 1, *executor);
    const auto plan = design->make_plan();
    const auto view = s.model->capability(*s.belief);
    std::set<std::int64_t> shown;
    Choice choice;
    for (std::uint64_t t = 0; t < 16; ++t) {
      design->choose(*plan, view, t, {}, choice);
      shown.insert(choice.pool_index);
      EXPECT_EQ(choice.values[1], s.set.pool[static_cast<std::size_t>(2 * choice.pool_index + 1)]);
      design->follow(*plan, view, choice.pool_index, choice.values, 0);
    }
    EXPECT_EQ(shown.size(), 16u) << utility;
    EXPECT_THROW(design->choose(*plan, view, 16, {}, choice), RunError);
  }
}

/// Before any response all members of an even prior are alike; the seed decides.
TEST(FunctionPool, TiesAreBrokenByTheSeed) {
  const auto executor = make_serial_executor();
  const Scene s = scene(6, 0);
  std::set<std::int64_t> by_trial;
  const auto design = make_function_pool_design(spec_of("posterior_variance"), s.model->law, s.set, 1, *executor);
  Choice choice;
  for (std::uint64_t t = 0; t < 8; ++t) {
    design->choose(*design->make_plan(), s.model->capability(*s.belief), t, {}, choice);
    by_trial.insert(choice.pool_index);
  }
  EXPECT_GT(by_trial.size(), 2u);
}

TEST(FunctionPool, ModifiersWeighAndBar) {
  const auto executor = make_serial_executor();
  const Scene s = scene(7, 30);
  const auto view = s.view();
  for (const char* utility : {"mmse", "laplace_information", "response_sd"}) {
    const auto u = utilities(s, spec_of(utility), *executor);
    const auto top = std::max_element(u.begin(), u.end()) - u.begin();
    DesignSpec spec = spec_of(utility);
    spec.per_second = spec.no_repeat = true;
    spec.cost.assign(u.size(), 0.0);
    spec.cost[3] = 0.5;
    std::vector<double> counts;
    for (std::size_t i = 0; i < u.size(); ++i)
      counts.push_back(models::expected_response(s.model->law, view.mean[i], view.variance[i]));
    auto sorted = counts;
    std::sort(sorted.begin(), sorted.end());
    spec.max_expected_count = sorted[sorted.size() / 2];
    const auto design = make_design(spec, s.set, s.model->capability(*s.belief), {}, 1, *executor);
    const auto plan = design->make_plan();
    design->follow(*plan, s.model->capability(*s.belief), top, {}, 4);
    const auto value = [&](std::size_t i) {
      return (u[i] - spec.cost[i]) / 4;  // the mean of all where a member has none
    };
    const auto values = design->utilities(*plan, s.model->capability(*s.belief));
    for (std::size_t i = 0; i < u.size(); ++i) EXPECT_DOUBLE_EQ(values[i], value(i)) << utility;
    std::int64_t last = -1;
    Choice choice;
    for (std::uint64_t t = 0; t < 3; ++t) {
      design->choose(*plan, s.model->capability(*s.belief), t, {}, choice);
      double best = -1e300;
      for (std::size_t i = 0; i < u.size(); ++i)
        if (counts[i] <= *spec.max_expected_count && static_cast<std::int64_t>(i) != last) best = std::max(best, value(i));
      EXPECT_DOUBLE_EQ(choice.utility, best) << utility;
      last = choice.pool_index;
      design->follow(*plan, s.model->capability(*s.belief), last, choice.values, std::nan(""));
    }
    spec.explore = 1;
    const auto drawing = make_design(spec, s.set, s.model->capability(*s.belief), {}, 1, *executor);
    std::set<std::int64_t> drawn;
    for (std::uint64_t t = 0; t < 60; ++t) {
      drawing->choose(*plan, s.model->capability(*s.belief), t, {}, choice);
      EXPECT_TRUE(choice.explored);
      EXPECT_LE(counts[static_cast<std::size_t>(choice.pool_index)], *spec.max_expected_count);
      EXPECT_NE(choice.pool_index, last);
      drawn.insert(choice.pool_index);
    }
    EXPECT_GT(drawn.size(), 10u);
    spec.max_expected_count = 0.9 * sorted.front();
    const auto none = make_design(spec, s.set, s.model->capability(*s.belief), {}, 1, *executor);
    EXPECT_THROW(none->choose(*none->make_plan(), s.model->capability(*s.belief), 0, {}, choice), RunError);
  }
}

TEST(FunctionPool, RefusesWhatDoesNotFit) {
  const auto executor = make_serial_executor();
  const Scene s = scene(4, 0);
  const auto make = [&](const std::string& utility, const StimulusSet& set, const std::vector<double>& weights = {}) {
    return make_function_pool_design(spec_of(utility), s.model->law, set, 1, *executor, weights);
  };
  EXPECT_THROW(make("mse", s.set), SpecError);
  EXPECT_THROW(make("mmse", s.set, {1, 2}), SpecError);
  EXPECT_THROW(make("mmse", s.set, std::vector<double>(16, -1.0)), SpecError);
  EXPECT_THROW(make("response_sd", s.set, std::vector<double>(16, 1.0)), SpecError);
  StimulusSet large;
  large.dim = 1;
  large.pool.resize(5000);
  EXPECT_THROW(make("mmse", large), SpecError);
  EXPECT_NO_THROW(make("response_sd", large));
}

}  // namespace
}  // namespace hartline::design
