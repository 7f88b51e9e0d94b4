#include "design/feasible_set.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.hpp"
#include "base/random.hpp"
#include "design/random_law.hpp"

namespace hartline::design {
namespace {

double distance(std::span<const double> a, std::span<const double> b) {
  double total = 0;
  for (std::size_t i = 0; i < a.size(); ++i) total += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(total);
}

TEST(FeasibleSet, TheNearestIsFound) {
  for (const SetKind kind : {SetKind::ball, SetKind::box, SetKind::ball_in_box})
    for (std::uint64_t seed = 0; seed < 6; ++seed) {
      StimulusSet set;
      set.dim = 3;
      set.shape = kind;
      set.power = 1.1;
      set.low = {-0.4, 0.1, -1};
      set.high = {0.7, 0.9, 0.3};
      Stream stream(seed, Purpose::test);
      std::vector<double> x(3), y(3), other(3);
      for (double& value : x) value = 2 * stream.normal();
      y = x;
      project_onto(set, y);
      double norm = 0;
      for (std::size_t i = 0; i < 3; ++i) {
        norm += y[i] * y[i];
        if (kind == SetKind::ball) continue;
        EXPECT_GE(y[i], set.low_of(i));
        EXPECT_LE(y[i], set.high_of(i));
      }
      if (kind != SetKind::box) {
        EXPECT_LE(norm, 1.1 * (1 + 1e-12));
      }
      const double nearest = distance(x, y);
      for (int k = 0; k < 10000; ++k) {
        if (kind == SetKind::ball)
          stream.fill_sphere(other, std::sqrt(1.1) * std::cbrt(stream.uniform()));
        else
          for (std::size_t i = 0; i < 3; ++i) other[i] = set.low_of(i) + (set.high_of(i) - set.low_of(i)) * stream.uniform();
        if (kind == SetKind::ball_in_box && other[0] * other[0] + other[1] * other[1] + other[2] * other[2] > 1.1) continue;
        ASSERT_GE(distance(x, other), nearest - 1e-12);
      }
      std::vector<double> again = y;
      project_onto(set, again);
      EXPECT_LT(distance(y, again), 1e-12);  // what is in the set stays
    }
}

TEST(FeasibleSet, ImpossibleSetsAreRefused) {
  StimulusSet set;
  set.dim = 2;
  set.shape = SetKind::ball_in_box;
  set.low = {0.9};
  set.high = {1};
  EXPECT_THROW(check_set(set), SpecError);  // 2 · 0.81 > power = 1
  set.power = 2;
  EXPECT_NO_THROW(check_set(set));
  set.high = {0.5};
  EXPECT_THROW(check_set(set), SpecError);
  set.high = {1, 2, 3};
  EXPECT_THROW(check_set(set), SpecError);
}

TEST(FeasibleSet, RandomStimuliKeepToTheSet) {
  StimulusSet set;
  set.dim = 4;
  set.low = {-0.2};
  set.high = {0.6};
  DesignSpec spec;
  std::vector<double> x(4);
  for (const SetKind kind : {SetKind::box, SetKind::ball_in_box}) {
    set.shape = kind;
    const RandomLaw law(spec, set);
    for (std::uint64_t t = 0; t < 500; ++t) {
      Stream stream(1, Purpose::test, t);
      law.draw(stream, x);
      for (const double value : x) {
        EXPECT_GE(value, -0.2);
        EXPECT_LE(value, 0.6);
      }
    }
  }
  // of a Gaussian those draws that lie in the box; within a range of a ball there is none
  spec.law = "gaussian";
  EXPECT_THROW(RandomLaw(spec, set), SpecError);
  set.shape = SetKind::box;
  const RandomLaw law(spec, set);
  double mean = 0;
  for (std::uint64_t t = 0; t < 2000; ++t) {
    Stream stream(1, Purpose::test, t);
    law.draw(stream, x);
    for (const double value : x) {
      ASSERT_TRUE(value >= -0.2 && value <= 0.6);
      mean += value / 8000;
    }
  }
  // of N(0, 1) between -.2 and .6; a standard error is .0026
  EXPECT_NEAR(mean, (0.39104 - 0.33322) / (0.72575 - 0.42074), 0.011);
  set.low = {5};
  set.high = {6};
  EXPECT_THROW(RandomLaw(spec, set), SpecError);
}

}  // namespace
}  // namespace hartline::design
