// Panels: Cholesky factors, and products and solves with many right-hand sides, a few columns at a time so that they stay in
// cache. Row-major, double, one thread, no allocation.
#pragma once

#include <cstddef>

namespace hartline::numerics {

/// A = L Lᵀ in place: rows of A [n, n], of which the lower half is read and written. Returns false where A is not positive
/// definite.
bool factor_lower(double* a, std::size_t n);

/// x ← L⁻¹ x
void solve_lower(const double* lower, std::size_t n, double* x);
/// x ← L⁻ᵀ x
void solve_lower_transposed(const double* lower, std::size_t n, double* x);

/// Columns that a panel holds.
constexpr std::size_t panel_columns = 48;

/// V = L⁻¹ diag(s) A and squares_j = Σ_i V_ij², for A [rows, columns]. `panel`: [rows, panel_columns], overwritten.
/// Accuracy: that of substitution    (panels_test.cpp: Panels.SolveAgreesWithEigen)
void solve_lower_panels(const double* lower, std::size_t rows, const double* scale, const double* a, std::size_t columns, double* v,
                        double* squares, double* panel);

/// Columns of a packed tile.
constexpr std::size_t tile_columns = 96;

/// Packs columns first … first + tile_columns - 1 of A [rows, columns] into [rows, tile_columns]; what lies beyond is zero.
void pack_columns(const double* a, std::size_t rows, std::size_t columns, std::size_t first, double* tile);

/// Over a tile of the matrix C = K - AᵀB, A and B packed, K [n, n]:
///
///   row_i = Σ_j right_j C_ij²      column_j = Σ_i left_i C_ij²
///
/// num_left and num_right of the tile's rows and columns exist; left, right, row and column are [tile_columns], left and right zero
/// beyond. C is never stored. An element of C is the same number from either side of the diagonal.
void weighted_squares(const double* left_tile, const double* right_tile, std::size_t depth, const double* k, std::size_t stride,
                      std::size_t num_left, std::size_t num_right, const double* left, const double* right, double* row,
                      double* column);

}  // namespace hartline::numerics
