// Beliefs, pools and dense reference calculations for the tests of designs.
#pragma once

#include <Eigen/Dense>
#include <cmath>
#include <vector>

#include "base/threads.hpp"
#include "design/design.hpp"
#include "models/glm.hpp"

namespace hartline::design {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Vector = Eigen::VectorXd;

inline StimulusSet random_pool(std::size_t num, std::size_t dim, bool once = false) {
  StimulusSet set;
  set.dim = dim;
  set.pool.resize(num * dim);
  set.once = once;
  for (std::size_t i = 0; i < num; ++i) Stream(3, Purpose::pool, i).fill_sphere({&set.pool[i * dim], dim}, 1);
  return set;
}

inline Response counts(const std::vector<double>& values, Mark mark = Mark::observed) {
  const auto num = static_cast<std::int64_t>(values.size());
  return {ResponseKind::counts, 1, num, values, std::vector<Mark>(values.size(), mark), ""};
}

/// Takes in `num` stimuli of the pool with simulated responses, and lets the plan follow where there is one.
inline void learn(const models::Glm& glm, models::Belief& belief, const StimulusSet& set, std::uint64_t num,
                  const Design* design = nullptr, Plan* plan = nullptr) {
  std::vector<double> truth(glm.num_parameters, 0.3);
  for (std::size_t i = glm.num_lags() * glm.frame_dim(); i < truth.size(); ++i) truth[i] = -0.1;  // history that calms
  models::Context context = glm.start();
  for (std::uint64_t t = 0; t < num; ++t) {
    const std::size_t i = (t * 17) % set.num();
    const std::span<const double> x(&set.pool[i * set.dim], set.dim);
    Stream stream(1, Purpose::test, t);
    std::vector<double> r(glm.num_bins);
    glm.sample(truth, x, context, stream, r);
    Response response = counts(r);
    response.kind = glm.response_kind;
    glm.update(belief, x, response, 1);
    if (design) design->follow(*plan, glm.capability(belief), static_cast<std::int64_t>(i), x, 1);
  }
}

/// The rows that a stimulus reaches, [num_rows, dim].
inline Matrix rows_of(const models::GaussianView& view, const double* x) {
  const auto dim = static_cast<Eigen::Index>(view.dim);
  if (view.reach) {
    Matrix s(static_cast<Eigen::Index>(view.reach->num_rows), dim);
    for (std::size_t j = 0; j < view.reach->num_rows; ++j) view.reach->place(j, x, s.row(static_cast<Eigen::Index>(j)).data());
    return s;
  }
  Matrix s = Matrix::Ones(1, dim);
  for (std::size_t i = 0; i < view.stimulus_dim; ++i) s(0, static_cast<Eigen::Index>(i)) = x[i];
  return s;
}

inline Matrix covariance_of(const models::GaussianView& view) {
  const auto dim = static_cast<Eigen::Index>(view.dim);
  return Eigen::Map<const Matrix>(view.covariance, dim, dim);
}

inline Vector mean_of(const models::GaussianView& view) {
  return Eigen::Map<const Vector>(view.mean, static_cast<Eigen::Index>(view.dim));
}

}  // namespace hartline::design
