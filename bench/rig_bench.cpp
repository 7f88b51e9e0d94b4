// What bites at a rig: the same numbers that the statistical tests bound, as rows of the results.
#include <fmt/format.h>

#include <atomic>

#include "bench/measure.hpp"
#include "loop/compare.hpp"
#include "models/glm.hpp"
#include "tests/proof/proof.hpp"
#include "tests/statistical/calibration.hpp"

namespace hartline::bench {

Rows lags_rows() {
  const auto executor = make_executor(0);
  const Table document = loop::read_document("examples/lags.toml", {"compare.at=[640]", "compare.num_seeds=60"});
  const loop::Comparison result = loop::compare(document, "lags.toml", "examples", *executor);
  const auto error = [&](std::size_t design) { return result.designs.at(design).bands.at(0).mean.back(); };
  const char* names[] = {"lags/joint", "lags/current_bin", "lags/random"};
  const double found_elsewhere[] = {.121, .326, .267};  // an independent simulation of another gain
  Rows rows;
  for (std::size_t k = 0; k < 3; ++k) {
    Row row;
    row.name = names[k];
    row.metric = "relative_error";
    row.value = error(k);
    row.answer = fmt::format("60 seeds, 640 bins; {} in an independent simulation", found_elsewhere[k]);
    row.answer_ok = error(0) < error(2) && error(2) < error(1);
    if (k == 0) {
      row.peer = "random stimuli";
      row.peer_value = error(2);
      row.ratio = error(2) / error(0);
      row.bound = "ratio >= 1.5";
      row.ok = *row.ratio >= 1.5;
    }
    rows.push_back(row);
  }
  return rows;
}

Rows censoring_rows() {
  constexpr int num = 400;
  const auto coverage = [&](const char* lost) {
    const std::string text = fmt::format(
        "format = 1\nseed = 1\nnum_trials = 320\n[subject]\nsorter_limit = 5\n[stimulus]\nkind = \"ball\"\nshape = [16]\n"
        "[model]\nkind = \"glm\"\n[belief]\nprior_sd = 0.75\ncensored = \"{}\"\n",
        lost);
    std::atomic<int> covered = 0;
    proof::for_each_run(text, 1, num, [&](std::size_t, const loop::Experiment& experiment, loop::Run& run) {
      run.go();
      run.learner().finish();
      covered += proof::judge(dynamic_cast<const models::GaussianBelief&>(run.learner().belief()), experiment.truth).inside();
    });
    return covered / static_cast<double>(num);
  };
  Row censored, skipped;
  censored.name = "censoring/censored";
  censored.value = coverage("tail");
  censored.bound = "0.87 to 0.93 within two standard errors";
  censored.ok = censored.value > 0.87 - 0.034 && censored.value < 0.93 + 0.026;
  censored.answer = fmt::format("90 % ellipsoids of {} runs, counts above 5 lost, infomax", num);
  skipped.name = "censoring/skipped";
  skipped.value = coverage("forced_skip");
  skipped.answer = "the same with lost counts skipped; .06 in an independent simulation";
  skipped.answer_ok = skipped.value < 0.3;
  censored.metric = skipped.metric = "coverage";
  return {censored, skipped};
}

}  // namespace hartline::bench
