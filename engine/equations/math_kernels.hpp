// Functions over lanes, written once for every executor: V is a vector of doubles with + - * /, and these beside it:
//
//   like(v, c)            the number c in every lane
//   less(a, b), unequal(a, b)   masks       choose(mask, a, b)
//   multiply_add(a, b, c)   a b + c, rounded once where the machine can       rounded(v)   v, rounded before it is added to
//   integers(v), round_to_int(v, c, k)    v c rounded to the nearest whole number, and in the last 12 bits of integers k
//   power_of_two(k, j)    2^(k + j), where that is normal      scaled(v, whole, k)   v 2^k for -1080 <= k <= 1030, rounded once
//   split(v, k)           v > 0, normal: v = 2^k m, m in [√½, √2); returns m
//   head(v)               v without its last 27 bits: the product of two heads is exact      negative(v)   mask: below 0 or -0
//
// Executors that agree on what multiply_add does have the same digits: every product that is added to something is either an
// argument of multiply_add or rounded, so that no compiler has a choice, or is exact, so that the choice makes no difference.
//
// Ranges are all doubles unless said otherwise; what overflows is infinite, what has no value is not a number.
// (math_kernels_test.cpp: MathKernels.KeepTheirStatedAccuracy, against a 113-bit reference)
#pragma once

#include <cmath>

#include "numerics/lanes.hpp"

