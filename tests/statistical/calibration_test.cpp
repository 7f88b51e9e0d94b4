// Whether the Gaussian belief of a generalised linear model is as wide as it should be when it has chosen its own stimuli.
#include <gtest/gtest.h>

#include "../proof/proof.hpp"
#include "calibration.hpp"
#include "models/glm.hpp"

namespace hartline {
namespace {

using proof::Coverage;
using proof::percent;
using proof::Verdict;

constexpr std::int64_t dim = 16;

struct Study {
  std::vector<std::int64_t> counts;  // trial counts at which the one-step belief is judged
  std::vector<Coverage> one_step;    // [num_counts]
  Coverage refined;                  // after a refit on the whole history, at the last count
};

/// Runs that draw θ ~ N(0, (k/4)² I), which is the belief's prior, and choose stimuli by infomax on the unit ball.
Study study(double k, std::vector<std::int64_t> counts, std::int64_t num_runs, double overdispersion = 0) {
  Study out{counts, std::vector<Coverage>(counts.size()), {}};
  const std::string text = fmt::format(
      "format = 1\nseed = 1\nnum_trials = {}\n[subject]\noverdispersion = {:.3f}\n"
      "[stimulus]\nkind = \"ball\"\nshape = [{}]\n"
      "[model]\nkind = \"glm\"\n[belief]\nprior_sd = {:.6f}\nrefine_at_end = true\n",
      counts.back(), overdispersion, dim, k / 4);
  std::vector<std::vector<Verdict>> verdicts(static_cast<std::size_t>(num_runs));
  proof::for_each_run(text, 1000, num_runs, [&](std::size_t i, const loop::Experiment& experiment, loop::Run& run) {
    const auto& belief = dynamic_cast<const models::GaussianBelief&>(run.learner().belief());
    for (std::int64_t count : counts) {
      while (run.learner().num_trials() < count) run.step();
      verdicts[i].push_back(proof::judge(belief, experiment.truth));
    }
    run.learner().finish();
    verdicts[i].push_back(proof::judge(belief, experiment.truth));
  });
  for (const auto& own : verdicts) {
    for (std::size_t c = 0; c < counts.size(); ++c) out.one_step[c].add(own[c]);
    out.refined.add(own.back());
  }
  return out;
}

void add_row(proof::Sheet& sheet, const std::string& name, std::int64_t count, const std::string& belief, const Coverage& c) {
  sheet.row({name, fmt::format("{}", count), belief, percent(c.share(c.inside)), percent(c.share(c.along)),
             fmt::format("{:.2f}", c.mean_distance()), fmt::format("{:.1f}", c.ranks.chi_square()),
             fmt::format("{:.1f}", c.radial_ranks.chi_square())});
}

const std::vector<std::string> columns = {"model",
                                          "trials",
                                          "belief",
                                          "90 % ellipsoid covers",
                                          "90 % interval along the estimate covers",
                                          "mean squared distance (16 if calibrated)",
                                          "χ² of ranks, a coordinate",
                                          "χ² of ranks, along the estimate"};

/// After a refit the 90 % ellipsoid must cover 87 to 93 % of 1,000 truths. With 60 runs: a belief that covers 90 % fails with
/// probability at most 1e-3 a check; one that covers 68 % fails with probability .99.
TEST(Calibration, RefinedBeliefsCoverTheTruthUnderInfomax) {
  const std::int64_t num_runs = proof::sized(1000, 60);
  proof::Sheet sheet(
      fmt::format("Calibration of the Gaussian belief under infomax, prior known, d = {}, {} runs (χ² with 9 degrees of freedom, "
                  "1e-4 above {})",
                  dim, num_runs, proof::RankHistogram::limit),
      columns);
  for (int k = 1; k <= 3; ++k) {
    const std::string name = fmt::format("k = {}", k);
    const Study at_200 = study(k, {40, 80, 160, 200}, num_runs);
    for (std::size_t c = 0; c < at_200.counts.size(); ++c) add_row(sheet, name, at_200.counts[c], "one-step", at_200.one_step[c]);
    add_row(sheet, name, 200, "refined", at_200.refined);
    for (const std::int64_t covered : {at_200.refined.inside, at_200.refined.along})
      EXPECT_TRUE(proof::covers_ninety_percent(covered, num_runs)) << name << ": " << covered << " of " << num_runs;
    EXPECT_LT(at_200.refined.ranks.chi_square(), proof::RankHistogram::limit) << name;
    // the mean over n runs of a χ² with 16 degrees of freedom has the standard deviation √(32/n); five of them and a bias of 5 %
    const double spread = 5 * std::sqrt(32 / static_cast<double>(num_runs)) + 0.8;
    EXPECT_NEAR(at_200.refined.mean_distance(), 16, spread) << name;
  }
  if (proof::is_full()) {
    const Study longer = study(3, {320}, num_runs);
    add_row(sheet, "k = 3", 320, "one-step", longer.one_step[0]);
    add_row(sheet, "k = 3", 320, "refined", longer.refined);
  }
}

/// The check above sees a model that is wrong: a gamma gain of variance .3 that the belief ignores leaves its ellipsoid far too
/// small. It then covers below a tenth of the truths, and half of 20 runs with probability below 1e-5.
TEST(Calibration, IgnoredOverdispersionIsDetected) {
  const std::int64_t num_runs = proof::sized(1000, 20);
  const Study wrong = study(3, {200}, num_runs, .3);
  proof::Sheet sheet(fmt::format("The same with over-dispersion .3 that the belief ignores, {} runs", num_runs), columns);
  add_row(sheet, "k = 3, over-dispersed", 200, "one-step", wrong.one_step[0]);
  add_row(sheet, "k = 3, over-dispersed", 200, "refined", wrong.refined);
  EXPECT_FALSE(proof::covers_ninety_percent(wrong.refined.inside, num_runs));
  EXPECT_LT(wrong.refined.share(wrong.refined.inside), .5);
  EXPECT_LT(wrong.one_step[0].share(wrong.one_step[0].inside), .5);
}

}  // namespace
}  // namespace hartline
