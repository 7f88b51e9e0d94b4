// Information about samples whose responses are counts of a poisson or binomial law.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.hpp"
#include "design/sample_information.hpp"
#include "design/spread_samples.hpp"
#include "numerics/lanes.hpp"
#include "numerics/special.hpp"

namespace hartline::design {

using numerics::Lanes;
using numerics::load_part;
using numerics::num_lanes;
using numerics::spread;

namespace {

constexpr double few_counts = 16;      // expected counts up to which every sample is enumerated
constexpr std::size_t max_few = 67;    // of them, that matter
constexpr double max_tabled = 2048;    // expected counts from which on a poisson law is taken for a normal one
constexpr double max_expected = 1e15;  // above it whole numbers are no longer told apart

/// out_i = Σ_r Poisson(r; λ_i) surprise_r - λ_i (1 - log λ_i).
HARTLINE_CLONES void divergences_of_counts(const double* rate, std::size_t num, const double* surprise, std::size_t num_counts,
                                           double* out) {
  for (std::size_t i = 0; i < num; i += num_lanes) {
    const int count = static_cast<int>(std::min<std::size_t>(num_lanes, num - i));
    const Lanes lambda = load_part(rate + i, count, 1), safe = lambda > spread(tiny) ? lambda : spread(tiny);
    Lanes q = numerics::exp(-lambda), mean = -lambda * (spread(1) - numerics::log(safe));
    for (std::size_t r = 0; r < num_counts; ++r) {
      mean += q * spread(surprise[r]);
      q = q * lambda * spread(1 / static_cast<double>(r + 1));
    }
    numerics::store_part(out + i, mean, count);
  }
}

/// p[r] = Σ w_i Poisson(r; λ_i) for r = 0 … num_counts - 1; returns Σ w_i λ_i (1 - log λ_i).
HARTLINE_CLONES double enumerate_counts(const double* w, const double* rate, std::size_t num, std::size_t num_counts, double* p) {
  Lanes sums[max_few];
  std::fill_n(sums, num_counts, spread(0));
  Lanes rest = spread(0);
  for (std::size_t i = 0; i < num; i += num_lanes) {
    const int count = static_cast<int>(std::min<std::size_t>(num_lanes, num - i));
    const Lanes weight = load_part(w + i, count, 0), lambda = load_part(rate + i, count, 1);
    const Lanes safe = lambda > spread(tiny) ? lambda : spread(tiny);
    rest += weight * (lambda * (spread(1) - numerics::log(safe)));
    Lanes q = weight * numerics::exp(-lambda);
    for (std::size_t r = 0; r < num_counts; ++r) {
      sums[r] += q;
      q = q * lambda * spread(1 / static_cast<double>(r + 1));
    }
  }
  for (std::size_t r = 0; r < num_counts; ++r) p[r] = numerics::sum(sums[r]);
  return numerics::sum(rest);
}

/// slopes[i] = w_i E_r[log λ_i - step_r], step_r = log((r + 1) P(r + 1) / P(r)).
HARTLINE_CLONES void slopes_of_counts(const double* w, const double* rate, std::size_t num, const double* step,
                                      std::size_t num_counts, double* out) {
  for (std::size_t i = 0; i < num; i += num_lanes) {
    const int count = static_cast<int>(std::min<std::size_t>(num_lanes, num - i));
    const Lanes weight = load_part(w + i, count, 0), lambda = load_part(rate + i, count, 1);
    const Lanes safe = lambda > spread(1e-12) ? lambda : spread(1e-12);
    Lanes q = numerics::exp(-lambda), mean = spread(0);
    for (std::size_t r = 0; r < num_counts; ++r) {
      mean += q * spread(step[r]);
      q = q * lambda * spread(1 / static_cast<double>(r + 1));
    }
    const Lanes slope = weight * (numerics::log(safe) - mean);
    numerics::store_part(out + i, slope, count);
  }
}

/// p[r] += Σ_j w_j Binomial(r; n, q_j), q_j at most a half; returns Σ_j w_j E[log r! + log (n - r)!].
HARTLINE_CLONES double enumerate_binomial(const double* w, const double* q, std::size_t num, std::size_t n,
                                          const double* log_factorials, bool reversed, double* p) {
  Lanes total = spread(0);
  for (std::size_t j = 0; j < num; j += num_lanes) {
    const int count = static_cast<int>(std::min<std::size_t>(num_lanes, num - j));
    const Lanes hit = load_part(q + j, count, 0), odds = hit / (spread(1) - hit);
    Lanes pmf = load_part(w + j, count, 0) * numerics::exp(spread(static_cast<double>(n)) * numerics::log(spread(1) - hit));
    for (std::size_t r = 0; r <= n; ++r) {
      p[reversed ? n - r : r] += numerics::sum(pmf);
      total += pmf * spread(log_factorials[r] + log_factorials[n - r]);
      pmf = pmf * odds * spread(static_cast<double>(n - r) / static_cast<double>(r + 1));
    }
  }
  return numerics::sum(total);
}

/// Poisson laws at nodes of q = 2√λ, j · step: the counts that matter with their probabilities.
class CountNodes {
 public:
  static constexpr double step = 0.25;

