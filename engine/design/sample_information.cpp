#include "design/sample_information.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "base/error.hpp"
#include "base/random.hpp"
#include "design/spread_samples.hpp"
#include "numerics/lanes.hpp"

namespace hartline::design {

using models::LawForm;
using models::LawPart;
using numerics::Lanes;
using numerics::load_part;
using numerics::num_lanes;
using numerics::spread;

namespace {

/// Σ w_i p_i, Σ w_i p_i log p_i, and the least p_i.
struct Sums {
  double mean = 0, negentropy = 0, least = 0;
};
HARTLINE_CLONES Sums sums_of(const double* w, const double* p, std::size_t num) {
  Lanes mean = spread(0), negentropy = spread(0), least = spread(1);
  for (std::size_t i = 0; i < num; i += num_lanes) {
    const int count = static_cast<int>(std::min<std::size_t>(num_lanes, num - i));
    const Lanes weight = load_part(w + i, count, 0), raw = load_part(p + i, count, 1);
    const Lanes value = raw > spread(tiny) ? raw : spread(tiny);
    mean += weight * raw;
    least = raw < least ? raw : least;
    negentropy += weight * (value * numerics::log(value));
  }
  double lowest = least[0];
  for (int k = 1; k < num_lanes; ++k) lowest = std::min(lowest, least[k]);
  return {numerics::sum(mean), numerics::sum(negentropy), lowest};
}

void check(const Sums& sums, std::size_t k) {
  if (sums.least >= -1e-12 && std::isfinite(sums.mean)) return;
  throw RunError({"model.response", "probabilities of 0 to 1 wherever the prior reaches",
                  fmt::format("{} of choice {}", number_text(std::isfinite(sums.mean) ? sums.least : sums.mean), k),
                  "Weights have to be >= 0, the limits of an ordinal response have to ascend. See clip(x, low, high)."});
}

HARTLINE_CLONES void slopes_of(const double* w, const double* p, std::size_t num, double log_mean, double* out) {
  for (std::size_t i = 0; i < num; i += num_lanes) {
    const int count = static_cast<int>(std::min<std::size_t>(num_lanes, num - i));
    const Lanes weight = load_part(w + i, count, 0), raw = load_part(p + i, count, 1);
    const Lanes value = raw > spread(tiny) ? raw : spread(tiny);
    const Lanes slope = weight * (numerics::log(value) - spread(log_mean));
    numerics::store_part(out + i, slope, count);
  }
}

/// out_i += p_i (log p_i - log_mean).
HARTLINE_CLONES void add_divergences(const double* p, std::size_t num, double log_mean, double* out) {
  for (std::size_t i = 0; i < num; i += num_lanes) {
    const int count = static_cast<int>(std::min<std::size_t>(num_lanes, num - i));
    const Lanes raw = load_part(p + i, count, 1), value = raw > spread(tiny) ? raw : spread(tiny);
    numerics::store_part(out + i, load_part(out + i, count, 0) + raw * (numerics::log(value) - spread(log_mean)), count);
  }
}

}  // namespace

SampleInformation::SampleInformation(std::span<const LawPart> laws) : laws_(laws.begin(), laws.end()), law_(*laws[0].law) {
  for (const LawPart& part : laws_) {
    num_arguments_ += part.num;
    num_joint_ *= part.law->kind == ResponseKind::choice ? part.num : 0;
    if (num_joint_ > max_joint) num_joint_ = 0;
  }
  parts_ = parts_of_law();
  rule_ = find_rule();
  if (rule_ == Rule::poisson) make_count_nodes();  // now, not when the first choice is waited for
}

SampleInformation::Rule SampleInformation::find_rule() const {
  if (laws_.size() > 1) return num_joint_ > 0 ? Rule::choices : Rule::nested;
  if (law_.kind == ResponseKind::choice) return Rule::choice;
  const auto all = [&](auto... forms) {
    return parts_.size() <= max_parts &&
           std::all_of(parts_.begin(), parts_.end(), [&](const LawPart& part) { return ((part.law->form == forms) || ...); });
  };
  switch (law_.form) {
    case LawForm::poisson:
      return Rule::poisson;
    case LawForm::normal:
    case LawForm::lognormal:
      return Rule::normal;
    case LawForm::clipped_normal:
      return Rule::clipped;
    case LawForm::binomial_count:
      return Rule::binomial;
    case LawForm::censored:
      return law_.parts[0].law->form == LawForm::normal ? Rule::clipped : Rule::nested;
    default:
      if (all(LawForm::poisson, LawForm::negative_binomial)) return Rule::any_counts;
      return all(LawForm::normal) || all(LawForm::lognormal) ? Rule::normal_mixtures : Rule::nested;
  }
}

bool SampleInformation::has_slopes() const { return rule_ == Rule::choice || rule_ == Rule::poisson || rule_ == Rule::normal; }

double SampleInformation::operator()(std::span<const double> w, const double* arguments, std::size_t stride, Scratch& s,
                                     double* slopes, double* divergences) const {
  s.standard_error = 0;
  s.limit = INFINITY;
  switch (rule_) {
    case Rule::choice:
      return of_choice(w, arguments, stride, slopes, divergences);
    case Rule::choices:
      return of_choices(w, arguments, stride, s);
    case Rule::poisson:
      return of_poisson(w, arguments, s, slopes, divergences);
    case Rule::normal:
      return of_normal(w, arguments, arguments + stride, s, slopes, slopes ? slopes + stride : nullptr, divergences);
    case Rule::any_counts:
      return of_any_counts(w, arguments, stride, s);
    case Rule::normal_mixtures:
      return of_normal_mixtures(w, arguments, stride, s);
    case Rule::clipped:
      return of_clipped(w, arguments, stride, s);
    case Rule::binomial:
      if (std::all_of(arguments, arguments + w.size(), [&](double n) { return n == arguments[0]; }))
        return of_binomial(w, arguments, arguments + stride, s);
      break;
    case Rule::nested:
      break;
  }
  return nested(w, arguments, stride, s);
}

double SampleInformation::of_choice(std::span<const double> w, const double* p, std::size_t stride, double* slopes,
                                    double* divergences) const {
  double out = 0;
  if (divergences) std::fill_n(divergences, w.size(), 0.0);
  for (std::size_t k = 0; k < num_arguments_; ++k) {
    const Sums sums = sums_of(w.data(), p + k * stride, w.size());
    check(sums, k);
    out += sums.negentropy - p_log_p(sums.mean);
    const double log_mean = std::log(std::max(sums.mean, tiny));
    if (slopes) slopes_of(w.data(), p + k * stride, w.size(), log_mean, slopes + k * stride);
    if (divergences) add_divergences(p + k * stride, w.size(), log_mean, divergences);
  }
  return out;
}

/// Probability of one combination of choices with each sample.
void SampleInformation::join_choices(std::span<const double> w, const double* p, std::size_t stride, std::size_t joint,
                                     std::vector<double>& out) const {
  out.assign(w.begin(), w.end());
  for (const LawPart& part : laws_) {
    const double* own = p + (part.first + joint % part.num) * stride;
    for (std::size_t i = 0; i < w.size(); ++i) out[i] *= own[i];
    joint /= part.num;
  }
}

/// Of several choices: H(all together) - Σ_j H(each | θ).
double SampleInformation::of_choices(std::span<const double> w, const double* p, std::size_t stride, Scratch& s) const {
  const std::size_t num = w.size();
  double out = 0;
  for (std::size_t joint = 0; joint < num_joint_; ++joint) {
    join_choices(w, p, stride, joint, s.column);
    double total = 0;
    for (const double q : s.column) total += q;
    out -= p_log_p(total);
  }
  for (std::size_t k = 0; k < num_arguments_; ++k) {
    const Sums sums = sums_of(w.data(), p + k * stride, num);
    check(sums, k);
    out += sums.negentropy;
  }
  return out;
}

}  // namespace hartline::design
