#include "numerics/dense.hpp"

#include "numerics/lanes.hpp"

namespace hartline::numerics {

HARTLINE_CLONES double dot(const double* a, const double* b, std::size_t n) {
  Lanes s0 = spread(0), s1 = spread(0);
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    s0 += load(a + i) * load(b + i);
    s1 += load(a + i + 8) * load(b + i + 8);
  }
  if (i + 8 <= n) {
    s0 += load(a + i) * load(b + i);
    i += 8;
  }
  if (i < n) s1 += load_part(a + i, static_cast<int>(n - i), 0) * load_part(b + i, static_cast<int>(n - i), 0);
  return sum(s0 + s1);
}

HARTLINE_CLONES void add_scaled(double* y, double a, const double* x, std::size_t n) {
  const Lanes scale = spread(a);
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8) store(y + i, load(y + i) + scale * load(x + i));
  for (; i < n; ++i) y[i] += a * x[i];
}

namespace {

/// The columns past the last whole eight: the last eight of a row times a vector that is zero where they overlap.
struct Tail {
  std::size_t at = 0;  // of the eight columns
  bool needed = false;
  Lanes x = {};
};

HARTLINE_INLINE Tail tail_of(const double* x, std::size_t columns) {
  Tail tail;
  tail.needed = columns >= 8 && columns % 8 != 0;
  if (!tail.needed) return tail;
  tail.at = columns - 8;
  for (std::size_t k = 8 - columns % 8; k < 8; ++k) tail.x[k] = x[tail.at + k];
  return tail;
}

/// num_rows rows times num_vectors vectors; num_rows · num_vectors = 8 or less. The order of every sum is the same for any of
/// these.
template <int num_rows, int num_vectors>
HARTLINE_INLINE void rows_times_vectors(const double* a, std::size_t stride, std::size_t columns, const double* x, const Tail* tail,
                                        double* const* y) {
  Lanes s[8] = {};  // [num_vectors, num_rows]
  std::size_t j = 0;
  for (; j + 8 <= columns; j += 8)
    for (int p = 0; p < num_rows; ++p) {
      const Lanes row = load(a + static_cast<std::size_t>(p) * stride + j);
      for (int k = 0; k < num_vectors; ++k) s[k * num_rows + p] += row * load(x + static_cast<std::size_t>(k) * columns + j);
    }
  if (tail[0].needed) {
    for (int p = 0; p < num_rows; ++p) {
      const Lanes row = load(a + static_cast<std::size_t>(p) * stride + tail[0].at);
      for (int k = 0; k < num_vectors; ++k) s[k * num_rows + p] += row * tail[k].x;
    }
  } else if (j < columns) {
    const int rest = static_cast<int>(columns - j);
    for (int p = 0; p < num_rows; ++p) {
      const Lanes row = load_part(a + static_cast<std::size_t>(p) * stride + j, rest, 0);
      for (int k = 0; k < num_vectors; ++k)
        s[k * num_rows + p] += row * load_part(x + static_cast<std::size_t>(k) * columns + j, rest, 0);
    }
  }
  if constexpr (num_rows > 1) {
    const Lanes sums = sum_each(s);
    double out[8];
    store(out, sums);
    for (int k = 0; k < num_vectors; ++k) std::memcpy(y[k], out + k * num_rows, num_rows * sizeof(double));
  } else {
    for (int k = 0; k < num_vectors; ++k) y[k][0] = sum(s[k]);
  }
}

}  // namespace

HARTLINE_CLONES void multiply_rows(const double* a, std::size_t stride, std::size_t first, std::size_t last, std::size_t columns,
                                   const double* x, double* y) {
  const Tail tail = tail_of(x, columns);
  std::size_t i = first;
  for (; i + 8 <= last; i += 8) {
    double* out = y + (i - first);
    rows_times_vectors<8, 1>(a + i * stride, stride, columns, x, &tail, &out);
  }
  for (; i + 4 <= last; i += 4) {
    double* out = y + (i - first);
    rows_times_vectors<4, 1>(a + i * stride, stride, columns, x, &tail, &out);
  }
  for (; i < last; ++i) {
    double* out = y + (i - first);
    rows_times_vectors<1, 1>(a + i * stride, stride, columns, x, &tail, &out);
  }
}

HARTLINE_CLONES void multiply_rows_together(const double* a, std::size_t stride, std::size_t rows, std::size_t columns,
                                            const double* x, std::size_t num_vectors, double* y) {
  if (num_vectors == 0) return;
  if (num_vectors == 1) return multiply_rows(a, stride, 0, rows, columns, x, y);
  const Tail tail[2] = {tail_of(x, columns), tail_of(x + columns, columns)};
  std::size_t i = 0;
  for (; i + 4 <= rows; i += 4) {
    double* out[2] = {y + i, y + rows + i};
    rows_times_vectors<4, 2>(a + i * stride, stride, columns, x, tail, out);
  }
  for (; i < rows; ++i) {
    double* out[2] = {y + i, y + rows + i};
    rows_times_vectors<1, 2>(a + i * stride, stride, columns, x, tail, out);
  }
}

HARTLINE_CLONES void multiply_transposed(const double* a, std::size_t stride, std::size_t rows, std::size_t columns,
                                         const double* w, double* y) {
  std::size_t j = 0;
  for (; j + 32 <= columns; j += 32) {
    Lanes s[4] = {};
    for (std::size_t i = 0; i < rows; ++i) {
      const Lanes scale = spread(w[i]);
      for (std::size_t k = 0; k < 4; ++k) s[k] += scale * load(a + i * stride + j + 8 * k);
    }
    for (std::size_t k = 0; k < 4; ++k) store(y + j + 8 * k, s[k]);
  }
  for (; j < columns; j += 8) {
    if (columns >= 8 && j + 8 > columns) j = columns - 8;  // the last eight again, in part the same numbers
    const int here = static_cast<int>(columns - j < 8 ? columns - j : 8);
    Lanes s = spread(0);
    if (here == 8)
      for (std::size_t i = 0; i < rows; ++i) s += spread(w[i]) * load(a + i * stride + j);
    else
      for (std::size_t i = 0; i < rows; ++i) s += spread(w[i]) * load_part(a + i * stride + j, here, 0);
    std::memcpy(y + j, &s, static_cast<std::size_t>(here) * sizeof(double));
  }
}

HARTLINE_CLONES void subtract_outer(double* a, std::size_t n, std::size_t first, std::size_t last, const double* h) {
  for (std::size_t i = first; i < last; ++i) {
    double* row = a + i * n;
    const Lanes hi = spread(h[i]);
    std::size_t j = 0;
    for (; j + 8 <= n; j += 8) store(row + j, load(row + j) - hi * load(h + j));
    if (j < n) {
      // the same operation as above, so that A_ij and A_ji round alike
      const int rest = static_cast<int>(n - j);
      const Lanes v = load_part(row + j, rest, 0) - hi * load_part(h + j, rest, 0);
      std::memcpy(row + j, &v, static_cast<std::size_t>(rest) * sizeof(double));
    }
  }
}

}  // namespace hartline::numerics
