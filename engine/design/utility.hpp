// Utilities of a stimulus under a Gaussian belief: functions of the mean m and variance v of the linear predictor ρ alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "models/response_law.hpp"

namespace hartline::design {

enum class Utility : std::uint8_t {
  laplace_information,
  first_order_information,
  mutual_information,
  posterior_variance,
  expected_response,
  upper_confidence,
};

/// What a response to a stimulus with ρ ~ N(m, v) is worth; the units are those of utility_meaning.hpp.
///
///   laplace_information      ½ E_ρ E_r log(1 + D(r, ρ) v)         D the observed information
///   first_order_information  ½ v E_ρ J(ρ)                         J the expected information: log(1 + z) ≈ z
///   mutual_information       I(ρ; r), exact
///   posterior_variance       v                                    uncertainty sampling
///   expected_response        E_ρ μ(ρ)                             μ(ρ) = E[r | ρ]: what drives the cell most
///   upper_confidence         E_ρ μ(ρ) + κ sd_ρ μ(ρ)
///
/// Laws that are not log-concave take J in place of D in the first. The first is not the mutual information, though their
/// maxima nearly agree.
///
/// Accuracy: relative 1e-9, mutual information 1e-6    (utility_test.cpp: Utility.AgreesWithBruteForce,
/// Utility.MutualInformationAgreesWithBruteForce)
/// Reference: Lewi, Butera & Paninski 2009, Neural Computation 21:619
class LinearUtility {
 public:
  /// `kappa` is κ. Throws: SpecError for the mutual information of a gaussian response through a link that is not the identity and
  /// for κ < 0.
  LinearUtility(Utility utility, const models::ResponseLaw& law, double kappa = 2);

  /// out_i = U(m_i, v_i), any number of stimuli. Allocates: nothing.
  void evaluate(std::span<const double> m, std::span<const double> v, std::span<double> out) const;
  double operator()(double m, double v) const;

  /// ∂U/∂m and ∂U/∂v at v > 0 (at v = 0 the second is NaN) by five-point differences.
  /// Accuracy: 1e-7 of the largest of |U|, |∂U/∂m| and v |∂U/∂v|, mutual information 1e-5    (utility_test.cpp:
  /// Utility.GradientAgreesWithFiniteDifferences)
  void gradient(double m, double v, double& du_dm, double& du_dv) const;

  /// Bounds that cost a single evaluation of the integrand: low_i <= U(m_i, v_i) <= high_i. Returns false where none are known.
  ///
  ///   exp poisson counts: with h(ρ) = ½ log(1 + Δ v e^ρ), h convex and h'' <= 1/8:  h(m) <= E h(ρ) <= h(m) + v / 16
  ///
  /// (utility_test.cpp: Utility.LiesBetweenItsBounds)
  bool bounds(std::span<const double> m, std::span<const double> v, std::span<double> low, std::span<double> high) const;

  /// U never falls when v grows at fixed m, so that only the upper edge of the possible (m, v) matters. False where it is not
  /// known.
  bool increases_with_variance() const;

  /// U never falls when m grows at fixed v. False where it is not known.
  bool never_falls_with_mean() const;

 private:
  Utility utility_;
  models::ResponseLaw law_;
  double kappa_;
};

/// The utility of that name.
Utility utility_named(std::string_view name);

/// Shannon entropy Σ -p log p of outcome probabilities, nats.
double outcome_entropy(std::span<const double> probabilities);

}  // namespace hartline::design
