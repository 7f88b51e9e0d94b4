#include "design/population_kernels.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "design/exp_count_lanes.hpp"
#include "design/utility.hpp"

namespace hartline::design {

namespace {

using numerics::expm1;
using numerics::load;
using numerics::store;

static_assert(tile_size * sizeof(float) == sizeof(Floats));

constexpr std::size_t group_size = 8;  // cells between two logarithms
constexpr float middle_variance = 12;
constexpr float fast_offset = 10, middle_offset = 20;  // of m: eight factors 1 + w then stay below 1e38

/// A number for every stimulus of a tile.
struct Row {
  alignas(64) float of[tile_size];
};

/// What the utility sees of a few cells: mean m of the log rate (log Δ included), e^m and variance, and then w = e^h - 1 (below).
/// The formulas write rows that stay in the nearest cache, so that each is compiled once.
struct Group {
  Row m[group_size], rate[group_size], v[group_size], w[group_size];
};

/// Sums over the cells, for the stimuli of a tile.
struct Sums {
  Row h;           // Σ log(1 + w), weighted or not; the least w
  Row rate, seen;  // Σ D, Σ D/(1 + D v), with a shared gain
};

/// h of a tile, 1 < v <= 12 and m <= 20; `total` is the variance of the log rate. Apart from the loop, which has no room for it.
HARTLINE_CLONES void integrate_tile(const float* m, const float* v, const float* total, float* h) {
  store(h, integrate(load<4>(v) * exp(load<4>(m)), load<4>(total)));
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
HARTLINE_INLINE Floats multiply(const float* x, const float* g, std::size_t stride, std::size_t dim, float start) {
  Floats p = spread<4>(start);
  for (std::size_t k = 0; k < dim; ++k) p = p + load<4>(x + k * tile_size) * g[k * stride];
  return p;
}

/// v ← v - shrink (x·g)² for one step more of a tile.
HARTLINE_CLONES void take_extra(const float* x, const float* g, std::size_t dim, float bias_g, float shrink, float* v) {
  const Floats p = multiply(x, g, 1, dim, bias_g);
  store(v, load<4>(v) - p * shrink * p);
}

void take_extras(const Pass& pass, std::size_t at, const float* x, bool keep, float* v) {
  for (const ExtraStep& step : pass.extra)
    if (step.keep == keep && step.shrink[at] != 0)
      take_extra(x, step.g + at * pass.dim, pass.dim, step.bias_g[at], step.shrink[at], v);
}

/// What a plain cell has not: v is kept, `used` is what the utility sees. Apart from the loop, as it is rare.
HARTLINE_CLONES void change_further(const Pass& pass, std::size_t at, const float* x, bool update, float* v, float* used) {
  const CellPass& cell = pass.cells[at];
  const Floats norm = load<4>(x + pass.dim * tile_size);
  if (update) {
    store(v, load<4>(v) + (norm * cell.inflate + cell.inflate_bias));
    take_extras(pass, at, x, true, v);
    store(v, no_less_than_zero(load<4>(v)));
  }
  store(used, load<4>(v) + (norm * cell.expect + cell.expect_bias));
  take_extras(pass, at, x, false, used);
  store(used, no_less_than_zero(load<4>(used)));
}

/// w of cells number first … first + num - 1 of a group by the fit of that reach; with a shared gain D takes the place of the rate.
template <Reach reach>
HARTLINE_INLINE void fit(Group& group, std::size_t first, std::size_t num, float gain_variance) {
  for (std::size_t c = first; c < first + num; ++c) {
    const Floats rate = load<4>(group.rate[c].of), v = load<4>(group.v[c].of);
    Floats total = v, quotient;
    if (gain_variance > 0) total = v + gain_variance;
    store(group.w[c].of, information<reach>(v * rate, total, quotient));
    if (gain_variance > 0) store(group.rate[c].of, rate * quotient);
  }
}
HARTLINE_CLONES void fit_quarter(Group& group, std::size_t first, std::size_t num, float gain_variance) {
  fit<Reach::quarter>(group, first, num, gain_variance);
}
HARTLINE_CLONES void fit_half(Group& group, std::size_t first, std::size_t num, float gain_variance) {
  fit<Reach::half>(group, first, num, gain_variance);
}
HARTLINE_CLONES void fit_one(Group& group, std::size_t first, std::size_t num, float gain_variance) {
  fit<Reach::one>(group, first, num, gain_variance);
}

/// Σ log(1 + w) by one logarithm.
HARTLINE_CLONES void add_logarithm(const Group& group, std::size_t num, Sums& sums) {
  Floats product = spread<4>(0.0f);  // Π (1 + w) - 1
  for (std::size_t c = 0; c < num; ++c) {
    const Floats w = load<4>(group.w[c].of);
    product = product + (w + w * product);
  }
  store(sums.h.of, load<4>(sums.h.of) + log1p(product));
}
HARTLINE_CLONES void add_weighted(const Group& group, std::size_t num, const CellPass* cells, Sums& sums) {
  for (std::size_t c = 0; c < num; ++c) store(sums.h.of, load<4>(sums.h.of) + log1p(load<4>(group.w[c].of)) * cells[c].weight);
}
HARTLINE_CLONES void take_least(const Group& group, std::size_t num, Sums& sums) {
  for (std::size_t c = 0; c < num; ++c) store(sums.h.of, smaller(load<4>(group.w[c].of), load<4>(sums.h.of)));
}
HARTLINE_CLONES void add_rates(const Group& group, std::size_t num, Sums& sums) {
  for (std::size_t c = 0; c < num; ++c) {
    const Floats rate = load<4>(group.rate[c].of);
    store(sums.rate.of, load<4>(sums.rate.of) + rate);
    store(sums.seen.of, load<4>(sums.seen.of) + rate / (load<4>(group.w[c].of) + 1.0f));
  }
}

void add(const Pass& pass, const Group& group, std::size_t at, std::size_t num, Sums& sums) {
  if (pass.aggregate == Aggregate::worst) return take_least(group, num, sums);
  if (pass.aggregate == Aggregate::weighted) return add_weighted(group, num, &pass.cells[at], sums);
  if (pass.aggregate == Aggregate::shared_gain) add_rates(group, num, sums);
  add_logarithm(group, num, sums);
}

/// Takes account of a cell by its h at once, as w may be too large for a product; leaves what adds nothing.
HARTLINE_CLONES void add_apart(const Pass& pass, Group& group, std::size_t c, const Row& h, float weight, Sums& sums) {
  const bool worst = pass.aggregate == Aggregate::worst;
  const Floats whole = load<4>(h.of), w = expm1(smaller(whole, spread<4>(80.0f))), before = load<4>(sums.h.of);
  const Floats rate = w / larger(load<4>(group.v[c].of), spread<4>(1e-30f));
  store(sums.h.of, worst ? smaller(w, before) : before + whole * weight);
  store(sums.rate.of, load<4>(sums.rate.of) + rate);
  store(sums.seen.of, load<4>(sums.seen.of) + rate / (w + 1.0f));
  store(group.w[c].of, spread<4>(worst ? std::numeric_limits<float>::max() : 0.0f));
  store(group.rate[c].of, spread<4>(0.0f));
}

/// One cell of a group, wherever its means and variances are.
void fit_apart(const Pass& pass, Group& group, std::size_t at, std::size_t c, Sums& sums) {
  Row total, h;
  float top_v = 0, top_m = group.m[c].of[0];
  for (std::size_t i = 0; i < tile_size; ++i) {
    total.of[i] = group.v[c].of[i] + pass.gain_variance;
    top_v = std::max(top_v, total.of[i]);
    top_m = std::max(top_m, group.m[c].of[i]);
  }
  if (top_v <= largest_variance(Reach::one) && top_m <= fast_offset) return fit_one(group, c, 1, pass.gain_variance);
  const bool middle = top_v <= middle_variance && top_m <= middle_offset;
  (middle ? integrate_tile : integrate_in_double)(group.m[c].of, group.v[c].of, total.of, h.of);
  add_apart(pass, group, c, h, pass.cells[at + c].weight, sums);
}

/// Means and variances of num cells from `at` on, number `first` … of a group, which share the reading of x.
template <bool update, int num>
HARTLINE_INLINE void project(const Pass& pass, std::size_t at, const float* x, float* v, std::size_t first, Group& group,
                             Floats& top_v, Floats& top_m) {
  Floats p[num], m[num];
#pragma GCC unroll 8
  for (int c = 0; c < num; ++c) {
    p[c] = spread<4>(pass.cells[at + c].bias_g);
    m[c] = spread<4>(pass.cells[at + c].offset);
  }
  const float* columns = pass.columns + at * pass.dim * 2;
  for (std::size_t k = 0; k < pass.dim; ++k) {
    const Floats row = load<4>(x + k * tile_size);
#pragma GCC unroll 8
    for (int c = 0; c < num; ++c) {
      const float* pair = columns + (c * pass.dim + k) * 2;
      if constexpr (update) p[c] = p[c] + row * pair[0];
      m[c] = m[c] + row * pair[1];
    }
  }
#pragma GCC unroll 8
  for (int c = 0; c < num; ++c) {
    const CellPass& cell = pass.cells[at + c];
    float *kept = v + cell.cell * tile_size, *used = group.v[first + c].of;
    Floats variance = load<4>(kept);
    if constexpr (update) variance = variance - p[c] * cell.shrink * p[c];
    if (cell.plain) [[likely]] {
      variance = no_less_than_zero(variance);
      if constexpr (update) store(kept, variance);
      store(used, variance);
    } else {
      if constexpr (update) store(kept, variance);
      change_further(pass, at + c, x, update, kept, used);
      variance = load<4>(used);
    }
    store(group.m[first + c].of, m[c]);
    top_v = larger(variance, top_v);
    top_m = larger(m[c], top_m);
  }
  store(group.rate[first].of, exp(load<4 * num>(group.m[first].of)));
}

template <bool update>
HARTLINE_INLINE void score(const Pass& pass, const float* x, float* v, double* out) {
  const std::size_t num = pass.cells.size();
  const bool worst = pass.aggregate == Aggregate::worst && num > 0;
  Group group;
  Sums sums;
  store(sums.h.of, spread<4>(worst ? std::numeric_limits<float>::max() : 0.0f));
  store(sums.rate.of, spread<4>(0.0f));
  store(sums.seen.of, spread<4>(0.0f));
  for (std::size_t at = 0; at < num; at += group_size) {
    const std::size_t count = std::min(group_size, num - at);
    Floats top_v = spread<4>(0.0f), top_m = spread<4>(0.0f);
    std::size_t c = 0;
    for (; c + 2 <= count; c += 2) {
      const std::size_t ahead = pass.cells[std::min(at + c + 12, num - 1)].cell;
      for (std::size_t i = 0; i < 2 * tile_size; i += 16) __builtin_prefetch(v + ahead * tile_size + i, 1);
      project<update, 2>(pass, at + c, x, v, c, group, top_v, top_m);
    }
    if (c < count) project<update, 1>(pass, at + c, x, v, c, group, top_v, top_m);
    const float top = largest(top_v) + pass.gain_variance;
    if (!(top <= largest_variance(Reach::one)) || largest(top_m) > fast_offset)
      for (c = 0; c < count; ++c) fit_apart(pass, group, at, c, sums);
    else
      (top > largest_variance(Reach::half)      ? fit_one
       : top > largest_variance(Reach::quarter) ? fit_half
                                                : fit_quarter)(group, 0, count, pass.gain_variance);
    add(pass, group, at, count, sums);
  }
  for (std::size_t i = 0; i < tile_size; ++i) {
    const double h = static_cast<double>(sums.h.of[i]);
    out[i] = 0.5 * (worst ? std::log1p(h) : h);
    if (pass.gain_variance > 0)
      out[i] += 0.5 * std::log1p(static_cast<double>(pass.gain_variance * sums.seen.of[i])) -
                0.5 * std::log1p(static_cast<double>(pass.gain_variance * sums.rate.of[i]));
  }
}
HARTLINE_CLONES void score_updated(const Pass& pass, const float* x, float* v, double* out) { score<true>(pass, x, v, out); }
HARTLINE_CLONES void score_as_it_is(const Pass& pass, const float* x, float* v, double* out) { score<false>(pass, x, v, out); }

}  // namespace

HARTLINE_CLONES void take_in(const Pass& pass, const float* x, float* v) {
  Row used;
  for (std::size_t at = 0; at < pass.cells.size(); ++at) {
    const CellPass& cell = pass.cells[at];
    float* kept = v + cell.cell * tile_size;
    const Floats p = multiply(x, pass.columns + at * pass.dim * 2, 2, pass.dim, cell.bias_g);
    const Floats variance = load<4>(kept) - p * cell.shrink * p;
    store(kept, cell.plain ? no_less_than_zero(variance) : variance);
    if (!cell.plain) change_further(pass, at, x, true, kept, used.of);
  }
}

void score_exp_counts(const Pass& pass, bool update, const float* x, float* v, double* out) {
  (update ? score_updated : score_as_it_is)(pass, x, v, out);
}

HARTLINE_CLONES void quadratic_forms(const double* covariance, std::size_t dim, const double* x, double* v) {
  using numerics::Lanes;
  constexpr std::size_t num = tile_size / numerics::num_lanes;
  Lanes total[num] = {};
  for (std::size_t k = 0; k < dim; ++k) {
    Lanes below[num] = {};  // Σ C_kl x_l over l < k, which count twice
    for (std::size_t l = 0; l < k; ++l) {
      const Lanes c = numerics::spread(covariance[k * dim + l]);
#pragma GCC unroll 8
      for (std::size_t i = 0; i < num; ++i) below[i] += c * numerics::load(x + l * tile_size + i * numerics::num_lanes);
    }
    const Lanes c = numerics::spread(covariance[k * dim + k]);
#pragma GCC unroll 8
    for (std::size_t i = 0; i < num; ++i) {
      const Lanes here = numerics::load(x + k * tile_size + i * numerics::num_lanes);
      total[i] += here * (c * here + (below[i] + below[i]));
    }
  }
#pragma GCC unroll 8
  for (std::size_t i = 0; i < num; ++i) numerics::store(v + i * numerics::num_lanes, total[i]);
}

HARTLINE_CLONES void project_cell(const Pass& pass, std::size_t at, const float* x, const float* v, double* m, double* variance) {
  const CellPass& cell = pass.cells[at];
  Row mean, kept, used;
  store(mean.of, multiply(x, pass.columns + at * pass.dim * 2 + 1, 2, pass.dim, cell.offset));
  store(kept.of, load<4>(v + cell.cell * tile_size));
  change_further(pass, at, x, false, kept.of, used.of);
  for (std::size_t i = 0; i < tile_size; ++i) {
    m[i] = static_cast<double>(mean.of[i]);
    variance[i] = static_cast<double>(used.of[i]);
  }
}

}  // namespace hartline::design
