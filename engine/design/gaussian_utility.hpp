// What one response is worth under a Gaussian belief: a function of three numbers, with derivatives.
#pragma once

#include <span>

#include "design/design_spec.hpp"
#include "design/response_integral.hpp"
#include "design/utility.hpp"

namespace hartline::design {

/// Utility of a response with ρ ~ N(m, v) and a second number w that says what ρ tells of:
///
///   of_response         U(m, v) by LinearUtility
///   variance_reduction  E[D / (1 + D v)] w          w = gᵀ M g, g = C s: by how much tr(M C) is expected to fall
///   target              E ½ log(1 + D v) - E ½ log(1 + D w)     w: variance of ρ once the target is known
///   response            E[f] + κ SD[f], f = E[r | ρ]
///
/// D: the observed information, as the update uses it.
class GaussianUtility {
 public:
  enum class Kind { of_response, variance_reduction, target, response };

  /// Throws: SpecError for a utility that the law does not have.
  GaussianUtility(const DesignSpec& spec, const models::ResponseLaw& law);
  GaussianUtility(Utility utility, const models::ResponseLaw& law);

  Kind kind() const { return kind_; }
  bool needs_second() const { return kind_ == Kind::variance_reduction || kind_ == Kind::target; }
  /// Several responses share what they tell; else their utilities add up.
  bool shared() const;
  const LinearUtility& linear() const { return linear_; }
  const models::ResponseLaw& law() const { return law_; }

  /// out_i = U(m_i, v_i, w_i); w is not read where it is not needed. Allocates: nothing.
  void evaluate(std::span<const double> m, std::span<const double> v, std::span<const double> w, std::span<double> out) const;

  /// The two terms that a joint utility is made of: U = first (· w for variance_reduction) - second.
  struct Terms {
    Slope first;
    SlopeOfThree second;
  };
  Terms terms(double m, double v, double w) const;

  /// E[r], or nothing where the law is not one of counts or choices.
  double expected_count(double m, double v) const { return models::expected_response(law_, m, v); }

 private:
  Kind kind_;
  Utility utility_;
  models::ResponseLaw law_;
  LinearUtility linear_;
  double kappa_ = 0;
};

}  // namespace hartline::design
