#include "loop/run.hpp"

#include <fmt/format.h>

#include <bit>
#include <cmath>

#include "base/error.hpp"
#include "io/record_reader.hpp"
#include "models/candidates.hpp"
#include "models/particles.hpp"

namespace hartline::loop {

namespace {

class NullRecord final : public Record {
 public:
  void decide(const Trial&) override {}
  void observe(const Trial&) override {}
  void note(const Event&) override {}
  void put(std::string_view, std::int64_t, const Array&) override {}
  void put_latency(std::string_view, const Histogram&) override {}
  void flush() override {}
};

bool same_bits(double a, double b) { return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b); }

constexpr double largest_error = 0.5;         // of a utility, from which on it is told
constexpr double least_below_limit = 0.5;     // nats
constexpr std::int64_t latency_every = 1000;  // trials between two writings of the histograms

}  // namespace

std::unique_ptr<Record> make_null_record() { return std::make_unique<NullRecord>(); }

Run::Run(const Experiment& experiment, Record& record, const Clock& clock)
    : experiment_(experiment),
      record_(record),
      clock_(clock),
      subject_(experiment.make_subject(clock)),
      learner_(experiment),
      slots_(static_cast<std::size_t>(experiment.spec.subject.patience_trials + experiment.batch + 3)),
      start_ns_(clock.now_ns()) {}

void Run::note(std::int64_t trial, Level level, const char* kind, std::string message) {
  record_.note({trial, clock_.now_ns() - start_ns_, level, kind, std::move(message)});
}

void Run::restore(const io::RecordReader& reader, std::int64_t now_ns) {
  std::int64_t last_wall_ns = 0;
  walk(
      reader,
      [&](const Trial& trial) {
        learner_.pass_time(trial);
        learner_.decide(trial);
        num_decided_ = trial.index + 1;
        num_fallbacks_ += trial.role == Role::fallback;
        return true;
      },
      [&](Trial& trial) {
        const double recorded = trial.log_evidence;
        if (trial.index == 0) first_time_ns_ = trial.delivered.time_ns;
        subject_->recall(experiment_.values(trial.requested.stimulus, trial.index), trial);
        learner_.learn(trial);
        if (!same_bits(trial.log_evidence, recorded) && !(std::isnan(trial.log_evidence) && std::isnan(recorded)))
          throw RunError({fmt::format("trial {}, log_evidence", trial.index), number_text(recorded) + " as recorded",
                          number_text(trial.log_evidence), "This build or this machine does not repeat the record."},
                         trial.index);
        slot(trial.index).trial = trial;
        slot(trial.index).answered = slot(trial.index).written = true;
        check_stop(trial);
        return true;
      });
  learner_.take_news();  // they are in the record
  for (const Event& event : reader.events()) told_error_ = told_error_ || event.kind == "drawn";
  for (const auto& [name, histogram] : reader.latency())
    for (std::size_t s = 0; s < num_stages; ++s)
      if (stage_names[s] == name) latency_[s] = histogram;
  // the newest attempt of every open trial, and what of it had arrived
  Trial last;
  reader.for_each_trial(
      [&](const Trial& trial, const io::TrialTimes& times) {
        last_wall_ns = std::max({last_wall_ns, times.decided_at_ns, times.observed_at_ns});
        last = trial;
        if (trial.index < learner_.num_trials()) return;
        Slot& s = slot(trial.index);
        s.trial = trial;
        s.answered = s.written = trial.answered;
        s.again = false;
      },
      std::max<std::int64_t>(0, learner_.num_trials() - 1));
  num_presented_ = learner_.num_trials();
  const bool living = experiment_.spec.subject.living || experiment_.spec.subject.kind == "remote";
  const std::int64_t gap_ns = living && num_decided_ > 0 ? std::max<std::int64_t>(0, now_ns - last_wall_ns) : 0;
  if (num_decided_ > 0) subject_->resume_after(last, gap_ns);
  for (std::int64_t t = num_presented_; t < num_decided_ && !stopped_; ++t) {
    Slot& s = slot(t);
    if (s.answered) continue;
    if (living) {
      show_as_requested(s.trial);
      s.trial.delivered.time_ns += gap_ns;
      give_up(t, "aborted: the run was interrupted");
      note(t, Level::warning, "aborted",
           fmt::format("trial {} was in flight when the run was interrupted; the subject lived on for {:.3f} s", t,
                       static_cast<double>(gap_ns) * 1e-9));
    } else {
      ++s.trial.attempt;
      s.again = true;
      note(t, Level::warning, "interrupted",
           fmt::format("trial {} was decided and not observed; it is presented again as attempt {}", t, s.trial.attempt));
    }
  }
  if (!living) return;
  num_presented_ = num_decided_;  // a living subject is not shown anything twice
  if (!stopped_) learn_what_came();
}

