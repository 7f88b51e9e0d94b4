// Dense kernels of the ring: products with a symmetric matrix, rank-one changes, tall products. Row-major, double, no allocation.
// One thread each; callers split rows among threads, which does not change a bit.
#pragma once

#include <cstddef>

namespace hartline::numerics {

/// Σ a_i b_i
double dot(const double* a, const double* b, std::size_t n);

/// y += a x
void add_scaled(double* y, double a, const double* x, std::size_t n);

/// y = A x for rows first … last - 1 of A [rows, stride]; y is indexed from `first`.
void multiply_rows(const double* a, std::size_t stride, std::size_t first, std::size_t last, std::size_t columns, const double* x,
                   double* y);

constexpr std::size_t max_together = 2;

/// Y_k = A x_k for up to two vectors that share one reading of A [rows, stride]; with none nothing is touched. Vectors one after the
/// other, `columns` long, results `rows` long. Each is bit for bit what multiply_rows gives    (numerics_test.cpp:
/// Dense.ProductsTogetherEqualProductsApart)
void multiply_rows_together(const double* a, std::size_t stride, std::size_t rows, std::size_t columns, const double* x,
                            std::size_t num_vectors, double* y);

/// y_j = Σ_i w_i A_ij over `rows` rows of A [rows, stride]: a product with the transpose.
void multiply_transposed(const double* a, std::size_t stride, std::size_t rows, std::size_t columns, const double* w, double* y);

/// A ← A - h hᵀ for rows first … last - 1 of A [n, n]. Stays exactly symmetric.
void subtract_outer(double* a, std::size_t n, std::size_t first, std::size_t last, const double* h);

}  // namespace hartline::numerics
