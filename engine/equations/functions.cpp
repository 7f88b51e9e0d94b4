// What functions and operators are worth at numbers: the reference for every executor.
#include <boost/math/special_functions/bessel.hpp>
#include <boost/math/special_functions/digamma.hpp>
#include <boost/math/special_functions/trigamma.hpp>
#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "equations/graph.hpp"
#include "numerics/special.hpp"

namespace hartline::equations {

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

// Functions do not throw: what overflows is infinite.
namespace bp = boost::math::policies;
using Quiet = bp::policy<bp::domain_error<bp::ignore_error>, bp::pole_error<bp::ignore_error>, bp::overflow_error<bp::ignore_error>,
                         bp::evaluation_error<bp::ignore_error>, bp::rounding_error<bp::ignore_error>>;

double sign(double x) { return x > 0 ? 1 : x < 0 ? -1 : x; }
double exprel(double x) { return x == 0 ? 1 : std::isinf(x) && x > 0 ? x : std::expm1(x) / x; }
double log_gamma(double x) { return x > 0 ? std::lgamma(x) : nan; }
double digamma(double x) { return x > 0 ? boost::math::digamma(x, Quiet()) : nan; }
double trigamma(double x) { return x > 0 ? boost::math::trigamma(x, Quiet()) : nan; }

// Both Bessel functions overflow above 713; there e^x / √(2 π x) (1 + 1/(8x) + …) holds to the last digit after a few terms.
double bessel_series(double x, double order) {
  double term = 1, total = 1;
  for (int k = 1; k < 12; ++k) {
    term *= -(4 * order * order - (2 * k - 1) * (2 * k - 1)) / (8 * k * x);
    total += term;
  }
  return total;
}
double log_bessel_i0(double x) {
  x = std::abs(x);
  if (x < 500) return std::log(boost::math::cyl_bessel_i(0, x, Quiet()));
  return x - 0.5 * std::log(2 * 3.14159265358979323846 * x) + std::log(bessel_series(x, 0));
}
/// 1 - Φ(x). What x / √2 loses by rounding is made up for: erfc would make it 2 z² times as large.
double normal_tail(double x) {
  constexpr double head = 0.70710678118654757274, rest = -4.8336466567264565e-17, inverse_root_pi = 0.56418958354775628695;
  const double z = x * head, off = std::fma(x, head, -z) + x * rest;
  return 0.5 * std::erfc(z) - off * inverse_root_pi * std::exp(-z * z);
}
double log_normal_cdf(double x) {
  if (x > 0) return std::log1p(-normal_tail(x));
  if (!(x < -37)) return std::log(normal_tail(-x));
  const double q = 1 / (x * x), series = 1 - q * (1 - q * (3 - q * (15 - q * 105)));
  return -0.5 * x * x - std::log(-x) - 0.91893853320467274178 + std::log(series);
}
double bessel_ratio(double x) {
  if (std::abs(x) < 500) return boost::math::cyl_bessel_i(1, x, Quiet()) / boost::math::cyl_bessel_i(0, x, Quiet());
  const double ratio = bessel_series(std::abs(x), 1) / bessel_series(std::abs(x), 0);
  return x > 0 ? ratio : -ratio;
}

template <double (*F)(double)>
double checked(double x) {
  return std::isnan(x) ? x : F(x);
}

}  // namespace

const std::vector<Function>& functions() {
  using R = UnitRule;
  static const std::vector<Function> all = {
      {"abs", Op::abs, R::same, std::fabs},
      {"sign", Op::sign, R::to_number, sign},
      {"floor", Op::floor, R::number, std::floor},
      {"sqrt", Op::sqrt, R::root, std::sqrt},
      {"exp", Op::exp, R::number, std::exp},
      {"expm1", Op::expm1, R::number, std::expm1},
      {"exprel", Op::exprel, R::number, exprel},
      {"log", Op::log, R::number, std::log},
      {"log1p", Op::log1p, R::number, std::log1p},
      {"sin", Op::sin, R::of_angle, std::sin},
      {"cos", Op::cos, R::of_angle, std::cos},
      {"tan", Op::tan, R::of_angle, std::tan},
      {"asin", Op::asin, R::to_angle, std::asin},
      {"acos", Op::acos, R::to_angle, std::acos},
      {"atan", Op::atan, R::to_angle, std::atan},
      {"sinh", Op::sinh, R::number, std::sinh},
      {"cosh", Op::cosh, R::number, std::cosh},
      {"tanh", Op::tanh, R::number, std::tanh},
      {"erf", Op::erf, R::number, std::erf},
      {"erfc", Op::erfc, R::number, std::erfc},
      {"logistic", Op::logistic, R::number, numerics::logistic},
      {"softplus", Op::softplus, R::number, numerics::softplus},
      {"log_gamma", Op::log_gamma, R::number, checked<log_gamma>},
      {"digamma", Op::digamma, R::number, checked<digamma>},
      {"trigamma", Op::trigamma, R::number, checked<trigamma>},
      {"log_bessel_i0", Op::log_bessel_i0, R::number, checked<log_bessel_i0>},
      {"bessel_ratio", Op::bessel_ratio, R::number, checked<bessel_ratio>},
      {"log_normal_cdf", Op::log_normal_cdf, R::number, log_normal_cdf},
  };
  return all;
}

const Function& function_of(Op op) { return functions()[static_cast<std::size_t>(op) - static_cast<std::size_t>(Op::abs)]; }

double evaluate(const Node& node, std::span<const double> a) {
  switch (node.op) {
    case Op::constant:
      return node.value;
    case Op::add:
      return a[0] + a[1];
    case Op::subtract:
      return a[0] - a[1];
    case Op::multiply:
      return a[0] * a[1];
    case Op::divide:
      return a[0] / a[1];
    case Op::power:
      return std::pow(a[0], a[1]);
    case Op::negate:
      return -a[0];
    case Op::min:
      return a[0] < a[1] || std::isnan(a[0]) ? a[0] : a[1];
    case Op::max:
      return a[0] > a[1] || std::isnan(a[0]) ? a[0] : a[1];
    case Op::atan2:
      return std::atan2(a[0], a[1]);
    case Op::less:
      return a[0] < a[1];
    case Op::less_equal:
      return a[0] <= a[1];
    case Op::equal:
      return a[0] == a[1];
    case Op::both:
      return a[0] != 0 && a[1] != 0;
    case Op::either:
      return a[0] != 0 || a[1] != 0;
    case Op::negation:
      return a[0] == 0;
    case Op::where:
      return a[0] != 0 ? a[1] : a[2];
    case Op::symbol:
    case Op::element:
    case Op::index:
    case Op::sum:
      throw InternalError("equations: a symbol has no value of its own.");
    default:
      return function_of(node.op).value(a[0]);
  }
}

}  // namespace hartline::equations
