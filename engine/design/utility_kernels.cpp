#include "design/utility_kernels.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

#include "numerics/lanes.hpp"

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

/// Expected information J(ρ) of a negative binomial count divided by Δ; `saturation` is α Δ.
template <Link link>
HARTLINE_INLINE Lanes saturating_fisher_shape(Lanes rho, Lanes saturation) {
  if constexpr (link == Link::exp) return spread(1.0) / (numerics::exp(-rho) + saturation);
  const Lanes s = numerics::logistic(rho), other = numerics::logistic(-rho);
  const Lanes f = link == Link::softplus ? numerics::softplus(rho) : s;
  const Lanes shape = link == Link::logistic ? s * other * other : (rho < spread(-30.0)) ? f : s * s / f;
  return shape / (spread(1.0) + saturation * f);
}

/// Expected information J(ρ), without the factors that do not depend on ρ.
template <Law law, Link link>
HARTLINE_INLINE Lanes fisher_shape(Lanes rho, Lanes saturation) {
  if constexpr (law == Law::negative_binomial) return saturating_fisher_shape<link>(rho, saturation);
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

/// 1 - e^-y for y >= 0, also where y is tiny.
HARTLINE_INLINE Lanes one_minus_exp(Lanes y) {
  const Lanes series = y * (spread(1.0) - y * (spread(1.0 / 2) - y * (spread(1.0 / 6) - y * spread(1.0 / 24))));
  return (y < spread(1e-3)) ? series : spread(1.0) - numerics::exp(-y);
}

/// E_r log(1 + x r) of a negative binomial count, by the sum over counts.
HARTLINE_INLINE Lanes mean_log_by_sum(Lanes x, Lanes mu, Lanes q, double overdispersion) {
  Lanes p = numerics::exp(spread(-1 / overdispersion) * numerics::log1p(spread(overdispersion) * mu)), total = spread(0);
  Lanes x_r = x;
  for (int r = 1; r < 4000; ++r) {
    p *= q * spread((1 + overdispersion * (r - 1)) / r);
    total += p * numerics::log1p(x_r);
    x_r += x;
    if (r % 4 == 0 && r > largest(mu) && largest(p * (spread(1.0) + spread(overdispersion) * mu)) < 1e-14) break;
  }
  return total;
}

/// The same for any mean: with G(z) = E z^r and u = e^y
///
///   E log(1 + x r) = ∫ (1 - G(e^(-u x))) e^-u dy        1 - G(e^-z) = 1 - (1 + α μ (1 - e^-z))^(-1/α)
///
/// by the trapezoidal rule over y. Below the first node the integrand is x μ e^y but for a millionth of itself.
HARTLINE_INLINE Lanes mean_log_by_integral(Lanes x, Lanes mu, double overdispersion) {
  constexpr double step = 0.4;
  const double steep = largest(x * (spread(1.0) + mu * spread(1 + overdispersion)));
  const double growth = std::exp(step);
  double u = 1e-6 / (1 + steep);
  Lanes total = x * mu * spread(u / (growth - 1));
  for (; u < 37; u *= growth) {
    const Lanes grown = spread(overdispersion) * mu * one_minus_exp(x * spread(u));
    total += spread(std::exp(-u)) * one_minus_exp(spread(1 / overdispersion) * numerics::log1p(grown));
  }
  return total * spread(step);
}

/// E_r log(1 + D(r, ρ) v) of an exp negative binomial count, D = (1 + α r) B with B = μ / (1 + α μ)²
HARTLINE_INLINE Lanes negative_binomial_term(Lanes rho, Lanes v, double bin_s, double overdispersion) {
  rho = (rho < spread(-700.0)) ? spread(-700.0) : rho;
  rho = (rho > spread(600.0)) ? spread(600.0) : rho;  // D is 1/α from far below this on
  const Lanes mu = numerics::exp(rho) * spread(bin_s), inverse = spread(1.0) / mu;
  const Lanes q = spread(1.0) / (inverse + spread(overdispersion)), b_v = q * q * inverse * v;
  const Lanes x = spread(overdispersion) * b_v / (spread(1.0) + b_v);
  const double top = largest(mu), last = top + 30 * (1 + overdispersion * top) + 10 * std::sqrt(top);
  return numerics::log1p(b_v) +
         (last < 120 ? mean_log_by_sum(x, mu, q, overdispersion) : mean_log_by_integral(x, mu, overdispersion));
}

template <Law law, Link link, bool first_order>
HARTLINE_INLINE void integrate(const double* m, const double* v, std::size_t count, double scale, const ResponseLaw& response,
                               double* out) {
  const double bin_s = response.bin_s;
  const Lanes saturation = spread(response.overdispersion * bin_s);
  constexpr bool dispersed = law == Law::negative_binomial && link == Link::exp && !first_order;
  constexpr bool counts_matter = law == Law::poisson && link == Link::softplus && !first_order;
  constexpr bool exponential = law == Law::poisson && link == Link::exp;
  for (std::size_t at = 0; at < count; at += num_lanes) {
    const int here = static_cast<int>(std::min<std::size_t>(num_lanes, count - at));
    const Lanes mean = load_part(m + at, here, 0), variance = load_part(v + at, here, 0);
    Lanes sd;
    for (int k = 0; k < num_lanes; ++k) sd[k] = std::sqrt(std::max(0.0, variance[k]));
    const double top_sd = largest(sd);
    // where the information behaves like exp(2 ρ) the strip is half as wide
    constexpr double narrow = law == Law::gaussian || (law != Law::bernoulli && link == Link::logistic) ? 0.5 : 1;
    const double step = std::min(0.5, narrow * 0.7 / std::max(top_sd, 1e-9));
    // a factor exp(sd z) in the integrand moves its mass up to z = sd (twice for exp(2 ρ))
    const double shift = exponential                                   ? top_sd
                         : law == Law::gaussian && link == Link::exp   ? 2 * top_sd
                         : link == Link::softplus || link == Link::exp ? top_sd
                                                                       : 0;
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
      else if constexpr (dispersed)
        total += spread(weight) * negative_binomial_term(rho, variance, bin_s, response.overdispersion);
      else if constexpr (first_order)
        total += spread(weight) * v_scale * fisher_shape<law, link>(rho, saturation);
      else if constexpr (exponential)
        total += spread(weight) * numerics::softplus(rho);
      else
        total += spread(weight) * numerics::log1p(v_scale * fisher_shape<law, link>(rho, saturation));
    }
    std::memcpy(out + at, &total, static_cast<std::size_t>(here) * sizeof(double));
  }
}

