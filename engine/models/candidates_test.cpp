#include "models/candidates.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.hpp"
#include "models/glm.hpp"

namespace hartline::models {
namespace {

std::unique_ptr<Model> with_link(const char* link, std::size_t dim = 3) {
  GlmSpec spec;
  spec.link = link;
  return std::make_unique<Glm>(spec, GaussianBeliefSpec{}, dim);
}

Candidates two_links() {
  std::vector<std::unique_ptr<Model>> models;
  models.push_back(with_link("exp"));
  models.push_back(with_link("softplus"));
  return {std::move(models), {"exp", "softplus"}};
}

Response counts(double r) { return {ResponseKind::counts, 1, 1, {r}, {}, ""}; }

TEST(Candidates, WeightsFollowTheEvidence) {
  const Candidates both = two_links();
  const auto belief = both.prior();
  const auto exp_belief = both.model(0).prior(), soft_belief = both.model(1).prior();
  double log_odds = 0;
  for (std::uint64_t t = 0; t < 30; ++t) {
    Stream stream(1, Purpose::test, t);
    double x[3];
    stream.fill_sphere(x, 2);
    const Response r = counts(stream.poisson(2));
    const double total = both.update(*belief, x, r, 0).log_evidence;
    const double e = both.model(0).update(*exp_belief, x, r, 0).log_evidence;
    const double s = both.model(1).update(*soft_belief, x, r, 0).log_evidence;
    const double p = 1 / (1 + std::exp(-log_odds));
    EXPECT_NEAR(total, std::log(p * std::exp(e) + (1 - p) * std::exp(s)), 1e-12);
    log_odds += e - s;
  }
  EXPECT_NEAR(dynamic_cast<CandidatesBelief&>(*belief).weights[0], 1 / (1 + std::exp(-log_odds)), 1e-12);
}

TEST(Candidates, FindsTheModelThatAnswers) {
  const Candidates both = two_links();
  int right = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto belief = both.prior();
    Stream truth(seed, Purpose::truth);
    const double theta[] = {1.5 * truth.normal(), 1.5 * truth.normal(), 1.5 * truth.normal()};
    for (std::uint64_t t = 0; t < 300; ++t) {
      Stream stream(seed, Purpose::test, t);
      double x[3];
      stream.fill_sphere(x, 2);
      both.update(*belief, x, counts(both.model(seed % 2).sample(theta, x, stream)), 0);
    }
    right += dynamic_cast<CandidatesBelief&>(*belief).weights[seed % 2] > 0.5;
  }
  EXPECT_GE(right, 18);
}

TEST(Candidates, OfDifferentFormsAreRefused) {
  std::vector<std::unique_ptr<Model>> models;
  models.push_back(with_link("exp", 3));
  models.push_back(with_link("exp", 4));
  EXPECT_THROW(Candidates(std::move(models), {"a", "b"}), SpecError);
}

}  // namespace
}  // namespace hartline::models
