#include "equations/math_kernels.hpp"

#include <gtest/gtest.h>

#include <boost/multiprecision/cpp_bin_float.hpp>
#include <cmath>
#include <limits>

#include "base/random.hpp"
#include "equations/compiled.hpp"

namespace hartline::equations {
namespace {

using Quad = boost::multiprecision::cpp_bin_float_quad;  // 113 bits
using numerics::Lanes;

struct Case {
  const char* name;
  Lanes (*ours)(Lanes);
  Quad (*reference)(const Quad&);
  double low, high;
  double max_ulp;             // as the header states
  double max_ulp_of_two = 0;  // where multiply_add rounds twice; 0: the same
};

Quad logistic_of(const Quad& x) { return 1 / (1 + exp(-x)); }
// e^x in 113 bits is 1 + x for the smallest x, where the series has to stand in
Quad expm1_of(const Quad& x) { return abs(x) < 1e-10 ? x + x * x / 2 + x * x * x / 6 : Quad(exp(x) - 1); }
Quad log1p_of(const Quad& x) { return abs(x) < 1e-10 ? x - x * x / 2 + x * x * x / 3 : Quad(log(1 + x)); }
Quad exprel_of(const Quad& x) { return x == 0 ? Quad(1) : expm1_of(x) / x; }
Quad tanh_of(const Quad& x) {
  const Quad e = expm1_of(-2 * abs(x)), y = -e / (2 + e);
  return x < 0 ? Quad(-y) : y;
}
Quad softplus_of(const Quad& x) { return x > 0 ? Quad(x + log1p_of(exp(-x))) : log1p_of(exp(x)); }

const Case cases[] = {
    {"exp", [](Lanes x) { return math::exp(x); }, [](const Quad& x) { return Quad(exp(x)); }, -708, 709.7, 1, 1.25},
    {"expm1", [](Lanes x) { return math::expm1(x); }, expm1_of, -60, 709.7, 2, 3},
    {"exprel", [](Lanes x) { return math::exprel(x); }, exprel_of, -60, 700, 3},
    {"log", [](Lanes x) { return math::log(x); }, [](const Quad& x) { return Quad(log(x)); }, 1e-300, 1e300, 1},
    {"log1p", [](Lanes x) { return math::log1p(x); }, log1p_of, -0.999999, 1e15, 2},
    {"tanh", [](Lanes x) { return math::tanh(x); }, tanh_of, -25, 25, 3},
    {"logistic", [](Lanes x) { return math::logistic(x); }, logistic_of, -700, 50, 3},
    {"softplus", [](Lanes x) { return math::softplus(x); }, softplus_of, -700, 700, 3},
};

/// Distance in units of the last place of the reference.
double ulps(double got, const Quad& wanted) {
  const double near = static_cast<double>(wanted);
  if (near == 0) return got == 0 ? 0 : 1e9;
  const double spacing = std::nextafter(std::abs(near), std::numeric_limits<double>::infinity()) - std::abs(near);
  return static_cast<double>(abs(Quad(got) - wanted) / spacing);
}

/// Evenly over the range, around zero and over all magnitudes.
std::vector<double> points_of(const Case& c) {
  std::vector<double> out;
  for (std::uint64_t k = 0; k < 20000; ++k) {
    Stream stream(11, Purpose::test, k);
    const double u = stream.uniform(), anywhere = c.low + (c.high - c.low) * u;
    double v = k % 3 == 0 ? anywhere : k % 3 == 1 ? 2 * u - 1 : std::ldexp(u, static_cast<int>(stream.integer(80)) - 60);
    if (k % 3 == 2 && stream.uniform() < 0.5) v = -v;
    out.push_back(v < c.low || v > c.high ? anywhere : v);
  }
  return out;
}

/// By the interpreter, in the instruction set that it picks on this machine.
std::vector<double> interpreted(const Case& c, const std::vector<double>& x) {
  Graph graph;
  const Id value = graph.symbol_value(graph.add_symbol({"x", {}, {}, ""}));
  Id out = no_id;
  for (const Function& function : functions())
    if (function.name == c.name) out = graph.apply(function.op, value);
  const auto kernel = make_interpreter(graph, {&out, 1}, {true});
  std::vector<double> y(x.size());
  double* to[] = {y.data()};
  const Input input{x.data(), 1, 1};
  kernel->run({&input, 1}, x.size(), to);
  return y;
}

TEST(MathKernels, KeepTheirStatedAccuracy) {
  const Lanes above_one = numerics::spread(1 + 0x1p-30);
  const bool fused_here = math::multiply_add(above_one, above_one, numerics::spread(-(1 + 0x1p-29)))[0] != 0;
  for (const Case& c : cases) {
    const std::vector<double> x = points_of(c), y = interpreted(c, x);
    double worst[] = {0, 0}, at[] = {0, 0};  // as compiled here, and interpreted
    for (std::size_t k = 0; k < x.size(); ++k) {
      const Quad wanted = c.reference(Quad(x[k]));
      const double off[] = {ulps(c.ours(numerics::spread(x[k]))[0], wanted), ulps(y[k], wanted)};
      for (const int way : {0, 1}) {
        if (off[way] <= worst[way]) continue;
        worst[way] = off[way];
        at[way] = x[k];
      }
    }
    for (const int way : {0, 1}) {
      RecordProperty(c.name + std::to_string(way), std::to_string(worst[way]));
      const bool fused = way == 0 ? fused_here : products_are_fused();
      EXPECT_LE(worst[way], fused || c.max_ulp_of_two == 0 ? c.max_ulp : c.max_ulp_of_two) << c.name << " at " << at[way];
    }
  }
}

// --- division by a number ----------------------------------------------------------------------------------------------------

/// x / c as kernels have it.
std::vector<double> interpreted_quotients(const std::vector<double>& x, double c) {
  Graph graph;
  const Id out = graph.plain(make_node(Op::divide, {graph.symbol_value(graph.add_symbol({"x", {}, {}, ""})), graph.constant(c)}));
  std::vector<double> y(x.size());
  double* to[] = {y.data()};
  const Input input{x.data(), 1, 1};
  make_interpreter(graph, {&out, 1}, {true})->run({&input, 1}, x.size(), to);
  return y;
}

/// Divisors and numbers of all magnitudes, and products of a divisor, whose quotients are whole; quotients at the ends.
TEST(MathKernels, DivisionByANumberOfTheTextIsExact) {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  for (std::uint64_t k = 0; k < 500; ++k) {
    Stream stream(13, Purpose::test, k);
    const double whole = 1 + static_cast<double>(stream.integer(1000));
    double c =
        k % 3 == 0 ? whole : std::ldexp(1 + stream.uniform(), static_cast<int>(stream.integer(k % 3 == 1 ? 4 : 2040)) - 1000);
    if (stream.uniform() < 0.5) c = -c;
    std::vector<double> x{0.0, -0.0, inf, -inf, nan, 5e-324, 1e-310, 1e-292, 1e308, std::numeric_limits<double>::max()};
    for (int i = 0; i < 500; ++i) {
      const double size =
          std::ldexp(1 + stream.uniform(), static_cast<int>(stream.integer(i % 2 ? 20 : 2040)) - (i % 2 ? 10 : 1020));
      x.push_back(i % 4 < 2 ? size : c * static_cast<double>(stream.integer(100000)));
    }
    const std::vector<double> y = interpreted_quotients(x, c);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double wanted = x[i] / c;
      if (std::abs(wanted) < 1e-290)
        EXPECT_NEAR(y[i], wanted, 5e-324) << std::hexfloat << x[i] << " / " << c;
      else
        EXPECT_TRUE(y[i] == wanted || std::isnan(wanted)) << std::hexfloat << x[i] << " / " << c << " is " << y[i];
      EXPECT_EQ(std::isnan(y[i]), std::isnan(wanted));
      EXPECT_TRUE(std::isnan(wanted) || std::signbit(y[i]) == std::signbit(wanted)) << std::hexfloat << x[i] << " / " << c;
    }
  }
}

TEST(MathKernels, QuotientsByExprelKeepTheirStatedAccuracy) {
  Graph graph;
  const Id a = graph.symbol_value(graph.add_symbol({"a", {}, {}, ""})), x = graph.symbol_value(graph.add_symbol({"x", {}, {}, ""}));
  const Id out = graph.divide(a, graph.apply(Op::exprel, x));
  std::vector<double> in_a, in_x{0.0, -0.0, 5e-324, -1e-310, 1e-300, -1e-17, 700, -1e300};
  for (std::uint64_t k = 0; k < 20000; ++k) {
    Stream stream(14, Purpose::test, k);
    const double u = 2 * stream.uniform() - 1;
    in_x.push_back(k % 3 == 0 ? 700 * u : k % 3 == 1 ? u : std::ldexp(u, static_cast<int>(stream.integer(66)) - 60));
  }
  for (std::size_t k = 0; k < in_x.size(); ++k) in_a.push_back(std::ldexp(1.0 + static_cast<double>(k % 100) / 99, -1));
  const Input inputs[] = {{in_a.data(), 1, 1}, {in_x.data(), 1, 1}};
  std::vector<double> y(in_x.size());
  double* to[] = {y.data()};
  make_interpreter(graph, {&out, 1}, {true, true})->run(inputs, in_x.size(), to);
  double worst = 0, at = 0;
  for (std::size_t k = 0; k < in_x.size(); ++k) {
    const double off = ulps(y[k], Quad(in_a[k]) / exprel_of(Quad(in_x[k])));
    if (off <= worst) continue;
    worst = off;
    at = in_x[k];
  }
  RecordProperty("worst", std::to_string(worst));
  EXPECT_LE(worst, 3.5) << at;
  const double inf = std::numeric_limits<double>::infinity(), ends[] = {inf, -inf, std::numeric_limits<double>::quiet_NaN(), 710};
  const double twos[] = {2, 2, 2, 2}, wanted[] = {0, inf, ends[2], 0};
  const Input at_ends[] = {{twos, 1, 1}, {ends, 1, 1}};
  make_interpreter(graph, {&out, 1}, {true, true})->run(at_ends, 4, to);
  for (const std::size_t k : {0u, 1u, 3u}) EXPECT_EQ(y[k], wanted[k]) << ends[k];
  EXPECT_TRUE(std::isnan(y[2]));
}

// --- powers ------------------------------------------------------------------------------------------------------------------

struct Powers {
  const char* name;
  double (*base)(Stream&);
  double low, high;  // of the logarithm of the power
  double max_ulp;
};

double of_magnitudes(Stream& stream, double low, double high) { return std::exp2(low + (high - low) * stream.uniform()); }
double near_one(Stream& stream) {
  const double off = std::ldexp(2 * stream.uniform() - 1, -static_cast<int>(stream.integer(53)));
  return 1 + off / 2;
}
double around_one(Stream& stream) { return of_magnitudes(stream, -1.5, 1.5); }
double anywhere(Stream& stream) { return of_magnitudes(stream, -997, 997); }
double denormal(Stream& stream) { return of_magnitudes(stream, -1073, -1022); }

const Powers powers[] = {
    {"bases near one", near_one, -708, 709.7, 1},
    {"bases near one, small powers", near_one, -1, 1, 1},
    {"bases around one", around_one, -708, 709.7, 1},
    {"bases around one, small powers", around_one, -2, 2, 1},
    {"bases of 1e-300 to 1e300", anywhere, -708, 709.7, 1},
    {"bases of 1e-300 to 1e300, small powers", anywhere, -2, 2, 1},
    {"bases of 1e-300 to 1e300, tiny exponents", anywhere, -1e-9, 1e-9, 1},
    {"denormal bases", denormal, -708, 709.7, 1},
    {"powers near the largest", anywhere, 709.7, 709.782712, 1},
    {"powers near the largest, bases near one", near_one, 709.7, 709.782712, 1},
    {"denormal powers", anywhere, -745, -708, 1},
    {"denormal powers, bases near one", near_one, -745, -708, 1},
};

Quad power_of(double x, double y) {
  const Quad off = Quad(x) - 1;
  return exp(Quad(y) * (abs(off) < 1e-10 ? log1p_of(off) : Quad(log(Quad(x)))));
}

/// out[k] = x[k]^y[k], by the interpreter.
std::vector<double> interpreted_powers(const std::vector<double>& x, const std::vector<double>& y) {
  Graph graph;
  const Id base = graph.symbol_value(graph.add_symbol({"x", {}, {}, ""}));
  const Id exponent = graph.symbol_value(graph.add_symbol({"y", {}, {}, ""}));
  const Id power = graph.power(base, exponent);
  std::vector<double> out(x.size());
  double* to[] = {out.data()};
  const Input inputs[] = {{x.data(), 1, 1}, {y.data(), 1, 1}};
  make_interpreter(graph, {&power, 1}, {true, true})->run(inputs, x.size(), to);
  return out;
}

TEST(MathKernels, PowersKeepTheirStatedAccuracy) {
  for (const Powers& c : powers) {
    std::vector<double> x, y;
    for (std::uint64_t k = 0; k < 20000; ++k) {
      Stream stream(12, Purpose::test, k);
      double base = c.base(stream);
      if (base == 1) base = 1 + 0x1p-52;
      x.push_back(base);
      y.push_back((c.low + (c.high - c.low) * stream.uniform()) / std::log(base));
    }
    const std::vector<double> found = interpreted_powers(x, y);
    double worst = 0, at = 0;
    for (std::size_t k = 0; k < x.size(); ++k) {
      const Quad wanted = power_of(x[k], y[k]);
      const double off =
          std::max(ulps(math::pow(numerics::spread(x[k]), numerics::spread(y[k]))[0], wanted), ulps(found[k], wanted));
      if (off <= worst) continue;
      worst = off;
      at = static_cast<double>(k);
    }
    RecordProperty(c.name, std::to_string(worst));
    const auto k = static_cast<std::size_t>(at);
    EXPECT_LE(worst, c.max_ulp) << c.name << ": " << std::hexfloat << x[k] << " to the power of " << y[k];
  }
}

/// Each pair of them: the bits of the library where it gives 0, 1, an infinity or not a number, else 2 ulp.
TEST(MathKernels, PowersOfSpecialNumbersAreThoseOfTheLibrary) {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  std::vector<double> ends;
  for (const double v : {0.0,          5e-324,
                         1e-310,       0x1p-1022,
                         1e-300,       1e-20,
                         0.25,         0.5,
                         1 - 0x1p-53,  1.0,
                         1 + 0x1p-52,  1.5,
                         2.0,          2.5,
                         3.0,          10.0,
                         63.0,         745.0,
                         1e15 + 1,     0x1p51 + 0.5,
                         0x1p52 - 0.5, 0x1p52 + 1,
                         0x1p53 - 1,   0x1p53,
                         0x1p53 + 2,   0x1.23456789abcdfp61,
                         1e20,         0x1.fp70,
                         1e300,        std::numeric_limits<double>::max(),
                         inf,          nan}) {
    ends.push_back(v);
    ends.push_back(-v);
  }
  std::vector<double> x, y;
  for (const double a : ends)
    for (const double b : ends) {
      x.push_back(a);
      y.push_back(b);
    }
  const std::vector<double> found = interpreted_powers(x, y);
  for (std::size_t k = 0; k < x.size(); ++k) {
    const double wanted = std::pow(x[k], y[k]);
    for (const double got : {found[k], math::pow(numerics::spread(x[k]), numerics::spread(y[k]))[0]}) {
      if (std::isnan(wanted)) {
        EXPECT_TRUE(std::isnan(got)) << x[k] << " to the power of " << y[k] << " is " << got;
      } else if (wanted == 0 || std::isinf(wanted) || std::abs(wanted) == 1) {
        EXPECT_TRUE(got == wanted && std::signbit(got) == std::signbit(wanted))
            << x[k] << " to the power of " << y[k] << " is " << got;
      } else {
        EXPECT_LE(ulps(got, Quad(wanted)), 2) << x[k] << " to the power of " << y[k];
      }
    }
  }
}

TEST(MathKernels, EndsOfTheRangeAreThoseOfTheFunctions) {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  for (const Case& c : cases) {
    double (*reference)(double) = nullptr;
    for (const Function& function : functions())
      if (function.name == c.name) reference = function.value;
    ASSERT_TRUE(reference) << c.name;
    for (const double v :
         {0.0, -0.0, 1.0, inf, -inf, nan, 1e-310, 5e-324, 1e308, -1e308, -745.2, -740.0, 709.9, 1e-20, -1e-20, -2.0, -1.0}) {
      const Lanes y = c.ours(numerics::spread(v));
      const double wanted = reference(v);
      if (std::isnan(wanted)) {
        EXPECT_TRUE(std::isnan(y[0])) << c.name << ' ' << v << ' ' << y[0];
      } else if (std::isinf(wanted) || wanted == 0) {
        EXPECT_EQ(y[0], wanted) << c.name << ' ' << v;
      } else {
        EXPECT_NEAR(y[0], wanted, 1e-15 * std::abs(wanted) + 5e-324) << c.name << ' ' << v;
      }
    }
  }
}

}  // namespace
}  // namespace hartline::equations
