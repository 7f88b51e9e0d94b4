#include "numerics/symmetric_eigen.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace hartline::numerics {

SymmetricEigen::SymmetricEigen() : tridiagonal_(max_dim), diagonal_(max_dim), beside_(max_dim), sorted_(max_dim), order_(max_dim) {
  rotations_.reserve(4 * max_dim * max_dim);
}

void SymmetricEigen::compute(const Matrix& a) {
  dim_ = static_cast<int>(a.rows());
  rotations_.clear();
  const double scale = dim_ > 0 ? a.cwiseAbs().maxCoeff() : 0;
  const double factor = scale > 0 ? 1 / scale : 1;
  if (dim_ > 1) {
    tridiagonal_.compute(a);
    for (int i = 0; i < dim_; ++i) diagonal_[static_cast<std::size_t>(i)] = tridiagonal_.diagonal()[i] * factor;
    for (int i = 0; i + 1 < dim_; ++i) beside_[static_cast<std::size_t>(i)] = tridiagonal_.subDiagonal()[i] * factor;
  } else if (dim_ == 1) {
    diagonal_[0] = a(0, 0) * factor;
  }
  constexpr double eps = std::numeric_limits<double>::epsilon();
  const auto negligible = [&](int i) {
    const auto k = static_cast<std::size_t>(i);
    return std::abs(beside_[k]) <= eps * (std::abs(diagonal_[k]) + std::abs(diagonal_[k + 1]));
  };
  int last = dim_ - 1;
  for (int steps = 0; last > 0 && steps < 60 * dim_;) {
    if (negligible(last - 1)) {
      --last;
      continue;
    }
    int first = last - 1;
    while (first > 0 && !negligible(first - 1)) --first;
    step(first, last);
    ++steps;
  }
  std::iota(order_.begin(), order_.begin() + dim_, 0);
  std::sort(order_.begin(), order_.begin() + dim_, [&](int i, int j) {
    const double ci = diagonal_[static_cast<std::size_t>(i)], cj = diagonal_[static_cast<std::size_t>(j)];
    return ci != cj ? ci > cj : i < j;
  });
  for (int i = 0; i < dim_; ++i)
    sorted_[static_cast<std::size_t>(i)] = diagonal_[static_cast<std::size_t>(order_[static_cast<std::size_t>(i)])] / factor;
}

// One implicit QR step with Wilkinson's shift on rows first … last: A ← Gᵀ A G for a chain of rotations G in planes (k, k + 1).
void SymmetricEigen::step(int first, int last) {
  double* d = diagonal_.data();
  double* e = beside_.data();
  const double half = 0.5 * (d[last - 1] - d[last]), corner = e[last - 1];
  const double root = std::sqrt(half * half + corner * corner);
  const double shift = d[last] - corner * corner / (half + (half < 0 ? -root : root));
  double x = d[first] - shift, z = e[first];
  for (int k = first; k < last; ++k) {
    const double r = std::sqrt(x * x + z * z);
    if (!(r > 0)) break;
    const double inverse = 1 / r, c = x * inverse, s = z * inverse;
    const double a = d[k], b = e[k], other = d[k + 1];
    const double cs_b = 2 * c * s * b;
    d[k] = c * c * a + cs_b + s * s * other;
    d[k + 1] = s * s * a - cs_b + c * c * other;
    e[k] = c * s * (other - a) + (c - s) * (c + s) * b;
    if (k > first) e[k - 1] = r;
    x = e[k];
    z = 0;
    if (k + 1 < last) {
      z = s * e[k + 1];
      e[k + 1] *= c;
    }
    rotations_.push_back({c, s, k});
  }
}

void SymmetricEigen::to_eigenbasis(const double* x, double* out) const {
  Vector v = Eigen::Map<const Eigen::VectorXd>(x, dim_);
  if (dim_ > 1) v.applyOnTheLeft(tridiagonal_.matrixQ().transpose());
  for (const Rotation& g : rotations_) {
    const double a = v[g.k], b = v[g.k + 1];
    v[g.k] = g.c * a + g.s * b;
    v[g.k + 1] = g.c * b - g.s * a;
  }
  for (int i = 0; i < dim_; ++i) out[i] = v[order_[static_cast<std::size_t>(i)]];
}

void SymmetricEigen::from_eigenbasis(const double* y, double* out) const {
  Vector v(dim_);
  for (int i = 0; i < dim_; ++i) v[order_[static_cast<std::size_t>(i)]] = y[i];
  for (std::size_t i = rotations_.size(); i-- > 0;) {
    const Rotation& g = rotations_[i];
    const double a = v[g.k], b = v[g.k + 1];
    v[g.k] = g.c * a - g.s * b;
    v[g.k + 1] = g.s * a + g.c * b;
  }
  if (dim_ > 1) v.applyOnTheLeft(tridiagonal_.matrixQ());
  Eigen::Map<Eigen::VectorXd>(out, dim_) = v;
}

}  // namespace hartline::numerics
