#include "io/run_record.hpp"

#include <array>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "io/array_size.hpp"
#include "io/record_writer.hpp"
#include "io/write_lock.hpp"

namespace hartline::io {

namespace {

enum class Kind { decide, observe, note, put, latency };

/// One entry of the queue. Slots are assigned to again and again, so that their vectors keep their memory.
struct Slot {
  Kind kind = Kind::note;
  std::int64_t wall_ns = 0;
  Trial trial;
  Event event;
  std::string name;             // of an array or a stage
  std::int64_t num_trials = 0;  // of an array
  Array array;
  Histogram histogram;
};

void check_array(const Array& array, const std::string& name) {
  if (size_of_shape(array.shape) != array.values.size())
    throw SpecError({name, "an array whose values fill its shape " + shape_text(array.shape),
                     std::to_string(array.values.size()) + " values", ""});
}

std::string name_of(const Trial& trial, const char* part) { return "trial[" + std::to_string(trial.index) + "]." + part; }

void check_stimulus(const Trial& trial, const Stimulus& stimulus) {
  if (const auto* array = std::get_if<Array>(&stimulus.what); array && size_of_shape(array->shape) != array->values.size())
    check_array(*array, name_of(trial, "stimulus"));
  if (const auto* pattern = std::get_if<Pattern>(&stimulus.what); pattern && pattern->targets.size() != pattern->power_mw.size())
    throw SpecError({name_of(trial, "stimulus.power_mw"), "one power a target", std::to_string(pattern->power_mw.size()), ""});
}

void check_response(const Trial& trial) {
  const Response& response = trial.response;
  const std::size_t size = response.values.size();
  const auto cells = static_cast<std::size_t>(response.num_cells), bins = static_cast<std::size_t>(response.num_bins);
  std::size_t wanted = 0;
  const bool valid = response.num_cells >= 0 && response.num_bins >= 0 && !__builtin_mul_overflow(cells, bins, &wanted);
  if (!valid || (size != wanted && (trial.answered || size != 0)))
    throw SpecError({name_of(trial, "response.values"), "of the shape " + shape_text({response.num_cells, response.num_bins}),
                     std::to_string(size) + " values", ""});
  if (!response.marks.empty() && response.marks.size() != size)
    throw SpecError({name_of(trial, "response.marks"), "one mark a value", std::to_string(response.marks.size()), ""});
}

}  // namespace

/// The queue between the calling threads and the writing one. Entries are numbered from 1; a number that is durable means that it
/// and all before it are.
class RunRecord::Queue {
 public:
  Queue(std::unique_ptr<WriteLock> lock, const std::string& path, const std::string& vfs)
      : lock_(std::move(lock)), writer_(path, vfs), window_(window_of(writer_.durability())), thread_([this] { work(); }) {}

  ~Queue() {
    {
      const std::lock_guard guard(mutex_);
      stopping_ = true;
    }
    work_to_do_.notify_one();
    thread_.join();
    if (failure_)
      writer_.abandon();
    else
      writer_.finish();
  }

  bool waits_for_decisions() const { return window_ == 0; }

  /// Queues what `fill` writes into a slot and returns its number.
  template <class Fill>
  std::int64_t push(Kind kind, Fill fill) {
    std::unique_lock guard(mutex_);
    const bool observes = kind == Kind::observe, first = observes && num_observed_ == 0;
    progress_.wait(guard, [&] {
      if (first) return failure_ || applied_ == pushed_;
      const bool window_full = observes && window_ > 0 && num_observed_ - num_observed_durable_ >= window_;
      return failure_ || (pushed_ - applied_ < num_slots && !window_full);
    });
    if (failure_) std::rethrow_exception(failure_);
    Slot& slot = slots_[static_cast<std::size_t>(pushed_ % num_slots)];
    slot.kind = kind;
    slot.wall_ns = wall_time_ns();
    fill(slot);
    // At the first trial every slot gets the memory of a whole one: which slots later trials meet depends on what else is written.
    if (first)
      for (Slot& other : slots_) other.trial = slot.trial;
    if (observes) ++num_observed_;
    const std::int64_t number = ++pushed_;
    guard.unlock();
    work_to_do_.notify_one();
    return number;
  }

  void wait_until_durable(std::int64_t number) {
    std::unique_lock guard(mutex_);
    progress_.wait(guard, [&] { return failure_ || durable_ >= number; });
    if (durable_ < number) std::rethrow_exception(failure_);
  }

  void flush() {
    std::int64_t number = 0;
    {
      const std::lock_guard guard(mutex_);
      if (failure_) std::rethrow_exception(failure_);
      number = flush_to_ = pushed_;
    }
    work_to_do_.notify_one();
    wait_until_durable(number);
  }

 private:
  static constexpr std::int64_t num_slots = 64;

  void work() {
    try {
      write_until_stopped();
    } catch (...) {
      {
        const std::lock_guard guard(mutex_);
        failure_ = std::current_exception();
      }
      progress_.notify_all();
    }
  }

