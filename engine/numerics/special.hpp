// Special functions of one double.
#pragma once

namespace hartline::numerics {

/// log(1 + e^x), for any x
double softplus(double x);
/// 1 / (1 + e^-x), for any x
double logistic(double x);
/// log k! for k >= 0
double log_factorial(double k);

}  // namespace hartline::numerics
