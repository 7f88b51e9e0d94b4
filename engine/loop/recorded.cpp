#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/describe.hpp"
#include "base/error.hpp"
#include "io/npy.hpp"
#include "io/toml.hpp"
#include "loop/subject.hpp"

namespace hartline::loop {

namespace {

/// trials.toml
struct Split {
  std::vector<std::int64_t> pool, held_out;
  template <class Field>
  static void describe(Field&& field) {
    field("pool", &Split::pool, "", required(non_negative()), "trials that may be presented, [first, last)");
    field("held_out", &Split::held_out, "", non_negative(), "trials kept for evaluation, [first, last)");
  }
};

struct Trials {
  std::int64_t format = 1;
  std::string name;
  std::int64_t num_trials = 0, dim = 0;
  std::int64_t num_frames = 1, num_blank_bins = 0;
  std::vector<std::int64_t> shape;
  std::string unit;
  Table response, source;
  Split split;
  template <class Field>
  static void describe(Field&& field) {
    field("format", &Trials::format, "", required(between(1, 1)), "version of the folder's format");
    field("name", &Trials::name, "", any(), "name of the recording");
    field("num_trials", &Trials::num_trials, "", required(at_least(1)), "rows of stimuli.npy and responses.npy");
    field("dim", &Trials::dim, "", required(at_least(1)), "columns of stimuli.npy");
    field("num_frames", &Trials::num_frames, "", at_least(1), "frames of a stimulus, each with its own bin of the response");
    field("num_blank_bins", &Trials::num_blank_bins, "bins", non_negative(), "at the start of each trial, never used");
    field("shape", &Trials::shape, "", at_least(1), "shape of one frame");
    field("unit", &Trials::unit, "", any(), "unit of the stimulus values");
    field("response", &Trials::response, "", any(), "kind and bin of the responses");
    field("split", &Trials::split, "", required(), "which trials may be presented");
    field("source", &Trials::source, "", required(), "where the recording comes from");
  }
};

void check_range(const std::vector<std::int64_t>& range, const char* key, std::int64_t num, const std::string& file) {
  if (range.size() != 2 || range[0] >= range[1] || range[1] > num)
    throw SpecError({fmt::format("split.{}", key), fmt::format("[first, last) within 0 … {}", num),
                     fmt::format("[{}]", fmt::join(range, ", ")), file});
}

Array read_matrix(const std::string& path, std::vector<std::int64_t> shape) {
  Array array = io::read_npy(path);
  if (array.shape != shape)
    throw SpecError({path, fmt::format("of shape [{}]", fmt::join(shape, ", ")), fmt::format("[{}]", fmt::join(array.shape, ", ")),
                     "trials.toml beside it says so."});
  const std::size_t row = array.values.size() / static_cast<std::size_t>(shape[0]);
  for (std::size_t i = 0; i < array.values.size(); ++i)
    if (!std::isfinite(array.values[i]))
      throw SpecError(
          {fmt::format("{}[{}]", path, i / row), "finite", number_text(array.values[i]), fmt::format("trial {}.", i / row)});
  return array;
}

class RecordedSubject final : public Subject {
 public:
  RecordedSubject(std::shared_ptr<const Recording> recording, double trial_ms)
      : recording_(std::move(recording)),
        trial_ms_(trial_ms),
        shown_in_(static_cast<std::size_t>(recording_->pool_last - recording_->pool_first), -1) {}

  void request(Trial& trial) const override {
    trial.requested.clock.assign("recording");
    trial.requested.time_ns = std::llround(trial_ms_ * 1e6 * static_cast<double>(trial.index));
  }

  void present(std::span<const double>, Trial& trial) override {
    const auto* item = std::get_if<PoolItem>(&trial.requested.stimulus.what);
    if (!item || item->index < 0 || item->index >= static_cast<std::int64_t>(shown_in_.size()))
      throw RunError({"stimulus", "a member of the recorded pool", "another stimulus", ""}, trial.index);
    std::int64_t& shown_in = shown_in_[static_cast<std::size_t>(item->index)];
    if (shown_in >= 0 && shown_in != trial.index)
      throw RunError({"stimulus", "one that was not presented before",
                      fmt::format("pool[{}], shown in trial {}", item->index, shown_in), "A recorded trial has a single answer."},
                     trial.index);
    shown_in = trial.index;
    show_as_requested(trial);
    const std::size_t num_bins = recording_->num_frames;
    const auto first = recording_->responses.begin() + (recording_->pool_first + item->index) * static_cast<std::int64_t>(num_bins);
    Answer& answer = answers_.add(trial.index);
    answer.token = trial.token;
    answer.response.kind = recording_->kind;
    answer.response.num_cells = 1;
    answer.response.num_bins = static_cast<std::int64_t>(num_bins);
    answer.response.values.assign(first, first + static_cast<std::int64_t>(num_bins));
    answer.response.marks.assign(num_bins, Mark::observed);
    std::fill_n(answer.response.marks.begin(), recording_->num_blank_bins, Mark::blanked);
  }

