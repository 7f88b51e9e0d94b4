#include "design/population_kernels.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "design/utility.hpp"
#include "numerics/lanes.hpp"

namespace hartline::design {

namespace {

constexpr int width = 16, rows = tile_size / width;
using Floats = float __attribute__((vector_size(width * sizeof(float))));
using FloatBits = std::int32_t __attribute__((vector_size(width * sizeof(float))));

HARTLINE_INLINE Floats load(const float* p) {
  Floats v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
HARTLINE_INLINE void store(float* p, Floats v) { std::memcpy(p, &v, sizeof v); }
HARTLINE_INLINE Floats spread(float x) {  // filled in memory: GCC 12 makes a braced list sixteen masked moves in a clone
  float all[width];
  for (float& one : all) one = x;
  return load(all);
}
HARTLINE_INLINE Floats larger(Floats a, Floats b) { return (a > b) ? a : b; }
HARTLINE_INLINE Floats smaller(Floats a, Floats b) { return (a < b) ? a : b; }
HARTLINE_INLINE bool any_above(Floats v, float limit) {
  const FloatBits mask = v > spread(limit);
  std::uint64_t parts[8], all = 0;
  std::memcpy(parts, &mask, sizeof parts);
  for (const std::uint64_t part : parts) all |= part;
  return all != 0;
}
HARTLINE_INLINE float largest(Floats v) {
  float top = v[0];
  for (int k = 1; k < width; ++k) top = v[k] > top ? v[k] : top;
  return top;
}

/// e^x for -87 <= x <= 88, relative 1e-5; below as at -87.
HARTLINE_INLINE Floats exp(Floats x) {
  const Floats shifter = spread(0x1.8p23f);
  x = larger(x, spread(-87.0f));
  const Floats rounded = x * spread(1.44269504f) + shifter, k = rounded - shifter;
  const Floats r = (x - k * spread(0.693359375f)) + k * spread(2.12194440e-4f);
  const Floats p = ((spread(0.0412776887f) * r + spread(0.167535272f)) * r + spread(0.500051176f)) * (r * r) + (r + spread(1.0f));
  FloatBits bits, scaled;
  std::memcpy(&bits, &rounded, sizeof bits);
  std::memcpy(&scaled, &p, sizeof scaled);
  scaled += bits << 23;
  Floats y;
  std::memcpy(&y, &scaled, sizeof y);
  return y;
}

/// 1/x for 1e-37 < x < 1e37, relative 1e-5: two Newton steps from a difference of exponents.
HARTLINE_INLINE Floats reciprocal(Floats x) {
  FloatBits bits;
  std::memcpy(&bits, &x, sizeof bits);
  bits = 0x7ef30800 - bits;
  Floats r;
  std::memcpy(&r, &bits, sizeof r);
  r = r * (spread(2.0f) - x * r);
  return r * (spread(2.0f) - x * r);
}

/// log(1 + x) for 0 <= x < 1e38, relative 1e-6.
HARTLINE_INLINE Floats log1p(Floats x) {
  const Floats one = spread(1.0f), sum = one + x;
  FloatBits bits;
  std::memcpy(&bits, &sum, sizeof bits);
  const FloatBits k = (bits - 0x3f3504f3) >> 23;
  const FloatBits mantissa = bits - (k << 23);
  Floats m;
  std::memcpy(&m, &mantissa, sizeof m);
  // what rounding took from 1 + x comes back to first order
  const Floats f = m - one, lost = (x - (sum - one)) * reciprocal(sum);
  Floats p = spread(7.0376836292e-2f) * f + spread(-1.1514610310e-1f);
  p = p * f + spread(1.1676998740e-1f);
  p = p * f + spread(-1.2420140846e-1f);
  p = p * f + spread(1.4249322787e-1f);
  p = p * f + spread(-1.6668057665e-1f);
  p = p * f + spread(2.0000714765e-1f);
  p = p * f + spread(-2.4999993993e-1f);
  p = p * f + spread(3.3333331174e-1f);
  const Floats kd = __builtin_convertvector(k, Floats), square = f * f;
  return kd * spread(0.693147181f) + (f + (lost + square * (p * f - spread(0.5f))));
}

/// e^x - 1 for 0 <= x <= 80, relative 3e-5.
HARTLINE_INLINE Floats expm1(Floats x) {
  Floats p = spread(1.0f / 5040) * x + spread(1.0f / 720);
  p = p * x + spread(1.0f / 120);
  p = p * x + spread(1.0f / 24);
  p = p * x + spread(1.0f / 6);
  p = p * x + spread(0.5f);
  p = p * x * x + x;
  return (x < spread(0.4f)) ? p : exp(x) - spread(1.0f);
}

constexpr float fast_variance = 0.5f, middle_variance = 12.0f;
constexpr float fast_offset = 10, middle_offset = 20;  // of m: eight factors 1 + w then stay below 1e38

// s(p, v) = Σ c_ij p^i v^j, the minimax fit of h on 0 <= v <= ½ and all y: relative 3.3e-5.
constexpr float c01 = 0.500490207f, c02 = 0.12252137f, c03 = 0.0248629271f;
constexpr float c12 = -0.635521885f, c13 = -0.522500748f, c14 = -0.296790153f;
constexpr float c23 = 2.16166112f, c24 = 3.36378764f, c34 = -10.0716832f;

/// w = e^h - 1 = y quotient for v <= ½.
HARTLINE_INLINE Floats information(Floats y, Floats v, Floats& quotient) {
  const Floats one = spread(1.0f), u = one / (one + y), p = u - u * u;
  const Floats third = (spread(c23) * p + spread(c13)) * p + spread(c03);
  const Floats fourth = ((spread(c34) * p + spread(c24)) * p + spread(c14)) * p;
  const Floats second = spread(c12) * p + spread(c02);
  const Floats s = (((fourth * v + third) * v + second) * v + spread(c01)) * v;
  quotient = one + u * s;
  return y * quotient;
}

/// h for v <= 12: what is above ½ by Gauss-Hermite with five nodes (v <= 1) or seven (v <= 1.7), else by the trapezoidal rule.
HARTLINE_INLINE Floats integrate(Floats y, Floats v) {
  const Floats rest = larger(v - spread(fast_variance), spread(0.0f)), inner = smaller(v, spread(fast_variance));
  Floats sd = rest;
  for (int k = 0; k < width; ++k) sd[k] = std::sqrt(rest[k]);
  const float top = largest(sd);
  constexpr float five[2][3] = {{0, 1.355626180f, 2.856970014f}, {0.533333333f, 0.222075922f, 0.0112574113f}};
  constexpr float seven[2][4] = {{0, 1.154405395f, 2.366759411f, 3.750439718f},
                                 {0.457142857f, 0.240123179f, 0.0307571240f, 0.000548268856f}};
  Floats quotient, total;
  if (top < 1.1f) {
    const bool few = top < 0.71f;
    total = spread(few ? five[1][0] : seven[1][0]) * log1p(information(y, inner, quotient));
    for (int k = 1; k < (few ? 3 : 4); ++k) {
      const Floats factor = exp(sd * spread(few ? five[0][k] : seven[0][k]));
      total += spread(few ? five[1][k] : seven[1][k]) *
               (log1p(information(y * factor, inner, quotient)) + log1p(information(y / factor, inner, quotient)));
    }
    return total;
  }
  const float step = std::min(1.0f, 2 / top);
  const int low = -static_cast<int>(std::ceil(4.6f / step)), high = static_cast<int>(std::ceil((4.6f + top) / step));
  const Floats factor = exp(sd * spread(step));
  Floats node = y * exp(sd * spread(step * static_cast<float>(low)));
  total = spread(0.0f);
  for (int k = low; k <= high; ++k) {
    const float z = step * static_cast<float>(k);
    const float weight = step * 0.398942280f * std::exp(-0.5f * z * z);
    total += spread(weight) * log1p(information(node, inner, quotient));
    node *= factor;
  }
  return total;
}

/// h of a tile, ½ < v <= 12 and m <= 20; `total` is the variance of the log rate. Apart from the loop, which has no room for it.
HARTLINE_CLONES void integrate_tile(const float* m, const float* v, const float* total, float* h) {
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r)
    store(h + r * width, integrate(load(v + r * width) * exp(load(m + r * width)), load(total + r * width)));
}

/// The same wherever, in double precision.
void integrate_in_double(const float* m, const float* v, const float* total, float* h) {
  static const LinearUtility utility(Utility::laplace_information, models::make_response_law("poisson", "exp", 1, 1, "model"));
  std::array<double, tile_size> mean, variance, u;
  for (std::size_t i = 0; i < tile_size; ++i) {
    variance[i] = std::max<double>(total[i], 1e-30);
    mean[i] = m[i] + std::log(std::max<double>(v[i], 1e-30) / variance[i]);
  }
  utility.evaluate(mean, variance, u);
  for (std::size_t i = 0; i < tile_size; ++i) h[i] = static_cast<float>(2 * u[i]);
}

/// x·g for one column.
HARTLINE_INLINE void multiply(const float* x, const float* g, std::size_t stride, std::size_t dim, float start, Floats* p) {
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) p[r] = spread(start);
  for (std::size_t k = 0; k < dim; ++k) {
    const Floats factor = spread(g[k * stride]);
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r) p[r] += load(x + k * tile_size + r * width) * factor;
  }
}

