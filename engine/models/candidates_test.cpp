#include "models/candidates.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "models/glm.hpp"
#include "models/grid.hpp"
#include "models/particles.hpp"
#include "models/test_texts.hpp"
#include "models/text_grid.hpp"
#include "models/text_laplace.hpp"

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

/// Of two models the second gives a hit below 0 probability 0, whatever belief it has.
TEST(Candidates, ThatAreRefutedAreRuledOutAndTheRunGoesOn) {
  const auto executor = make_serial_executor();
  for (const std::string kind : {"tables", "grid", "particles", "laplace"}) {
    const auto make = [&](const char* response) -> std::unique_ptr<Model> {
      auto text = test_text({{"x", "values(-1, 1)"}}, response, {{"q", "uniform(0.2, 0.8)"}});
      if (kind == "tables") return std::make_unique<GridModel>(make_family(text, {12}), std::vector<double>{-1, 1}, *executor);
      if (kind == "grid") return std::make_unique<TextGrid>(text, std::vector<std::size_t>{12}, false, *executor);
      if (kind == "particles") return std::make_unique<ParticleModel>(text, ParticleSettings{500, 0.5, 2, 1e5}, 1, *executor);
      return std::make_unique<TextLaplace>(text, 200, 1, *executor);
    };
    std::vector<std::unique_ptr<Model>> models;
    models.push_back(make("r ~ bernoulli(0.9 * q)"));
    models.push_back(make("r ~ bernoulli(where(x > 0, q, 0))"));
    const Candidates both(std::move(models), {"a", "b"});
    const auto alone = both.model(0).prior(), any_belief = both.prior();
    auto& belief = dynamic_cast<CandidatesBelief&>(*any_belief);
    for (const double x : {1., -1., -1., 1., -1.}) {
      const Response hit = test_response(both, 1);
      const double odds = belief.weights[0], evidence = both.model(0).update(*alone, {&x, 1}, hit, 0).log_evidence;
      const Update update = both.update(belief, {&x, 1}, hit, 0);
      const bool refutes = x < 0 && odds < 1;
      EXPECT_EQ(std::any_of(belief.notices.begin(), belief.notices.end(),
                            [](const Notice& n) { return n.warning && n.kind == "refuted" && n.text.starts_with("b: "); }),
                refutes)
          << kind;
      if (x > 0 && odds < 1) continue;
      EXPECT_EQ(belief.weights, (std::vector<double>{1, 0})) << kind;
      EXPECT_NEAR(update.log_evidence, std::log(odds) + evidence, 1e-12) << kind;
      ASSERT_EQ(update.predictions.size(), 1u) << kind;
      if (refutes) {  // of what was foretold both have their part: no hit at all under b
        EXPECT_NEAR(update.predictions[0].below, 1 - odds * 0.45, 0.1 * odds) << kind;
        EXPECT_GT(update.predictions[0].below, 1 - odds * 0.8) << kind;
      }
    }
    EXPECT_EQ(belief.beliefs[0]->digest(), alone->digest()) << kind;  // the first learned as it does alone
    EXPECT_EQ(entropy(belief), 0) << kind;
  }
}

TEST(Candidates, AreUnchangedWhereAResponseCannotBeTaken) {
  const auto executor = make_serial_executor();
  // a law that q leaves behind x = 1, and one that gives no hit probability above 0 at x = -1
  const auto make = [&](const char* response) {
    return std::make_unique<TextGrid>(test_text({{"x", "values(-1, 0, 1)"}}, response, {{"q", "uniform(0.2, 0.8)"}}),
                                      std::vector<std::size_t>{12}, false, *executor);
  };
  std::vector<std::unique_ptr<Model>> models;
  models.push_back(make("r ~ bernoulli(where(x < 0, 0, q))"));
  models.push_back(make("r ~ bernoulli(where(x < 0, 0, where(x > 0, -q, q)))"));
  const Candidates both(std::move(models), {"a", "b"});
  const auto belief = both.prior();
  const double middle = 0;
  both.update(*belief, {&middle, 1}, test_response(both, 1), 0);
  const std::uint64_t before = belief->digest();
  for (const double x : {1., -1.}) {
    EXPECT_THROW(both.update(*belief, {&x, 1}, test_response(both, 1), 0), RunError) << x;
    EXPECT_EQ(belief->digest(), before) << x;
  }
}

TEST(Candidates, TellWhatTheirBeliefsNotice) {
  const auto executor = make_serial_executor();
  std::vector<std::unique_ptr<Model>> models;
  for (const char* response : {"r ~ normal(w * x, 0.3)", "r ~ normal(w^2 * x, 0.3)"})  // of the second ±w are alike
    models.push_back(
        std::make_unique<TextLaplace>(test_text({{"x", "box(-1, 1)"}}, response, {{"w", "normal(0, 1)"}}), 1000, 1, *executor));
  const Candidates both(std::move(models), {"line", "square"});
  const auto belief = both.prior();
  std::vector<std::string> told;
  for (int t = 0; t < 5; ++t) {
    const double x = 1;
    both.update(*belief, {&x, 1}, test_response(both, 1.2), 0);
    for (const Notice& notice : dynamic_cast<CandidatesBelief&>(*belief).notices) {
      told.push_back(notice.text);
      EXPECT_EQ(notice.kind, "laplace");
    }
  }
  ASSERT_EQ(told.size(), 1u);
  EXPECT_TRUE(told[0].starts_with("square: ")) << told[0];
}

TEST(Candidates, OfDifferentFormsAreRefused) {
  std::vector<std::unique_ptr<Model>> models;
  models.push_back(with_link("exp", 3));
  models.push_back(with_link("exp", 4));
  EXPECT_THROW(Candidates(std::move(models), {"a", "b"}), SpecError);
}

}  // namespace
}  // namespace hartline::models
