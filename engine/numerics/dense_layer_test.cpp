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

}  // namespace
}  // namespace hartline::numerics
