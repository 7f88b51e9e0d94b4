// Response laws: p(r | ρ) for a scalar linear predictor ρ through a link function f.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/random.hpp"

namespace hartline::models {

enum class Link : std::uint8_t { exp, softplus, logistic, identity };
enum class Law : std::uint8_t { poisson, bernoulli, gaussian };

/// One value of a response; censored: the true value is at least this.
struct Datum {
  Datum(double v = 0, bool is_censored = false) : value(v), censored(is_censored) {}  // NOLINT: a plain number is observed
  double value;
  bool censored;
};

/// A response as it was foretold before it came.
struct Prediction {
  double mean = 0;              // E[r]
  double below = 0, up_to = 1;  // P(r' < r), P(r' <= r); NaN where nothing was observed
};

/// p(r | ρ):
///
///   poisson    r ~ Poisson(f(ρ) Δ)      f = exp, softplus or logistic (Hz), Δ the bin width in s
///   bernoulli  r ~ Bernoulli(f(ρ))      f = logistic
///   gaussian   r ~ N(f(ρ), s²)          any f
///
/// Other pairs give negative rates or probabilities above one; make_response_law refuses them.
struct ResponseLaw {
  Law law = Law::poisson;
  Link link = Link::exp;
  double bin_s = 1;     // Δ
  double noise_sd = 1;  // s

  /// E[r | ρ]
  double mean(double rho) const;
  /// Var[r | ρ]
  double variance(double rho) const;
  /// log p(r | ρ), nats
  double log_likelihood(double r, double rho) const;
  /// ∂ log p / ∂ρ
  double slope(double r, double rho) const;
  /// -∂² log p / ∂ρ², the observed information
  double curvature(double r, double rho) const;
  /// E_r[curvature], the expected (Fisher) information; never negative
  double fisher(double rho) const;
  /// `gain`: factor on the rate of counts.
  double sample(double rho, Stream& stream, double gain = 1) const;

  /// log p(r | ρ) is concave in ρ for every r: exp and softplus counts, logistic choices, identity traces.
  bool log_concave() const;
  /// The curvature does not depend on r.
  bool curvature_is_fixed() const;
};

/// Throws: SpecError for an unknown or impossible pair; `path` names the model's table.
ResponseLaw make_response_law(std::string_view law, std::string_view link, double bin_s, double noise_sd, std::string_view path);

/// The maximiser of log p(r | ρ) - (ρ - m)² / (2 v): the mode of the linear predictor after one response.
///
///   a = ∂ log p(r | ρ) / ∂ρ  at  ρ = m + v a        returned: ρ = m + v a and a
///
/// Bracketed Newton; where the likelihood is not log-concave the best of the modes found by a scan.
/// Accuracy: the equation holds to 1e-12 of its terms    (models_test.cpp: ResponseLaw.ModeSolvesItsEquation)
struct Mode {
  double rho = 0;
  double step = 0;  // a
};
Mode find_mode(const ResponseLaw& law, double r, double m, double v);

/// log ∫ p(r | ρ) N(ρ; m, v) dρ by adaptive quadrature around the mode, nats.
/// Accuracy: 1e-8    (models_test.cpp: ResponseLaw.EvidenceSumsToOne)
double log_evidence(const ResponseLaw& law, double r, double m, double v, const Mode& mode);

}  // namespace hartline::models
