// Special functions of one double.
#pragma once

namespace hartline::numerics {

/// log(1 + e^x), for any x
double softplus(double x);
/// 1 / (1 + e^-x), for any x
double logistic(double x);
/// log Γ(x) for x > 0
double log_gamma(double x);
/// log k! for k >= 0
double log_factorial(double k);
/// Φ(z), of small probabilities as exact as of large ones
double normal_cdf(double z);
/// Its inverse, for 0 < p < 1
double normal_quantile(double p);

}  // namespace hartline::numerics
