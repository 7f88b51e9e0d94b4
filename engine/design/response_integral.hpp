// Expectations over ρ ~ N(m, v) and the response to it, with their derivatives, for any response law.
#pragma once

#include "models/response_law.hpp"

namespace hartline::design {

/// A function of (m, v) with its derivatives.
struct Slope {
  double value = 0, m = 0, v = 0;
};

/// A function of (m, v, w) with its derivatives.
struct SlopeOfThree {
  double value = 0, m = 0, v = 0, w = 0;
};

/// ½ E log(1 + D w), D the observed information of the response (for laws that are not log-concave the expected information).
/// w is the variance of ρ that counts; with w = v it is the Laplace information.
///
/// All by the trapezoidal rule over ρ, and the sum over counts where D depends on them (from 300 expected counts on, three
/// responses with the same first five moments). Derivatives by parts, from the same nodes:
///   ∂/∂m E φ = E[φ z] / √v,   ∂/∂v E φ = E[φ (z² - 1)] / (2 v) + E[∂φ/∂v],   z = (ρ - m) / √v
/// Accuracy: relative 1e-8, derivatives 1e-6    (response_integral_test.cpp: ResponseIntegral.AgreesWithBruteForce,
/// ResponseIntegral.DerivativesAreDifferences)
/// Allocates: nothing.
SlopeOfThree information_about(const models::ResponseLaw& law, double m, double v, double w);

/// E[D / (1 + D v)]: by how much the response shrinks the covariance, C ← C - D / (1 + D v) g gᵀ.
Slope shrinkage(const models::ResponseLaw& law, double m, double v);

/// E[f] + κ SD[f], f = E[r | ρ]: the expected response, and an upper confidence bound of it.
Slope confident_response(const models::ResponseLaw& law, double kappa, double m, double v);

}  // namespace hartline::design
