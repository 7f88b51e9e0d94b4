#include "models/law_tail.hpp"

#include <algorithm>
#include <boost/math/quadrature/gauss.hpp>
#include <boost/math/special_functions/beta.hpp>
#include <boost/math/special_functions/gamma.hpp>
#include <cmath>
#include <numbers>

#include "base/error.hpp"
#include "equations/graph.hpp"
#include "numerics/special.hpp"

namespace hartline::models {

namespace {

namespace bm = boost::math;
/// Doubles throughout, and values out of reach come back as 0, an infinity or NaN instead of an exception.
using Quiet = bm::policies::policy<
    bm::policies::promote_double<false>, bm::policies::domain_error<bm::policies::ignore_error>,
    bm::policies::overflow_error<bm::policies::ignore_error>, bm::policies::underflow_error<bm::policies::ignore_error>,
    bm::policies::pole_error<bm::policies::ignore_error>, bm::policies::evaluation_error<bm::policies::ignore_error>>;

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double smallest = 1e-280;    // a probability that has all of its digits
constexpr double negligible = 1e-18;   // of a sum
constexpr double nearest_to_one = 32;  // logit up to which 1 - r has digits

double log_phi(double z) { return equations::function_of(equations::Op::log_normal_cdf).value(z); }
double log_density_of(const TextLaw& law, std::span<const double> a, double r) { return log_weight(law, a, r) - log_norm(law, a); }

/// log p, of which `rest` is what is left to one; `far` works it out where it is too small for a double.
template <class Far>
double log_of(double p, double rest, Far&& far) {
  return p > 0.5 ? std::log1p(-rest) : p > smallest ? std::log(p) : far();
}

/// ∫ of the density of an angle from its mean to mean + θ, any θ: I_n(κ) / I_0(κ) by backward recurrence.
/// Reference: Hill 1977, ACM Transactions on Mathematical Software 3:279
double angle_from_mean(double theta, double concentration) {
  const double turns = std::nearbyint(theta / (2 * std::numbers::pi)), t = theta - 2 * std::numbers::pi * turns;
  if (concentration > 500) return turns + numerics::normal_cdf(2 * std::sqrt(concentration) * std::sin(t / 2)) - 0.5;
  double ratio = 0, total = 0;
  for (double n = std::ceil(30 + 9 * std::sqrt(concentration)); n >= 1; --n) {
    ratio = concentration > 0 ? 1 / (2 * n / concentration + ratio) : 0;
    total = ratio * (std::sin(n * t) / n + total);
  }
  return turns + (t / 2 + total) / std::numbers::pi;
}

/// Where the density is on a line x: that of r itself, of log r or of logit r, on which it is log-concave.
struct Line {
  LawForm form;
  double a, b;

