// Whether the probabilities that competing models are given are right: of the models said to be right with 80 %, 80 % are.
#include <gtest/gtest.h>

#include <array>
#include <numeric>
#include <tuple>

#include "../proof/proof.hpp"
#include "calibration.hpp"
#include "models/candidates.hpp"

namespace hartline {
namespace {

const std::vector<std::int64_t> counts = {10, 20, 40};

/// The probability of the more probable model, and whether that one answered, [num_counts][num_runs].
struct Bet {
  double probability = 0;
  bool right = false;
};
using Bets = std::vector<std::vector<Bet>>;

/// Runs whose subject is one of two models of equal probability with parameters from its prior: counts through exp or softplus,
/// and counts that are Poisson or have a gamma gain of variance .5.
struct Pair {
  const char *name, *first, *second;
  const char* stimulus = "kind = \"random_pool\"\nshape = [4]\nnum = 20\npower = 2.0\n";
};
const Pair pairs[] = {
    {"exp or softplus",
     "model = { kind = \"glm\", link = \"exp\", bias = true }\nbelief = { prior_sd = 0.6, bias_mean = 1.0, bias_sd = 0.5 }\n",
     "model = { kind = \"glm\", link = \"softplus\", bias = true }\nbelief = { prior_sd = 1.5, bias_mean = 2.0, bias_sd = 1.0 }\n"},
    {"Poisson or over-dispersed",
     "model = { kind = \"glm\", bias = true }\nbelief = { prior_sd = 0.4, bias_mean = 1.0, bias_sd = 0.5 }\n",
     "model = { kind = \"glm\", bias = true, response = \"negative_binomial\", overdispersion = 0.5 }\n"
     "belief = { prior_sd = 0.4, bias_mean = 1.0, bias_sd = 0.5 }\n"},
    {"saturates or a power, as texts",
     "[model.candidate.model]\nresponse = \"r ~ poisson(b + A * x^n / (x^n + c^n))\"\n[model.candidate.model.parameters]\n"
     "c = \"lognormal(log(0.2), 0.5)\"\nn = \"lognormal(log(2), 0.3)\"\nA = \"lognormal(log(20), 0.5)\"\nb = \"lognormal(log(2), "
     "0.5)\"\n"
     "[model.candidate.belief]\nkind = \"particles\"\nnum_particles = 1500\n",
     "[model.candidate.model]\nresponse = \"r ~ poisson(b + A * x^n)\"\n[model.candidate.model.parameters]\n"
     "n = \"lognormal(log(1), 0.5)\"\nA = \"lognormal(log(20), 0.5)\"\nb = \"lognormal(log(2), 0.5)\"\n"
     "[model.candidate.belief]\nkind = \"particles\"\nnum_particles = 1500\n",
     "x = \"values(0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1)\"\n"},
};

Bets study(const Pair& pair, const std::string& design, std::int64_t num_runs) {
  Bets out(counts.size(), std::vector<Bet>(static_cast<std::size_t>(num_runs)));
  // the subject is built with the experiment: one description for each model that may be right
  for (const std::size_t right : {0u, 1u}) {
    const std::int64_t num = right ? num_runs / 2 : num_runs - num_runs / 2;
    const std::string text = fmt::format(
        "format = 1\nseed = 1\nnum_trials = {}\n[subject]\ntruth = \"prior\"\ncandidate = \"{}\"\n[stimulus]\n{}"
        "[design]\n{}\n[model]\nkind = \"candidates\"\n[[model.candidate]]\nname = \"0\"\n{}"
        "[[model.candidate]]\nname = \"1\"\n{}",
        counts.back(), right, pair.stimulus, design, pair.first, pair.second);
    proof::for_each_run(text, 7000 + 100000 * right, num, [&](std::size_t k, const loop::Experiment&, loop::Run& run) {
      const auto& belief = dynamic_cast<const models::CandidatesBelief&>(run.learner().belief());
      for (std::size_t c = 0; c < counts.size(); ++c) {
        while (run.learner().num_trials() < counts[c]) run.step();
        const std::size_t likelier = belief.weights[1] > belief.weights[0];
        out[c][2 * k + right] = {belief.weights[likelier], likelier == right};
      }
    });
  }
  return out;
}

/// What bets are worth: how often those of similar probability came true.
struct Reliability {
  static constexpr double edges[] = {.5, .6, .7, .8, .9, .97, 1};
  static constexpr std::size_t num_bins = 6;
  std::array<double, num_bins> num{}, promised{}, right{}, variance{};

