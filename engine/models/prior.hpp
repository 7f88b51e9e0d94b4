// Prior covariances of the weights of a receptive field on a lattice, and their hyper-parameters by evidence.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/describe.hpp"

namespace hartline::models {

/// The `belief.prior` table.
struct PriorSpec {
  std::string kind = "isotropic";
  std::string time = "isotropic";
  double sd = 1;
  double length_px = 2;
  double length_lags = 2;
  double decay_lags = 4;
  std::vector<double> centre_px, extent_px, frequency_per_px;
  double bandwidth_per_px = 0.1;
  bool fit = false;

  template <class Field>
  static void describe(Field&& field) {
    field("kind", &PriorSpec::kind, "", one_of({"isotropic", "smooth", "ald"}), "covariance of the weights over space");
    field("time", &PriorSpec::time, "", one_of({"isotropic", "smooth", "decaying"}), "covariance over lags");
    field("sd", &PriorSpec::sd, "", positive(), "standard deviation of a weight; of ald and decaying priors the largest one");
    field("length_px", &PriorSpec::length_px, "px", positive(), "distance over which smooth weights are alike");
    field("length_lags", &PriorSpec::length_lags, "lags", positive(), "lags over which smooth and decaying weights are alike");
    field("decay_lags", &PriorSpec::decay_lags, "lags", positive(), "lags over which the variance of decaying weights falls by e");
    field("centre_px", &PriorSpec::centre_px, "px", any(), "ald: centre of the field, row and column from 0; absent: the middle");
    field("extent_px", &PriorSpec::extent_px, "px", positive(),
          "ald: standard deviations of the envelope along rows and columns; absent: a quarter of the lattice");
    field("frequency_per_px", &PriorSpec::frequency_per_px, "1/px", between(-0.5, 0.5),
          "ald: preferred frequency along rows and columns; absent: 0");
    field("bandwidth_per_px", &PriorSpec::bandwidth_per_px, "1/px", positive(), "ald: standard deviation around that frequency");
    field("fit", &PriorSpec::fit, "", any(), "whether the evidence of the responses sets these numbers");
  }
};

/// One hyper-parameter: `value` = exp(θ) for transform log, θ for identity. A priori θ ~ N(start, prior_sd²), so positive ones are
/// log-normal around what the description says.
struct HyperParameter {
  std::string name;
  std::string unit;
  std::string transform;  // log or identity
  double start = 0;       // of θ
  double prior_sd = 1;    // of θ
};

/// A family of covariances C = C_time ⊗ C_space of weights [num_lags, rows, columns], lag 0 first; x a pixel, a a lag:
///
///   space  isotropic  C_xy = sd² δ_xy
///          smooth     C_xy = sd² exp(-|x - y|² / (2 ℓ²))
///          ald        C = sd² E^½ Bᵀ F B E^½ / mean F      E = diag exp(-½ Σ_i (x_i - c_i)² / e_i²)
///                     B the orthonormal real Fourier basis of the lattice padded to twice its size (restricted to the lattice),
///                     F diagonal: exp(-|ω - ν|² / (2 β²)) + exp(-|ω + ν|² / (2 β²)), ω in cycles per px
///   time   isotropic  C_ab = δ_ab
///          smooth     C_ab = exp(-(a - b)² / (2 ℓ_t²))
///          decaying   C_ab = exp(-(a - b)² / (2 ℓ_t²) - (a + b) / (2 τ))
///
/// to which covariance() adds `jitter` of sd² on the diagonal, so that it can be inverted.
/// Widths of the priors over θ: sd 1.5, lengths, extents, decay and bandwidth 0.7 (factors of 4.5 and 2); the centre a third of the
/// lattice, frequencies 0.15 cycles per px.    (prior_test.cpp: Prior.CovariancesFollowTheirEquations)
/// Reference: Park & Pillow 2011, doi 10.1371/journal.pcbi.1002219
struct Prior {
  static constexpr double jitter = 1e-6;

  PriorSpec spec;
  std::int64_t num_lags = 1, rows = 1, columns = 1;
  std::vector<HyperParameter> hyper;

  std::size_t dim() const { return static_cast<std::size_t>(num_lags * rows * columns); }
  /// θ of the description.
  std::vector<double> start() const;
  /// Values in their units, from θ.
  std::vector<double> values(std::span<const double> theta) const;
  /// log p(θ), nats
  double log_density(std::span<const double> theta) const;
};

/// `shape` is [num], [rows, columns] or [num_lags, rows, columns].
/// Throws: SpecError for another shape or for lists of the wrong length; `path` names the table.
Prior make_prior(const PriorSpec& spec, std::span<const std::int64_t> shape, std::string_view path);

/// C [dim, dim] at θ, with the jitter; exactly symmetric.
std::vector<double> covariance(const Prior& prior, std::span<const double> theta);

/// A likelihood that is Gaussian in the weights (and a bias, the last coordinate, when there is one):
///
///   log p(D | k) = -½ kᵀ H k + hᵀ k + const        H = -∂² log p at k̂,  h = H k̂ + ∂ log p
struct GaussianLikelihood {
  std::vector<double> information;  // H [n, n], n = dim of the prior + 1 with a bias
  std::vector<double> shift;        // h [n]
  double bias_mean = 0;             // prior of the bias
  double bias_sd = 1;
};

/// log ∫ exp(-½ kᵀ H k + hᵀ k) N(k; m, C(θ)) dk, nats; with C = R Rᵀ, m = (0, bias_mean) and h' = h - H m
///
///   = hᵀ m - ½ mᵀ H m + ½ h'ᵀ R (I + Rᵀ H R)⁻¹ Rᵀ h' - ½ log |I + Rᵀ H R|
///
/// R comes from a Cholesky decomposition of C without jitter, pivoted and cut where the variance left is below 1e-12 of the
/// largest, so C may be singular. Accuracy: 1e-8    (prior_test.cpp: Prior.EvidenceIsTheMarginalLikelihood) Throws: SpecError for a
/// likelihood of another size.
double log_evidence(const Prior& prior, std::span<const double> theta, const GaussianLikelihood& likelihood);

/// Posterior mean [n] of the weights (and bias) under the same.
std::vector<double> posterior_mean(const Prior& prior, std::span<const double> theta, const GaussianLikelihood& likelihood);

struct HyperFit {
  std::vector<double> theta;
  double log_evidence = 0;
  std::int64_t num_evaluations = 0;
  bool converged = false;
};

/// The θ that maximises log evidence + log p(θ): candidates that differ in scale (ald: in centre and frequency) are scored, and the
/// best two climbed from by Nelder & Mead's simplex. The likelihood is held fixed ("local evidence"); where it is a Laplace
/// approximation, refit it at the new prior and repeat.
/// Accuracy: no bias beyond the spread of single fits    (prior_test.cpp: Prior.EvidenceRecoversHyperParameters)
HyperFit fit_hyper(const Prior& prior, const GaussianLikelihood& likelihood, std::int64_t max_evaluations = 2000);

}  // namespace hartline::models
