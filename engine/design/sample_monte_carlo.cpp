// Information about samples by nested Monte Carlo, for laws that have no rule of their own.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "base/random.hpp"
#include "design/sample_information.hpp"
#include "numerics/lanes.hpp"
#include "numerics/special.hpp"

namespace hartline::design {

using numerics::Lanes;
using numerics::load_part;
using numerics::num_lanes;
using numerics::spread;

namespace {

/// Σ_j e^{-½ (r - m_j)² k_j} c_j over samples: k = 1 / sd², c = 1 / sd.
HARTLINE_CLONES double sum_of_normals(const double* mean, const double* precision, const double* scale, std::size_t num, double r) {
  Lanes total = spread(0);
  for (std::size_t j = 0; j < num; j += num_lanes) {
    const int count = static_cast<int>(std::min<std::size_t>(num_lanes, num - j));
    const Lanes z = load_part(mean + j, count, 0) - spread(r);
    total += load_part(scale + j, count, 0) * numerics::exp(spread(-0.5) * z * z * load_part(precision + j, count, 0));
  }
  return numerics::sum(total);
}

/// Samples by their weights.
void pick(std::span<const double> w, std::size_t num, std::vector<std::size_t>& picked) {
  picked.resize(num);
  double below = w[0] * static_cast<double>(num);
  for (std::size_t k = 0, i = 0; k < num; ++k) {
    while (static_cast<double>(k) + 0.5 >= below && i + 1 < w.size()) below += w[++i] * static_cast<double>(num);
    picked[k] = i;
  }
}

}  // namespace

double SampleInformation::of_clipped(std::span<const double> w, const double* arguments, std::size_t stride, Scratch& s) const {
  pick(w, num_clipped, s.picked);
  s.column.resize(5 * num_clipped);
  double *mean = s.column.data(), *precision = mean + num_clipped, *scale = precision + num_clipped, *below = scale + num_clipped,
         *above = below + num_clipped;
  const double low = arguments[2 * stride + s.picked[0]], high = arguments[3 * stride + s.picked[0]];
  double all_below = 0, all_above = 0;
  for (std::size_t k = 0; k < num_clipped; ++k) {
    const std::size_t i = s.picked[k];
    const double a[] = {arguments[i], arguments[stride + i], arguments[2 * stride + i], arguments[3 * stride + i]};
    if (!models::is_valid(law_, a) || a[2] != low || a[3] != high)
      throw RunError({"model.response", "a finite mean, a standard deviation above 0 and the same limits for all parameters",
                      fmt::format("clipped_normal({}, {}, {}, {})", number_text(a[0]), number_text(a[1]), number_text(a[2]),
                                  number_text(a[3])),
                      ""});
    mean[k] = a[0];
    precision[k] = 1 / (a[1] * a[1]);
    scale[k] = 1 / a[1];
    all_below += below[k] = numerics::normal_cdf((low - a[0]) / a[1]);
    all_above += above[k] = numerics::normal_cdf((a[0] - high) / a[1]);
  }
  // the ends are summed, what lies between is drawn: a response of every sample, given that it lies between
  double total = 0, square = 0;
  for (std::size_t k = 0; k < num_clipped; ++k) {
    double value = 0;
    if (below[k] > 0) value += below[k] * std::log(below[k] * num_clipped / all_below);
    if (above[k] > 0) value += above[k] * std::log(above[k] * num_clipped / all_above);
    const double between = 1 - below[k] - above[k];
    if (between > 1e-9) {
      Stream stream(0, Purpose::imagine, k, num_clipped);
      const double r = mean[k] + numerics::normal_quantile(below[k] + between * stream.uniform()) / scale[k];
      const double here = scale[k] * std::exp(-0.5 * (r - mean[k]) * (r - mean[k]) * precision[k]);
      const double mixed = sum_of_normals(mean, precision, scale, num_clipped, r) / num_clipped;
      if (here > 0) value += between * std::log(here / mixed);
    }
    total += value;
    square += value * value;
  }
  total /= num_clipped;
  s.standard_error = std::sqrt(std::max(0.0, square / num_clipped - total * total) / num_clipped);
  return total;
}

double SampleInformation::nested(std::span<const double> w, const double* arguments, std::size_t stride, Scratch& s) const {
  // the random numbers of the responses are the same for every stimulus
  pick(w, num_nested, s.picked);
  const std::size_t num_laws = laws_.size();
  s.column.resize(num_nested * (num_arguments_ + 1) + num_laws);
  double *norms = s.column.data(), *all = norms + num_nested, *r = all + num_nested * num_arguments_;
  const auto arguments_of = [&](std::size_t k) { return std::span<const double>(all + k * num_arguments_, num_arguments_); };
  for (std::size_t k = 0; k < num_nested; ++k) {
    double* a = all + k * num_arguments_;
    for (std::size_t j = 0; j < num_arguments_; ++j) a[j] = arguments[j * stride + s.picked[k]];
    norms[k] = 0;
    for (const models::LawPart& part : laws_) {
      const std::span<const double> own = part.of(arguments_of(k));
      if (!models::is_valid(*part.law, own))
        throw RunError({"model.response", "possible arguments of " + std::string(part.law->name),
                        fmt::format("{}", fmt::join(own, ", ")), ""});
      norms[k] += models::log_norm(*part.law, own);
    }
  }
  const auto log_density = [&](std::size_t k) {
    double out = -norms[k];
    for (std::size_t j = 0; j < num_laws; ++j) out += models::log_weight(*laws_[j].law, laws_[j].of(arguments_of(k)), r[j]);
    return out;
  };
  double total = 0, square = 0;
  for (std::size_t k = 0; k < num_nested; ++k) {
    Stream stream(0, Purpose::imagine, k, num_nested);
    for (std::size_t j = 0; j < num_laws; ++j) r[j] = models::draw_response(*laws_[j].law, laws_[j].of(arguments_of(k)), stream);
    const double here = log_density(k);
    double mixed = 0;
    for (std::size_t j = 0; j < num_nested; ++j) mixed += std::exp(log_density(j) - here);
    const double value = -std::log(mixed / num_nested);
    total += value;
    square += value * value;
  }
  const double mean = total / num_nested;
  s.standard_error = std::sqrt(std::max(0.0, square / num_nested - mean * mean) / num_nested);
  return mean;
}

}  // namespace hartline::design
