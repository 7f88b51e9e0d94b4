#include "design/mutual_information.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "numerics/special.hpp"

namespace hartline::design {

using models::Law;
using models::ResponseLaw;

namespace {

double binary_entropy(double rho) {
  // p = logistic(ρ): p softplus(-ρ) + (1 - p) softplus(ρ)
  return numerics::logistic(rho) * numerics::softplus(-rho) + numerics::logistic(-rho) * numerics::softplus(rho);
}

double bernoulli_mutual_information(double m, double v) {
  const double sd = std::sqrt(v), step = std::min(0.25, 0.35 / std::max(sd, 1e-9));
  const int half = static_cast<int>(std::ceil(8.5 / step));
  double p = 0, h = 0, other = 0;
  for (int k = -half; k <= half; ++k) {
    const double z = k * step, w = step * std::exp(-0.5 * z * z) / std::sqrt(2 * std::numbers::pi), rho = m + sd * z;
    p += w * numerics::logistic(rho);
    other += w * numerics::logistic(-rho);
    h += w * binary_entropy(rho);
  }
  return (p > 0 ? -p * std::log(p) : 0) + (other > 0 ? -other * std::log(other) : 0) - h;
}

/// p(r) and E[log p(r | ρ) | r], by the trapezoidal rule around the mode of p(r | ρ) N(ρ; m, v).
std::pair<double, double> posterior_term(const ResponseLaw& law, double r, double m, double v) {
  const models::Mode mode = models::find_mode(law, r, m, v);
  const double sd = 1 / std::sqrt(1 / v + std::max(law.curvature(r, mode.rho), 0.0)), step = std::min(0.5 * sd, 0.4);
  const double far = law.log_concave() ? 0 : 8 * std::sqrt(v);  // another mode may lie within the prior
  const auto value = [&](double rho) { return law.log_likelihood(r, rho); };
  const double top_likelihood = value(mode.rho), top = top_likelihood - 0.5 * (mode.rho - m) * (mode.rho - m) / v;
  double total = 1, weighted = top_likelihood;
  for (double direction : {-1.0, 1.0}) {
    for (int k = 1; k < 4000; ++k) {
      const double rho = mode.rho + direction * k * step, likelihood = value(rho);
      const double w = std::exp(likelihood - 0.5 * (rho - m) * (rho - m) / v - top);
      total += w;
      weighted += w * likelihood;
      if (w < 1e-12 && k > 12 && k * step > far) break;
    }
  }
  return {std::exp(top) * total * step / std::sqrt(2 * std::numbers::pi * v), weighted / total};
}

/// I = Σ_r p(r) (E[log p(r | ρ) | r] - log p(r)): each count up to 256, then the integral over larger ones.
double count_mutual_information(const ResponseLaw& law, double m, double v) {
  constexpr int exact = 256;
  double information = 0, seen = 0;
  const double start = law.mean(m);
  for (int r = 0; r <= exact; ++r) {
    const auto [p, mean_log] = posterior_term(law, r, m, v);
    if (p > 0) information += p * (mean_log - std::log(p));
    seen += p;
    if (r > start && (1 - seen < 1e-11 || p < 1e-13)) return information;
  }
  // Simpson on intervals that grow by a tenth: p is smooth on that scale
  double low = exact + 0.5;
  const auto term = [&](double r) {
    const auto [p, mean_log] = posterior_term(law, r, m, v);
    return std::pair{p, p > 0 ? p * (mean_log - std::log(p)) : 0.0};
  };
  auto left = term(low);
  for (int interval = 0; interval < 2000; ++interval) {
    const double width = std::min(0.1 * low, std::max(1.0, 2 * std::sqrt(low))), middle_r = low + 0.5 * width;
    const auto middle = term(middle_r), right = term(low + width);
    information += width / 6 * (left.second + 4 * middle.second + right.second);
    low += width;
    left = right;
    if (low > start && right.first * low < 1e-13) break;
  }
  return information;
}

}  // namespace

double mutual_information(const ResponseLaw& law, double m, double v) {
  if (!(v > 0)) return 0;
  switch (law.law) {
    case Law::gaussian:
      return 0.5 * std::log1p(v / (law.noise_sd * law.noise_sd));
    case Law::bernoulli:
      return bernoulli_mutual_information(m, v);
    case Law::poisson:
    case Law::negative_binomial:
      break;
  }
  return count_mutual_information(law, m, v);
}

}  // namespace hartline::design
