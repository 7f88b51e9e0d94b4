#include "models/normal_mixture.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.hpp"

namespace hartline::models {
namespace {

std::vector<double> outputs(const NormalMixture& mixture) {
  std::vector<double> out(mixture.num_outputs());
  Stream(1, Purpose::test).fill_normal(out);
  for (double& o : out) o *= 0.5;
  return out;
}

TEST(NormalMixture, IntegratesToOne) {
  const NormalMixture mixture{2, 3};
  const std::vector<double> o = outputs(mixture);
  double total = 0;
  const double step = 0.05;
  for (double a = -12; a < 12; a += step)
    for (double b = -12; b < 12; b += step) {
      const double z[] = {a, b};
      total += step * step * std::exp(mixture.log_density(o.data(), 1, z, nullptr));
    }
  EXPECT_NEAR(total, 1, 1e-6);
}

TEST(NormalMixture, CarriesDerivativesBack) {
  const NormalMixture mixture{3, 4};
  std::vector<double> o = outputs(mixture), slope(o.size());
  const double z[] = {0.3, -1.2, 0.7};
  mixture.log_density(o.data(), 1, z, slope.data());
  for (std::size_t i = 0; i < o.size(); ++i) {
    const double kept = o[i];
    o[i] = kept + 1e-6;
    const double above = mixture.log_density(o.data(), 1, z, nullptr);
    o[i] = kept - 1e-6;
    const double below = mixture.log_density(o.data(), 1, z, nullptr);
    o[i] = kept;
    EXPECT_NEAR(slope[i], (above - below) / 2e-6, 1e-8) << i;
  }
}

/// Means of z and z² over 200,000 draws against those of the density by quadrature: the standard errors are below .01.
TEST(NormalMixture, DrawsByItsDensity) {
  const NormalMixture mixture{2, 3};
  const std::vector<double> o = outputs(mixture);
  constexpr std::size_t num = 200000;
  std::vector<double> normals(2 * num), z(2 * num);
  Stream(2, Purpose::test).fill_normal(normals);
  mixture.draw(o.data(), 1, normals, num, z.data());
  double drawn[5] = {}, wanted[5] = {};
  const auto add = [](double* to, double a, double b, double w) {
    for (const double value : {a, b, a * a, b * b, a * b}) *to++ += w * value;
  };
  for (std::size_t i = 0; i < num; ++i) add(drawn, z[i], z[num + i], 1.0 / num);
  const double step = 0.05;
  for (double a = -14; a < 14; a += step)
    for (double b = -14; b < 14; b += step) {
      const double at[] = {a, b};
      add(wanted, a, b, step * step * std::exp(mixture.log_density(o.data(), 1, at, nullptr)));
    }
  for (int k = 0; k < 5; ++k) EXPECT_NEAR(drawn[k], wanted[k], 0.04 * (1 + std::abs(wanted[k]))) << k;
}

}  // namespace
}  // namespace hartline::models
