#include "models/prior_law.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/math/quadrature/gauss_kronrod.hpp>
#include <cmath>

#include "base/error.hpp"

namespace hartline::models {
namespace {

TEST(PriorLaws, QuantilesAreThoseOfTheDensity) {
  for (const char* text :
       {"uniform(-2, 5)", "normal(1, 2)", "lognormal(log(2), 0.5)", "half_normal(3)", "exponential(2)", "gamma(2, 1.5)",
        "beta(2, 3)", "truncated(normal(0, 1), 0.5, 2)", "truncated(lognormal(0, 1), 0.1, 3)", "von_mises(1, 2)", "circular(-1, 3)",
        "mixture(0.3, normal(-2, 0.5), 0.7, normal(3, 1.5))", "truncated(mixture(1, normal(-2, 0.5), 3, normal(2, 1)), -1, 3)"}) {
    const auto statement = equations::parse_expression("p", text, "p");
    const PriorLaw law(statement, statement.root, "p");
    for (const double u : {0.1, 0.5, 0.93}) {
      const double from = law.quantile(1e-9), to = law.quantile(u);
      double total = 0;
      for (int k = 0; k < 60; ++k)
        total += boost::math::quadrature::gauss_kronrod<double, 15>::integrate(
            [&](double x) { return std::exp(law.log_density(x)); }, from + (to - from) * k / 60, from + (to - from) * (k + 1) / 60,
            0);
      EXPECT_NEAR(total, u, 1e-6) << text;
    }
    if (std::isfinite(law.high())) {
      EXPECT_EQ(law.log_density(law.high() + 1), -INFINITY) << text;
    }
  }
}

TEST(PriorLaws, CountsAndChoicesHaveTheirProbabilities) {
  const auto law_of = [](const char* text) {
    const auto statement = equations::parse_expression("p", text, "p");
    return PriorLaw(statement, statement.root, "p");
  };
  const struct {
    const char* text;
    double value, probability;
  } cases[] = {{"poisson(2.5)", 3, std::exp(-2.5) * 2.5 * 2.5 * 2.5 / 6},
               {"binomial(6, 0.3)", 2, 15 * 0.09 * std::pow(0.7, 4)},
               {"negative_binomial(3, 0.5)", 0, std::pow(2.5, -2)},
               {"bernoulli(0.2)", 1, 0.2},
               {"categorical(1, 5, 2)", 1, 0.625},
               {"truncated(poisson(1), 1, 2)", 2, 1.0 / 3},
               {"truncated(range(1, 9, 1), 3, 6.5)", 5, 0.25},
               {"logits(1, 0.5)", 2, std::exp(0.5) / (1 + std::exp(1) + std::exp(0.5))},
               {"ordinal(0.3, -1, 0.5, 2)", 1, 0.5792597094391030 - 0.0968004845856103},
               {"mixture(1, poisson(2), 3, values(2, 5))", 2, 0.25 * 2 * std::exp(-2) + 0.75 * 0.5}};
  for (const auto& [text, value, probability] : cases) {
    const PriorLaw law = law_of(text);
    ASSERT_TRUE(law.is_discrete());
    EXPECT_NEAR(law.log_density(value), std::log(probability), 1e-9) << text;
    EXPECT_EQ(law.log_density(value + 0.5), -INFINITY) << text;
    Stream stream(1, Purpose::test);
    double drawn = 0, by_normal = 0;
    constexpr int num = 20000;
    const std::vector<double> nodes = law.nodes(9);  // the values, whatever number is asked for
    const auto at = std::find(nodes.begin(), nodes.end(), value);
    ASSERT_NE(at, nodes.end()) << text;
    EXPECT_EQ(law.from_normal(law.score_of(static_cast<std::size_t>(at - nodes.begin()))), value) << text;
    for (int k = 0; k < num; ++k) {
      drawn += law.draw(stream) == value;
      by_normal += law.from_normal(stream.normal()) == value;
    }
    EXPECT_NEAR(drawn / num, probability, 0.015) << text;
    EXPECT_NEAR(by_normal / num, probability, 0.015) << text;
  }
  EXPECT_THROW(law_of("poisson(-1)"), SpecError);
  EXPECT_THROW(law_of("truncated(poisson(2), 0.2, 0.7)"), SpecError);
}

/// A spike in a slab, and ends: single values have their probability, exactly, and the scores lead to them.
TEST(PriorLaws, SingleValuesAmongOthersHaveTheirProbability) {
  const struct {
    const char* text;
    double value, probability, below;
  } cases[] = {{"zero_inflated_gamma(0.3, 2, 1.5)", 0, 0.3, 0},
               {"clipped_normal(0.4, 1.3, -0.5, 1.5)", -0.5, 0.24440, 0},
               {"clipped_normal(0.4, 1.3, -0.5, 1.5)", 1.5, 0.19875, 1 - 0.19875},
               {"mixture(0.3, values(0), 0.7, normal(1, 1))", 0, 0.3, 0.7 * 0.158655}};
  for (const auto& one : cases) {
    const auto statement = equations::parse_expression("p", one.text, "p");
    const PriorLaw law(statement, statement.root, "p");
    EXPECT_FALSE(law.is_discrete());
    EXPECT_FALSE(law.has_density());
    Stream stream(1, Purpose::test);
    double drawn = 0, by_normal = 0, below = 0;
    constexpr int num = 20000;
    for (int k = 0; k < num; ++k) {
      drawn += law.draw(stream) == one.value;
      const double x = law.from_normal(stream.normal());
      by_normal += x == one.value;
      below += x < one.value;
    }
    EXPECT_NEAR(drawn / num, one.probability, 0.016) << one.text;
    EXPECT_NEAR(by_normal / num, one.probability, 0.016) << one.text;
    EXPECT_NEAR(below / num, one.below, 0.016) << one.text;
  }
}

/// Both derivatives of x(z), where there is a density.
TEST(PriorLaws, SlopesOfScoresAreDifferences) {
  for (const char* text : {"uniform(-2, 5)", "normal(1, 2)", "lognormal(0.3, 0.5)", "half_normal(3)", "exponential(2)",
                           "gamma(2, 1.5)", "beta(2, 3)", "truncated(normal(0, 1), 0.5, 2)", "von_mises(1, 2)", "circular(-1, 3)",
                           "mixture(0.3, normal(-2, 0.5), 0.7, gamma(2, 1.5))"}) {
    const auto statement = equations::parse_expression("p", text, "p");
    const PriorLaw law(statement, statement.root, "p");
    EXPECT_TRUE(law.has_density()) << text;
    for (const double z : {-1.7, -0.4, 0.6, 2.1}) {
      double first = 0, second = 0;
      const double x = law.from_normal(z), h = 1e-3, up = law.from_normal(z + h), down = law.from_normal(z - h);
      law.slopes_from_normal(z, x, first, second);
      EXPECT_NEAR(first, (up - down) / (2 * h), 1e-4 * (1 + std::abs(first))) << text << z;
      EXPECT_NEAR(second, (up - 2 * x + down) / (h * h), 2e-3 * (1 + std::abs(first) + std::abs(second))) << text << z;
    }
    // far out on both sides, as exact as near the middle
    if (!std::isfinite(law.high()) && !std::isfinite(law.low())) {
      EXPECT_LT(law.from_normal(-9), law.from_normal(-8.5)) << text;
      EXPECT_LT(law.from_normal(8.5), law.from_normal(9)) << text;
    }
  }
}

}  // namespace
}  // namespace hartline::models
