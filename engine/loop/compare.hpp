// Compare: designs over paired seeds.
#pragma once

#include <functional>
#include <memory>
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

/// A comparison as runs that know nothing of each other: each can be made anywhere, in any order, and gives the same numbers. Run k
/// is of design k % num_designs with the (k / num_designs)-th seed.
class Pairing {
 public:
  using Values = std::vector<std::vector<double>>;  // of one run [num_counts][num_metrics]

  /// Throws: SpecError, IoError.
  Pairing(const Table& document, const std::string& file, const std::string& folder);
  ~Pairing();

  std::int64_t num_runs() const;
  std::int64_t num_trials() const;  // of one run

  /// Makes one run, serially. `progress` is told how many trials were added.
  /// Throws: SpecError, RunError, InternalError where there is no such run. Any number of threads may call it at once.
  Values measure(std::int64_t run_idx, const std::function<void(std::int64_t added)>& progress = {}) const;

  /// What all runs show together: [num_runs] in their order.                   (loop_test.cpp: RunsMadeApartCombineToTheComparison)
  /// Throws: SpecError where the shape differs.
  Comparison combine(const std::vector<Values>& runs) const;

 private:
  struct Parts;
  std::unique_ptr<const Parts> parts_;
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
