// Every function of the language: its accuracy as the library gives it, and both of its derivatives.
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/math/special_functions/bessel.hpp>
#include <boost/math/special_functions/digamma.hpp>
#include <boost/math/special_functions/erf.hpp>
#include <boost/math/special_functions/gamma.hpp>
#include <boost/math/special_functions/trigamma.hpp>
#include <boost/multiprecision/cpp_bin_float.hpp>
#include <cmath>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/random.hpp"
#include "equations/differentiate.hpp"
#include "equations/graph.hpp"
#include "equations/kernel.hpp"

namespace hartline::equations {
namespace {

using Fifty = boost::multiprecision::cpp_bin_float_50;
namespace bm = boost::math;

Fifty log_phi(const Fifty& x) {
  const Fifty half = bm::erfc(Fifty(-x / sqrt(Fifty(2)))) / 2;
  return x < 0 ? Fifty(log(half)) : bm::log1p(Fifty(-bm::erfc(Fifty(x / sqrt(Fifty(2)))) / 2));
}

struct Case {
  const char* name;
  Fifty (*exact)(const Fifty&);
  double low, high;              // of what is tried
  double max_error;              // in 2^-52 of max(|f|, floor)
  double floor;                  // below which the error is absolute
  double slope_low, slope_high;  // where derivatives are compared with differences
};

/// Whose accuracy math_kernels_test measures has none here.
const Case cases[] = {
    {"abs", [](const Fifty& x) { return Fifty(abs(x)); }, -1e9, 1e9, 0, 0, 0.3, 2},
    {"sign", [](const Fifty& x) { return Fifty(x > 0   ? 1
                                               : x < 0 ? -1
                                                       : 0); }, -9, 9, 0, 0, 0.3, 2},
    {"floor", [](const Fifty& x) { return Fifty(floor(x)); }, -1e9, 1e9, 0, 0, 1.2, 1.8},
    {"sqrt", [](const Fifty& x) { return Fifty(sqrt(x)); }, 0, 1e9, 0.5, 0, 0.3, 2},
    {"exp", nullptr, 0, 0, 0, 0, -1, 1},
    {"expm1", nullptr, 0, 0, 0, 0, -1, 1},
    {"exprel", nullptr, 0, 0, 0, 0, -1, 1},
    {"log", nullptr, 0, 0, 0, 0, 0.3, 2},
    {"log1p", nullptr, 0, 0, 0, 0, -0.5, 2},
    {"sin", [](const Fifty& x) { return Fifty(sin(x)); }, -1000, 1000, 1, 0, -2, 2},
    {"cos", [](const Fifty& x) { return Fifty(cos(x)); }, -1000, 1000, 1, 0, -2, 2},
    {"tan", [](const Fifty& x) { return Fifty(tan(x)); }, -1000, 1000, 1, 0, -1, 1},
    {"asin", [](const Fifty& x) { return Fifty(asin(x)); }, -1, 1, 1, 0, -0.8, 0.8},
    {"acos", [](const Fifty& x) { return Fifty(acos(x)); }, -1, 1, 1, 0, -0.8, 0.8},
    {"atan", [](const Fifty& x) { return Fifty(atan(x)); }, -1000, 1000, 1, 0, -2, 2},
    {"sinh", [](const Fifty& x) { return Fifty(sinh(x)); }, -700, 700, 2, 0, -2, 2},
    {"cosh", [](const Fifty& x) { return Fifty(cosh(x)); }, -700, 700, 2, 0, -2, 2},
    {"tanh", nullptr, 0, 0, 0, 0, -2, 2},
    {"erf", [](const Fifty& x) { return Fifty(bm::erf(x)); }, -6, 6, 1, 0, -2, 2},
    {"erfc", [](const Fifty& x) { return Fifty(bm::erfc(x)); }, -6, 26, 5, 0, -2, 2},
    {"logistic", nullptr, 0, 0, 0, 0, -2, 2},
    {"softplus", nullptr, 0, 0, 0, 0, -2, 2},
    {"log_gamma", [](const Fifty& x) { return Fifty(bm::lgamma(x)); }, 1e-3, 1000, 5, 1, 0.5, 4},
    {"digamma", [](const Fifty& x) { return Fifty(bm::digamma(x)); }, 1e-3, 1000, 5, 1, 0.5, 4},
    {"trigamma", [](const Fifty& x) { return Fifty(bm::trigamma(x)); }, 1e-3, 1000, 8, 0, 0.5, 4},
    {"log_bessel_i0", [](const Fifty& x) { return Fifty(log(bm::cyl_bessel_i(0, x))); }, -600, 600, 8, 1, -3, 3},
    {"bessel_ratio", [](const Fifty& x) { return Fifty(bm::cyl_bessel_i(1, x) / bm::cyl_bessel_i(0, x)); }, -600, 600, 8, 0, -3, 3},
    {"log_normal_cdf", log_phi, -37, 8, 8, 0, -3, 3},
    {"log_normal_cdf", log_phi, -90, -37, 8, 0, -45, -40},
};

const Function& named(const char* name) {
  return *std::find_if(functions().begin(), functions().end(), [&](const Function& f) { return f.name == name; });
}

TEST(Functions, EachHasItsStatedAccuracyAndIsHere) {
  for (const Function& function : functions())
    EXPECT_TRUE(std::any_of(std::begin(cases), std::end(cases), [&](const Case& c) { return function.name == c.name; }))
        << function.name;
  for (const Case& c : cases) {
    if (!c.exact) continue;
    double worst = 0, at = 0;
    for (std::uint64_t k = 0; k < 400; ++k) {
      Stream stream(7, Purpose::test, k);
      const double x = c.low + (c.high - c.low) * (k % 2 ? stream.uniform() : std::pow(stream.uniform(), 4));
      const Fifty wanted = c.exact(Fifty(x));
      const double scale = std::max(std::abs(static_cast<double>(wanted)), c.floor);
      const double off = static_cast<double>(abs(Fifty(named(c.name).value(x)) - wanted));
      const double error = off == 0 ? 0 : off / scale * 0x1p52;
      if (error > worst) {
        worst = error;
        at = x;
      }
    }
    RecordProperty(std::string(c.name) + (c.high < 0 ? " far out" : ""), std::to_string(worst));
    EXPECT_LE(worst, c.max_error) << c.name << " at " << at;
  }
}

double value_of(const Graph& graph, Id id, double x, double y) {
  double out = 0;
  double* to[] = {&out};
  const Input inputs[] = {{&x, 1, 1}, {&y, 1, 1}};
  make_interpreter(graph, {&id, 1}, {true, true})->run(inputs, 1, to);
  return out;
}

/// f(x y) by x and y, once and twice, against differences of what was differentiated.
TEST(Functions, DerivativesOfEachAreDifferencesTwice) {
  for (const Case& c : cases) {
    Graph g;
    const Id x = g.symbol_value(g.add_symbol({"x", {}, {}, ""})), y = g.symbol_value(g.add_symbol({"y", {}, {}, ""}));
    const Id f = g.apply(named(c.name).op, g.multiply(x, y));
    const std::vector<Variable> variables{{0, 0}, {1, 0}};
    if (std::string_view(c.name) == "trigamma") {  // has none
      EXPECT_THROW(gradient(g, f, variables), SpecError);
      continue;
    }
    const std::vector<Id> first = gradient(g, f, variables);
    std::vector<std::vector<Id>> second;
    try {
      for (const Id slope : first) second.push_back(gradient(g, slope, variables));
    } catch (const SpecError&) {
      EXPECT_STREQ(c.name, "digamma");  // its second derivative would be that of trigamma
    }
    for (std::uint64_t k = 0; k < 8; ++k) {
      Stream stream(9, Purpose::test, k);
      const double py = 0.8 + 0.4 * stream.uniform(), px = (c.slope_low + (c.slope_high - c.slope_low) * stream.uniform()) / py;
      const auto compare = [&](Id of, const std::vector<Id>& slopes, const char* what) {
        for (std::size_t v = 0; v < 2; ++v) {
          const double h = 1e-4 * std::max(1.0, std::abs(v == 0 ? px : py));
          const auto moved = [&](double step) { return value_of(g, of, px + (v == 0 ? step : 0), py + (v == 1 ? step : 0)); };
          const double difference = (8 * (moved(h) - moved(-h)) - (moved(2 * h) - moved(-2 * h))) / (12 * h);
          EXPECT_NEAR(value_of(g, slopes[v], px, py), difference, 1e-7 * (1 + std::abs(difference) + std::abs(moved(0))))
              << what << " of " << c.name << " at " << px << ", " << py;
          EXPECT_NEAR(value_of(g, derivative(g, of, variables[v]), px, py), value_of(g, slopes[v], px, py),
                      1e-11 * (1 + std::abs(difference)))
              << what << " of " << c.name << ", forward";
        }
      };
      compare(f, first, "derivative");
      for (std::size_t v = 0; v < second.size(); ++v) compare(first[v], second[v], "second derivative");
    }
  }
}

}  // namespace
}  // namespace hartline::equations
