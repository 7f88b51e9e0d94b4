#include "dynamics/noise.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "numerics/lanes.hpp"

namespace hartline::dynamics {

namespace {

using numerics::LaneBits;
using numerics::Lanes;
using numerics::num_lanes;
using Words = std::uint64_t __attribute__((vector_size(8 * sizeof(std::uint64_t))));  // 32 bits in each

HARTLINE_INLINE Words same(std::uint64_t x) { return Words{x, x, x, x, x, x, x, x}; }

/// Eight counters at once; two uniform numbers of each.
HARTLINE_INLINE void draw(const NoiseSource& source, std::int64_t step, std::uint64_t block, Lanes& a, Lanes& b) {
  const Words low = same(0xffffffffu);
  const auto at = static_cast<std::uint64_t>(step);
  Words c0 = same(block * 8) + Words{0, 1, 2, 3, 4, 5, 6, 7}, c1 = same(at & 0xffffffffu), c2 = same(at >> 32),
        c3 = same(source.source);
  c0 &= low;
  std::uint64_t k0 = source.seed & 0xffffffffu, k1 = source.seed >> 32;
  for (int round = 0; round < 10; ++round) {
    const Words p0 = c0 * same(0xD2511F53u), p1 = c2 * same(0xCD9E8D57u);
    const Words n0 = (p1 >> 32) ^ c1 ^ same(k0), n2 = (p0 >> 32) ^ c3 ^ same(k1);
    c1 = p1 & low;
    c3 = p0 & low;
    c0 = n0;
    c2 = n2;
    k0 = (k0 + 0x9E3779B9u) & 0xffffffffu;
    k1 = (k1 + 0xBB67AE85u) & 0xffffffffu;
  }
  const auto uniform = [](Words high, Words rest) {
    return __builtin_convertvector(((high << 32) | rest) >> 11, Lanes) * numerics::spread(0x1p-53);
  };
  a = uniform(c0, c1);
  b = uniform(c2, c3);
}

/// cos and sin of a share of a turn, in [0, 1).
HARTLINE_INLINE void turn(Lanes share, Lanes& cosine, Lanes& sine) {
  const Lanes shift = numerics::spread(0x1.8p52);
  const Lanes quarters = (share * 4.0 + shift) - shift;
  const LaneBits quarter = __builtin_convertvector(quarters, LaneBits);
  const Lanes r = (share - quarters * 0.25) * (2 * std::numbers::pi), s = r * r;
  Lanes odd = numerics::spread(-1.0 / 1307674368000.0), even = numerics::spread(1.0 / 20922789888000.0);
  for (const double c : {1.0 / 6227020800.0, -1.0 / 39916800.0, 1.0 / 362880.0, -1.0 / 5040.0, 1.0 / 120.0, -1.0 / 6.0})
    odd = odd * s + c;
  for (const double c : {-1.0 / 87178291200.0, 1.0 / 479001600.0, -1.0 / 3628800.0, 1.0 / 40320.0, -1.0 / 720.0, 1.0 / 24.0, -0.5})
    even = even * s + c;
  const Lanes sin_r = r + r * s * odd, cos_r = 1.0 + s * even;
  const LaneBits swaps = (quarter & 1) != 0, minus_cos = ((quarter + 1) & 2) != 0, minus_sin = (quarter & 2) != 0;
  cosine = swaps ? sin_r : cos_r;
  sine = swaps ? cos_r : sin_r;
  cosine = minus_cos ? -cosine : cosine;
  sine = minus_sin ? -sine : sine;
}

HARTLINE_INLINE void put(double* out, std::size_t num, std::size_t at, Lanes v) {
  if (at >= num) return;
  if (num - at >= num_lanes)
    numerics::store(out + at, v);
  else
    numerics::store_part(out + at, v, static_cast<int>(num - at));
}

HARTLINE_CLONES void uniform_rows(const NoiseSource& source, std::int64_t step, std::size_t first, std::size_t num, double* out) {
  for (std::size_t at = 0; at < num; at += noise_block) {
    Lanes a, b;
    draw(source, step, (first + at) / noise_block, a, b);
    put(out, num, at, a);
    put(out, num, at + num_lanes, b);
  }
}

HARTLINE_CLONES void normal_rows(const NoiseSource& source, std::int64_t step, std::size_t first, std::size_t num, double* out) {
  for (std::size_t at = 0; at < num; at += noise_block) {
    Lanes a, b, cosine, sine, radius;
    draw(source, step, (first + at) / noise_block, a, b);
    const Lanes square = -2.0 * numerics::log(1.0 - a);
    for (int k = 0; k < num_lanes; ++k) radius[k] = std::sqrt(square[k]);
    turn(b, cosine, sine);
    put(out, num, at, radius * cosine);
    put(out, num, at + num_lanes, radius * sine);
  }
}

}  // namespace

void fill_uniform(const NoiseSource& source, std::int64_t step, std::size_t first, std::size_t num, double* out) {
  uniform_rows(source, step, first, num, out);
}

void fill_normal(const NoiseSource& source, std::int64_t step, std::size_t first, std::size_t num, double* out) {
  normal_rows(source, step, first, num, out);
}

}  // namespace hartline::dynamics