/// The choice, by the worker; false: it is not there in time, and the worker goes on.
bool Run::choose_in_time(const Trial& trial, const design::Budget& budget, std::int64_t reply_by_ns) {
  asked_ = trial;
  worker_.begin([this, budget] { learner_.choose(asked_, budget, choice_); });
  learner_.draw_fallback(trial, fallback_);
  if (!worker_.wait_for(reply_by_ns - clock_.now_ns())) return false;
  worker_.wait();
  return true;
}

/// Waits for a choice that was late, and tells the learner what was shown in its place.
void Run::settle() {
  if (owed_ < 0) return;
  worker_.wait();
  learner_.decide(slot(owed_).trial);
  owed_ = -1;
}

void Run::decide(std::optional<double> ask_deadline_ms) {
  settle();
  const std::int64_t begun = clock_.now_ns();
  Slot& s = slot(num_decided_);
  s.answered = s.written = s.again = false;
  s.begun_ns = begun;
  Trial& trial = s.trial;
  const Assignment assignment = experiment_.assign(num_decided_);
  trial.index = num_decided_;
  trial.attempt = 1;
  trial.token = Stream(experiment_.seed, Purpose::token, static_cast<std::uint64_t>(trial.index))();
  trial.arm = assignment.arm;
  trial.role = assignment.role;
  trial.num_learned = learner_.num_trials();
  trial.answered = false;
  subject_->request(trial);
  const auto after = [&](double ms) { return begun + static_cast<std::int64_t>(ms * 1e6); };
  // the stimulus leaves when its decision is written: the time that took of late is kept free, up to half of all
  const double choose_ms = ask_deadline_ms ? *ask_deadline_ms - std::min(write_ms_, 0.5 * *ask_deadline_ms) : 0;
  const std::int64_t reply_by = ask_deadline_ms ? after(choose_ms) : std::numeric_limits<std::int64_t>::max();
  design::Budget budget;
  if (const auto& ms = experiment_.arms[static_cast<std::size_t>(trial.arm)].spec.deadline_ms) budget.deadline_ns = after(*ms);
  if (ask_deadline_ms && !(budget.deadline_ns > 0 && budget.deadline_ns < after(0.8 * choose_ms)))
    budget.deadline_ns = after(0.8 * choose_ms);
  if (budget.deadline_ns > 0) budget.clock = &clock_;
  const bool late = ask_deadline_ms && !choose_in_time(trial, budget, reply_by);
  if (late)
    trial.role = Role::fallback;
  else if (!ask_deadline_ms)
    learner_.choose(trial, budget, choice_);
  const design::Choice& choice = late ? fallback_ : choice_;
  experiment_.set_stimulus(choice, trial.requested.stimulus);
  if (!late && choice.explored) trial.role = Role::explore;
  trial.utility = choice.utility;
  trial.units = choice.units;
  const std::int64_t ended = clock_.now_ns();
  const std::int64_t due = ask_deadline_ms ? reply_by : budget.clock ? budget.deadline_ns : ended;
  trial.lateness_ms = std::max(0.0, static_cast<double>(ended - due) * 1e-6);
  latency_[static_cast<std::size_t>(Stage::choose)].add(ended - begun);
  if (late)
    note(trial.index, Level::warning, "fallback",
         fmt::format("no choice was there after {:.3f} ms; a stimulus drawn at random is shown", choose_ms));
  else if (trial.lateness_ms > 0)
    note(trial.index, Level::warning, "deadline",
         fmt::format("the choice was {:.3f} ms late after {} units", trial.lateness_ms, trial.units));
  if (!late) note_error(trial, choice);
  record_.decide(trial);
  if (trial.role == Role::measure && experiment_.arms[static_cast<std::size_t>(trial.arm)].spec.lookahead.depth > 1) {
    lookahead_.values = {choice.total, choice.lead, choice.lead_error};
    record_.put("lookahead", trial.index, lookahead_);
  }
  const std::int64_t written = clock_.now_ns();
  latency_[static_cast<std::size_t>(Stage::decide)].add(written - ended);
  const double took_ms = static_cast<double>(written - ended) * 1e-6;
  write_ms_ = std::max(took_ms, 0.95 * write_ms_);
  if (ask_deadline_ms && written > after(*ask_deadline_ms))
    note(trial.index, Level::warning, "deadline",
         fmt::format("the stimulus left {:.3f} ms late: its decision took {:.3f} ms to write",
                     static_cast<double>(written - after(*ask_deadline_ms)) * 1e-6, took_ms));
  if (late)
    owed_ = trial.index;
  else
    learner_.decide(trial);
  ++num_decided_;
  num_fallbacks_ += late;
}

