// Experiment: everything constant about a run, built from its description.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/threads.hpp"
#include "design/design.hpp"
#include "loop/spec.hpp"
#include "loop/subject.hpp"
#include "models/model.hpp"

namespace hartline::models {
class Glm;
class GridModel;
}  // namespace hartline::models

namespace hartline::loop {

/// Constant: the stimuli, the model, the design, the truth where there is one. Shared by any number of runs.
struct Experiment {
  Spec spec;
  std::uint64_t seed = 0;
  std::vector<std::int64_t> shape;  // of a stimulus
  design::StimulusSet stimuli;
  std::vector<std::uint64_t> pool_hash;  // content of each member of the pool
  std::unique_ptr<models::Model> model;
  std::unique_ptr<design::Design> design;
  std::vector<double> truth;  // initial parameters of a simulated subject; else empty
  std::shared_ptr<const Recording> recording;
  std::int64_t refine_every = 0, refine_lag = 0;
  bool refine_at_end = false;

  const models::Glm* glm() const;         // or null
  const models::GridModel* grid() const;  // or null
  std::unique_ptr<Subject> make_subject() const;

  /// The stimulus as numbers [dim], whichever form it has. Throws: RunError for one that is not of this experiment.
  std::span<const double> values(const Stimulus& stimulus, std::int64_t trial) const;
};

/// Builds an experiment for one seed. Relative paths are taken from `folder`. The executor must outlive it. `recording`: one that
/// was read already, or null.
/// Throws: SpecError, IoError.
std::unique_ptr<Experiment> build(const Spec& spec, const std::string& folder, std::uint64_t seed, Executor& executor,
                                  std::shared_ptr<const Recording> recording = nullptr);

}  // namespace hartline::loop