/// v ← v - shrink (x·g)² for one step more of a tile.
HARTLINE_CLONES void take_extra(const float* x, const float* g, std::size_t dim, float bias_g, float shrink, float* v) {
  Floats q[rows];
  multiply(x, g, 1, dim, bias_g, q);
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) store(v + r * width, load(v + r * width) - (spread(shrink) * q[r]) * q[r]);
}

void take_extras(const Pass& pass, std::size_t at, const float* x, bool keep, float* v) {
  for (const ExtraStep& step : pass.extra)
    if (step.keep == keep && step.shrink[at] != 0)
      take_extra(x, step.g + at * pass.dim, pass.dim, step.bias_g[at], step.shrink[at], v);
}

/// Takes the steps of cell `at` in, given p = x·g of the first; v then holds what is kept, `used` what the utility sees.
HARTLINE_INLINE void change_variances(const Pass& pass, std::size_t at, const float* x, const Floats* p, bool update, Floats* v,
                                      Floats* used) {
  const CellPass& cell = pass.cells[at];
  const float* norm = x + pass.dim * tile_size;
  if (update) {
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r) v[r] -= (spread(cell.shrink) * p[r]) * p[r];
    if (cell.inflate != 0 || cell.inflate_bias != 0)
#pragma GCC unroll 8
      for (int r = 0; r < rows; ++r) v[r] += spread(cell.inflate) * load(norm + r * width) + spread(cell.inflate_bias);
    if (!pass.extra.empty()) {
      alignas(64) float values[tile_size];
#pragma GCC unroll 8
      for (int r = 0; r < rows; ++r) store(values + r * width, v[r]);
      take_extras(pass, at, x, true, values);
#pragma GCC unroll 8
      for (int r = 0; r < rows; ++r) v[r] = load(values + r * width);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) used[r] = v[r] = larger(v[r], spread(0.0f));
  if (cell.expect != 0 || cell.expect_bias != 0)
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r) used[r] += spread(cell.expect) * load(norm + r * width) + spread(cell.expect_bias);
  if (!pass.extra.empty()) {
    alignas(64) float values[tile_size];
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r) store(values + r * width, used[r]);
    take_extras(pass, at, x, false, values);
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r) used[r] = larger(load(values + r * width), spread(0.0f));
  }
}

