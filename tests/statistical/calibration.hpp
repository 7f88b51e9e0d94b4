// Calibration: what one belief says of the truth behind it, and what many such verdicts say about beliefs.
#pragma once

#include <fmt/format.h>

#include <Eigen/Dense>
#include <algorithm>
#include <array>
#include <boost/math/special_functions/gamma.hpp>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
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

inline std::string percent(double share) { return fmt::format("{:.1f} %", 100 * share); }
inline std::string percent(std::int64_t count, std::int64_t num) {
  return percent(static_cast<double>(count) / static_cast<double>(num));
}

/// 90 % of a normal law lie within so many standard deviations.
constexpr double two_sided = 1.644854;

/// Squared radius of the ellipsoid that holds 90 % of a normal law: the quantile of χ².
inline double ellipsoid_radius(std::size_t dim) { return 2 * boost::math::gamma_p_inv(static_cast<double>(dim) / 2, .9); }

inline double normal_cdf(double z) { return 0.5 * std::erfc(-z / std::sqrt(2)); }

/// What N(mean, covariance) says of the truth behind it.
struct Verdict {
  std::size_t dim = 0;
  double distance = 0;     // (θ - μ)ᵀ C⁻¹ (θ - μ)
  double along = 0;        // (θ - μ)·e / sd(e), e = μ / |μ|
  double rank = 0;         // Φ of one coordinate's standardised error: one a run, so that the ranks are independent
  double radial_rank = 0;  // the same along e

  bool inside() const { return distance < ellipsoid_radius(dim); }
};

/// The coordinate whose rank is taken is `coordinate`.
inline Verdict judge(std::span<const double> mean, std::span<const double> covariance, std::span<const double> truth,
                     std::size_t coordinate = 0) {
  const auto dim = static_cast<Eigen::Index>(mean.size());
  const Eigen::Map<const Eigen::VectorXd> mu(mean.data(), dim), theta(truth.data(), dim);
  const Eigen::Map<const Eigen::MatrixXd> c(covariance.data(), dim, dim);
  const Eigen::VectorXd error = theta - mu, e = mu.normalized();
  const auto i = static_cast<Eigen::Index>(coordinate);
  Verdict v;
  v.dim = mean.size();
  v.distance = error.dot(c.llt().solve(error));
  v.along = error.dot(e) / std::sqrt(e.dot(c * e));
  v.rank = normal_cdf(error[i] / std::sqrt(c(i, i)));
  v.radial_rank = normal_cdf(v.along);
  return v;
}

/// Of a Gaussian belief that has `mean` and `covariance`.
template <class Belief>
Verdict judge(const Belief& belief, std::span<const double> truth, std::size_t coordinate = 0) {
  return judge(belief.mean, belief.covariance, truth, coordinate);
}

/// Verdicts of many runs.
struct Coverage {
  std::int64_t num = 0, inside = 0, along = 0;
  double distance = 0;
  RankHistogram ranks, radial_ranks;

  void add(const Verdict& v) {
    ++num;
    inside += v.inside();
    along += std::abs(v.along) < two_sided;
    distance += v.distance;
    ranks.add(v.rank);
    radial_ranks.add(v.radial_rank);
  }
  double share(std::int64_t count) const { return static_cast<double>(count) / static_cast<double>(num); }
  double mean_distance() const { return distance / static_cast<double>(num); }
};

}  // namespace hartline::proof
