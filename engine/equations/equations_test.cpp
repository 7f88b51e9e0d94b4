#include <gtest/gtest.h>

#include <cmath>

#include "base/error.hpp"
#include "base/random.hpp"
#include "equations/differentiate.hpp"
#include "equations/kernel.hpp"
#include "equations/program.hpp"

namespace hartline::equations {
namespace {

/// Evaluates values by recursion in the order of need: the reference.
double value_of(const Graph& g, Id root, const std::vector<std::vector<double>>& symbols, std::vector<double> indices = {}) {
  const Node& node = g.at(root);
  const auto value = [&](std::size_t k) { return value_of(g, node.args[k], symbols, indices); };
  if (node.op == Op::symbol) return symbols[node.symbol][0];
  if (node.op == Op::index) return indices[node.symbol];
  if (node.op == Op::element) {
    std::size_t flat = 0;
    for (std::size_t k = 0; k < node.num_args(); ++k)
      flat = flat * g.symbol(node.symbol).shape[k] + static_cast<std::size_t>(value(k));
    return symbols[node.symbol][flat];
  }
  if (node.op == Op::sum) {
    indices.resize(std::max<std::size_t>(indices.size(), node.symbol + 1));
    double total = 0;
    for (double i = 0; i < node.value; ++i) {
      indices[node.symbol] = i;
      total += value_of(g, node.args[0], symbols, indices);
    }
    return total;
  }
  std::array<double, 3> args{};
  for (std::size_t k = 0; k < node.num_args(); ++k) args[k] = value(k);
  return evaluate(node, args);
}

std::vector<std::vector<double>> draw(const Program& program, std::uint64_t seed, double low, double high) {
  Stream stream(seed, Purpose::test, 0);
  std::vector<std::vector<double>> out(program.graph.num_symbols());
  for (std::uint32_t s = 0; s < out.size(); ++s)
    for (std::size_t k = 0; k < program.graph.symbol(s).num(); ++k) out[s].push_back(low + (high - low) * stream.uniform());
  return out;
}

const char* const tuning = R"(
given x : deg
given mu : deg
given sigma : deg
given A : Hz
given b : Hz
rate = b + A * exp(-(x - mu)^2 / (2 * sigma^2)) : Hz
window = 100 ms
r ~ poisson(rate * window)
)";

const char* const texts[] = {
    "given v : mV\nm = -where(v != 0 - 4 mV and not (v == 0) or 1 > 2, clip(V / 2 mV, 1, -0), -33^-3) : 1\nT3 = m + m * m - m - (-m)\n",
    "i0 = sum(k in 3, 2 * k)\ni1 = sum(i in 3, sum(j in 2, i * j + i0))\n",  // named as printed indices are
    tuning,
    "given x[2] : m\ngiven theta[2, 2] : m\n"
    "mu = 0.1 + sum(k in 2, 1 / (1e-4 + sum(j in 2, (x[j] / 1 m - theta[k, j] / 1 m)^2)))\nr ~ normal(log(mu), 0.5)\n",
    "given w[6]\ngiven x[6]\ngiven g\nrho = dot(w, x) - g * sum(x)\nrate = softplus(rho) + logistic(rho)\n",
    "given a\ngiven c\ny = where(a < c and not (a < 0.1), a^3 * c, max(a, c) / (1 + a)) + clip(a, 0.2, 0.4) + min(a, c)\n",
    "given a\ny = log_gamma(a + 1) + erf(a) * erfc(a) + exprel(a) + log1p(a) * expm1(-a) + sqrt(a) + abs(a - 2) + tanh(a)\n",
    "given a : rad\ny = sin(a) * cos(2 * a) + tan(a / 3) + sin(30 deg) + log_bessel_i0(a / 1 rad)\nz = atan2(a, 2 rad) + asin(0.3) "
    "+ atan(a / 1 rad) + 30 deg\n",
    "given v : mV\nm = 0.1 * (v + 40 mV) / 1 mV / (1 - exp(-(v + 40 mV) / (10 mV))) : 1\nI = 120 mS / (1 cm)^2 * m^3 * (v - 50 mV) "
    ": A/m^2\n",
    "given x\nr ~ mixture(0.9, poisson(exp(x) + z), 0.1, poisson(2))\nstart z = 1\nz' = 0.9 * z + 0.1 * r\n",
    "given x\ny = exp(x)\nr ~ censored(mixture(0.9, poisson(y), 0.1, poisson(2)), 0, 9)\n",
    "given x : mV\ny = 2 * x : mV\nr ~ censored(normal(y, 1 mV), 0, 3 * x) : mV\n",
    "given x : s\nr ~ normal(v, 1 mV) : mV\nstart v = 2 mV : mV\nv' = 0.9 * v + (r - v) * exp(-x / (1 s)) : mV\n",
    // a sum with a name inside another sum: their indices are not the same
    "given v[3]\ns = sum(k in 3, v[k])\nrate = sum(k in 2, exp(v[k] * s))\nall = sum(k in 3, v[k] * sum(j in 3, v[j] * v[k]) * "
    "s)\n",
    "given w[3]\ngiven x[3]\ngiven y[2]\ns = dot(w, x)\nrho = sum(k in 2, y[k] * s)\n",
    "five = --5\ni = -dB\nj = -dB\nk = -(2 m)\n",
    "z = 12 * M^3 * -(2 m - -1 m)\nq = M\n",
    "given t : dB\ngiven x : dB\np = 0.98 - 0.48 * exp(-10^(3.5 * (x - t) / 20 dB))\nr ~ bernoulli(p)\n",
};

/// Found by fuzzing: infinity is a number of its own, and so is every number of units without a name.
TEST(Programs, OddNumbersReadBack) {
  for (const char* text : {"given x\ny = (1 / 0) * (36000 / 0 / 0 * x) - 1 / 0 * x\n", "given x : m\ny = 4 / 0 * M * x * (1 / 0)\n",
                           "given x\ny = 0 / 0 * x - (0 / 0) * x + 1 / -0 * x - -(0 / 0)\n",
                           "given x\ny = 12 * (S / 0 S / 3)\nz = y * x + (2 - 2) / (3 - 3)\nw = 1 / 0\nv = w * x\n"})
    for (const char* pass : {"erase_units", "simplify", "name_shared"}) {
      Program program = read_program(text, "text");
      EXPECT_EQ(print(read_program(print(program), "printed")), print(program));
      run_passes(program, pass);
      EXPECT_EQ(print(read_program(print(program), "printed")), print(program)) << pass;
    }
}

TEST(Programs, WhatIsPrintedReadsBack) {
  for (const char* text : texts) {
    Program program = read_program(text, "text");
    for (std::size_t k = 0; k <= passes().size(); ++k) {
      const std::string printed = print(program);
      const Program again = read_program(printed, "printed");
      EXPECT_EQ(print(again), printed);
      ASSERT_EQ(again.values.size(), program.values.size());
      for (std::uint64_t seed = 0; seed < 3; ++seed) {
        const auto symbols = draw(program, seed, 0.3, 1.7);
        for (std::size_t v = 0; v < program.values.size(); ++v) {
          const double a = value_of(program.graph, program.values[v].value, symbols);
          const double b = value_of(again.graph, again.find(program.values[v].name), symbols);
          EXPECT_NEAR(a, b, 1e-13 * std::abs(a)) << printed;
        }
        ASSERT_EQ(again.states.size(), program.states.size());
        for (std::size_t z = 0; z < program.states.size(); ++z) {
          const State &one = program.states[z], &other = again.states[z];
          EXPECT_NEAR(value_of(program.graph, one.start, symbols), value_of(again.graph, other.start, symbols), 1e-13) << printed;
          EXPECT_NEAR(value_of(program.graph, one.next, symbols), value_of(again.graph, other.next, symbols), 1e-12) << printed;
        }
      }
      if (k < passes().size()) passes()[k].run(program);
    }
  }
}

TEST(Programs, ValuesStayTheSameThroughEveryPass) {
  for (const char* text : texts) {
    Program program = read_program(text, "text");
    erase_units(program);
    const Program first = program;
    for (const Pass& pass : passes()) {
      if (pass.run != erase_units) pass.run(program);
      for (std::uint64_t seed = 0; seed < 10; ++seed) {
        const auto symbols = draw(program, seed, 0.3, 1.7);
        for (const Named& named : first.values) {
          const double a = value_of(first.graph, named.value, symbols);
          const double b = value_of(program.graph, program.find(named.name), symbols);
          EXPECT_NEAR(a, b, 1e-12 * (1 + std::abs(a))) << pass.name << '\n' << print(program);
        }
      }
    }
  }
}

TEST(Programs, UnitsAreThoseOfTheFormula) {
  Program program = read_program(tuning, "tuning");
  erase_units(program);
  simplify(program);
  // 10 Hz at 3 deg, width 2 deg, 5 Hz below: in 100 ms
  const double at_four = value_of(program.graph, program.responses[0].arguments[0], {{4}, {3}, {2}, {10}, {5}});
  EXPECT_NEAR(at_four, 0.1 * (5 + 10 * std::exp(-0.125)), 1e-14);
}

TEST(Derivatives, ForwardEqualsReverseEqualsDifference) {
  for (const char* text : texts) {
    Program program = read_program(text, "text");
    erase_units(program);
    simplify(program);
    std::vector<Variable> variables;
    for (const std::uint32_t s : program.given)
      for (std::size_t k = 0; k < program.graph.symbol(s).num(); ++k) variables.push_back({s, k});
    for (const Named& named : program.values) {
      const std::vector<Id> reverse = gradient(program.graph, named.value, variables);
      for (std::size_t k = 0; k < variables.size(); ++k) {
        const Id forward = derivative(program.graph, named.value, variables[k]);
        for (std::uint64_t seed = 0; seed < 5; ++seed) {
          auto symbols = draw(program, 100 + seed, 0.5, 1.3);
          const double by_forward = value_of(program.graph, forward, symbols),
                       by_reverse = value_of(program.graph, reverse[k], symbols);
          double& x = symbols[variables[k].symbol][variables[k].element];
          const double at = x, h = 1e-4;
          const auto f = [&](double to) {
            x = at + to;
            return value_of(program.graph, named.value, symbols);
          };
          const double difference = (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h);
          const double scale = 1 + std::abs(difference) + std::abs(f(0));
          EXPECT_NEAR(by_forward, difference, 1e-8 * scale) << named.name << " by " << k << '\n' << print(program);
          EXPECT_NEAR(by_reverse, by_forward, 1e-11 * scale) << named.name << " by " << k << '\n'
                                                             << print(program.graph, reverse[k]);
        }
      }
    }
  }
}

TEST(Derivatives, SecondOrderEqualsDifference) {
  Program program = read_program(tuning, "tuning");
  erase_units(program);
  simplify(program);
  std::vector<Variable> variables;
  for (const std::uint32_t s : program.given) variables.push_back({s, 0});
  const std::vector<Id> slopes = gradient(program.graph, program.find("rate"), variables);
  for (std::size_t i = 0; i < variables.size(); ++i) {
    const std::vector<Id> second = gradient(program.graph, slopes[i], variables);
    for (std::size_t j = 0; j < variables.size(); ++j) {
      auto symbols = draw(program, 7, 0.5, 1.5);
      const double exact = value_of(program.graph, second[j], symbols);
      double& x = symbols[variables[j].symbol][0];
      const double at = x, h = 1e-4;
      x = at + h;
      const double above = value_of(program.graph, slopes[i], symbols);
      x = at - h;
      const double below = value_of(program.graph, slopes[i], symbols);
      EXPECT_NEAR(exact, (above - below) / (2 * h), 1e-6 * (1 + std::abs(exact)));
    }
  }
}

TEST(Derivatives, LinearTextsHaveTheirCoefficients) {
  Program program = read_program("given w[3]\ngiven x[3]\ngiven c\nrho = c^2 + 3 * dot(w, x) - w[1]\nbent = rho^2\n", "text");
  erase_units(program);
  simplify(program);
  const std::vector<Variable> weights = {{0, 0}, {0, 1}, {0, 2}};
  const auto found = linear_in(program.graph, program.find("rho"), weights);
  ASSERT_EQ(found.size(), 1u);
  const std::vector<std::vector<double>> symbols = {{5, 6, 7}, {0.5, 2, 4}, {3}};
  EXPECT_DOUBLE_EQ(value_of(program.graph, found[0].coefficients[0], symbols), 1.5);
  EXPECT_DOUBLE_EQ(value_of(program.graph, found[0].coefficients[1], symbols), 5);
  EXPECT_DOUBLE_EQ(value_of(program.graph, found[0].rest, symbols), 9);
  EXPECT_TRUE(linear_in(program.graph, program.find("bent"), weights).empty());
}

TEST(Derivatives, HaveAValueWhereTheFunctionsSlopeHasOne) {
  Program program = read_program(
      "given a\ngiven r\npart = where(0 < a, a^0.7 * log(a), 0)\ncontrast = a^r\ncount = where(r == 0, 0, r * log(a)) - a\n",
      "text");
  erase_units(program);
  simplify(program);
  const Variable a{0, 0}, r{1, 0};
  const auto slope = [&](const char* name, const Variable& by, double at_a, double at_r) {
    return value_of(program.graph, gradient(program.graph, program.find(name), {&by, 1})[0], {{at_a}, {at_r}});
  };
  EXPECT_EQ(slope("part", a, -0.5, 0), 0);
  EXPECT_EQ(slope("part", a, 0, 0), 0);
  EXPECT_EQ(slope("contrast", r, 0, 2), 0);
  EXPECT_EQ(slope("count", a, 0, 0), -1);
  EXPECT_DOUBLE_EQ(slope("count", a, 2, 3), 0.5);
}

TEST(Derivatives, LinearTextsOfSumsInSumsHaveTheirCoefficients) {
  Program program = read_program("given w[3]\ngiven x[3]\ngiven y[2]\ns = dot(w, x)\nrho = sum(k in 2, y[k] * s)\n", "text");
  erase_units(program);
  simplify(program);
  const std::vector<Variable> x = {{1, 0}, {1, 1}, {1, 2}};
  const auto found = linear_in(program.graph, program.find("rho"), x);
  ASSERT_EQ(found.size(), 1u);
  const double wanted[] = {36, 54, 90};  // w (y0 + y1)
  for (std::size_t k = 0; k < 3; ++k)
    EXPECT_DOUBLE_EQ(value_of(program.graph, found[0].coefficients[k], {{2, 3, 5}, {0, 0, 0}, {7, 11}}), wanted[k]);
}

TEST(Programs, HostileTextsEndInTime) {
  std::string doubled = "k0 = 1\n", last_first, deep = "v", names, differentiated = "given k0\n";
  for (int i = 1; i <= 40; ++i)
    doubled += "k" + std::to_string(i) + " = k" + std::to_string(i - 1) + " * k" + std::to_string(i - 1) + "\n";
  EXPECT_NO_THROW(read_program(doubled + "given v[2]\nr ~ poisson(v[0] ^ k40)\n", "text"));
  for (int i = 40; i >= 1; --i)
    last_first += "k" + std::to_string(i) + " = k" + std::to_string(i - 1) + " * k" + std::to_string(i - 1) + "\n";
  EXPECT_LT(print(read_program(last_first + "k0 = 1 + 1\n", "text")).size(), 2000u);
  for (int i = 1; i <= 40; ++i)
    differentiated += "k" + std::to_string(i) + " = sin(k" + std::to_string(i - 1) + ") * k" + std::to_string(i - 1) + "\n";
  Program program = read_program(differentiated, "text");
  run_passes(program, "differentiate");
  EXPECT_THROW(print(program), SpecError);
  run_passes(program, "name_shared");
  EXPECT_LT(print(program).size(), 100000u);
  EXPECT_THROW(read_program("given x : " + std::string(40000, '(') + "m\n", "text"), SpecError);
  EXPECT_THROW(read_program("y = " + std::string(5000, '(') + "1\n", "text"), SpecError);
  for (int i = 0; i < 190; ++i) {
    names += "k" + std::to_string(i) + " = k" + std::to_string(i + 1);
    for (int j = 0; j < 900; ++j) names += " + 1";
    names += "\n";
  }
  EXPECT_THROW(read_program(names + "k190 = 1\n", "text"), SpecError);
  EXPECT_THROW(read_program("given w[1000000, 1000000]\n", "text"), SpecError);
  EXPECT_THROW(read_program("z = (1 m)^999\ny = z * z\n", "text"), UnitError);
}

TEST(Programs, DivisionIsExact) {
  Program program = read_program("given x\ny = floor(x / 49)\nz = exp(x) * (exp(x) / exp(700))\n", "text");
  run_passes(program, "simplify");
  EXPECT_EQ(value_of(program.graph, program.find("y"), {{49}}), 1);
  EXPECT_NEAR(value_of(program.graph, program.find("z"), {{400}}), std::exp(100), 1e-10 * std::exp(100));
}

TEST(Interpreter, EqualsTheReferenceInEveryLane) {
  for (const char* text : texts) {
    for (const bool simplified : {false, true}) {
      Program program = read_program(text, "text");
      erase_units(program);
      if (simplified) {
        simplify(program);
        differentiate(program);
      }
      std::vector<Id> outputs;
      for (const Named& named : program.values) outputs.push_back(named.value);
      for (const std::uint64_t pattern : {0u, 1u, 2u, 5u, 255u}) {  // which symbols vary
        std::vector<bool> varies(program.graph.num_symbols());
        for (std::size_t s = 0; s < varies.size(); ++s) varies[s] = pattern >> s & 1u;
        const auto kernel = make_interpreter(program.graph, outputs, varies);
        for (const std::size_t num : {1u, 7u, 300u}) {
          std::vector<std::vector<double>> data(program.graph.num_symbols());
          std::vector<Input> inputs;
          for (std::uint32_t s = 0; s < varies.size(); ++s) {
            Stream stream(s, Purpose::test, num);
            const std::size_t each = program.graph.symbol(s).num(), lanes = varies[s] ? num : 1;
            for (std::size_t k = 0; k < each * lanes; ++k) data[s].push_back(0.3 + stream.uniform());
            inputs.push_back({data[s].data(), lanes, varies[s] ? 1u : 0u});
          }
          std::vector<std::vector<double>> out(outputs.size(), std::vector<double>(num));
          std::vector<double*> to;
          for (auto& one : out) to.push_back(one.data());
          kernel->run(inputs, num, to);
          for (const std::size_t lane : {std::size_t{0}, num / 2, num - 1}) {
            std::vector<std::vector<double>> symbols(varies.size());
            for (std::size_t s = 0; s < varies.size(); ++s)
              for (std::size_t e = 0; e < program.graph.symbol(static_cast<std::uint32_t>(s)).num(); ++e)
                symbols[s].push_back(inputs[s].data[e * inputs[s].element_stride + lane * inputs[s].lane_stride]);
            for (std::size_t k = 0; k < outputs.size(); ++k) {
              const double wanted = value_of(program.graph, outputs[k], symbols);
              EXPECT_NEAR(out[k][lane], wanted, 1e-13 * (1 + std::abs(wanted))) << program.values[k].name << '\n' << print(program);
            }
          }
        }
      }
    }
  }
}

struct Wrong {
  const char* text;
  const char* message;
};

const Wrong wrong[] = {
    {"given b : Hz\ngiven mu : deg\nrate = b + mu\n",
     "text:3: cannot add Hz and deg. In \"b + mu\", b is Hz and mu is deg (column 8)."},
    {"given x : deg\ny = exp(x)\n",
     "text:2: exp takes a number without unit. \"x\" is deg (column 9). Divide it by something in deg."},
    {"given sigma\ny = sigm + 1\n", "text:2: there is no name \"sigm\" (column 5). Did you mean \"sigma\"?"},
    {"y = 3 mvolt\n", "text:1: must be an operator or a unit after a number (got \"mvolt\" at column 7). Did you mean \"mol\"?"},
    {"y = (1 + 2\n", "text:1: must be \")\" (got the end at column 11). In \"y = (1 + 2\"."},
    {"y = 2 ** 3\n", "text:1: must be ^ for a power (got \"**\" at column 7). In \"y = 2 ** 3\"."},
    {"given x : Hz\ny = x : deg\n", "text:2: is said to be deg, but \"x\" is Hz."},
    {"given x : m\ngiven n\ny = x^n\n",
     "text:3: \"x\" is m, so its exponent must be a number that is known. In \"x^n\" (column 5)."},
    {"y = expp(2)\n", "text:1: there is no function \"expp\" (column 5). Did you mean \"exp\"?"},
    {"a = b\nb = a\n", "text:1: must be made of other names (got itself). \"a\" is needed to work out \"a\"."},
    {"given w[3]\ny = w + 1\n",
     "text:2: \"w\" is a vector where a number is needed (column 5). Take an element, w[0], a dot product or a sum."},
    {"given w[3]\ny = w[3]\n", "text:2: index 0 of \"w\" must be from 0 to 2 (column 7). Got 3."},
    {"given w[3]\ny = sum(k in 4, w[k])\n", "text:2: index 0 of \"w\" must be from 0 to 2 (column 19). Got 0 to 3."},
    {"y = 1 < 2\n", "text:1: a condition where a number is needed (column 5). where(condition, a, b) makes a number of one."},
    {"given x\nx = 3\n", "text:2: must be a name that stands for one thing (got \"x\" again)."},
    {"exp = 3\n", "text:1: must be a name of its own (got \"exp\"). That is a word of the language."},
    {"given~poisson(3)\n", "text:1: must be a name of its own (got \"given\"). That is a word of the language."},
    {"start z = 1 mV : mV\nz' = 3\n", "text:1: z is mV and its next value is a number without unit."},
    {"start z = 1\n", "text:1: must be a next value of every state (got none of z)."},
    {"start z = 1\nz' = r\nr ~ poisson(exp(r))\n",
     "text:3: must be responses that are independent given stimulus and parameters (got \"r\" among the arguments of \"r\"). What "
     "was answered may enter the next value of a state."},
    {"start z = 1\nz' = r\nr ~ poisson(z)\ns ~ poisson(r + 1)\n",
     "text:4: must be responses that are independent given stimulus and parameters (got \"r\" among the arguments of \"s\"). What "
     "was answered may enter the next value of a state."},
    {"start z = y\nstart y = 1\nz' = z\ny' = z\n", "text:1: must be a start that depends on parameters alone (got \"y\")."},
    {"dv/dt = 3\n", "text:1: must be an equation, a response or a state (got dv/dt). Encoding models have no time of their own."},
};

TEST(Programs, WrongOnesAreToldWhereAndWhy) {
  for (const Wrong& one : wrong) {
    try {
      read_program(one.text, "text");
      ADD_FAILURE() << "not refused: " << one.text;
    } catch (const SpecError& error) {
      EXPECT_STREQ(error.what(), one.message);
    }
  }
}

}  // namespace
}  // namespace hartline::equations
