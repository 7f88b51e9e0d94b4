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

LinearUtility::LinearUtility(Utility utility, const ResponseLaw& law, double kappa) : utility_(utility), law_(law), kappa_(kappa) {
  if (utility == Utility::mutual_information && law.law == Law::gaussian && law.link != Link::identity)
    throw SpecError({"design.utility", "laplace_information, first_order_information or posterior_variance here",
                     "\"mutual_information\"", "It is worked out for counts, choices and the identity link."});
  if (!(kappa >= 0 && std::isfinite(kappa)))
    throw SpecError({"design.kappa", ">= 0", number_text(kappa), "It weighs the uncertainty of the expected response."});
}

void LinearUtility::evaluate(std::span<const double> m, std::span<const double> v, std::span<double> out) const {
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
      constexpr std::size_t chunk = 64;  // stimuli with scratch on the stack
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

bool LinearUtility::bounds(std::span<const double> m, std::span<const double> v, std::span<double> low,
                           std::span<double> high) const {
  if (utility_ != Utility::laplace_information || law_.law != Law::poisson || law_.link != Link::exp) return false;
  exp_count_bounds(law_.bin_s, m, v, low, high);
  return true;
}

double LinearUtility::operator()(double m, double v) const {
  double out = 0;
  evaluate({&m, 1}, {&v, 1}, {&out, 1});
  return out;
}

void LinearUtility::gradient(double m, double v, double& du_dm, double& du_dv) const {
  // five-point differences; all eight points share one set of quadrature nodes, so that the rule's error does not enter
  constexpr double h = 0.01;
  const double k = h * std::min(v, 1.0);
  const std::array<double, 8> ms = {m - 2 * h, m - h, m + h, m + 2 * h, m, m, m, m};
  const std::array<double, 8> vs = {v, v, v, v, v - 2 * k, v - k, v + k, v + 2 * k};
  std::array<double, 8> u;
  evaluate(ms, vs, u);
  du_dm = (u[0] - 8 * u[1] + 8 * u[2] - u[3]) / (12 * h);
  du_dv = (u[4] - 8 * u[5] + 8 * u[6] - u[7]) / (12 * k);
}

bool LinearUtility::increases_with_variance() const {
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
