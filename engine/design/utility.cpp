#include "design/utility.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.hpp"
#include "numerics/lanes.hpp"
#include "numerics/special.hpp"

namespace hartline::design {

using namespace numerics;
using models::Law;
using models::Link;
using models::ResponseLaw;

namespace {

// One kernel serves every law: the trapezoidal rule over ρ = m + sd z, lanes over stimuli. The integrands are analytic in a strip
// whose half-width in ρ is π or π/2, so the step in z shrinks with the largest sd; see numerics/quadrature.hpp.
struct Rule {
  double step, reach_below, reach_above;
};

HARTLINE_INLINE double largest(Lanes v) {
  double top = v[0];
  for (int k = 1; k < num_lanes; ++k) top = v[k] > top ? v[k] : top;
  return top;
}

/// Expected information J(ρ), without the factors that do not depend on ρ.
template <Law law, Link link>
HARTLINE_INLINE Lanes fisher_shape(Lanes rho) {
  if constexpr (law == Law::poisson && link == Link::exp) return numerics::exp(rho);
  if constexpr (law == Law::gaussian && link == Link::exp) return numerics::exp(rho + rho);
  if constexpr (link == Link::softplus) {
    const Lanes s = numerics::logistic(rho);
    if constexpr (law == Law::gaussian) return s * s;
    const Lanes f = numerics::softplus(rho);
    return (rho < spread(-30.0)) ? f : s * s / f;
  }
  if constexpr (link == Link::logistic) {
    const Lanes s = numerics::logistic(rho), other = numerics::logistic(-rho);
    if constexpr (law == Law::poisson) return s * other * other;
    if constexpr (law == Law::bernoulli) return s * other;
    return s * other * s * other;
  }
  return spread(1.0);
}

/// E_r log(1 + (r A(ρ) + B(ρ)) v) for a softplus count: the sum over counts, stopped where no lane has mass left.
HARTLINE_INLINE Lanes softplus_count_term(Lanes rho, Lanes v, double bin_s) {
  const Lanes s = numerics::logistic(rho), f = numerics::softplus(rho);
  const Lanes ratio = (rho < spread(-30.0)) ? spread(1.0) : s / f;
  const Lanes a = (rho < spread(-30.0)) ? spread(0.5) * f : ratio * (ratio - (spread(1.0) - s));
  const Lanes b = s * (spread(1.0) - s) * spread(bin_s);
  const Lanes mean = f * spread(bin_s);
  const double top_mean = largest(mean);
  if (top_mean > 300) {
    // the count is then nearly its mean: second-order expansion of the logarithm around it
    const Lanes base = spread(1.0) + (mean * a + b) * v, slope = a * v / base;
    return numerics::log(base) - spread(0.5) * slope * slope * mean;
  }
  const int last = static_cast<int>(top_mean + 9 * std::sqrt(top_mean) + 12);
  Lanes p = numerics::exp(-mean), total = spread(0), r_a = spread(0);
  for (int r = 0; r <= last; ++r) {
    total += p * numerics::log1p((r_a + b) * v);
    p *= mean * spread(1.0 / (r + 1));
    r_a += a;
  }
  return total;
}

template <Law law, Link link, bool first_order>
HARTLINE_INLINE void integrate(const double* m, const double* v, std::size_t count, double scale, double bin_s, double* out) {
  constexpr bool counts_matter = law == Law::poisson && link == Link::softplus && !first_order;
  constexpr bool exponential = law == Law::poisson && link == Link::exp;
  for (std::size_t at = 0; at < count; at += num_lanes) {
    const int here = static_cast<int>(std::min<std::size_t>(num_lanes, count - at));
    const Lanes mean = load_part(m + at, here, 0), variance = load_part(v + at, here, 0);
    Lanes sd;
    for (int k = 0; k < num_lanes; ++k) sd[k] = std::sqrt(std::max(0.0, variance[k]));
    const double top_sd = largest(sd);
    // where the information behaves like exp(2 ρ) the strip is half as wide
    constexpr double narrow = law == Law::gaussian || (law == Law::poisson && link == Link::logistic) ? 0.5 : 1;
    const double step = std::min(0.5, narrow * 0.7 / std::max(top_sd, 1e-9));
    // a factor exp(sd z) in the integrand moves its mass up to z = sd (twice for exp(2 ρ))
    const double shift = exponential ? top_sd : link == Link::exp ? 2 * top_sd : link == Link::softplus ? top_sd : 0;
    const int low = -static_cast<int>(std::ceil((7 + (exponential ? 0 : shift)) / step));
    const int high = static_cast<int>(std::ceil((7 + shift) / step));
    const Lanes v_scale = variance * spread(scale);
    Lanes total = spread(0);
    // for exp counts log(1 + v Δ e^ρ) = softplus(ρ + log(v Δ))
    const Lanes offset =
        exponential && !first_order ? mean + numerics::log((v_scale > spread(1e-300)) ? v_scale : spread(1e-300)) : mean;
    const Lanes ramp{0, 1, 2, 3, 4, 5, 6, 7};
    Lanes weights = spread(0);  // of the next eight nodes
    for (int k = low; k <= high; ++k) {
      const double z = k * step;
      const Lanes rho = offset + sd * spread(z);
      const int ahead = (k - low) % num_lanes;
      if (ahead == 0) {
        const Lanes zs = (spread(k) + ramp) * spread(step);
        weights = numerics::exp(spread(-0.5) * zs * zs) * spread(step * (0.5 / std::sqrt(2 * std::numbers::pi)));
      }
      const double weight = weights[ahead];
      if constexpr (counts_matter)
        total += spread(weight) * softplus_count_term(rho, variance, bin_s);
      else if constexpr (first_order)
        total += spread(weight) * v_scale * fisher_shape<law, link>(rho);
      else if constexpr (exponential)
        total += spread(weight) * numerics::softplus(rho);
      else
        total += spread(weight) * numerics::log1p(v_scale * fisher_shape<law, link>(rho));
    }
    std::memcpy(out + at, &total, static_cast<std::size_t>(here) * sizeof(double));
  }
}

#define HARTLINE_INTEGRAL(name, law, link)                                                                                 \
  HARTLINE_CLONES void name(const double* m, const double* v, std::size_t n, double scale, double bin_s, bool first_order, \
                            double* out) {                                                                                 \
    if (first_order)                                                                                                       \
      integrate<law, link, true>(m, v, n, scale, bin_s, out);                                                              \
    else                                                                                                                   \
      integrate<law, link, false>(m, v, n, scale, bin_s, out);                                                             \
  }
HARTLINE_INTEGRAL(poisson_exp, Law::poisson, Link::exp)
HARTLINE_INTEGRAL(poisson_softplus, Law::poisson, Link::softplus)
HARTLINE_INTEGRAL(poisson_logistic, Law::poisson, Link::logistic)
HARTLINE_INTEGRAL(bernoulli_logistic, Law::bernoulli, Link::logistic)
HARTLINE_INTEGRAL(gaussian_exp, Law::gaussian, Link::exp)
HARTLINE_INTEGRAL(gaussian_softplus, Law::gaussian, Link::softplus)
HARTLINE_INTEGRAL(gaussian_logistic, Law::gaussian, Link::logistic)
#undef HARTLINE_INTEGRAL

HARTLINE_CLONES void exp_count_bounds(const double* m, const double* v, std::size_t n, double bin_s, double* low, double* high) {
  for (std::size_t at = 0; at < n; at += num_lanes) {
    const int here = static_cast<int>(std::min<std::size_t>(num_lanes, n - at));
    const Lanes variance = load_part(v + at, here, 0), scaled = variance * spread(bin_s);
    const Lanes offset = load_part(m + at, here, 0) + numerics::log((scaled > spread(1e-300)) ? scaled : spread(1e-300));
    const Lanes lower = spread(0.5) * numerics::softplus(offset);
    const Lanes upper = lower + variance * spread(1.0 / 16);
    std::memcpy(low + at, &lower, static_cast<std::size_t>(here) * sizeof(double));
    std::memcpy(high + at, &upper, static_cast<std::size_t>(here) * sizeof(double));
  }
}

double binary_entropy(double rho) {
  // p = logistic(ρ): p softplus(-ρ) + (1 - p) softplus(ρ)
  return numerics::logistic(rho) * numerics::softplus(-rho) + numerics::logistic(-rho) * numerics::softplus(rho);
}

double bernoulli_mutual_information(double m, double v) {
  const double sd = std::sqrt(v), step = std::min(0.25, 0.35 / std::max(sd, 1e-9));
  const int half = static_cast<int>(std::ceil(8.5 / step));
  double p = 0, h = 0, other = 0;
  for (int k = -half; k <= half; ++k) {
    const double z = k * step, w = step * std::exp(-0.5 * z * z) / std::sqrt(2 * std::numbers::pi), rho = m + sd * z;
    p += w * numerics::logistic(rho);
    other += w * numerics::logistic(-rho);
    h += w * binary_entropy(rho);
  }
  return (p > 0 ? -p * std::log(p) : 0) + (other > 0 ? -other * std::log(other) : 0) - h;
}

/// p(r) and E[log p(r | ρ) | r], by the trapezoidal rule around the mode of p(r | ρ) N(ρ; m, v).
std::pair<double, double> posterior_term(const ResponseLaw& law, double r, double m, double v) {
  const models::Mode mode = models::find_mode(law, r, m, v);
  const double sd = 1 / std::sqrt(1 / v + std::max(law.curvature(r, mode.rho), 0.0)), step = 0.5 * sd;
  const auto value = [&](double rho) { return law.log_likelihood(r, rho); };
  const double top_likelihood = value(mode.rho), top = top_likelihood - 0.5 * (mode.rho - m) * (mode.rho - m) / v;
  double total = 1, weighted = top_likelihood;
  for (double direction : {-1.0, 1.0}) {
    for (int k = 1; k < 4000; ++k) {
      const double rho = mode.rho + direction * k * step, likelihood = value(rho);
      const double w = std::exp(likelihood - 0.5 * (rho - m) * (rho - m) / v - top);
      total += w;
      weighted += w * likelihood;
      if (w < 1e-12 && k > 12) break;
    }
  }
  return {std::exp(top) * total * step / std::sqrt(2 * std::numbers::pi * v), weighted / total};
}

/// I = Σ_r p(r) (E[log p(r | ρ) | r] - log p(r)): each count up to 256, then the integral over larger ones.
double poisson_mutual_information(const ResponseLaw& law, double m, double v) {
  constexpr int exact = 256;
  double information = 0, seen = 0;
  const double start = law.mean(m);
  for (int r = 0; r <= exact; ++r) {
    const auto [p, mean_log] = posterior_term(law, r, m, v);
    if (p > 0) information += p * (mean_log - std::log(p));
    seen += p;
    if (r > start && (1 - seen < 1e-10 || p < 1e-13)) return information;
  }
  // Simpson on intervals that grow by a tenth: p is smooth on that scale
  double low = exact + 0.5;
  const auto term = [&](double r) {
    const auto [p, mean_log] = posterior_term(law, r, m, v);
    return std::pair{p, p > 0 ? p * (mean_log - std::log(p)) : 0.0};
  };
  auto left = term(low);
  for (int interval = 0; interval < 2000; ++interval) {
    const double width = std::min(0.1 * low, std::max(1.0, 2 * std::sqrt(low))), middle_r = low + 0.5 * width;
    const auto middle = term(middle_r), right = term(low + width);
    information += width / 6 * (left.second + 4 * middle.second + right.second);
    seen += width / 6 * (left.first + 4 * middle.first + right.first);
    low += width;
    left = right;
    if (low > start && (1 - seen < 1e-10 || right.first * low < 1e-12)) break;
  }
  return information;
}

}  // namespace

LinearUtility::LinearUtility(Utility utility, const ResponseLaw& law) : utility_(utility), law_(law) {
  if (law.law == Law::negative_binomial)
    throw SpecError({"design.utility", "of poisson, bernoulli or gaussian responses", "negative_binomial", ""});
  if (utility == Utility::mutual_information && law.law == Law::gaussian && law.link != Link::identity)
    throw SpecError({"design.utility", "laplace_information, first_order_information or posterior_variance here",
                     "\"mutual_information\"", "It is worked out for poisson and bernoulli responses and for the identity link."});
}

void LinearUtility::evaluate(std::span<const double> m, std::span<const double> v, std::span<double> out) const {
  const bool first_order = utility_ == Utility::first_order_information;
  const double precision = 1 / (law_.noise_sd * law_.noise_sd);
  switch (utility_) {
    case Utility::posterior_variance:
      std::copy(v.begin(), v.end(), out.begin());
      return;
    case Utility::mutual_information:
      for (std::size_t i = 0; i < out.size(); ++i) {
        if (!(v[i] > 0))
          out[i] = 0;
        else if (law_.law == Law::gaussian)
          out[i] = 0.5 * std::log1p(v[i] * precision);
        else
          out[i] =
              law_.law == Law::bernoulli ? bernoulli_mutual_information(m[i], v[i]) : poisson_mutual_information(law_, m[i], v[i]);
      }
      return;
    case Utility::laplace_information:
    case Utility::first_order_information:
      break;
  }
  const double *mp = m.data(), *vp = v.data();
  const std::size_t n = out.size();
  switch (law_.law) {
    case Law::bernoulli:
      return bernoulli_logistic(mp, vp, n, 1, 1, first_order, out.data());
    case Law::poisson:
      if (law_.link == Link::exp) return poisson_exp(mp, vp, n, law_.bin_s, law_.bin_s, first_order, out.data());
      if (law_.link == Link::softplus) return poisson_softplus(mp, vp, n, law_.bin_s, law_.bin_s, first_order, out.data());
      return poisson_logistic(mp, vp, n, law_.bin_s, law_.bin_s, first_order, out.data());
    case Law::negative_binomial:
      return;
    case Law::gaussian:
      if (law_.link == Link::exp) return gaussian_exp(mp, vp, n, precision, 1, first_order, out.data());
      if (law_.link == Link::softplus) return gaussian_softplus(mp, vp, n, precision, 1, first_order, out.data());
      if (law_.link == Link::logistic) return gaussian_logistic(mp, vp, n, precision, 1, first_order, out.data());
      for (std::size_t i = 0; i < n; ++i) out[i] = first_order ? 0.5 * v[i] * precision : 0.5 * std::log1p(v[i] * precision);
      return;
  }
}

bool LinearUtility::bounds(std::span<const double> m, std::span<const double> v, std::span<double> low,
                           std::span<double> high) const {
  if (utility_ != Utility::laplace_information || law_.law != Law::poisson || law_.link != Link::exp) return false;
  exp_count_bounds(m.data(), v.data(), m.size(), law_.bin_s, low.data(), high.data());
  return true;
}

double LinearUtility::operator()(double m, double v) const {
  double out = 0;
  evaluate({&m, 1}, {&v, 1}, {&out, 1});
  return out;
}

bool LinearUtility::increases_with_variance() const {
  if (utility_ == Utility::posterior_variance || law_.link == Link::identity) return true;
  return law_.law == Law::poisson && law_.link == Link::exp;
}

bool LinearUtility::never_falls_with_mean() const {
  // posterior variance and identity links do not know m; a Poisson count of a lower rate is a thinned count of a higher one
  return increases_with_variance();
}

Utility utility_named(std::string_view name) {
  if (name == "first_order_information") return Utility::first_order_information;
  if (name == "mutual_information") return Utility::mutual_information;
  if (name == "posterior_variance") return Utility::posterior_variance;
  return Utility::laplace_information;
}

double outcome_entropy(std::span<const double> probabilities) {
  double h = 0;
  for (double p : probabilities)
    if (p > 0) h -= p * std::log(p);
  return h;
}

}  // namespace hartline::design
