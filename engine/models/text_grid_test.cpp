#include "models/text_grid.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "models/grid.hpp"
#include "models/test_texts.hpp"
#include "numerics/special.hpp"

namespace hartline::models {
namespace {

const TextGridBelief& on_grid(const Belief& belief) { return dynamic_cast<const TextGridBelief&>(belief); }

/// The same nodes and tables: the same numbers.
TEST(TextGrid, IsTheGridOfTables) {
  const auto executor = make_serial_executor();
  const auto psychometric = test_text({{"x", "range(-4, 4, 0.5)"}}, "r ~ bernoulli(0.02 + 0.96 * logistic((x - t) / s))",
                                      {{"t", "normal(0, 1)"}, {"s", "lognormal(-1, 0.5)"}});
  const TextGrid model(psychometric, {20, 15}, false, *executor);
  const GridModel grid(make_family(psychometric, {20, 15}), every_stimulus(psychometric->stimulus), *executor);
  const auto belief = model.prior(), other = grid.prior();
  for (const double x : {-0.5, 1.0, 0.5, 2.0}) {
    const Update one = model.update(*belief, {&x, 1}, test_response(model, x > 0.7), 0);
    const Update two = grid.update(*other, {&x, 1}, test_response(grid, x > 0.7), 0);
    EXPECT_NEAR(one.log_evidence, two.log_evidence, 1e-12);
    EXPECT_NEAR(one.predictions[0].mean, two.predictions[0].mean, 1e-12);
  }
  double mean[2], sd[2], mean2[2], sd2[2];
  model.summarise(*belief, mean, sd);
  grid.summarise(*other, mean2, sd2);
  for (int k = 0; k < 2; ++k) {
    EXPECT_NEAR(mean[k], mean2[k], 1e-12);
    EXPECT_NEAR(sd[k], sd2[k], 1e-12);
  }
}

/// Few values, and nothing known yet: quantiles are those of the prior, also beyond the outermost values. After responses that tell
/// little they are near those of a grid of very many values, also where another axis was laid anew.
TEST(TextGrid, QuantilesReachBeyondTheValues) {
  const auto executor = make_serial_executor();
  const auto text = test_text({{"x", "range(-4, 4, 0.5)"}}, "r ~ normal(a * x + 0.2 * b, 0.3)",
                              {{"a", "uniform(0, 2)"}, {"b", "lognormal(0, 0.5)"}});
  const TextGrid few(text, {7, 7}, true, *executor), many(text, {400, 200}, true, *executor);
  const auto belief = few.prior(), fine = many.prior();
  for (const double p : {0.02, 0.3, 0.95}) {
    EXPECT_NEAR(few.quantile(on_grid(*belief), 0, p), 2 * p, 1e-12);
    EXPECT_NEAR(few.quantile(on_grid(*belief), 1, p), std::exp(0.5 * numerics::normal_quantile(p)), 1e-9);
  }
  bool told = false;
  for (int t = 0; t < 6; ++t) {
    const double x = t % 2 ? 4 : 3.5;
    few.update(*belief, {&x, 1}, test_response(few, 0.9 * x + 0.2 + (t % 3 - 1) * 0.2), 0);
    many.update(*fine, {&x, 1}, test_response(many, 0.9 * x + 0.2 + (t % 3 - 1) * 0.2), 0);
    told = told || !on_grid(*belief).notices.empty();
  }
  EXPECT_TRUE(told);  // laid anew
  for (const double p : {0.05, 0.5, 0.95}) {
    EXPECT_NEAR(few.quantile(on_grid(*belief), 0, p), many.quantile(on_grid(*fine), 0, p), 0.02);
    EXPECT_NEAR(few.quantile(on_grid(*belief), 1, p), many.quantile(on_grid(*fine), 1, p), 0.2);
  }
}

/// A truth beyond the last quantile, and 400 precise responses: 30 values a parameter stay enough, because they move.
TEST(TextGrid, FollowsThePosterior) {
  const auto executor = make_executor(2);
  for (const bool follow : {true, false}) {
    const TextGrid model(
        test_text({{"x", "box(-1, 1)"}}, "r ~ normal(a + b * x, 0.1)", {{"a", "normal(0, 1)"}, {"b", "normal(0, 1)"}}), {30, 30},
        follow, *executor);
    const auto belief = model.prior();
    double n = 0, sx = 0, sxx = 0, sr = 0, sxr = 0;
    bool told = false;
    for (std::uint64_t t = 0; t < 400; ++t) {
      Stream stream(3, Purpose::test, t);
      const double x = 2 * stream.uniform() - 1, r = 3.1 - 0.4 * x + 0.1 * stream.normal();
      model.update(*belief, {&x, 1}, test_response(model, r), 0);
      told = told || !on_grid(*belief).notices.empty();
      n += 1;
      sx += x;
      sxx += x * x;
      sr += r;
      sxr += x * r;
    }
    // the exact posterior of a line
    const double v = 0.01, p = 1 + n / v, q = 1 + sxx / v, c = sx / v, det = p * q - c * c;
    const double a = (q * sr / v - c * sxr / v) / det, b = (p * sxr / v - c * sr / v) / det, sd_a = std::sqrt(q / det);
    double mean[2], sd[2];
    model.summarise(*belief, mean, sd);
    EXPECT_EQ(told, follow);
    if (follow) {
      EXPECT_NEAR(mean[0], a, 0.05 * sd_a);
      EXPECT_NEAR(mean[1], b, 0.05 * std::sqrt(p / det));
      EXPECT_NEAR(sd[0], sd_a, 0.05 * sd_a);
    } else {
      EXPECT_GT(std::abs(mean[0] - a), 6 * sd_a);
    }
  }
}

/// Truths at two to five standard deviations of the prior, under noise far below what the values are apart.
TEST(TextGrid, FindsTruthsFarOut) {
  const auto executor = make_executor(2);
  for (const double noise : {0.01, 0.1})
    for (const double truth : {0.0, -1.9, 2.2, 2.5, -3.0, 4.0, 5.0})
      for (const std::size_t num_values : {12, 25}) {
        const TextGrid model(
            test_text({{"x", "box(-1, 1)"}}, fmt::format("r ~ normal(a, {})", noise).c_str(), {{"a", "normal(0, 1)"}}),
            {num_values}, true, *executor);
        const auto belief = model.prior();
        double sum = 0, mean, sd;
        const double x = 0, num = 30;
        for (std::uint64_t t = 0; t < 30; ++t) {
          Stream stream(5, Purpose::test, t);
          const double r = truth + noise * stream.normal();
          sum += r;
          model.update(*belief, {&x, 1}, test_response(model, r), 0);
          for (const Notice& notice : on_grid(*belief).notices) EXPECT_FALSE(notice.warning) << truth << " " << notice.text;
        }
        model.summarise(*belief, {&mean, 1}, {&sd, 1});
        const double precision = 1 + num / (noise * noise), exact = sum / (noise * noise) / precision,
                     exact_sd = 1 / std::sqrt(precision);
        EXPECT_NEAR(mean, exact, 0.1 * exact_sd) << truth << " " << noise << " " << num_values;
        EXPECT_NEAR(sd, exact_sd, 0.1 * exact_sd) << truth << " " << noise << " " << num_values;
      }
}

/// The first response leaves a ridge much thinner than the values are apart, and aslant.
TEST(TextGrid, IsNotMisledByARidge) {
  const auto executor = make_executor(2);
  const TextGrid model(
      test_text({{"x", "box(-1, 1)"}}, "r ~ normal(a * x + b, 0.01)", {{"a", "normal(0, 1)"}, {"b", "normal(0, 1)"}}), {20, 20},
      true, *executor);
  const auto belief = model.prior();
  double mean[2], sd[2];
  for (std::uint64_t t = 0; t < 30; ++t) {
    Stream stream(6, Purpose::test, t);
    const double x = t % 2 ? -2 : 2, r = 2.4 * x + 0.3 + 0.01 * stream.normal();
    model.update(*belief, {&x, 1}, test_response(model, r), 0);
  }
  model.summarise(*belief, mean, sd);
  EXPECT_NEAR(mean[0], 2.4, 4 * 0.01 / std::sqrt(120.));
  EXPECT_NEAR(mean[1], 0.3, 4 * 0.01 / std::sqrt(30.));
  EXPECT_NEAR(sd[0], 0.01 / std::sqrt(120.), 0.1 * 0.01 / std::sqrt(120.));
  EXPECT_NEAR(sd[1], 0.01 / std::sqrt(30.), 0.1 * 0.01 / std::sqrt(30.));
}

/// Where the prior ends, and where few values cannot tell two parameters apart.
TEST(TextGrid, SaysWhatItCannotFollow) {
  const auto executor = make_serial_executor();
  const auto told = [&](const TextGrid& model, double r, const char* kind) {
    const auto belief = model.prior();
    int times = 0;
    const double x = 1;
    for (int t = 0; t < 5; ++t) {
      model.update(*belief, {&x, 1}, test_response(model, r), 0);
      for (const Notice& notice : on_grid(*belief).notices) times += notice.warning && notice.kind == kind;
    }
    return times;
  };
  const auto point = test_text({{"x", "box(-1, 1)"}}, "r ~ normal(a * x, 0.01)", {{"a", "normal(0, 1)"}});
  EXPECT_EQ(told(TextGrid(point, {12}, true, *executor), 7.5, "border"), 1);
  EXPECT_EQ(told(TextGrid(point, {12}, true, *executor), 2.5, "border"), 0);
  const auto sum =
      test_text({{"x", "box(-1, 1)"}}, "r ~ normal(a * x + 0.61 * b, 1e-4)", {{"a", "normal(0, 1)"}, {"b", "normal(0, 1)"}});
  EXPECT_EQ(told(TextGrid(sum, {9, 9}, true, *executor), 0.333, "coarse"), 1);
}

TEST(TextGrid, RefusesWhatIsTooLargeOrImpossible) {
  const auto executor = make_serial_executor();
  EXPECT_THROW(
      TextGrid(test_text({{"x", "box(0, 1)"}}, "r ~ poisson(sum(w) * x)", {{"w", "uniform(1, 2)[8]"}}), {20}, true, *executor),
      SpecError);
  const TextGrid model(test_text({{"x", "box(0, 1)"}}, "r ~ poisson(w * x)", {{"w", "uniform(1, 2)"}}), {20}, true, *executor);
  const auto belief = model.prior();
  const std::uint64_t before = belief->digest();
  const double none = 0;
  EXPECT_THROW(model.update(*belief, {&none, 1}, test_response(model, 3), 0), RunError);
  EXPECT_EQ(belief->digest(), before);
}

}  // namespace
}  // namespace hartline::models
