// Refits of a Gaussian process: hyper-parameters by the evidence, and the belief anew from the whole history.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "models/gaussian_process.hpp"

namespace hartline::models {

namespace {

/// The smallest value found by Nelder & Mead's simplex from x.
template <class F>
std::pair<std::vector<double>, double> simplex_search(F f, std::vector<double> x, double size, int max_evaluations,
                                                      double tolerance) {
  const std::size_t n = x.size();
  std::vector<std::pair<double, std::vector<double>>> corners = {{f(x), x}};
  for (std::size_t i = 0; i < n; ++i) {
    auto corner = x;
    corner[i] += size;
    corners.emplace_back(f(corner), corner);
  }
  int evaluations = static_cast<int>(n) + 1;
  const auto by_value = [](const auto& p, const auto& q) { return p.first < q.first; };
  for (;;) {
    std::sort(corners.begin(), corners.end(), by_value);
    double width = 0;
    for (const auto& corner : corners)
      for (std::size_t i = 0; i < n; ++i) width = std::max(width, std::abs(corner.second[i] - corners[0].second[i]));
    if (evaluations >= max_evaluations || width < tolerance) return {corners[0].second, corners[0].first};
    std::vector<double> centre(n, 0.0);
    for (std::size_t c = 0; c < n; ++c)
      for (std::size_t i = 0; i < n; ++i) centre[i] += corners[c].second[i] / static_cast<double>(n);
    auto& worst = corners[n];
    const auto along = [&](double t) {
      std::vector<double> out(n);
      for (std::size_t i = 0; i < n; ++i) out[i] = centre[i] + t * (worst.second[i] - centre[i]);
      ++evaluations;
      const double value = f(out);
      return std::pair{value, out};
    };
    auto tried = along(-1);
    if (tried.first < corners[0].first) {
      auto further = along(-2);
      worst = further.first < tried.first ? further : tried;
    } else if (tried.first < corners[n - 1].first) {
      worst = tried;
    } else {
      auto nearer = along(tried.first < worst.first ? -0.5 : 0.5);
      if (nearer.first < std::min(tried.first, worst.first)) {
        worst = nearer;
        continue;
      }
      for (std::size_t c = 1; c <= n; ++c) {
        for (std::size_t i = 0; i < n; ++i) corners[c].second[i] = 0.5 * (corners[c].second[i] + corners[0].second[i]);
        corners[c].first = f(corners[c].second);
        ++evaluations;
      }
    }
  }
}

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
  const auto prior_at = [&](const std::vector<double>& x) {
    SmoothPrior p = prior_;
    p.mean += sd * x[0];
    p.variance *= std::exp(x[1]);
    for (std::size_t d = 0; d < n; ++d) p.length[d] *= std::exp(x[shared ? 2 : 2 + d]);
    return p;
  };
  const auto loss = [&](const std::vector<double>& x) {
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
  std::pair<std::vector<double>, double> best{{}, std::numeric_limits<double>::infinity()};
  for (const auto& start : starts) {
    const auto found = simplex_search(loss, start, 0.3, 120 * static_cast<int>(start.size()), 1e-4);
    if (found.second < best.second) best = found;
  }
  if (!std::isfinite(best.second)) throw RunError({"belief.refine", "", "", "No hyper-parameters explain the responses."}, -1);
  b.prior = prior_at(best.first);
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
