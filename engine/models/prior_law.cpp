#include "models/prior_law.hpp"

#include <algorithm>
#include <boost/math/distributions/beta.hpp>
#include <boost/math/distributions/gamma.hpp>
#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <numbers>

#include "base/error.hpp"
#include "models/law_tail.hpp"
#include "numerics/special.hpp"

namespace hartline::models {

namespace {

namespace bm = boost::math;

/// Radians in one of a circle's units.
double turn(double period) { return 2 * std::numbers::pi / period; }

const TextLaw& law_of(LawForm form) {
  return *std::find_if(text_laws().begin(), text_laws().end(), [&](const TextLaw& law) { return law.form == form; });
}

}  // namespace

double PriorLaw::quantile(double u) const {
  if (!cumulative_.empty()) {
    const auto at = std::upper_bound(cumulative_.begin(), cumulative_.end(), u);
    return values_[std::min(static_cast<std::size_t>(at - cumulative_.begin()), values_.size() - 1)];
  }
  if (is_discrete())
    return values_[std::min(static_cast<std::size_t>(u * static_cast<double>(values_.size())), values_.size() - 1)];
  const double below = cdf_low_ + (cdf_high_ - cdf_low_) * u;
  return std::clamp(free_quantile(std::clamp(below, 1e-300, 1 - 0x1p-53)), low_, high_);
}

double PriorLaw::from_normal(double z) const {
  const auto above = [](double t) { return numerics::normal_cdf(-t); };
  if (is_discrete()) return quantile(std::min(above(-z), 1 - 0x1p-53));
  const bool whole = cdf_low_ == 0 && cdf_high_ == 1;
  if (whole && kind_ == Kind::normal) return a_ + b_ * z;
  if (whole && kind_ == Kind::lognormal) return std::exp(a_ + b_ * z);
  const double share = cdf_high_ - cdf_low_;
  const double x = z < 0 ? free_quantile(std::clamp(cdf_low_ + share * above(-z), 1e-300, 1 - 0x1p-53))
                         : free_upper_quantile(std::clamp(1 - cdf_high_ + share * above(z), 1e-300, 1 - 0x1p-53));
  return std::clamp(x, low_, high_);
}

void PriorLaw::slopes_from_normal(double z, double x, double& first, double& second) const {
  // p(x) dx = φ(z) dz
  first = std::exp(-0.5 * z * z - 0.91893853320467274178 - log_density(x));
  second = -first * (z + first * log_density_slope(x));
}

/// d log p / dx
double PriorLaw::log_density_slope(double x) const {
  switch (kind_) {
    case Kind::normal:
      return -(x - a_) / (b_ * b_);
    case Kind::lognormal:
      return -((std::log(x) - a_) / (b_ * b_) + 1) / x;
    case Kind::half_normal:
      return -x / (a_ * a_);
    case Kind::exponential:
      return -1 / a_;
    case Kind::gamma:
      return (a_ - 1) / x - 1 / b_;
    case Kind::beta:
      return (a_ - 1) / x - (b_ - 1) / (1 - x);
    case Kind::von_mises:
      return -b_ * turn(period_) * std::sin(turn(period_) * (x - a_));
    case Kind::mixture: {
      double total = 0, out = 0;
      for (std::size_t k = 0; k < parts_.size(); ++k) {
        const double p = shares_[k] * std::exp(parts_[k].log_density(x));
        total += p;
        if (p > 0) out += p * parts_[k].log_density_slope(x);
      }
      return out / total;
    }
    default:
      return 0;
  }
}

bool PriorLaw::has_density() const {
  if (kind_ == Kind::mixture)
    return std::all_of(parts_.begin(), parts_.end(), [](const PriorLaw& part) { return part.has_density(); });
  return kind_ != Kind::values && kind_ != Kind::zero_inflated_gamma && kind_ != Kind::clipped_normal;
}

double PriorLaw::log_density(double x) const {
  if (!(x >= low_ && x <= high_)) return -std::numeric_limits<double>::infinity();
  if (is_discrete()) {
    const auto at = std::lower_bound(values_.begin(), values_.end(), x);
    if (at == values_.end() || *at != x) return -std::numeric_limits<double>::infinity();
    if (cumulative_.empty()) return -std::log(static_cast<double>(values_.size()));
    const auto k = static_cast<std::size_t>(at - values_.begin());
    return std::log(cumulative_[k] - (k > 0 ? cumulative_[k - 1] : 0));
  }
  return free_log_density(x) - std::log(cdf_high_ - cdf_low_);
}

double PriorLaw::score_of(std::size_t k) const {
  const double n = static_cast<double>(values_.size()), at = static_cast<double>(k);
  const double below = cumulative_.empty() ? at / n : k > 0 ? cumulative_[k - 1] : 0;
  const double up_to = cumulative_.empty() ? (at + 1) / n : cumulative_[k];
  return numerics::normal_quantile(0.5 * (below + up_to));
}

std::vector<double> PriorLaw::nodes(std::size_t num) const {
  if (is_discrete()) return values_;
  std::vector<double> out;
  for (std::size_t k = 0; k < num; ++k) out.push_back(quantile((static_cast<double>(k) + 0.5) / static_cast<double>(num)));
  return out;
}

/// Values that the one with that share below it, or above, lies between.
std::pair<double, double> PriorLaw::bracket(double share, bool above) const {
  if (is_discrete()) return {low_, high_};
  const double span = cdf_high_ - cdf_low_;
  const double x = above ? free_upper_quantile(std::clamp(1 - cdf_high_ + span * share, 1e-300, 1 - 0x1p-53))
                         : free_quantile(std::clamp(cdf_low_ + span * share, 1e-300, 1 - 0x1p-53));
  return {x, x};
}

/// Newton's steps where they stay between two bounds, else bisection.
double PriorLaw::solve(double share, bool above) const {
  for (const double x : atoms_) {
    const double up_to = free_cdf(x), p = probability(x);
    if (above ? 1 - up_to <= share && share < 1 - up_to + p : up_to - p < share && share <= up_to) return x;
  }
  double low = low_, high = high_;
  if (kind_ == Kind::mixture) {
    low = std::numeric_limits<double>::infinity();
    high = -low;
    for (const PriorLaw& part : parts_) {
      const auto [first, last] = part.bracket(share, above);
      low = std::min(low, first);
      high = std::max(high, last);
    }
  }
  double x = 0.5 * (low + high);
  for (int k = 0; k < 200 && high - low > 1e-15 * (std::abs(low) + std::abs(high)); ++k) {
    const double off = above ? share - free_above(x) : free_cdf(x) - share;
    (off < 0 ? low : high) = x;
    const double step = x - off / std::exp(free_log_density(x));
    const double next = k < 60 && step > low && step < high ? step : 0.5 * (low + high);
    if (std::abs(next - x) <= 1e-15 * std::abs(x)) return next;
    x = next;
  }
  return x;
}

double PriorLaw::probability(double x) const {
  if (is_discrete()) return std::exp(log_density(x));
  if (kind_ == Kind::zero_inflated_gamma) return x == 0 ? c_ : 0;
  if (kind_ == Kind::clipped_normal) return x == c_ ? free_cdf(x) : x == d_ ? numerics::normal_cdf((a_ - d_) / b_) : 0;
  double out = 0;
  for (std::size_t k = 0; k < parts_.size(); ++k) out += shares_[k] * parts_[k].probability(x);
  return out;
}

double PriorLaw::free_quantile(double u) const {
  switch (kind_) {
    case Kind::uniform:
      return a_ + (b_ - a_) * u;
    case Kind::normal:
      return bm::quantile(bm::normal(a_, b_), u);
    case Kind::lognormal:
      return std::exp(bm::quantile(bm::normal(a_, b_), u));
    case Kind::half_normal:
      return bm::quantile(bm::normal(0, a_), 0.5 + 0.5 * u);
    case Kind::exponential:
      return -a_ * std::log1p(-u);
    case Kind::gamma:
      return bm::quantile(bm::gamma_distribution<>(a_, b_), u);
    case Kind::beta:
      return bm::quantile(bm::beta_distribution<>(a_, b_), u);
    case Kind::zero_inflated_gamma:
      return u <= c_ ? 0 : bm::quantile(bm::gamma_distribution<>(a_, b_), std::min((u - c_) / (1 - c_), 1 - 0x1p-53));
    case Kind::clipped_normal:
      return std::clamp(bm::quantile(bm::normal(a_, b_), u), c_, d_);
    case Kind::von_mises:
    case Kind::mixture:
      return solve(u, false);
    case Kind::values:
      break;
  }
  return 0;
}

double PriorLaw::free_upper_quantile(double above) const {
  switch (kind_) {
    case Kind::uniform:
      return b_ - (b_ - a_) * above;
    case Kind::normal:
      return bm::quantile(bm::complement(bm::normal(a_, b_), above));
    case Kind::lognormal:
      return std::exp(bm::quantile(bm::complement(bm::normal(a_, b_), above)));
    case Kind::half_normal:
      return bm::quantile(bm::complement(bm::normal(0, a_), 0.5 * above));
    case Kind::exponential:
      return -a_ * std::log(above);
    case Kind::gamma:
      return bm::quantile(bm::complement(bm::gamma_distribution<>(a_, b_), above));
    case Kind::beta:
      return bm::quantile(bm::complement(bm::beta_distribution<>(a_, b_), above));
    case Kind::zero_inflated_gamma:
      return above >= 1 - c_ ? 0 : bm::quantile(bm::complement(bm::gamma_distribution<>(a_, b_), above / (1 - c_)));
    case Kind::clipped_normal:
      return std::clamp(bm::quantile(bm::complement(bm::normal(a_, b_), above)), c_, d_);
    case Kind::von_mises:  // the mean is its middle
      return 2 * a_ - solve(above, false);
    case Kind::mixture:
      return solve(above, true);
    case Kind::values:
      break;
  }
  return 0;
}

double PriorLaw::free_cdf(double x) const {
  const double inf = std::numeric_limits<double>::infinity();
  if (x == -inf) return 0;
  if (x == inf) return 1;
  const auto tail = [&](LawForm form, double first, double second) {
    const double arguments[] = {first, second};
    return std::exp(log_tail(law_of(form), arguments, x, Side::up_to));
  };
  switch (kind_) {
    case Kind::uniform:
      return std::clamp((x - a_) / (b_ - a_), 0.0, 1.0);
    case Kind::normal:
      return tail(LawForm::normal, a_, b_);
    case Kind::lognormal:
      return tail(LawForm::lognormal, a_, b_);
    case Kind::half_normal:
      return x <= 0 ? 0 : std::erf(x / a_ / std::numbers::sqrt2);
    case Kind::exponential:
      return x <= 0 ? 0 : -std::expm1(-x / a_);
    case Kind::gamma:
      return tail(LawForm::gamma, a_, b_);
    case Kind::beta:
      return x <= 0 ? 0 : x >= 1 ? 1 : tail(LawForm::beta, a_, b_);
    case Kind::zero_inflated_gamma:
      return x < 0 ? 0 : c_ + (1 - c_) * tail(LawForm::gamma, a_, b_);
    case Kind::clipped_normal:
      return x < c_ ? 0 : x >= d_ ? 1 : tail(LawForm::normal, a_, b_);
    case Kind::von_mises: {
      const double arguments[] = {0, b_}, angle = turn(period_) * (x - a_);
      return angle <= -std::numbers::pi  ? 0
             : angle >= std::numbers::pi ? 1
                                         : distribution(law_of(LawForm::von_mises), arguments, angle).up_to;
    }
    case Kind::mixture: {
      double out = 0;
      for (std::size_t k = 0; k < parts_.size(); ++k) out += shares_[k] * parts_[k].cdf(x);
      return out;
    }
    case Kind::values:
      break;
  }
  return 0;
}

double PriorLaw::free_above(double x) const {
  const auto tail = [&](LawForm form, double first, double second) {
    const double arguments[] = {first, second};
    return std::exp(log_tail(law_of(form), arguments, x, Side::from));
  };
  switch (kind_) {
    case Kind::normal:
      return tail(LawForm::normal, a_, b_);
    case Kind::lognormal:
      return tail(LawForm::lognormal, a_, b_);
    case Kind::half_normal:
      return x <= 0 ? 1 : std::erfc(x / a_ / std::numbers::sqrt2);
    case Kind::exponential:
      return x <= 0 ? 1 : std::exp(-x / a_);
    case Kind::gamma:
      return tail(LawForm::gamma, a_, b_);
    case Kind::beta:
      return x <= 0 ? 1 : x >= 1 ? 0 : tail(LawForm::beta, a_, b_);
    case Kind::zero_inflated_gamma:
      return x < 0 ? 1 : (1 - c_) * tail(LawForm::gamma, a_, b_);
    case Kind::mixture: {
      double out = 0;
      for (std::size_t k = 0; k < parts_.size(); ++k) out += shares_[k] * parts_[k].above(x);
      return out;
    }
    default:
      return 1 - free_cdf(x);
  }
}

double PriorLaw::cdf(double x) const {
  if (is_discrete()) {
    const auto num = static_cast<std::size_t>(std::upper_bound(values_.begin(), values_.end(), x) - values_.begin());
    if (num == 0) return 0;
    return cumulative_.empty() ? static_cast<double>(num) / static_cast<double>(values_.size()) : cumulative_[num - 1];
  }
  return std::clamp((free_cdf(x) - cdf_low_) / (cdf_high_ - cdf_low_), 0.0, 1.0);
}

double PriorLaw::above(double x) const { return cdf_low_ == 0 && cdf_high_ == 1 && !is_discrete() ? free_above(x) : 1 - cdf(x); }

double PriorLaw::free_log_density(double x) const {
  const auto times_log = [](double c, double y) { return c == 0 ? 0 : c * std::log(y); };  // 0 log 0 = 0
  constexpr double half_log_two_pi = 0.91893853320467274178;
  const auto normal = [](double z, double sd) { return -0.5 * z * z - std::log(sd) - half_log_two_pi; };
  switch (kind_) {
    case Kind::uniform:
      return -std::log(b_ - a_);
    case Kind::normal:
      return normal((x - a_) / b_, b_);
    case Kind::lognormal:
      return x > 0 ? normal((std::log(x) - a_) / b_, b_) - std::log(x) : -std::numeric_limits<double>::infinity();
    case Kind::half_normal:
      return normal(x / a_, a_) + std::log(2.0);
    case Kind::exponential:
      return -x / a_ - std::log(a_);
    case Kind::gamma:
      return times_log(a_ - 1, x) - x / b_ - std::lgamma(a_) - a_ * std::log(b_);
    case Kind::beta:
      return times_log(a_ - 1, x) + times_log(b_ - 1, 1 - x) + std::lgamma(a_ + b_) - std::lgamma(a_) - std::lgamma(b_);
    case Kind::zero_inflated_gamma: {
      const double arguments[] = {c_, a_, b_};
      return log_weight(law_of(LawForm::zero_inflated_gamma), arguments, x);
    }
    case Kind::clipped_normal: {
      const double arguments[] = {a_, b_, c_, d_};
      return log_weight(law_of(LawForm::clipped_normal), arguments, x);
    }
    case Kind::von_mises: {
      const double arguments[] = {0, b_}, angle = turn(period_) * (x - a_);
      const TextLaw& law = law_of(LawForm::von_mises);
      return log_weight(law, arguments, angle) - log_norm(law, arguments) + std::log(turn(period_));
    }
    case Kind::mixture: {
      double top = -std::numeric_limits<double>::infinity(), total = 0;
      std::vector<double> logs;
      for (std::size_t k = 0; k < parts_.size(); ++k)
        top = std::max(top, logs.emplace_back(std::log(shares_[k]) + parts_[k].log_density(x)));
      for (const double log_p : logs) total += std::exp(log_p - top);
      return top + std::log(total);
    }
    case Kind::values:
      break;
  }
  return 0;
}

}  // namespace hartline::models