/// The error of a utility that was drawn for: each trial in the record. It is told once where it is large, or where all that the
/// samples can tell is reached.
void Run::note_error(const Trial& trial, const design::Choice& choice) {
  if (choice.utility_error > 0) record_.put("utility_error", trial.index, {{1}, {choice.utility_error}});
  const bool full = choice.utility > choice.utility_limit - least_below_limit;
  const bool large = choice.utility_error > largest_error * std::abs(choice.utility);
  if (told_error_ || !(full || large)) return;
  told_error_ = true;
  note(trial.index, Level::warning, "drawn",
       full ? fmt::format("the chosen stimulus tells about all that the samples it was compared by can tell, {:.3f} nats: of "
                          "stimuli that tell more the best may not have been found",
                          choice.utility_limit)
            : fmt::format("the utility of the chosen stimulus, {:.4g}, has a standard error of {:.2g} by the samples that it was "
                          "compared by: others may be as good",
                          choice.utility, choice.utility_error));
}

/// How well the particles of a trial's arm stand for the posterior.
void Run::put_health(const Trial& trial) {
  if (trial.role == Role::validate) return;
  const auto put = [&](const models::Belief& belief, const std::string& name) {
    const auto* particles = dynamic_cast<const models::ParticleBelief*>(&belief);
    if (!particles) return;
    const models::ParticleHealth& h = particles->health;
    record_.put("particles" + name, trial.index + 1,
                {{6},
                 {h.effective, static_cast<double>(h.num_unique), h.acceptance, static_cast<double>(h.num_stages), h.num_owed,
                  h.num_evaluations}});
  };
  const auto arm = static_cast<std::size_t>(trial.arm);
  const std::string of_arm = arm == 0 ? "" : "/" + experiment_.arms[arm].name;
  const models::Belief& belief = learner_.belief(arm);
  put(belief, of_arm);
  if (const auto* candidates = dynamic_cast<const models::CandidatesBelief*>(&belief))
    for (std::size_t k = 0; k < candidates->beliefs.size(); ++k)
      put(*candidates->beliefs[k], of_arm + "/" + experiment_.model->parameter_names[k]);
}

void Run::decide_batch(std::optional<double> ask_deadline_ms) {
  const std::int64_t last = std::min(num_decided_ + experiment_.batch, experiment_.spec.num_trials), begun = clock_.now_ns();
  while (num_decided_ < last) {
    std::optional<double> share = ask_deadline_ms;  // each of a batch has an equal part of what is left
    if (share && experiment_.batch > 1)
      share =
          std::max(0.0, *share - static_cast<double>(clock_.now_ns() - begun) * 1e-6) / static_cast<double>(last - num_decided_);
    decide(share);
  }
}

const Trial* Run::ask(std::optional<double> deadline_ms) {
  if (stopped_ || (num_presented_ == num_decided_ && num_decided_ == experiment_.spec.num_trials)) return nullptr;
  if (num_presented_ == num_decided_) decide_batch(deadline_ms);
  present();
  if (num_presented_ - learner_.num_trials() > experiment_.spec.subject.patience_trials) {
    settle();
    collect(false);
    learn_what_came();
  }
  return &last_trial();
}

