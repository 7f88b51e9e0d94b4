// Functions over lanes, written once for every executor: V is a vector of doubles with + - * /, and these beside it:
//
//   like(v, c)            the number c in every lane
//   less(a, b), unequal(a, b)   masks       choose(mask, a, b)
//   multiply_add(a, b, c)   a b + c, rounded once where the machine can       rounded(v)   v, rounded before it is added to
//   integers(v), round_to_int(v, c, k)    v c rounded to the nearest whole number, and as integers in k
//   power_of_two(k)       2^k for -1022 <= k <= 1023      half(k)  k / 2 downwards      k - j, k - 1
//   split(v, k)           v > 0, normal: v = 2^k m, m in [√½, √2); returns m
//   head(v)               v without its last 27 bits: the product of two heads is exact      negative(v)   mask: below 0 or -0
//
// Executors that agree on what multiply_add does have the same digits: every product that is added to something is either an
// argument of multiply_add or rounded, so that no compiler has a choice, or is exact, so that the choice makes no difference.
//
// Ranges are all doubles unless said otherwise; what overflows is infinite, what has no value is not a number.
// (math_kernels_test.cpp: MathKernels.KeepTheirStatedAccuracy, against a 113-bit reference)
#pragma once

#include "numerics/lanes.hpp"

namespace hartline::equations::math {

// --- lanes of the processor --------------------------------------------------------------------------------------------------

using numerics::LaneBits;
using numerics::Lanes;

HARTLINE_INLINE Lanes like(Lanes, double c) { return numerics::spread(c); }
HARTLINE_INLINE LaneBits less(Lanes a, Lanes b) { return a < b; }
HARTLINE_INLINE LaneBits unequal(Lanes a, Lanes b) { return a != b; }
HARTLINE_INLINE Lanes choose(LaneBits mask, Lanes a, Lanes b) { return mask ? a : b; }
HARTLINE_INLINE Lanes multiply_add(Lanes a, Lanes b, Lanes c) { return a * b + c; }  // is contracted
#if defined(__clang__)
HARTLINE_INLINE Lanes rounded(Lanes v) { return v; }  // not compared with anything
#else
HARTLINE_INLINE Lanes rounded(Lanes v) { return __builtin_assoc_barrier(v); }
#endif
HARTLINE_INLINE Lanes round_to_int(Lanes v, Lanes factor, LaneBits& k) {
  const Lanes shifter = numerics::spread(0x1.8p52);
  const Lanes shifted = multiply_add(v, factor, shifter);
  LaneBits bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  k = bits - 0x4338000000000000LL;
  return shifted - shifter;
}
HARTLINE_INLINE Lanes power_of_two(LaneBits k) {
  const LaneBits bits = (k + 1023) << 52;
  Lanes v;
  std::memcpy(&v, &bits, sizeof v);
  return v;
}
HARTLINE_INLINE LaneBits half(LaneBits k) { return k >> 1; }
HARTLINE_INLINE Lanes split(Lanes v, Lanes& exponent) {
  using Words = std::uint64_t __attribute__((vector_size(sizeof(Lanes))));  // may wrap, where v is not above 0
  Words bits;
  std::memcpy(&bits, &v, sizeof bits);
  const LaneBits k = reinterpret_cast<LaneBits>(bits - 0x3fe6a09e667f3bcdULL) >> 52;
  const Words rest = bits - (reinterpret_cast<Words>(k) << 52);
  Lanes m;
  std::memcpy(&m, &rest, sizeof m);
  exponent = __builtin_convertvector(k, Lanes);
  return m;
}
HARTLINE_INLINE LaneBits integers(Lanes) { return LaneBits{}; }
HARTLINE_INLINE Lanes head(Lanes v) {
  LaneBits bits;
  std::memcpy(&bits, &v, sizeof bits);
  bits &= -0x8000000LL;
  std::memcpy(&v, &bits, sizeof v);
  return v;
}
HARTLINE_INLINE LaneBits negative(Lanes v) {
  LaneBits bits;
  std::memcpy(&bits, &v, sizeof bits);
  return bits < 0;
}

// --- the functions -----------------------------------------------------------------------------------------------------------

/// (e^r - 1 - r) / r² on |r| <= ½ ln 2: Taylor to the 13th order of e^r, whose remainder is below 5e-18.
template <class V>
HARTLINE_INLINE V exp_beyond_line(V r) {
  V p = like(r, 1.0 / 6227020800.0);
  p = multiply_add(p, r, like(r, 1.0 / 479001600.0));
  p = multiply_add(p, r, like(r, 1.0 / 39916800.0));
  p = multiply_add(p, r, like(r, 1.0 / 3628800.0));
  p = multiply_add(p, r, like(r, 1.0 / 362880.0));
  p = multiply_add(p, r, like(r, 1.0 / 40320.0));
  p = multiply_add(p, r, like(r, 1.0 / 5040.0));
  p = multiply_add(p, r, like(r, 1.0 / 720.0));
  p = multiply_add(p, r, like(r, 1.0 / 120.0));
  p = multiply_add(p, r, like(r, 1.0 / 24.0));
  p = multiply_add(p, r, like(r, 1.0 / 6.0));
  return multiply_add(p, r, like(r, 0.5));
}
template <class V>
HARTLINE_INLINE V expm1_near_zero(V r) {
  return multiply_add(exp_beyond_line(r) * r, r, r);
}

/// x between the bounds; not a number stays so.
template <class V>
HARTLINE_INLINE V bounded(V x, double low, double high) {
  const V up = choose(less(x, like(x, low)), like(x, low), x);
  return choose(less(like(x, high), up), like(x, high), up);
}

/// x = k ln 2 + r
template <class V, class K>
HARTLINE_INLINE V reduced(V x, K& k) {
  const V whole = round_to_int(x, like(x, 1.4426950408889634), k);
  return multiply_add(whole, like(x, -0x1.ef35793c76730p-45), multiply_add(whole, like(x, -0x1.62e42fefa3800p-1), x));
}

/// e^x. Accuracy: 1 ulp; below -708 the spacing of denormal numbers
template <class V>
HARTLINE_INLINE V exp(V x) {
  auto k = integers(x);
  const V r = reduced(bounded(x, -746, 710), k);
  const V y = like(x, 1.0) + expm1_near_zero(r);
  const auto first = half(k);
  return rounded((y * power_of_two(first)) * power_of_two(k - first));
}

/// e^x - 1. Accuracy: 2 ulp
template <class V>
HARTLINE_INLINE V expm1(V x) {
  auto k = integers(x);
  const V r = reduced(bounded(x, -50, 710), k);
  const V p = expm1_near_zero(r), scale = power_of_two(k - 1);  // 2^k itself may be infinite
  const V y = like(x, 2.0) * multiply_add(scale, p, scale - like(x, 0.5));
  return choose(less(choose(less(x, like(x, 0.0)), like(x, 0.0) - x, x), like(x, 0x1p-54)), x, y);
}

/// (e^x - 1) / x, 1 at 0. Accuracy: 3 ulp
template <class V>
HARTLINE_INLINE V exprel(V x) {
  const V zero = like(x, 0.0), one = like(x, 1.0);
  const auto off_zero = unequal(x, zero);
  const V y = expm1(x) / choose(off_zero, x, one);
  const V value = choose(off_zero, y, one);
  return choose(less(x, like(x, __builtin_inf())), value, x);
}

/// Natural logarithm. Accuracy: 1 ulp
template <class V>
HARTLINE_INLINE V log(V x) {
  const V one = like(x, 1.0), zero = like(x, 0.0);
  const auto tiny = less(x, like(x, 0x1p-1022));
  V k = x;
  const V m = split(choose(tiny, x * like(x, 0x1p54), x), k);
  k = choose(tiny, k - like(x, 54.0), k);
  const V f = m - one, s = f / (like(x, 2.0) + f), z = s * s;
  // log(m) = 2 atanh(s) with s² <= 0.0295
  V p = like(x, 2.0 / 23);
  p = multiply_add(p, z, like(x, 2.0 / 21));
  p = multiply_add(p, z, like(x, 2.0 / 19));
  p = multiply_add(p, z, like(x, 2.0 / 17));
  p = multiply_add(p, z, like(x, 2.0 / 15));
  p = multiply_add(p, z, like(x, 2.0 / 13));
  p = multiply_add(p, z, like(x, 2.0 / 11));
  p = multiply_add(p, z, like(x, 2.0 / 9));
  p = multiply_add(p, z, like(x, 2.0 / 7));
  p = multiply_add(p, z, like(x, 2.0 / 5));
  p = multiply_add(p, z, like(x, 2.0 / 3));
  const V half_square = rounded(like(x, 0.5) * f * f);
  const V rest = multiply_add(s, multiply_add(p, z, half_square), rounded(k * like(x, 0x1.ef35793c76730p-45)));
  const V y = multiply_add(k, like(x, 0x1.62e42fefa3800p-1), f - (half_square - rest));
  // 0, below it, infinity
  const V at_zero = choose(less(zero, x), y, choose(less(x, zero), like(x, __builtin_nan("")), like(x, -__builtin_inf())));
  return choose(less(x, like(x, __builtin_inf())), at_zero, x);
}

/// A number as the sum of a head and of what is left.
template <class V>
struct HeadAndRest {
  V head, rest;
};

/// log |x| to 65 bits; some numbers where x is 0, infinite or none. Heads are split off, whose products are exact on every machine;
/// multiply_add would give the error of a product only where it rounds once.
template <class V>
HARTLINE_INLINE HeadAndRest<V> long_log(V x) {
  const V zero = like(x, 0.0), one = like(x, 1.0), three = like(x, 3.0);
  x = choose(negative(x), zero - x, x);
  const auto tiny = less(x, like(x, 0x1p-1022));
  V k = x;
  const V m = split(choose(tiny, x * like(x, 0x1p54), x), k);
  k = choose(tiny, k - like(x, 54.0), k);
  // s = (m - 1) / (m + 1) = s_head + s_rest, the latter from what f - s_head (m + 1) leaves over
  const V f = m - one, sum = m + one, inverse = one / sum, s_head = head(f * inverse);
  const V minus_head = head(zero - sum), minus_rest = (like(x, -1.0) - minus_head) - m;
  const V s_rest = rounded(inverse * multiply_add(s_head, minus_rest, multiply_add(s_head, minus_head, f)));
  const V s = s_head + s_rest;
  // log(m) = 2 atanh(s) = 2/3 s (3 + s² + 3/5 s⁴ + …) with s² <= 0.0295
  const V square_head = s_head * s_head, twice = s_head + s;
  const V z = multiply_add(s_rest, twice, square_head);
  V p = like(x, 3.0 / 25);
  p = multiply_add(p, z, like(x, 3.0 / 23));
  p = multiply_add(p, z, like(x, 3.0 / 21));
  p = multiply_add(p, z, like(x, 3.0 / 19));
  p = multiply_add(p, z, like(x, 3.0 / 17));
  p = multiply_add(p, z, like(x, 3.0 / 15));
  p = multiply_add(p, z, like(x, 3.0 / 13));
  p = multiply_add(p, z, like(x, 3.0 / 11));
  p = multiply_add(p, z, like(x, 3.0 / 9));
  p = multiply_add(p, z, like(x, 3.0 / 7));
  p = multiply_add(p, z, like(x, 3.0 / 5));
  const V beyond = multiply_add(s_rest, twice, rounded(z * z * p));
  const V series_head = head((three + square_head) + beyond);
  const V series_rest = beyond - ((series_head - three) - square_head);
  // s times the series
  const V first = s_head * series_head, second = multiply_add(s_rest, series_head, rounded(s * series_rest));
  const V g_head = head(first + second), g_rest = second - (g_head - first);
  // two thirds of it, and k ln 2
  const V whole = k * like(x, 0x1.62e42fefa3800p-1), most = g_head * like(x, 0x1.555555p-1);
  const V small = multiply_add(g_head, like(x, 0x1.5555555555555p-27),
                               multiply_add(g_rest, like(x, 2.0 / 3), rounded(k * like(x, 0x1.ef35793c76730p-45))));
  const V log_head = head((whole + most) + small);
  return {log_head, small - ((log_head - whole) - most)};
}

/// x^y with the special cases of IEEE 754; the logarithm is long_log(x), which powers of one base share. Accuracy: 1 ulp, or the
/// spacing of denormal numbers    (math_kernels_test.cpp: MathKernels.PowersKeepTheirStatedAccuracy)
template <class V>
HARTLINE_INLINE V pow(V x, V y, HeadAndRest<V> log_size) {
  const V zero = like(x, 0.0), one = like(x, 1.0);
  const auto below = negative(x);
  const V size = choose(below, zero - x, x);
  const auto regular = less(zero * size, size);  // neither 0 nor infinite
  const V log_at_end = choose(unequal(size, zero), size, like(x, -__builtin_inf()));
  // 1 to any power is 1; from 2^65 on the power of any other number overflows or vanishes
  const V e = bounded(choose(unequal(x, one), y, zero), -0x1p70, 0x1p70), e_head = head(e);
  const V high = bounded(choose(regular, e_head * log_size.head, e * log_at_end), -746, 710);
  const V low = bounded(multiply_add(e - e_head, log_size.head, rounded(e * log_size.rest)), -0x1p-10, 0x1p-10);
  // high + low = k ln 2 + r; left is what 1 + r loses
  auto k = integers(x);
  const V whole = round_to_int(high, like(x, 1.4426950408889634), k);
  const V near = multiply_add(whole, like(x, -0x1.62e42fefa3800p-1), high);
  const V rest = multiply_add(whole, like(x, -0x1.ef35793c76730p-45), low);
  const V r = near + rest, line = one + r, left = (near - (line - one)) + rest;
  const V value = line + multiply_add(exp_beyond_line(r) * r, r, left);
  const auto first = half(k);
  const V power = rounded((value * power_of_two(first)) * power_of_two(k - first));
  // below 0 the sign is that of a whole exponent; beside 2^53 numbers are 2 apart, and from there on all are even
  const V shifter = like(x, 0x1p53), e_size = choose(negative(e), zero - e, e),
          short_size = choose(less(e_size, shifter), e_size, zero);
  const V off_even = short_size - ((short_size + shifter) - shifter),
          of_fraction = choose(regular, like(x, __builtin_nan("")), one);
  const V of_odd = choose(unequal(off_even * off_even, one), of_fraction, like(x, -1.0));
  const V sign = choose(unequal(off_even, zero), of_odd, one);
  return choose(unequal(e, zero), choose(below, sign * power, power), one);
}
template <class V>
HARTLINE_INLINE V pow(V x, V y) {
  return pow(x, y, long_log(x));
}

/// log(1 + x). Accuracy: 2 ulp
template <class V>
HARTLINE_INLINE V log1p(V x) {
  const V one = like(x, 1.0), u = one + x;
  const V lost = x - (u - one);
  const V y = log(u);
  // where u is 0 or infinite its logarithm is right as it is
  const auto regular = less(like(x, 0.0), u);
  const V mended = choose(regular, y + lost / u, y);
  const V small = choose(unequal(u, one), mended, x);
  return choose(less(like(x, 1e300), x), y, small);
}

/// Hyperbolic tangent. Accuracy: 3 ulp
template <class V>
HARTLINE_INLINE V tanh(V x) {
  const V zero = like(x, 0.0);
  const auto negative = less(x, zero);
  const V size = choose(negative, zero - x, x);
  const V e = expm1(like(x, -2.0) * size);
  const V y = (zero - e) / (like(x, 2.0) + e);
  return choose(negative, zero - y, choose(less(zero, x), y, x));
}

/// 1 / (1 + e^-x). Accuracy: 3 ulp, below -708 the spacing of denormal numbers
template <class V>
HARTLINE_INLINE V logistic(V x) {
  const V zero = like(x, 0.0), one = like(x, 1.0);
  const auto negative = less(x, zero);
  const V e = exp(choose(negative, x, zero - x));
  return choose(negative, e, one) / (one + e);
}

/// log(1 + e^x). Accuracy: 3 ulp
template <class V>
HARTLINE_INLINE V softplus(V x) {
  const V zero = like(x, 0.0);
  const auto negative = less(x, zero);
  const V tail = log1p(exp(choose(negative, x, zero - x)));
  return choose(negative, tail, x + tail);
}

}  // namespace hartline::equations::math
