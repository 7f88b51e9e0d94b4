#include "models/law_tail.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/math/special_functions/beta.hpp>
#include <boost/math/special_functions/erf.hpp>
#include <boost/math/special_functions/gamma.hpp>
#include <boost/math/special_functions/log1p.hpp>
#include <boost/multiprecision/cpp_bin_float.hpp>
#include <cmath>

#include "base/error.hpp"

namespace hartline::models {
namespace {

using Fifty = boost::multiprecision::cpp_bin_float_50;
namespace bm = boost::math;

const TextLaw& law_named(std::string_view name) {
  return *std::find_if(text_laws().begin(), text_laws().end(), [&](const TextLaw& law) {
    return law.name == name && law.form != LawForm::binomial;  // of binomials the counts
  });
}

const TextLaw two_gammas = make_mixture({{&law_named("gamma"), 1, 2}, {&law_named("lognormal"), 4, 2}}, "");
const TextLaw two_counts = make_mixture({{&law_named("poisson"), 1, 1}, {&law_named("negative_binomial"), 3, 2}}, "");

Fifty in_fifty_digits(const TextLaw& law, const std::vector<double>& a, double bound, bool from) {
  Fifty p;
  const Fifty x = bound, one = 1, f0 = a[0], f1 = a.size() > 1 ? a[1] : 0;
  switch (law.form) {
    case LawForm::poisson:
      p = from ? bm::gamma_p(x, f0) : bm::gamma_q(Fifty(x + 1), f0);
      break;
    case LawForm::negative_binomial: {
      const Fifty shape = one / f1, rest = one / (one + f0 * f1);
      p = from ? bm::ibetac(shape, x, rest) : bm::ibeta(shape, Fifty(x + 1), rest);
      break;
    }
    case LawForm::binomial_count:
      p = from ? bm::ibeta(x, Fifty(f0 - x + 1), f1) : bm::ibetac(Fifty(x + 1), Fifty(f0 - x), f1);
      break;
    case LawForm::normal:
    case LawForm::lognormal: {
      const Fifty z = ((law.form == LawForm::normal ? x : Fifty(log(x))) - f0) / f1 / sqrt(Fifty(2));
      p = bm::erfc(from ? z : Fifty(-z)) / 2;
      break;
    }
    case LawForm::gamma:
      p = from ? bm::gamma_q(f0, Fifty(x / f1)) : bm::gamma_p(f0, Fifty(x / f1));
      break;
    default:
      p = from ? bm::ibetac(f0, f1, x) : bm::ibeta(f0, f1, x);
  }
  return p;
}

/// log P; near one by what is left to it.
double log_in_fifty_digits(const TextLaw& law, const std::vector<double>& a, double bound, Side side) {
  const bool from = side == Side::from;
  const Fifty p = in_fifty_digits(law, a, bound, from);
  if (p < 0.5) return static_cast<double>(log(p));
  const double next = law.kind == ResponseKind::counts ? 1 : 0;
  return static_cast<double>(bm::log1p(Fifty(-in_fifty_digits(law, a, from ? bound - next : bound + next, !from))));
}

TEST(LawTail, AgreesWithFiftyDigits) {
  const struct {
    const char* name;
    std::vector<double> arguments;
    std::vector<double> bounds;
  } cases[] = {{"poisson", {0.0025}, {1, 3, 9, 60}},
               {"poisson", {40}, {1, 30, 41, 90, 400}},
               {"poisson", {3000}, {1000, 2900, 3100, 5000}},
               {"negative_binomial", {4, 0.6}, {1, 4, 40, 400}},
               {"negative_binomial", {300, 0.02}, {5, 290, 800}},
               {"negative_binomial", {20, 3}, {1, 50, 900}},
               {"binomial", {40, 0.3}, {1, 12, 30, 40}},
               {"binomial", {200, 0.01}, {1, 50, 150}},
               {"normal", {0.4, 1.3}, {-60, -3, 0.5, 4, 50}},
               {"lognormal", {0.2, 0.5}, {1e-9, 0.5, 3, 1e7}},
               {"gamma", {2.3, 1.4}, {1e-20, 0.5, 4, 900, 5000}},
               {"gamma", {0.2, 1}, {1e-30, 1e-3, 2, 3000}},
               {"gamma", {400, 0.1}, {5, 39, 42, 400}},
               {"beta", {2.5, 1.7}, {1e-8, 0.3, 0.9, 0.999999}},
               {"beta", {300, 700}, {0.01, 0.29, 0.33, 0.95}}};
  int num_deep = 0;
  for (const auto& one : cases)
    for (const double bound : one.bounds)
      for (const Side side : {Side::up_to, Side::from}) {
        const double wanted = log_in_fifty_digits(law_named(one.name), one.arguments, bound, side);
        if (!std::isfinite(wanted)) continue;  // beyond the range of the fifty digits' own routine
        num_deep += wanted < -700;
        EXPECT_NEAR(log_tail(law_named(one.name), one.arguments, bound, side), wanted, 1e-9 * std::abs(wanted) + 1e-300)
            << one.name << ' ' << bound << ' ' << static_cast<int>(side);
      }
  EXPECT_GE(num_deep, 8);  // what no double holds
}

struct Case {
  const TextLaw* law;
  std::vector<double> arguments;
  std::vector<double> bounds;
};

const Case cases[] = {
    {&law_named("poisson"), {3.7}, {1, 4, 12}},
    {&law_named("poisson"), {900}, {700, 905}},
    {&law_named("negative_binomial"), {4.2, 0.6}, {1, 3, 30}},
    {&law_named("binomial"), {30, 0.3}, {2, 10, 29}},
    {&law_named("normal"), {0.4, 1.3}, {-9, -0.3, 0.5, 12}},
    {&law_named("lognormal"), {0.2, 0.5}, {0.1, 1.2, 20}},
    {&law_named("gamma"), {2.3, 1.4}, {0.02, 3, 60}},
    {&law_named("gamma"), {0.3, 2}, {1e-6, 0.4, 30}},
    {&law_named("gamma"), {500, 0.01}, {4.4, 5.1, 7}},
    {&law_named("beta"), {2.5, 1.7}, {0.01, 0.6, 0.99}},
    {&law_named("beta"), {0.6, 0.8}, {0.01, 0.6, 0.9}},
    {&law_named("zero_inflated_gamma"), {0.3, 2.3, 1.4}, {0, 0.5, 9}},
    {&two_gammas, {1, 2.3, 1.4, 2, 4, 0.02}, {0.5, 50, 53}},
    {&two_counts, {2, 3.7, 0.5, 70, 0.1}, {3, 20, 90}},
};

/// Sums over the nodes, of arguments that differ by a little too: what the derivatives are made of.
TEST(LawTail, NodesHaveTheTailAndItsDerivatives) {
  for (const Case& one : cases)
    for (const double bound : one.bounds)
      for (const Side side : {Side::up_to, Side::from}) {
        TailNodes nodes;
        tail_nodes(*one.law, one.arguments, bound, side, nodes);
        const auto by_nodes = [&](const std::vector<double>& a) {
          double top = -INFINITY, total = 0;
          std::vector<double> logs;
          for (std::size_t k = 0; k < nodes.r.size(); ++k)
            top =
                std::max(top, logs.emplace_back(nodes.log_weight[k] + log_weight(*one.law, a, nodes.r[k]) - log_norm(*one.law, a)));
          for (const double x : logs) total += std::exp(x - top);
          return top + std::log(total);
        };
        const double whole = log_tail(*one.law, one.arguments, bound, side);
        EXPECT_NEAR(by_nodes(one.arguments), whole, 1e-9 * (1 + std::abs(whole))) << one.law->name << ' ' << bound;
        for (std::size_t k = 0; k < one.arguments.size(); ++k) {
          if (one.law->form == LawForm::binomial_count && k == 0) continue;  // a whole number
          std::vector<double> up = one.arguments, down = one.arguments;
          const double h = 1e-5 * std::abs(one.arguments[k]);
          up[k] += h;
          down[k] -= h;
          const double wanted = (log_tail(*one.law, up, bound, side) - log_tail(*one.law, down, bound, side)) / (2 * h);
          EXPECT_NEAR((by_nodes(up) - by_nodes(down)) / (2 * h), wanted, 1e-5 * (std::abs(wanted) + std::abs(1 / one.arguments[k])))
              << one.law->name << ' ' << bound << ' ' << k << ' ' << static_cast<int>(side);
        }
      }
}

/// What is seen between two limits has all of its probability, and the mean of what is drawn, to five standard errors.
TEST(LawTail, CensoredLawsAreWhole) {
  for (const Case& one : cases) {
    if (one.bounds.size() < 2) continue;
    const TextLaw law = make_censored({one.law, 0, one.arguments.size()}, "r");
    const double low = one.bounds[0], high = one.bounds[1];
    std::vector<double> a = one.arguments;
    a.insert(a.end(), {low, high});
    ASSERT_TRUE(is_valid(law, a));
    EXPECT_EQ(distribution(law, a, low).below, 0);
    EXPECT_EQ(distribution(law, a, high).up_to, 1);
    EXPECT_NEAR(distribution(law, a, low).up_to, std::exp(log_weight(law, a, low)), 1e-12);
    EXPECT_NEAR(1 - distribution(law, a, high).below, std::exp(log_weight(law, a, high)), 1e-9);
    EXPECT_EQ(log_weight(law, a, low - 1), log_weight(law, a, low));  // what lies beyond is told as the limit
    const double mean = expected_value(law, a);
    Stream stream(3, Purpose::test);
    double sum = 0, square = 0, at_high = 0;
    constexpr int num = 20000;
    for (int k = 0; k < num; ++k) {
      const double r = draw_response(law, a, stream);
      ASSERT_TRUE(r >= low && r <= high);
      sum += r / num;
      square += r * r / num;
      at_high += r == high;
    }
    EXPECT_NEAR(sum, mean, 5 * std::sqrt((square - sum * sum) / num) + 1e-12) << one.law->name;
    const double p = std::exp(log_weight(law, a, high));
    EXPECT_NEAR(at_high / num, p, 5 * std::sqrt(p * (1 - p) / num) + 1e-9) << one.law->name;
  }
  for (const char* name : {"von_mises", "bernoulli", "clipped_normal"})
    EXPECT_THROW(make_censored({&law_named(name), 0, 2}, "r"), SpecError) << name;
}

}  // namespace
}  // namespace hartline::models
