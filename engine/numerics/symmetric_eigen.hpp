// Eigendecomposition of a small symmetric matrix that keeps its eigenvectors as a product of rotations.
#pragma once

#include <Eigen/Eigenvalues>
#include <cstddef>
#include <span>
#include <vector>

namespace hartline::numerics {

/// A = V diag(c) Vᵀ for dimensions up to max_dim. V is never formed: products with V and Vᵀ replay the rotations of the QR
/// iteration, O(dim²) each, where forming V would cost O(dim³).
///
/// Accuracy: residuals of 1e-13 of the largest eigenvalue    (numerics_test.cpp: SymmetricEigen.ReproducesTheMatrix)
/// Allocates: nothing after the constructor, as long as the iteration needs no more than eight steps an eigenvalue.
/// Reference: Golub & Van Loan 2013, Matrix Computations, section 8.3
class SymmetricEigen {
 public:
  static constexpr int max_dim = 96;
  using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::ColMajor, max_dim, max_dim>;
  using Vector = Eigen::Matrix<double, Eigen::Dynamic, 1, Eigen::ColMajor, max_dim, 1>;

  SymmetricEigen();

  void compute(const Matrix& a);

  /// Eigenvalues, largest first.
  std::span<const double> values() const { return {sorted_.data(), static_cast<std::size_t>(dim_)}; }

  /// out = Vᵀ x; may be in place.
  void to_eigenbasis(const double* x, double* out) const;
  /// out = V y; may be in place.
  void from_eigenbasis(const double* y, double* out) const;

 private:
  struct Rotation {
    double c, s;
    int k;  // of columns k and k + 1
  };
  void step(int first, int last);

  int dim_ = 0;
  Eigen::Tridiagonalization<Matrix> tridiagonal_;
  std::vector<double> diagonal_, beside_, sorted_;
  std::vector<int> order_;  // of the values in diagonal_, largest first
  std::vector<Rotation> rotations_;
};

}  // namespace hartline::numerics
