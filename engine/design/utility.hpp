// Utilities of a stimulus under a Gaussian belief: functions of the mean m and variance v of the linear predictor ρ alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
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
/// With a cap on the expected count, a stimulus beyond it (E r > cap) has the utility -log(E r / cap) < 0 whichever of these is
/// asked for, so that a search that starts out there is led back; within the cap nothing changes.
/// Accuracy: relative 1e-9, mutual information 1e-6    (utility_test.cpp: Utility.AgreesWithBruteForce,
/// Utility.MutualInformationAgreesWithBruteForce)
/// Reference: Lewi, Butera & Paninski 2009, Neural Computation 21:619
class LinearUtility {
 public:
  /// `kappa` is κ. Throws: SpecError for the mutual information of a gaussian response through a link that is not the identity, for
  /// κ < 0, for a cap that is not > 0 and for any on responses that are not counts.
  LinearUtility(Utility utility, const models::ResponseLaw& law, double kappa = 2,
                double max_expected_count = std::numeric_limits<double>::infinity());

  /// out_i = U(m_i, v_i), any number of stimuli. Allocates: nothing.
  void evaluate(std::span<const double> m, std::span<const double> v, std::span<double> out) const;
  double operator()(double m, double v) const;

  /// ∂U/∂m and ∂U/∂v at v > 0 (at v = 0 the second is NaN) by five-point differences, on the side of the cap that (m, v) is on.
  /// Accuracy: 1e-7 of the largest of |U|, |∂U/∂m| and v |∂U/∂v|, mutual information 1e-5    (utility_test.cpp:
  /// Utility.GradientAgreesWithFiniteDifferences)
  void gradient(double m, double v, double& du_dm, double& du_dv) const;

  /// Bounds that cost a single evaluation of the integrand: low_i <= U(m_i, v_i) <= high_i. Returns false where none are known.
  ///
  ///   exp poisson counts without a cap: with h(ρ) = ½ log(1 + Δ v e^ρ), h convex and h'' <= 1/8:  h(m) <= E h(ρ) <= h(m) + v / 16
  ///
  /// (utility_test.cpp: Utility.LiesBetweenItsBounds)
  bool bounds(std::span<const double> m, std::span<const double> v, std::span<double> low, std::span<double> high) const;

  /// U never falls when v grows at fixed m, so that only the upper edge of the possible (m, v) matters. False where it is not
  /// known.
  bool increases_with_variance() const;

  /// U never falls when m grows at fixed v. False where it is not known.
  bool never_falls_with_mean() const;

 private:
  static constexpr std::size_t chunk = 64;  // stimuli with scratch on the stack

  bool capped() const { return max_expected_count_ < std::numeric_limits<double>::infinity(); }
  void evaluate_uncapped(std::span<const double> m, std::span<const double> v, std::span<double> out) const;
  /// log(E r / cap), at most `chunk` stimuli
  void log_excess_counts(std::span<const double> m, std::span<const double> v, std::span<double> out) const;

  Utility utility_;
  models::ResponseLaw law_;
  double kappa_;
  double max_expected_count_;
};

/// The utility of that name.
Utility utility_named(std::string_view name);

/// Shannon entropy Σ -p log p of outcome probabilities, nats.
double outcome_entropy(std::span<const double> probabilities);

}  // namespace hartline::design
