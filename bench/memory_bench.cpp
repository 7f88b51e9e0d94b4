// How fast one thread reads memory, and multiplies and adds: what benchmarks are bound by.
#include "bench/measure.hpp"
#include "numerics/lanes.hpp"

namespace hartline::bench {

namespace {

using namespace numerics;

/// Reads n numbers as num_streams equal pieces at the same time: more streams give the prefetchers more to do.
HARTLINE_CLONES double read_all(const double* x, std::size_t n, std::size_t num_streams) {
  Lanes s[8] = {};
  const std::size_t piece = n / num_streams, per_stream = 8 / num_streams;
  for (std::size_t i = 0; i + 8 * per_stream <= piece; i += 8 * per_stream)
    for (std::size_t k = 0; k < 8; ++k) s[k] += load(x + (k / per_stream) * piece + i + 8 * (k % per_stream));
  return sum((s[0] + s[1]) + (s[2] + s[3]) + (s[4] + s[5]) + (s[6] + s[7]));
}

HARTLINE_CLONES void triad(double* a, const double* b, const double* c, double scale, std::size_t n) {
  for (std::size_t i = 0; i + 8 <= n; i += 8) store(a + i, load(b + i) + spread(scale) * load(c + i));
}

/// a ← a b + c for sixteen vectors that do not wait for each other, and differ, or a compiler works out one for all.
HARTLINE_CLONES double multiply_and_add(std::size_t num) {
  const Lanes b = spread(0.999), c = spread(0.001);
  Lanes a[16];
#pragma GCC unroll 16
  for (int k = 0; k < 16; ++k) a[k] = spread(k + 1) * c;
  for (std::size_t i = 0; i < num; ++i) {
#pragma GCC unroll 16
    for (int k = 0; k < 16; ++k) a[k] = a[k] * b + c;
  }
  double total = 0;
#pragma GCC unroll 16
  for (const Lanes& x : a) total += sum(x);
  return total;
}

constexpr int num_repetitions = 15;

}  // namespace

double read_bandwidth(std::size_t num_bytes) {
  const std::vector<double> x(num_bytes / sizeof(double), 1.0);
  double best = 0;
  for (const std::size_t num_streams : {1, 2, 4, 8}) {
    std::vector<double> rate;
    for (int k = 0; k < num_repetitions; ++k) {
      const double begin = thread_ms();
      const double total = read_all(x.data(), x.size(), num_streams);
      const double ms = thread_ms() - begin;
      if (total + 512 < static_cast<double>(x.size())) throw std::runtime_error("the sum that was read is wrong");
      rate.push_back(static_cast<double>(num_bytes) / ms * 1e-6);
    }
    best = std::max(best, median(rate));
  }
  return best;
}

double triad_bandwidth(std::size_t num_bytes) {
  const std::size_t n = num_bytes / (3 * sizeof(double));
  std::vector<double> a(n, 0.0), b(n, 1.0), c(n, 2.0), rate;
  for (int k = 0; k < num_repetitions; ++k) {
    const double begin = thread_ms();
    triad(a.data(), b.data(), c.data(), 3.0, n);
    rate.push_back(static_cast<double>(3 * sizeof(double) * n) / (thread_ms() - begin) * 1e-6);
    if (a[n / 2] != 7) throw std::runtime_error("the triad is wrong");
  }
  return median(rate);
}

std::string instruction_set() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  return __builtin_cpu_supports("x86-64-v4") ? "AVX-512" : __builtin_cpu_supports("x86-64-v3") ? "AVX2" : "SSE2";
#else
  return "portable vectors";
#endif
}

double multiply_add_rate() {
  constexpr std::size_t num = 400'000;
  std::vector<double> rate;
  for (int k = 0; k < num_repetitions; ++k) {
    const double begin = thread_ms(), total = multiply_and_add(num);
    rate.push_back(2.0 * 16 * num_lanes * static_cast<double>(num) / (thread_ms() - begin) * 1e-6);
    if (!(total > 100 && total < 130)) throw std::runtime_error("the products are wrong");
  }
  return median(rate);
}

}  // namespace hartline::bench
