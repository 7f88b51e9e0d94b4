// Kernels of the pool design for populations: sixteen floats at a time, tiles of 64 stimuli by all cells.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace hartline::design {

constexpr std::size_t tile_size = 64;  // stimuli side by side

enum class Aggregate : std::uint8_t { sum, weighted, worst, shared_gain };

/// What a pass over the pool needs of one cell.
struct CellPass {
  std::size_t cell = 0;                 // where its variances and means are
  float shrink = 0, mean_step = 0;      // of the step that is taken in
  float bias_g = 0;                     // what a bias adds to x·g
  float inflate = 0, inflate_bias = 0;  // taken in
  float expect = 0, expect_bias = 0;    // the same of responses still to come, for the utility only
  float weight = 1;
  bool plain = true;  // the step and nothing else changes its variances: no inflation, no extra step
};

/// A further change of every cell's belief.
struct ExtraStep {
  bool keep = true;                  // false: of a response still to come
  const float* g = nullptr;          // [num, dim]
  const float* shrink = nullptr;     // [num]
  const float* mean_step = nullptr;  // [num]
  const float* bias_g = nullptr;     // [num]
};

/// One pass over a tile.
struct Pass {
  std::size_t dim = 0;
  std::span<const CellPass> cells;
  const float* g = nullptr;  // [num, dim]
  std::span<const ExtraStep> extra;
  float gain_variance = 0;
  Aggregate aggregate = Aggregate::sum;
};

/// Takes the steps into what is kept of a tile, [num_cells, 2, tile_size]: variance v (what rounding makes negative is zero) and
/// mean m of ρ, log Δ included. x [dim + 1, tile_size], the last row |x|².
///
///   v ← v + inflation |x|² - Σ shrink (x·g)²       m ← m + Σ mean_step x·g
void take_in(const Pass& pass, const float* x, float* kept);

/// The same, if `update`, and in one go the utility of every stimulus of the tile under exp counts, out [tile_size]:
///
///   h = E log(1 + y e^{√v z}),  y = Δ v e^m       h = log(1 + w),  w = y (1 + u s(u(1 - u), v)),  u = 1/(1 + y)
///
/// s is a polynomial in u(1 - u) and v (exp_count_lanes.hpp), of five terms where eight cells and the tile have v <= ¼, nine up to
/// ½ and thirteen up to one. What is above one (or m + log Δ above 10) is integrated by quadrature, several times slower; above v =
/// 12 or m + log Δ = 20 in double precision. Accuracy of h: relative 1e-4    (population_pool_test.cpp:
/// PopulationKernel.AgreesWithTheDoubleReference)
void score_exp_counts(const Pass& pass, bool update, const float* x, float* kept, double* out);

/// v = xᵀC x for every stimulus of a tile, in double precision. C [dim, dim] symmetric, x [dim, tile_size], v [tile_size].
void quadratic_forms(const double* covariance, std::size_t dim, const double* x, double* v);

/// m = xᵀmean for every stimulus of a tile, likewise.
void linear_forms(const double* mean, std::size_t dim, const double* x, double* m);

/// Mean and variance of ρ of one cell (number `at` of the pass) for every stimulus of a tile; the steps are in `kept` already.
void project_cell(const Pass& pass, std::size_t at, const float* x, const float* kept, double* m, double* variance);

}  // namespace hartline::design
