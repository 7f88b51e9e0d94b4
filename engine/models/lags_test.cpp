// A model that looks back: the belief of a filter with lags, history and blocks is that of plain regressors written out by hand.
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.hpp"
#include "models/glm.hpp"

namespace hartline::models {
namespace {

Response counts(std::vector<double> values, std::vector<Mark> marks = {}) {
  Response r;
  r.num_bins = static_cast<std::int64_t>(values.size());
  r.values = std::move(values);
  r.marks = std::move(marks);
  return r;
}

/// Frames of two pixels, three lags, two earlier responses, a bias: 3·2 + 2 + 1 = 9 weights.
GlmSpec looking_back() {
  GlmSpec spec;
  spec.num_lags = 3;
  spec.num_history = 2;
  spec.bias = true;
  return spec;
}

/// The predictor of response t, written out.
std::vector<double> regressors(const std::vector<double>& frames, const std::vector<double>& responses, std::size_t t) {
  std::vector<double> s;
  for (std::size_t lag = 0; lag < 3; ++lag)
    for (std::size_t i = 0; i < 2; ++i) s.push_back(t >= lag ? frames[(t - lag) * 2 + i] : 0);
  for (std::size_t j = 1; j <= 2; ++j) s.push_back(t >= j ? responses[t - j] : 0);
  return s;
}

TEST(LookingBack, EqualsPlainRegressors) {
  const Glm glm(looking_back(), {}, 2);
  GlmSpec plain_spec;
  plain_spec.bias = true;
  const Glm plain(plain_spec, {}, 8);
  auto belief = glm.prior(), expected = plain.prior();
  std::vector<double> frames, responses;
  History history;
  for (std::size_t t = 0; t < 40; ++t) {
    Stream stream(1, Purpose::test, t);
    for (int i = 0; i < 2; ++i) frames.push_back(stream.normal());
    responses.push_back(stream.poisson(1.0));
    const std::vector<double> s = regressors(frames, responses, t);
    const Update got = glm.update(*belief, {&frames[2 * t], 2}, counts({responses[t]}), 0);
    const Update wanted = plain.update(*expected, s, counts({responses[t]}), 0);
    ASSERT_EQ(got.log_evidence, wanted.log_evidence) << t;
  }
  EXPECT_EQ(dynamic_cast<GaussianBelief&>(*belief).mean, dynamic_cast<GaussianBelief&>(*expected).mean);
  EXPECT_EQ(dynamic_cast<GaussianBelief&>(*belief).covariance, dynamic_cast<GaussianBelief&>(*expected).covariance);
  // and the refit sees the same rows
  history.num_trials = 40;
  history.stimuli = frames;
  history.values = responses;
  const Rows rows = glm.rows(history);
  ASSERT_EQ(rows.num, 40u);
  for (std::size_t t = 0; t < 40; ++t)
    for (std::size_t i = 0; i < 8; ++i) EXPECT_EQ(rows.s[t * 9 + i], regressors(frames, responses, t)[i]);
}

TEST(LookingBack, BlocksOfFramesEqualFramesOneByOne) {
  Sequence blocks;
  blocks.num_frames = 4;
  const Glm by_block(looking_back(), {}, 2, blocks), by_frame(looking_back(), {}, 2);
  auto a = by_block.prior(), b = by_frame.prior();
  for (std::size_t t = 0; t < 10; ++t) {
    std::vector<double> frames(8), values(4);
    Stream stream(2, Purpose::test, t);
    stream.fill_normal(frames);
    for (double& v : values) v = stream.poisson(0.7);
    const double evidence = by_block.update(*a, frames, counts(values), 0).log_evidence;
    double sum = 0;
    for (std::size_t k = 0; k < 4; ++k) sum += by_frame.update(*b, {&frames[2 * k], 2}, counts({values[k]}), 0).log_evidence;
    EXPECT_NEAR(evidence, sum, 1e-12);
  }
  EXPECT_EQ(dynamic_cast<GaussianBelief&>(*a).covariance, dynamic_cast<GaussianBelief&>(*b).covariance);
}

TEST(LookingBack, WhatIsNotTakenInIsStillThePast) {
  const Glm glm(looking_back(), {}, 2);
  auto seen = glm.prior(), blind = glm.prior();
  const double x[] = {1, -1}, y[] = {0.5, 2};
  glm.update(*seen, x, counts({3}, {Mark::blanked}), 0);  // another arm's trial
  EXPECT_EQ(dynamic_cast<GaussianBelief&>(*seen).mean, dynamic_cast<GaussianBelief&>(*blind).mean);
  glm.update(*seen, y, counts({2}), 0);
  glm.update(*blind, y, counts({2}), 0);
  EXPECT_NE(dynamic_cast<GaussianBelief&>(*seen).mean, dynamic_cast<GaussianBelief&>(*blind).mean);
}

TEST(Marks, ACensoredValueTellsLessThanTheValueAndMoreThanNothing) {
  const Glm glm({}, {}, 1);
  const double x[] = {1};
  auto censored = glm.prior(), observed = glm.prior(), skipped = glm.prior();
  glm.update(*censored, x, counts({6}, {Mark::censored}), 0);
  glm.update(*observed, x, counts({6}), 0);
  glm.update(*skipped, x, counts({6}, {Mark::missing}), 0);
  const auto& c = dynamic_cast<GaussianBelief&>(*censored);
  const auto& o = dynamic_cast<GaussianBelief&>(*observed);
  const auto& s = dynamic_cast<GaussianBelief&>(*skipped);
  EXPECT_GT(c.mean[0], 1);
  EXPECT_GT(c.mean[0], s.mean[0]);
  EXPECT_GT(c.covariance[0], o.covariance[0]);
  EXPECT_LT(c.covariance[0], s.covariance[0]);
  EXPECT_EQ(s.covariance[0], 1);
}

TEST(Marks, APendingResponseKeepsTheMeanAndShrinksTheCovariance) {
  const Glm glm({}, {}, 2);
  const double x[] = {1, 0.5};
  auto belief = glm.prior();
  glm.update(*belief, x, counts({2}), 0);
  const auto outlook = belief->fork();
  glm.update(*outlook, x, counts({0}, {Mark::pending}), 0);
  const auto& before = dynamic_cast<GaussianBelief&>(*belief);
  const auto& after = dynamic_cast<GaussianBelief&>(*outlook);
  EXPECT_EQ(after.mean, before.mean);
  EXPECT_EQ(after.version, before.version);
  ASSERT_EQ(after.pending.size(), 1u);
  EXPECT_LT(after.half_logdet, before.half_logdet);
  // what it expects to gain is what it gains on average over the responses it expects, up to how they move the mean
  const auto view = std::get<GaussianView>(glm.capability(*belief));
  double v = 0, m = 0;
  for (int i = 0; i < 2; ++i) {
    m += x[i] * view.mean[i];
    for (int j = 0; j < 2; ++j) v += x[i] * x[j] * view.covariance[i * 2 + j];
  }
  double gain = 0;
  for (int r = 0; r < 60; ++r) {
    const auto fork = belief->fork();
    const double evidence = glm.update(*fork, x, counts({static_cast<double>(r)}), 0).log_evidence;
    gain += std::exp(evidence) * (before.half_logdet - dynamic_cast<GaussianBelief&>(*fork).half_logdet);
  }
  EXPECT_NEAR(before.half_logdet - after.half_logdet, gain, 0.02 * gain);
}

TEST(Marks, SkippingWhatIsLostIsRefused) {
  GaussianBeliefSpec belief;
  belief.censored = "skip";
  EXPECT_THROW(Glm({}, belief, 2), SpecError);
}

}  // namespace
}  // namespace hartline::models