  double at(double r) const {
    return form == LawForm::normal ? r : form == LawForm::beta ? std::log(r) - std::log1p(-r) : std::log(r);
  }
  double r(double x) const { return form == LawForm::normal ? x : form == LawForm::beta ? numerics::logistic(x) : std::exp(x); }
  /// log dr / dx
  double log_stretch(double x) const {
    return form == LawForm::normal ? 0 : form == LawForm::beta ? -numerics::softplus(x) - numerics::softplus(-x) : x;
  }
  double mode() const { return form == LawForm::gamma ? std::log(a * b) : form == LawForm::beta ? std::log(a / b) : a; }
  /// log density over x, less a constant.
  double log_q(double x) const {
    if (form == LawForm::gamma) return a * x - std::exp(x) / b;
    if (form == LawForm::beta) return -a * numerics::softplus(-x) - b * numerics::softplus(x);
    return -0.5 * (x - a) * (x - a) / (b * b);
  }
  /// How far from x on it changes by little.
  double scale(double x) const {
    double slope = 0, curvature = 0, most = inf;
    if (form == LawForm::gamma) {
      curvature = std::exp(x) / b;
      slope = a - curvature;
      if (std::abs(x - std::log(b)) < 10) most = 0.7;
    } else if (form == LawForm::beta) {
      const double p = numerics::logistic(x);
      curvature = (a + b) * p * (1 - p);
      slope = a - (a + b) * p;
      if (std::abs(x) < 10) most = 0.7;
    } else {
      curvature = 1 / (b * b);
      slope = -(x - a) * curvature;
    }
    return std::min(most, 1 / std::max(std::abs(slope), std::sqrt(curvature)));
  }
};

/// Nodes between two responses, of which one may be an end of the support.
void add_density(const Line& line, double low, double high, TailNodes& out) {
  using Rule = bm::quadrature::gauss<double, 16>;
  const bool to_one = line.form == LawForm::beta && high >= 1;  // beyond the last double below one a node stands for the rest
  const double first = low <= line.r(-inf) ? -inf : line.at(low), last = to_one                ? nearest_to_one
                                                                         : high >= line.r(inf) ? inf
                                                                                               : line.at(high);
  if (to_one) {
    const double r = std::max(low, line.r(last));
    out.r.push_back(r);
    out.log_weight.push_back(std::log((1 - r) / line.b));
  }
  if (!(first < last)) return;
  const double start = std::clamp(line.mode(), first, last), peak = line.log_q(start);
  const auto march = [&](double end) {
    const double way = end > start ? 1 : -1;
    double x = start;
    for (int panel = 0; panel < 1000 && (end - x) * way > 0 && line.log_q(x) - peak > -45; ++panel) {
      const double width = std::min(3 * line.scale(x), std::abs(end - x)), middle = x + 0.5 * way * width;
      for (std::size_t k = 0; k < Rule::abscissa().size(); ++k)
        for (const double side : {-1., 1.}) {
          const double at = middle + 0.5 * side * width * Rule::abscissa()[k];
          if (line.form != LawForm::normal && line.r(at) == 0) continue;  // less than any double
          out.r.push_back(line.r(at));
          out.log_weight.push_back(std::log(0.5 * width * Rule::weights()[k]) + line.log_stretch(at));
        }
      x += way * width;
    }
  };
  march(last);
  march(first);
}

/// A law of counts by the ratio of successive probabilities.
struct Counts {
  LawForm form;
  double a, b;

  /// p(k + 1) / p(k)
  double up(double k) const {
    if (form == LawForm::poisson) return a / (k + 1);
    if (form == LawForm::negative_binomial) return a / (1 + a * b) * (1 + b * k) / (k + 1);
    return (a - k) / (k + 1) * (b / (1 - b));
  }
  double mode() const {
    if (form == LawForm::poisson) return std::floor(a);
    if (form == LawForm::negative_binomial) return std::max(0.0, std::floor(a * (1 - b)));
    return std::min(a, std::floor((a + 1) * b));
  }
  double last() const { return form == LawForm::binomial_count ? a : inf; }

