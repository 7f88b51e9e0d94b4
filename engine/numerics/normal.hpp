// Draws from a multivariate normal law.
#pragma once

#include <span>

#include "base/random.hpp"

namespace hartline::numerics {

/// One draw from N(mean [n], covariance [n, n]) by the Cholesky factor. A diagonal covariance needs no factor.
/// Throws: RunError for a covariance that is not positive definite.
void draw_normal(std::span<const double> mean, std::span<const double> covariance, Stream& stream, std::span<double> out);

}  // namespace hartline::numerics
