// Whether a belief on a grid, which is exact, is calibrated when it has chosen its own stimuli.
#include <gtest/gtest.h>

#include "../proof/proof.hpp"
#include "calibration.hpp"
#include "models/grid.hpp"

namespace hartline {
namespace {

struct Family {
  std::string name, tables;
};

const Family psychometric = {"Weibull psychometric function", R"(
[stimulus]
kind = "axis"
axis = { from = -40, to = 0, num = 41 }
[model]
kind = "psychometric"
threshold = { from = -36, to = -4, num = 33 }
slope = { values = [2, 3, 4, 5, 6] }
guess = { values = [0.5] }
lapse = { values = [0, 0.02, 0.05] }
)"};

const Family tuning_curve = {"Gaussian tuning curve", R"(
[stimulus]
kind = "axis"
axis = { from = -10, to = 10, num = 21 }
[model]
kind = "tuning_curve"
centre = { from = -9, to = 9, num = 19 }
width = { values = [1, 2, 4] }
amplitude = { values = [5, 10, 20], scale = "linear" }
baseline = { values = [0.5, 2] }
)"};

/// What one belief says of the node behind it: numbers that are uniform where the belief is right, ties broken at random.
struct Verdict {
  std::vector<double> ranks;  // [num_parameters] of the true value under its marginal
  double depth = 0;           // probability of the nodes that are more probable than the true one; below .9: the 90 % set covers it
};

Verdict judge(const loop::Experiment& experiment, const models::GridBelief& belief, std::uint64_t seed, std::uint64_t count) {
  const models::GridModel& grid = *experiment.grid();
  Stream stream(seed, Purpose::test, count);
  Verdict out;
  for (std::size_t k = 0; k < grid.num_parameters; ++k) {
    const auto& values = grid.family().parameters[k].values;
    if (values.size() == 1) continue;
    const auto marginal = grid.marginal(belief, k);
    double below = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (values[i] < experiment.truth[k]) below += marginal[i];
      if (values[i] == experiment.truth[k]) out.ranks.push_back(below + stream.uniform() * marginal[i]);
    }
  }
  std::vector<double> parameters(grid.num_parameters);
  std::size_t true_node = 0;
  for (std::size_t n = 0; n < grid.num_nodes(); ++n) {
    grid.node(n, parameters);
    if (parameters == experiment.truth) true_node = n;
  }
  const double own = belief.weights[true_node];
  double tied = 0;
  for (double w : belief.weights) {
    if (w > own) out.depth += w;
    if (w == own) tied += w;
  }
  out.depth += stream.uniform() * tied;
  return out;
}

const std::vector<std::int64_t> counts = {10, 20, 40, 80};

/// [num_runs][num_counts], each run with a truth drawn uniformly from the nodes.
std::vector<std::vector<Verdict>> study(const Family& family, std::int64_t num_runs, const std::string& subject = "") {
  const std::string text = fmt::format("format = 1\nseed = 1\nnum_trials = {}\n", counts.back()) + subject + family.tables +
                           "[design]\nutility = \"mutual_information\"\n";
  std::vector<std::vector<Verdict>> out(static_cast<std::size_t>(num_runs));
  proof::for_each_run(text, 5000, num_runs, [&](std::size_t i, const loop::Experiment& experiment, loop::Run& run) {
    for (std::int64_t count : counts) {
      while (run.learner().num_trials() < count) run.step();
      out[i].push_back(judge(experiment, dynamic_cast<const models::GridBelief&>(run.learner().belief()), 5000 + i,
                             static_cast<std::uint64_t>(count)));
    }
  });
  return out;
}

std::int64_t num_covered(const std::vector<std::vector<Verdict>>& verdicts, std::size_t c) {
  std::int64_t covered = 0;
  for (const auto& own : verdicts) covered += own[c].depth <= .9;
  return covered;
}

/// Every number here is uniform if Bayes' rule is carried out exactly. 1,000 runs leave 87 … 93 % with probability 1.6e-3 a count,
/// 200 runs fail with 1e-3; a χ² is exceeded with 1e-4.
void expect_calibrated(const Family& family) {
  const std::int64_t num_runs = proof::sized(1000, 200);
  const auto verdicts = study(family, num_runs);
  proof::Sheet sheet(
      fmt::format("{}: calibration of the grid belief under infomax, prior known, {} runs", family.name, num_runs),
      {"trials", "90 % set covers", "χ² of ranks, each parameter (9 degrees of freedom)", "χ² of the truth's depth"});
  for (std::size_t c = 0; c < counts.size(); ++c) {
    const std::int64_t covered = num_covered(verdicts, c);
    EXPECT_TRUE(proof::covers_ninety_percent(covered, num_runs))
        << family.name << " at " << counts[c] << ": " << covered << " of " << num_runs;
    std::vector<proof::RankHistogram> ranks(verdicts[0][c].ranks.size());
    proof::RankHistogram depth;
    for (const auto& own : verdicts) {
      for (std::size_t k = 0; k < ranks.size(); ++k) ranks[k].add(own[c].ranks[k]);
      depth.add(own[c].depth);
    }
    std::string chi_squares;
    for (const auto& histogram : ranks) {
      chi_squares += fmt::format("{}{:.1f}", chi_squares.empty() ? "" : ", ", histogram.chi_square());
      EXPECT_LT(histogram.chi_square(), proof::RankHistogram::limit) << family.name << " at " << counts[c];
    }
    EXPECT_LT(depth.chi_square(), proof::RankHistogram::limit) << family.name << " at " << counts[c];
    sheet.row({fmt::format("{}", counts[c]),
               fmt::format("{:.1f} %", 100 * static_cast<double>(covered) / static_cast<double>(num_runs)), chi_squares,
               fmt::format("{:.1f}", depth.chi_square())});
  }
}

TEST(Calibration, PsychometricGridCoversTheTruthUnderInfomax) { expect_calibrated(psychometric); }

TEST(Calibration, TuningCurveGridCoversTheTruthUnderInfomax) { expect_calibrated(tuning_curve); }

/// The checks see a subject that the model does not describe.
TEST(Calibration, SubjectsThatTheGridDoesNotDescribeAreDetected) {
  const std::int64_t num_runs = proof::sized(1000, 60);
  proof::Sheet sheet(fmt::format("Subjects that the grid does not describe, {} runs", num_runs),
                     {"subject", "trials", "90 % set covers"});
  const auto show = [&](const char* name, const Family& family, const char* subject) {
    const std::int64_t covered = num_covered(study(family, num_runs, subject), counts.size() - 1);
    const double share = static_cast<double>(covered) / static_cast<double>(num_runs);
    sheet.row({name, fmt::format("{}", counts.back()), fmt::format("{:.1f} %", 100 * share)});
    EXPECT_FALSE(proof::covers_ninety_percent(covered, num_runs)) << name;
  };
  show("psychometric, a fifth of the choices by chance", psychometric, "[subject]\nlapse = 0.2\n");
  show("tuning curve, gamma gain of variance 1 on the rate", tuning_curve, "[subject]\noverdispersion = 1.0\n");
}

}  // namespace
}  // namespace hartline
