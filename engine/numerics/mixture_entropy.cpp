#include "numerics/mixture_entropy.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "numerics/lanes.hpp"

namespace hartline::numerics {

namespace {

constexpr double nodes_per_sd = 3;  // of the narrowest of an octave
constexpr double reach = 7;         // standard deviations
constexpr double tiny = 1e-300;     // below it a density is none
// nodes before the first mean: the reach of the widest of an octave, and what an interpolation needs
constexpr std::size_t pad = static_cast<std::size_t>(2 * nodes_per_sd * reach) + 4;
constexpr std::size_t dense = 64;  // nodes for each component, up to which gaps are not looked for

/// Weights of the nodes -2 … 3 for a point at t in [0, 1).
std::array<double, 6> sextic(double t) {
  const double a = t + 2, b = t + 1, c = t, d = t - 1, e = t - 2, f = t - 3;
  const double ab = a * b, cd = c * d, ef = e * f;
  return {-b * cd * ef / 120, a * cd * ef / 24, -ab * d * ef / 12, ab * c * ef / 12, -ab * cd * f / 24, ab * cd * e / 120};
}

/// Nodes of a component: those within its reach.
struct Span {
  std::size_t first, num;
  double x, width;  // of its mean and its standard deviation in nodes
};
Span span_of(double anchor, double step, double mean, double sd) {
  const double x = (mean - anchor) / step + static_cast<double>(pad), width = sd / step;
  const auto first = static_cast<std::size_t>(x - reach * width);
  return {first, static_cast<std::size_t>(x + reach * width) + 1 - first, x, width};
}

HARTLINE_CLONES void add_component(double x, double width, double scale, std::size_t first, std::size_t num, double* p) {
  const Lanes counted = {0, 1, 2, 3, 4, 5, 6, 7}, narrow = spread(1 / width);
  for (std::size_t k = 0; k < num; k += num_lanes) {
    const Lanes z = (counted + spread(static_cast<double>(first + k) - x)) * narrow;
    double* at = p + first + k;
    store(at, load(at) + spread(scale) * exp(spread(-0.5) * z * z));
  }
}

/// Σ slope e, Σ slope e z and Σ slope e (z² - 1) over a component's nodes, e = exp(-½ z²).
HARTLINE_CLONES std::array<double, 3> moments_of(double x, double width, std::size_t first, std::size_t num, const double* slope) {
  const Lanes counted = {0, 1, 2, 3, 4, 5, 6, 7}, narrow = spread(1 / width);
  Lanes sums[3] = {spread(0), spread(0), spread(0)};
  for (std::size_t k = 0; k < num; k += num_lanes) {
    const Lanes z = (counted + spread(static_cast<double>(first + k) - x)) * narrow;
    const Lanes e = exp(spread(-0.5) * z * z) * load(slope + first + k);
    sums[0] += e;
    sums[1] += e * z;
    sums[2] += e * (z * z - spread(1));
  }
  return {sum(sums[0]), sum(sums[1]), sum(sums[2])};
}

/// Σ f(below + own) - f(below); total becomes the sum of both.
HARTLINE_CLONES double add_below(const double* below, double* total, std::size_t num) {
  Lanes out = spread(0);
  for (std::size_t k = 0; k < num; k += num_lanes) {
    const Lanes under = load(below + k), both = under + load(total + k);
    store(total + k, both);
    const Lanes log_under = log(under > spread(tiny) ? under : spread(tiny)),
                log_both = log(both > spread(tiny) ? both : spread(tiny));
    out += under * log_under - both * log_both;
  }
  return numerics::sum(out);
}

double slope_of(double p) { return -std::log(std::max(p, tiny)) - 1; }

}  // namespace

/// Components by their octave, narrow ones first; octaves without any are left out.
void MixtureEntropy::group(std::span<const double> sds) {
  const auto exponent = [](double sd) { return std::ilogb(sd); };
  int least = std::ilogb(sds[0]), most = least;
  for (const double sd : sds) {
    least = std::min(least, exponent(sd));
    most = std::max(most, exponent(sd));
  }
  counts_.assign(static_cast<std::size_t>(most - least) + 1, 0);
  for (const double sd : sds) ++counts_[static_cast<std::size_t>(exponent(sd) - least)];
  octaves_.clear();
  std::size_t first = 0;
  for (std::size_t k = 0; k < counts_.size(); ++k) {
    const std::size_t num = counts_[k];
    counts_[k] = first;
    if (num == 0) continue;
    Octave& octave = octaves_.emplace_back();
    octave.step = std::ldexp(1.0, least + static_cast<int>(k)) / nodes_per_sd;
    octave.first = first;
    octave.last = first += num;
  }
  order_.resize(sds.size());
  for (std::size_t i = 0; i < sds.size(); ++i) order_[counts_[static_cast<std::size_t>(exponent(sds[i]) - least)]++] = i;
}

/// Nodes for components order_[first … last - 1], whose means ascend where there are several stretches.
void MixtureEntropy::lay_stretch(const Octave& octave, std::size_t first, std::size_t last) {
  double low = INFINITY, high = -INFINITY;
  for (std::size_t n = first; n < last; ++n) {
    low = std::min(low, means_[order_[n]]);
    high = std::max(high, means_[order_[n]]);
    stretch_of_[n] = stretches_.size();
  }
  Stretch& stretch = stretches_.emplace_back();
  stretch.anchor = low;
  stretch.at = total_.size();
  const auto num = static_cast<std::size_t>((high - low) / octave.step) + 2 * pad + 2;
  stretch.num = (num + num_lanes - 1) / num_lanes * num_lanes;
  // components are added in whole lanes, which may go a little beyond
  total_.resize(stretch.at + stretch.num + num_lanes, 0.0);
}

void MixtureEntropy::lay(Octave& octave) {
  const std::size_t num = octave.last - octave.first;
  octave.first_stretch = stretches_.size();
  const auto begin = order_.begin() + static_cast<std::ptrdiff_t>(octave.first);
  const auto end = order_.begin() + static_cast<std::ptrdiff_t>(octave.last);
  const auto [low, high] = std::minmax_element(begin, end, [&](std::size_t a, std::size_t b) { return means_[a] < means_[b]; });
  if ((means_[*high] - means_[*low]) / octave.step < static_cast<double>(dense * num)) {
    lay_stretch(octave, octave.first, octave.last);
  } else {
    std::sort(begin, end, [&](std::size_t a, std::size_t b) { return means_[a] < means_[b] || (means_[a] == means_[b] && a < b); });
    const double gap = 2 * static_cast<double>(pad) * octave.step;
    for (std::size_t first = octave.first, n = first; n < octave.last; ++n) {
      if (n + 1 < octave.last && means_[order_[n + 1]] - means_[order_[n]] < gap) continue;
      lay_stretch(octave, first, n + 1);
      first = n + 1;
    }
  }
  octave.last_stretch = stretches_.size();
}

/// The narrowest octave from this one on that has nodes around anchor + offset.
MixtureEntropy::Place MixtureEntropy::find(std::size_t k, double anchor, double offset) const {
  for (; k < octaves_.size(); ++k) {
    const Octave& octave = octaves_[k];
    const auto begin = stretches_.begin() + static_cast<std::ptrdiff_t>(octave.first_stretch);
    const auto end = stretches_.begin() + static_cast<std::ptrdiff_t>(octave.last_stretch);
    // the last one that begins before; stretches of an octave ascend
    const double y = anchor + offset + static_cast<double>(pad) * octave.step;
    auto after = end - begin == 1 ? end : std::upper_bound(begin, end, y, [](double v, const Stretch& s) { return v < s.anchor; });
    if (after == begin) continue;
    const Stretch& stretch = *--after;
    const double x = ((anchor - stretch.anchor) + offset) / octave.step + static_cast<double>(pad);
    if (!(x >= 2 && x < static_cast<double>(stretch.num) - 4)) continue;
    const double whole = std::floor(x);
    return {stretch.at + static_cast<std::size_t>(whole) - 2, x - whole};
  }
  return {};
}

double MixtureEntropy::read(const Place& place) const {
  if (place.first == none) return 0;
  const auto c = sextic(place.t);
  double out = 0;
  for (std::size_t j = 0; j < 6; ++j) out += c[j] * total_[place.first + j];
  return std::max(out, 0.0);  // far out in a tail the polynomial may fall below
}

void MixtureEntropy::push(const Place& place, double slope) {
  if (place.first == none) return;
  const auto c = sextic(place.t);
  for (std::size_t j = 0; j < 6; ++j) slope_[place.first + j] += c[j] * slope;
}

double MixtureEntropy::entropy(std::span<const double> weights, const double* means, const double* sds) {
  weights_ = weights;
  means_ = means;
  sds_ = sds;
  group({sds, weights.size()});
  stretches_.clear();
  stretch_of_.resize(weights.size());
  total_.clear();
  double out = 0;
  for (Octave& octave : octaves_) lay(octave);
  below_.assign(total_.size(), 0.0);
  slope_.assign(total_.size(), 0.0);
  places_.assign(total_.size(), {});
  for (std::size_t k = octaves_.size(); k-- > 0;) out += add_own(k);
  return out;
}

/// Densities at the nodes of an octave, once those of wider ones are known; returns ∫ f(P_k) - f(P_{k+1}) dy.
double MixtureEntropy::add_own(std::size_t k) {
  const Octave& octave = octaves_[k];
  for (std::size_t n = octave.first; n < octave.last; ++n) {
    const std::size_t i = order_[n];
    const Stretch& stretch = stretches_[stretch_of_[n]];
    const Span span = span_of(stretch.anchor, octave.step, means_[i], sds_[i]);
    add_component(span.x, span.width, weights_[i] / (std::sqrt(2 * std::numbers::pi) * sds_[i]), span.first, span.num,
                  &total_[stretch.at]);
  }
  double out = 0;
  for (std::size_t s = octave.first_stretch; s < octave.last_stretch; ++s) {
    const Stretch& stretch = stretches_[s];
    for (std::size_t j = 0; k + 1 < octaves_.size() && j < stretch.num; ++j) {
      places_[stretch.at + j] = find(k + 1, stretch.anchor, (static_cast<double>(j) - static_cast<double>(pad)) * octave.step);
      below_[stretch.at + j] = read(places_[stretch.at + j]);
    }
    out += octave.step * add_below(&below_[stretch.at], &total_[stretch.at], stretch.num);
  }
  return out;
}

double MixtureEntropy::density(double y) const { return octaves_.empty() ? 0 : read(find(0, y, 0)); }

void MixtureEntropy::add_slope(double y, double by_density) { push(find(0, y, 0), by_density); }

void MixtureEntropy::slopes(double* by_weight, double* by_mean, double* by_sd) {
  for (std::size_t k = 0; k < octaves_.size(); ++k) {
    const Octave& octave = octaves_[k];
    for (std::size_t s = octave.first_stretch; s < octave.last_stretch; ++s) {
      const Stretch& stretch = stretches_[s];
      for (std::size_t n = stretch.at; n < stretch.at + stretch.num; ++n) {
        slope_[n] += octave.step * slope_of(total_[n]);
        if (places_[n].first != none) push(places_[n], slope_[n] - octave.step * slope_of(below_[n]));
      }
    }
    for (std::size_t n = octave.first; n < octave.last; ++n) {
      const std::size_t i = order_[n];
      const Stretch& stretch = stretches_[stretch_of_[n]];
      const Span span = span_of(stretch.anchor, octave.step, means_[i], sds_[i]);
      const auto sums = moments_of(span.x, span.width, span.first, span.num, &slope_[stretch.at]);
      const double density = 1 / (std::sqrt(2 * std::numbers::pi) * sds_[i]), step = weights_[i] * density / sds_[i];
      if (by_weight) by_weight[i] = density * sums[0];
      by_mean[i] = step * sums[1];
      by_sd[i] = step * sums[2];
    }
  }
}

}  // namespace hartline::numerics