#define HARTLINE_INTEGRAL(name, law, link)                                                                              \
  HARTLINE_CLONES void name(const double* m, const double* v, std::size_t n, double scale, const ResponseLaw& response, \
                            bool first_order, double* out) {                                                            \
    if (first_order)                                                                                                    \
      integrate<law, link, true>(m, v, n, scale, response, out);                                                        \
    else                                                                                                                \
      integrate<law, link, false>(m, v, n, scale, response, out);                                                       \
  }
HARTLINE_INTEGRAL(poisson_exp, Law::poisson, Link::exp)
HARTLINE_INTEGRAL(poisson_softplus, Law::poisson, Link::softplus)
HARTLINE_INTEGRAL(poisson_logistic, Law::poisson, Link::logistic)
HARTLINE_INTEGRAL(negative_binomial_exp, Law::negative_binomial, Link::exp)
HARTLINE_INTEGRAL(negative_binomial_softplus, Law::negative_binomial, Link::softplus)
HARTLINE_INTEGRAL(negative_binomial_logistic, Law::negative_binomial, Link::logistic)
HARTLINE_INTEGRAL(bernoulli_logistic, Law::bernoulli, Link::logistic)
HARTLINE_INTEGRAL(gaussian_exp, Law::gaussian, Link::exp)
HARTLINE_INTEGRAL(gaussian_softplus, Law::gaussian, Link::softplus)
HARTLINE_INTEGRAL(gaussian_logistic, Law::gaussian, Link::logistic)
#undef HARTLINE_INTEGRAL

