#include "models/link.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "numerics/special.hpp"

namespace hartline::models {

using numerics::logistic;
using numerics::softplus;

LinkValue link_value(Link link, double rho) {
  switch (link) {
    case Link::exp: {
      const double e = std::exp(rho);
      return {e, e, e};
    }
    case Link::softplus: {
      const double s = logistic(rho);
      return {softplus(rho), s, s * (1 - s)};
    }
    case Link::logistic: {
      const double s = logistic(rho), slope = s * logistic(-rho);
      return {s, slope, slope * (1 - 2 * s)};
    }
    case Link::identity:
      return {rho, 1, 0};
  }
  return {};
}

LinkValue log_link_value(Link link, double rho) {
  switch (link) {
    case Link::exp:
      return {rho, 1, 0};
    case Link::softplus: {
      if (rho < -30) return {rho, 1, -0.5 * std::exp(rho)};
      const double f = softplus(rho), s = logistic(rho), ratio = s / f;
      return {std::log(f), ratio, ratio * ((1 - s) - ratio)};
    }
    case Link::logistic: {
      const double s = logistic(rho), other = logistic(-rho);
      return {-softplus(-rho), other, -s * other};
    }
    case Link::identity:
      return {std::log(rho), 1 / rho, -1 / (rho * rho)};
  }
  return {};
}

double inverse_link(Link link, double value) {
  switch (link) {
    case Link::exp:
      return std::log(std::max(value, 0.0));
    case Link::softplus:
      return value > 30 ? value : std::log(std::expm1(std::max(value, 0.0)));
    case Link::logistic:
      return value >= 1 ? std::numeric_limits<double>::infinity() : std::log(std::max(value, 0.0) / (1 - value));
    case Link::identity:
      return value;
  }
  return 0;
}

}  // namespace hartline::models
