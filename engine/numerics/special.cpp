#include "numerics/special.hpp"

#include <cmath>

namespace hartline::numerics {

double softplus(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }

double logistic(double x) {
  if (x > 0) return 1 / (1 + std::exp(-x));
  const double e = std::exp(x);
  return e / (1 + e);
}

double log_factorial(double k) {
  // lgamma_r, because lgamma writes a global and rings run side by side
  int sign = 0;
  return ::lgamma_r(k + 1, &sign);
}

}  // namespace hartline::numerics
