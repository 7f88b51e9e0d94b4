#include "numerics/mixture_entropy.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/math/quadrature/gauss.hpp>
#include <cmath>
#include <numbers>

#include "base/random.hpp"

namespace hartline::numerics {
namespace {

struct Components {
  std::vector<double> weights, means, sds;
};

/// Means of this spread, standard deviations that lie within a factor of each other.
Components drawn(std::size_t num, double spread, double sd, double ratio, std::uint64_t seed) {
  Components out;
  double total = 0;
  for (std::size_t i = 0; i < num; ++i) {
    Stream stream(seed, Purpose::test, i);
    total += out.weights.emplace_back(0.2 + stream.uniform());
    out.means.push_back(3 + spread * stream.normal());
    out.sds.push_back(sd * std::pow(ratio, stream.uniform()));
  }
  for (double& w : out.weights) w /= total;
  return out;
}

double density(const Components& c, double y) {
  double out = 0;
  for (std::size_t i = 0; i < c.weights.size(); ++i) {
    const double z = (y - c.means[i]) / c.sds[i];
    out += c.weights[i] * std::exp(-0.5 * z * z) / (std::sqrt(2 * std::numbers::pi) * c.sds[i]);
  }
  return out;
}

/// Gauss's rule between places that lie half a standard deviation of every component apart.
double by_quadrature(const Components& c) {
  std::vector<double> ends;
  for (std::size_t i = 0; i < c.weights.size(); ++i)
    for (double z = -9; z <= 9; z += 0.5) ends.push_back(c.means[i] + z * c.sds[i]);
  std::sort(ends.begin(), ends.end());
  double out = 0;
  for (std::size_t k = 0; k + 1 < ends.size(); ++k)
    out += boost::math::quadrature::gauss<double, 10>::integrate(
        [&](double y) {
          const double p = density(c, y);
          return p > 0 ? -p * std::log(p) : 0;
        },
        ends[k], ends[k + 1]);
  return out;
}

const Components cases[] = {drawn(1, 0, 0.7, 1, 1),     drawn(40, 1, 0.6, 1, 2),       drawn(40, 30, 0.6, 1, 3),
                            drawn(40, 1, 0.01, 100, 4), drawn(40, 1, 1e-4, 1e5, 5),    drawn(40, 0, 0.02, 200, 6),
                            drawn(40, 1, 1e-9, 1, 7),   drawn(40, 1e6, 1e-6, 1e12, 8), drawn(40, 1, 0.99, 1.05, 9)};

TEST(MixtureEntropy, EntropyEqualsAdaptiveQuadrature) {
  MixtureEntropy mixture;
  for (const Components& c : cases)
    EXPECT_NEAR(mixture.entropy(c.weights, c.means.data(), c.sds.data()), by_quadrature(c), 1e-4) << c.sds[0];
}

TEST(MixtureEntropy, DensityIsTheSum) {
  MixtureEntropy mixture;
  for (const Components& c : cases) {
    mixture.entropy(c.weights, c.means.data(), c.sds.data());
    for (std::size_t i = 0; i < c.weights.size(); ++i)
      for (const double z : {-2.3, 0.1, 1.7}) {
        const double y = c.means[i] + z * c.sds[i];
        EXPECT_NEAR(mixture.density(y), density(c, y), 1e-3 * density(c, y));
      }
  }
}

/// Of the entropy and of a density that something else depends on.
TEST(MixtureEntropy, SlopesAreDifferences) {
  for (Components c : cases) {
    MixtureEntropy mixture;
    const std::size_t num = c.weights.size();
    const double y = c.means[0] + 0.4 * c.sds[0];
    std::vector<double> slopes[3];
    for (std::vector<double>& one : slopes) one.resize(num);
    mixture.entropy(c.weights, c.means.data(), c.sds.data());
    const double share = 0.3 / density(c, y);
    mixture.add_slope(y, share);
    mixture.slopes(slopes[0].data(), slopes[1].data(), slopes[2].data());
    std::vector<double>* of[] = {&c.weights, &c.means, &c.sds};
    for (std::size_t k = 0; k < 3; ++k)
      for (const std::size_t i : {std::size_t{0}, num / 2, num - 1}) {
        double& value = (*of[k])[i];
        const double at = value, scale = k == 0 ? 1 : c.sds[i], h = 1e-3 * scale;
        double ends[2];
        for (const int side : {0, 1}) {
          value = at + (side ? h : -h);
          const double entropy = mixture.entropy(c.weights, c.means.data(), c.sds.data());
          ends[side] = entropy + share * mixture.density(y);
        }
        value = at;
        const double difference = (ends[1] - ends[0]) / (2 * h);
        EXPECT_NEAR(slopes[k][i] * scale, difference * scale, 2e-3 * c.weights[i] + 1e-3 * std::abs(difference * scale))
            << k << " " << i << " " << c.sds[0];
      }
  }
}

}  // namespace
}  // namespace hartline::numerics
