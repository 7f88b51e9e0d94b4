// Mixtures of normal laws as a network tells them.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace hartline::models {

/// Of d numbers z and K laws, from outputs o one law after the other: a weight's logarithm, the d means μ, and row by row the lower
/// triangle A of the inverse root of the covariance, whose diagonal is e^o:
///
///   q(z) = Σ_k w_k N(z; μ_k, (A_kᵀ A_k)⁻¹),   w = softmax
///
/// o[i] stands at o[i · stride].
struct NormalMixture {
  std::size_t d = 1, num_components = 1;

  std::size_t num_outputs() const { return num_components * (1 + d + d * (d + 1) / 2); }

  /// log q(z), nats. `slope` [num_outputs, stride] ∂ log q/∂o is set unless it is null.
  /// (normal_mixture_test.cpp: NormalMixture.CarriesDerivativesBack, NormalMixture.IntegratesToOne)
  double log_density(const double* o, std::size_t stride, std::span<const double> z, double* slope) const;

  /// num draws, systematic over the laws: from normals n [d, num] the z [d, num] = μ_k + A_k⁻¹ n.
  void draw(const double* o, std::size_t stride, std::span<const double> normals, std::size_t num, double* z) const;
};

}  // namespace hartline::models
