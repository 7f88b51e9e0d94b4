// One-step-ahead predictions of a response: its mean and its distribution function under ρ ~ N(m, v).
#include <algorithm>
#include <cmath>
#include <numbers>

#include "models/response_law.hpp"
#include "numerics/lanes.hpp"
#include "numerics/quadrature.hpp"

namespace hartline::models {

using namespace numerics;

namespace {

constexpr double reach = 7;  // of the trapezoidal rule in standard deviations: 3e-12 of the mass lies beyond

/// Φ(z)
double normal_cdf(double z) { return 0.5 * std::erfc(-z / std::numbers::sqrt2); }

struct Cdf {
  double below = 0, up_to = 0;
};

/// ∫ f(ρ) N(ρ; m, sd²) dρ by the trapezoidal rule with a step of at most `step` in ρ.
template <class F>
auto average(double m, double sd, double step, F f) {
  const double dz = std::min(0.6, step / sd), scale = dz / std::sqrt(2 * std::numbers::pi);
  const int half = static_cast<int>(std::ceil(reach / dz));
  double total = 0;
  for (int j = -half; j <= half; ++j) {
    const double z = j * dz;
    total += scale * std::exp(-0.5 * z * z) * f(m + sd * z);
  }
  return total;
}

/// Prior average of P(r < k) and P(r <= k) of a count: at each node by the recursion p(j + 1) = p(j) q (1 + α j)/(j + 1).
HARTLINE_CLONES Cdf count_cdf_by_recursion(const ResponseLaw& law, double k, double m, double sd, double step) {
  const double alpha = law.overdispersion, dz = std::min(0.6, step / sd);
  const int half = static_cast<int>(std::ceil(reach / dz));
  const Lanes ramp{0, 1, 2, 3, 4, 5, 6, 7};
  Lanes sum_below = spread(0), sum_at = spread(0);
  for (int first = -half; first <= half; first += num_lanes) {
    const Lanes index = spread(first) + ramp, z = index * spread(dz);
    Lanes weight = numerics::exp(spread(-0.5) * z * z);
    weight = (index > spread(half)) ? spread(0) : weight;
    Lanes rho = spread(m) + spread(sd) * z;
    rho = (rho > spread(700)) ? spread(700) : rho;  // e^700 counts: p(k) = 0 there as beyond
    const Lanes f = law.link == Link::exp        ? numerics::exp(rho)
                    : law.link == Link::softplus ? numerics::softplus(rho)
                                                 : numerics::logistic(rho);
    const Lanes mu = f * spread(law.bin_s), spreading = spread(1) + spread(alpha) * mu, q = mu / spreading;
    Lanes p = alpha > 0 ? numerics::exp(numerics::log1p(spread(alpha) * mu) * spread(-1 / alpha)) : numerics::exp(-mu);
    Lanes below = spread(0);
    for (double j = 0; j < k; ++j) {
      below += p;
      p *= q * spread((1 + alpha * j) / (j + 1));
    }
    sum_below += weight * below;
    sum_at += weight * p;
  }
  const double scale = dz / std::sqrt(2 * std::numbers::pi), below = sum(sum_below) * scale;
  return {below, below + sum(sum_at) * scale};
}

/// The same at any size of k, from the tails.
Cdf count_cdf_by_tail(const ResponseLaw& law, double k, double m, double sd, double step) {
  const double up_to = average(m, sd, step, [&](double rho) { return -std::expm1(law.log_tail(k + 1, rho)); });
  const double at = average(m, sd, step, [&](double rho) { return std::exp(law.log_likelihood(k, rho)); });
  return {std::max(0.0, up_to - at), up_to};
}

/// The same for the exp link under a wide prior: averages of Φ over the edge density of k, with c = k + 1, n = 1/α, τ = log(μ/c)
///
///   log λ_k = c τ - (c + n) log(1 + α c (e^τ - 1)/(1 + α c)) + const        (α = 0: c (τ - (e^τ - 1)))
///
/// and over that of k - 1, which is λ_k k (1 + α μ)/(μ (1 + α k)) up to its norm.
Cdf count_cdf_by_edge(const ResponseLaw& law, double k, double m, double sd, double width) {
  const double c = k + 1, alpha = law.overdispersion, n = alpha > 0 ? 1 / alpha : 0;
  const double spreading = alpha * c / (1 + alpha * c), start = std::log(c / law.bin_s), step = std::min(0.4, 0.6 * width);
  double norm = 0, total = 0, norm_before = 0, total_before = 0;
  const auto add = [&](double tau) {
    const double grown = std::expm1(tau), mu_ratio = 1 + grown;
    const double density = std::exp(c * tau - (alpha > 0 ? (c + n) * std::log1p(spreading * grown) : c * grown));
    const double before = density * (1 + alpha * c * mu_ratio) / mu_ratio / (1 + alpha * k);
    const double phi = normal_cdf((start + tau - m) / sd);
    norm += density;
    total += density * phi;
    norm_before += before;
    total_before += before * phi;
    return std::max(density, before) < 1e-11 * norm;
  };
  add(0);
  for (double direction : {-1.0, 1.0})
    for (int j = 1; j < 100000; ++j)
      if (add(direction * j * step)) break;
  return {k > 0 ? total_before / norm_before : 0, total / norm};
}

/// P(r <= k) and P(r < k) for a whole number k >= 0.
Cdf count_cdf(const ResponseLaw& law, double k, double m, double v) {
  constexpr double longest_recursion = 256;
  const double sd = std::sqrt(v), width = std::sqrt(1 / (k + 1) + law.overdispersion);
  // nodes of the recursion grow with sd / width, each with some k steps; the edge takes about as long as 150 of these
  if (law.link == Link::exp && sd > width && (k > longest_recursion || sd / width * (k + 15) > 150))
    return count_cdf_by_edge(law, k, m, sd, width);
  // the width in ρ, which log f crosses more slowly than ρ
  double rho_width = width;
  if (const double edge = inverse_link(law.link, (k + 1) / law.bin_s); law.link == Link::softplus && std::isfinite(edge))
    rho_width = width / log_link_value(law.link, edge).df;
  const double step = std::min(0.45, 0.6 * rho_width);
  return k <= longest_recursion ? count_cdf_by_recursion(law, k, m, sd, step) : count_cdf_by_tail(law, k, m, sd, step);
}

/// P(r' <= r) of a trace.
double trace_cdf(const ResponseLaw& law, double r, double m, double v) {
  const double s = law.noise_sd, sd = std::sqrt(v);
  if (law.link == Link::identity) return normal_cdf((r - m) / std::sqrt(s * s + v));
  // the width of the edge in ρ, s / f', where f = r or as near to it as the noise lets f be told from the end of its range
  const double apart = law.link == Link::logistic ? std::min(std::max(std::min(r, 1 - r), s), 0.5) : std::max(r, s);
  const double width = s / link_value(law.link, inverse_link(law.link, apart)).df;
  const bool reached = r > 9 * s && (law.link != Link::logistic || r < 1 - 9 * s);
  if (width < sd && reached)  // noise of f⁻¹(r - s ε) instead of f(ρ)
    return average(r, s, 0.4 * s, [&](double f) { return normal_cdf((inverse_link(law.link, f) - m) / sd); });
  return average(m, sd, std::min(0.4, 0.25 * width), [&](double rho) { return normal_cdf((r - link_value(law.link, rho).f) / s); });
}

}  // namespace

double expected_response(const ResponseLaw& law, double m, double v) {
  if (law.link == Link::exp) return law.mean(m + 0.5 * v);
  if (law.link == Link::identity) return m;
  return average(m, std::sqrt(v), 0.6, [&](double rho) { return law.mean(rho); });
}

double expected_information(const ResponseLaw& law, double m, double v, double w) {
  static const NormalRule rule = gauss_hermite(16);
  double total = 0;
  for (std::size_t k = 0; k < rule.nodes.size(); ++k)
    total += rule.weights[k] * std::log1p(v * law.fisher(m + std::sqrt(w) * rule.nodes[k]));
  return v > 0 ? std::expm1(total) / v : law.fisher(m);
}

Prediction predict_response(const ResponseLaw& law, Datum r, double m, double v) {
  Prediction out;
  out.mean = expected_response(law, m, v);
  switch (law.law) {
    case Law::poisson:
    case Law::negative_binomial: {
      const double k = r.censored ? std::ceil(r.value) - 1 : std::floor(r.value);
      const Cdf cdf = k < 0 ? Cdf{} : count_cdf(law, k, m, v);
      out.below = r.censored || k < r.value ? cdf.up_to : cdf.below;
      out.up_to = cdf.up_to;
      break;
    }
    case Law::bernoulli: {
      const double zero = average(m, std::sqrt(v), 0.6, [](double rho) { return link_value(Link::logistic, -rho).f; });
      out.below = r.value <= 0 ? 0 : r.value <= 1 ? zero : 1;
      out.up_to = r.value < 0 ? 0 : r.value < 1 ? zero : 1;
      break;
    }
    case Law::gaussian:
      out.below = out.up_to = trace_cdf(law, r.value, m, v);
      break;
  }
  if (r.censored) out.up_to = 1;
  return out;
}

}  // namespace hartline::models