  bool next_answer(bool, Answer& out) override { return answers_.take(0, true, out); }

 private:
  std::shared_ptr<const Recording> recording_;
  double trial_ms_;
  std::vector<std::int64_t> shown_in_;  // [pool] trial, or -1
  AnswerQueue answers_;
};

}  // namespace

std::shared_ptr<const Recording> read_recording(const std::string& folder) {
  const std::string file = folder + "/trials.toml";
  Trials trials;
  read_table(io::read_toml(file), {"", file}, trials);
  check_range(trials.split.pool, "pool", trials.num_trials, file);
  if (!trials.split.held_out.empty()) check_range(trials.split.held_out, "held_out", trials.num_trials, file);
  auto recording = std::make_shared<Recording>();
  recording->name = trials.name;
  recording->unit = trials.unit;
  if (trials.dim % trials.num_frames != 0)
    throw SpecError({"dim", fmt::format("a multiple of num_frames = {}", trials.num_frames), fmt::format("{}", trials.dim), file});
  if (trials.num_blank_bins >= trials.num_frames && trials.num_frames > 1)
    throw SpecError(
        {"num_blank_bins", fmt::format("< num_frames = {}", trials.num_frames), fmt::format("{}", trials.num_blank_bins), file});
  recording->num_frames = static_cast<std::size_t>(trials.num_frames);
  recording->num_blank_bins = static_cast<std::size_t>(trials.num_blank_bins);
  recording->shape = trials.shape.empty() ? std::vector<std::int64_t>{trials.dim / trials.num_frames} : trials.shape;
  recording->dim = static_cast<std::size_t>(trials.dim);
  std::int64_t cells = trials.num_frames;
  for (std::int64_t n : recording->shape) cells *= n;
  if (cells != trials.dim) throw SpecError({"shape", fmt::format("{} values in all", trials.dim), fmt::format("{}", cells), file});
  if (const Value* kind = trials.response.find("kind"); kind && kind->text()) {
    const std::string& text = *kind->text();
    if (text != "counts" && text != "choice" && text != "trace")
      throw SpecError({"response.kind", "one of counts, choice, trace", "\"" + text + "\"", file});
    recording->kind = text == "counts" ? ResponseKind::counts : text == "choice" ? ResponseKind::choice : ResponseKind::trace;
  }
  for (const auto& [key, value] : trials.source.items)
    if (const std::string* text = value.text(); text && (key == "citation" || key == "text")) recording->source = *text;
  recording->stimuli = read_matrix(folder + "/stimuli.npy", {trials.num_trials, trials.dim}).values;
  const std::vector<std::int64_t> one{trials.num_trials}, many{trials.num_trials, trials.num_frames};
  recording->responses = read_matrix(folder + "/responses.npy", trials.num_frames > 1 ? many : one).values;
  if (recording->kind != ResponseKind::trace)
    for (std::size_t i = 0; i < recording->responses.size(); ++i)
      if (const double r = recording->responses[i]; r < 0 || r != std::floor(r))
        throw SpecError({fmt::format("{}/responses.npy[{}]", folder, i), "a whole number >= 0", number_text(r),
                         fmt::format("trial {}.", i / recording->num_frames)});
  recording->pool_first = trials.split.pool[0];
  recording->pool_last = trials.split.pool[1];
  if (!trials.split.held_out.empty()) {
    recording->held_out_first = trials.split.held_out[0];
    recording->held_out_last = trials.split.held_out[1];
  }
  return recording;
}

std::unique_ptr<Subject> make_recorded(std::shared_ptr<const Recording> recording, double trial_ms) {
  return std::make_unique<RecordedSubject>(std::move(recording), trial_ms);
}

}  // namespace hartline::loop
