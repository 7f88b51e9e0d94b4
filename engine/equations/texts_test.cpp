// Sixty right texts with their values, and sixty wrong ones with their messages.
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.hpp"
#include "equations/kernel.hpp"
#include "equations/program.hpp"

namespace hartline::equations {
namespace {

/// Every right text may use x = 0.5, y = 2, v = -65 mV, w = (1, 2, 3) and m = ((1, 2), (3, 4)); its value is `out`.
constexpr const char* given = "given x\ngiven y\ngiven v : mV\ngiven w[3]\ngiven m[2, 2]\n";

struct Right {
  const char* text;
  double value;
};

const Right right[] = {
    {"out = 1 + 2 * 3", 7},
    {"out = (1 + 2) * 3", 9},
    {"out = 7 - 2 - 1", 4},
    {"out = 8 / 4 / 2", 1},
    {"out = 2^3^2", 512},
    {"out = -2^2", -4},
    {"out = (-2)^2", 4},
    {"out = 2^-1", 0.5},
    {"out = +3 - -3", 6},
    {"out = 1.5e3 + .25", 1500.25},
    {"out = x * y", 1},
    {"out = x^2 / y", 0.125},
    {"out = 4^x", 2},
    {"out = x^y", 0.25},
    {"out = exp(0) + log(exp(2))", 3},
    {"out = expm1(x) - (exp(x) - 1)", 0},
    {"out = exprel(0) + exprel(x) * x - expm1(x)", 1},
    {"out = log1p(x) - log(1.5)", 0},
    {"out = log2(8) + log10(1000)", 6},
    {"out = sqrt(y * 8)", 4},
    {"out = abs(-x) + abs(x)", 1},
    {"out = sign(-3) + sign(0) + sign(2)", 0},
    {"out = floor(2.7) + floor(-0.5)", 1},
    {"out = sin(30 deg)", 0.5},
    {"out = cos(60 deg) + sin(0)", 0.5},
    {"out = tan(45 deg)", 1},
    {"out = sin(pi / 6)", 0.5},
    {"out = asin(1) / 1 deg", 90},
    {"out = acos(0) / 90 deg", 1},
    {"out = atan(1) / 45 deg", 1},
    {"out = atan2(1, 1) / 1 deg", 45},
    {"out = sinh(x)^2 - cosh(x)^2", -1},
    {"out = tanh(0.25) - sinh(x) / (1 + cosh(x))", 0},
    {"out = erf(x) + erfc(x)", 1},
    {"out = normal_cdf(0) + normal_cdf(-40)", 0.5},
    {"out = logistic(0) + logistic(x) + logistic(-x)", 1.5},
    {"out = softplus(x) - softplus(-x)", 0.5},
    {"out = log_gamma(5) - log(24)", 0},
    {"out = digamma(2) - digamma(1)", 1},
    {"out = trigamma(1) * 6 / pi^2", 1},
    {"out = log_bessel_i0(0) + bessel_ratio(0)", 0},
    {"out = min(x, y) + max(x, y)", 2.5},
    {"out = clip(5, 0, 1) + clip(-5, 0, 1) + clip(x, 0, 1)", 1.5},
    {"out = where(x < y, 10, 20)", 10},
    {"out = where(x >= y or y == 2, 1, 0)", 1},
    {"out = where(not x > y and x != y, 1, 0)", 1},
    {"out = where(x <= 0.5, 1, 0) + where(0 == 1, 1, 0)", 1},
    {"out = sum(w)", 6},
    {"out = dot(w, w)", 14},
    {"out = dot(m, m)", 30},
    {"out = w[0] + w[1 + 1]", 4},
    {"out = m[1, 0] * m[0, 1]", 6},
    {"out = sum(k in 3, k * w[k])", 8},
    {"out = sum(k in 2, sum(j in 2, m[k, j] * m[j, k]))", 29},
    {"out = sum(k in 3, w[2 - k] * w[k])", 10},
    {"out = v / 1 mV", -65},
    {"out = (v + 65 mV) / 1 V", 0},
    {"out = 100 ms * 30 Hz", 3},
    {"out = 1 nS * 1 mV / 1 pA", 1},
    {"out = 10^(-20 dB / 20 dB)", 0.1},
    {"out = b + 1\nb = c * 2\nc = x", 2},
    {"rate = 30 Hz : Hz\nout = rate * 1 min / 100 percent", 1800},
};

TEST(Texts, RightOnesHaveTheirValues) {
  EXPECT_GE(std::size(right), 60u);
  for (const Right& one : right) {
    for (const bool simplified : {false, true}) {
      Program program = read_program(std::string(given) + one.text + "\n", "text");
      run_passes(program, simplified ? "simplify" : "erase_units");
      const Id out = program.find("out");
      const auto kernel = make_interpreter(program.graph, {&out, 1}, std::vector<bool>(program.graph.num_symbols()));
      const double x = 0.5, y = 2, v = -65, w[] = {1, 2, 3}, m[] = {1, 2, 3, 4};
      const Input inputs[] = {{&x, 1, 0}, {&y, 1, 0}, {&v, 1, 0}, {w, 1, 0}, {m, 1, 0}};
      double value = 0;
      double* to[] = {&value};
      kernel->run(inputs, 1, to);
      EXPECT_NEAR(value, one.value, 2e-14 * (1 + std::abs(one.value))) << one.text;
    }
  }
}

struct Wrong {
  const char* text;
  const char* message;  // behind the place of the statement
};

const Wrong wrong[] = {
    {"out = v + x", "cannot add mV and a number without unit. In \"v + x\", v is mV and x is a number without unit (column 7)."},
    {"out = v - 3 Hz", "cannot subtract mV and Hz. In \"v - 3 Hz\", v is mV and 3 Hz is Hz (column 7)."},
    {"out = where(v < 3 s, 1, 0)", "cannot compare mV and s. In \"v < 3 s\", v is mV and 3 s is s (column 13)."},
    {"out = where(x < 1, v, 1 s)", "cannot choose between mV and s. In \"where(x < 1, v, 1 s)\", v is mV and 1 s is s (column 7)."},
    {"out = min(v, 1 A)", "cannot compare mV and A. In \"min(v, 1 A)\", v is mV and 1 A is A (column 7)."},
    {"out = clip(v, 0 V, 1)",
     "cannot compare mV and a number without unit. In \"clip(v, 0 V, 1)\", v is mV and 1 is a number without unit (column 7)."},
    {"out = exp(v)", "exp takes a number without unit. \"v\" is mV (column 11). Divide it by something in mV."},
    {"out = log(3 Hz)", "log takes a number without unit. \"3 Hz\" is Hz (column 11). Divide it by something in Hz."},
    {"out = sin(v)", "sin takes an angle or a number without unit. \"v\" is mV (column 11). Divide it by something in mV."},
    {"out = asin(3 deg)", "asin takes a number without unit. \"3 deg\" is rad (column 12). Divide it by something in rad."},
    {"out = 2^v", "an exponent takes a number without unit. \"v\" is mV (column 9). Divide it by something in mV."},
    {"out = v^x", "\"v\" is mV, so its exponent must be a number that is known. In \"v^x\" (column 7)."},
    {"out = v^0.3", "mV to the power 0.3 has no unit (column 7)."},
    {"out = 1 + 3 deg",
     "cannot add a number without unit and rad. In \"1 + 3 deg\", 1 is a number without unit and 3 deg is rad (column 7)."},
    {"out = 3 dB + 1",
     "cannot add dB and a number without unit. In \"3 dB + 1\", 3 dB is dB and 1 is a number without unit (column 7)."},
    {"out = x : mV", "is said to be mV, but \"x\" is a number without unit."},
    {"out = v : Hz", "is said to be Hz, but \"v\" is mV."},
    {"out = v : mvolt", "must be a unit (got \"mvolt\"). Did you mean \"mol\"?"},
    {"out = v : mV^", "must be a power of twelfths (got \"\"). In the unit \"mV^\"."},
    {"out = v : (mV", "must be a closing bracket (got \"\"). In the unit \"(mV\"."},
    {"out = 3 xyz", "must be an operator or a unit after a number (got \"xyz\" at column 9). Did you mean \"Hz\"?"},
    {"out = nothing_such", "there is no name \"nothing_such\" (column 7)."},
    {"out = tahn(x)", "there is no function \"tahn\" (column 7). Did you mean \"tan\"?"},
    {"out = softplu(x)", "there is no function \"softplu\" (column 7). Did you mean \"softplus\"?"},
    {"out = x(3)", "there is no function \"x\" (column 7). Did you mean \"max\"?"},
    {"out = exp()", "exp takes 1 argument (column 7). Got 0."},
    {"out = exp(1, 2)", "exp takes 1 argument (column 7). Got 2."},
    {"out = min(1)", "min takes 2 arguments (column 7). Got 1."},
    {"out = where(x < 1, 2)", "where takes 3 arguments (column 7). Got 2."},
    {"out = where(x, 1, 2)", "\"x\" is a number where a condition is needed (column 13). Compare it with something."},
    {"out = x and y", "\"x\" is a number where a condition is needed (column 7). Compare it with something."},
    {"out = not x", "\"x\" is a number where a condition is needed (column 11). Compare it with something."},
    {"out = x < 1", "a condition where a number is needed (column 7). where(condition, a, b) makes a number of one."},
    {"out = 1 + (x < 1)",
     "\"x < 1\" is a condition where a number is needed (column 12). where(condition, a, b) makes a number of one."},
    {"out = x < y < 3", "must be an operator or the end (got \"<\" at column 13). In \"out = x < y < 3\"."},
    {"out = w", "\"w\" is a vector where a number is needed (column 7). Take an element, w[0], a dot product or a sum."},
    {"out = w + 1", "\"w\" is a vector where a number is needed (column 7). Take an element, w[0], a dot product or a sum."},
    {"out = x[0]", "\"x\" is not a vector (column 7)."},
    {"out = w[3]", "index 0 of \"w\" must be from 0 to 2 (column 9). Got 3."},
    {"out = w[-1]", "index 0 of \"w\" must be from 0 to 2 (column 9). Got -1."},
    {"out = w[0.5]", "an index is made of whole numbers and of the indices of sums (column 9)."},
    {"out = w[x]", "an index is made of whole numbers and of the indices of sums (column 9)."},
    {"out = w[0, 1]", "\"w\" has 1 index (column 7). Got 2."},
    {"out = m[1]", "\"m\" has 2 indexes (column 7). Got 1."},
    {"out = sum(k in 4, w[k])", "index 0 of \"w\" must be from 0 to 2 (column 21). Got 0 to 3."},
    {"out = sum(k in x, k)", "a sum runs over a whole number of values, from 1 to 1e6, that is known (column 16)."},
    {"out = sum(k in 0, k)", "a sum runs over a whole number of values, from 1 to 1e6, that is known (column 16)."},
    {"out = sum(x in 3, x)", "the index \"x\" is the name of something else (column 7)."},
    {"out = dot(w, m)", "arrays of 3 and 2 x 2 numbers have no dot product (column 7)."},
    {"out = dot(w)", "dot takes 2 arguments (column 7). Got 1."},
    {"out = sum(x)", "\"x\" is not a vector (column 11)."},
    {"out = 1 +", "must be a number, a name or a bracket (got the end at column 10). In \"out = 1 +\"."},
    {"out = (1 + 2", "must be \")\" (got the end at column 13). In \"out = (1 + 2\"."},
    {"out = 1)", "must be an operator or the end (got \")\" at column 8). In \"out = 1)\"."},
    {"out = 2 ** 3", "must be ^ for a power (got \"**\" at column 9). In \"out = 2 ** 3\"."},
    {"out = 1 $ 2", "must be an operator or the end (got \"$\" at column 9). In \"out = 1 $ 2\"."},
    {"out = 1e999", "must be a number that a double can hold (got \"1e999\" at column 7). In \"out = 1e999\"."},
    {"out", "must be \"=\" (got the end at column 4). In \"out\"."},
    {"3 = x", "must be a name (got \"3\" at column 1). In \"3 = x\"."},
    {"exp = x", "must be a name of its own (got \"exp\"). That is a word of the language."},
    {"x = 3", "must be a name that stands for one thing (got \"x\" again)."},
    {"out = out + 1", "must be made of other names (got itself). \"out\" is needed to work out \"out\"."},
    {"out ~ x", "must be name ~ law(…), for example \"r ~ poisson(rate * window)\" (got \"out ~ x\")."},
    {"out ~ mixture(x, poisson(x))", "must be mixture(weight, law(…), weight, law(…), …) (got \"mixture(x, poisson(x))\")."},
    {"out ~ mixture(0.2, poisson(x), 0.8, x)", "must be mixture(weight, law(…), weight, law(…), …) (got \"x\" for a law)."},
    {"z' = x", "must be a state that starts somewhere (got \"z'\"). Say it as: start z = 0"},
    {"dv/ds = x", "must be dt (got \"ds\" at column 4). In \"dv/ds = x\"."},
};

TEST(Texts, WrongOnesAreToldWhereAndWhy) {
  EXPECT_GE(std::size(wrong), 60u);
  for (const Wrong& one : wrong) {
    try {
      read_program(std::string(given) + one.text + "\n", "text");
      ADD_FAILURE() << "not refused: " << one.text;
    } catch (const SpecError& error) {
      EXPECT_EQ(std::string(error.what()), "text:6: " + std::string(one.message)) << one.text;
    }
  }
}

}  // namespace
}  // namespace hartline::equations
