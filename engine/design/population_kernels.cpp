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
using numerics::FloatLanes;
using numerics::largest_lanes;
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

/// x·g + start for a few cells one after the other, which share the reading of x. Fetches what is kept of as many cells from
/// `ahead` on, a little at a time: a processor waits for a dozen lines, and stands still at one more.
template <int num>
HARTLINE_INLINE void multiply(const float* x, const float* g, std::size_t dim, const float* ahead, Floats* p) {
  constexpr std::size_t line = 16, num_lines = num * 2 * tile_size / line;
  for (std::size_t k = 0, at = 0; k < dim; ++k) {
    for (; at < num_lines && at * dim < (k + 1) * num_lines; ++at) __builtin_prefetch(ahead + at * line, 1);
    const Floats row = load<4>(x + k * tile_size);
#pragma GCC unroll 4
    for (int c = 0; c < num; ++c) p[c] = p[c] + row * g[c * dim + k];
  }
}

/// v ← v - shrink (x·g)² and m ← m + mean_step x·g for one step more of a tile.
HARTLINE_CLONES void take_extra(const float* x, const float* g, std::size_t dim, float bias_g, float shrink, float mean_step,
                                float* v, float* m) {
  Floats p = spread<4>(bias_g);
  multiply<1>(x, g, dim, x, &p);
  store(v, load<4>(v) - p * shrink * p);
  store(m, load<4>(m) + p * mean_step);
}

void take_extras(const Pass& pass, std::size_t at, const float* x, bool keep, float* v, float* m) {
  for (const ExtraStep& step : pass.extra)
    if (step.keep == keep && (step.shrink[at] != 0 || step.mean_step[at] != 0))
      take_extra(x, step.g + at * pass.dim, pass.dim, step.bias_g[at], step.shrink[at], step.mean_step[at], v, m);
}

