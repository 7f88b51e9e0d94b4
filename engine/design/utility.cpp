#include "design/utility.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.hpp"
#include "design/mutual_information.hpp"
#include "design/utility_kernels.hpp"

namespace hartline::design {

using models::Law;
using models::Link;
using models::ResponseLaw;

LinearUtility::LinearUtility(Utility utility, const ResponseLaw& law, double kappa, double max_expected_count)
    : utility_(utility), law_(law), kappa_(kappa), max_expected_count_(max_expected_count) {
  if (utility == Utility::mutual_information && law.law == Law::gaussian && law.link != Link::identity)
    throw SpecError({"design.utility", "laplace_information, first_order_information or posterior_variance here",
                     "\"mutual_information\"", "It is worked out for counts, choices and the identity link."});
  if (!(kappa >= 0 && std::isfinite(kappa)))
    throw SpecError({"design.kappa", ">= 0", number_text(kappa), "It weighs the uncertainty of the expected response."});
  if (!(max_expected_count > 0)) throw SpecError({"design.max_expected_count", "> 0 counts", number_text(max_expected_count), ""});
  if (capped() && !law.counts())
    throw SpecError({"design.max_expected_count", "left out where responses are not counts", number_text(max_expected_count), ""});
}

void LinearUtility::evaluate(std::span<const double> m, std::span<const double> v, std::span<double> out) const {
  if (!capped()) return evaluate_uncapped(m, v, out);
  std::array<double, chunk> excess;
  for (std::size_t at = 0; at < out.size(); at += chunk) {
    const std::size_t n = std::min(chunk, out.size() - at);
    const std::span<double> here = out.subspan(at, n), log_excess = std::span(excess).first(n);
    evaluate_uncapped(m.subspan(at, n), v.subspan(at, n), here);
    log_excess_counts(m.subspan(at, n), v.subspan(at, n), log_excess);
    for (std::size_t i = 0; i < n; ++i)
      if (log_excess[i] > 0) here[i] = -log_excess[i];
  }
}

void LinearUtility::evaluate_uncapped(std::span<const double> m, std::span<const double> v, std::span<double> out) const {
  switch (utility_) {
    case Utility::posterior_variance:
      std::copy(v.begin(), v.end(), out.begin());
      return;
    case Utility::mutual_information:
      for (std::size_t i = 0; i < out.size(); ++i) out[i] = mutual_information(law_, m[i], v[i]);
      return;
    case Utility::expected_response:
    case Utility::upper_confidence: {
      const double weight = utility_ == Utility::upper_confidence ? kappa_ : 0;
      std::array<double, chunk> sd;
      for (std::size_t at = 0; at < out.size(); at += chunk) {
        const std::size_t n = std::min(chunk, out.size() - at);
        response_moments(law_, m.subspan(at, n), v.subspan(at, n), out.subspan(at, n), std::span(sd).first(n));
        if (weight > 0)
          for (std::size_t i = 0; i < n; ++i) out[at + i] += weight * sd[i];
      }
      return;
    }
    case Utility::laplace_information:
    case Utility::first_order_information:
      break;
  }
  information(law_, utility_ == Utility::first_order_information, m, v, out);
}

void LinearUtility::log_excess_counts(std::span<const double> m, std::span<const double> v, std::span<double> out) const {
  const double log_cap = std::log(max_expected_count_);
  if (law_.link == Link::exp) {
    const double shift = std::log(law_.bin_s) - log_cap;
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = m[i] + 0.5 * v[i] + shift;
    return;
  }
  std::array<double, chunk> sd;
  response_moments(law_, m, v, out, std::span(sd).first(out.size()));
  for (double& x : out) x = std::log(x) - log_cap;
}

bool LinearUtility::bounds(std::span<const double> m, std::span<const double> v, std::span<double> low,
                           std::span<double> high) const {
  if (utility_ != Utility::laplace_information || law_.law != Law::poisson || law_.link != Link::exp || capped()) return false;
  exp_count_bounds(law_.bin_s, m, v, low, high);
  return true;
}

double LinearUtility::operator()(double m, double v) const {
  double out = 0;
  evaluate({&m, 1}, {&v, 1}, {&out, 1});
  return out;
}

void LinearUtility::gradient(double m, double v, double& du_dm, double& du_dv) const {
  double log_excess = -1;
  if (capped()) log_excess_counts({&m, 1}, {&v, 1}, {&log_excess, 1});
  // five-point differences; all eight points share one set of quadrature nodes, so that the rule's error does not enter
  constexpr double h = 0.01;
  const double k = h * std::min(v, 1.0);
  const std::array<double, 8> ms = {m - 2 * h, m - h, m + h, m + 2 * h, m, m, m, m};
  const std::array<double, 8> vs = {v, v, v, v, v - 2 * k, v - k, v + k, v + 2 * k};
  std::array<double, 8> u;
  if (log_excess > 0)
    log_excess_counts(ms, vs, u);
  else
    evaluate_uncapped(ms, vs, u);
  const double sign = log_excess > 0 ? -1 : 1;
  du_dm = sign * (u[0] - 8 * u[1] + 8 * u[2] - u[3]) / (12 * h);
  du_dv = sign * (u[4] - 8 * u[5] + 8 * u[6] - u[7]) / (12 * k);
}

bool LinearUtility::increases_with_variance() const {
  if (capped()) return false;
  const bool poisson_exp = law_.law == Law::poisson && law_.link == Link::exp;
  switch (utility_) {
    case Utility::expected_response:  // a convex link has E f(ρ) rise with the variance
      return law_.link != Link::logistic;
    case Utility::upper_confidence:
      return law_.link == Link::exp || law_.link == Link::identity;
    case Utility::posterior_variance:
      return true;
    case Utility::laplace_information:
    case Utility::first_order_information:
    case Utility::mutual_information:
      break;
  }
  return poisson_exp || law_.link == Link::identity;
}

bool LinearUtility::never_falls_with_mean() const {
  if (capped()) return false;
  // every link rises
  if (utility_ == Utility::expected_response) return true;
  // posterior variance and identity links do not know m; a Poisson count of a lower rate is a thinned count of a higher one
  return increases_with_variance();
}

Utility utility_named(std::string_view name) {
  if (name == "first_order_information") return Utility::first_order_information;
  if (name == "mutual_information") return Utility::mutual_information;
  if (name == "posterior_variance") return Utility::posterior_variance;
  if (name == "expected_response") return Utility::expected_response;
  if (name == "upper_confidence") return Utility::upper_confidence;
  return Utility::laplace_information;
}

double outcome_entropy(std::span<const double> probabilities) {
  double h = 0;
  for (double p : probabilities)
    if (p > 0) h -= p * std::log(p);
  return h;
}

}  // namespace hartline::design
