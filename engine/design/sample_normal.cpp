#include <fmt/format.h>

#include <algorithm>
#include <numbers>

#include "base/error.hpp"
#include "design/sample_information.hpp"
#include "design/spread_samples.hpp"

namespace hartline::design {

namespace {

constexpr std::size_t max_bins = std::size_t{1} << 16;
constexpr double bins_per_sd = 3, reach = 7;  // of a normal law
constexpr double sd_ratio = 1.15;             // from one node of the standard deviation to the next
constexpr std::size_t max_sds = 64;

}  // namespace

double SampleInformation::of_normal(std::span<const double> w, const double* mean, const double* sd, Scratch& s,
                                    double* mean_slopes, double* sd_slopes, double* divergences) const {
  const std::size_t num = w.size();
  double low = INFINITY, high = -INFINITY, least = INFINITY, most = 0, conditional = 0;
  for (std::size_t i = 0; i < num; ++i) {
    low = std::min(low, mean[i]);
    high = std::max(high, mean[i]);
    least = std::min(least, sd[i]);
    most = std::max(most, sd[i]);
  }
  if (!(least > 0) || !std::isfinite(most) || !std::isfinite(low) || !std::isfinite(high))
    throw RunError({"model.response", "a finite mean and a standard deviation above 0",
                    fmt::format("means of {} … {}, standard deviations of {} … {}", number_text(low), number_text(high),
                                number_text(least), number_text(most)),
                    ""});
  // nodes of the mean are multiples of h and those of the sd powers of its ratio, so that they stay where they are when samples
  // move
  const double ratio = std::log(sd_ratio), base = std::exp(ratio * std::floor(std::log(least) / ratio));
  const double h = base / bins_per_sd, pad = std::ceil(reach * most / h) + 2;
  const double range = (high - low) / h + 2 * pad + 5;
  const bool one = most <= least * (1 + 1e-12);
  const std::size_t num_sds = one ? 1 : static_cast<std::size_t>(std::log(most / base) / ratio) + 5;
  if (range > static_cast<double>(max_bins) || num_sds > max_sds)
    throw RunError({"model.response",
                    fmt::format("means within {:.0f} standard deviations of each other, and these within a factor "
                                "of {:.0f}",
                                static_cast<double>(max_bins) / bins_per_sd, std::exp(ratio * (max_sds - 5))),
                    fmt::format("means of {} … {}, standard deviations of {} … {}", number_text(low), number_text(high),
                                number_text(least), number_text(most)),
                    "Narrow the prior, or show less extreme stimuli."});
  const auto num_bins = static_cast<std::size_t>(range);
  const double origin = (std::floor(low / h) - pad) * h;
  const auto sd_of = [&](std::size_t c) { return one ? least : base * std::exp(ratio * (static_cast<double>(c) - 1)); };
  const auto sd_place = [&](double value) { return place(std::max(0.0, std::log(value / base) / ratio) + 1); };
  // samples to nodes
  s.weight.assign(num_sds * num_bins, 0.0);
  for (std::size_t i = 0; i < num; ++i) {
    const auto [j, t] = place((mean[i] - origin) / h);
    const auto c = cubic(t);
    if (one) {
      for (std::size_t k = 0; k < 4; ++k) s.weight[j + k - 1] += w[i] * c[k];
      continue;
    }
    const auto [m, u] = sd_place(sd[i]);
    const auto d = cubic(u);
    for (std::size_t l = 0; l < 4; ++l)
      for (std::size_t k = 0; k < 4; ++k) s.weight[(m + l - 1) * num_bins + j + k - 1] += w[i] * d[l] * c[k];
    conditional += w[i] * std::log(sd[i]);
  }
  if (one) conditional = std::log(least);
  conditional += 0.5 * std::log(2 * std::numbers::pi * std::numbers::e);

  // density at the bins
  const auto kernel_of = [&](std::size_t c, int power) {
    const double width = sd_of(c) / h;
    const auto half = static_cast<std::size_t>(reach * width) + 1;
    s.column.resize(2 * half + 1);
    for (std::size_t k = 0; k <= 2 * half; ++k) {
      const double z = (static_cast<double>(k) - static_cast<double>(half)) / width;
      const double phi = std::exp(-0.5 * z * z) / (std::sqrt(2 * std::numbers::pi) * width);
      s.column[k] = power == 0 ? phi : phi * (z * z - 1);
    }
    return half;
  };
  s.p.assign(num_bins, 0.0);
  for (std::size_t c = 0; c < num_sds; ++c) {
    const std::size_t half = kernel_of(c, 0);
    const double* from = &s.weight[c * num_bins];
    for (std::size_t j = 0; j < num_bins; ++j) {
      if (from[j] == 0) continue;
      const std::size_t first = j > half ? j - half : 0, last = std::min(num_bins, j + half + 1);
      for (std::size_t b = first; b < last; ++b) s.p[b] += from[j] * s.column[b + half - j];
    }
  }
  double marginal = 0;
  for (const double p : s.p) marginal -= p_log_p(p);
  marginal += std::log(h);  // p is the probability of a bin
  if (!mean_slopes && !divergences) return marginal - conditional;

  // what a sample at a node would add: -∫ φ(y - m) (log p + 1) dy, but where the cubic weights leave no p. Derivatives are those of
  // these weights; that by an sd which all share is -∫ ∂φ/∂sd log p dy
  s.log_p.resize(num_bins);
  for (std::size_t b = 0; b < num_bins; ++b) s.log_p[b] = s.p[b] > tiny ? std::log(s.p[b]) + 1 : 0;
  const auto fill = [&](std::size_t c, int power) {
    const std::size_t half = kernel_of(c, power);
    double* to = &s.weight[c * num_bins];
    for (std::size_t j = 0; j < num_bins; ++j) {
      const std::size_t first = j > half ? j - half : 0, last = std::min(num_bins, j + half + 1);
      double total = 0;
      for (std::size_t b = first; b < last; ++b) total -= s.log_p[b] * s.column[b + half - j];
      to[j] = total;
    }
  };
  const auto read = [&](std::size_t c, std::size_t j, const std::array<double, 4>& by) {
    const double* from = &s.weight[c * num_bins + j - 1];
    return by[0] * from[0] + by[1] * from[1] + by[2] * from[2] + by[3] * from[3];
  };
  for (std::size_t c = 0; c < num_sds; ++c) fill(c, 0);
  const double constant = 1 + std::log(h) - 0.5 * std::log(2 * std::numbers::pi * std::numbers::e);
  for (std::size_t i = 0; i < num; ++i) {
    const auto [j, t] = place((mean[i] - origin) / h);
    const auto by = cubic(t), by_slope = cubic_slopes(t);
    if (one) {
      if (divergences) divergences[i] = read(0, j, by) + constant - std::log(least);
      if (mean_slopes) mean_slopes[i] = w[i] * read(0, j, by_slope) / h;
      continue;
    }
    const auto [m, u] = sd_place(sd[i]);
    const auto d = cubic(u), d_slope = cubic_slopes(u);
    double value = 0, by_mean = 0, by_sd = 0;
    for (std::size_t l = 0; l < 4; ++l) {
      const double here = read(m + l - 1, j, by);
      value += d[l] * here;
      by_sd += d_slope[l] * here;
      by_mean += d[l] * read(m + l - 1, j, by_slope);
    }
    if (divergences) divergences[i] = value + constant - std::log(sd[i]);
    if (!mean_slopes) continue;
    mean_slopes[i] = w[i] * by_mean / h;
    sd_slopes[i] = w[i] * (by_sd / ratio - 1) / sd[i];
  }
  if (!one || !mean_slopes) return marginal - conditional;
  fill(0, 2);
  for (std::size_t i = 0; i < num; ++i) {
    const auto [j, t] = place((mean[i] - origin) / h);
    sd_slopes[i] = w[i] * (read(0, j, cubic(t)) - 1) / sd[i];
  }
  return marginal - conditional;
}

}  // namespace hartline::design