/// What a plain cell has not: v and m are kept, the others are what the utility sees. Apart from the loop, as it is rare.
HARTLINE_CLONES void change_further(const Pass& pass, std::size_t at, const float* x, bool update, float* v, float* used_v,
                                    float* used_m) {
  const CellPass& cell = pass.cells[at];
  const Floats norm = load<4>(x + pass.dim * tile_size);
  float* m = v + tile_size;
  if (update) {
    store(v, load<4>(v) + (norm * cell.inflate + cell.inflate_bias));
    take_extras(pass, at, x, true, v, m);
    store(v, no_less_than_zero(load<4>(v)));
  }
  store(used_v, load<4>(v) + (norm * cell.expect + cell.expect_bias));
  store(used_m, load<4>(m));
  take_extras(pass, at, x, false, used_v, used_m);
  store(used_v, no_less_than_zero(load<4>(used_v)));
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

/// Means and variances of num cells from `at` on, number `first` … of a group.
template <bool update, int num>
HARTLINE_INLINE void project(const Pass& pass, std::size_t at, const float* x, float* kept, std::size_t first, Group& group,
                             FloatLanes& top_v, FloatLanes& top_m) {
  Floats p[num];
  if constexpr (update) {
#pragma GCC unroll 4
    for (int c = 0; c < num; ++c) p[c] = spread<4>(pass.cells[at + c].bias_g);
    multiply<num>(x, pass.g + at * pass.dim, pass.dim,
                  kept + pass.cells[std::min(at + 8, pass.cells.size() - 1)].cell * 2 * tile_size, p);
  }
#pragma GCC unroll 4
  for (int c = 0; c < num; ++c) {
    const CellPass& cell = pass.cells[at + c];
    float *v = kept + cell.cell * 2 * tile_size, *m = v + tile_size;
    float *used_v = group.v[first + c].of, *used_m = group.m[first + c].of;
    Floats variance = load<4>(v), mean = load<4>(m);
    if constexpr (update) {
      variance = variance - p[c] * cell.shrink * p[c];
      mean = mean + p[c] * cell.mean_step;
      if (cell.plain) [[likely]]
        variance = no_less_than_zero(variance);
      store(v, variance);
      store(m, mean);
    }
    if (cell.plain) [[likely]] {
      store(used_v, variance);
      store(used_m, mean);
    } else {
      change_further(pass, at + c, x, update, v, used_v, used_m);
      variance = load<4>(used_v);
      mean = load<4>(used_m);
    }
    const FloatLanes most_v = largest_lanes(variance), most_m = largest_lanes(mean);
    top_v = (most_v > top_v) ? most_v : top_v;
    top_m = (most_m > top_m) ? most_m : top_m;
  }
  constexpr int both = num > 1 ? 2 : 1;
  for (std::size_t c = first; c < first + num; c += both) store(group.rate[c].of, exp(load<4 * both>(group.m[c].of)));
}

template <bool update>
HARTLINE_INLINE void score(const Pass& pass, const float* x, float* kept, double* out) {
  const std::size_t num = pass.cells.size();
  const bool worst = pass.aggregate == Aggregate::worst && num > 0;
  Group group;
  Sums sums;
  store(sums.h.of, spread<4>(worst ? std::numeric_limits<float>::max() : 0.0f));
  store(sums.rate.of, spread<4>(0.0f));
  store(sums.seen.of, spread<4>(0.0f));
  for (std::size_t at = 0; at < num; at += group_size) {
    const std::size_t count = std::min(group_size, num - at);
    FloatLanes top_v{}, top_m{};
    std::size_t c = 0;
    for (; c + 4 <= count; c += 4) project<update, 4>(pass, at + c, x, kept, c, group, top_v, top_m);
    for (; c < count; ++c) project<update, 1>(pass, at + c, x, kept, c, group, top_v, top_m);
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
HARTLINE_CLONES void score_updated(const Pass& pass, const float* x, float* kept, double* out) { score<true>(pass, x, kept, out); }
HARTLINE_CLONES void score_as_it_is(const Pass& pass, const float* x, float* kept, double* out) {
  score<false>(pass, x, kept, out);
}

}  // namespace

HARTLINE_CLONES void take_in(const Pass& pass, const float* x, float* kept) {
  Row used_v, used_m;
  for (std::size_t at = 0; at < pass.cells.size(); ++at) {
    const CellPass& cell = pass.cells[at];
    float *v = kept + cell.cell * 2 * tile_size, *m = v + tile_size;
    Floats p = spread<4>(cell.bias_g);
    multiply<1>(x, pass.g + at * pass.dim, pass.dim, v + 8 * 2 * tile_size, &p);
    const Floats variance = load<4>(v) - p * cell.shrink * p;
    store(v, cell.plain ? no_less_than_zero(variance) : variance);
    store(m, load<4>(m) + p * cell.mean_step);
    if (!cell.plain) change_further(pass, at, x, true, v, used_v.of, used_m.of);
  }
}

void score_exp_counts(const Pass& pass, bool update, const float* x, float* kept, double* out) {
  (update ? score_updated : score_as_it_is)(pass, x, kept, out);
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

HARTLINE_CLONES void linear_forms(const double* mean, std::size_t dim, const double* x, double* m) {
  std::fill_n(m, tile_size, 0.0);
  for (std::size_t k = 0; k < dim; ++k)
    for (std::size_t i = 0; i < tile_size; ++i) m[i] += mean[k] * x[k * tile_size + i];
}

void project_cell(const Pass& pass, std::size_t at, const float* x, const float* kept, double* m, double* variance) {
  Row now[2], v, mean;
  std::copy_n(kept + pass.cells[at].cell * 2 * tile_size, 2 * tile_size, now[0].of);
  change_further(pass, at, x, false, now[0].of, v.of, mean.of);
  for (std::size_t i = 0; i < tile_size; ++i) {
    m[i] = static_cast<double>(mean.of[i]);
    variance[i] = static_cast<double>(v.of[i]);
  }
}

}  // namespace hartline::design