  static const CountNodes& get() {
    static const CountNodes nodes;
    return nodes;
  }

  struct Node {
    std::size_t first = 0, num = 0, at = 0;  // counts first … first + num - 1 at pmf[at]
    double log_factorial = 0;                // E[log r!]
  };
  std::vector<Node> nodes;
  std::vector<double> pmf;

 private:
  CountNodes() {
    const auto num = static_cast<std::size_t>(2 * std::sqrt(max_tabled) / step) + 4;
    std::vector<double> log_factorials(1, 0.0);
    for (std::size_t j = 0; j < num; ++j) {
      const double q = static_cast<double>(j) * step, rate = q * q / 4, spread_of = 8.5 * std::sqrt(rate) + 14;
      Node node;
      node.first = static_cast<std::size_t>(std::max(0.0, std::floor(rate - spread_of)));
      node.num = static_cast<std::size_t>(rate + spread_of) + 1 - node.first;
      node.at = pmf.size();
      while (log_factorials.size() < node.first + node.num)
        log_factorials.push_back(log_factorials.back() + std::log(static_cast<double>(log_factorials.size())));
      // from the most probable count down and up
      pmf.resize(node.at + node.num);
      const auto middle = static_cast<std::size_t>(rate);
      double* p = &pmf[node.at];
      p[middle - node.first] =
          rate > 0 ? std::exp(static_cast<double>(middle) * std::log(rate) - rate - log_factorials[middle]) : 1;
      for (std::size_t r = middle; r > node.first; --r)
        p[r - 1 - node.first] = p[r - node.first] * static_cast<double>(r) / std::max(rate, tiny);
      for (std::size_t r = middle; r + 1 < node.first + node.num; ++r)
        p[r + 1 - node.first] = p[r - node.first] * rate / static_cast<double>(r + 1);
      for (std::size_t r = 0; r < node.num; ++r) node.log_factorial += p[r] * log_factorials[node.first + r];
      nodes.push_back(node);
    }
  }
};

}  // namespace

void SampleInformation::make_count_nodes() { CountNodes::get(); }

double SampleInformation::of_poisson(std::span<const double> w, const double* rate, Scratch& s, double* slopes,
                                     double* divergences) const {
  double top = 0;
  for (std::size_t i = 0; i < w.size(); ++i) {
    if (!(rate[i] >= 0 && rate[i] < max_expected))
      throw RunError({"model.response", fmt::format("an expected count of 0 … {:g}", max_expected), number_text(rate[i]), ""});
    top = std::max(top, rate[i]);
  }
  return top <= few_counts ? of_few_counts(w, rate, top, s, slopes, divergences) : of_counts(w, rate, s, slopes, divergences);
}

double SampleInformation::of_few_counts(std::span<const double> w, const double* rate, double top, Scratch& s, double* slopes,
                                        double* divergences) const {
  const std::size_t num = std::min(max_few, static_cast<std::size_t>(top + 9 * std::sqrt(top) + 14));
  s.p.resize(num + 1);
  s.p[num] = 0;
  double conditional = enumerate_counts(w.data(), rate, w.size(), num, s.p.data()), marginal = 0;
  for (std::size_t r = 0; r < num; ++r) {
    marginal -= p_log_p(s.p[r]);
    conditional += s.p[r] * numerics::log_factorial(static_cast<double>(r));
  }
  if (slopes) {
    s.log_p.resize(num);
    for (std::size_t r = 0; r < num; ++r)
      s.log_p[r] = std::log(static_cast<double>(r + 1) * std::max(s.p[r + 1], tiny) / std::max(s.p[r], tiny));
    slopes_of_counts(w.data(), rate, w.size(), s.log_p.data(), num, slopes);
  }
  if (divergences) {
    s.log_p.resize(num);
    for (std::size_t r = 0; r < num; ++r)
      s.log_p[r] = -std::log(std::max(s.p[r], tiny)) - numerics::log_factorial(static_cast<double>(r));
    divergences_of_counts(rate, w.size(), s.log_p.data(), num, divergences);
  }
  return marginal - conditional;
}

double SampleInformation::of_counts(std::span<const double> w, const double* rate, Scratch& s, double* slopes,
                                    double* divergences) const {
  const CountNodes& table = CountNodes::get();
  s.weight.assign(table.nodes.size(), 0.0);
  s.large.clear();
  double conditional = 0;
  std::size_t num_nodes = 0;
  for (std::size_t i = 0; i < w.size(); ++i) {
    if (rate[i] >= max_tabled) {
      s.large.push_back(i);
      continue;
    }
    const auto [j, t] = place(2 * std::sqrt(rate[i]) / CountNodes::step);
    const auto c = cubic(t);
    num_nodes = std::max(num_nodes, j + 3);
    s.weight[j == 0 ? 1 : j - 1] += w[i] * c[0];  // a law at -q is that at q
    for (std::size_t k = 1; k < 4; ++k) s.weight[j + k - 1] += w[i] * c[k];
    conditional += w[i] * rate[i] * (1 - std::log(std::max(rate[i], tiny)));
  }
  s.p.clear();
  if (num_nodes > 0) s.p.resize(table.nodes[num_nodes - 1].first + table.nodes[num_nodes - 1].num + 1, 0.0);
  for (std::size_t j = 0; j < num_nodes; ++j) {
    if (s.weight[j] == 0) continue;
    const CountNodes::Node& node = table.nodes[j];
    conditional += s.weight[j] * node.log_factorial;
    for (std::size_t r = 0; r < node.num; ++r) s.p[node.first + r] += s.weight[j] * table.pmf[node.at + r];
  }
  double marginal = 0;
  if (s.large.empty())
    for (const double p : s.p) marginal -= p_log_p(p);
  else
    marginal = add_large_counts(w, rate, s, conditional);
  if (!slopes && !divergences) return marginal - conditional;

  if (slopes) {
    s.log_p.assign(s.p.size(), 0.0);
    for (std::size_t r = 0; r + 1 < s.p.size(); ++r)
      s.log_p[r] = std::log(static_cast<double>(r + 1) * std::max(s.p[r + 1], tiny) / std::max(s.p[r], tiny));
    s.column.assign(table.nodes.size(), 0.0);
    for (std::size_t j = 0; j < num_nodes; ++j) {
      const CountNodes::Node& node = table.nodes[j];
      for (std::size_t r = 0; r < node.num; ++r) s.column[j] += table.pmf[node.at + r] * s.log_p[node.first + r];
    }
    for (std::size_t i = 0; i < w.size(); ++i) {
      if (rate[i] >= max_tabled) continue;
      const auto [j, t] = place(2 * std::sqrt(rate[i]) / CountNodes::step);
      const auto c = cubic(t);
      double mean = c[0] * s.column[j == 0 ? 1 : j - 1];
      for (std::size_t k = 1; k < 4; ++k) mean += c[k] * s.column[j + k - 1];
      slopes[i] = w[i] * (std::log(std::max(rate[i], 1e-12)) - mean);
    }
  }
  if (divergences) {
    s.column.assign(table.nodes.size(), 0.0);
    for (std::size_t j = 0; j < num_nodes; ++j) {
      const CountNodes::Node& node = table.nodes[j];
      s.column[j] = -node.log_factorial;
      for (std::size_t r = 0; r < node.num; ++r)
        s.column[j] -= table.pmf[node.at + r] * std::log(std::max(s.p[node.first + r], tiny));
    }
    for (std::size_t i = 0; i < w.size(); ++i) {
      if (rate[i] >= max_tabled) continue;
      const auto [j, t] = place(2 * std::sqrt(rate[i]) / CountNodes::step);
      const auto c = cubic(t);
      divergences[i] = c[0] * s.column[j == 0 ? 1 : j - 1] - rate[i] * (1 - std::log(std::max(rate[i], tiny)));
      for (std::size_t k = 1; k < 4; ++k) divergences[i] += c[k] * s.column[j + k - 1];
    }
  }
  if (!s.large.empty()) set_large_slopes(w, rate, s, slopes, divergences);
  return marginal - conditional;
}

/// Laws of many counts are N(λ, λ). Adds them to those of few in s.p; returns the entropy of all.
double SampleInformation::add_large_counts(std::span<const double> w, const double* rate, Scratch& s, double& conditional) const {
  const std::size_t num = s.large.size();
  s.normals.resize(6 * num);
  double *weight = s.normals.data(), *mean = weight + num, *sd = mean + num;
  for (std::size_t n = 0; n < num; ++n) {
    const std::size_t i = s.large[n];
    weight[n] = w[i];
    mean[n] = rate[i];
    sd[n] = std::sqrt(rate[i]);
    conditional += 0.5 * w[i] * std::log(2 * std::numbers::pi * std::numbers::e * rate[i]);
  }
  double out = s.mixture.entropy({weight, num}, mean, sd);
  s.density.resize(s.p.size());
  for (std::size_t r = 0; r < s.p.size(); ++r) {
    s.density[r] = s.mixture.density(static_cast<double>(r));
    s.p[r] += s.density[r];
    out += p_log_p(s.density[r]) - p_log_p(s.p[r]);
  }
  return out;
}

void SampleInformation::set_large_slopes(std::span<const double> w, const double* rate, Scratch& s, double* slopes,
                                         double* divergences) const {
  const std::size_t num = s.large.size();
  double *sd = s.normals.data() + 2 * num, *by_mean = sd + num, *by_sd = by_mean + num, *by_weight = by_sd + num;
  for (std::size_t r = 0; r < s.p.size(); ++r)
    if (s.density[r] > tiny) s.mixture.add_slope(static_cast<double>(r), std::log(s.density[r] / s.p[r]));
  s.mixture.slopes(by_weight, by_mean, by_sd);
  for (std::size_t n = 0; n < num; ++n) {
    const std::size_t i = s.large[n];
    if (slopes) slopes[i] = by_mean[n] + 0.5 * by_sd[n] / sd[n] - 0.5 * w[i] / rate[i];
    if (divergences) divergences[i] = by_weight[n] + 0.5 - 0.5 * std::log(2 * std::numbers::pi * rate[i]);
  }
}

double SampleInformation::of_binomial(std::span<const double> w, const double* counts, const double* hit, Scratch& s) const {
  const double most = counts[0];
  if (!(most >= 0 && most <= 1000) || std::nearbyint(most) != most)
    throw RunError({"model.response", "binomial(n, p) with a whole number n of 0 to 1000", number_text(most), ""});
  const auto n = static_cast<std::size_t>(most);
  // nodes of the angle, a quarter of its standard deviation apart; a law at -φ is that at φ
  const double step = 0.125 / std::sqrt(std::max(most, 4.0));
  const auto half = static_cast<std::size_t>(std::ceil(std::numbers::pi / 4 / step)), num_nodes = 2 * half + 1;
  const double apart = std::numbers::pi / 4 / static_cast<double>(half);
  s.weight.assign(num_nodes, 0.0);
  s.column.resize(num_nodes);
  double conditional = 0;
  for (std::size_t i = 0; i < w.size(); ++i) {
    const double p = hit[i];
    if (!(p >= 0 && p <= 1)) throw RunError({"model.response", "a probability, 0 to 1", number_text(p), "See clip(x, low, high)."});
    const auto [j, t] = place(std::asin(std::sqrt(p)) / apart);
    const auto c = cubic(t);
    for (std::size_t k = 0; k < 4; ++k) {
      const auto at = static_cast<std::ptrdiff_t>(j + k) - 1, last = static_cast<std::ptrdiff_t>(num_nodes) - 1;
      s.weight[static_cast<std::size_t>(at < 0 ? -at : at > last ? 2 * last - at : at)] += w[i] * c[k];
    }
    conditional -= w[i] * most * (p_log_p(p) + p_log_p(1 - p));
  }
  for (std::size_t j = 0; j < num_nodes; ++j)  // of the rarer outcome
    s.column[j] = std::pow(std::sin(apart * static_cast<double>(j <= half ? j : 2 * half - j)), 2);
  s.log_p.resize(n + 1);
  for (std::size_t r = 0; r <= n; ++r) s.log_p[r] = numerics::log_factorial(static_cast<double>(r));
  s.p.assign(n + 1, 0.0);
  conditional += enumerate_binomial(s.weight.data(), s.column.data(), half + 1, n, s.log_p.data(), false, s.p.data());
  conditional += enumerate_binomial(&s.weight[half + 1], &s.column[half + 1], half, n, s.log_p.data(), true, s.p.data());
  conditional -= s.log_p[n];
  double marginal = 0;
  for (const double p : s.p) marginal -= p_log_p(p);
  return marginal - conditional;
}

}  // namespace hartline::design