  void write_until_stopped() {
    std::int64_t applied = 0, observed = 0, observed_durable = 0;  // this thread's own counts
    for (;;) {
      std::int64_t pushed = 0;
      bool commit_at_end = false, stopping = false;
      {
        std::unique_lock guard(mutex_);
        work_to_do_.wait(guard, [&] { return stopping_ || pushed_ > applied || flush_to_ > durable_; });
        pushed = pushed_;
        stopping = stopping_;
        commit_at_end = window_ == 0 || stopping || flush_to_ > durable_;
      }
      while (applied < pushed) {
        const Slot& slot = slots_[static_cast<std::size_t>(applied % num_slots)];
        apply(slot);
        ++applied;
        if (slot.kind == Kind::observe) ++observed;
        const bool window_full = window_ > 0 && observed - observed_durable >= window_;
        const bool durable = window_full || (commit_at_end && applied == pushed);
        if (durable) {
          writer_.commit();
          observed_durable = observed;
        }
        // Without a wait for the disk a slot is free again at once.
        tell(applied, durable, observed);
      }
      if (commit_at_end) {
        writer_.commit();
        observed_durable = observed;
        tell(applied, true, observed);
      }
      writer_.shorten_log();
      if (stopping) return;
    }
  }

  void tell(std::int64_t applied, bool durable, std::int64_t observed) {
    {
      const std::lock_guard guard(mutex_);
      applied_ = applied;
      if (durable) {
        durable_ = applied;
        num_observed_durable_ = observed;
      }
    }
    progress_.notify_all();
  }

  void apply(const Slot& slot) {
    switch (slot.kind) {
      case Kind::decide:
        return writer_.decide(slot.trial, slot.wall_ns);
      case Kind::observe:
        return writer_.observe(slot.trial, slot.wall_ns);
      case Kind::note:
        return writer_.note(slot.event);
      case Kind::put:
        return writer_.put(slot.name, slot.num_trials, slot.array);
      case Kind::latency:
        return writer_.put_latency(slot.name, slot.histogram);
    }
  }

  std::unique_ptr<WriteLock> lock_;  // outlives the connection
  RecordWriter writer_;              // the thread's alone while it runs
  const std::int64_t window_;        // 0: every trial

  std::mutex mutex_;  // guards what follows; slots between applied_ and pushed_ belong to the thread
  std::condition_variable work_to_do_, progress_;
  std::array<Slot, num_slots> slots_;
  std::int64_t pushed_ = 0, applied_ = 0, durable_ = 0, flush_to_ = 0;
  std::int64_t num_observed_ = 0, num_observed_durable_ = 0;
  bool stopping_ = false;
  std::exception_ptr failure_;

  std::thread thread_;
};

RunRecord::RunRecord(std::unique_ptr<Queue> queue) : queue_(std::move(queue)) {}
RunRecord::~RunRecord() = default;

std::unique_ptr<RunRecord> RunRecord::create(const std::string& path, const RecordInfo& info, const std::string& vfs) {
  auto lock = std::make_unique<WriteLock>(path);
  create_record_file(path, info, vfs);
  return std::unique_ptr<RunRecord>(new RunRecord(std::make_unique<Queue>(std::move(lock), path, vfs)));
}

std::unique_ptr<RunRecord> RunRecord::append(const std::string& path, const std::string& vfs) {
  auto lock = std::make_unique<WriteLock>(path);
  return std::unique_ptr<RunRecord>(new RunRecord(std::make_unique<Queue>(std::move(lock), path, vfs)));
}

void RunRecord::decide(const Trial& trial) {
  check_stimulus(trial, trial.requested.stimulus);
  // Only what a decision holds is copied: the other stations would change the kind of stimulus in the slot, which allocates.
  const std::int64_t number = queue_->push(Kind::decide, [&](Slot& slot) { copy_decision(trial, slot.trial); });
  if (queue_->waits_for_decisions()) queue_->wait_until_durable(number);
}

void RunRecord::observe(const Trial& trial) {
  check_stimulus(trial, trial.rendered.stimulus);
  check_stimulus(trial, trial.delivered.stimulus);
  check_response(trial);
  queue_->push(Kind::observe, [&](Slot& slot) { slot.trial = trial; });
}

void RunRecord::note(const Event& event) {
  queue_->push(Kind::note, [&](Slot& slot) { slot.event = event; });
}

void RunRecord::put(std::string_view name, std::int64_t num_trials, const Array& array) {
  if (size_of_shape(array.shape) != array.values.size()) check_array(array, std::string(name));
  queue_->push(Kind::put, [&](Slot& slot) {
    slot.name = name;
    slot.num_trials = num_trials;
    slot.array = array;
  });
}

void RunRecord::put_latency(std::string_view stage, const Histogram& histogram) {
  queue_->push(Kind::latency, [&](Slot& slot) {
    slot.name = stage;
    slot.histogram = histogram;
  });
}

void RunRecord::flush() { queue_->flush(); }

void write_document(const std::string& path, std::string_view name, std::string_view text) {
  const WriteLock lock(path);
  RecordWriter writer(path, "");
  writer.put_document(name, text);
  writer.commit();
  writer.finish();
}

}  // namespace hartline::io
