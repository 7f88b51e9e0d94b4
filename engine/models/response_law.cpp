#include "models/response_law.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

#include "base/error.hpp"
#include "numerics/special.hpp"

namespace hartline::models {

using numerics::log_factorial;
using numerics::logistic;
using numerics::softplus;

namespace {

/// f, f', f'' of a link.
struct Rate {
  double f, df, ddf;
};

Rate rate(Link link, double rho) {
  switch (link) {
    case Link::exp: {
      const double e = std::exp(rho);
      return {e, e, e};
    }
    case Link::softplus: {
      const double s = logistic(rho);
      return {softplus(rho), s, s * (1 - s)};
    }
    case Link::logistic: {
      const double s = logistic(rho), slope = s * logistic(-rho);
      return {s, slope, slope * (1 - 2 * s)};
    }
    case Link::identity:
      return {rho, 1, 0};
  }
  return {};
}

/// log f, (log f)', (log f)'', stable where f vanishes.
Rate log_rate(Link link, double rho) {
  switch (link) {
    case Link::exp:
      return {rho, 1, 0};
    case Link::softplus: {
      if (rho < -30) return {rho, 1, -0.5 * std::exp(rho)};
      const double f = softplus(rho), s = logistic(rho), ratio = s / f;
      return {std::log(f), ratio, ratio * ((1 - s) - ratio)};
    }
    case Link::logistic: {
      const double s = logistic(rho), other = logistic(-rho);
      return {-softplus(-rho), other, -s * other};
    }
    case Link::identity:
      return {std::log(rho), 1 / rho, -1 / (rho * rho)};
  }
  return {};
}

}  // namespace

double ResponseLaw::mean(double rho) const {
  const double f = rate(link, rho).f;
  return law == Law::poisson ? f * bin_s : f;
}

double ResponseLaw::variance(double rho) const {
  const double m = mean(rho);
  if (law == Law::poisson) return m;
  if (law == Law::bernoulli) return m * logistic(-rho);
  return noise_sd * noise_sd;
}

double ResponseLaw::log_likelihood(double r, double rho) const {
  if (law == Law::poisson) {
    const double log_part = r > 0 ? r * (log_rate(link, rho).f + std::log(bin_s)) : 0;
    return log_part - mean(rho) - log_factorial(r);
  }
  if (law == Law::bernoulli) return r > 0 ? -softplus(-rho) : -softplus(rho);
  const double z = (r - rate(link, rho).f) / noise_sd;
  return -0.5 * z * z - std::log(noise_sd) - 0.5 * std::log(2 * std::numbers::pi);
}

double ResponseLaw::slope(double r, double rho) const {
  const Rate f = rate(link, rho);
  if (law == Law::poisson) return (r > 0 ? r * log_rate(link, rho).df : 0) - f.df * bin_s;
  if (law == Law::bernoulli) return r - f.f;
  return (r - f.f) * f.df / (noise_sd * noise_sd);
}

double ResponseLaw::curvature(double r, double rho) const {
  const Rate f = rate(link, rho);
  if (law == Law::poisson) return f.ddf * bin_s - (r > 0 ? r * log_rate(link, rho).ddf : 0);
  if (law == Law::bernoulli) return f.df;
  return (f.df * f.df - (r - f.f) * f.ddf) / (noise_sd * noise_sd);
}

double ResponseLaw::fisher(double rho) const {
  const Rate f = rate(link, rho);
  if (law == Law::poisson) return f.df * log_rate(link, rho).df * bin_s;
  if (law == Law::bernoulli) return f.df;
  return f.df * f.df / (noise_sd * noise_sd);
}

double ResponseLaw::sample(double rho, Stream& stream, double gain) const {
  if (law == Law::poisson) return stream.poisson(gain * mean(rho));
  if (law == Law::bernoulli) return stream.uniform() < mean(rho) ? 1 : 0;
  return mean(rho) + noise_sd * stream.normal();
}

bool ResponseLaw::log_concave() const {
  if (law == Law::poisson) return link != Link::logistic;
  return law == Law::bernoulli || link == Link::identity;
}

bool ResponseLaw::curvature_is_fixed() const {
  return (law == Law::poisson && link == Link::exp) || law == Law::bernoulli || (law == Law::gaussian && link == Link::identity);
}

ResponseLaw make_response_law(std::string_view law, std::string_view link, double bin_s, double noise_sd, std::string_view path) {
  ResponseLaw out;
  out.bin_s = bin_s;
  out.noise_sd = noise_sd;
  out.law = law == "poisson" ? Law::poisson : law == "bernoulli" ? Law::bernoulli : Law::gaussian;
  out.link = link == "exp" ? Link::exp : link == "softplus" ? Link::softplus : link == "logistic" ? Link::logistic : Link::identity;
  if (out.law == Law::poisson && out.link == Link::identity)
    throw SpecError({fmt::format("{}.link", path), "exp, softplus or logistic for poisson responses", "\"identity\"",
                     "An identity link would give negative rates."});
  if (out.law == Law::bernoulli && out.link != Link::logistic)
    throw SpecError({fmt::format("{}.link", path), "logistic for bernoulli responses", fmt::format("\"{}\"", link),
                     "This link would give probabilities outside 0 to 1."});
  return out;
}

namespace {

/// Newton inside a bracket for the root of F(ρ) = ρ - m - v slope(r, ρ), F(low) <= 0 <= F(high).
Mode newton_in_bracket(const ResponseLaw& law, double r, double m, double v, double low, double high, double rho) {
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

double objective(const ResponseLaw& law, double r, double m, double v, double rho) {
  return law.log_likelihood(r, rho) - 0.5 * (rho - m) * (rho - m) / v;
}

/// The ρ at which E[r | ρ] = r, or an infinity.
double inverse_mean(const ResponseLaw& law, double r) {
  const double f = law.law == Law::poisson ? r / law.bin_s : r;
  switch (law.link) {
    case Link::exp:
      return std::log(std::max(f, 0.0));
    case Link::softplus:
      return f > 30 ? f : std::log(std::expm1(std::max(f, 0.0)));
    case Link::logistic:
      return f >= 1 ? std::numeric_limits<double>::infinity() : std::log(std::max(f, 0.0) / (1 - f));
    case Link::identity:
      return f;
  }
  return 0;
}

}  // namespace

Mode find_mode(const ResponseLaw& law, double r, double m, double v) {
  if (!(v > 0)) return {m, law.slope(r, m)};
  const double slope_here = law.slope(r, m);
  if (law.log_concave()) {
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
  if (const double peak = inverse_mean(law, r); std::isfinite(peak)) {
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

double log_evidence(const ResponseLaw& law, double r, double m, double v, const Mode& mode) {
  if (!(v > 0)) return law.log_likelihood(r, m);
  const double precision = 1 / v + std::max(law.curvature(r, mode.rho), 0.0);
  // The trapezoidal rule around the mode: its step resolves the posterior, its reach covers the prior's tails where they count.
  const double sd = 1 / std::sqrt(precision), step = 0.35 * sd;
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
