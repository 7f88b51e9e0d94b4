// Experiment: everything constant about a run, built from its description.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/threads.hpp"
#include "design/design.hpp"
#include "design/utility_meaning.hpp"
#include "loop/spec.hpp"
#include "loop/subject.hpp"
#include "models/model.hpp"

namespace hartline::models {
class Candidates;
class GaussianProcess;
class Glm;
class GridModel;
class TextModel;
class Population;
}  // namespace hartline::models

namespace hartline::loop {

class Learner;
struct Experiment;
struct Spiking;

/// What the calling program brings where a description says `given`. Shared by every run of the experiment.
struct Given {
  std::function<std::unique_ptr<Subject>(const Experiment&)> make_subject = {};   // subject.kind
  std::function<std::unique_ptr<models::Family>(const Table&)> make_family = {};  // model.kind, from the rest of the table
};

/// A design with a belief of its own.
struct Arm {
  std::string name;
  double share = 1;       // of the trials that are not validation; shares sum to one
  bool baseline = false;  // how it is drawn
  design::DesignSpec spec;
  design::UtilityMeaning utility;  // what the design's utilities are
  std::unique_ptr<design::Design> design;
};

/// What a trial is for.
struct Assignment {
  std::int64_t arm = 0;
  Role role = Role::measure;
  std::int64_t validation_idx = -1;
};

/// Constant: the stimuli, the model, the designs, the truth where there is one. Shared by any number of runs.
struct Experiment {
  Spec spec;
  std::uint64_t seed = 0;
  std::vector<std::int64_t> shape;  // of a frame
  design::StimulusSet stimuli;
  std::vector<std::uint64_t> pool_hash;  // content of each member of the pool
  std::unique_ptr<models::Model> model;
  std::unique_ptr<models::Model> subject_model;  // behind a simulated subject whose link is another; else null
  std::size_t subject_candidate = 0;             // of competing models the one that answers
  std::vector<Arm> arms;                         // at least one
  std::unique_ptr<design::Design> fallback;      // for choices that are late; null unless a rig asks
  design::StimulusSet validation;                // a pool; empty: none
  std::vector<std::int64_t> validation_members;  // of the pool of stimuli; empty: drawn from a ball
  std::vector<double> truth;                     // initial parameters of a simulated subject; else empty
  std::shared_ptr<const Recording> recording;
  std::shared_ptr<const Spiking> spiking;  // of a spiking subject; else null
  std::int64_t batch = 1;                  // trials decided together
  std::size_t stop_parameter = 0;          // where the stop rule names one
  std::int64_t refine_every = 0, refine_lag = 0;
  bool refine_at_end = false;
  Given given;

  const models::Glm* glm() const;                  // or null
  const models::GridModel* grid() const;           // or null
  const models::TextModel* samples() const;        // of a belief by samples, or null
  const models::Population* population() const;    // or null
  const models::GaussianProcess* process() const;  // or null
  const models::Candidates* candidates() const;    // or null
  /// A spiking subject has a field for every weight of the stimulus, of every cell of the model.
  bool has_fields() const;
  /// The model that a simulated subject follows.
  const models::Model& answering() const;
  /// `clock`: that of a rig that asks and tells. Throws: SpecError for a given subject that nobody brings.
  std::unique_ptr<Subject> make_subject(const Clock& clock) const;

  /// Which arm a trial serves, or which of the validation set it shows. Trial by trial in irregular order; after t trials no share
  /// is off by more than about log(t) trials (a golden-ratio sequence from a seeded start).
  Assignment assign(std::int64_t trial) const;

  /// The width that the stop rule looks at: of the named parameter, or the widest of all, in the first arm.
  double stop_width(const Learner& learner) const;

  /// A choice as it is presented and written down.
  void set_stimulus(const design::Choice& choice, Stimulus& out) const;

  /// The stimulus as numbers [dim], whichever form it has. Throws: RunError for one that is not of this experiment.
  std::span<const double> values(const Stimulus& stimulus, std::int64_t trial) const;
};

/// Builds an experiment for one seed. Relative paths are taken from `folder`. The executor must outlive it. `recording`: one that
/// was read already, or null. `given`: what the program brings itself.
/// Throws: SpecError, IoError.
std::unique_ptr<Experiment> build(const Spec& spec, const std::string& folder, std::uint64_t seed, Executor& executor,
                                  std::shared_ptr<const Recording> recording = nullptr, Given given = {});

}  // namespace hartline::loop
