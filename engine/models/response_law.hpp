// Response laws: p(r | ρ) for a scalar linear predictor ρ through a link function f.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/random.hpp"
#include "models/link.hpp"

namespace hartline::models {

enum class Law : std::uint8_t { poisson, bernoulli, gaussian, negative_binomial };

/// One response. A censored one is a lower bound: what is known is r >= value.
struct Datum {
  constexpr Datum(double r, bool is_censored = false) : value(r), censored(is_censored) {}
  double value;
  bool censored;
};

/// p(r | ρ):
///
///   poisson            r ~ Poisson(f(ρ) Δ)                  f = exp, softplus or logistic (Hz), Δ the bin width in s
///   negative_binomial  mean μ = f(ρ) Δ, variance μ + α μ²   the same links; a Poisson count whose rate has a gamma gain of
///                                                           mean one and variance α:  r ~ Poisson(γ μ), γ ~ Gamma(1/α, α)
///   bernoulli          r ~ Bernoulli(f(ρ))                  f = logistic
///   gaussian           r ~ N(f(ρ), s²)                      any f
///
/// Other pairs give negative rates or probabilities above one; make_response_law refuses them.
struct ResponseLaw {
  Law law = Law::poisson;
  Link link = Link::exp;
  double bin_s = 1;           // Δ
  double noise_sd = 1;        // s
  double overdispersion = 0;  // α

  /// Responses are counts: poisson and negative_binomial.
  bool counts() const { return law == Law::poisson || law == Law::negative_binomial; }

  /// E[r | ρ]
  double mean(double rho) const;
  /// Var[r | ρ]
  double variance(double rho) const;
  /// log p(r | ρ), nats; of a censored response log_tail
  double log_likelihood(double r, double rho) const;
  double log_likelihood(Datum r, double rho) const { return r.censored ? log_tail(r.value, rho) : log_likelihood(r.value, rho); }
  /// ∂ log p / ∂ρ
  double slope(double r, double rho) const;
  double slope(Datum r, double rho) const { return r.censored ? tail_slope(r.value, rho) : slope(r.value, rho); }
  /// -∂² log p / ∂ρ², the observed information
  double curvature(double r, double rho) const;
  double curvature(Datum r, double rho) const { return r.censored ? tail_curvature(r.value, rho) : curvature(r.value, rho); }
  /// E_r[curvature], the expected (Fisher) information; never negative
  double fisher(double rho) const;
  /// `gain`: factor on the rate of counts.
  double sample(double rho, Stream& stream, double gain = 1) const;

  /// log P(r >= c | ρ), nats: what a censored response says. Counts: the next whole number from c on; c <= 0 says nothing (0);
  /// bernoulli: c in (0, 1] is r = 1 itself, above it -∞.
  /// Accuracy: poisson 2e-12 of 1 + |log P|, negative_binomial 3e-11; traces relative 1e-13    (response_law_test.cpp:
  /// Tail.AgreesWithFiftyDigits, Tail.OfANormalIsAccurateFarOut)
  double log_tail(double c, double rho) const;
  /// ∂ log P(r >= c) / ∂ρ. Accuracy: relative 2e-10    (response_law_test.cpp: Tail.AgreesWithFiftyDigits)
  double tail_slope(double c, double rho) const;
  /// -∂² log P(r >= c) / ∂ρ². Accuracy: 1e-9 of the square of the slope or of itself, whichever is larger
  /// (response_law_test.cpp: Tail.AgreesWithFiftyDigits)
  double tail_curvature(double c, double rho) const;

  /// log p(r | ρ) is concave in ρ for every r: exp and softplus poisson counts, exp negative_binomial counts, logistic choices,
  /// identity traces. Tails of counts are log-concave for every link, those of the others exactly where the law is.
  bool log_concave() const;
  bool log_concave(Datum r) const { return log_concave() || (r.censored && counts()); }
  /// The curvature does not depend on r.
  bool curvature_is_fixed() const;
};

/// Throws: SpecError for an unknown or impossible pair, and for an overdispersion that is not > 0 for negative_binomial or not 0
/// for the other laws; `path` names the model's table.
ResponseLaw make_response_law(std::string_view law, std::string_view link, double bin_s, double noise_sd, std::string_view path,
                              double overdispersion = 0);

/// The maximiser of log p(r | ρ) - (ρ - m)² / (2 v): the mode of the linear predictor after one response.
///
///   a = ∂ log p(r | ρ) / ∂ρ  at  ρ = m + v a        returned: ρ = m + v a and a
///
/// Bracketed Newton; where the likelihood is not log-concave the best of the modes found by a scan.
/// Accuracy: the equation holds to 1e-12 of its terms    (models_test.cpp: ResponseLaw.ModeSolvesItsEquation), for censored
/// responses to 1e-10    (response_law_test.cpp: Tail.ModeSolvesItsEquation)
struct Mode {
  double rho = 0;
  double step = 0;  // a
};
Mode find_mode(const ResponseLaw& law, Datum r, double m, double v);

/// log ∫ p(r | ρ) N(ρ; m, v) dρ by quadrature around the mode, nats.
/// Accuracy: 1e-8    (models_test.cpp: ResponseLaw.EvidenceSumsToOne; response_law_test.cpp: Tail.EvidenceAgreesWithBruteForce,
/// NegativeBinomial.EvidenceAgreesWithBruteForce)
double log_evidence(const ResponseLaw& law, Datum r, double m, double v, const Mode& mode);

/// E[r] under ρ ~ N(m, v): closed form for exp and identity, else the trapezoidal rule.
/// Accuracy: relative 1e-10 for v <= 25    (response_law_test.cpp: Prediction.AgreesWithBruteForce)
double expected_response(const ResponseLaw& law, double m, double v);

/// The information D of a response that is still to come, ρ ~ N(m, w): log(1 + D v) = E log(1 + J(ρ) v), J the expected
/// information.
double expected_information(const ResponseLaw& law, double m, double v, double w);

/// What was expected of a response r before it came: E[r'], P(r' < r) and P(r' <= r). For a continuous r both are the distribution
/// function; for a censored one below = P(r' < value) and up_to = 1; where nothing was observed both are NaN.
struct Prediction {
  double mean = 0;
  double below = 0;
  double up_to = 0;
};

/// One-step-ahead prediction under ρ ~ N(m, v).
///
/// A distribution function of a count falls over a width w = sqrt(1/(k + 1) + α) of log μ. Where the prior is narrower than that it
/// is integrated over ρ; where it is wider and the link is exp, by parts: with λ_k the edge density -∂ P(r' <= k | ρ)/∂ρ,
///
///   P(r' <= k) = ∫ λ_k(ρ) Φ((ρ - m)/√v) dρ
///
/// Both by the trapezoidal rule at some 30 nodes; wide priors under the other links take more.
/// Accuracy: 1e-8 for v <= 9    (response_law_test.cpp: Prediction.AgreesWithBruteForce)
/// Allocates: nothing.
Prediction predict_response(const ResponseLaw& law, Datum r, double m, double v);

}  // namespace hartline::models
