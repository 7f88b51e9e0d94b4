// Subject: who responds. The seam between the ring and the world.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/trial.hpp"
#include "loop/spec.hpp"
#include "models/model.hpp"

namespace hartline::loop {

/// A subject in the ring. Trials come in order; an interrupted trial may come again.
class Subject {
 public:
  virtual ~Subject() = default;

  /// Presents the requested stimulus of a trial and fills in rendered, delivered and response.
  /// `values`: the stimulus as numbers. Throws: RunError.
  virtual void present(std::span<const double> values, Trial& trial) = 0;

  /// The parameters behind the responses as they are now, where they are known; else empty.
  virtual std::vector<double> truth() const { return {}; }
};

/// Completes the trial of a subject that shows exactly what was requested and gives one observed value; trials are `trial_ms`
/// apart.
void answer_as_requested(Trial& trial, const char* clock, double trial_ms, ResponseKind kind, double value);

/// Parameters of a simulated subject before any drift, [num_parameters].
/// Throws: SpecError where they do not fit the model.
std::vector<double> initial_truth(const SubjectSpec& spec, const models::Model& model, const std::vector<std::int64_t>& shape,
                                  std::uint64_t seed);

/// r ~ model(θ_t), with drift θ_t = θ_{t-1} + N(0, drift_per_s · trial I), lapses, and a gamma gain on the rate of counts.
/// Every draw is a function of (seed, trial), so that a trial presented again answers as before. The model must outlive it.
std::unique_ptr<Subject> make_simulated(const SubjectSpec& spec, const models::Model& model, std::vector<double> truth,
                                        std::uint64_t seed);

/// Trials that were recorded: a folder of trials.toml, stimuli.npy [num_trials, dim] and responses.npy [num_trials].
/// docs/recorded-folder.md describes it.
struct Recording {
  std::string name, source, unit;
  std::vector<std::int64_t> shape;  // of a stimulus
  std::size_t dim = 0;
  ResponseKind kind = ResponseKind::counts;
  std::vector<double> stimuli;                         // [num_trials, dim]
  std::vector<double> responses;                       // [num_trials]
  std::int64_t pool_first = 0, pool_last = 0;          // trials that may be presented, half-open
  std::int64_t held_out_first = 0, held_out_last = 0;  // trials that never are
};

/// Throws: SpecError or IoError naming what is wrong, also for values that are not finite.
std::shared_ptr<const Recording> read_recording(const std::string& folder);

/// Answers what was recorded when the chosen stimulus of the pool was shown. Each can be presented once; again only as a further
/// attempt of the same trial.
std::unique_ptr<Subject> make_recorded(std::shared_ptr<const Recording> recording, double trial_ms);

}  // namespace hartline::loop
