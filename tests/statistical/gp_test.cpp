// Gaussian process tuning functions: which utility maps them best, and whether the belief is as wide as it should be.
#include <gtest/gtest.h>

#include <algorithm>
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
      const auto design =
          u > 0 ? design::make_function_pool_design({.utility = utilities[u]}, model.law, set, seed, *serial) : nullptr;
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

TEST(GaussianProcessMaps, ChosenStimuliMapBetterThanRandomOnes) {
  const std::int64_t num_map = proof::sized(60, 6), num_line = proof::sized(200, 20);
  proof::Sheet sheet(
      fmt::format("Relative error |E f - f| / |f| of tuning functions, mean ± standard error, and its lead over random "
                  "stimuli with a 95 % interval; {} and {} paired seeds",
                  num_line, num_map),
      {"tuning function", "trials", "utility", "relative error", "lead over random", "seeds with the smaller error"});
  const auto on_line = errors(line(), num_line), on_map = errors(map(), num_map);
  add_rows(sheet, line(), on_line);
  add_rows(sheet, map(), on_map);
}

}  // namespace
}  // namespace hartline
