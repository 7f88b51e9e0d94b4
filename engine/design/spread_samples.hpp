// Samples spread over nodes by cubic weights, which keep their first three moments.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>

#include "numerics/lanes.hpp"

namespace hartline::design {

constexpr double tiny = 1e-300;  // below it a probability is none
inline double p_log_p(double p) { return p > tiny ? p * std::log(p) : 0; }

/// Cubic weights of the nodes -1, 0, 1, 2 for a point at t in [0, 1].
HARTLINE_INLINE std::array<double, 4> cubic(double t) {
  const double a = t + 1, b = t, c = t - 1, d = t - 2;
  return {-b * c * d / 6, a * c * d / 2, -a * b * d / 2, a * b * c / 6};
}
/// Their derivatives by t.
HARTLINE_INLINE std::array<double, 4> cubic_slopes(double t) {
  const double a = t + 1, b = t, c = t - 1, d = t - 2;
  return {-(b * c + b * d + c * d) / 6, (a * c + a * d + c * d) / 2, -(a * b + a * d + b * d) / 2, (a * b + a * c + b * c) / 6};
}

/// Where a sample lies among nodes: node and distance from it.
struct Place {
  std::size_t node;
  double t;
};
HARTLINE_INLINE Place place(double x) {
  const double whole = std::floor(x);
  return {static_cast<std::size_t>(whole), x - whole};
}

}  // namespace hartline::design
