// Compare: designs over paired seeds.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/threads.hpp"
#include "base/value.hpp"
#include "loop/metrics.hpp"

namespace hartline::loop {

/// One metric of one design: mean over the seeds and its 95 % bootstrap interval at each trial count.
struct Band {
  Metric metric;
  std::vector<double> mean, low, high;       // [num_counts]
  std::vector<std::vector<double>> by_seed;  // [num_seeds][num_counts]
};

struct DesignResult {
  std::string name;
  bool baseline = false;  // random, uncertainty and sequence designs, unless `role` says otherwise
  std::vector<Band> bands;
};

/// Trials that two designs need to bring a metric to the same value.
struct Saving {
  Metric metric;
  double criterion = 0;
  std::string baseline, adaptive;
  double baseline_trials = 0, adaptive_trials = 0;  // where the mean curves cross, interpolated in log trials
  double ratio = 0, low = 0, high = 0;              // baseline / adaptive with its 95 % bootstrap interval over the seeds
};

struct Comparison {
  std::vector<std::int64_t> trials;  // counts at which was measured
  std::int64_t num_seeds = 0;
  std::vector<DesignResult> designs;
  std::optional<Saving> saving;  // absent where a design never reaches the criterion
};

/// Runs every design of `compare.design` (or the experiment's own against random) for every seed, in parallel over runs; each run
/// is serial, so the result does not depend on the number of threads. Designs are paired: same truth, same response streams, same
/// held-out trials. Metrics are measured on the belief as it stands at each count, before any final refit.
/// Throws: SpecError.
Comparison compare(const Table& document, const std::string& file, const std::string& folder, Executor& executor,
                   const std::function<void(std::int64_t done, std::int64_t all)>& progress = {});

/// Builds every design of a comparison without running it. Throws: SpecError, IoError.
void check_comparison(const Table& document, const std::string& file, const std::string& folder, Executor& executor);

/// {"format": 1, "num_seeds", "designs": [{"name", "role", "trials", "metrics": {name: {"mean", "low", "high"}}}], "saving"}
Value to_document(const Comparison& comparison);

}  // namespace hartline::loop
