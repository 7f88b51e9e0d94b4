#include "design/second_form.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "numerics/dense.hpp"

namespace hartline::design {

using models::GaussianView;

SecondForm::SecondForm(const DesignSpec& spec, const StimulusSet& set, const GaussianView& prior,
                       std::span<const std::string> parameter_names, std::uint64_t seed)
    : dim_(prior.dim) {
  if (spec.utility == "parameter_variance") {
    kind_ = Kind::trace;
  } else if (spec.utility == "prediction_error") {
    kind_ = Kind::moment;
    m_ = second_moment(spec, set, prior, seed);
  } else if (spec.utility == "target") {
    kind_ = Kind::target;
    if (spec.target.empty() == spec.target_weights.empty())
      throw SpecError({"design.target", "given, or else target_weights", spec.target.empty() ? "neither" : "both",
                       "Name the parameters that the experiment is about."});
    rows_ = spec.target_weights;
    if (!rows_.empty() && rows_.size() != dim_)
      throw SpecError(
          {"design.target_weights", fmt::format("{} numbers, one a parameter", dim_), fmt::format("{}", rows_.size()), ""});
    for (std::size_t k = 0; k < spec.target.size(); ++k) {
      const std::size_t at = parameter_of(spec.target, k, dim_, parameter_names);
      const auto end = spec.target.begin() + static_cast<std::ptrdiff_t>(k);
      if (std::find(spec.target.begin(), end, spec.target[k]) != end)
        throw SpecError({fmt::format("design.target[{}]", k), "another parameter", display(spec.target[k].value), ""});
      rows_.resize((k + 1) * dim_, 0.0);
      rows_[k * dim_ + at] = 1;
    }
    if (std::all_of(rows_.begin(), rows_.end(), [](double x) { return x == 0; }))
      throw SpecError({"design.target_weights", "not all 0", "0", ""});
  }
}

void SecondForm::prepare(const GaussianView& view, Shared& shared) const {
  if (kind_ != Kind::target) return;
  const std::size_t num = num_targets();
  shared.z.resize(num * dim_);
  shared.factor.resize(num * num);
  for (std::size_t k = 0; k < num; ++k)
    numerics::multiply_rows(view.covariance, dim_, 0, dim_, dim_, &rows_[k * dim_], &shared.z[k * dim_]);
  // A C Aᵀ = L Lᵀ, z = L⁻¹ A C
  for (std::size_t j = 0; j < num; ++j)
    for (std::size_t i = j; i < num; ++i) {
      double total = numerics::dot(&rows_[i * dim_], &shared.z[j * dim_], dim_);
      shared.factor[i * num + j] = total;
    }
  for (std::size_t j = 0; j < num; ++j) {
    for (std::size_t i = j; i < num; ++i) {
      double& at = shared.factor[i * num + j];
      for (std::size_t k = 0; k < j; ++k) at -= shared.factor[i * num + k] * shared.factor[j * num + k];
      if (i > j) {
        at /= shared.factor[j * num + j];
        continue;
      }
      if (!(at > 0)) throw RunError({"design.target", "uncertain", "a target whose variance is 0", "It is known already."});
      at = std::sqrt(at);
    }
  }
  for (std::size_t j = 0; j < num; ++j) {
    double* z = &shared.z[j * dim_];
    for (std::size_t k = 0; k < j; ++k) numerics::add_scaled(z, -shared.factor[j * num + k], &shared.z[k * dim_], dim_);
    for (std::size_t i = 0; i < dim_; ++i) z[i] /= shared.factor[j * num + j];
  }
}

void SecondForm::image(const Shared& shared, const double* s, const double* g, double* q) const {
  if (kind_ == Kind::moment) return numerics::multiply_rows(m_.data(), dim_, 0, dim_, dim_, g, q);
  std::copy_n(g, dim_, q);
  if (kind_ != Kind::target) return;
  for (std::size_t k = 0; k < num_targets(); ++k) {
    const double* z = &shared.z[k * dim_];
    numerics::add_scaled(q, -numerics::dot(z, s, dim_), z, dim_);
  }
}

void SecondForm::whole(const GaussianView& view, const double* q, double* h) const {
  if (kind_ == Kind::target)
    std::copy_n(q, dim_, h);
  else
    numerics::multiply_rows(view.covariance, dim_, 0, dim_, dim_, q, h);
}

}  // namespace hartline::design