  explicit Reliability(const std::vector<Bet>& bets) {
    for (const Bet& bet : bets) {
      std::size_t bin = 0;
      while (bin + 1 < num_bins && bet.probability >= edges[bin + 1]) ++bin;
      ++num[bin];
      promised[bin] += bet.probability;
      right[bin] += bet.right;
      variance[bin] += bet.probability * (1 - bet.probability);
    }
  }
  /// How much too often the likelier model was wrong, a share of the runs, and the standard error of that.
  std::pair<double, double> excess() const {
    double gap = 0, all = 0, runs = 0;
    for (std::size_t b = 0; b < num_bins; ++b) {
      gap += promised[b] - right[b];
      all += variance[b];
      runs += num[b];
    }
    return {gap / runs, std::sqrt(all) / runs};
  }
  /// χ² with as many degrees of freedom as bins; those in which less than one miss is expected are left out.
  std::pair<double, int> chi_square() const {
    double sum = 0;
    int used = 0;
    for (std::size_t b = 0; b < num_bins; ++b) {
      if (num[b] - promised[b] < 1) continue;
      sum += (right[b] - promised[b]) * (right[b] - promised[b]) / variance[b];
      ++used;
    }
    return {sum, used};
  }
};

/// Probabilities rest on the evidences of the one-step beliefs, and between two links they are too sure: over 1,000 runs the
/// likelier model was wrong in 6 to 8 more of a hundred than was promised. They are held to ten, and on the other side to none, 3.9
/// standard errors granted.
TEST(Calibration, ProbabilitiesOfCompetingModelsComeTrue) {
  const std::int64_t num_random = proof::sized(1000, 100), num_infomax = proof::sized(200, 20);
  std::vector<std::string> columns = {"models", "design", "runs", "trials"};
  for (std::size_t b = 0; b < Reliability::num_bins; ++b)
    columns.push_back(fmt::format("{:.0f} to {:.0f} %", 100 * Reliability::edges[b], 100 * Reliability::edges[b + 1]));
  columns.insert(columns.end(), {"wrong beyond what was promised", "χ² (degrees of freedom)"});
  proof::Sheet sheet(
      "Probability of the likelier of two models, by how probable it was: promised → share that was right (runs); priors known",
      columns);
  // telling negative binomial counts from Poisson ones by design takes half a second a trial, and is left out
  const std::tuple<const Pair&, const char*, const char*, std::int64_t> cases[] = {
      {pairs[0], "random", "kind = \"random\"\nlaw = \"pool\"", num_random},
      {pairs[0], "tell the models apart", "kind = \"infomax\"", num_infomax},
      {pairs[1], "random", "kind = \"random\"\nlaw = \"pool\"", num_random},
      {pairs[2], "tell the models apart", "kind = \"infomax\"", num_infomax}};
  for (const auto& [pair, name, design, num_runs] : cases) {
    const Bets bets = study(pair, design, num_runs);
    for (std::size_t c = 0; c < counts.size(); ++c) {
      const Reliability r(bets[c]);
      std::vector<std::string> cells = {pair.name, name, fmt::format("{}", num_runs), fmt::format("{}", counts[c])};
      for (std::size_t b = 0; b < Reliability::num_bins; ++b)
        cells.push_back(r.num[b] > 0 ? fmt::format("{:.1f} → {:.1f} ({})", 100 * r.promised[b] / r.num[b],
                                                   100 * r.right[b] / r.num[b], r.num[b])
                                     : "-");
      const auto [chi, used] = r.chi_square();
      const auto [excess, error] = r.excess();
      cells.push_back(fmt::format("{:+.1f} ± {:.1f} %", 100 * excess, 100 * error));
      cells.push_back(fmt::format("{:.1f} ({})", chi, used));
      sheet.row(cells);
      fmt::print("{}\n", fmt::join(cells, " | "));
      EXPECT_LT(excess, .1 + 3.9 * error) << pair.name << ", " << name << " at " << counts[c];
      // a right text beside a wrong one: told apart within 40 trials
      if (&pair == &pairs[2] && counts[c] == 40) {
        EXPECT_GT(std::accumulate(r.right.begin(), r.right.end(), 0.0), .8 * static_cast<double>(num_runs));
      }
      EXPECT_GT(excess, -3.9 * error) << pair.name << ", " << name << " at " << counts[c];
    }
  }
}

}  // namespace
}  // namespace hartline
