// What tests of refits share.
#pragma once

#include <Eigen/Dense>

#include "models/glm.hpp"

namespace hartline::models {

/// Gradient of the log posterior of poisson counts through exp, at the mode that a refit began from: the step to the mean,
/// -½ C Σ_t s_t μ_t s_tᵀ C s_t with μ_t at the mode, is taken back by iteration. s [num, dim].
inline Eigen::VectorXd gradient_at_mode(const GaussianBelief& belief, const Eigen::MatrixXd& s, const Eigen::VectorXd& counts,
                                        const Eigen::VectorXd& prior_variance) {
  const Eigen::Index dim = s.cols();
  const Eigen::Map<const Eigen::VectorXd> mean(belief.mean.data(), dim);
  const Eigen::Map<const Eigen::MatrixXd> covariance(belief.covariance.data(), dim, dim);
  const Eigen::VectorXd variance = (s * covariance).cwiseProduct(s).rowwise().sum();
  const auto rates = [&](const Eigen::VectorXd& theta) -> Eigen::VectorXd { return (s * theta).array().exp(); };
  Eigen::VectorXd mode = mean;
  for (int k = 0; k < 200; ++k) mode = mean + 0.5 * covariance * (s.transpose() * rates(mode).cwiseProduct(variance));
  return s.transpose() * (counts - rates(mode)) - mode.cwiseQuotient(prior_variance);
}

}  // namespace hartline::models
