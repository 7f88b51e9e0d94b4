// Gaussian process tuning functions: which utility maps them best, and whether the belief is as wide as it should be.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "../proof/proof.hpp"
#include "calibration.hpp"
#include "design/function_pool.hpp"
#include "models/gaussian_process.hpp"

namespace hartline {
namespace {

using models::GaussianProcess;
using models::GaussianProcessBelief;

/// A published demonstration: a prior over a pool, random stimuli first, then chosen ones.
struct Demo {
  std::string name;
  std::size_t side, dim;  // side^dim points, one apart
  models::GaussianProcessSpec spec;
  std::size_t num_random, num_trials;

  std::vector<double> pool() const {
    std::vector<double> x;
    for (std::size_t i = 0; i < side; ++i)
      for (std::size_t j = 0; j < (dim == 2 ? side : 1); ++j) {
        x.push_back(static_cast<double>(i));
        if (dim == 2) x.push_back(static_cast<double>(j));
      }
    return x;
  }
};

Demo line() {
  Demo demo{"500 points on a line, softplus", 500, 1, {}, 10, 60};
  demo.spec.link = "softplus";
  demo.spec.mean = 2;
  demo.spec.variance = 625;
  demo.spec.length = {25};
  return demo;
}

Demo map() {
  Demo demo{"40 x 40 points, exp", 40, 2, {}, 15, 215};
  demo.spec.mean = 1;
  demo.spec.variance = 1.5625;
  demo.spec.length = {5};
  return demo;
}

/// One run: the subject's φ is drawn from the true prior; the first stimuli are the same for every utility.
struct Ring {
  Ring(const GaussianProcess& m, const design::Design* d, const std::vector<double>& phi, std::uint64_t seed)
      : model(m), design(d), truth(phi), seed_(seed), belief(m.prior()) {
    if (design) plan = design->make_plan();
  }

  void trial(std::size_t t, std::size_t num_random) {
    Stream draw(seed_, Purpose::design, t), answer(seed_, Purpose::response, t);
    auto index = draw.integer(static_cast<std::int64_t>(model.num_members()));
    const auto view = model.capability(*belief);
    if (design && t >= num_random) {
      design->choose(*plan, view, t, {}, choice);
      index = choice.pool_index;
    }
    const std::span<const double> x(model.pool_at(static_cast<std::size_t>(index)), model.stimulus_dim);
    const double r = model.sample(truth, x, answer);
    model.update(*belief, x, {ResponseKind::counts, 1, 1, {r}, {}, ""}, 0);
    history.stimuli.insert(history.stimuli.end(), x.begin(), x.end());
    history.values.push_back(r);
    ++history.num_trials;
  }

  const GaussianProcessBelief& now() const { return dynamic_cast<const GaussianProcessBelief&>(*belief); }

  /// |E f - f| / |f| over the points.
  double map_error(const std::vector<double>& pool) const {
    std::vector<double> expected(truth.size());
    model.predict(*belief, pool, expected);
    double off = 0, all = 0;
    for (std::size_t i = 0; i < truth.size(); ++i) {
      const double f = model.law.mean(truth[i]);
      off += (expected[i] - f) * (expected[i] - f);
      all += f * f;
    }
    return std::sqrt(off / all);
  }

