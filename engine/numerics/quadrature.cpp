#include "numerics/quadrature.hpp"

#include <Eigen/Eigenvalues>
#include <cmath>
#include <numbers>

namespace hartline::numerics {

NormalRule gauss_hermite(int n) {
  Eigen::VectorXd diagonal = Eigen::VectorXd::Zero(n), off(n > 1 ? n - 1 : 0);
  for (int i = 0; i + 1 < n; ++i) off[i] = std::sqrt(i + 1.0);
  Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver;
  solver.computeFromTridiagonal(diagonal, off);
  NormalRule rule;
  for (int i = 0; i < n; ++i) {
    rule.nodes.push_back(solver.eigenvalues()[i]);
    rule.weights.push_back(solver.eigenvectors()(0, i) * solver.eigenvectors()(0, i));
  }
  return rule;
}

NormalRule trapezoid(double step, double reach) {
  NormalRule rule;
  const int half = static_cast<int>(std::ceil(reach / step));
  for (int i = -half; i <= half; ++i) {
    const double z = i * step;
    rule.nodes.push_back(z);
    rule.weights.push_back(step * std::exp(-0.5 * z * z) / std::sqrt(2 * std::numbers::pi));
  }
  return rule;
}

}  // namespace hartline::numerics