Run::Told Run::tell(const Answer& answer) {
  settle();
  const auto fits = [&](const std::vector<double>& values) {
    experiment_.model->check(values.empty() ? std::vector<double>(experiment_.stimuli.dim) : values, answer.response);
  };
  fits(answer.delivered);
  fits(answer.rendered);
  const Told told = take(answer);
  learn_what_came();
  return told;
}

std::vector<const Trial*> Run::open() const {
  std::vector<const Trial*> out;
  for (std::int64_t t = learner_.num_trials(); t < num_presented_; ++t)
    if (const Slot& s = slots_[static_cast<std::size_t>(t) % slots_.size()]; !s.answered) out.push_back(&s.trial);
  return out;
}

bool Run::give_up(std::uint64_t token, const std::string& reason) {
  settle();
  for (const Trial* trial : open())
    if (trial->token == token) {
      const std::int64_t t = trial->index;
      give_up(t, reason);
      note(t, Level::warning, "given_up", fmt::format("trial {} counts as missing at random: {}", t, reason));
      learn_what_came();
      return true;
    }
  return false;
}

std::int64_t Run::now_ns() const {
  Trial probe;
  subject_->request(probe);
  return probe.requested.time_ns;
}

void Run::note(Level level, const char* kind, std::string message) { note(num_presented_ - 1, level, kind, std::move(message)); }

void Run::present() {
  const std::int64_t begun = clock_.now_ns();
  Slot& s = slot(num_presented_);
  Trial& trial = s.trial;
  ++num_presented_;
  if (s.again) record_.decide(trial);
  s.again = false;
  subject_->present(experiment_.values(trial.requested.stimulus, trial.index), trial);
  latency_[static_cast<std::size_t>(Stage::present)].add(clock_.now_ns() - begun);
}

namespace {

/// What the rig says of one station of the stimulus; what it does not say stays as requested.
void tell_station(const Answer& answer, const std::vector<double>& values, std::optional<std::int64_t> time_ns,
                  Presentation& station) {
  if (!values.empty()) {
    if (!std::holds_alternative<Array>(station.stimulus.what)) station.stimulus.what = Array{};
    Array& array = std::get<Array>(station.stimulus.what);
    if (array.values.size() != values.size()) array.shape = {static_cast<std::int64_t>(values.size())};
    array.values = values;
  }
  if (!time_ns) return;
  station.time_ns = *time_ns;
  station.clock = answer.clock;
}

}  // namespace

Run::Told Run::take(const Answer& answer) {
  const std::int64_t first = std::max<std::int64_t>(0, num_presented_ - static_cast<std::int64_t>(slots_.size()));
  for (std::int64_t t = first; t < num_presented_; ++t) {
    Slot& s = slot(t);
    if (s.trial.token != answer.token) continue;
    if (!s.answered) {
      s.trial.response = answer.response;
      tell_station(answer, answer.rendered, answer.rendered_ns, s.trial.rendered);
      tell_station(answer, answer.delivered, answer.delivered_ns, s.trial.delivered);
      s.trial.answered = s.answered = true;
      return Told::taken;
    }
    if (s.trial.response.values == answer.response.values && s.trial.response.marks == answer.response.marks) {
      note(t, Level::info, "doubled", fmt::format("the response to trial {} came again", t));
      return Told::doubled;
    }
    note(t, Level::warning, "late", fmt::format("a response to trial {} came after one was taken in; it is not used", t));
    return Told::late;
  }
  note(num_presented_ - 1, Level::warning, "stranger",
       fmt::format("a response has token {:016x}, which no open trial has", answer.token));
  return Told::stranger;
}

void Run::give_up(std::int64_t t, const std::string& reason) {
  Slot& s = slot(t);
  Response& response = s.trial.response;
  const std::size_t num = experiment_.model->num_cells * experiment_.model->num_bins;
  response.kind = experiment_.model->response_kind;
  response.num_cells = static_cast<std::int64_t>(experiment_.model->num_cells);
  response.num_bins = static_cast<std::int64_t>(experiment_.model->num_bins);
  response.values.assign(num, 0.0);
  response.marks.assign(num, Mark::missing);
  response.reason = reason;
  s.trial.answered = s.answered = true;
}