  const GaussianProcess& model;
  const design::Design* design;
  const std::vector<double>& truth;
  std::uint64_t seed_;
  std::unique_ptr<models::Belief> belief;
  std::unique_ptr<design::Plan> plan;
  design::Choice choice;
  models::History history;
};

std::unique_ptr<design::Design> design_for(const std::string& utility, const GaussianProcess& model, const design::StimulusSet& set,
                                           std::uint64_t seed, Executor& executor) {
  design::DesignSpec spec;
  spec.utility = utility;
  return design::make_function_pool_design(spec, model.law, set, seed, executor);
}

struct Summary {
  double mean = 0, error = 0;  // error: standard error of the mean
};

Summary summarise(const std::vector<double>& values) {
  Summary s;
  const auto n = static_cast<double>(values.size());
  for (double x : values) s.mean += x / n;
  for (double x : values) s.error += (x - s.mean) * (x - s.mean) / (n - 1) / n;
  s.error = std::sqrt(s.error);
  return s;
}

const std::vector<std::string> utilities = {"random", "laplace_information", "response_sd", "mmse"};

/// The error of each utility, [num_utilities, num_seeds]; random has no design.
std::vector<std::vector<double>> errors(const Demo& demo, std::int64_t num_seeds) {
  const std::vector<double> pool = demo.pool();
  const GaussianProcess model(demo.spec, {}, pool, demo.dim, demo.num_trials);
  design::StimulusSet set;
  set.dim = demo.dim;
  set.pool = pool;
  Stream first(1, Purpose::truth);
  model.draw_truth(first);  // factors K once, before the threads
  std::vector<std::vector<double>> out(utilities.size(), std::vector<double>(static_cast<std::size_t>(num_seeds)));
  const auto executor = make_executor(0);
  executor->for_each_block(static_cast<int>(num_seeds), [&](int k) {
    const auto seed = 100 + static_cast<std::uint64_t>(k);
    const auto serial = make_serial_executor();
    Stream stream(seed, Purpose::truth);
    const std::vector<double> truth = model.draw_truth(stream);
    for (std::size_t u = 0; u < utilities.size(); ++u) {
      const auto design = u > 0 ? design_for(utilities[u], model, set, seed, *serial) : nullptr;
      Ring ring(model, design.get(), truth, seed);
      for (std::size_t t = 0; t < demo.num_trials; ++t) ring.trial(t, demo.num_random);
      out[u][static_cast<std::size_t>(k)] = ring.map_error(pool);
    }
  });
  return out;
}

/// The mean difference from random over paired seeds and its standard error.
Summary lead(const std::vector<std::vector<double>>& by_utility, std::size_t u) {
  std::vector<double> difference;
  for (std::size_t k = 0; k < by_utility[u].size(); ++k) difference.push_back(by_utility[0][k] - by_utility[u][k]);
  return summarise(difference);
}

void add_rows(proof::Sheet& sheet, const Demo& demo, const std::vector<std::vector<double>>& by_utility) {
  for (std::size_t u = 0; u < utilities.size(); ++u) {
    const Summary e = summarise(by_utility[u]), l = lead(by_utility, u);
    const auto wins = std::count_if(by_utility[u].begin(), by_utility[u].end(),
                                    [&, k = std::size_t{0}](double x) mutable { return x < by_utility[0][k++]; });
    const std::string interval = fmt::format("{:.4f} ({:.4f} … {:.4f})", l.mean, l.mean - 1.96 * l.error, l.mean + 1.96 * l.error);
    sheet.row({demo.name, fmt::format("{}", demo.num_trials), utilities[u], fmt::format("{:.4f} ± {:.4f}", e.mean, e.error),
               u ? interval : "", u ? fmt::format("{} of {}", wins, by_utility[u].size()) : ""});
    fmt::print("{}, {}: {:.4f} ± {:.4f}, lead {}, wins {}\n", demo.name, utilities[u], e.mean, e.error, interval, wins);
  }
}

/// The leads of mmse at full size are those of the sheet. On the map its lead was .074 with a standard deviation of .036 over
/// seeds: at 4 seeds a program as good as this one falls below zero with probability 2e-5, and at 40 below a half of it likewise.
/// On the line (lead .048, standard deviation .058) only the full size can tell: at 60 seeds below zero with probability 1e-10.
TEST(GaussianProcessMaps, ChosenStimuliMapBetterThanRandomOnes) {
  const std::int64_t num_map = proof::sized(40, 4), num_line = proof::sized(60, 4);
  proof::Sheet sheet(
      fmt::format("Relative error |E f - f| / |f| of tuning functions, mean ± standard error, and its lead over random "
                  "stimuli with a 95 % interval; {} and {} paired seeds",
                  num_line, num_map),
      {"tuning function", "trials", "utility", "relative error", "lead over random", "seeds with the smaller error"});
  const auto on_line = errors(line(), num_line), on_map = errors(map(), num_map);
  add_rows(sheet, line(), on_line);
  add_rows(sheet, map(), on_map);
  EXPECT_GT(lead(on_map, 3).mean, proof::is_full() ? .037 : 0);
  if (proof::is_full()) {
    EXPECT_GT(lead(on_line, 3).mean, 0);
  }
}

// --- calibration ----------------------------------------------------------------------------------------------------------

/// What beliefs say of φ at points where it is known.
struct Coverage {
  std::int64_t num = 0, inside = 0;  // at one point a run, so that runs are independent
  double everywhere = 0;             // share of all points
  proof::RankHistogram ranks;

