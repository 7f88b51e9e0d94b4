// Stimulus, response, trial and event: the words that every module shares.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/value.hpp"

namespace hartline {

/// A member of a finite pool, with the hash of its content.
struct PoolItem {
  std::int64_t index = 0;
  std::uint64_t content_hash = 0;
  bool operator==(const PoolItem&) const = default;
};

/// A pattern for a stimulator.
struct Pattern {
  std::vector<std::int64_t> targets;
  std::vector<double> power_mw;  // [targets]
  double onset_ms = 0;
  double duration_ms = 0;
  double rate_hz = 0;
  bool operator==(const Pattern&) const = default;
};

/// What is shown: a pool item, an array [num_frames, num_channels, …] or a pattern; covariates (running, pupil) travel with it.
struct Stimulus {
  std::variant<PoolItem, Array, Pattern> what;
  std::vector<std::pair<std::string, double>> covariates;
  bool operator==(const Stimulus&) const = default;
};

/// A stimulus at one of its three stations, with the time and the clock that told it.
struct Presentation {
  Stimulus stimulus;
  std::int64_t time_ns = 0;
  std::string clock;  // "" until the station is reached
};

enum class ResponseKind : std::uint8_t { counts, trace, choice, time };

/// What is known of one value of a response.
enum class Mark : std::uint8_t {
  observed,
  missing,   // at random, for the stated reason: the belief may skip it
  censored,  // the value is a lower bound: enters through its tail probability
  blanked,   // artefact fixed by the stimulus: the belief may skip it
  pending,   // not here yet: enters as its expected information; never written down
};

/// What came back, [num_cells, num_bins].
struct Response {
  ResponseKind kind = ResponseKind::counts;
  std::int64_t num_cells = 1;
  std::int64_t num_bins = 1;
  std::vector<double> values;  // [num_cells * num_bins]
  std::vector<Mark> marks;     // [num_cells * num_bins]; empty: all observed
  std::string reason;          // of what is missing
};

/// What a trial is for.
enum class Role : std::uint8_t {
  measure,   // chosen by the arm's design
  explore,   // drawn at random, by the design's exploration share
  validate,  // of the repeated validation set: never enters a belief
  fallback,  // drawn at random because the design's choice was not there in time
};

/// One trial: the decision, the stimulus at its three stations, and the response.
struct Trial {
  std::int64_t index = 0;    // 0-based
  std::int64_t attempt = 1;  // 2 and more: presented again after an interruption
  std::uint64_t token = 0;   // names the trial to the subject
  std::int64_t arm = 0;      // whose belief it serves
  Role role = Role::measure;
  std::int64_t num_learned = 0;  // earlier trials that had been taken in when it was chosen
  Presentation requested;    // as chosen
  Presentation rendered;     // clipped, 8-bit, gamma
  Presentation delivered;    // as reported by the subject; beliefs use this one
  Response response;
  bool answered = false;  // response is valid

  double utility = 0;       // of the chosen stimulus, in the design's unit; NaN for a design without one
  std::int64_t units = 0;   // units of search work completed
  double lateness_ms = 0;   // by how much the deadline was missed; 0: kept
  double log_evidence = 0;  // log p(response | stimulus, trials before), nats
};

enum class Level : std::uint8_t { info, warning };

/// Copies what a decision holds: all of a trial that is known before the stimulus is presented.
void copy_decision(const Trial& from, Trial& to);

/// Something worth telling that is not a trial.
struct Event {
  std::int64_t trial = 0;
  std::int64_t time_ns = 0;  // since the run began
  Level level = Level::info;
  std::string kind;  // one word, for example deadline
  std::string message;
};

/// FNV-1a of the values' bytes.
std::uint64_t content_hash(const double* values, std::size_t count);

}  // namespace hartline
