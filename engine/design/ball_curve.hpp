// The curve of candidate optima of a ball search, in the eigenbasis of the covariance.
#pragma once

#include <array>
#include <cstddef>

namespace hartline::design {

constexpr std::size_t max_curve_dim = 96;

/// The problem in the eigenbasis of the (restricted) covariance: maximise U(b, q) with y in place of x.
struct Reduced {
  int dim = 0;
  std::array<double, max_curve_dim> c;    // eigenvalues, falling
  std::array<double, max_curve_dim> gap;  // c[0] - c[i], kept above 1e-7 c[0] for i > 0; gap[0] = 0
  std::array<double, max_curve_dim> u;    // μ
  std::array<double, max_curve_dim> t;    // μ for the tracing: its top component is not zero
  std::array<double, max_curve_dim> w;    // c_b
  double mean_bias = 0, variance_bias = 0, power = 1;
  bool has_w = false;
};

/// A point of the curve: x = scale · (δ + gap)⁻¹ (w + ν t).
struct Point {
  double offset = 0;  // distance of δ from the lower end of the curve
  int branch = 0;     // which root ν
  double scale = 1;
};

/// The curve δ = λ - c[0] from `low` to infinity, with |y|² = power at scale 1.
class Curve {
 public:
  /// The problem must outlive it.
  explicit Curve(const Reduced& problem) : p_(problem), low_(lowest()) {}

  double low() const { return low_; }

  /// y at a point; false where there is none.
  bool at(const Point& point, double* y) const;

  /// Mean m and variance v of ρ at `count` points; NaN where there is none.
  void trace(const Point* points, std::size_t count, double* m, double* v) const;

 private:
  bool roots(double delta, double nu[2]) const;
  double secular(double delta) const;
  double lowest() const;

  const Reduced& p_;
  double low_;
};

}  // namespace hartline::design
