#include "models/grid_kernels.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "numerics/lanes.hpp"
#include "numerics/special.hpp"

namespace hartline::models {

using namespace numerics;

int count_bound(double rate) {
  // Chernoff: log P(R >= r) <= r - rate - r log(r / rate)
  const double limit = std::log(1e-15);
  double r = rate + 8 * std::sqrt(rate) + 8;
  while (r - rate - r * std::log(r / std::max(rate, 1e-300)) > limit) r += 1 + 0.1 * std::sqrt(r);
  return static_cast<int>(std::ceil(r));
}

double poisson_entropy(double rate, double zero, std::span<const double> log_factorials) {
  if (!(rate > 0)) return 0;
  double p = zero, mean_log_factorial = 0;
  const int top = std::min(count_bound(rate), static_cast<int>(log_factorials.size()) - 1);
  for (int r = 1; r <= top; ++r) {
    p *= rate / r;
    mean_log_factorial += p * log_factorials[static_cast<std::size_t>(r)];
  }
  return rate - rate * std::log(rate) + mean_log_factorial;
}

namespace {

HARTLINE_INLINE Lanes numbers(const double* p) { return load(p); }
HARTLINE_INLINE Lanes numbers(const float* p) {
  using Singles = float __attribute__((vector_size(num_lanes * sizeof(float))));
  Singles v;
  std::memcpy(&v, p, sizeof v);
  return __builtin_convertvector(v, Lanes);
}

template <class T>
HARTLINE_INLINE double average_of(const double* weights, const T* table, std::size_t stride, std::size_t num_rows, const T* entropy,
                                  std::size_t count, double* out) {
  Lanes h0 = spread(0), h1 = spread(0);
  const std::size_t whole = count / 16 * 16;
  for (std::size_t c = 0; c < num_rows; ++c) {
    const T* row = table + c * stride;
    Lanes s0 = spread(0), s1 = spread(0);
    if (c == 0) {
      for (std::size_t n = 0; n < whole; n += 16) {
        const Lanes w0 = load(weights + n), w1 = load(weights + n + 8);
        s0 += w0 * numbers(row + n);
        s1 += w1 * numbers(row + n + 8);
        h0 += w0 * numbers(entropy + n);
        h1 += w1 * numbers(entropy + n + 8);
      }
    } else {
      for (std::size_t n = 0; n < whole; n += 16) {
        s0 += load(weights + n) * numbers(row + n);
        s1 += load(weights + n + 8) * numbers(row + n + 8);
      }
    }
    double rest = 0;
    for (std::size_t n = whole; n < count; ++n) rest += weights[n] * static_cast<double>(row[n]);
    out[c] += sum(s0 + s1) + rest;
  }
  double rest = 0;
  for (std::size_t n = whole; n < count; ++n) rest += weights[n] * static_cast<double>(entropy[n]);
  return sum(h0 + h1) + rest;
}

}  // namespace

HARTLINE_CLONES double average(const double* weights, const double* table, std::size_t stride, std::size_t num_rows,
                               const double* entropy, std::size_t count, double* out) {
  return average_of(weights, table, stride, num_rows, entropy, count, out);
}

HARTLINE_CLONES double average(const double* weights, const float* table, std::size_t stride, std::size_t num_rows,
                               const float* entropy, std::size_t count, double* out) {
  return average_of(weights, table, stride, num_rows, entropy, count, out);
}

HARTLINE_CLONES double average_counts(const double* weights, const double* rate, const double* zero, const double* entropy,
                                      std::size_t count, const std::uint16_t* top, double* out) {
  // sums stay in lanes until the block is done: one horizontal sum a count and block, not one a group
  Lanes total[max_counts];
  const std::size_t num_groups = (count + group_size - 1) / group_size;
  const int last = *std::max_element(top, top + num_groups);
  for (int r = 0; r <= last; ++r) total[r] = spread(0);
  Lanes h = spread(0);
  for (std::size_t g = 0; g < num_groups; ++g) {
    Lanes p[4], lambda[4];
    for (int k = 0; k < 4; ++k) {
      const std::size_t at = g * group_size + 8 * static_cast<std::size_t>(k);
      const int here = at >= count ? 0 : static_cast<int>(std::min<std::size_t>(8, count - at));
      const Lanes w = load_part(weights + at, here, 0);
      lambda[k] = load_part(rate + at, here, 0);
      p[k] = w * load_part(zero + at, here, 0);
      h += w * load_part(entropy + at, here, 0);
    }
    total[0] += (p[0] + p[1]) + (p[2] + p[3]);
    for (int r = 1; r <= top[g]; ++r) {
      const Lanes inverse = spread(1.0 / r);
      for (int k = 0; k < 4; ++k) p[k] *= lambda[k] * inverse;
      total[r] += (p[0] + p[1]) + (p[2] + p[3]);
    }
  }
  for (int r = 0; r <= last; ++r) out[r] += sum(total[r]);
  return sum(h);
}

HARTLINE_CLONES void poisson_log_likelihood(const double* rate, std::size_t count, double r, double* out) {
  const Lanes log_factorial_r = spread(log_factorial(r)), counts = spread(r);
  for (std::size_t n = 0; n < count; n += 8) {
    const int here = static_cast<int>(std::min<std::size_t>(8, count - n));
    const Lanes lambda = load_part(rate + n, here, 1);
    const Lanes part = (r > 0) ? counts * numerics::log((lambda > spread(1e-300)) ? lambda : spread(1e-300)) : spread(0);
    const Lanes y = part - lambda - log_factorial_r;
    std::memcpy(out + n, &y, static_cast<std::size_t>(here) * sizeof(double));
  }
}

HARTLINE_CLONES void log_all(const double* x, std::size_t count, double* out) {
  for (std::size_t n = 0; n < count; n += 8) {
    const int here = static_cast<int>(std::min<std::size_t>(8, count - n));
    const Lanes v = load_part(x + n, here, 1);
    const Lanes logs = numerics::log(v), y = (v > spread(1e-307)) ? logs : spread(-std::numeric_limits<double>::infinity());
    std::memcpy(out + n, &y, static_cast<std::size_t>(here) * sizeof(double));
  }
}

HARTLINE_CLONES double log_mean_exp(const double* a, const double* b, std::size_t count) {
  const double nothing = -std::numeric_limits<double>::infinity();
  Lanes top = spread(nothing);
  for (std::size_t n = 0; n < count; n += 8) {
    const int here = static_cast<int>(std::min<std::size_t>(8, count - n));
    const Lanes y = load_part(a + n, here, nothing) + load_part(b + n, here, 0);
    top = (y > top) ? y : top;
  }
  double peak = nothing;
  for (int k = 0; k < num_lanes; ++k) peak = std::max(peak, top[k]);
  if (!(peak > nothing)) return nothing;
  Lanes total = spread(0);
  for (std::size_t n = 0; n < count; n += 8) {
    const int here = static_cast<int>(std::min<std::size_t>(8, count - n));
    total += numerics::exp(load_part(a + n, here, nothing) + load_part(b + n, here, 0) - spread(peak));
  }
  return peak + std::log(sum(total));
}

HARTLINE_CLONES void reweight(double* log_weights, const double* log_likelihood, double log_evidence, std::size_t count,
                              double* weights) {
  for (std::size_t n = 0; n < count; n += 8) {
    const int here = static_cast<int>(std::min<std::size_t>(8, count - n));
    const Lanes y = load_part(log_weights + n, here, 0) + load_part(log_likelihood + n, here, 0) - spread(log_evidence);
    const Lanes w = numerics::exp(y);
    std::memcpy(log_weights + n, &y, static_cast<std::size_t>(here) * sizeof(double));
    std::memcpy(weights + n, &w, static_cast<std::size_t>(here) * sizeof(double));
  }
}

}  // namespace hartline::models
