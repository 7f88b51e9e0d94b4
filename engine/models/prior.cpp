#include "models/prior.hpp"

#include <fmt/format.h>

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>
#include <numbers>
#include <utility>

#include "base/error.hpp"
#include "numerics/minimize.hpp"

namespace hartline::models {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

namespace {

double squared(double x) { return x * x; }

/// Hyper-parameters by name, in their units.
class Named {
 public:
  Named(const Prior& prior, std::span<const double> theta) : prior_(prior), values_(prior.values(theta)) {}
  double operator()(std::string_view name) const {
    for (std::size_t i = 0; i < values_.size(); ++i)
      if (prior_.hyper[i].name == name) return values_[i];
    throw InternalError({std::string(name), "a hyper-parameter of the prior", "", ""});
  }

 private:
  const Prior& prior_;
  std::vector<double> values_;
};

/// Σ_ω exp(-(ω - ν)²/(2 β²)) e^{2πi ω Δ} over the frequencies of n pixels padded to 2 n, for Δ = 0 … n - 1. The two ends, ±½, are
/// one frequency and count half each. The sum is taken at -Δ by its conjugate.
std::vector<std::complex<double>> bump_sums(std::int64_t n, double frequency, double bandwidth) {
  std::vector<std::complex<double>> sums(static_cast<std::size_t>(n));
  for (std::int64_t k = -n; k <= n; ++k) {
    const double omega = n == 1 ? 0 : static_cast<double>(k) / static_cast<double>(2 * n);
    const double weight = std::exp(-0.5 * squared((omega - frequency) / bandwidth)) * (std::abs(k) == n ? 0.5 : 1);
    for (std::int64_t d = 0; d < n; ++d)
      sums[static_cast<std::size_t>(d)] += std::polar(weight, 2 * std::numbers::pi * omega * static_cast<double>(d));
  }
  return sums;
}

MatrixXd space_covariance(const Prior& prior, const Named& value) {
  const Index num = prior.rows * prior.columns;
  const double variance = squared(value("sd"));
  if (prior.spec.kind == "isotropic") return variance * MatrixXd::Identity(num, num);
  const auto row = [&](Index i) { return i / prior.columns; };
  const auto column = [&](Index i) { return i % prior.columns; };
  MatrixXd c(num, num);
  if (prior.spec.kind == "smooth") {
    const double scale = -0.5 / squared(value("length_px"));
    for (Index i = 0; i < num; ++i)
      for (Index j = 0; j <= i; ++j) {
        const double dr = static_cast<double>(row(i) - row(j)), dc = static_cast<double>(column(i) - column(j));
        c(i, j) = c(j, i) = variance * std::exp(scale * (dr * dr + dc * dc));
      }
    return c;
  }
  const bool plane = prior.rows > 1;
  const double bandwidth = value("bandwidth_per_px");
  const auto along_rows = bump_sums(prior.rows, plane ? value("row_frequency_per_px") : 0, bandwidth);
  const auto along_columns = bump_sums(prior.columns, value("column_frequency_per_px"), bandwidth);
  const double peak = along_rows[0].real() * along_columns[0].real();  // 0 for a bandwidth that reaches no frequency: NaN below
  VectorXd envelope(num);
  for (Index i = 0; i < num; ++i) {
    double exponent = squared((static_cast<double>(column(i)) - value("centre_column_px")) / value("extent_column_px"));
    if (plane) exponent += squared((static_cast<double>(row(i)) - value("centre_row_px")) / value("extent_row_px"));
    envelope[i] = std::exp(-0.25 * exponent);
  }
  for (Index i = 0; i < num; ++i)
    for (Index j = 0; j <= i; ++j) {
      const auto dr = static_cast<std::size_t>(row(i) - row(j));
      const Index dc = column(i) - column(j);
      const std::complex<double> across = along_columns[static_cast<std::size_t>(std::abs(dc))];
      const double alike = (along_rows[dr] * (dc < 0 ? std::conj(across) : across)).real() / peak;
      c(i, j) = c(j, i) = variance * envelope[i] * envelope[j] * alike;
    }
  return c;
}

MatrixXd time_covariance(const Prior& prior, const Named& value) {
  const Index num = prior.num_lags;
  if (num == 1 || prior.spec.time == "isotropic") return MatrixXd::Identity(num, num);
  const double scale = -0.5 / squared(value("length_lags"));
  const double decay = prior.spec.time == "decaying" ? -0.5 / value("decay_lags") : 0;
  MatrixXd c(num, num);
  for (Index a = 0; a < num; ++a)
    for (Index b = 0; b < num; ++b)
      c(a, b) = std::exp(scale * squared(static_cast<double>(a - b)) + decay * static_cast<double>(a + b));
  return c;
}

/// R with R Rᵀ = A up to 1e-12 of the largest diagonal element, by Cholesky's decomposition with pivots.
MatrixXd factor(MatrixXd a) {
  const Index n = a.rows();
  VectorXd left = a.diagonal();
  const double enough = 1e-12 * left.maxCoeff();
  MatrixXd r(n, n);
  Index rank = 0;
  for (; rank < n; ++rank) {
    Index pivot = 0;
    if (!(left.maxCoeff(&pivot) > enough)) break;
    r.col(rank) = (a.col(pivot) - r.leftCols(rank) * r.row(pivot).head(rank).transpose()) / std::sqrt(left[pivot]);
    left -= r.col(rank).cwiseAbs2();
    left[pivot] = 0;
  }
  return r.leftCols(rank);
}

/// kron(a, b)
MatrixXd outer(const MatrixXd& a, const MatrixXd& b) {
  MatrixXd c(a.rows() * b.rows(), a.cols() * b.cols());
  for (Index i = 0; i < a.rows(); ++i)
    for (Index j = 0; j < a.cols(); ++j) c.block(i * b.rows(), j * b.cols(), b.rows(), b.cols()) = a(i, j) * b;
  return c;
}

struct Solution {
  double log_evidence = 0;
  VectorXd mean;
};

Solution solve(const Prior& prior, std::span<const double> theta, const GaussianLikelihood& likelihood) {
  const auto dim = static_cast<Index>(prior.dim()), n = static_cast<Index>(likelihood.shift.size());
  if ((n != dim && n != dim + 1) || likelihood.information.size() != likelihood.shift.size() * likelihood.shift.size())
    throw SpecError({"likelihood", fmt::format("of {} weights, or one more with a bias", dim), fmt::format("{}", n), ""});
  const Eigen::Map<const MatrixXd> h_matrix(likelihood.information.data(), n, n);
  const Eigen::Map<const VectorXd> h(likelihood.shift.data(), n);
  const Named value(prior, theta);
  const MatrixXd space = space_covariance(prior, value), time = time_covariance(prior, value);
  if (!space.allFinite() || !time.allFinite()) return {-std::numeric_limits<double>::infinity(), VectorXd::Zero(n)};
  const MatrixXd weights = outer(factor(time), factor(space));
  MatrixXd r = MatrixXd::Zero(n, weights.cols() + (n - dim));
  r.topLeftCorner(dim, weights.cols()) = weights;
  VectorXd m = VectorXd::Zero(n);
  if (n > dim) {
    r(dim, weights.cols()) = likelihood.bias_sd;
    m[dim] = likelihood.bias_mean;
  }
  const VectorXd h_m = h_matrix * m, pulled = r.transpose() * (h - h_m);
  const MatrixXd hr = h_matrix.selfadjointView<Eigen::Lower>() * r;
  MatrixXd inner = MatrixXd::Identity(r.cols(), r.cols());
  inner.triangularView<Eigen::Lower>() += r.transpose() * hr;
  const Eigen::LLT<MatrixXd> cholesky(inner);
  if (cholesky.info() != Eigen::Success) return {-std::numeric_limits<double>::infinity(), m};
  const VectorXd solved = cholesky.solve(pulled);
  const double log_det = 2 * cholesky.matrixLLT().diagonal().array().log().sum();
  return {h.dot(m) - 0.5 * m.dot(h_m) + 0.5 * pulled.dot(solved) - 0.5 * log_det, m + r * solved};
}

/// Starting points of fit_hyper.
std::vector<std::vector<double>> candidates(const Prior& prior, const GaussianLikelihood& likelihood) {
  std::vector<std::vector<double>> out = {prior.start()};
  const auto vary = [&](std::string_view name, std::initializer_list<double> offsets) {
    for (std::size_t i = 0; i < prior.hyper.size(); ++i) {
      if (prior.hyper[i].name != name) continue;
      const auto before = out;
      for (double offset : offsets)
        for (std::vector<double> theta : before) {
          theta[i] += offset;
          out.push_back(std::move(theta));
        }
    }
  };
  vary("sd", {-1.2, 1.2});
  vary("length_px", {-0.7, 0.7});
  if (prior.spec.kind != "ald") return out;
  vary("row_frequency_per_px", {-0.12, 0.12, 0.25});
  vary("column_frequency_per_px", {0.12, 0.25});
  // where an isotropic prior sees the field: centre of its squared weights
  Prior plain = prior;
  plain.spec.kind = "isotropic";
  const std::vector<double> mean = posterior_mean(plain, plain.start(), likelihood);
  double energy = 0, row = 0, column = 0;
  for (std::size_t i = 0; i < prior.dim(); ++i) {
    const auto pixel = static_cast<std::int64_t>(i) % (prior.rows * prior.columns);
    energy += squared(mean[i]);
    row += squared(mean[i]) * static_cast<double>(pixel / prior.columns);
    column += squared(mean[i]) * static_cast<double>(pixel % prior.columns);
  }
  if (!(energy > 0)) return out;
  const auto before = out;
  for (std::vector<double> theta : before) {
    for (std::size_t i = 0; i < prior.hyper.size(); ++i) {
      if (prior.hyper[i].name == "centre_row_px") theta[i] = row / energy;
      if (prior.hyper[i].name == "centre_column_px") theta[i] = column / energy;
    }
    out.push_back(std::move(theta));
  }
  return out;
}

}  // namespace

std::vector<double> Prior::start() const {
  std::vector<double> theta;
  for (const HyperParameter& h : hyper) theta.push_back(h.start);
  return theta;
}

std::vector<double> Prior::values(std::span<const double> theta) const {
  if (theta.size() != hyper.size())
    throw SpecError({"theta", fmt::format("{} hyper-parameters", hyper.size()), fmt::format("{}", theta.size()), ""});
  std::vector<double> out(theta.begin(), theta.end());
  for (std::size_t i = 0; i < out.size(); ++i)
    if (hyper[i].transform == "log") out[i] = std::exp(out[i]);
  return out;
}

double Prior::log_density(std::span<const double> theta) const {
  double total = 0;
  for (std::size_t i = 0; i < hyper.size(); ++i)
    total -= 0.5 * squared((theta[i] - hyper[i].start) / hyper[i].prior_sd) +
             std::log(hyper[i].prior_sd * std::sqrt(2 * std::numbers::pi));
  return total;
}

Prior make_prior(const PriorSpec& spec, std::span<const std::int64_t> shape, std::string_view path) {
  if (shape.empty() || shape.size() > 3 || *std::min_element(shape.begin(), shape.end()) < 1)
    throw SpecError({std::string(path), "over weights of shape [num], [rows, columns] or [num_lags, rows, columns]",
                     fmt::format("{} axes", shape.size()), ""});
  Prior prior;
  prior.spec = spec;
  prior.columns = shape.back();
  if (shape.size() > 1) prior.rows = shape[shape.size() - 2];
  if (shape.size() > 2) prior.num_lags = shape[0];
  const auto add_log = [&](const char* name, const char* unit, double value, double width) {
    prior.hyper.push_back({name, unit, "log", std::log(value), width});
  };
  add_log("sd", "", spec.sd, 1.5);
  if (prior.num_lags > 1 && spec.time != "isotropic") add_log("length_lags", "lags", spec.length_lags, 0.7);
  if (prior.num_lags > 1 && spec.time == "decaying") add_log("decay_lags", "lags", spec.decay_lags, 0.7);
  if (spec.kind == "smooth") add_log("length_px", "px", spec.length_px, 0.7);
  if (spec.kind != "ald") return prior;
  const std::size_t num_axes = prior.rows > 1 ? 2 : 1;
  const auto of_axis = [&](const std::vector<double>& list, const char* key, std::size_t axis, double absent) {
    if (list.empty()) return absent;
    if (list.size() != num_axes)
      throw SpecError({fmt::format("{}.{}", path, key), fmt::format("{} numbers, one for each axis of space", num_axes),
                       fmt::format("{}", list.size()), ""});
    return list[axis];
  };
  for (std::size_t axis = 0; axis < num_axes; ++axis) {
    const bool is_row = num_axes == 2 && axis == 0;
    const auto size = static_cast<double>(is_row ? prior.rows : prior.columns);
    const char* const which = is_row ? "row" : "column";
    prior.hyper.push_back({fmt::format("centre_{}_px", which), "px", "identity",
                           of_axis(spec.centre_px, "centre_px", axis, (size - 1) / 2), size / 3});
    prior.hyper.push_back(
        {fmt::format("extent_{}_px", which), "px", "log", std::log(of_axis(spec.extent_px, "extent_px", axis, size / 4)), 0.7});
    prior.hyper.push_back({fmt::format("{}_frequency_per_px", which), "1/px", "identity",
                           of_axis(spec.frequency_per_px, "frequency_per_px", axis, 0), 0.15});
  }
  add_log("bandwidth_per_px", "1/px", spec.bandwidth_per_px, 0.7);
  return prior;
}

std::vector<double> covariance(const Prior& prior, std::span<const double> theta) {
  const Named value(prior, theta);
  const auto n = static_cast<Index>(prior.dim());
  std::vector<double> out(prior.dim() * prior.dim());
  Eigen::Map<MatrixXd> c(out.data(), n, n);
  c = outer(time_covariance(prior, value), space_covariance(prior, value));
  if (!c.allFinite())
    throw SpecError({"belief.prior", "a covariance that is finite", "one that is not", "Widen bandwidth_per_px, extent_px or sd."});
  c.diagonal().array() += Prior::jitter * squared(value("sd"));
  return out;
}

double log_evidence(const Prior& prior, std::span<const double> theta, const GaussianLikelihood& likelihood) {
  return solve(prior, theta, likelihood).log_evidence;
}

std::vector<double> posterior_mean(const Prior& prior, std::span<const double> theta, const GaussianLikelihood& likelihood) {
  const VectorXd mean = solve(prior, theta, likelihood).mean;
  return {mean.begin(), mean.end()};
}

HyperFit fit_hyper(const Prior& prior, const GaussianLikelihood& likelihood, std::int64_t max_evaluations) {
  const auto cost = [&](std::span<const double> theta) {
    return -log_evidence(prior, theta, likelihood) - prior.log_density(theta);
  };
  HyperFit fit;
  std::vector<std::pair<double, std::vector<double>>> starts;
  for (std::vector<double>& theta : candidates(prior, likelihood)) {
    const double value = cost(theta);
    if (std::isfinite(value)) starts.emplace_back(value, std::move(theta));
    ++fit.num_evaluations;
  }
  if (starts.empty())
    throw RunError({"belief.prior.fit", "an evidence that is finite somewhere", "none", "Is the likelihood's information finite?"});
  std::sort(starts.begin(), starts.end());
  numerics::MinimizeOptions options;
  options.tolerance = 1e-8;
  for (const HyperParameter& h : prior.hyper) options.first_step.push_back(0.4 * h.prior_sd);
  const std::size_t num_climbs = std::min<std::size_t>(2, starts.size());
  double best = std::numeric_limits<double>::infinity();
  for (std::size_t k = 0; k < num_climbs; ++k) {
    options.max_evaluations =
        std::max<std::int64_t>(1, (max_evaluations - fit.num_evaluations) / static_cast<std::int64_t>(num_climbs - k));
    const numerics::Minimum minimum = numerics::nelder_mead(cost, starts[k].second, options);
    fit.num_evaluations += minimum.num_evaluations;
    if (minimum.value < best) {
      best = minimum.value;
      fit.theta = minimum.x;
      fit.converged = minimum.converged;
    }
  }
  fit.log_evidence = log_evidence(prior, fit.theta, likelihood);
  return fit;
}

}  // namespace hartline::models