/// Sums over the cells, for the stimuli of a tile.
struct Sums {
  Floats h[rows] = {};                      // Σ log(1 + w), or what has been weighted
  Floats product[rows] = {};                // Π (1 + w) - 1 over the last few cells
  Floats least[rows];                       // of w
  Floats rate[rows] = {}, seen[rows] = {};  // Σ D, Σ D/(1 + D v)
};

template <Aggregate aggregate>
HARTLINE_INLINE void add(Sums& sums, int r, Floats w, Floats rate, float weight) {
  if constexpr (aggregate == Aggregate::weighted) sums.h[r] += spread(weight) * log1p(w);
  if constexpr (aggregate == Aggregate::worst) sums.least[r] = smaller(w, sums.least[r]);
  if constexpr (aggregate == Aggregate::shared_gain) {
    sums.rate[r] += rate;
    sums.seen[r] += rate / (spread(1.0f) + w);
  }
  if constexpr (aggregate == Aggregate::sum || aggregate == Aggregate::shared_gain) sums.product[r] += w + w * sums.product[r];
}

/// The products become logarithms.
HARTLINE_INLINE void fold(Sums& sums) {
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) {
    sums.h[r] += log1p(sums.product[r]);
    sums.product[r] = spread(0.0f);
  }
}

template <Aggregate aggregate>
HARTLINE_INLINE void add_cell(const Pass& pass, std::size_t at, const Floats* m, const Floats* v, Sums& sums) {
  Floats total[rows], top_v = spread(0.0f), top_m = spread(0.0f);
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) {
    total[r] = aggregate == Aggregate::shared_gain ? v[r] + spread(pass.gain_variance) : v[r];
    top_v = larger(total[r], top_v);
    top_m = larger(m[r], top_m);
  }
  const float weight = pass.cells[at].weight;
  if (!any_above(larger(top_v * spread(fast_offset / fast_variance), top_m), fast_offset)) [[likely]] {
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r) {
      Floats quotient;
      const Floats rate = exp(m[r]), w = information(v[r] * rate, total[r], quotient);
      add<aggregate>(sums, r, w, rate * quotient, weight);
    }
    return;
  }
  fold(sums);
  alignas(64) float means[tile_size], variances[tile_size], totals[tile_size], hs[tile_size];
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) {
    store(means + r * width, m[r]);
    store(variances + r * width, v[r]);
    store(totals + r * width, total[r]);
  }
  (any_above(top_v, middle_variance) || any_above(top_m, middle_offset) ? integrate_in_double : integrate_tile)(means, variances,
                                                                                                                totals, hs);
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) {
    const Floats h = load(hs + r * width), w = expm1(smaller(h, spread(80.0f))), rate = w / larger(v[r], spread(1e-30f));
    if constexpr (aggregate == Aggregate::weighted)
      sums.h[r] += spread(weight) * h;
    else {
      add<aggregate>(sums, r, w, rate, weight);
      sums.product[r] = spread(0.0f);
      if constexpr (aggregate != Aggregate::worst) sums.h[r] += h;
    }
  }
}

