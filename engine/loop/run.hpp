// Run: one turn of the ring after another, written down; continued after an interruption; checked afterwards.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/histogram.hpp"
#include "base/record.hpp"
#include "loop/learner.hpp"
#include "loop/worker.hpp"

namespace hartline::io {
class RecordReader;
}

namespace hartline::loop {

/// The stages of a trial whose durations are kept.
enum class Stage : std::uint8_t { choose, decide, present, update, trial };
constexpr std::size_t num_stages = 5;
constexpr std::array<std::string_view, num_stages> stage_names = {"choose", "decide", "present", "update", "trial"};

/// One run of an experiment: the learner, the subject, the record and the durations.
///
/// A trial: choose, write the decision (durable before the stimulus is presented), present, take the responses that have arrived,
/// update in the order of trials, write the observations (which the next choice overlaps). After a hundred trials nothing in it
/// allocates, but for the hand-over of a refit, pending responses and warnings
/// (tests/realtime/allocation_test.cpp: Ring.DoesNotAllocateAfterWarmUp).
class Run {
 public:
  Run(const Experiment& experiment, Record& record, const Clock& clock);

  /// Takes in what a record holds, as if it had happened here. A trial that was decided and not answered is presented again; a
  /// living subject is not asked twice: the trial is given up, and time has passed for the belief until `now_ns` (wall time).
  void restore(const io::RecordReader& reader, std::int64_t now_ns = wall_time_ns());

  /// Runs until num_trials are done, a stop rule holds or `stop` is set; `progress(done)` after every trial. Throws what a trial
  /// throws; everything before it is in the record.
  void go(const std::function<void(std::int64_t)>& progress = {}, const std::atomic<bool>* stop = nullptr);

  /// Presents one trial and takes in the responses that have arrived; once all are presented, waits for those to come.
  void step();

  /// The inverted loop, for a remote subject: the next trial to present, decided and written down; null when all are, or a stop
  /// rule holds. `deadline_ms`: where the choice is not there by then, a stimulus drawn at random takes its place and an event
  /// says so. What writing a decision took of late is kept free; of the rest the search has four fifths. A disk that is slower
  /// than of late makes the stimulus late, and an event says so.
  const Trial* ask(std::optional<double> deadline_ms = {});

  /// What became of a response that was told.
  enum class Told : std::uint8_t { taken, doubled, late, stranger };
  static constexpr std::array<const char*, 4> told_names = {"taken", "doubled", "late", "stranger"};

  /// Takes the response of a trial, in any order; whatever can be learned is. What came twice, late or of no open trial is noted
  /// and left. Throws: RunError for a response or a stimulus that does not fit; the trial then stays open.
  Told tell(const Answer& answer);

  /// The trials that were asked for and not told of, oldest first.
  std::vector<const Trial*> open() const;

  /// Counts an open trial as missing at random, for the stated reason. Returns whether there was one of that token.
  bool give_up(std::uint64_t token, const std::string& reason);

  /// The time now on the engine's clock, as in requested.time_ns of a remote subject.
  std::int64_t now_ns() const;

  /// Writes an event.
  void note(Level level, const char* kind, std::string message);

  /// Ends the run: the final refit, final estimates and the latency histograms go to the record.
  void finish();

  bool done() const { return stopped_ || learner_.num_trials() >= experiment_.spec.num_trials; }
  Learner& learner() { return learner_; }
  const Learner& learner() const { return learner_; }
  const Histogram& latency(Stage stage) const { return latency_[static_cast<std::size_t>(stage)]; }
  /// Trials that showed a stimulus drawn at random because the choice was not there in time.
  std::int64_t num_fallbacks() const { return num_fallbacks_; }
  /// The last one presented.
  const Trial& last_trial() const { return slots_[static_cast<std::size_t>(num_presented_ - 1) % slots_.size()].trial; }
  /// The parameters behind the responses as they are now, where they are known; else empty.
  std::vector<double> truth() const { return subject_->truth(); }

 private:
  /// A trial that was decided. Its slot is used again when the ring comes round.
  struct Slot {
    Trial trial;
    bool answered = false;  // the response is here
    bool written = false;   // and in the record
    bool again = false;     // a further attempt, whose decision is not in the record yet
    std::int64_t begun_ns = 0;
  };

  Slot& slot(std::int64_t trial) { return slots_[static_cast<std::size_t>(trial) % slots_.size()]; }
  void decide(std::optional<double> deadline_ms);
  bool choose_in_time(const Trial& trial, const design::Budget& budget, std::int64_t reply_by_ns);
  void settle();
  void decide_batch(std::optional<double> deadline_ms = {});
  void present();
  void collect(bool wait);
  Told take(const Answer& answer);
  void give_up(std::int64_t trial, const std::string& reason);
  void learn_what_came();
  void note(std::int64_t trial, Level level, const char* kind, std::string message);
  void check_stop(const Trial& last);
  void write_latency();
  void note_error(const Trial& trial, const design::Choice& choice);
  void put_health(const Trial& trial);

  const Experiment& experiment_;
  Record& record_;
  const Clock& clock_;
  std::unique_ptr<Subject> subject_;
  Learner learner_;
  design::Choice choice_;
  Answer answer_;
  std::vector<Slot> slots_;
  std::int64_t num_decided_ = 0, num_presented_ = 0, num_fallbacks_ = 0;
  bool stopped_ = false;
  bool told_error_ = false;         // of utilities that are drawn
  std::int64_t first_time_ns_ = 0;  // of the first delivered stimulus
  std::array<Histogram, num_stages> latency_;
  std::int64_t start_ns_;
  // of a choice with a deadline
  Array lookahead_{{3}, std::vector<double>(3)};  // total, lead and its error of the last choice
  double write_ms_ = 0;      // what writing a decision took: the longest, forgotten by a twentieth a trial
  Trial asked_;              // the worker's copy
  design::Choice fallback_;  // prepared while the worker chooses
  std::int64_t owed_ = -1;   // trial that the learner has not been told of, because the worker still holds it
  Worker worker_;
};

/// What a replay found.
struct ReplayResult {
  std::int64_t num_trials = 0;         // compared
  std::int64_t first_difference = -1;  // trial, or -1
  std::string difference;              // what differed
  std::uint64_t digest = 0;            // of the belief at the end
};

/// Recomputes every choice of a record, with the recorded responses and units of work.
ReplayResult replay(const Experiment& experiment, const io::RecordReader& reader,
                    const std::function<void(std::int64_t)>& progress = {});

/// Goes through a record as the run did: `decided` for the first attempt of every trial, `learned` for every answered trial when
/// it was taken in, both in order. Either may return false to end.
void walk(const io::RecordReader& reader, const std::function<bool(const Trial&)>& decided,
          const std::function<bool(Trial&)>& learned);

/// A record that forgets.
std::unique_ptr<Record> make_null_record();

}  // namespace hartline::loop
