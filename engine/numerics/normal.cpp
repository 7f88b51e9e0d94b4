#include "numerics/normal.hpp"

#include <Eigen/Cholesky>
#include <cmath>
#include <vector>

#include "base/error.hpp"

namespace hartline::numerics {

void draw_normal(std::span<const double> mean, std::span<const double> covariance, Stream& stream, std::span<double> out) {
  const std::size_t n = mean.size();
  bool diagonal = true;
  for (std::size_t i = 0; i < n && diagonal; ++i)
    for (std::size_t j = 0; j < i && diagonal; ++j) diagonal = covariance[i * n + j] == 0;
  if (diagonal) {
    for (std::size_t i = 0; i < n; ++i) out[i] = mean[i] + std::sqrt(covariance[i * n + i]) * stream.normal();
    return;
  }
  std::vector<double> z(n);
  stream.fill_normal(z);
  using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const auto size = static_cast<Eigen::Index>(n);
  const Eigen::LLT<Eigen::MatrixXd> factor(Eigen::Map<const RowMatrix>(covariance.data(), size, size));
  if (factor.info() != Eigen::Success) throw RunError({"covariance", "positive definite", "another", ""});
  const Eigen::VectorXd moved = factor.matrixL() * Eigen::Map<const Eigen::VectorXd>(z.data(), size);
  for (std::size_t i = 0; i < n; ++i) out[i] = mean[i] + moved[static_cast<Eigen::Index>(i)];
}

}  // namespace hartline::numerics
