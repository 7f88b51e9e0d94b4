#include "dynamics/noise.hpp"

#include <Random123/philox.h>
#include <gtest/gtest.h>

#include <boost/math/constants/constants.hpp>
#include <boost/multiprecision/cpp_bin_float.hpp>
#include <cmath>
#include <vector>

namespace hartline::dynamics {
namespace {

double uniform_at(std::uint64_t seed, std::uint32_t source, std::int64_t step, std::size_t lane) {
  const r123::Philox4x32 philox;
  const auto at = static_cast<std::uint64_t>(step);
  const std::size_t block = lane / noise_block, within = lane % noise_block;
  const auto out = philox({{static_cast<std::uint32_t>(block * 8 + within % 8), static_cast<std::uint32_t>(at),
                            static_cast<std::uint32_t>(at >> 32), source}},
                          {{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)}});
  const std::size_t first = within < 8 ? 0 : 2;
  return static_cast<double>((static_cast<std::uint64_t>(out[first]) << 32 | out[first + 1]) >> 11) * 0x1p-53;
}

TEST(Noise, IsPhilox) {
  std::vector<double> row(1000);
  for (const std::int64_t step : {std::int64_t{-1}, std::int64_t{0}, std::int64_t{5000000000}}) {
    fill_uniform({0x123456789abcdef0u, 77}, step, 160, row.size(), row.data());
    for (std::size_t k = 0; k < row.size(); ++k) ASSERT_EQ(row[k], uniform_at(0x123456789abcdef0u, 77, step, 160 + k)) << k;
  }
}

TEST(Noise, ANumberDoesNotDependOnTheBlockItIsFilledIn) {
  std::vector<double> whole(512), part(100);
  fill_normal({3, 4}, 9, 0, whole.size(), whole.data());
  fill_normal({3, 4}, 9, 48, part.size(), part.data());
  for (std::size_t k = 0; k < part.size(); ++k) ASSERT_EQ(part[k], whole[48 + k]);
}

TEST(Noise, NormalIsTheTransform) {
  using Wide = boost::multiprecision::cpp_bin_float_quad;
  std::vector<double> uniform(4096), normal(4096);
  fill_uniform({11, 2}, 3, 0, uniform.size(), uniform.data());
  fill_normal({11, 2}, 3, 0, normal.size(), normal.data());
  double worst = 0;
  for (std::size_t k = 0; k < uniform.size(); ++k) {
    const std::size_t pair = k / noise_block * noise_block + k % 8;
    const Wide radius = sqrt(-2 * log(1 - Wide(uniform[pair]))),
               angle = 2 * boost::math::constants::pi<Wide>() * Wide(uniform[pair + 8]);
    const Wide truth = radius * (k % noise_block < 8 ? cos(angle) : sin(angle));
    worst = std::max(worst, std::abs(static_cast<double>(truth - normal[k])));
  }
  EXPECT_LT(worst, 1e-14);
}

TEST(Noise, IsNormal) {
  std::vector<double> row(1 << 18);
  fill_normal({5, 6}, 7, 0, row.size(), row.data());
  double sum = 0, square = 0, fourth = 0;
  for (const double x : row) {
    sum += x;
    square += x * x;
    fourth += x * x * x * x;
  }
  const auto n = static_cast<double>(row.size());  // within five standard errors
  EXPECT_NEAR(sum / n, 0, 5 / std::sqrt(n));
  EXPECT_NEAR(square / n, 1, 5 * std::sqrt(2 / n));
  EXPECT_NEAR(fourth / n, 3, 5 * std::sqrt(96 / n));
}

}  // namespace
}  // namespace hartline::dynamics
