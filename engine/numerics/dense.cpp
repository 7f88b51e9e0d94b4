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

HARTLINE_CLONES void multiply_rows(const double* a, std::size_t stride, std::size_t first, std::size_t last, std::size_t columns,
                                   const double* x, double* y) {
  std::size_t i = first;
  for (; i + 4 <= last; i += 4) {
    const double* r0 = a + i * stride;
    const double *r1 = r0 + stride, *r2 = r1 + stride, *r3 = r2 + stride;
    Lanes s0 = spread(0), s1 = spread(0), s2 = spread(0), s3 = spread(0);
    std::size_t j = 0;
    for (; j + 8 <= columns; j += 8) {
      const Lanes v = load(x + j);
      s0 += load(r0 + j) * v;
      s1 += load(r1 + j) * v;
      s2 += load(r2 + j) * v;
      s3 += load(r3 + j) * v;
    }
    if (j < columns) {
      const int rest = static_cast<int>(columns - j);
      const Lanes v = load_part(x + j, rest, 0);
      s0 += load_part(r0 + j, rest, 0) * v;
      s1 += load_part(r1 + j, rest, 0) * v;
      s2 += load_part(r2 + j, rest, 0) * v;
      s3 += load_part(r3 + j, rest, 0) * v;
    }
    double* out = y + (i - first);
    out[0] = sum(s0);
    out[1] = sum(s1);
    out[2] = sum(s2);
    out[3] = sum(s3);
  }
  for (; i < last; ++i) {
    const double* row = a + i * stride;
    Lanes s = spread(0);
    std::size_t j = 0;
    for (; j + 8 <= columns; j += 8) s += load(row + j) * load(x + j);
    if (j < columns) {
      const int rest = static_cast<int>(columns - j);
      s += load_part(row + j, rest, 0) * load_part(x + j, rest, 0);
    }
    y[i - first] = sum(s);
  }
}

HARTLINE_CLONES void multiply_transposed(const double* a, std::size_t stride, std::size_t rows, std::size_t columns, const double* w,
                                         double* y) {
  std::size_t j = 0;
  for (; j + 16 <= columns; j += 16) {
    Lanes s0 = spread(0), s1 = spread(0);
    for (std::size_t i = 0; i < rows; ++i) {
      const Lanes scale = spread(w[i]);
      s0 += scale * load(a + i * stride + j);
      s1 += scale * load(a + i * stride + j + 8);
    }
    store(y + j, s0);
    store(y + j + 8, s1);
  }
  for (; j < columns; ++j) {
    double s = 0;
    for (std::size_t i = 0; i < rows; ++i) s += w[i] * a[i * stride + j];
    y[j] = s;
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
