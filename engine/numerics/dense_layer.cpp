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

}  // namespace

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
