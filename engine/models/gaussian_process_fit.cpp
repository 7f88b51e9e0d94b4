// Refits of a Gaussian process: hyper-parameters by the evidence, and the belief anew from the whole history.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "models/gaussian_process.hpp"
#include "numerics/minimize.hpp"

namespace hartline::models {

namespace {

constexpr double log_sd = 1.5;  // of the prior of log variance and log length
constexpr double mean_sd = 2;   // of that of the mean, in standard deviations of φ

}  // namespace

/// K among the places visited, under the belief's hyper-parameters.
void GaussianProcess::place_among(GaussianProcessBelief& b) const {
  b.among.clear();
  for (std::size_t i = 0; i < b.num_visited; ++i)
    for (std::size_t j = 0; j <= i; ++j) b.among.push_back(b.prior.covariance(&b.places[i * b.dim], &b.places[j * b.dim]));
}

void GaussianProcess::unfold_into(GaussianProcessBelief& b, const History& history) const {
  for (std::size_t t = 0; t < history.num_trials; ++t) {
    const Mark mark = history.marks.empty() ? Mark::observed : history.marks[t];
    if (mark != Mark::observed && mark != Mark::censored) continue;
    fold(b, visit(b, &history.stimuli[t * stimulus_dim]), {history.values[t], mark == Mark::censored});
  }
}

void GaussianProcess::fit_hyper_parameters(GaussianProcessBelief& b) const {
  const std::size_t n = stimulus_dim;
  const bool shared = std::all_of(prior_.length.begin(), prior_.length.end(), [&](double l) { return l == prior_.length[0]; });
  const std::size_t num_lengths = shared ? 1 : n;
  // x = (mean - m₀)/sd₀, log variance/variance₀, log length/length₀ …
  const double sd = std::sqrt(prior_.variance);
  const auto prior_at = [&](std::span<const double> x) {
    SmoothPrior p = prior_;
    p.mean += sd * x[0];
    p.variance *= std::exp(x[1]);
    for (std::size_t d = 0; d < n; ++d) p.length[d] *= std::exp(x[shared ? 2 : 2 + d]);
    return p;
  };
  const auto loss = [&](std::span<const double> x) {
    double penalty = 0.5 * x[0] * x[0] / (mean_sd * mean_sd);
    for (std::size_t i = 1; i < x.size(); ++i) penalty += 0.5 * x[i] * x[i] / (log_sd * log_sd);
    b.prior = prior_at(x);
    place_among(b);
    bool settled = settle(b, b.num_visited, 0);  // from the last mode, else from the mean
    if (!settled) {
      std::fill(b.a.begin(), b.a.end(), 0.0);
      settled = settle(b, b.num_visited, 0);
    }
    return settled ? penalty - b.laplace_evidence : std::numeric_limits<double>::infinity();
  };
  std::vector<std::vector<double>> starts(3, std::vector<double>(2 + num_lengths, 0.0));
  starts[1][0] = (b.prior.mean - prior_.mean) / sd;
  starts[1][1] = std::log(b.prior.variance / prior_.variance);
  for (std::size_t d = 0; d < num_lengths; ++d) {
    starts[1][2 + d] = std::log(b.prior.length[d] / prior_.length[d]);
    starts[2][2 + d] = -std::log(2.0);
  }
  if (starts[1] == starts[0]) starts.erase(starts.begin() + 1);
  numerics::Minimum best;
  best.value = std::numeric_limits<double>::infinity();
  numerics::MinimizeOptions options;
  options.max_evaluations = 120 * static_cast<std::int64_t>(2 + num_lengths);
  options.tolerance = 1e-8;
  options.first_step.assign(2 + num_lengths, 0.3);
  for (const auto& start : starts) {
    if (!std::isfinite(loss(start))) continue;
    numerics::Minimum found = numerics::nelder_mead(loss, start, options);
    if (found.value < best.value) best = std::move(found);
  }
  if (best.x.empty()) throw RunError({"belief.refine", "", "", "No hyper-parameters explain the responses."}, -1);
  b.prior = prior_at(best.x);
}

void GaussianProcess::refine(Belief& any_belief, const History& history) const {
  auto& belief = dynamic_cast<GaussianProcessBelief&>(any_belief);
  GaussianProcessBelief anew(num_parameters, stimulus_dim, belief.max_visited);
  anew.prior = belief.prior;
  anew.members = belief.members;
  unfold_into(anew, history);
  if (belief_.fit && anew.num_visited > 0) {
    fit_hyper_parameters(anew);
    anew.members = whole(anew.prior);
    anew.columns.clear();
    for (std::size_t i = 0; i < anew.num_visited; ++i)
      for (std::size_t j = 0; j < anew.num; ++j)
        anew.columns.push_back(anew.prior.covariance(&pool_[j * stimulus_dim], &anew.places[i * stimulus_dim]));
    place_among(anew);
  }
  std::fill(anew.a.begin(), anew.a.end(), 0.0);
  if (!settle(anew, anew.num_visited, 0)) throw RunError({"belief.refine", "", "", "No mode was found."}, -1);
  spread_out(anew);
  anew.version = belief.version + 1;
  belief = anew;
}

}  // namespace hartline::models
