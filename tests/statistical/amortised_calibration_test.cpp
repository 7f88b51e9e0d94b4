// Simulation-based calibration of amortised posteriors: truths drawn from the prior rank uniformly among the samples of what the network
// tells of their experiments (Talts et al. 2018, arXiv 1804.06788).
#include <gtest/gtest.h>

#include "../proof/proof.hpp"
#include "calibration.hpp"
#include "io/temporary_folder.hpp"
#include "loop/training.hpp"
#include "models/text_model.hpp"

namespace hartline {
namespace {

struct Case {
  const char *name, *text;
};
const Case cases[] = {
    {"line, normal responses",
     "format = 1\nseed = 1\nnum_trials = 8\n[stimulus]\nx = \"box(-1, 1)\"\n[model]\nresponse = \"r ~ normal(a + b * x, 0.5)\"\n"
     "[model.parameters]\na = \"normal(0, 1)\"\nb = \"lognormal(0, 0.5)\"\n"},
    {"psychometric function, choices",
     "format = 1\nseed = 1\nnum_trials = 12\n[stimulus]\nx = \"range(-4, 4, 0.5)\"\n[model]\n"
     "response = \"r ~ bernoulli(0.02 + 0.96 * logistic((x - t) / s))\"\n"
     "[model.parameters]\nt = \"normal(0, 1)\"\ns = \"lognormal(-1, 0.5)\"\n"}};

/// Trains, runs experiments of random stimuli, and returns the ranks of each parameter. `width`: times that of the posterior.
std::vector<proof::RankHistogram> ranks_of(const Case& one, std::int64_t num_steps, std::int64_t num_runs, std::vector<double>& covered,
                                           double width = 1) {
  const io::TemporaryFolder folder;
  const std::string path = folder / "text.posterior";
  const auto executor = make_executor(0);
  const std::string table = fmt::format(
      "[train]\ntarget = \"posterior\"\nmethod = \"gradient\"\nnum_steps = {}\nnum_rollouts = 128\nencoder = [32]\nnum_codes = 24\n"
      "readout = [48]\nnum_components = 4\nlearning_rate = 0.005\n",
      num_steps);
  loop::train(io::parse_toml(one.text + table, "text.toml"), "text.toml", "", path, *executor, {}, nullptr);
  const std::string experiment =
      fmt::format("{}[belief]\nkind = \"amortised\"\nnetwork = \"{}\"\nnum_samples = 1000\n[design]\nkind = \"random\"\n", one.text, path);
  std::mutex mutex;
  std::vector<proof::RankHistogram> out;
  proof::for_each_run(experiment, 5000, num_runs, [&](std::size_t, const loop::Experiment& e, loop::Run& run) {
    run.go();
    const auto& belief = dynamic_cast<const models::SampleBelief&>(run.learner().belief());
    const std::lock_guard lock(mutex);
    out.resize(e.truth.size());
    covered.resize(e.truth.size(), 0.0);
    for (std::size_t k = 0; k < e.truth.size(); ++k) {
      const double* samples = &belief.parameters[k * belief.num()];
      double mean = 0, below = 0;
      for (std::size_t i = 0; i < belief.num(); ++i) mean += belief.weights[i] * samples[i];
      for (std::size_t i = 0; i < belief.num(); ++i) below += belief.weights[i] * (mean + width * (samples[i] - mean) < e.truth[k]);
      out[k].add(below);
      covered[k] += (below > 0.05 && below < 0.95) / static_cast<double>(num_runs);
    }
  });
  return out;
}

/// χ² of ten parts exceeds its limit by chance in 1 of 10,000.
TEST(Amortised, RanksOfTheTruthAreUniform) {
  const std::int64_t num_runs = proof::sized<std::int64_t>(1000, 200), num_steps = proof::sized<std::int64_t>(20000, 3000);
  proof::Sheet sheet(fmt::format("Amortised posteriors after {} steps of training: ranks of {} truths", num_steps, num_runs),
                     {"text", "χ² of ten parts, each parameter (limit 33.7)", "within the central 90 %, %"});
  for (const Case& one : cases) {
    std::vector<double> covered;
    std::vector<std::string> chi, share;
    for (const proof::RankHistogram& histogram : ranks_of(one, num_steps, num_runs, covered)) {
      EXPECT_LT(histogram.chi_square(), proof::RankHistogram::limit) << one.name;
      chi.push_back(fmt::format("{:.1f}", histogram.chi_square()));
    }
    for (const double c : covered) share.push_back(fmt::format("{:.1f}", 100 * c));
    const std::vector<std::string> cells = {one.name, fmt::format("{}", fmt::join(chi, ", ")), fmt::format("{}", fmt::join(share, ", "))};
    sheet.row(cells);
    fmt::print("{}\n", fmt::join(cells, " | "));
  }
}

TEST(Amortised, RanksTellOfAPosteriorThatIsHalfAsWide) {
  std::vector<double> covered;
  double most = 0;
  for (const proof::RankHistogram& histogram : ranks_of(cases[0], 1, 200, covered, 0.5)) most = std::max(most, histogram.chi_square());
  EXPECT_GT(most, proof::RankHistogram::limit);
}

}  // namespace
}  // namespace hartline
