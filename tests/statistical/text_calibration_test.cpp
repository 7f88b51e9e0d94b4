// Whether beliefs of models written as text are calibrated when they have chosen their own stimuli.
#include <gtest/gtest.h>

#include "../proof/proof.hpp"
#include "calibration.hpp"
#include "io/file.hpp"
#include "models/text_grid.hpp"
#include "models/text_laplace.hpp"

namespace hartline {
namespace {

constexpr std::int64_t num_trials = 25;

struct Kind {
  const char *name, *table;
};
const Kind kinds[] = {{"grid that follows", "follow = true\n"},
                      {"particles", "kind = \"particles\"\nnum_particles = 2000\n"},
                      {"Laplace", "kind = \"laplace\"\nnum_samples = 1000\n"}};

/// Texts of the library; `stimulus` not empty: with these stimuli instead of its own.
struct Case {
  const char *text, *stimulus;
  int num_values;  // of each parameter on the grid
  bool has_states = false;
};
const Case cases[] = {{"tuning_curve", "x = \"range(-20, 20, 2) : deg\"\n", 10},
                      {"contrast_response", "", 10},
                      {"psychometric", "x = \"range(-40, 0, 2) : dB\"\n", 16},
                      {"death_process", "", 100},
                      {"hyperbolic_discounting", "reward = \"range(3, 99, 6)\"\nlog_delay = \"range(-0.5, 9, 0.5)\"\n", 30},
                      {"choice_history", "", 7, true},
                      {"choice_and_time", "coherence = \"values(-0.4, -0.1, 0.05, 0.2)\"\n", 9}};

std::string experiment(const Case& one, const Kind& kind) {
  std::string text = io::read_text(std::string(LIBRARY_FOLDER) + "/" + one.text + ".toml");
  if (*one.stimulus) {
    const std::size_t from = text.find("[stimulus]"), to = text.find("[model]");
    text = text.substr(0, from) + "[stimulus]\n" + one.stimulus + text.substr(to);
  }
  const std::string values = &kind == kinds ? fmt::format("num_values = {}\n", one.num_values) : "";
  return fmt::format("format = 1\nseed = 1\nnum_trials = {}\n[belief]\n{}{}{}", num_trials, kind.table, values, text);
}

/// Parameters that are single values have no interval of 90 %, and are left out.
TEST(Calibration, IntervalsOfTextsCoverWhatTheyState) {
  const std::int64_t num_runs = proof::sized<std::int64_t>(300, 24);
  proof::Sheet sheet(
      fmt::format("Texts: share of truths within the central 90 % of each parameter, {} adaptive trials", num_trials),
      {"text", "belief", "runs that count", "coverage of each parameter, %"});
  for (const Case& one : cases)
    for (const Kind& kind : kinds) {
      if (one.has_states && std::string_view(kind.name) == "Laplace") continue;  // refuses them
      std::mutex mutex;
      std::vector<std::int64_t> covered;
      std::int64_t num = 0;
      std::vector<std::string> names;
      proof::for_each_run(experiment(one, kind), 3000, num_runs, [&](std::size_t, const loop::Experiment& e, loop::Run& run) {
        while (run.learner().num_trials() < num_trials) run.step();
        const auto& belief = dynamic_cast<const models::SampleBelief&>(run.learner().belief());
        std::vector<bool> within;
        for (std::size_t k = 0; k < e.truth.size(); ++k)
          within.push_back(e.truth[k] > e.samples()->quantile(belief, k, 0.05) &&
                           e.truth[k] < e.samples()->quantile(belief, k, 0.95));
        const std::lock_guard lock(mutex);
        covered.resize(within.size());
        names = e.model->parameter_names;
        // Laplace's method says itself when it is not to be trusted
        if (const auto* laplace = dynamic_cast<const models::TextLaplaceBelief*>(&belief); laplace && !laplace->trusted) return;
        ++num;
        for (std::size_t k = 0; k < within.size(); ++k) covered[k] += within[k];
      });
      std::vector<std::string> shown;
      const double n = static_cast<double>(num), error = std::sqrt(0.09 / n);
      for (std::size_t k = 0; k < covered.size(); ++k) {
        const double share = static_cast<double>(covered[k]) / n;
        shown.push_back(fmt::format("{} {:.1f}", names[k], 100 * share));
        EXPECT_NEAR(share, 0.9, 0.03 + 3 * error) << one.text << ", " << kind.name << ", " << names[k];
      }
      const std::vector<std::string> cells = {one.text, kind.name, fmt::format("{} of {}", num, num_runs),
                                              fmt::format("{}", fmt::join(shown, ", "))};
      sheet.row(cells);
      fmt::print("{}\n", fmt::join(cells, " | "));
    }
}

}  // namespace
}  // namespace hartline
