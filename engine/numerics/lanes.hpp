// Lanes: eight doubles at a time with plain operators. The compiler lowers them to whatever the machine has; a function marked
// HARTLINE_CLONES is compiled for several instruction sets and the best one is picked when the program starts. The sets are levels,
// not processors: a clone for a named processor is taken on that very processor only, not on later or other makes.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(HARTLINE_SANITIZED) || !defined(__x86_64__) || defined(__clang__)
#define HARTLINE_CLONES
#else
#define HARTLINE_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#endif
#define HARTLINE_INLINE inline __attribute__((always_inline))

namespace hartline::numerics {

constexpr int num_lanes = 8;
using Lanes = double __attribute__((vector_size(8 * sizeof(double))));
using LaneBits = std::int64_t __attribute__((vector_size(8 * sizeof(double))));

HARTLINE_INLINE Lanes load(const double* p) {
  Lanes v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
HARTLINE_INLINE void store(double* p, Lanes v) { std::memcpy(p, &v, sizeof v); }
HARTLINE_INLINE Lanes spread(double x) { return Lanes{x, x, x, x, x, x, x, x}; }
/// Sum in a fixed order.
HARTLINE_INLINE double sum(Lanes v) { return ((v[0] + v[4]) + (v[1] + v[5])) + ((v[2] + v[6]) + (v[3] + v[7])); }
/// The sums of eight vectors, each in the order of sum().
HARTLINE_INLINE Lanes sum_each(const Lanes v[8]) {
  const auto by_halves = [](Lanes a, Lanes b) {
    return __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11) + __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15);
  };
  const auto by_turns = [](Lanes a, Lanes b) {
    return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14) + __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15);
  };
  Lanes four[4];
  for (int k = 0; k < 4; ++k) four[k] = by_halves(v[2 * k], v[2 * k + 1]);
  return by_turns(by_turns(four[0], four[1]), by_turns(four[2], four[3]));
}
/// The first `count` lanes from memory, the others `rest`.
HARTLINE_INLINE Lanes load_part(const double* p, int count, double rest) {
  if (count == num_lanes) return load(p);  // a copy of a size that is not known is a call
  Lanes v = spread(rest);
  std::memcpy(&v, p, static_cast<std::size_t>(count) * sizeof(double));
  return v;
}

/// The first `count` lanes to memory.
HARTLINE_INLINE void store_part(double* p, Lanes v, int count) {
  if (count == num_lanes) return store(p, v);
  std::memcpy(p, &v, static_cast<std::size_t>(count) * sizeof(double));
}

/// e^x. Accuracy: 1.5 ulp on [-708, 709]; below it 0, above it infinity    (numerics_test.cpp: Lanes.ExpIsAccurate)
HARTLINE_INLINE Lanes exp(Lanes x) {
  const Lanes shifter = spread(0x1.8p52);
  const Lanes rounded = x * spread(1.4426950408889634) + shifter;
  const Lanes k = rounded - shifter;
  const Lanes r = (x - k * spread(0x1.62e42fefa3800p-1)) - k * spread(0x1.ef35793c76730p-45);
  // Taylor to the 13th order on |r| <= ln2 / 2: the remainder is below 5e-18
  Lanes p = spread(1.0 / 6227020800.0);
  p = p * r + spread(1.0 / 479001600.0);
  p = p * r + spread(1.0 / 39916800.0);
  p = p * r + spread(1.0 / 3628800.0);
  p = p * r + spread(1.0 / 362880.0);
  p = p * r + spread(1.0 / 40320.0);
  p = p * r + spread(1.0 / 5040.0);
  p = p * r + spread(1.0 / 720.0);
  p = p * r + spread(1.0 / 120.0);
  p = p * r + spread(1.0 / 24.0);
  p = p * r + spread(1.0 / 6.0);
  p = p * r + spread(0.5);
  p = (p * r) * r + r;
  LaneBits bits;
  std::memcpy(&bits, &rounded, sizeof bits);
  bits = (bits + 1023) << 52;
  Lanes scale;
  std::memcpy(&scale, &bits, sizeof scale);
  Lanes y = scale + scale * p;
  y = (x < spread(-708.0)) ? spread(0.0) : y;
  y = (x > spread(709.0)) ? spread(__builtin_inf()) : y;
  return (x != x) ? x : y;
}

/// Natural logarithm of x > 0. Accuracy: 1.5 ulp on normal numbers    (numerics_test.cpp: Lanes.LogIsAccurate)
HARTLINE_INLINE Lanes log(Lanes x) {
  LaneBits bits;
  std::memcpy(&bits, &x, sizeof bits);
  // exponent such that the mantissa lies in [sqrt(1/2), sqrt(2))
  const LaneBits offset = bits - 0x3fe6a09e667f3bcdLL;
  const LaneBits k = offset >> 52;
  const LaneBits mantissa_bits = bits - (k << 52);
  Lanes m;
  std::memcpy(&m, &mantissa_bits, sizeof m);
  const Lanes kd = __builtin_convertvector(k, Lanes);
  const Lanes f = m - spread(1.0);
  const Lanes s = f / (spread(2.0) + f);
  const Lanes z = s * s;
  // log(m) = 2 atanh(s) with s^2 <= 0.0295
  Lanes p = spread(2.0 / 23);
  p = p * z + spread(2.0 / 21);
  p = p * z + spread(2.0 / 19);
  p = p * z + spread(2.0 / 17);
  p = p * z + spread(2.0 / 15);
  p = p * z + spread(2.0 / 13);
  p = p * z + spread(2.0 / 11);
  p = p * z + spread(2.0 / 9);
  p = p * z + spread(2.0 / 7);
  p = p * z + spread(2.0 / 5);
  p = p * z + spread(2.0 / 3);
  p = p * z;
  const Lanes half_square = spread(0.5) * f * f;
  return kd * spread(0x1.62e42fefa3800p-1) - ((half_square - (s * (half_square + p) + kd * spread(0x1.ef35793c76730p-45))) - f);
}

/// log(1 + x) for x >= 0 or small |x|. Accuracy: 2 ulp    (numerics_test.cpp: Lanes.LogOnePlusIsAccurate)
HARTLINE_INLINE Lanes log1p(Lanes x) {
  const Lanes u = spread(1.0) + x;
  const Lanes lost = x - (u - spread(1.0));
  const Lanes y = log(u) + lost / u;
  return (u > spread(1e300)) ? log(x) : y;
}

/// log(1 + e^x), for any x
HARTLINE_INLINE Lanes softplus(Lanes x) {
  const Lanes positive = (x > spread(0.0)) ? x : spread(0.0);
  const Lanes minus_abs = (x > spread(0.0)) ? -x : x;
  return positive + log1p(exp(minus_abs));
}

/// 1 / (1 + e^-x), for any x
HARTLINE_INLINE Lanes logistic(Lanes x) {
  const Lanes minus_abs = (x > spread(0.0)) ? -x : x;
  const Lanes e = exp(minus_abs);
  const Lanes numerator = (x > spread(0.0)) ? spread(1.0) : e;
  return numerator / (spread(1.0) + e);
}

}  // namespace hartline::numerics
