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

constexpr double near_limit = 1.5;  // nats below what so many samples can tell, from which on more are drawn

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

/// ratios[j] = exp(Σ_s t_s row_sj - here) over num samples, and their sum; rows [num_stats, num], num a multiple of the lanes.
HARTLINE_CLONES double ratios_of(const double* rows, const double* t, std::size_t num_stats, std::size_t num, double here,
                                 double* ratios) {
  Lanes total = spread(0);
  for (std::size_t j = 0; j < num; j += num_lanes) {
    Lanes log_p = spread(-here);
    for (std::size_t s = 0; s < num_stats; ++s)
      if (t[s] != 0) log_p += spread(t[s]) * numerics::load(rows + s * num + j);  // 0 times -infinity is nothing
    const Lanes ratio = numerics::exp(log_p);
    std::memcpy(ratios + j, &ratio, sizeof(ratio));
    total += ratio;
  }
  return numerics::sum(total);
}

/// out[k] = Σ_i w_i φ_ki / Σ_i w_i
HARTLINE_CLONES void averages(const double* w, const double* features, std::size_t num_features, std::size_t stride,
                              std::size_t num, double sum, double* out) {
  const std::size_t whole = num / num_lanes * num_lanes;
  for (std::size_t k = 0; k < num_features; ++k) {
    const double* row = features + k * stride;
    Lanes even = spread(0), odd = spread(0);
    std::size_t i = 0;
    for (; i + 2 * num_lanes <= whole; i += 2 * num_lanes) {
      even += numerics::load(w + i) * numerics::load(row + i);
      odd += numerics::load(w + i + num_lanes) * numerics::load(row + i + num_lanes);
    }
    if (i < whole) even += numerics::load(w + i) * numerics::load(row + i);
    const int rest = static_cast<int>(num - whole);
    if (rest > 0) odd += load_part(w + whole, rest, 0) * load_part(row + whole, rest, 0);
    out[k] = numerics::sum(even + odd) / sum;
  }
}

double squared_distance(const double* a, const double* b, std::size_t num) {
  double out = 0;
  for (std::size_t k = 0; k < num; ++k) out += (a[k] - b[k]) * (a[k] - b[k]);
  return out;
}

/// Laws of exponential families are sums of products: log p(r | a) = Σ_s t_s(r) row_s(a), up to what depends on r alone. Others
/// have a row that is worked out for every response.
std::size_t num_rows(const models::TextLaw& law, std::size_t num_arguments) {
  using models::LawForm;
  if (law.kind == ResponseKind::choice) return num_arguments;
  switch (law.form) {
    case LawForm::normal:
    case LawForm::lognormal:
    case LawForm::gamma:
    case LawForm::beta:
    case LawForm::von_mises:
      return 3;
    case LawForm::zero_inflated_gamma:
      return 4;
    case LawForm::poisson:
      return 2;
    default:
      return 1;
  }
}

/// Rows of one set of arguments, stride apart.
void set_rows(const models::TextLaw& law, std::span<const double> a, double* row, std::size_t stride) {
  using models::LawForm;
  const auto set = [&](std::initializer_list<double> values) {
    for (const double value : values) {
      *row = value;
      row += stride;
    }
  };
  if (law.kind == ResponseKind::choice) {
    for (const double p : a) set({std::log(p)});
    return;
  }
  switch (law.form) {
    case LawForm::normal:
    case LawForm::lognormal: {
      const double precision = 1 / (a[1] * a[1]);
      return set({-0.5 * a[0] * a[0] * precision - std::log(a[1]), a[0] * precision, -0.5 * precision});
    }
    case LawForm::gamma:
    case LawForm::beta:
      return set({-models::log_norm(law, a), a[0] - 1, law.form == LawForm::gamma ? -1 / a[1] : a[1] - 1});
    case LawForm::von_mises:
      return set({-models::log_norm(law, a), a[1] * std::cos(a[0]), a[1] * std::sin(a[0])});
    case LawForm::zero_inflated_gamma:
      return set({std::log(a[0]), std::log1p(-a[0]) - numerics::log_gamma(a[1]) - a[1] * std::log(a[2]), a[1] - 1, -1 / a[2]});
    case LawForm::poisson:
      return set({-a[0], std::log(a[0])});
    default:
      return;
  }
}

