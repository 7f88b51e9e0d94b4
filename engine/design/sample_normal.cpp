#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <numbers>

#include "base/error.hpp"
#include "design/sample_information.hpp"
#include "design/spread_samples.hpp"

namespace hartline::design {

using numerics::Lanes;
using numerics::load_part;
using numerics::num_lanes;
using numerics::spread;

namespace {

constexpr std::size_t max_bins = std::size_t{1} << 16;
constexpr double bins_per_sd = 3, reach = 7;  // of a normal law
constexpr double sd_ratio = 1.15;             // from one node of the standard deviation to the next
constexpr std::size_t max_sds = 64;
constexpr double bins_each = 1024;  // for each sample, over all sds, from which on samples are taken one by one

using Four = double __attribute__((vector_size(32), may_alias));
using Wholes = std::int32_t __attribute__((vector_size(num_lanes * sizeof(std::int32_t))));

/// The smallest and the largest of some numbers; not a number where one is not.
struct Range {
  double low = INFINITY, high = -INFINITY;
};
HARTLINE_CLONES Range range_of(const double* x, std::size_t num) {
  Lanes low = spread(INFINITY), high = spread(-INFINITY), sum = spread(0);
  for (std::size_t i = 0; i < num; i += num_lanes) {
    const Lanes v = load_part(x + i, static_cast<int>(std::min<std::size_t>(num_lanes, num - i)), x[0]);
    low = v < low ? v : low;
    high = v > high ? v : high;
    sum += v;
  }
  Range out;
  for (std::size_t k = 0; k < num_lanes; ++k) {
    out.low = std::min(out.low, low[k]);
    out.high = std::max(out.high, high[k]);
  }
  return std::isnan(numerics::sum(sum)) && std::isfinite(out.low) && std::isfinite(out.high) ? Range{std::nan(""), std::nan("")}
                                                                                             : out;
}

/// weight_j += Σ_i w_i times the cubic weight of node j for x_i, nodes at origin + j / inverse; `sums` [num_nodes] is scratch: of
/// the samples beyond each node by their four weights.
HARTLINE_CLONES void spread_over(const double* w, const double* x, std::size_t num, double origin, double inverse, Four* sums,
                                 std::size_t num_nodes, double* weight) {
  std::fill_n(sums, num_nodes, Four{0, 0, 0, 0});
  constexpr double sixth = 1.0 / 6;
  for (std::size_t i = 0; i < num; i += num_lanes) {
    const int count = static_cast<int>(std::min<std::size_t>(num_lanes, num - i));
    const Lanes at = (load_part(x + i, count, x[0]) - spread(origin)) * spread(inverse), own = load_part(w + i, count, 0);
    const Wholes node = __builtin_convertvector(at, Wholes);
    const Lanes b = at - __builtin_convertvector(node, Lanes), a = b + spread(1), c = b - spread(1), d = b - spread(2);
    const Lanes ab = own * a * b, cd = own * c * d;
    const Lanes by[4] = {-b * cd * spread(sixth), a * cd * spread(0.5), -ab * d * spread(0.5), ab * c * spread(sixth)};
    for (int k = 0; k < count; ++k) sums[node[k]] += Four{by[0][k], by[1][k], by[2][k], by[3][k]};
  }
  for (std::size_t j = 1; j + 2 < num_nodes; ++j)
    weight[j] += sums[j + 1][0] + sums[j][1] + sums[j - 1][2] + (j > 1 ? sums[j - 2][3] : 0);
}

/// out_b += Σ_j from_j kernel_(b - j + half), the kernel [2 half + 1]; the same with the kernel turned, as it is symmetric.
HARTLINE_CLONES void convolve(const double* from, std::size_t num, const double* kernel, std::size_t half, double* out) {
  for (std::size_t j = 0; j < num; ++j) {
    if (from[j] == 0) continue;
    const std::size_t first = j > half ? j - half : 0, last = std::min(num, j + half + 1);
    const double* shifted = kernel + half - j + first;
    double* to = out + first;
    for (std::size_t b = 0; b < last - first; ++b) to[b] += from[j] * shifted[b];
  }
}

/// Σ p log p; `log_p` [num] is set to log p + 1 where there is a p, else 0, or is null.
HARTLINE_CLONES double sum_p_log_p(const double* p, std::size_t num, double* log_p) {
  Lanes total = spread(0);
  for (std::size_t i = 0; i < num; i += num_lanes) {
    const int count = static_cast<int>(std::min<std::size_t>(num_lanes, num - i));
    const Lanes v = load_part(p + i, count, 0), some = v > spread(tiny) ? v : spread(1);
    const Lanes log_v = numerics::log(some);
    total += some * log_v;
    if (log_p) numerics::store_part(log_p + i, v > spread(tiny) ? log_v + spread(1) : spread(0), count);
  }
  return numerics::sum(total);
}

}  // namespace

double SampleInformation::of_normal(std::span<const double> w, const double* mean, const double* sd, Scratch& s,
                                    double* mean_slopes, double* sd_slopes, double* divergences) const {
  const std::size_t num = w.size();
  const auto [low, high] = range_of(mean, num);
  const auto [least, most] = range_of(sd, num);
  double conditional = 0;
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
  const std::size_t num_sds = one ? 1 : static_cast<std::size_t>(std::min(std::log(most / base) / ratio, 1e6)) + 5;
  if (range > static_cast<double>(max_bins) || num_sds > max_sds ||
      range * static_cast<double>(num_sds) > bins_each * static_cast<double>(num))
    return of_scattered_normals(w, mean, sd, s, mean_slopes, sd_slopes, divergences);
  const auto num_bins = static_cast<std::size_t>(range);
  const double origin = (std::floor(low / h) - pad) * h;
  const auto sd_of = [&, only = least](std::size_t c) {
    return one ? only : base * std::exp(ratio * (static_cast<double>(c) - 1));
  };
  const auto sd_place = [&](double value) { return place(std::max(0.0, std::log(value / base) / ratio) + 1); };
  // samples to nodes
  s.weight.assign(num_sds * num_bins, 0.0);
  if (one) {
    s.sums.resize(4 * num_bins + 4);
    void* aligned = s.sums.data();
    std::size_t space = s.sums.size() * sizeof(double);
    spread_over(w.data(), mean, num, origin, 1 / h,
                static_cast<Four*>(std::align(sizeof(Four), 4 * num_bins * sizeof(double), aligned, space)), num_bins,
                s.weight.data());
  } else {
    for (std::size_t i = 0; i < num; ++i) {
      const auto [j, t] = place((mean[i] - origin) / h);
      const auto [m, u] = sd_place(sd[i]);
      const auto c = cubic(t), d = cubic(u);
      for (std::size_t l = 0; l < 4; ++l)
        for (std::size_t k = 0; k < 4; ++k) s.weight[(m + l - 1) * num_bins + j + k - 1] += w[i] * d[l] * c[k];
      conditional += w[i] * std::log(sd[i]);
    }
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
    convolve(&s.weight[c * num_bins], num_bins, s.column.data(), half, s.p.data());
  }
  s.log_p.resize(num_bins);
  const bool derive = mean_slopes || divergences;
  double marginal = -sum_p_log_p(s.p.data(), num_bins, derive ? s.log_p.data() : nullptr);
  marginal += std::log(h);  // p is the probability of a bin
  if (!derive) return marginal - conditional;

  // what a sample at a node would add: -∫ φ(y - m) (log p + 1) dy, but where the cubic weights leave no p. Derivatives are those of
  // these weights; that by an sd which all share is -∫ ∂φ/∂sd log p dy
  const auto fill = [&](std::size_t c, int power) {
    const std::size_t half = kernel_of(c, power);
    double* to = &s.weight[c * num_bins];
    std::fill_n(to, num_bins, 0.0);
    convolve(s.log_p.data(), num_bins, s.column.data(), half, to);
    for (std::size_t j = 0; j < num_bins; ++j) to[j] = -to[j];
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

/// The same where means or sds spread over too many sizes for bins.
double SampleInformation::of_scattered_normals(std::span<const double> w, const double* mean, const double* sd, Scratch& s,
                                               double* mean_slopes, double* sd_slopes, double* divergences) const {
  const double constant = 0.5 * std::log(2 * std::numbers::pi * std::numbers::e);
  double out = s.mixture.entropy(w, mean, sd) - constant;
  for (std::size_t i = 0; i < w.size(); ++i) out -= w[i] * std::log(sd[i]);
  if (!mean_slopes && !divergences) return out;
  s.normals.resize(3 * w.size());
  double *by_mean = mean_slopes ? mean_slopes : s.normals.data(), *by_sd = sd_slopes ? sd_slopes : &s.normals[w.size()],
         *by_weight = &s.normals[2 * w.size()];
  s.mixture.slopes(by_weight, by_mean, by_sd);
  for (std::size_t i = 0; i < w.size(); ++i) {
    by_sd[i] -= w[i] / sd[i];
    if (divergences) divergences[i] = by_weight[i] + 1 - constant - std::log(sd[i]);
  }
  return out;
}

}  // namespace hartline::design
