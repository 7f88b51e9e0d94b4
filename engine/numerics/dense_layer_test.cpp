#include "numerics/dense_layer.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/random.hpp"

namespace hartline::numerics {
namespace {

std::vector<double> normals(std::size_t num, std::uint64_t index) {
  std::vector<double> out(num);
  Stream(1, Purpose::test, 0, index).fill_normal(out);
  return out;
}

double expected(double x, Activation f) {
  switch (f) {
    case Activation::silu:
      return x / (1 + std::exp(-x));
    case Activation::logistic:
      return 1 / (1 + std::exp(-x));
    case Activation::tanh:
      return std::tanh(x);
    default:
      return x;
  }
}

TEST(DenseLayer, IsTheActivatedProduct) {
  constexpr std::size_t num_in = 7, num_out = 6, stride = 24;
  const std::vector<double> w = normals((num_in + 1) * num_out, 0), x = normals(num_in * stride, 1), start = normals(num_out * stride, 2);
  for (const Activation f : {Activation::none, Activation::silu, Activation::logistic, Activation::tanh})
    for (const bool more : {false, true}) {
      std::vector<double> y = start;
      dense_layer(w.data(), num_in, num_out, f, x.data(), stride, y.data(), more);
      for (std::size_t r = 0; r < num_out; ++r)
        for (std::size_t i = 0; i < stride; ++i) {
          double sum = w[num_out * num_in + r] + (more ? start[r * stride + i] : 0);
          for (std::size_t k = 0; k < num_in; ++k) sum += w[r * num_in + k] * x[k * stride + i];
          EXPECT_NEAR(y[r * stride + i], expected(sum, f), 1e-13) << r << ' ' << i;
        }
    }
}

TEST(DenseLayer, AColumnHasTheSameBitsAnywhere) {
  constexpr std::size_t num_in = 9, num_out = 5, stride = 40;
  const std::vector<double> w = normals((num_in + 1) * num_out, 0), x = normals(num_in * stride, 1);
  std::vector<double> y(num_out * stride), alone(num_out * 8), one(num_in * 8, 0.0);
  dense_layer(w.data(), num_in, num_out, Activation::silu, x.data(), stride, y.data());
  for (std::size_t i = 0; i < stride; ++i) {
    const std::size_t at = i % 8;
    for (std::size_t k = 0; k < num_in; ++k) one[k * 8 + at] = x[k * stride + i];
    dense_layer(w.data(), num_in, num_out, Activation::silu, one.data(), 8, alone.data());
    for (std::size_t r = 0; r < num_out; ++r) EXPECT_EQ(alone[r * 8 + at], y[r * stride + i]);
  }
}

TEST(DenseLayer, CarriesDerivativesBack) {
  constexpr std::size_t num_in = 7, num_out = 6, stride = 24;
  std::vector<double> w = normals((num_in + 1) * num_out, 0), x = normals(num_in * stride, 1), z(num_out * stride);
  const std::vector<double> pull = normals(num_out * stride, 2);
  // f = Σ pull · silu(Z)
  const auto f = [&] {
    dense_layer(w.data(), num_in, num_out, Activation::silu, x.data(), stride, z.data());
    double out = 0;
    for (std::size_t i = 0; i < z.size(); ++i) out += pull[i] * z[i];
    return out;
  };
  dense_layer(w.data(), num_in, num_out, Activation::none, x.data(), stride, z.data());
  std::vector<double> dz = pull, dw(w.size(), 1.0), dx(x.size()), h(z.size());
  silu(z.data(), z.size(), h.data());
  EXPECT_NEAR(h[5], z[5] / (1 + std::exp(-z[5])), 1e-14);
  silu_back(z.data(), z.size(), dz.data());
  dense_layer_back(w.data(), num_in, num_out, x.data(), dz.data(), stride, dw.data(), dx.data());
  const auto difference = [&](double& number) {
    const double kept = number;
    number = kept + 1e-6;
    const double above = f();
    number = kept - 1e-6;
    const double below = f();
    number = kept;
    return (above - below) / 2e-6;
  };
  for (std::size_t i = 0; i < w.size(); ++i) EXPECT_NEAR(dw[i] - 1, difference(w[i]), 1e-7) << i;
  for (std::size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(dx[i], difference(x[i]), 1e-7) << i;
}

}  // namespace
}  // namespace hartline::numerics
