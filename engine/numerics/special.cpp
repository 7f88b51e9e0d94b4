#include "numerics/special.hpp"

#include <algorithm>
#include <boost/math/special_functions/erf.hpp>
#include <cmath>
#include <numbers>

namespace hartline::numerics {

double softplus(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }

double logistic(double x) {
  if (x > 0) return 1 / (1 + std::exp(-x));
  const double e = std::exp(x);
  return e / (1 + e);
}

double log_gamma(double x) {
  // lgamma_r, because lgamma writes a global and rings run side by side
  int sign = 0;
  return ::lgamma_r(x, &sign);
}

double log_factorial(double k) { return log_gamma(k + 1); }

double normal_cdf(double z) { return 0.5 * std::erfc(-z / std::numbers::sqrt2); }

double normal_quantile(double p) {
  const double z = std::numbers::sqrt2 * boost::math::erfc_inv(std::max(2 * std::min(p, 1 - p), 1e-300));
  return p < 0.5 ? -z : z;
}

}  // namespace hartline::numerics
