// Means and spreads of what lies on a circle.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <span>

namespace hartline::models {

/// Of values x with weights that sum to one, on a circle of length P that is read from `low` on:
///
///   R e^{2πi m / P} = Σ_i w_i e^{2πi x_i / P}        sd = √(2 (1 - R)) P / 2π, at most √2 P / 2π
///
/// (text_model_test.cpp: TextModel.AnglesAreSummarisedOnTheirCircle)
/// Reference: Batschelet 1981, Circular statistics in biology
struct Circle {
  double mean = 0, sd = 0;
  double period = 0;

  /// x as mean + what lies between them on the shorter way.
  double nearest(double x) const { return mean + std::remainder(x - mean, period); }
};

inline Circle on_circle(std::span<const double> values, std::span<const double> weights, double period, double low) {
  const double turn = 2 * std::numbers::pi / period;
  double c = 0, s = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    c += weights[i] * std::cos(turn * values[i]);
    s += weights[i] * std::sin(turn * values[i]);
  }
  double mean = std::atan2(s, c) / turn;
  mean -= period * std::floor((mean - low) / period);
  return {mean, std::sqrt(2 * std::max(0.0, 1 - std::hypot(c, s))) / turn, period};
}

}  // namespace hartline::models
