// Calibration: what a sample of ranks and of covered truths says about a belief.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

namespace hartline::proof {

/// Counts of numbers in ten equal parts of [0, 1]; their χ² against a uniform law has nine degrees of freedom.
class RankHistogram {
 public:
  void add(double u) { ++counts_[static_cast<std::size_t>(std::min(9.0, std::max(0.0, std::floor(u * 10))))]; }
  double chi_square() const {
    double total = 0, sum = 0;
    for (double n : counts_) total += n;
    for (double n : counts_) sum += (n - total / 10) * (n - total / 10) / (total / 10);
    return sum;
  }
  /// Exceeded by a uniform law with probability 1e-4.
  static constexpr double limit = 33.72;

 private:
  std::array<double, 10> counts_{};
};

/// Probability that at most `most` of `num` independent trials succeed, each with probability p.
inline double binomial_cdf(std::int64_t most, std::int64_t num, double p) {
  double sum = 0;
  for (std::int64_t k = 0; k <= most; ++k) {
    const auto n = static_cast<double>(num), x = static_cast<double>(k);
    sum += std::exp(std::lgamma(n + 1) - std::lgamma(x + 1) - std::lgamma(n - x + 1) + x * std::log(p) + (n - x) * std::log1p(-p));
  }
  return sum;
}

/// Whether a share of `covered` of `num` may come from sets that cover 90 %: in 87 … 93 % where a thousand runs were made; else not
/// below what happens with probability 5e-4, nor above likewise (which no count of 60 runs is).
inline bool covers_ninety_percent(std::int64_t covered, std::int64_t num) {
  const double share = static_cast<double>(covered) / static_cast<double>(num);
  if (num >= 1000) return share >= .87 && share <= .93;
  return binomial_cdf(covered, num, .9) > 5e-4 && binomial_cdf(num - covered, num, .1) > 5e-4;
}

}  // namespace hartline::proof
