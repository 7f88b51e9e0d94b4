// Whether a belief is as wide as it should be when its prior has a structure, and when the evidence has set that prior.
#include <gtest/gtest.h>

#include "../proof/proof.hpp"
#include "calibration.hpp"
#include "models/glm.hpp"

namespace hartline {
namespace {

constexpr std::size_t side = 6, dim = side * side;

/// What a belief says of the weights, and of ρ for a stimulus that it has not seen.
struct Verdict {
  proof::Verdict weights;
  bool one = false, fresh = false;  // whether the 90 % interval of one weight holds the truth, and that of ρ
  std::size_t everywhere = 0;       // weights whose interval does
};

Verdict judge(const models::GaussianBelief& belief, const std::vector<double>& truth, std::uint64_t seed) {
  Stream stream(seed, Purpose::test);
  const auto at = static_cast<std::size_t>(stream.integer(dim));
  std::vector<double> x(dim);
  stream.fill_sphere(x, 1);
  Verdict v;
  v.weights = proof::judge(belief, truth, at);
  v.one = v.weights.rank > .05 && v.weights.rank < .95;
  double gap = 0, variance = 0;
  for (std::size_t i = 0; i < dim; ++i) {
    gap += x[i] * (truth[i] - belief.mean[i]);
    for (std::size_t j = 0; j < dim; ++j) variance += x[i] * belief.covariance[i * dim + j] * x[j];
    v.everywhere += std::abs(truth[i] - belief.mean[i]) < proof::two_sided * std::sqrt(belief.covariance[i * dim + i]);
  }
  v.fresh = std::abs(gap) < proof::two_sided * std::sqrt(variance);
  return v;
}

struct Coverage {
  proof::Coverage weights;
  std::int64_t one = 0, fresh = 0;
  std::size_t everywhere = 0;

  void add(const Verdict& v) {
    weights.add(v.weights);
    one += v.one;
    fresh += v.fresh;
    everywhere += v.everywhere;
  }
  double share_of_weights() const { return static_cast<double>(everywhere) / static_cast<double>(weights.num) / double{dim}; }
};

std::string experiment(const std::string& prior, const std::string& design, bool fit) {
  return fmt::format(
      "format = 1\nseed = 1\nnum_trials = 199\n[subject]\ntruth = \"prior\"\n[stimulus]\nkind = \"ball\"\nshape = [{}, {}]\n"
      "[model]\nkind = \"glm\"\n[design]\nkind = \"{}\"\n[belief]\nrefine_every = {}\nrefine_lag = 1\n"
      "prior = {{ {}, fit = {} }}\n",
      side, side, design, fit ? 50 : 0, prior, fit);
}

/// The belief after 199 trials and a refit; with `fit` it is refitted every 50 trials too. The truth is drawn from the prior
/// `truth`, the belief told the prior `told`.
Coverage study(const std::string& truth, const std::string& told, bool fit, const std::string& design, std::int64_t num_runs) {
  constexpr std::uint64_t first = 9000;
  std::vector<Verdict> verdicts(static_cast<std::size_t>(num_runs));
  proof::for_each_run(
      experiment(told, design, fit), first, num_runs,
      [&](std::size_t k, const loop::Experiment& own, loop::Run& run) {
        run.go();
        run.learner().finish();
        verdicts[k] = judge(dynamic_cast<const models::GaussianBelief&>(run.learner().belief()), own.truth, first + k);
      },
      [&](std::size_t k, loop::Experiment& own) {
        const auto serial = make_serial_executor();
        own.truth = proof::build(experiment(truth, design, false), first + k, *serial)->truth;
      });
  Coverage out;
  for (const Verdict& v : verdicts) out.add(v);
  return out;
}

/// With known hyper-parameters everything must cover like 90 %. Fitted ones enter as if they were known, and 199 trials tell them
/// only roughly: what that costs is stated. The ellipsoid asks for every direction, those too to which a smooth prior gives next to
/// no variance, so that a length that is slightly wrong throws it off; intervals of weights and responses ask for less. Fitting one
/// scale, or a scale and a length, must bring the intervals of the weights nearer to 90 % than the wrong numbers left them. The
/// eight of an ALD prior are too many for so few trials: its fitted belief is far too sure, under infomax most of all, which is
/// stated and not bounded.
TEST(Calibration, StructuredPriorsCoverTheTruthKnownAndFitted) {
  const std::int64_t num_runs = proof::sized(400, 60), num_wrong = proof::sized(100, 20), num_ald = 30;
  proof::Sheet sheet(
      fmt::format("Calibration of beliefs with structured priors, {} x {} weights, 199 trials and a refit; fitted: by evidence, "
                  "every 50 trials and at the end",
                  side, side),
      {"prior", "design", "hyper-parameters", "runs", "90 % ellipsoid covers", "mean squared distance (36 if calibrated)",
       "90 % interval of a weight covers, one a run", "all weights", "of ρ of a fresh stimulus"});
  struct Case {
    const char *name, *truth, *wrong;
  };
  const Case cases[] = {
      {"isotropic", "kind = \"isotropic\", sd = 0.4", "kind = \"isotropic\", sd = 0.2"},
      {"smooth", "kind = \"smooth\", sd = 0.4, length_px = 1.2", "kind = \"smooth\", sd = 0.2, length_px = 2.4"},
      {"ald", "kind = \"ald\", sd = 0.8, centre_px = [2, 3], extent_px = [1.2, 1.2], frequency_per_px = [0.15, 0.1]",
       "kind = \"ald\", sd = 0.4"},
  };
  for (const auto& [name, truth, wrong] : cases)
    for (const char* design : {"random", "infomax"}) {
      const auto add = [&](const char* told, const Coverage& c) {
        const std::int64_t num = c.weights.num;
        const std::vector<std::string> cells = {name,
                                                design,
                                                told,
                                                fmt::format("{}", num),
                                                proof::percent(c.weights.inside, num),
                                                fmt::format("{:.1f}", c.weights.mean_distance()),
                                                proof::percent(c.one, num),
                                                proof::percent(c.share_of_weights()),
                                                proof::percent(c.fresh, num)};
        sheet.row(cells);
        fmt::print("{}\n", fmt::join(cells, " | "));
      };
      const Coverage known = study(truth, truth, false, design, num_runs);
      add("known", known);
      for (const std::int64_t covered : {known.weights.inside, known.one, known.fresh})
        EXPECT_TRUE(proof::covers_ninety_percent(covered, num_runs)) << name << ", " << design << ": " << covered;
      const Coverage told_wrong = study(truth, wrong, false, design, num_wrong);
      add("told wrong", told_wrong);
      const bool is_dear = std::string_view(name) == "ald";
      if (is_dear && !proof::is_full()) continue;  // a fit of eight hyper-parameters takes a second
      const Coverage fitted = study(truth, wrong, true, design, is_dear ? num_ald : num_wrong);
      add("told wrong, then fitted", fitted);
      if (!is_dear) {
        EXPECT_GT(fitted.share_of_weights(), told_wrong.share_of_weights()) << name << ", " << design;
      }
    }
}

}  // namespace
}  // namespace hartline