/// t(r); of a law without rows of its own 1.
void set_stats(const models::TextLaw& law, double r, double* t) {
  using models::LawForm;
  switch (law.form) {
    case LawForm::normal:
      t[0] = 1, t[1] = r, t[2] = r * r;
      return;
    case LawForm::lognormal:
      t[0] = 1, t[1] = std::log(r), t[2] = t[1] * t[1];
      return;
    case LawForm::gamma:
      t[0] = 1, t[1] = std::log(r), t[2] = r;
      return;
    case LawForm::beta:
      t[0] = 1, t[1] = std::log(r), t[2] = std::log1p(-r);
      return;
    case LawForm::von_mises:
      t[0] = 1, t[1] = std::cos(r), t[2] = std::sin(r);
      return;
    case LawForm::zero_inflated_gamma:
      t[0] = r == 0, t[1] = r > 0, t[2] = r > 0 ? std::log(r) : 0, t[3] = r;
      return;
    case LawForm::poisson:
      t[0] = 1, t[1] = r;
      return;
    default:
      if (law.kind == ResponseKind::choice)
        t[static_cast<std::size_t>(r)] = 1;
      else
        t[0] = 1;
  }
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
  s.limit = std::log(static_cast<double>(std::min(num_clipped, w.size())));
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

/// The mean over responses, one of each picked sample, of use(probabilities of the response with all of them, relative to that with
/// the one it is of; their sum). The random numbers are the same for every stimulus.
template <class Use>
double SampleInformation::over_drawn(std::span<const double> w, const double* arguments, std::size_t stride, std::size_t num_drawn,
                                     Scratch& s, const Use& use) const {
  pick(w, num_drawn, s.picked);
  std::size_t num_stats = 0;
  for (const models::LawPart& part : laws_) num_stats += num_rows(*part.law, part.num);
  s.column.resize(num_drawn * (num_arguments_ + num_stats + 1));
  s.p.assign(num_stats, 0.0);
  double *all = s.column.data(), *rows = all + num_drawn * num_arguments_, *ratios = rows + num_drawn * num_stats, *t = s.p.data();
  const auto arguments_of = [&](std::size_t k) { return std::span<const double>(all + k * num_arguments_, num_arguments_); };
  for (std::size_t k = 0; k < num_drawn; ++k) {
    double* a = all + k * num_arguments_;
    for (std::size_t j = 0; j < num_arguments_; ++j) a[j] = arguments[j * stride + s.picked[k]];
    std::size_t row = 0;
    for (const models::LawPart& part : laws_) {
      const std::span<const double> own = part.of(arguments_of(k));
      if (!models::is_valid(*part.law, own))
        throw RunError({"model.response", "possible arguments of " + std::string(part.law->name),
                        fmt::format("{}", fmt::join(own, ", ")), ""});
      set_rows(*part.law, own, rows + row * num_drawn + k, num_drawn);
      row += num_rows(*part.law, part.num);
    }
  }
  double total = 0, square = 0;
  for (std::size_t k = 0; k < num_drawn; ++k) {
    Stream stream(0, Purpose::imagine, k, num_drawn);
    std::fill_n(t, num_stats, 0.0);
    std::size_t row = 0;
    for (const models::LawPart& part : laws_) {
      const double r = models::draw_response(*part.law, part.of(arguments_of(k)), stream);
      set_stats(*part.law, r, t + row);
      if (num_rows(*part.law, part.num) == 1)
        for (std::size_t j = 0; j < num_drawn; ++j) {
          const std::span<const double> own = part.of(arguments_of(j));
          rows[row * num_drawn + j] = models::log_weight(*part.law, own, r) - models::log_norm(*part.law, own);
        }
      row += num_rows(*part.law, part.num);
    }
    double here = 0;
    for (std::size_t j = 0; j < num_stats; ++j)
      if (t[j] != 0) here += t[j] * rows[j * num_drawn + k];
    const double value = use(ratios, ratios_of(rows, t, num_stats, num_drawn, here, ratios));
    total += value;
    square += value * value;
  }
  const auto all_drawn = static_cast<double>(num_drawn);
  const double mean = total / all_drawn;
  s.standard_error = std::sqrt(std::max(0.0, square / all_drawn - mean * mean) / all_drawn);
  return mean;
}

double SampleInformation::nested(std::span<const double> w, const double* arguments, std::size_t stride, Scratch& s) const {
  const auto by = [&](std::size_t num) {
    s.limit = std::log(static_cast<double>(std::min(num, w.size())));
    return over_drawn(w, arguments, stride, num, s,
                      [&](const double*, double sum) { return -std::log(sum / static_cast<double>(num)); });
  };
  const double few = by(num_nested);
  return few > s.limit - near_limit ? by(num_nested_near) : few;
}

double SampleInformation::expected_fall(std::span<const double> w, const double* arguments, const double* features,
                                        std::size_t num_features, std::size_t stride, Scratch& s) const {
  s.standard_error = 0;
  s.limit = INFINITY;
  s.means.resize(2 * num_features);
  double *mean = s.means.data(), *shifted = mean + num_features;
  if (num_joint_ > 0) {
    averages(w.data(), features, num_features, stride, w.size(), 1, mean);
    double out = 0;
    for (std::size_t joint = 0; joint < num_joint_; ++joint) {
      join_choices(w, arguments, stride, joint, s.column);
      double p = 0;
      for (const double q : s.column) p += q;
      if (!(p > 1e-300)) continue;
      averages(s.column.data(), features, num_features, stride, w.size(), p, shifted);
      out += p * squared_distance(shifted, mean, num_features);
    }
    return out;
  }
  pick(w, num_nested, s.picked);
  s.features.resize(num_features * num_nested);
  for (std::size_t k = 0; k < num_features; ++k)
    for (std::size_t i = 0; i < num_nested; ++i) s.features[k * num_nested + i] = features[k * stride + s.picked[i]];
  s.weight.assign(num_nested, 1.0);
  averages(s.weight.data(), s.features.data(), num_features, num_nested, num_nested, num_nested, mean);
  return over_drawn(w, arguments, stride, num_nested, s, [&](const double* ratios, double sum) {
    averages(ratios, s.features.data(), num_features, num_nested, num_nested, sum, shifted);
    return squared_distance(shifted, mean, num_features);
  });
}

}  // namespace hartline::design
