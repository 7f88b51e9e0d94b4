#include "numerics/dense_layer.hpp"

#include "numerics/lanes.hpp"

namespace hartline::numerics {

namespace {

HARTLINE_INLINE Lanes activated(Lanes x, Activation f) {
  switch (f) {
    case Activation::silu:
      return x * logistic(x);
    case Activation::logistic:
      return logistic(x);
    case Activation::tanh:
      return spread(2.0) * logistic(spread(2.0) * x) - spread(1.0);
    default:
      return x;
  }
}

/// num_rows outputs of num_vectors · 8 columns.
template <std::size_t num_rows, std::size_t num_vectors>
HARTLINE_INLINE void tile(const double* w, const double* b, std::size_t num_in, Activation f, const double* x, std::size_t stride,
                          double* y, bool more) {
  Lanes sums[num_rows][num_vectors];
  for (std::size_t r = 0; r < num_rows; ++r)
    for (std::size_t v = 0; v < num_vectors; ++v) sums[r][v] = spread(b[r]);
  for (std::size_t k = 0; k < num_in; ++k) {
    Lanes in[num_vectors];
    for (std::size_t v = 0; v < num_vectors; ++v) in[v] = load(x + k * stride + v * num_lanes);
    for (std::size_t r = 0; r < num_rows; ++r) {
      const Lanes weight = spread(w[r * num_in + k]);
      for (std::size_t v = 0; v < num_vectors; ++v) sums[r][v] += weight * in[v];
    }
  }
  for (std::size_t r = 0; r < num_rows; ++r)
    for (std::size_t v = 0; v < num_vectors; ++v) {
      double* to = y + r * stride + v * num_lanes;
      store(to, activated(more ? load(to) + sums[r][v] : sums[r][v], f));
    }
}

template <std::size_t num_rows, std::size_t num_columns>
HARTLINE_INLINE void product_tile(const double* dz, const double* x, std::size_t stride, double* d_weights, std::size_t num_in) {
  Lanes sums[num_rows][num_columns];
  for (std::size_t r = 0; r < num_rows; ++r)
    for (std::size_t k = 0; k < num_columns; ++k) sums[r][k] = spread(0.0);
  for (std::size_t i = 0; i < stride; i += num_lanes) {
    Lanes in[num_columns];
    for (std::size_t k = 0; k < num_columns; ++k) in[k] = load(x + k * stride + i);
    for (std::size_t r = 0; r < num_rows; ++r) {
      const Lanes slope = load(dz + r * stride + i);
      for (std::size_t k = 0; k < num_columns; ++k) sums[r][k] += slope * in[k];
    }
  }
  for (std::size_t r = 0; r < num_rows; ++r)
    for (std::size_t k = 0; k < num_columns; ++k) d_weights[r * num_in + k] += sum(sums[r][k]);
}

template <std::size_t num_columns, std::size_t num_vectors>
HARTLINE_INLINE void transposed_tile(const double* w, std::size_t num_in, std::size_t num_out, const double* dz, std::size_t stride,
                                     double* dx) {
  Lanes sums[num_columns][num_vectors];
  for (std::size_t k = 0; k < num_columns; ++k)
    for (std::size_t v = 0; v < num_vectors; ++v) sums[k][v] = spread(0.0);
  for (std::size_t r = 0; r < num_out; ++r) {
    Lanes slope[num_vectors];
    for (std::size_t v = 0; v < num_vectors; ++v) slope[v] = load(dz + r * stride + v * num_lanes);
    for (std::size_t k = 0; k < num_columns; ++k) {
      const Lanes weight = spread(w[r * num_in + k]);
      for (std::size_t v = 0; v < num_vectors; ++v) sums[k][v] += weight * slope[v];
    }
  }
  for (std::size_t k = 0; k < num_columns; ++k)
    for (std::size_t v = 0; v < num_vectors; ++v) store(dx + k * stride + v * num_lanes, sums[k][v]);
}

}  // namespace

HARTLINE_CLONES void dense_layer_back(const double* weights, std::size_t num_in, std::size_t num_out, const double* x,
                                      const double* dz, std::size_t stride, double* d_weights, double* dx) {
  std::size_t r = 0;
  for (; r + 4 <= num_out; r += 4) {
    std::size_t k = 0;
    for (; k + 4 <= num_in; k += 4)
      product_tile<4, 4>(dz + r * stride, x + k * stride, stride, d_weights + r * num_in + k, num_in);
    for (; k < num_in; ++k) product_tile<4, 1>(dz + r * stride, x + k * stride, stride, d_weights + r * num_in + k, num_in);
  }
  for (; r < num_out; ++r) {
    std::size_t k = 0;
    for (; k + 4 <= num_in; k += 4)
      product_tile<1, 4>(dz + r * stride, x + k * stride, stride, d_weights + r * num_in + k, num_in);
    for (; k < num_in; ++k) product_tile<1, 1>(dz + r * stride, x + k * stride, stride, d_weights + r * num_in + k, num_in);
  }
  for (r = 0; r < num_out; ++r) {
    Lanes total = spread(0.0);
    for (std::size_t i = 0; i < stride; i += num_lanes) total += load(dz + r * stride + i);
    d_weights[num_out * num_in + r] += sum(total);
  }
  if (!dx) return;
  for (std::size_t i = 0; i < stride;) {
    const bool two = i + 16 <= stride;
    std::size_t k = 0;
    for (; k + 4 <= num_in; k += 4) {
      const double* w = weights + k;
      double* to = dx + k * stride + i;
      two ? transposed_tile<4, 2>(w, num_in, num_out, dz + i, stride, to) : transposed_tile<4, 1>(w, num_in, num_out, dz + i, stride, to);
    }
    for (; k < num_in; ++k) {
      const double* w = weights + k;
      double* to = dx + k * stride + i;
      two ? transposed_tile<1, 2>(w, num_in, num_out, dz + i, stride, to) : transposed_tile<1, 1>(w, num_in, num_out, dz + i, stride, to);
    }
    i += two ? 16 : 8;
  }
}

HARTLINE_CLONES void silu(const double* z, std::size_t num, double* h) {
  for (std::size_t i = 0; i < num; i += num_lanes) store(h + i, activated(load(z + i), Activation::silu));
}

HARTLINE_CLONES void silu_back(const double* z, std::size_t num, double* dh) {
  for (std::size_t i = 0; i < num; i += num_lanes) {
    const Lanes at = load(z + i), share = logistic(at);
    store(dh + i, load(dh + i) * share * (spread(1.0) + at * (spread(1.0) - share)));
  }
}

HARTLINE_CLONES void dense_layer(const double* weights, std::size_t num_in, std::size_t num_out, Activation f, const double* x,
                                 std::size_t stride, double* y, bool more) {
  const double* bias = weights + num_out * num_in;
  for (std::size_t i = 0; i < stride;) {
    const std::size_t width = i + 16 <= stride ? 16 : 8;
    std::size_t r = 0;
    for (; r + 4 <= num_out; r += 4) {
      const double *w = weights + r * num_in, *b = bias + r, *in = x + i;
      double* out = y + r * stride + i;
      width == 16 ? tile<4, 2>(w, b, num_in, f, in, stride, out, more) : tile<4, 1>(w, b, num_in, f, in, stride, out, more);
    }
    for (; r < num_out; ++r) {
      const double *w = weights + r * num_in, *b = bias + r, *in = x + i;
      double* out = y + r * stride + i;
      width == 16 ? tile<1, 2>(w, b, num_in, f, in, stride, out, more) : tile<1, 1>(w, b, num_in, f, in, stride, out, more);
    }
    i += width;
  }
}

}  // namespace hartline::numerics
