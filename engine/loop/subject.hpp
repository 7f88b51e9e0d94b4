// Subject: who responds. The seam between the ring and the world.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/trial.hpp"
#include "loop/spec.hpp"
#include "models/model.hpp"

namespace hartline::loop {

/// A response that has arrived, for the trial of that token.
struct Answer {
  std::uint64_t token = 0;
  Response response;
  /// What a rig tells of the stimulus as it was shown, in numbers; empty: as requested.
  std::vector<double> rendered, delivered;
  /// When, on the clock of `clock`; absent: unknown.
  std::optional<std::int64_t> rendered_ns, delivered_ns;
  std::string clock = "rig";
};

/// A subject in the ring. Trials are presented in order; an interrupted trial may be presented again. Responses may come late, in
/// another order, twice or never.
class Subject {
 public:
  virtual ~Subject() = default;

  /// Stamps the request of a trial with the subject's clock.
  virtual void request(Trial& trial) const = 0;

  /// Presents the requested stimulus of a trial and fills in rendered and delivered. `values`: the stimulus as numbers.
  /// Throws: RunError.
  virtual void present(std::span<const double> values, Trial& trial) = 0;

  /// Takes the next response that has arrived; `wait`: that has arrived or is still to come. False: there is none.
  virtual bool next_answer(bool wait, Answer& out) = 0;

  /// The parameters behind the responses as they are now, where they are known; else empty.
  virtual std::vector<double> truth() const { return {}; }

  /// Goes through a trial of an earlier process, whose response is in the record: who can be asked again answers again, to nobody.
  virtual void recall(std::span<const double> values, const Trial& trial);

  /// The clock goes on `gap_ns` after the last trial of an earlier process.
  virtual void resume_after(const Trial& /*last*/, std::int64_t /*gap_ns*/) {}
};

/// Responses on their way, each due when a trial is presented.
class AnswerQueue {
 public:
  /// A place for one more answer, to be filled in.
  Answer& add(std::int64_t due);
  /// Of what is due by trial `now`, the earliest due; `wait`: of everything.
  bool take(std::int64_t now, bool wait, Answer& out);

 private:
  struct Item {
    std::int64_t due = 0, order = 0;
    bool full = false;
    Answer answer;
  };
  std::vector<Item> items_;  // places are used again
  std::int64_t num_added_ = 0;
};

/// Presents a trial and waits for its response. Throws: InternalError where none comes.
void present_and_wait(Subject& subject, std::span<const double> values, Trial& trial);

/// Fills in the stations of a trial that is shown exactly as requested.
void show_as_requested(Trial& trial);

/// Parameters of a simulated subject before any drift, [num_parameters].
/// Throws: SpecError where they do not fit the model.
std::vector<double> initial_truth(const SubjectSpec& spec, const models::Model& model, const std::vector<std::int64_t>& shape,
                                  std::uint64_t seed);

/// r ~ model(θ_t), with drift θ_t = θ_{t-1} + N(0, drift_per_s · trial I), lapses, a gamma gain on the rate of counts, and what
/// befalls a response on its way: losses, artefacts, delays.
/// Every draw is a function of (seed, trial), so that a trial presented again answers as before. The model must outlive it.
/// `duration_ms`: of each member of the pool, or empty.
std::unique_ptr<Subject> make_simulated(const SubjectSpec& spec, const models::Model& model, std::vector<double> truth,
                                        std::vector<double> duration_ms, std::uint64_t seed);

/// Trials that were recorded: a folder of trials.toml, stimuli.npy [num_trials, dim] and responses.npy [num_trials, num_bins].
/// docs/recorded-folder.md describes it.
struct Recording {
  std::string name, source, unit;
  std::vector<std::int64_t> shape;  // of a frame
  std::size_t dim = 0;              // of a stimulus: num_frames frames
  std::size_t num_frames = 1, num_blank_bins = 0;
  ResponseKind kind = ResponseKind::counts;
  std::vector<double> stimuli;                         // [num_trials, dim]
  std::vector<double> responses;                       // [num_trials, num_frames]
  std::int64_t pool_first = 0, pool_last = 0;          // trials that may be presented, half-open
  std::int64_t held_out_first = 0, held_out_last = 0;  // trials that never are
};

/// Throws: SpecError or IoError naming what is wrong, also for values that are not finite.
std::shared_ptr<const Recording> read_recording(const std::string& folder);

/// Answers what was recorded when the chosen stimulus of the pool was shown. Each can be presented once; again only as a further
/// attempt of the same trial.
std::unique_ptr<Subject> make_recorded(std::shared_ptr<const Recording> recording, double trial_ms);

/// Where nothing is answered by itself: a rig asks and tells (Run::ask, Run::tell). Times are nanoseconds on `clock` since the run
/// began.
std::unique_ptr<Subject> make_remote(const Clock& clock);

}  // namespace hartline::loop