  /// Calls take(k, p(k) / p(start)) for k from start on, upward or downward, within [low, high], as long as it matters.
  template <class Take>
  void walk(double start, bool upward, double low, double high, Take&& take) const {
    double term = 1, sum = 0;
    for (double k = start; k >= low && k <= high; k += upward ? 1 : -1) {
      if (k != start) term *= upward ? up(k - 1) : 1 / up(k);
      take(k, term);
      sum += term;
      const double next = upward ? up(k) : k > 0 ? 1 / up(k - 1) : 0;
      if (next < 1 && term * next < negligible * sum * (1 - next)) return;
    }
  }
};

Counts counts_of(const TextLaw& law, std::span<const double> a) { return {law.form, a[0], a.size() > 1 ? a[1] : 0}; }

double log_tail_of_counts(const TextLaw& law, std::span<const double> a, double bound, Side side) {
  const bool from = side == Side::from;
  const double c = from ? std::ceil(bound) : std::floor(bound);
  const Counts counts = counts_of(law, a);
  if (c <= 0 && from) return 0;
  if (c < 0) return -inf;
  if (c >= counts.last() && !from) return 0;
  if (c > counts.last()) return -inf;
  if (a[0] == 0 || (law.form == LawForm::binomial_count && a[1] == 0)) return from ? -inf : 0;
  if (law.form == LawForm::binomial_count && a[1] == 1) return from ? 0 : -inf;
  // P(r >= n) and what is left to one
  const double n = from ? c : c + 1;
  double above = 0, below = 0;
  if (law.form == LawForm::poisson) {
    above = bm::gamma_p(n, a[0], Quiet());
    below = bm::gamma_q(n, a[0], Quiet());
  } else if (law.form == LawForm::negative_binomial) {
    const double shape = 1 / a[1], rest = 1 / (1 + a[0] * a[1]), s = a[0] * a[1] * rest;
    above = s < 0.5 ? bm::ibeta(n, shape, s, Quiet()) : bm::ibetac(shape, n, rest, Quiet());
    below = s < 0.5 ? bm::ibetac(n, shape, s, Quiet()) : bm::ibeta(shape, n, rest, Quiet());
  } else {
    above = bm::ibeta(n, a[0] - n + 1, a[1], Quiet());
    below = bm::ibetac(n, a[0] - n + 1, a[1], Quiet());
  }
  return log_of(from ? above : below, from ? below : above, [&] {
    double sum = 0;
    counts.walk(c, from, 0, counts.last(), [&](double, double term) { sum += term; });
    return log_density_of(law, a, c) + std::log(sum);
  });
}

/// log of the regularised incomplete gamma function of x = r / scale.
double log_tail_of_gamma(double shape, double x, Side side) {
  if (!(x > 0)) return side == Side::from ? 0 : -inf;
  const double above = bm::gamma_q(shape, x, Quiet()), below = bm::gamma_p(shape, x, Quiet());
  if (side == Side::up_to)
    return log_of(below, above, [&] {
      double term = 1, sum = 1;
      for (double n = 1; term > negligible * sum; ++n) sum += term *= x / (shape + n);
      return shape * std::log(x) - x - numerics::log_gamma(shape + 1) + std::log(sum);
    });
  return log_of(above, below, [&] {  // Legendre's continued fraction, by Lentz
    double b = x + 1 - shape, c = 1e300, d = 1 / b, h = d;
    for (double n = 1; n < 10000; ++n) {
      const double numerator = -n * (n - shape);
      b += 2;
      d = 1 / (numerator * d + b);
      c = b + numerator / c;
      h *= c * d;
      if (std::abs(c * d - 1) < 1e-16) break;
    }
    return shape * std::log(x) - x - numerics::log_gamma(shape) + std::log(h);
  });
}

/// log of the regularised incomplete beta function I_x(a, b), y = 1 - x.
double log_incomplete_beta(double a, double b, double x, double y) {
  if (!(x > 0)) return -inf;
  if (!(y > 0)) return 0;
  const double p = x < y ? bm::ibeta(a, b, x, Quiet()) : bm::ibetac(b, a, y, Quiet()),
               rest = x < y ? bm::ibetac(a, b, x, Quiet()) : bm::ibeta(b, a, y, Quiet());
  return log_of(p, rest, [&] {
    double term = 1, sum = 1;
    for (double n = 1; term > negligible * sum; ++n) sum += term *= x * (a + b + n - 1) / (a + n);
    return a * std::log(x) + b * std::log(y) - std::log(a) - numerics::log_gamma(a) - numerics::log_gamma(b) +
           numerics::log_gamma(a + b) + std::log(sum);
  });
}

double log_sum(double x, double y) {
  const double top = std::max(x, y);
  return top == -inf ? top : top + std::log(std::exp(x - top) + std::exp(y - top));
}

}  // namespace

double log_tail(const TextLaw& law, std::span<const double> a, double bound, Side side) {
  const bool from = side == Side::from;
  switch (law.form) {
    case LawForm::poisson:
    case LawForm::negative_binomial:
    case LawForm::binomial_count:
      return log_tail_of_counts(law, a, bound, side);
    case LawForm::normal:
      return log_phi((from ? a[0] - bound : bound - a[0]) / a[1]);
    case LawForm::lognormal: {
      const double x = bound > 0 ? std::log(bound) : -inf;
      return log_phi((from ? a[0] - x : x - a[0]) / a[1]);
    }
    case LawForm::gamma:
      return log_tail_of_gamma(a[0], bound / a[1], side);
    case LawForm::beta:
      return from ? log_incomplete_beta(a[1], a[0], 1 - bound, bound) : log_incomplete_beta(a[0], a[1], bound, 1 - bound);
    case LawForm::zero_inflated_gamma: {
      const double of_gamma = std::log1p(-a[0]) + log_tail_of_gamma(a[1], bound / a[2], side);
      return from ? (bound <= 0 ? 0 : of_gamma) : bound < 0 ? -inf : log_sum(std::log(a[0]), of_gamma);
    }
    case LawForm::clipped_normal:
      if (from ? bound <= a[2] : bound >= a[3]) return 0;
      if (from ? bound > a[3] : bound < a[2]) return -inf;
      return log_phi((from ? a[0] - bound : bound - a[0]) / a[1]);
    case LawForm::censored: {
      const double low = a[a.size() - 2], high = a[a.size() - 1];
      if (from ? bound <= low : bound >= high) return 0;
      if (from ? bound > high : bound < low) return -inf;
      return log_tail(*law.parts[0].law, law.parts[0].of(a), bound, side);
    }
    case LawForm::mixture: {
      double out = -inf, total = 0;
      for (const LawPart& part : law.parts) {
        total += a[part.first - 1];
        if (a[part.first - 1] > 0) out = log_sum(out, std::log(a[part.first - 1]) + log_tail(*part.law, part.of(a), bound, side));
      }
      return out - std::log(total);
    }
    case LawForm::von_mises: {
      const Below p = distribution(law, a, bound);
      return from ? std::log1p(-p.below) : std::log(p.up_to);
    }
    default: {
      double p = 0;
      for (std::size_t k = 0; k < a.size(); ++k)
        if (from ? static_cast<double>(k) >= bound : static_cast<double>(k) <= bound) p += a[k];
      return std::log(p);
    }
  }
}

void tail_nodes(const TextLaw& law, std::span<const double> a, double bound, Side side, TailNodes& out) {
  const bool from = side == Side::from;
  const auto density = [&](const Line& line) { add_density(line, from ? bound : -inf, from ? inf : bound, out); };
  const auto single = [&](double r) {
    out.r.push_back(r);
    out.log_weight.push_back(0);
  };
  switch (law.form) {
    case LawForm::poisson:
    case LawForm::negative_binomial:
    case LawForm::binomial_count: {
      const Counts counts = counts_of(law, a);
      const double low = from ? std::max(0.0, std::ceil(bound)) : 0, high = from ? counts.last() : std::floor(bound);
      if (!(low <= high)) return;
      const double start = std::clamp(counts.mode(), low, std::min(high, counts.last()));
      for (const bool upward : {true, false})
        counts.walk(start, upward, low, std::min(high, counts.last()), [&](double k, double) {
          if (upward || k != start) single(k);
        });
      return;
    }
    case LawForm::normal:
    case LawForm::lognormal:
    case LawForm::gamma:
    case LawForm::beta:
      return density({law.form, a[0], a[1]});
    case LawForm::zero_inflated_gamma:
      if (from ? bound <= 0 : bound >= 0) single(0);
      return density({LawForm::gamma, a[1], a[2]});
    case LawForm::clipped_normal:
      if (from ? bound <= a[2] : bound >= a[2]) single(a[2]);
      if (from ? bound <= a[3] : bound >= a[3]) single(a[3]);
      return add_density({LawForm::normal, a[0], a[1]}, from ? std::max(bound, a[2]) : a[2], from ? a[3] : std::min(bound, a[3]),
                         out);
    case LawForm::censored: {  // by the density of what is censored
      const double low = a[a.size() - 2], high = a[a.size() - 1];
      if (from ? bound > high : bound < low) return;
      const double at = from ? (bound <= low ? -inf : bound) : (bound >= high ? inf : bound);
      return tail_nodes(*law.parts[0].law, law.parts[0].of(a), at, side, out);
    }
    case LawForm::mixture:
      // each law's nodes count for its share of the density there
      for (const LawPart& part : law.parts) {
        const std::size_t first = out.r.size();
        if (!(a[part.first - 1] > 0)) continue;
        tail_nodes(*part.law, part.of(a), bound, side, out);
        for (std::size_t k = first; k < out.r.size(); ++k) {
          double all = -inf;
          for (const LawPart& other : law.parts)
            if (a[other.first - 1] > 0)
              all = log_sum(all, std::log(a[other.first - 1]) + log_density_of(*other.law, other.of(a), out.r[k]));
          out.log_weight[k] += std::log(a[part.first - 1]) + log_density_of(*part.law, part.of(a), out.r[k]) - all;
        }
      }
      return;
    default:
      throw InternalError("there are no nodes of " + std::string(law.name));
  }
}

double partial_mean(const TextLaw& law, std::span<const double> a, double c) {
  const double k = std::floor(c);
  const auto up_to = [](const TextLaw& of, std::initializer_list<double> arguments, double bound) {
    return std::exp(log_tail(of, {arguments.begin(), arguments.size()}, bound, Side::up_to));
  };
  switch (law.form) {
    case LawForm::poisson:
      return a[0] * up_to(law, {a[0]}, k - 1);
    case LawForm::negative_binomial:
      return a[0] * up_to(law, {a[0] * (1 + a[1]), a[1] / (1 + a[1])}, k - 1);
    case LawForm::binomial_count:
      return a[0] > 0 ? a[0] * a[1] * up_to(law, {a[0] - 1, a[1]}, k - 1) : 0;
    case LawForm::normal: {
      const double z = (c - a[0]) / a[1];
      return a[0] * numerics::normal_cdf(z) - a[1] * std::exp(-0.5 * z * z) / std::sqrt(2 * std::numbers::pi);
    }
    case LawForm::lognormal:
      return std::exp(a[0] + 0.5 * a[1] * a[1]) * up_to(law, {a[0] + a[1] * a[1], a[1]}, c);
    case LawForm::gamma:
      return a[0] * a[1] * up_to(law, {a[0] + 1, a[1]}, c);
    case LawForm::beta:
      return a[0] / (a[0] + a[1]) * up_to(law, {a[0] + 1, a[1]}, c);
    case LawForm::zero_inflated_gamma:
      return (1 - a[0]) * a[1] * a[2] * std::exp(log_tail_of_gamma(a[1] + 1, c / a[2], Side::up_to));
    case LawForm::mixture: {
      double total = 0, out = 0;
      for (const LawPart& part : law.parts) {
        total += a[part.first - 1];
        if (a[part.first - 1] > 0) out += a[part.first - 1] * partial_mean(*part.law, part.of(a), c);
      }
      return out / total;
    }
    default:
      throw InternalError("there is no partial mean of " + std::string(law.name));
  }
}

Below distribution(const TextLaw& law, std::span<const double> a, double r) {
  const auto tails = [&](double below) { return Below{below, std::exp(log_tail(law, a, r, Side::up_to))}; };
  switch (law.form) {
    case LawForm::von_mises: {
      const double p = angle_from_mean(r - a[0], a[1]) - angle_from_mean(-std::numbers::pi - a[0], a[1]);
      return {p, p};
    }
    case LawForm::poisson:
    case LawForm::negative_binomial:
    case LawForm::binomial_count:
      return tails(std::exp(log_tail(law, a, std::ceil(r) - 1, Side::up_to)));
    case LawForm::zero_inflated_gamma:
      if (r == 0) return tails(0);
      break;
    case LawForm::clipped_normal:
    case LawForm::censored: {
      const double low = a[a.size() - 2], high = a[a.size() - 1];
      if (r <= low) return r < low ? Below{0, 0} : tails(0);
      if (law.form == LawForm::censored) {
        const Below inner = distribution(*law.parts[0].law, law.parts[0].of(a), std::min(r, high));
        return {r > high ? 1 : inner.below, r >= high ? 1 : inner.up_to};
      }
      const double p = numerics::normal_cdf((std::min(r, high) - a[0]) / a[1]);
      return {r > high ? 1 : p, r >= high ? 1 : p};
    }
    case LawForm::mixture: {
      Below out;
      double total = 0;
      for (const LawPart& part : law.parts) {
        const double weight = a[part.first - 1];
        total += weight;
        if (!(weight > 0)) continue;
        const Below p = distribution(*part.law, part.of(a), r);
        out.below += weight * p.below;
        out.up_to += weight * p.up_to;
      }
      return {out.below / total, out.up_to / total};
    }
    default:
      break;
  }
  if (law.kind == ResponseKind::choice) {
    Below out;
    for (std::size_t k = 0; k < a.size(); ++k) {
      if (static_cast<double>(k) < r) out.below += a[k];
      if (static_cast<double>(k) <= r) out.up_to += a[k];
    }
    return out;
  }
  const double p = std::exp(log_tail(law, a, r, Side::up_to));
  return {p, p};
}

}  // namespace hartline::models
