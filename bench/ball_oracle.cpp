#include "bench/ball_oracle.hpp"

#include <lapacke.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <stdexcept>

#include "bench/measure.hpp"

extern "C" char* openblas_get_config();

namespace hartline::bench {

Eigensystem::Eigensystem(std::size_t dim) : vectors_(dim * dim), values_(dim) {
  const auto n = static_cast<lapack_int>(dim);
  double work = 0;
  lapack_int integer_work = 0;
  LAPACKE_dsyevd_work(LAPACK_COL_MAJOR, 'V', 'U', n, vectors_.data(), n, values_.data(), &work, -1, &integer_work, -1);
  work_.resize(static_cast<std::size_t>(work));
  integer_work_.resize(static_cast<std::size_t>(integer_work));
}

double Eigensystem::decompose(std::span<const double> matrix) {
  std::copy(matrix.begin(), matrix.end(), vectors_.begin());
  const auto n = static_cast<lapack_int>(dim());
  const double begin = thread_ms();
  const lapack_int info = LAPACKE_dsyevd_work(LAPACK_COL_MAJOR, 'V', 'U', n, vectors_.data(), n, values_.data(), work_.data(),
                                              static_cast<lapack_int>(work_.size()), integer_work_.data(),
                                              static_cast<lapack_int>(integer_work_.size()));
  const double ms = thread_ms() - begin;
  if (info != 0) throw std::runtime_error("dsyevd failed");
  return ms;
}

std::string eigensolver_name() {
  const std::string config = openblas_get_config();  // "OpenBLAS 0.3.21 NO_LAPACKE …"
  return "dsyevd of " + config.substr(0, config.find(' ', config.find(' ') + 1));
}

double poisson_information(double m, double v) {
  const double sd = std::sqrt(v), step = std::min(0.25, 0.35 / std::max(sd, 1e-9));
  double total = 0;
  for (double z = -9; z <= 9 + sd; z += step) {
    const double eta = m + std::log(v) + sd * z;
    total += std::exp(-0.5 * z * z) * (std::max(eta, 0.0) + std::log1p(std::exp(-std::abs(eta))));
  }
  return 0.5 * step * total / std::sqrt(2 * std::numbers::pi);
}

namespace {

/// The information at one point of the curve, for λ = c_top + delta.
double information_at(const Eigensystem& c, std::span<const double> u, double power, double delta, double sign) {
  const std::size_t n = c.dim();
  const double top = c.values()[n - 1];
  double norm = 0, m = 0, v = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double y = u[i] / (delta + (top - c.values()[i]));
    norm += y * y;
    m += u[i] * y;
    v += c.values()[i] * y * y;
  }
  if (!std::isfinite(norm) || norm <= 0) return 0;
  return poisson_information(sign * m * std::sqrt(power / norm), v * power / norm);
}

}  // namespace

double best_information(const Eigensystem& c, std::span<const double> mean, double power) {
  const std::size_t n = c.dim();
  std::vector<double> u(n, 0.0);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) u[i] += c.vector(i)[j] * mean[j];
  const double top = c.values()[n - 1], gap = top - c.values()[n - 2];
  double best = 0;
  for (const double sign : {1.0, -1.0})
    for (const bool above : {true, false}) {
      // δ = ± exp(e): up to far above every eigenvalue, or from the top one down towards the second
      const double from = std::log(1e-13 * top), to = above ? std::log(1e6 * top) : std::log(gap * (1 - 1e-9));
      if (!(to > from)) continue;
      const auto value = [&](double e) { return information_at(c, u, power, above ? std::exp(e) : -std::exp(e), sign); };
      constexpr int num_points = 600;
      const double width = (to - from) / num_points;
      double here = 0, at = from;
      for (int k = 0; k <= num_points; ++k)
        if (const double found = value(from + k * width); found > here) here = found, at = from + k * width;
      // golden section around the best point of the grid
      constexpr double golden = 0.6180339887498949;
      double low = at - width, high = at + width;
      for (int k = 0; k < 40; ++k) {
        const double left = high - golden * (high - low), right = low + golden * (high - low);
        (value(left) > value(right) ? high : low) = value(left) > value(right) ? right : left;
      }
      best = std::max({best, here, value(0.5 * (low + high))});
    }
  return best;
}

}  // namespace hartline::bench