void Run::collect(bool wait) {
  while (subject_->next_answer(wait, answer_)) take(answer_);
  const std::int64_t patience = experiment_.spec.subject.patience_trials;
  for (std::int64_t t = learner_.num_trials(); t < num_presented_; ++t) {
    if (slot(t).answered || (!wait && num_presented_ - t <= patience)) continue;
    give_up(t, "lost: no response came");
    note(t, Level::warning, "lost",
         wait ? fmt::format("no response to trial {} came; it counts as missing at random", t)
              : fmt::format("no response to trial {} came within {} trials; it counts as missing at random", t, patience));
  }
}

void Run::learn_what_came() {
  while (learner_.num_trials() < num_presented_ && slot(learner_.num_trials()).answered) {
    const std::int64_t begun = clock_.now_ns();
    Slot& s = slot(learner_.num_trials());
    if (s.trial.index == 0) first_time_ns_ = s.trial.delivered.time_ns;
    try {
      learner_.learn(s.trial);
    } catch (...) {
      record_.observe(s.trial);  // what came back is kept even where the belief refuses it
      record_.flush();
      throw;
    }
    record_.observe(s.trial);
    s.written = true;
    put_health(s.trial);
    for (Event& event : learner_.take_news()) record_.note(event);
    check_stop(s.trial);
    const std::int64_t ended = clock_.now_ns();
    latency_[static_cast<std::size_t>(Stage::update)].add(ended - begun);
    latency_[static_cast<std::size_t>(Stage::trial)].add(ended - s.begun_ns);
    if (learner_.num_trials() % latency_every == 0) write_latency();
  }
  // what overtook an earlier response waits for it in the record, not only here
  for (std::int64_t t = learner_.num_trials(); t < num_presented_; ++t) {
    if (!slot(t).answered || slot(t).written) continue;
    slot(t).trial.log_evidence = std::nan("");
    record_.observe(slot(t).trial);
    slot(t).written = true;
  }
}

void Run::step() {
  const std::int64_t num_trials = experiment_.spec.num_trials;
  if (num_presented_ == num_decided_ && num_decided_ < num_trials) decide_batch();
  const bool more = num_presented_ < num_decided_;
  if (more) present();
  collect(!more);
  learn_what_came();
}

void Run::check_stop(const Trial& last) {
  const StopSpec& stop = experiment_.spec.stop;
  if (stopped_) return;
  const double minutes = static_cast<double>(last.delivered.time_ns - first_time_ns_) / 60e9;
  if (stop.minutes && minutes >= *stop.minutes) {
    stopped_ = true;
    return note(last.index, Level::info, "stop", fmt::format("{:.2f} minutes have passed", minutes));
  }
  if (!stop.credible_width) return;
  const double width = experiment_.stop_width(learner_);
  if (width > *stop.credible_width) return;
  stopped_ = true;
  note(last.index, Level::info, "stop", fmt::format("the 90 % credible interval is {:.4g} wide", width));
}

void Run::go(const std::function<void(std::int64_t)>& progress, const std::atomic<bool>* stop) {
  while (!done() && !(stop && *stop)) {
    step();
    if (progress) progress(learner_.num_trials());
  }
}

void Run::write_latency() {
  for (std::size_t s = 0; s < num_stages; ++s) record_.put_latency(stage_names[s], latency_[s]);
}

void Run::finish() {
  settle();
  learner_.finish();
  const std::int64_t num = learner_.num_trials();
  for (std::size_t a = 0; a < experiment_.arms.size(); ++a) {
    // the first arm's estimate has the plain name
    const std::string suffix = a == 0 ? "" : "/" + experiment_.arms[a].name;
    record_.put("mean" + suffix, num, learner_.mean(a));
    record_.put("sd" + suffix, num, learner_.sd(a));
  }
  const std::vector<double> truth = subject_->truth();
  if (!truth.empty()) record_.put("truth", num, {{static_cast<std::int64_t>(truth.size())}, truth});
  write_latency();
  record_.flush();
}

}  // namespace hartline::loop
