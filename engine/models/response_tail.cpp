// Tail probabilities P(r >= c | ρ) of response laws with their derivatives.
#include <boost/math/special_functions/beta.hpp>
#include <boost/math/special_functions/gamma.hpp>
#include <cmath>
#include <limits>
#include <numbers>

#include "models/response_law.hpp"

namespace hartline::models {

namespace {

namespace policies = boost::math::policies;
/// Doubles throughout, and values out of reach come back as 0, an infinity or NaN instead of an exception.
using Quiet = policies::policy<policies::promote_double<false>, policies::domain_error<policies::ignore_error>,
                               policies::overflow_error<policies::ignore_error>, policies::underflow_error<policies::ignore_error>,
                               policies::pole_error<policies::ignore_error>, policies::evaluation_error<policies::ignore_error>>;

/// log of a tail probability with its first and negative second derivative in whatever it is a function of.
struct LogTail {
  double log_p, slope, curvature;
};

/// Sums of a count's tail relative to its first term p(c), k = r - c: Σ p(c + k)/p(c) and its mean k. With g = c p(c)/P(r >= c):
///
///   ∂ log P / ∂η = g = c / Σ        -∂² log P / ∂η² = g (1 - s) E[k | r >= c]        η = log μ,  s = α μ / (1 + α μ)
///
/// Terms are positive, so nothing cancels, however small P is.
struct TailSeries {
  double sum, mean_excess;
};
TailSeries tail_series(double c, double q, double alpha) {
  double term = 1, sum = 1, weighted = 0;
  for (double k = 1; k < 1e7; ++k) {
    term *= q * (1 + alpha * (c + k - 1)) / (c + k);
    sum += term;
    weighted += k * term;
    if (k * term <= 1e-18 * weighted) break;
  }
  return {sum, weighted / sum};
}

/// P(r >= c) of a count as a function of η = log μ, c a whole number >= 1.
LogTail count_tail(const ResponseLaw& law, double c, double rho, double log_mu) {
  const double alpha = law.overdispersion, inverse_mu = std::exp(-log_mu), mu = std::exp(log_mu);
  const double q = 1 / (inverse_mu + alpha);                // μ / (1 + α μ)
  const double s = alpha * q, rest = 1 / (1 + alpha * mu);  // rest = 1 - s
  if (!(mu < 1e300)) return {0, 0, 0};
  const auto by_series = [&] {
    const TailSeries series = tail_series(c, q, alpha);
    const double g = c / series.sum;
    return LogTail{law.log_likelihood(c, rho) + std::log(series.sum), g, g * rest * series.mean_excess};
  };
  // the ratio of successive terms goes monotonically from the first of these to the second
  if (mu < c && std::max(q * (1 + alpha * c) / (c + 1), s) < 0.95) return by_series();

  const double n = 1 / alpha;
  const auto probability = [&](bool of_tail) {
    if (alpha == 0) return of_tail ? boost::math::gamma_p(c, mu, Quiet()) : boost::math::gamma_q(c, mu, Quiet());
    if (s < 0.5) return of_tail ? boost::math::ibeta(c, n, s, Quiet()) : boost::math::ibetac(c, n, s, Quiet());
    return of_tail ? boost::math::ibetac(n, c, rest, Quiet()) : boost::math::ibeta(n, c, rest, Quiet());
  };
  const double below = mu < c ? 1 : probability(false);
  const double tail = below < 0.5 ? 1 - below : probability(true);
  if (tail < 1e-280) return by_series();
  const double density = alpha == 0 ? mu * boost::math::gamma_p_derivative(c, mu, Quiet())
                         : s < 0.5  ? s * rest * boost::math::ibeta_derivative(c, n, s, Quiet())
                                    : s * rest * boost::math::ibeta_derivative(n, c, rest, Quiet());
  const double g = density / tail;
  return {below < 0.5 ? std::log1p(-below) : std::log(tail), g, g * (g - c * rest + q)};
}

/// log Φ(z)
LogTail normal_tail(double z) {
  if (z > -12) {
    const double half_erfc = 0.5 * std::erfc(std::abs(z) / std::numbers::sqrt2), p = z > 0 ? 1 - half_erfc : half_erfc;
    const double hazard = std::exp(-0.5 * z * z) / (p * std::sqrt(2 * std::numbers::pi));
    return {z > 0 ? std::log1p(-half_erfc) : std::log(p), hazard, hazard * (hazard + z)};
  }
  // Φ(z) = φ(z) / |z| (1 - lost), lost = 1/z² - 3/z⁴ + 15/z⁶ - …
  const double u = 1 / (z * z);
  double term = u, lost = 0;
  for (int k = 1; k <= 14; ++k) {
    lost += term;
    term *= -(2 * k + 1) * u;
  }
  const double hazard = -z / (1 - lost);
  return {-0.5 * z * z - 0.5 * std::log(2 * std::numbers::pi) - std::log(-z) + std::log1p(-lost), hazard, hazard * hazard * lost};
}

LogTail tail(const ResponseLaw& law, double c, double rho) {
  switch (law.law) {
    case Law::poisson:
    case Law::negative_binomial: {
      if (c <= 0) return {0, 0, 0};
      const LinkValue log_f = log_link_value(law.link, rho);
      const LogTail t = count_tail(law, std::ceil(c), rho, log_f.f + std::log(law.bin_s));
      return {t.log_p, t.slope * log_f.df, t.curvature * log_f.df * log_f.df - t.slope * log_f.ddf};
    }
    case Law::bernoulli:
      if (c <= 0) return {0, 0, 0};
      if (c > 1) return {-std::numeric_limits<double>::infinity(), 0, 0};
      return {law.log_likelihood(1, rho), law.slope(1, rho), law.curvature(1, rho)};
    case Law::gaussian:
      break;
  }
  const LinkValue f = link_value(law.link, rho);
  const LogTail t = normal_tail((f.f - c) / law.noise_sd);
  const double df = f.df / law.noise_sd, ddf = f.ddf / law.noise_sd;
  return {t.log_p, t.slope * df, t.curvature * df * df - t.slope * ddf};
}

}  // namespace

double ResponseLaw::log_tail(double c, double rho) const { return tail(*this, c, rho).log_p; }
double ResponseLaw::tail_slope(double c, double rho) const { return tail(*this, c, rho).slope; }
double ResponseLaw::tail_curvature(double c, double rho) const { return tail(*this, c, rho).curvature; }

}  // namespace hartline::models
