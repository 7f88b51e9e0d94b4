// The best stimulus in a ball from the full spectrum of the covariance, computed plainly and independently of the engine.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace hartline::bench {

/// Eigendecomposition of a symmetric matrix by LAPACK's dsyevd, workspace kept from call to call.
class Eigensystem {
 public:
  explicit Eigensystem(std::size_t dim);

  /// Returns the processor time of dsyevd alone, ms.
  double decompose(std::span<const double> matrix);

  std::size_t dim() const { return values_.size(); }
  std::span<const double> values() const { return values_; }  // rising
  std::span<const double> vector(std::size_t i) const { return {&vectors_[i * dim()], dim()}; }

 private:
  std::vector<double> vectors_;  // [dim, dim], one after the other
  std::vector<double> values_;   // [dim]
  std::vector<double> work_;
  std::vector<int> integer_work_;
};

/// "dsyevd of …": the LAPACK that is linked.
std::string eigensolver_name();

/// ½ E log(1 + v e^ρ), ρ ~ N(m, v): the information of an exp-Poisson count in a bin of 1 s, nats.
double poisson_information(double m, double v);

/// The largest information over |x|² <= power, for a belief with that mean and covariance: both branches of the curve
/// y_i ∝ u_i / (λ - c_i), λ above and below the top eigenvalue, on a grid refined by golden section.
double best_information(const Eigensystem& covariance, std::span<const double> mean, double power);

}  // namespace hartline::bench