namespace hartline::equations::math {

// --- lanes of the processor --------------------------------------------------------------------------------------------------

using numerics::LaneBits;
using numerics::Lanes;

using Words = std::uint64_t __attribute__((vector_size(sizeof(Lanes))));  // may wrap, where what is given has no value

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
  std::memcpy(&k, &shifted, sizeof k);
  return shifted - shifter;
}
HARTLINE_INLINE Lanes power_of_two(LaneBits k, int more) {
  const Words bits = (reinterpret_cast<Words>(k) << 52) + (static_cast<std::uint64_t>(1023 + more) << 52);
  Lanes v;
  std::memcpy(&v, &bits, sizeof v);
  return v;
}
HARTLINE_INLINE Lanes scaled(Lanes v, Lanes whole, LaneBits k) {
  // 2^±64 apart, so that what is left of 2^k is a normal number
  const Lanes last = whole < numerics::spread(0.0) ? numerics::spread(0x1p-64) : numerics::spread(0x1p64);
  Words bits;
  std::memcpy(&bits, &last, sizeof bits);
  bits = (reinterpret_cast<Words>(k) << 52) - bits + (std::uint64_t{2 * 1023} << 52);
  Lanes first;
  std::memcpy(&first, &bits, sizeof first);
  return rounded((v * first) * last);
}
HARTLINE_INLINE Lanes split(Lanes v, Lanes& exponent) {
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

/// 1 / c as a sum of two numbers of one sign, the first cut off. 0 and 0 where c is a power of two, or one of them is not normal.
struct Reciprocal {
  double head = 0, rest = 0;
};
inline Reciprocal reciprocal(double c) {
  double head = 1 / c, off = std::fma(-head, c, 1.0);
  if (!(std::abs(c) > 0x1p-1000 && std::abs(c) < 0x1p900) || off == 0) return {};
  if (off < 0) {
    head = std::nextafter(head, 0.0);
    off = std::fma(-head, c, 1.0);
  }
  return {head, off / c};
}
/// x / c for a number c of the text, by two products instead of a division, which takes far longer. Where multiply_add rounds
/// once. Accuracy: 0.5000001 ulp, so that a quotient that is a double is found; below 1e-290 the spacing of denormal numbers
/// (math_kernels_test.cpp: MathKernels.DivisionByANumberOfTheTextIsExact)
/// Reference: Brisebarre, Muller & Raina 2004, doi:10.1109/TC.2004.37
template <class V>
HARTLINE_INLINE V over(V x, Reciprocal c) {
  return multiply_add(x, like(x, c.head), rounded(x * like(x, c.rest)));
}

/// ((e^r - 1) / r - 1) / r on |r| <= ½ ln 2, by the polynomial of the 10th order with the least relative error in (e^r - 1) / r,
/// 3e-19. Even and odd powers in step, so that fewer wait for each other.    (tests/reference/minimax.py)
template <class V>
HARTLINE_INLINE V exp_beyond_line(V r) {
  const V z = r * r;
  V even = like(r, 0x1.af5d5e8a4d38cp-26), odd = like(r, 0x1.1ef5203230f87p-29);
  even = multiply_add(even, z, like(r, 0x1.71ddf93366543p-19));
  odd = multiply_add(odd, z, like(r, 0x1.27e52b474ee53p-22));
  even = multiply_add(even, z, like(r, 0x1.a01a01af81143p-13));
  odd = multiply_add(odd, z, like(r, 0x1.a01a0182eef2ep-16));
  even = multiply_add(even, z, like(r, 0x1.111111110f7d3p-7));
  odd = multiply_add(odd, z, like(r, 0x1.6c16c16c1cd48p-10));
  even = multiply_add(even, z, like(r, 0x1.5555555555559p-3));
  odd = multiply_add(odd, z, like(r, 0x1.5555555555548p-5));
  return multiply_add(multiply_add(odd, r, even), r, like(r, 0.5));
}
/// (e^r - 1) / r
template <class V>
HARTLINE_INLINE V exprel_near_zero(V r) {
  return multiply_add(exp_beyond_line(r), r, like(r, 1.0));
}

/// x, at most or at least the bound; not a number stays so.
template <class V>
HARTLINE_INLINE V at_most(V x, double high) {
  return choose(less(like(x, high), x), like(x, high), x);
}
template <class V>
HARTLINE_INLINE V at_least(V x, double low) {
  return choose(less(x, like(x, low)), like(x, low), x);
}
template <class V>
HARTLINE_INLINE V bounded(V x, double low, double high) {
  return at_least(at_most(x, high), low);
}

/// x = k ln 2 + r; returns r and, besides, k as a number
template <class V, class K>
HARTLINE_INLINE V reduced(V x, V& whole, K& k) {
  whole = round_to_int(x, like(x, 1.4426950408889634), k);
  return multiply_add(whole, like(x, -0x1.ef35793c76730p-45), multiply_add(whole, like(x, -0x1.62e42fefa3800p-1), x));
}

/// e^x. Accuracy: 1 ulp, 1.25 where multiply_add rounds twice; below -708 the spacing of denormal numbers
template <class V>
HARTLINE_INLINE V exp(V x) {
  auto k = integers(x);
  V whole = x;
  const V r = reduced(bounded(x, -746, 710), whole, k);
  return scaled(multiply_add(exprel_near_zero(r), r, like(x, 1.0)), whole, k);
}

/// e^x - 1 for x <= 710, and what (e^x - 1) / x is where x is near zero.
template <class V>
struct Expm1 {
  V value, rel, whole;  // whole is 0 where x is near zero
};
template <class V>
HARTLINE_INLINE Expm1<V> expm1_off_zero(V x) {
  auto k = integers(x);
  V whole = x;
  const V r = reduced(at_least(x, -50), whole, k), rel = exprel_near_zero(r);
  const V scale = power_of_two(k, -1);  // 2^k itself may be infinite
  return {like(x, 2.0) * multiply_add(scale * r, rel, scale - like(x, 0.5)), rel, whole};
}

/// e^x - 1. Accuracy: 2 ulp, 3 where multiply_add rounds twice
template <class V>
HARTLINE_INLINE V expm1(V x) {
  const Expm1<V> e = expm1_off_zero(at_most(x, 710));
  return choose(unequal(e.whole, like(x, 0.0)), e.value, rounded(x * e.rel));
}

/// (e^x - 1) / x, 1 at 0. Accuracy: 3 ulp
template <class V>
HARTLINE_INLINE V exprel(V x) {
  const V top = at_most(x, 710);
  const Expm1<V> e = expm1_off_zero(top);
  return choose(unequal(e.whole, like(x, 0.0)), e.value / top, e.rel);
}

/// a / exprel(x) = a x / (e^x - 1), as the rates of channels have it, by one division. Accuracy: 3.5 ulp
/// (math_kernels_test.cpp: MathKernels.QuotientsByExprelKeepTheirStatedAccuracy)
template <class V>
HARTLINE_INLINE V over_exprel(V a, V x) {
  const V top = at_most(x, 710);
  const Expm1<V> e = expm1_off_zero(top);
  const auto off_zero = unequal(e.whole, like(x, 0.0));
  return rounded(a * (choose(off_zero, top, like(x, 1.0)) / choose(off_zero, e.value, e.rel)));
}

/// log(m) / s = 2 + z p with s = (m - 1) / (m + 1) and z = s² <= 0.0295, where m is in [√½, √2]; returns p. Relative error of the
/// logarithm: 2e-18    (tests/reference/minimax.py)
template <class V>
HARTLINE_INLINE V log_beyond_line(V z) {
  const V square = z * z;
  V even = like(z, 0x1.2f097d60a7ea1p-3), odd = like(z, 0x1.39a1577167ce4p-3);
  even = multiply_add(even, square, like(z, 0x1.7466428ea318ap-3));
  odd = multiply_add(odd, square, like(z, 0x1.c71c51f89588fp-3));
  even = multiply_add(even, square, like(z, 0x1.24924942047e7p-2));
  odd = multiply_add(odd, square, like(z, 0x1.999999997fc72p-2));
  even = multiply_add(even, square, like(z, 0x1.5555555555593p-1));
  return multiply_add(odd, z, even);
}
/// 3 log(m) / (2 s) = 3 + z + z² p, likewise; returns p. Relative error of the logarithm: 5e-21
template <class V>
HARTLINE_INLINE V log_beyond_cube(V z) {
  const V square = z * z;
  V even = like(z, 0x1.66a5eaa242186p-3), odd = like(z, 0x1.7052606bcb365p-3);
  odd = multiply_add(odd, square, like(z, 0x1.99b118cffd26dp-3));
  even = multiply_add(even, square, like(z, 0x1.d89d13d9681eap-3));
  odd = multiply_add(odd, square, like(z, 0x1.1745d2262674ap-2));
  even = multiply_add(even, square, like(z, 0x1.555555541f74ap-2));
  odd = multiply_add(odd, square, like(z, 0x1.b6db6db6dc85ep-2));
  even = multiply_add(even, square, like(z, 0x1.3333333333330p-1));
  return multiply_add(odd, z, even);
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
  const V p = log_beyond_line(z);
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
  const V p = log_beyond_cube(z);
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
  const V power = scaled(value, whole, k);
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
