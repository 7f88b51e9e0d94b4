// The mode and the evidence of one response under a normal prior on its linear predictor.
#include <algorithm>
#include <array>
#include <boost/math/quadrature/gauss.hpp>
#include <cmath>
#include <limits>
#include <numbers>

#include "models/response_law.hpp"

namespace hartline::models {

namespace {

/// Newton inside a bracket for the root of F(ρ) = ρ - m - v slope(r, ρ), F(low) <= 0 <= F(high).
Mode newton_in_bracket(const ResponseLaw& law, Datum r, double m, double v, double low, double high, double rho) {
  for (int iteration = 0; iteration < 100; ++iteration) {
    const double slope = law.slope(r, rho);
    const double value = rho - m - v * slope;
    (value > 0 ? high : low) = rho;
    const double derivative = 1 + v * law.curvature(r, rho);
    double next = derivative > 0 ? rho - value / derivative : high + 1;
    if (!(next > low && next < high)) next = 0.5 * (low + high);
    const double moved = std::abs(next - rho);
    rho = next;
    if (moved <= 4e-16 * (std::abs(rho) + std::abs(m)) || high - low <= 4e-16 * std::abs(rho)) break;
  }
  // both forms of a are equal at the root; take the one that rounding in ρ moves less
  return {rho, v * std::abs(law.curvature(r, rho)) > 1 ? (rho - m) / v : law.slope(r, rho)};
}

double objective(const ResponseLaw& law, Datum r, double m, double v, double rho) {
  return law.log_likelihood(r, rho) - 0.5 * (rho - m) * (rho - m) / v;
}

/// The ρ at which E[r | ρ] = r, or an infinity.
double inverse_mean(const ResponseLaw& law, double r) { return inverse_link(law.link, law.counts() ? r / law.bin_s : r); }

/// log ∫ P(r >= c | ρ) N(ρ; m, v) dρ. P rises from 0 to 1 at ρ_c = E⁻¹(c) over a width that may be far below the prior's, so the
/// panels of the Gauss rule, laid outwards from the mode, are no wider than the distance to that edge, the prior's or the
/// posterior's own scale, or the strip in which the links are analytic.
double log_tail_evidence(const ResponseLaw& law, Datum r, double m, double v, const Mode& mode) {
  using Gauss = boost::math::quadrature::gauss<double, 10>;
  if (law.law == Law::gaussian && law.link == Link::identity) {
    ResponseLaw wide = law;  // r | m, v is N(m, s² + v)
    wide.noise_sd = std::sqrt(law.noise_sd * law.noise_sd + v);
    return wide.log_tail(r.value, m);
  }
  const double edge = inverse_mean(law, law.counts() ? std::ceil(r.value) : r.value);
  const double width = law.counts() ? std::sqrt(1 / std::max(1.0, r.value) + law.overdispersion)
                                    : law.noise_sd / std::max(link_value(law.link, edge).df, law.noise_sd);
  const double top = objective(law, r, m, v, mode.rho), prior_sd = std::sqrt(v);
  const double far = law.log_concave(r) ? 0 : 8 * prior_sd;  // another mode may lie within the prior
  double total = 0;
  for (double direction : {-1.0, 1.0}) {
    double rho = mode.rho;
    for (int panel = 0; panel < 10000; ++panel) {
      const double posterior_sd = 1 / std::sqrt(1 / v + std::max(law.curvature(r, rho), 0.0));
      double size = std::min({prior_sd, 1.0, posterior_sd});
      if (std::isfinite(edge)) size = std::min(size, std::max(0.7 * width, 0.4 * std::abs(rho - edge)));
      const double next = rho + direction * size;
      total += Gauss::integrate([&](double x) { return std::exp(objective(law, r, m, v, x) - top); }, std::min(rho, next),
                                std::max(rho, next));
      rho = next;
      if (std::abs(rho - mode.rho) > far && std::exp(objective(law, r, m, v, rho) - top) * size < 1e-13 * total) break;
    }
  }
  return top + std::log(total) - 0.5 * std::log(2 * std::numbers::pi * v);
}

}  // namespace

Mode find_mode(const ResponseLaw& law, Datum r, double m, double v) {
  if (!(v > 0)) return {m, law.slope(r, m)};
  const double slope_here = law.slope(r, m);
  if (law.log_concave(r)) {
    // the slope falls with ρ, so the root lies between m and m + v slope(m); when that is far away, walk out by doubling instead
    double low = m, high = m;
    const double direction = slope_here > 0 ? 1 : -1;
    for (double reach = std::sqrt(v) + 1;; reach *= 2) {
      double& end = slope_here > 0 ? high : low;
      end = m + direction * std::min(reach, std::abs(v * slope_here) * (1 + 1e-12));
      const double value = end - m - v * law.slope(r, end);
      if (direction * value >= 0 || reach > std::abs(v * slope_here)) break;
      (slope_here > 0 ? low : high) = end;
    }
    return newton_in_bracket(law, r, m, v, low, high, std::clamp(m, low, high));
  }
  // Every sign change of F on a scan that is dense around the prior and around the peak of the likelihood, and doubles outwards.
  const double reach = 8 * std::sqrt(v);
  std::array<double, 256> scan;
  std::size_t num_scan = 0;
  for (int i = -32; i <= 32; ++i) scan[num_scan++] = m + reach * i / 32;
  for (int doubling = 1; doubling <= 40; ++doubling)
    for (double direction : {-1.0, 1.0}) scan[num_scan++] = m + direction * reach * std::exp2(doubling);
  if (const double peak = inverse_mean(law, r.value); std::isfinite(peak)) {
    const double width = 0.25 / std::sqrt(law.fisher(peak) + 1 / v);
    for (int doubling = 0; doubling < 20; ++doubling)
      for (double direction : {-1.0, 1.0}) scan[num_scan++] = peak + direction * width * std::exp2(doubling);
  }
  std::sort(scan.begin(), scan.begin() + static_cast<std::ptrdiff_t>(num_scan));
  const auto equation = [&](double rho) { return rho - m - v * law.slope(r, rho); };
  Mode best{m, slope_here};
  double best_value = -std::numeric_limits<double>::infinity();
  double left_value = equation(scan[0]);
  for (std::size_t i = 1; i < num_scan; ++i) {
    const double right_value = equation(scan[i]);
    if (left_value <= 0 && right_value >= 0) {
      const Mode mode = newton_in_bracket(law, r, m, v, scan[i - 1], scan[i], 0.5 * (scan[i - 1] + scan[i]));
      const double value = objective(law, r, m, v, mode.rho);
      if (value > best_value) {
        best_value = value;
        best = mode;
      }
    }
    left_value = right_value;
  }
  return best;
}

double log_evidence(const ResponseLaw& law, Datum r, double m, double v, const Mode& mode) {
  if (!(v > 0)) return law.log_likelihood(r, m);
  if (r.censored) return log_tail_evidence(law, r, m, v, mode);
  const double precision = 1 / v + std::max(law.curvature(r, mode.rho), 0.0);
  // The trapezoidal rule around the mode: its step resolves the posterior and the strip in which the links are analytic, its reach
  // covers the prior's tails where they count.
  const double sd = 1 / std::sqrt(precision), step = std::min(0.35 * sd, 0.5);
  const double top = objective(law, r, m, v, mode.rho);
  const double far = law.log_concave() ? 0 : 8 * std::sqrt(v);  // another mode may lie within the prior
  double total = 1;
  for (double direction : {-1.0, 1.0}) {
    for (int k = 1; k < 20000; ++k) {
      const double term = std::exp(objective(law, r, m, v, mode.rho + direction * k * step) - top);
      total += term;
      if (term < 1e-13 && k > 16 && k * step > far) break;
    }
  }
  return top + std::log(total * step) - 0.5 * std::log(2 * std::numbers::pi * v);
}

}  // namespace hartline::models
