// The best stimulus inside a ball |x|² <= power, for any utility of the mean and variance of the linear predictor.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "design/budget.hpp"
#include "design/utility.hpp"
#include "models/model.hpp"

namespace hartline::design {

/// Where a utility is largest.
struct BallOptimum {
  double utility = 0;
  double m = 0, v = 0;     // mean and variance of ρ there
  std::int64_t units = 0;  // products with the covariance
};

/// Scratch of the search, reused from call to call.
struct BallScratch;
struct FreeBallScratch {
  void operator()(BallScratch* scratch) const;
};
using BallScratchPtr = std::unique_ptr<BallScratch, FreeBallScratch>;

/// Maximises U(xᵀμ + μ_b, xᵀC x + 2 xᵀc_b + C_bb) over |x|² <= power (μ_b, c_b, C_bb: the bias, if there is one).
///
/// On the slice xᵀμ = b the largest variance is attained by  x(λ, ν) = (λ - C)⁻¹ (c_b + ν μ)  with |x|² = power and
/// λ >= λ_max(C restricted to μ⊥), a number between the two largest eigenvalues of C. The curve λ → x is traced on a logarithmic
/// grid for both roots ν and refined around its best points; utilities that do not increase with the variance are also searched
/// along s x(λ), 0 < s <= 1. The hard case (μ orthogonal to the top eigenvector) is met by giving μ a component of 1e-6 of its
/// length along that eigenvector for the tracing of the curve, never for the value.
/// Up to full_dim dimensions C is diagonalised; above, it is replaced by its restriction to the block Krylov space of
/// (μ, c_b, hint plus a random direction), which from 256 dimensions on stops growing where eight more products gain less than
/// 1e-6 of the utility.
///
/// Accuracy: never below the best of 1e6 random directions by more than 1e-9, d = 3 … 10
///                                                    (ball_search_test.cpp: BallAgainstRandom.NeverLoses)
/// 48 products in 96 dimensions lose 2e-3 of the utility at most on average
///                                                    (ball_search_test.cpp: Ball.KrylovSpaceLosesLittleInformation)
/// Repeatable: same view, seed, trial and number of units give the same bytes. Allocates: nothing after the first call.
/// Reference: Lewi, Butera & Paninski 2009, Neural Computation 21:619
class BallSearch {
 public:
  /// `max_products`: dimension of the Krylov space.
  BallSearch(LinearUtility utility, double power, std::int64_t max_products);

  BallScratchPtr make_scratch(std::size_t stimulus_dim) const;

  /// `hint`: a direction worth including, for example the last stimulus; may be empty.
  BallOptimum operator()(const models::GaussianView& view, std::span<const double> hint, std::uint64_t seed, std::uint64_t trial,
                         const Budget& budget, BallScratch& scratch, std::span<double> x) const;

  static constexpr std::size_t full_dim = 40;
  static constexpr std::size_t max_space = 96;

 private:
  LinearUtility utility_;
  double power_;
  std::size_t max_products_;
};

}  // namespace hartline::design
