#include "numerics/panels.hpp"

#include <algorithm>
#include <cmath>

#include "numerics/dense.hpp"
#include "numerics/lanes.hpp"

namespace hartline::numerics {

bool factor_lower(double* a, std::size_t n) {
  constexpr std::size_t block = 8;  // rows that share one reading of those above
  double products[block];
  for (std::size_t first = 0; first < n; first += block) {
    const std::size_t here = std::min(block, n - first);
    for (std::size_t j = 0; j < first; ++j) {
      multiply_rows(a + first * n, n, 0, here, j, a + j * n, products);
      for (std::size_t p = 0; p < here; ++p) a[(first + p) * n + j] = (a[(first + p) * n + j] - products[p]) / a[j * n + j];
    }
    for (std::size_t i = first; i < first + here; ++i) {
      double* row = a + i * n;
      for (std::size_t j = first; j < i; ++j) row[j] = (row[j] - dot(row, a + j * n, j)) / a[j * n + j];
      const double pivot = row[i] - dot(row, row, i);
      if (!(pivot > 0)) return false;
      row[i] = std::sqrt(pivot);
    }
  }
  return true;
}

void solve_lower(const double* lower, std::size_t n, double* x) {
  for (std::size_t i = 0; i < n; ++i) x[i] = (x[i] - dot(lower + i * n, x, i)) / lower[i * n + i];
}

void solve_lower_transposed(const double* lower, std::size_t n, double* x) {
  for (std::size_t i = n; i-- > 0;) {
    x[i] /= lower[i * n + i];
    add_scaled(x, -x[i], lower + i * n, i);
  }
}

namespace {

// The loops over a block's sums must be unrolled, or the sums live in memory.
#define HARTLINE_UNROLLED(index, count) _Pragma("GCC unroll 16") for (int index = 0; index < count; ++index)

/// Rows at … at + num_rows - 1 of a panel, num_lanes_wide · 8 columns of it, once those above are solved.
template <int num_rows, int wide>
HARTLINE_INLINE void solve_block(const double* lower, std::size_t stride, std::size_t at, double* panel) {
  Lanes sum[num_rows][wide];
  HARTLINE_UNROLLED(p, num_rows)
  HARTLINE_UNROLLED(c, wide) sum[p][c] = load(panel + (at + static_cast<std::size_t>(p)) * panel_columns + 8 * c);
  const double* row[num_rows];
  HARTLINE_UNROLLED(p, num_rows) row[p] = lower + (at + static_cast<std::size_t>(p)) * stride;
  for (std::size_t j = 0; j < at; ++j) {
    Lanes x[wide];
    HARTLINE_UNROLLED(c, wide) x[c] = load(panel + j * panel_columns + 8 * c);
    HARTLINE_UNROLLED(p, num_rows)
    HARTLINE_UNROLLED(c, wide) sum[p][c] -= row[p][j] * x[c];
  }
  HARTLINE_UNROLLED(p, num_rows)
  HARTLINE_UNROLLED(c, wide) store(panel + (at + static_cast<std::size_t>(p)) * panel_columns + 8 * c, sum[p][c]);
  for (std::size_t p = at; p < at + num_rows; ++p) {
    const double pivot = 1 / lower[p * stride + p];
    Lanes x[wide];
    HARTLINE_UNROLLED(c, wide) x[c] = load(panel + p * panel_columns + 8 * c);
    for (std::size_t q = at; q < p; ++q)
      HARTLINE_UNROLLED(c, wide) x[c] -= lower[p * stride + q] * load(panel + q * panel_columns + 8 * c);
    HARTLINE_UNROLLED(c, wide) store(panel + p * panel_columns + 8 * c, x[c] * pivot);
  }
}

template <int num_rows, int wide>
HARTLINE_INLINE void solve_panel(const double* lower, std::size_t rows, double* panel) {
  std::size_t i = 0;
  for (; i + num_rows <= rows; i += num_rows)
    for (std::size_t c = 0; c < panel_columns; c += 8 * wide) solve_block<num_rows, wide>(lower, rows, i, panel + c);
  for (; i < rows; ++i)
    for (std::size_t c = 0; c < panel_columns; c += 8 * wide) solve_block<1, wide>(lower, rows, i, panel + c);
}

// As many sums as the registers hold: 32 of eight doubles, or 16 of four. A sum's order does not depend on it.
HARTLINE_CLONES void solve_panel_wide(const double* lower, std::size_t rows, double* panel) {
  solve_panel<8, 3>(lower, rows, panel);
}
HARTLINE_CLONES void solve_panel_narrow(const double* lower, std::size_t rows, double* panel) {
  solve_panel<6, 1>(lower, rows, panel);
}

bool has_wide_registers() {
#if defined(__x86_64__)
  static const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl");
  return wide;
#else
  return false;
#endif
}

}  // namespace

HARTLINE_CLONES void solve_lower_panels(const double* lower, std::size_t rows, const double* scale, const double* a,
                                        std::size_t columns, double* v, double* squares, double* panel) {
  const bool wide = has_wide_registers();
  for (std::size_t first = 0; first < columns; first += panel_columns) {
    const std::size_t here = std::min(panel_columns, columns - first);
    if (here < panel_columns) std::fill(panel, panel + rows * panel_columns, 0.0);
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < here; ++j) panel[i * panel_columns + j] = scale[i] * a[i * columns + first + j];
    wide ? solve_panel_wide(lower, rows, panel) : solve_panel_narrow(lower, rows, panel);
    Lanes sum[panel_columns / 8] = {};
    for (std::size_t i = 0; i < rows; ++i) {
      const double* from = panel + i * panel_columns;
      for (std::size_t c = 0; c < panel_columns / 8; ++c) sum[c] += load(from + 8 * c) * load(from + 8 * c);
      std::copy_n(from, here, v + i * columns + first);
    }
    std::memcpy(squares + first, sum, here * sizeof(double));
  }
}