/// out_mean = E f(ρ), out_sd = sd f(ρ) for softplus and logistic links; deviations are taken from f(m), so nothing cancels.
template <Link link>
HARTLINE_INLINE void link_moments(const double* m, const double* v, std::size_t n, double* out_mean, double* out_sd) {
  for (std::size_t at = 0; at < n; at += num_lanes) {
    const int here = static_cast<int>(std::min<std::size_t>(num_lanes, n - at));
    const Lanes mean = load_part(m + at, here, 0), variance = load_part(v + at, here, 0);
    Lanes sd;
    for (int k = 0; k < num_lanes; ++k) sd[k] = std::sqrt(std::max(0.0, variance[k]));
    const double step = std::min(0.5, 0.7 / std::max(largest(sd), 1e-9));
    const int half = static_cast<int>(std::ceil(8 / step));
    const auto f = [](Lanes rho) { return link == Link::softplus ? numerics::softplus(rho) : numerics::logistic(rho); };
    const Lanes middle = f(mean);
    Lanes first = spread(0), second = spread(0);
    for (int k = -half; k <= half; ++k) {
      const double z = k * step, weight = step * std::exp(-0.5 * z * z) / std::sqrt(2 * std::numbers::pi);
      const Lanes away = f(mean + sd * spread(z)) - middle;
      first += spread(weight) * away;
      second += spread(weight) * away * away;
    }
    const Lanes average = middle + first;
    Lanes spread_of = second - first * first;
    for (int k = 0; k < num_lanes; ++k) spread_of[k] = std::sqrt(std::max(0.0, spread_of[k]));
    std::memcpy(out_mean + at, &average, static_cast<std::size_t>(here) * sizeof(double));
    std::memcpy(out_sd + at, &spread_of, static_cast<std::size_t>(here) * sizeof(double));
  }
}
HARTLINE_CLONES void softplus_moments(const double* m, const double* v, std::size_t n, double* out_mean, double* out_sd) {
  link_moments<Link::softplus>(m, v, n, out_mean, out_sd);
}
HARTLINE_CLONES void logistic_moments(const double* m, const double* v, std::size_t n, double* out_mean, double* out_sd) {
  link_moments<Link::logistic>(m, v, n, out_mean, out_sd);
}

HARTLINE_CLONES void bound(const double* m, const double* v, std::size_t n, double bin_s, double* low, double* high) {
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

}  // namespace

void information(const ResponseLaw& law, bool first_order, std::span<const double> m, std::span<const double> v,
                 std::span<double> out) {
  const double *mp = m.data(), *vp = v.data(), precision = 1 / (law.noise_sd * law.noise_sd);
  const std::size_t n = out.size();
  const auto by = [&](auto kernel, double scale) { kernel(mp, vp, n, scale, law, first_order, out.data()); };
  switch (law.law) {
    case Law::bernoulli:
      return by(bernoulli_logistic, 1);
    case Law::poisson:
      if (law.link == Link::exp) return by(poisson_exp, law.bin_s);
      if (law.link == Link::softplus) return by(poisson_softplus, law.bin_s);
      return by(poisson_logistic, law.bin_s);
    case Law::negative_binomial:
      if (law.link == Link::exp) return by(negative_binomial_exp, law.bin_s);
      if (law.link == Link::softplus) return by(negative_binomial_softplus, law.bin_s);
      return by(negative_binomial_logistic, law.bin_s);
    case Law::gaussian:
      if (law.link == Link::exp) return by(gaussian_exp, precision);
      if (law.link == Link::softplus) return by(gaussian_softplus, precision);
      if (law.link == Link::logistic) return by(gaussian_logistic, precision);
      for (std::size_t i = 0; i < n; ++i) out[i] = first_order ? 0.5 * v[i] * precision : 0.5 * std::log1p(v[i] * precision);
      return;
  }
}

void exp_count_bounds(double bin_s, std::span<const double> m, std::span<const double> v, std::span<double> low,
                      std::span<double> high) {
  bound(m.data(), v.data(), m.size(), bin_s, low.data(), high.data());
}

void response_moments(const ResponseLaw& law, std::span<const double> m, std::span<const double> v, std::span<double> mean,
                      std::span<double> sd) {
  const double scale = law.counts() ? law.bin_s : 1;
  const std::size_t n = m.size();
  switch (law.link) {
    case Link::exp:
      for (std::size_t i = 0; i < n; ++i) {
        mean[i] = scale * std::exp(m[i] + 0.5 * v[i]);
        sd[i] = mean[i] * std::sqrt(std::expm1(v[i]));
      }
      return;
    case Link::identity:
      for (std::size_t i = 0; i < n; ++i) {
        mean[i] = m[i];
        sd[i] = std::sqrt(v[i]);
      }
      return;
    case Link::softplus:
      softplus_moments(m.data(), v.data(), n, mean.data(), sd.data());
      break;
    case Link::logistic:
      logistic_moments(m.data(), v.data(), n, mean.data(), sd.data());
      break;
  }
  for (std::size_t i = 0; i < n; ++i) {
    mean[i] *= scale;
    sd[i] *= scale;
  }
}

}  // namespace hartline::design
