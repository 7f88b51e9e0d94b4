#include "design/response_integral.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace hartline::design {

using models::Law;
using models::Link;
using models::ResponseLaw;

namespace {

/// Calls at(z, weight) over the nodes of a trapezoidal rule for z ~ N(0, 1); the integrand is analytic in a strip of half-width π
/// or π/2 in ρ, and may carry a factor that grows like exp(growth ρ).
template <class At>
void over_nodes(const ResponseLaw& law, double sd, double growth, At&& at) {
  const bool wide = (law.law == Law::poisson && law.link != Link::logistic) || law.law == Law::bernoulli;
  const double step = std::min(0.5, (wide ? 0.7 : 0.35) / std::max(sd, 1e-9));
  const int low = -static_cast<int>(std::ceil((8 + sd) / step)), high = static_cast<int>(std::ceil((8 + growth * sd) / step));
  const double scale = step / std::sqrt(2 * std::numbers::pi);
  for (int k = low; k <= high; ++k) {
    const double z = k * step;
    at(z, scale * std::exp(-0.5 * z * z));
  }
}

double growth_of(const ResponseLaw& law) { return law.link == Link::exp && law.law == Law::gaussian ? 2 : 1; }

/// Calls take(probability, D) over the responses at one ρ.
template <class Take>
void over_responses(const ResponseLaw& law, double rho, Take&& take) {
  if (law.law == Law::gaussian || law.law == Law::bernoulli || law.curvature_is_fixed() || !law.log_concave())
    return take(1.0, law.fisher(rho));
  const double mean = law.mean(rho), sd = std::sqrt(law.variance(rho));
  if (mean > 300) {
    const double reach = std::numbers::sqrt3 * sd;
    take(1.0 / 6, law.curvature(std::max(0.0, mean - reach), rho));
    take(2.0 / 3, law.curvature(mean, rho));
    return take(1.0 / 6, law.curvature(mean + reach, rho));
  }
  const int last = static_cast<int>(mean + 10 * sd + 14);
  // D is linear in the count; a Poisson count has its probabilities by recursion
  const double base = law.curvature(0, rho), rise = law.curvature(1, rho) - base;
  double p = std::exp(law.log_likelihood(0, rho));
  for (int r = 0; r <= last; ++r) {
    take(p, base + rise * r);
    p = law.law == Law::poisson ? p * mean / (r + 1) : std::exp(law.log_likelihood(r + 1, rho));
  }
}

/// Sums φ, φ z and φ (z² - 1) and turns them into a value and derivatives.
struct Moments {
  double zero = 0, one = 0, two = 0, explicit_v = 0;
  void add(double z, double weight, double value) {
    zero += weight * value;
    one += weight * z * value;
    two += weight * (z * z - 1) * value;
  }
  Slope slope(double v) const {
    if (!(v > 0)) return {zero, 0, 0};
    return {zero, one / std::sqrt(v), two / (2 * v) + explicit_v};
  }
};

}  // namespace

SlopeOfThree information_about(const ResponseLaw& law, double m, double v, double w) {
  const double sd = std::sqrt(std::max(v, 0.0));
  Moments moments;
  double by_w = 0;
  over_nodes(law, sd, growth_of(law), [&](double z, double weight) {
    double value = 0, slope = 0;
    over_responses(law, m + sd * z, [&](double p, double d) {
      value += p * 0.5 * std::log1p(d * w);
      slope += p * 0.5 * d / (1 + d * w);
    });
    moments.add(z, weight, value);
    by_w += weight * slope;
  });
  const Slope out = moments.slope(v);
  return {out.value, out.m, out.v, by_w};
}

Slope shrinkage(const ResponseLaw& law, double m, double v) {
  const double sd = std::sqrt(std::max(v, 0.0));
  Moments moments;
  over_nodes(law, sd, growth_of(law), [&](double z, double weight) {
    double value = 0, slope = 0;
    over_responses(law, m + sd * z, [&](double p, double d) {
      const double shrink = d / (1 + d * v);
      value += p * shrink;
      slope -= p * shrink * shrink;
    });
    moments.add(z, weight, value);
    moments.explicit_v += weight * slope;
  });
  return moments.slope(v);
}

Slope confident_response(const ResponseLaw& law, double kappa, double m, double v) {
  const double scale = law.law == Law::gaussian || law.law == Law::bernoulli ? 1 : law.bin_s;
  Slope mean, square;
  if (law.link == Link::exp) {
    const double e = scale * std::exp(m + 0.5 * v), e2 = e * e * std::exp(v);
    mean = {e, e, 0.5 * e};
    square = {e2, 2 * e2, 2 * e2};
  } else if (law.link == Link::identity) {
    mean = {m, 1, 0};
    square = {m * m + v, 2 * m, 1};
  } else {
    const double sd = std::sqrt(std::max(v, 0.0));
    Moments first, second;
    over_nodes(law, sd, 1, [&](double z, double weight) {
      const double f = law.mean(m + sd * z);
      first.add(z, weight, f);
      second.add(z, weight, f * f);
    });
    mean = first.slope(v);
    square = second.slope(v);
  }
  if (kappa == 0) return mean;
  const double variance = law.link == Link::exp ? mean.value * mean.value * std::expm1(v) : square.value - mean.value * mean.value;
  if (!(variance > 0)) return mean;
  const double sd = std::sqrt(variance), part = kappa / (2 * sd);
  return {mean.value + kappa * sd, mean.m + part * (square.m - 2 * mean.value * mean.m),
          mean.v + part * (square.v - 2 * mean.value * mean.v)};
}

}  // namespace hartline::design
