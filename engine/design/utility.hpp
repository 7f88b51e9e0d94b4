// Utilities of a stimulus under a Gaussian belief: functions of the mean m and variance v of the linear predictor ρ alone.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "models/response_law.hpp"

namespace hartline::design {

enum class Utility : std::uint8_t { laplace_information, first_order_information, mutual_information, posterior_variance };

/// What a response to a stimulus with ρ ~ N(m, v) is worth, nats (posterior_variance: the unit of ρ squared).
///
///   laplace_information      ½ E_ρ E_r log(1 + D(r, ρ) v)         D the observed information
///   first_order_information  ½ v E_ρ J(ρ)                         J the expected information: log(1 + z) ≈ z
///   mutual_information       I(ρ; r), exact
///   posterior_variance       v                                    uncertainty sampling
///
/// Laws that are not log-concave take J in place of D in the first. The first is not the mutual information, though their
/// maxima nearly agree.
/// Accuracy: relative 1e-9, mutual information 1e-6    (utility_test.cpp: Utility.AgreesWithBruteForce)
/// Reference: Lewi, Butera & Paninski 2009, Neural Computation 21:619
class LinearUtility {
 public:
  /// Throws: SpecError for the mutual information of a gaussian response through a link that is not the identity.
  LinearUtility(Utility utility, const models::ResponseLaw& law);

  /// out_i = U(m_i, v_i), any number of stimuli. Allocates: nothing.
  void evaluate(std::span<const double> m, std::span<const double> v, std::span<double> out) const;
  double operator()(double m, double v) const;

  /// ∂U/∂m and ∂U/∂v by central differences of sixth order. Accuracy: 1e-6    (utility_test.cpp: Utility.GradientIsADifference)
  void gradient(double m, double v, double& du_dm, double& du_dv) const;

  /// Bounds that cost a single evaluation of the integrand: low_i <= U(m_i, v_i) <= high_i. Returns false where none are known.
  ///
  ///   exp counts: with h(ρ) = ½ log(1 + Δ v e^ρ), h convex and h'' <= 1/8:  h(m) <= E h(ρ) <= h(m) + v / 16
  ///
  /// (utility_test.cpp: Utility.LiesBetweenItsBounds)
  bool bounds(std::span<const double> m, std::span<const double> v, std::span<double> low, std::span<double> high) const;

  /// U never falls when v grows at fixed m, so that only the upper edge of the possible (m, v) matters.
  bool increases_with_variance() const;

  /// U never falls when m grows at fixed v.
  bool never_falls_with_mean() const;

 private:
  Utility utility_;
  models::ResponseLaw law_;
};

/// The utility of that name.
Utility utility_named(std::string_view name);

/// Shannon entropy Σ -p log p of outcome probabilities, nats.
double outcome_entropy(std::span<const double> probabilities);

}  // namespace hartline::design