/// num cells from `at` on, which share the reading of x.
template <Aggregate aggregate, bool update, int num>
HARTLINE_INLINE void add_cells(const Pass& pass, std::size_t at, const float* x, float* v, Sums& sums) {
  Floats p[num][rows], m[num][rows];
  const float* columns = pass.columns + at * pass.dim * 2;
#pragma GCC unroll 8
  for (int c = 0; c < num; ++c)
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r) {
      p[c][r] = spread(pass.cells[at + static_cast<std::size_t>(c)].bias_g);
      m[c][r] = spread(pass.cells[at + static_cast<std::size_t>(c)].offset);
    }
  for (std::size_t k = 0; k < pass.dim; ++k) {
    Floats row[rows];
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r) row[r] = load(x + k * tile_size + r * width);
#pragma GCC unroll 8
    for (int c = 0; c < num; ++c) {
      const float* pair = columns + (static_cast<std::size_t>(c) * pass.dim + k) * 2;
      const Floats g = spread(pair[0]), mean = spread(pair[1]);
#pragma GCC unroll 8
      for (int r = 0; r < rows; ++r) {
        if constexpr (update) p[c][r] += row[r] * g;
        m[c][r] += row[r] * mean;
      }
    }
  }
#pragma GCC unroll 8
  for (int c = 0; c < num; ++c) {
    const std::size_t cell = at + static_cast<std::size_t>(c);
    float* kept = v + pass.cells[cell].cell * tile_size;
    Floats variance[rows], used[rows];
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r) variance[r] = load(kept + r * width);
    change_variances(pass, cell, x, p[c], update, variance, used);
    if constexpr (update)
