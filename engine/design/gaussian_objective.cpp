#include "design/gaussian_objective.hpp"

#include <algorithm>
#include <cmath>

#include "numerics/dense.hpp"

namespace hartline::design {

using models::GaussianView;
using numerics::add_scaled;
using numerics::dot;

GaussianObjective::GaussianObjective(const JointUtility& utility, const SecondForm& second, bool current_bin,
                                     const GaussianView& shape)
    : utility_(utility),
      second_(second),
      num_rows_(shape.reach ? shape.reach->num_rows : 1),
      utility_rows_(current_bin ? 1 : num_rows_),
      dim_(shape.dim),
      stimulus_dim_(shape.stimulus_dim) {}

GaussianObjective::Scratch::Scratch(const GaussianObjective& of)
    : joint(of.num_rows_),
      s(of.num_rows_ * of.dim_),
      g(s.size()),
      q(of.second_.needed() ? s.size() : 0),
      h(of.dim_),
      ds(of.dim_),
      m(of.num_rows_),
      dm(of.num_rows_),
      v(of.num_rows_ * of.num_rows_),
      w(v.size()),
      dv(v.size()),
      dw(v.size()),
      log_count(of.num_rows_),
      count_m(of.num_rows_),
      count_v(of.num_rows_) {}

void GaussianObjective::place(const GaussianView& view, std::span<const double> x, std::size_t row, bool with_fixed,
                              double* s) const {
  if (view.reach) {
    view.reach->place(row, x.data(), s);
    if (!with_fixed) add_scaled(s, -1, view.reach->fixed + row * dim_, dim_);
    return;
  }
  std::copy(x.begin(), x.end(), s);
  if (dim_ > stimulus_dim_) s[stimulus_dim_] = with_fixed ? 1 : 0;
}

void GaussianObjective::pull(const GaussianView& view, std::size_t row, const double* ds, std::span<double> out) const {
  if (!view.reach) return add_scaled(out.data(), 1, ds, stimulus_dim_);
  const models::Reach& reach = *view.reach;
  for (std::size_t lag = 0; lag < reach.num_lags; ++lag) {
    const std::size_t frame = reach.first_bin + row - lag;  // wraps where there is none
    if (frame >= reach.num_frames) continue;
    add_scaled(out.data() + frame * reach.frame_dim, 1, ds + lag * reach.frame_dim, reach.frame_dim);
  }
}

double GaussianObjective::operator()(const GaussianView& view, std::span<const double> x, Scratch& c,
                                     std::span<double> gradient) const {
  for (std::size_t j = 0; j < num_rows_; ++j) place(view, x, j, true, &c.s[j * dim_]);
  for (std::size_t j = 0; j < num_rows_; j += numerics::max_together)
    numerics::multiply_rows_together(view.covariance, dim_, dim_, dim_, &c.s[j * dim_],
                                     std::min(numerics::max_together, num_rows_ - j), &c.g[j * dim_]);
  const std::size_t n = utility_rows_;
  for (std::size_t j = 0; j < num_rows_; ++j) c.m[j] = dot(&c.s[j * dim_], view.mean, dim_);
  // the rows of the utility come first, so that its matrices are [n, n]
  for (std::size_t j = 0; j < n; ++j)
    for (std::size_t k = 0; k <= j; ++k) c.v[j * n + k] = c.v[k * n + j] = dot(&c.s[j * dim_], &c.g[k * dim_], dim_);
  if (second_.needed()) {
    const std::vector<double>& other = second_.is_target() ? c.s : c.g;
    for (std::size_t j = 0; j < n; ++j) {
      second_.image(c.shared, &c.s[j * dim_], &c.g[j * dim_], &c.q[j * dim_]);
      for (std::size_t k = 0; k <= j; ++k) c.w[j * n + k] = c.w[k * n + j] = dot(&c.q[j * dim_], &other[k * dim_], dim_);
    }
  }
  const double value = utility_.gradient(n, c.m.data(), c.v.data(), c.w.data(), c.joint, c.dm.data(), c.dv.data(), c.dw.data());
  std::fill(gradient.begin(), gradient.end(), 0.0);
  // Σ_jk ∂U/∂W_jk B s_k of one row: B is applied once a row
  for (std::size_t j = 0; j < n; ++j) {
    std::fill(c.ds.begin(), c.ds.end(), 0.0);
    add_scaled(c.ds.data(), c.dm[j], view.mean, dim_);
    for (std::size_t k = 0; k < n; ++k) add_scaled(c.ds.data(), 2 * c.dv[j * n + k], &c.g[k * dim_], dim_);
    pull(view, j, c.ds.data(), gradient);
  }
  for (std::size_t k = 0; second_.needed() && k < n; ++k) {
    second_.whole(view, &c.q[k * dim_], c.h.data());
    for (std::size_t j = 0; j < n; ++j) {
      std::fill(c.ds.begin(), c.ds.end(), 0.0);
      add_scaled(c.ds.data(), 2 * c.dw[j * n + k], c.h.data(), dim_);
      pull(view, j, c.ds.data(), gradient);
    }
  }
  return value;
}

void GaussianObjective::count(Scratch& c) const {
  for (std::size_t j = 0; j < num_rows_; ++j) {
    const double v = dot(&c.s[j * dim_], &c.g[j * dim_], dim_);
    const Slope count = confident_response(utility_.single().law(), 0, c.m[j], v);
    c.log_count[j] = std::log(count.value);
    c.count_m[j] = count.m / count.value;
    c.count_v[j] = count.v / count.value;
  }
}

void GaussianObjective::add_count_gradient(const GaussianView& view, std::span<const double> weight, Scratch& c,
                                           std::span<double> gradient) const {
  for (std::size_t j = 0; j < num_rows_; ++j) {
    if (weight[j] == 0) continue;
    std::fill(c.ds.begin(), c.ds.end(), 0.0);
    add_scaled(c.ds.data(), weight[j] * c.count_m[j], view.mean, dim_);
    add_scaled(c.ds.data(), 2 * weight[j] * c.count_v[j], &c.g[j * dim_], dim_);
    pull(view, j, c.ds.data(), gradient);
  }
}

void GaussianObjective::spread(const GaussianView& view, std::span<const double> x, Scratch& c, std::span<double> out) const {
  std::fill(out.begin(), out.end(), 0.0);
  for (std::size_t j = 0; j < num_rows_; ++j) {
    place(view, x, j, false, c.s.data());
    numerics::multiply_rows(view.covariance, dim_, 0, dim_, dim_, c.s.data(), c.ds.data());
    pull(view, j, c.ds.data(), out);
  }
}

void GaussianObjective::mean_direction(const GaussianView& view, std::span<double> out) const {
  std::fill(out.begin(), out.end(), 0.0);
  for (std::size_t j = 0; j < num_rows_; ++j) pull(view, j, view.mean, out);
}

}  // namespace hartline::design