void pack_columns(const double* a, std::size_t rows, std::size_t columns, std::size_t first, double* tile) {
  const std::size_t here = std::min(tile_columns, columns - first);
  for (std::size_t i = 0; i < rows; ++i) {
    std::copy_n(a + i * columns + first, here, tile + i * tile_columns);
    std::fill(tile + i * tile_columns + here, tile + (i + 1) * tile_columns, 0.0);
  }
}

namespace {

/// The same over num_rows rows and wide · 8 columns; adds to row and column.
template <int num_rows, int wide>
HARTLINE_INLINE void squares_of_block(const double* left_tile, const double* right_tile, std::size_t depth, const double* k,
                                      std::size_t stride, int rows_here, int columns_here, const double* left, const double* right,
                                      double* row, double* column) {
  Lanes c[num_rows][wide] = {};
  for (std::size_t m = 0; m < depth; ++m) {
    Lanes x[wide];
    HARTLINE_UNROLLED(w, wide) x[w] = load(right_tile + m * tile_columns + 8 * w);
    HARTLINE_UNROLLED(p, num_rows)
    HARTLINE_UNROLLED(w, wide) c[p][w] += left_tile[m * tile_columns + static_cast<std::size_t>(p)] * x[w];
  }
  Lanes down[wide] = {};
  HARTLINE_UNROLLED(p, num_rows) {
    if (p >= rows_here) break;
    Lanes across = spread(0);
    HARTLINE_UNROLLED(w, wide) {
      const int here = std::clamp(columns_here - 8 * w, 0, 8);
      const double* from = k + static_cast<std::size_t>(p) * stride + 8 * w;
      const Lanes covariance = here == 8 ? load(from) - c[p][w] : here > 0 ? load_part(from, here, 0) - c[p][w] : spread(0);
      const Lanes square = covariance * covariance;
      across += square * load(right + 8 * w);
      down[w] += square * left[p];
    }
    row[p] += sum(across);
  }
  HARTLINE_UNROLLED(w, wide) store(column + 8 * w, load(column + 8 * w) + down[w]);
}

template <int num_rows, int wide>
HARTLINE_INLINE void squares_of_tile(const double* left_tile, const double* right_tile, std::size_t depth, const double* k,
                                     std::size_t stride, std::size_t num_left, std::size_t num_right, const double* left,
                                     const double* right, double* row, double* column) {
  static_assert(tile_columns % num_rows == 0 && tile_columns % (8 * wide) == 0);
  for (std::size_t j = 0; j < num_right; j += 8 * wide)
    for (std::size_t i = 0; i < num_left; i += num_rows)
      squares_of_block<num_rows, wide>(left_tile + i, right_tile + j, depth, k + i * stride + j, stride,
                                       static_cast<int>(num_left - i), static_cast<int>(num_right - j), left + i, right + j,
                                       row + i, column + j);
}

HARTLINE_CLONES void squares_wide(const double* left_tile, const double* right_tile, std::size_t depth, const double* k,
                                  std::size_t stride, std::size_t num_left, std::size_t num_right, const double* left,
                                  const double* right, double* row, double* column) {
  squares_of_tile<8, 3>(left_tile, right_tile, depth, k, stride, num_left, num_right, left, right, row, column);
}
HARTLINE_CLONES void squares_narrow(const double* left_tile, const double* right_tile, std::size_t depth, const double* k,
                                    std::size_t stride, std::size_t num_left, std::size_t num_right, const double* left,
                                    const double* right, double* row, double* column) {
  squares_of_tile<6, 1>(left_tile, right_tile, depth, k, stride, num_left, num_right, left, right, row, column);
}

}  // namespace

void weighted_squares(const double* left_tile, const double* right_tile, std::size_t depth, const double* k, std::size_t stride,
                      std::size_t num_left, std::size_t num_right, const double* left, const double* right, double* row,
                      double* column) {
  std::fill(row, row + tile_columns, 0.0);
  std::fill(column, column + tile_columns, 0.0);
  (has_wide_registers() ? squares_wide : squares_narrow)(left_tile, right_tile, depth, k, stride, num_left, num_right, left, right,
                                                         row, column);
}

}  // namespace hartline::numerics
