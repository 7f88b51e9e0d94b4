// Lanes of single precision: sixteen floats in a vector, and several vectors whose operations take turns. A long formula is a chain
// of operations that wait for each other; of eight chains in step seven work while one waits.
#pragma once

#include <cstdint>
#include <cstring>

#include "numerics/lanes.hpp"

namespace hartline::numerics {

using FloatLanes = float __attribute__((vector_size(64)));
using FloatBits = std::int32_t __attribute__((vector_size(64)));
using UnsignedFloatBits = std::uint32_t __attribute__((vector_size(64)));

constexpr int num_float_lanes = 16;

template <int num>
struct FloatVectors {
  FloatLanes of[num];
};
using Floats = FloatVectors<4>;  // sixty-four

/// f of every vector.
template <int num, class Function, class... More>
HARTLINE_INLINE FloatVectors<num> in_step(Function f, const FloatVectors<num>& x, const More&... more) {
  FloatVectors<num> y;
#pragma GCC unroll 8
  for (int k = 0; k < num; ++k) y.of[k] = f(x.of[k], more.of[k]...);
  return y;
}

HARTLINE_INLINE FloatLanes spread_lanes(float x) {  // filled in memory: GCC 12 makes a braced list sixteen masked moves in a clone
  float all[num_float_lanes];
  for (float& one : all) one = x;
  FloatLanes v;
  std::memcpy(&v, all, sizeof v);
  return v;
}
HARTLINE_INLINE FloatBits bits_of(FloatLanes x) {
  FloatBits bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}
HARTLINE_INLINE FloatLanes lanes_of(FloatBits bits) {
  FloatLanes x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

template <int num>
HARTLINE_INLINE FloatVectors<num> spread(float x) {
  FloatVectors<num> y;
#pragma GCC unroll 8
  for (int k = 0; k < num; ++k) y.of[k] = spread_lanes(x);
  return y;
}
template <int num>
HARTLINE_INLINE FloatVectors<num> load(const float* p) {
  FloatVectors<num> x;
#pragma GCC unroll 8
  for (int k = 0; k < num; ++k) std::memcpy(&x.of[k], p + k * num_float_lanes, sizeof x.of[k]);
  return x;
}
template <int num>
HARTLINE_INLINE void store(float* p, const FloatVectors<num>& x) {
#pragma GCC unroll 8
  for (int k = 0; k < num; ++k) std::memcpy(p + k * num_float_lanes, &x.of[k], sizeof x.of[k]);
}

template <int num>
HARTLINE_INLINE FloatVectors<num> operator+(const FloatVectors<num>& x, const FloatVectors<num>& y) {
  return in_step([](FloatLanes p, FloatLanes q) { return p + q; }, x, y);
}
template <int num>
HARTLINE_INLINE FloatVectors<num> operator-(const FloatVectors<num>& x, const FloatVectors<num>& y) {
  return in_step([](FloatLanes p, FloatLanes q) { return p - q; }, x, y);
}
template <int num>
HARTLINE_INLINE FloatVectors<num> operator*(const FloatVectors<num>& x, const FloatVectors<num>& y) {
  return in_step([](FloatLanes p, FloatLanes q) { return p * q; }, x, y);
}
template <int num>
HARTLINE_INLINE FloatVectors<num> operator/(const FloatVectors<num>& x, const FloatVectors<num>& y) {
  return in_step([](FloatLanes p, FloatLanes q) { return p / q; }, x, y);
}
template <int num>
HARTLINE_INLINE FloatVectors<num> operator+(const FloatVectors<num>& x, float y) {
  return x + spread<num>(y);
}
template <int num>
HARTLINE_INLINE FloatVectors<num> operator*(const FloatVectors<num>& x, float y) {
  return x * spread<num>(y);
}
template <int num>
HARTLINE_INLINE FloatVectors<num> larger(const FloatVectors<num>& x, const FloatVectors<num>& y) {
  return in_step([](FloatLanes p, FloatLanes q) { return (p > q) ? p : q; }, x, y);
}
template <int num>
HARTLINE_INLINE FloatVectors<num> smaller(const FloatVectors<num>& x, const FloatVectors<num>& y) {
  return in_step([](FloatLanes p, FloatLanes q) { return (p < q) ? p : q; }, x, y);
}
/// The largest of the vectors, lane by lane.
template <int num>
HARTLINE_INLINE FloatLanes largest_lanes(const FloatVectors<num>& x) {
  FloatLanes all = x.of[0];
#pragma GCC unroll 8
  for (int k = 1; k < num; ++k) all = (x.of[k] > all) ? x.of[k] : all;
  return all;
}
HARTLINE_INLINE float largest(FloatLanes all) {
  FloatLanes other = __builtin_shufflevector(all, all, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
  all = (other > all) ? other : all;
  other = __builtin_shufflevector(all, all, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
  all = (other > all) ? other : all;
  other = __builtin_shufflevector(all, all, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
  all = (other > all) ? other : all;
  return all[0] > all[1] ? all[0] : all[1];
}
template <int num>
HARTLINE_INLINE float largest(const FloatVectors<num>& x) {
  return largest(largest_lanes(x));
}

/// 0 where x is negative. By way of integers, since GCC 12 makes two operations of a comparison with a constant.
template <int num>
HARTLINE_INLINE FloatVectors<num> no_less_than_zero(const FloatVectors<num>& x) {
  return in_step(
      [](FloatLanes y) {
        const FloatBits bits = bits_of(y);
        return lanes_of((bits > 0) ? bits : 0);
      },
      x);
}

/// 1/x of numbers whose products by pairs are finite: one division for two.
template <int num>
HARTLINE_INLINE FloatVectors<num> inverse(const FloatVectors<num>& x) {
  FloatVectors<num> y;
#pragma GCC unroll 8
  for (int k = 0; k < num; k += 2) {
    const FloatLanes both = spread_lanes(1.0f) / (x.of[k] * x.of[k + 1]);
    y.of[k] = both * x.of[k + 1];
    y.of[k + 1] = both * x.of[k];
  }
  return y;
}

/// e^x for -87 <= x <= 88, relative 1e-5; below as at -87. Accuracy of this and the following: numerics_test.cpp:
/// FloatLanes.AreAsAccurateAsTheySay
template <int num>
HARTLINE_INLINE FloatVectors<num> exp(FloatVectors<num> x) {
  x = in_step(
      [](FloatLanes y) {  // of negative numbers the bits grow with the size
        const auto bits = reinterpret_cast<UnsignedFloatBits>(bits_of(y)),
                   low = reinterpret_cast<UnsignedFloatBits>(spread_lanes(-87.0f));
        return lanes_of(reinterpret_cast<FloatBits>((bits < low) ? bits : low));
      },
      x);
  const FloatVectors<num> shifter = spread<num>(0x1.8p23f), rounded = x * 1.44269504f + shifter, k = rounded - shifter,
                          r = x * 1.44269504f - k;
  // the minimax polynomial of 2^r on |r| <= ½: relative 2.6e-6
  const FloatVectors<num> p = (((r * 9.5703109e-3f + 5.5918979e-2f) * r + 2.4024737e-1f) * r + 6.9312160e-1f) * r + 9.9999928e-1f;
  return in_step([](FloatLanes y, FloatLanes power) { return lanes_of(bits_of(y) + (bits_of(power) << 23)); }, p, rounded);
}

/// 1/x for 1e-37 < x < 1e37, relative 1e-5: two Newton steps from a difference of exponents.
template <int num>
HARTLINE_INLINE FloatVectors<num> reciprocal(const FloatVectors<num>& x) {
  FloatVectors<num> r = in_step([](FloatLanes y) { return lanes_of(0x7ef30800 - bits_of(y)); }, x);
  r = r * (spread<num>(2.0f) - x * r);
  return r * (spread<num>(2.0f) - x * r);
}

/// log(1 + x) for 0 <= x < 1e38, relative 1e-5, from x = 1e-4 on 1e-6.
template <int num>
HARTLINE_INLINE FloatVectors<num> log1p(const FloatVectors<num>& x) {
  const FloatVectors<num> sum = x + 1.0f;
  const FloatVectors<num> k =
      in_step([](FloatLanes y) { return __builtin_convertvector((bits_of(y) - 0x3f3504f3) >> 23, FloatLanes); }, sum);
  const FloatVectors<num> mantissa =
      in_step([](FloatLanes y) { return lanes_of(bits_of(y) - (((bits_of(y) - 0x3f3504f3) >> 23) << 23)); }, sum);
  // what rounding took from 1 + x comes back to first order
  const FloatVectors<num> f = mantissa + -1.0f, lost = (x - (sum + -1.0f)) * reciprocal(sum);
  FloatVectors<num> p = f * 7.0376836292e-2f + -1.1514610310e-1f;
  p = p * f + 1.1676998740e-1f;
  p = p * f + -1.2420140846e-1f;
  p = p * f + 1.4249322787e-1f;
  p = p * f + -1.6668057665e-1f;
  p = p * f + 2.0000714765e-1f;
  p = p * f + -2.4999993993e-1f;
  p = p * f + 3.3333331174e-1f;
  return k * 0.693147181f + (f + (lost + f * f * (p * f + -0.5f)));
}

/// e^x - 1 for 0 <= x <= 80, relative 3e-5.
template <int num>
HARTLINE_INLINE FloatVectors<num> expm1(const FloatVectors<num>& x) {
  FloatVectors<num> p = x * (1.0f / 5040) + 1.0f / 720;
  p = p * x + 1.0f / 120;
  p = p * x + 1.0f / 24;
  p = p * x + 1.0f / 6;
  p = p * x + 0.5f;
  p = p * x * x + x;
  return in_step([](FloatLanes y, FloatLanes low, FloatLanes high) { return (y < spread_lanes(0.4f)) ? low : high; }, x, p,
                 exp(x) + -1.0f);
}

}  // namespace hartline::numerics
