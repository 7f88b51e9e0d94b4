// The expected information of counts through an exponential link, for sixty-four stimuli at a time.
#pragma once

#include <algorithm>
#include <cmath>

#include "numerics/float_lanes.hpp"

namespace hartline::design {

using numerics::exp;
using numerics::Floats;
using numerics::FloatVectors;
using numerics::inverse;
using numerics::larger;
using numerics::largest;
using numerics::log1p;
using numerics::no_less_than_zero;
using numerics::smaller;
using numerics::spread;

/// How far the fit of a range of variances reaches. The narrower the range the shorter the fit.
enum class Reach { quarter, half, one };
constexpr float largest_variance(Reach reach) { return reach == Reach::quarter ? 0.25f : reach == Reach::half ? 0.5f : 1.0f; }

/// w = e^h - 1 = y quotient, with
///
///   h = E log(1 + y e^{√v z}),  z ~ N(0, 1)       w = y (1 + u s(q, v)),  u = 1/(1 + y)
///
/// e^h - 1 - y is symmetric under y → 1/y but for a factor, so that s depends on p = u(1 - u). s = Σ c_ij q^i v^j is the minimax
/// fit of h for all y; q is p up to v = ½, and beyond p/(1 + 6 v p), which follows how the dependence on p widens with v. Accuracy
/// of h: relative 3.3e-5, 1.4e-5 up to v = ¼
template <Reach reach, int num>
HARTLINE_INLINE FloatVectors<num> information(const FloatVectors<num>& y, const FloatVectors<num>& v, FloatVectors<num>& quotient) {
  FloatVectors<num> u, s;  // s over v at first
  if constexpr (reach == Reach::quarter) {
    u = inverse(y + 1.0f);
    const FloatVectors<num> p = u - u * u, third = p * 2.1624061f + -0.51314289f, second = p * -0.63714931f + 0.13260082f;
    s = (p * v * third + second) * v + 0.49937857f;
  } else if constexpr (reach == Reach::half) {
    u = inverse(y + 1.0f);
    const FloatVectors<num> p = u - u * u;
    const FloatVectors<num> fourth = (p * -10.083965f + 3.2236700f) * p + -0.22865986f;
    const FloatVectors<num> third = (p * 2.2336619f + -0.55019335f) * p + 0.022646521f;
    const FloatVectors<num> second = p * -0.63879766f + 0.12392246f;
    s = ((p * v * fourth + third) * v + second) * v + 0.50034398f;
  } else {
    const FloatVectors<num> some = smaller(y, spread<num>(1e6f)), more = some + 1.0f;  // no power overflows; u is negligible beyond
    const FloatVectors<num> widened = more * more + some * v * 6.0f, root = inverse(more * widened);
    u = root * widened;
    const FloatVectors<num> q = some * more * root;
    const FloatVectors<num> fifth = (q * -59.493946f + 4.8456063f) * q + -0.12354173f;
    const FloatVectors<num> fourth = ((q * 15.048885f + 2.5060820f) * q + -0.32956946f) * q + 0.0022057936f;
    const FloatVectors<num> third = (q * -3.4672898f + -0.62084990f) * q + 0.021904685f;
    const FloatVectors<num> second = q * -0.57457090f + 0.12465885f;
    s = (((q * v * fifth + fourth) * v + third) * v + second) * v + 0.49989825f;
  }
  const FloatVectors<num> correction = u * v;
  quotient = correction * s + 1.0f;
  return y * correction * s + y;
}

/// h for v <= 12: what is above one by Gauss-Hermite with five nodes (v <= 1.5) or seven (v <= 2.2), else by the trapezoidal rule.
HARTLINE_INLINE Floats integrate(const Floats& y, const Floats& v) {
  const Floats inside = spread<4>(largest_variance(Reach::one)), rest = no_less_than_zero(v - inside), inner = smaller(v, inside);
  const Floats sd = in_step(
      [](numerics::FloatLanes x) {
        for (int k = 0; k < 16; ++k) x[k] = std::sqrt(x[k]);
        return x;
      },
      rest);
  const float top = largest(sd);
  constexpr float five[2][3] = {{0, 1.355626180f, 2.856970014f}, {0.533333333f, 0.222075922f, 0.0112574113f}};
  constexpr float seven[2][4] = {{0, 1.154405395f, 2.366759411f, 3.750439718f},
                                 {0.457142857f, 0.240123179f, 0.0307571240f, 0.000548268856f}};
  Floats quotient, total;
  if (top < 1.1f) {
    const bool few = top < 0.71f;
    total = log1p(information<Reach::one>(y, inner, quotient)) * (few ? five[1][0] : seven[1][0]);
    for (int k = -3; k <= 3; ++k) {
      const int node = std::abs(k);
      if (k == 0 || (few && node == 3)) continue;
      const Floats factor = exp(sd * (few ? five[0][node] : seven[0][node]) * (k < 0 ? -1.0f : 1.0f));
      total = total + log1p(information<Reach::one>(y * factor, inner, quotient)) * (few ? five[1][node] : seven[1][node]);
    }
    return total;
  }
  const float step = std::min(1.0f, 2 / top);
  const int low = -static_cast<int>(std::ceil(4.6f / step)), high = static_cast<int>(std::ceil((4.6f + top) / step));
  const Floats factor = exp(sd * step);
  Floats node = y * exp(sd * (step * static_cast<float>(low)));
  total = spread<4>(0.0f);
  for (int k = low; k <= high; ++k) {
    const float z = step * static_cast<float>(k);
    total = total + log1p(information<Reach::one>(node, inner, quotient)) * (step * 0.398942280f * std::exp(-0.5f * z * z));
    node = node * factor;
  }
  return total;
}

}  // namespace hartline::design
