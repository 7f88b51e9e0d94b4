// A layer of a network, over many columns at once.
#pragma once

#include <cstddef>

namespace hartline::numerics {

enum class Activation : unsigned char { none, silu, logistic, tanh };

/// Columns are padded to whole vectors: the stride of num columns.
constexpr std::size_t padded(std::size_t num) { return (num + 7) / 8 * 8; }

/// Y = f(W X + b), or with `more` Y = f(Y + W X + b). The bias stands behind the weights.
///
///   silu  x / (1 + e^-x)
///
/// @param weights  W [num_out, num_in], then b [num_out]
/// @param x        [num_in, stride]
/// @param y        [num_out, stride]; does not overlap with x
/// `stride` is a multiple of eight. Repeatable: the bits of a column depend neither on the others nor on its place
/// (dense_layer_test.cpp: DenseLayer.AColumnHasTheSameBitsAnywhere). Allocates: nothing.
void dense_layer(const double* weights, std::size_t num_in, std::size_t num_out, Activation f, const double* x, std::size_t stride,
                 double* y, bool more = false);

/// What a layer's derivatives by its sums Z = W X + b, dz [num_out, stride], say of its weights and of what it read:
///
///   dW += dZ Xᵀ    db += Σ dZ    dX = Wᵀ dZ
///
/// @param d_weights  [num_out, num_in], then [num_out]; added to
/// @param dx         [num_in, stride], or null: not wanted
/// (dense_layer_test.cpp: DenseLayer.CarriesDerivativesBack)
void dense_layer_back(const double* weights, std::size_t num_in, std::size_t num_out, const double* x, const double* dz,
                      std::size_t stride, double* d_weights, double* dx);

/// h = silu(z), and dh becomes dz; num is a multiple of eight.
void silu(const double* z, std::size_t num, double* h);
void silu_back(const double* z, std::size_t num, double* dh);

}  // namespace hartline::numerics