  void add(double rank, double share) {
    ++num;
    inside += rank > .05 && rank < .95;
    everywhere += share;
    ranks.add(rank);
  }
};

struct Calibrated {
  Coverage known, told_wrong, fitted;
};

/// Runs on a line of 200 points, length 12, variance 1.5625, the mean of log rate given, exp counts: 10 random trials and 50 by
/// `utility`. Beside the belief with the true hyper-parameters stands one that was told others (variance 3, length 7, mean lower by
/// .7), before and after a refit that fits them; it chooses its own stimuli.
Calibrated calibrate(const std::string& utility, double mean, std::int64_t num_runs) {
  Demo demo{"", 200, 1, {}, 10, 60};
  demo.spec.mean = mean;
  demo.spec.variance = 1.5625;
  demo.spec.length = {12};
  models::GaussianProcessSpec wrong = demo.spec;
  wrong.mean = mean - .7;
  wrong.variance = 3;
  wrong.length = {7};
  const GaussianProcess truth_model(demo.spec, {}, demo.pool(), 1, demo.num_trials);
  const GaussianProcess wrong_model(wrong, {.fit = true}, demo.pool(), 1, demo.num_trials);
  Stream first(1, Purpose::truth);
  truth_model.draw_truth(first);
  design::StimulusSet set;
  set.dim = 1;
  set.pool = demo.pool();
  std::vector<std::array<std::pair<double, double>, 3>> verdicts(static_cast<std::size_t>(num_runs));
  const auto executor = make_executor(0);
  executor->for_each_block(static_cast<int>(num_runs), [&](int k) {
    const auto seed = 5000 + static_cast<std::uint64_t>(k);
    const auto serial = make_serial_executor();
    Stream stream(seed, Purpose::truth);
    const std::vector<double> truth = truth_model.draw_truth(stream);
    const auto at = static_cast<std::size_t>(stream.integer(200));
    const auto judge = [&](const GaussianProcessBelief& belief) {
      const auto rank = [&](std::size_t i) {
        return 0.5 * std::erfc((belief.mean[i] - truth[i]) / std::sqrt(2 * belief.variance[i]));
      };
      double inside = 0;
      for (std::size_t i = 0; i < 200; ++i) inside += rank(i) > .05 && rank(i) < .95;
      return std::pair{rank(at), inside / 200};
    };
    auto& own = verdicts[static_cast<std::size_t>(k)];
    for (const bool told : {true, false}) {
      const GaussianProcess& model = told ? truth_model : wrong_model;
      const auto design = utility == "random" ? nullptr : design_for(utility, model, set, seed, *serial);
      Ring ring(model, design.get(), truth, seed);
      for (std::size_t t = 0; t < demo.num_trials; ++t) ring.trial(t, demo.num_random);
      own[told ? 0 : 1] = judge(ring.now());
      if (told) continue;
      model.refine(*ring.belief, ring.history);
      own[2] = judge(ring.now());
    }
  });
  Calibrated out;
  for (const auto& own : verdicts) {
    out.known.add(own[0].first, own[0].second);
    out.told_wrong.add(own[1].first, own[1].second);
    out.fitted.add(own[2].first, own[2].second);
  }
  return out;
}

/// With known hyper-parameters 87 to 93 % of 1,000 truths at one point a run must be covered; with 60 runs a belief that covers 90
/// % fails with probability at most 1e-3 a utility. The share over all points has the standard deviation .08 over runs; its limits
/// are 2 % and two and a half such errors away. Fitted hyper-parameters enter as if they were known, which costs some 2 %.
///
/// Where few spikes came the posterior is skewed towards low φ, which a normal law around the mode cannot follow: at a mean of 1
/// some 13 % of 1,000 truths lie in its lowest tenth, and χ² of the ranks was 22 under random stimuli and 24 to 47 under chosen
/// ones. Ranks are therefore only stated there, and held to a uniform law at a mean of 4 (χ² was 3 under random stimuli, 30 under
/// mmse).
TEST(GaussianProcessCalibration, PointwiseIntervalsCoverTheTruthUnderChosenStimuli) {
  const std::int64_t num_runs = proof::sized(1000, 60);
  proof::Sheet sheet(
      fmt::format("Pointwise 90 % intervals of a Gaussian process after 60 trials, {} runs (χ² with 9 degrees of freedom, "
                  "1e-4 above {})",
                  num_runs, proof::RankHistogram::limit),
      {"utility", "mean log rate", "hyper-parameters", "covers, one point a run", "covers, all points", "χ² of ranks"});
  const auto add = [&](const std::string& utility, double mean, const std::string& name, const Coverage& c) {
    const auto n = static_cast<double>(c.num);
    const std::vector<std::string> cells = {utility,
                                            fmt::format("{}", mean),
                                            name,
                                            fmt::format("{:.1f} %", 100 * static_cast<double>(c.inside) / n),
                                            fmt::format("{:.1f} %", 100 * c.everywhere / n),
                                            fmt::format("{:.1f}", c.ranks.chi_square())};
    sheet.row(cells);
    fmt::print("{}\n", fmt::join(cells, " | "));
  };
  const auto n = static_cast<double>(num_runs);
  for (const char* utility : {"random", "laplace_information", "response_sd", "mmse"}) {
    const Calibrated found = calibrate(utility, 1, num_runs);
    add(utility, 1, "known", found.known);
    add(utility, 1, "told wrong", found.told_wrong);
    add(utility, 1, "told wrong, then fitted", found.fitted);
    EXPECT_TRUE(proof::covers_ninety_percent(found.known.inside, num_runs)) << utility << ": " << found.known.inside;
    EXPECT_NEAR(found.known.everywhere / n, .9, .02 + .2 / std::sqrt(n)) << utility;
    EXPECT_NEAR(found.fitted.everywhere / n, .88, .03 + .2 / std::sqrt(n)) << utility;
  }
  for (const char* utility : {"random", "mmse"}) {
    const Coverage known = calibrate(utility, 4, num_runs).known;
    add(utility, 4, "known", known);
    EXPECT_TRUE(proof::covers_ninety_percent(known.inside, num_runs)) << utility << ": " << known.inside;
    EXPECT_LT(known.ranks.chi_square(), proof::RankHistogram::limit) << utility;
  }
}

}  // namespace
}  // namespace hartline