#pragma GCC unroll 8
      for (int r = 0; r < rows; ++r) store(kept + r * width, variance[r]);
    add_cell<aggregate>(pass, cell, m[c], used, sums);
  }
}

template <Aggregate aggregate, bool update>
HARTLINE_INLINE void score(const Pass& pass, const float* x, float* v, double* out) {
  Sums sums;
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) sums.least[r] = spread(std::numeric_limits<float>::max());
  const std::size_t num = pass.cells.size();
  std::size_t at = 0;
  for (; at + 2 <= num; at += 2) {
    const std::size_t ahead = pass.cells[std::min(at + 12, num - 1)].cell;
    for (std::size_t i = 0; i < 2 * tile_size; i += 16) __builtin_prefetch(v + ahead * tile_size + i, 1);
    add_cells<aggregate, update, 2>(pass, at, x, v, sums);
    if (aggregate != Aggregate::worst && aggregate != Aggregate::weighted && at % 8 == 6) fold(sums);
  }
  if (at < num) add_cells<aggregate, update, 1>(pass, at, x, v, sums);
  fold(sums);
  if (num == 0)
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r) sums.least[r] = spread(0.0f);
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r)
    for (int k = 0; k < width; ++k) {
      double h =
          aggregate == Aggregate::worst ? std::log1p(static_cast<double>(sums.least[r][k])) : static_cast<double>(sums.h[r][k]);
      if constexpr (aggregate == Aggregate::shared_gain)
        h += std::log1p(static_cast<double>(pass.gain_variance * sums.seen[r][k])) -
             std::log1p(static_cast<double>(pass.gain_variance * sums.rate[r][k]));
      out[r * width + k] = 0.5 * h;
    }
}

}  // namespace

HARTLINE_CLONES void take_in(const Pass& pass, const float* x, float* v) {
  for (std::size_t at = 0; at < pass.cells.size(); ++at) {
    float* kept = v + pass.cells[at].cell * tile_size;
    Floats p[rows], variance[rows], used[rows];
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r) variance[r] = load(kept + r * width);
    multiply(x, pass.columns + at * pass.dim * 2, 2, pass.dim, pass.cells[at].bias_g, p);
    change_variances(pass, at, x, p, true, variance, used);
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r) store(kept + r * width, variance[r]);
  }
}

#define HARTLINE_SCORE(name, aggregate)                                                             \
  HARTLINE_CLONES void name(const Pass& pass, bool update, const float* x, float* v, double* out) { \
    if (update)                                                                                     \
      score<aggregate, true>(pass, x, v, out);                                                      \
    else                                                                                            \
      score<aggregate, false>(pass, x, v, out);                                                     \
  }
namespace {
HARTLINE_SCORE(score_sum, Aggregate::sum)
HARTLINE_SCORE(score_weighted, Aggregate::weighted)
HARTLINE_SCORE(score_worst, Aggregate::worst)
HARTLINE_SCORE(score_shared_gain, Aggregate::shared_gain)
}  // namespace
#undef HARTLINE_SCORE

void score_exp_counts(const Pass& pass, bool update, const float* x, float* v, double* out) {
  switch (pass.aggregate) {
    case Aggregate::sum:
      return score_sum(pass, update, x, v, out);
    case Aggregate::weighted:
      return score_weighted(pass, update, x, v, out);
    case Aggregate::worst:
      return score_worst(pass, update, x, v, out);
    case Aggregate::shared_gain:
      return score_shared_gain(pass, update, x, v, out);
  }
}

HARTLINE_CLONES void project_cell(const Pass& pass, std::size_t at, const float* x, const float* v, double* m, double* variance) {
  const float* kept = v + pass.cells[at].cell * tile_size;
  Floats mean[rows], now[rows], used[rows];
  multiply(x, pass.columns + at * pass.dim * 2 + 1, 2, pass.dim, pass.cells[at].offset, mean);
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) now[r] = load(kept + r * width);
  change_variances(pass, at, x, mean, false, now, used);
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r)
    for (int k = 0; k < width; ++k) {
      m[r * width + k] = static_cast<double>(mean[r][k]);
      variance[r * width + k] = static_cast<double>(used[r][k]);
    }
}

}  // namespace hartline::design
