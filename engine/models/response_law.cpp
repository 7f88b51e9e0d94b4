#include "models/response_law.hpp"

#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "base/error.hpp"
#include "numerics/special.hpp"

namespace hartline::models {

using numerics::log_factorial;
using numerics::logistic;
using numerics::softplus;

namespace {

/// What is left of log Γ(x) after Stirling's formula, x >= 10.
double stirling_rest(double x) {
  const double u = 1 / (x * x);
  return (1.0 / 12 - u * (1.0 / 360 - u * (1.0 / 1260 - u * (1.0 / 1680 - u / 1188)))) / x;
}

/// log Γ(n + r) - log Γ(n) - r log n, without the cancellation of large n.
double log_rising(double n, double r) {
  if (n < 10) return log_factorial(n + r - 1) - log_factorial(n - 1) - r * std::log(n);
  return (n + r - 0.5) * std::log1p(r / n) - r + stirling_rest(n + r) - stirling_rest(n);
}

}  // namespace

double ResponseLaw::mean(double rho) const {
  const double f = link_value(link, rho).f;
  return counts() ? f * bin_s : f;
}

double ResponseLaw::variance(double rho) const {
  const double m = mean(rho);
  switch (law) {
    case Law::poisson:
      return m;
    case Law::negative_binomial:
      return m + overdispersion * m * m;
    case Law::bernoulli:
      return m * logistic(-rho);
    case Law::gaussian:
      break;
  }
  return noise_sd * noise_sd;
}

double ResponseLaw::log_likelihood(double r, double rho) const {
  switch (law) {
    case Law::poisson: {
      const double log_part = r > 0 ? r * (log_link_value(link, rho).f + std::log(bin_s)) : 0;
      return log_part - mean(rho) - log_factorial(r);
    }
    case Law::negative_binomial: {
      const double n = 1 / overdispersion, log_mean = log_link_value(link, rho).f + std::log(bin_s);
      const double log_part = r > 0 ? log_rising(n, r) - log_factorial(r) + r * log_mean : 0;
      return log_part - (r + n) * softplus(log_mean + std::log(overdispersion));
    }
    case Law::bernoulli:
      return r > 0 ? -softplus(-rho) : -softplus(rho);
    case Law::gaussian:
      break;
  }
  const double z = (r - link_value(link, rho).f) / noise_sd;
  return -0.5 * z * z - std::log(noise_sd) - 0.5 * std::log(2 * std::numbers::pi);
}

// With η = log μ the negative binomial has ∂ log p / ∂η = (r - μ) / (1 + α μ) and -∂² log p / ∂η² = (1 + α r) μ / (1 + α μ)²; both
// are written so that μ may overflow.

double ResponseLaw::slope(double r, double rho) const {
  const LinkValue f = link_value(link, rho);
  switch (law) {
    case Law::poisson:
      return (r > 0 ? r * log_link_value(link, rho).df : 0) - f.df * bin_s;
    case Law::negative_binomial: {
      const double mu = f.f * bin_s;
      return (r / (1 + overdispersion * mu) - 1 / (1 / mu + overdispersion)) * log_link_value(link, rho).df;
    }
    case Law::bernoulli:
      return r - f.f;
    case Law::gaussian:
      break;
  }
  return (r - f.f) * f.df / (noise_sd * noise_sd);
}

double ResponseLaw::curvature(double r, double rho) const {
  const LinkValue f = link_value(link, rho);
  switch (law) {
    case Law::poisson:
      return f.ddf * bin_s - (r > 0 ? r * log_link_value(link, rho).ddf : 0);
    case Law::negative_binomial: {
      const double mu = f.f * bin_s, rest = 1 / (1 + overdispersion * mu), q = 1 / (1 / mu + overdispersion);
      const LinkValue log_f = log_link_value(link, rho);
      return (1 + overdispersion * r) * q * rest * log_f.df * log_f.df - (r * rest - q) * log_f.ddf;
    }
    case Law::bernoulli:
      return f.df;
    case Law::gaussian:
      break;
  }
  return (f.df * f.df - (r - f.f) * f.ddf) / (noise_sd * noise_sd);
}

double ResponseLaw::fisher(double rho) const {
  const LinkValue f = link_value(link, rho);
  switch (law) {
    case Law::poisson:
      return f.df * log_link_value(link, rho).df * bin_s;
    case Law::negative_binomial: {
      const double log_slope = log_link_value(link, rho).df;
      return log_slope * log_slope / (1 / (f.f * bin_s) + overdispersion);
    }
    case Law::bernoulli:
      return f.df;
    case Law::gaussian:
      break;
  }
  return f.df * f.df / (noise_sd * noise_sd);
}

double ResponseLaw::sample(double rho, Stream& stream, double gain) const {
  switch (law) {
    case Law::poisson:
      return stream.poisson(gain * mean(rho));
    case Law::negative_binomial:
      return stream.poisson(gain * mean(rho) * stream.gamma(1 / overdispersion, overdispersion));
    case Law::bernoulli:
      return stream.uniform() < mean(rho) ? 1 : 0;
    case Law::gaussian:
      break;
  }
  return mean(rho) + noise_sd * stream.normal();
}

bool ResponseLaw::log_concave() const {
  if (law == Law::poisson) return link != Link::logistic;
  // under softplus -(1/α) log(1 + α μ), the log-likelihood of no spike, is convex for large ρ
  if (law == Law::negative_binomial) return link == Link::exp;
  return law == Law::bernoulli || link == Link::identity;
}

bool ResponseLaw::curvature_is_fixed() const {
  return (law == Law::poisson && link == Link::exp) || law == Law::bernoulli || (law == Law::gaussian && link == Link::identity);
}

ResponseLaw make_response_law(std::string_view law, std::string_view link, double bin_s, double noise_sd, std::string_view path,
                              double overdispersion) {
  ResponseLaw out;
  out.bin_s = bin_s;
  out.noise_sd = noise_sd;
  out.overdispersion = overdispersion;
  out.law = law == "poisson"             ? Law::poisson
            : law == "negative_binomial" ? Law::negative_binomial
            : law == "bernoulli"         ? Law::bernoulli
                                         : Law::gaussian;
  out.link = link == "exp" ? Link::exp : link == "softplus" ? Link::softplus : link == "logistic" ? Link::logistic : Link::identity;
  if (out.counts() && out.link == Link::identity)
    throw SpecError({fmt::format("{}.link", path), fmt::format("exp, softplus or logistic for {} responses", law), "\"identity\"",
                     "An identity link would give negative rates."});
  if (out.law == Law::bernoulli && out.link != Link::logistic)
    throw SpecError({fmt::format("{}.link", path), "logistic for bernoulli responses", fmt::format("\"{}\"", link),
                     "This link would give probabilities outside 0 to 1."});
  if (out.law == Law::negative_binomial && !(overdispersion > 0 && std::isfinite(overdispersion)))
    throw SpecError({fmt::format("{}.overdispersion", path), "> 0 for negative_binomial responses", number_text(overdispersion),
                     "Without overdispersion the response is poisson."});
  if (out.law != Law::negative_binomial && overdispersion != 0)
    throw SpecError({fmt::format("{}.overdispersion", path), fmt::format("0 for {} responses", law), number_text(overdispersion),
                     "Overdispersed counts are negative_binomial."});
  return out;
}

}  // namespace hartline::models
