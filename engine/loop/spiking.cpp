#include "loop/spiking.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "base/units.hpp"
#include "dynamics/program.hpp"
#include "instruments/gauge.hpp"
#include "instruments/instruments.hpp"
#include "loop/library.hpp"

namespace hartline::loop {

namespace {

/// A network with its instruments, as it goes on.
struct Alive {
  dynamics::State network;
  instruments::InstrumentState actuator, sensor;
};

class SpikingSubject final : public Subject {
 public:
  explicit SpikingSubject(std::shared_ptr<const Spiking> spiking) : s_(std::move(spiking)), executor_(make_serial_executor()) {
    now_ = {s_->program->start(), s_->actuator->start(), s_->sensor->start()};
    settle();
  }

  void request(Trial& trial) const override {
    trial.requested.clock.assign("subject");
    trial.requested.time_ns = offset_ns_ + std::llround(s_->trial_ms * 1e6 * static_cast<double>(trial.index));
  }

  void present(std::span<const double> values, Trial& trial) override {
    show_as_requested(trial);
    if (trial.index == last_)
      now_ = before_;
    else
      before_ = now_;
    last_ = trial.index;
    if (!std::holds_alternative<Array>(stimulus_.what)) stimulus_.what = Array{s_->shape, {}};
    std::vector<double>& numbers = std::get<Array>(stimulus_.what).values;
    numbers.assign(values.begin(), values.end());
    for (double& x : numbers) x *= s_->factor;
    try {
      s_->actuator->begin(now_.network, now_.actuator, trial.index, stimulus_);
      if (now_.actuator.num_steps > s_->trial_steps)
        throw SpecError({"subject.trial_ms",
                         fmt::format("at least what the actuator takes, {} ms",
                                     static_cast<double>(now_.actuator.num_steps) * s_->program->dt_s() * 1e3),
                         number_text(s_->trial_ms) + " ms", ""});
      s_->sensor->begin(now_.network, now_.sensor, trial.index + 1, s_->trial_steps);  // 0 is while the network settles
      for (std::int64_t k = 0; k < s_->trial_steps; ++k) {
        s_->actuator->drive(now_.network, now_.actuator);
        s_->program->step(now_.network, *executor_);
        s_->sensor->observe(now_.network, now_.sensor);
      }
    } catch (const SpecError& error) {
      throw RunError(error.fault, trial.index);
    } catch (const RunError& error) {
      throw RunError(error.fault, trial.index);
    }
    const double delay_ms = s_->sensor->terms().delay_ms;
    Answer& answer = answers_.add(trial.index + static_cast<std::int64_t>(std::ceil(delay_ms / s_->trial_ms)));
    answer.token = trial.token;
    answer.response.reason.assign("");
    s_->sensor->read(now_.sensor, answer.response);
    summarise(answer.response);
  }

  bool next_answer(bool wait, Answer& out) override { return answers_.take(last_, wait, out); }

  void resume_after(const Trial& last, std::int64_t gap_ns) override {
    Trial nominal;
    nominal.index = last.index;
    offset_ns_ = 0;
    request(nominal);
    offset_ns_ = last.requested.time_ns - nominal.requested.time_ns + gap_ns;
  }

  /// The kind of response, its cells and bins must be the model's.
  void check(std::span<const double> stimulus) {
    Trial trial;
    try {
      present(stimulus, trial);
    } catch (const RunError& error) {
      throw SpecError(error.fault);
    }
    Answer answer;
    next_answer(true, answer);
    const Response& r = answer.response;
    const auto shape = [](std::size_t cells, std::size_t bins) { return fmt::format("{} x {} (cells x bins)", cells, bins); };
    if (r.kind != s_->kind && !(s_->kind == ResponseKind::trace && r.kind == ResponseKind::counts))
      throw SpecError({"model.response",
                       r.kind == ResponseKind::trace ? "that of a trace, as the sensor gives" : "counts, as the sensor gives",
                       "another kind", ""});
    const auto cells = static_cast<std::size_t>(r.num_cells), bins = static_cast<std::size_t>(r.num_bins);
    if (cells != s_->num_cells || bins != s_->num_bins)
      throw SpecError({"subject.sensor", "responses of " + shape(s_->num_cells, s_->num_bins) + ", as the model has",
                       shape(cells, bins),
                       cells == s_->num_cells ? "subject.read = \"sum\" or \"mean\" makes one bin of a trial." : ""});
  }

 private:
  void settle() {
    const bool looks = s_->read == "change";
    if (looks) s_->sensor->begin(now_.network, now_.sensor, 0, s_->settle_steps);
    for (std::int64_t k = 0; k < s_->settle_steps; ++k) {
      s_->program->step(now_.network, *executor_);
      if (looks) s_->sensor->observe(now_.network, now_.sensor);
    }
    if (!looks) return;
    Response response;
    s_->sensor->read(now_.sensor, response);
    const auto bins = static_cast<std::size_t>(response.num_bins);
    for (std::size_t c = 0; c < response.values.size() / bins; ++c) {
      rest_.push_back(mean(&response.values[c * bins], bins));
      if (!(rest_.back() > 0))
        throw SpecError({"subject.settle_ms", "long enough that every cell is seen at rest",
                         fmt::format("{} in cell {}", number_text(rest_.back()), c), "The change is told as a share of that."});
    }
  }

  static double mean(const double* first, std::size_t num) {
    return std::accumulate(first, first + num, 0.0) / static_cast<double>(num);
  }

  /// Makes one bin of all, where the spec says so.
  void summarise(Response& r) const {
    r.marks.assign(r.values.size(), Mark::observed);
    if (s_->read == "bins") return;
    const auto cells = static_cast<std::size_t>(r.num_cells), bins = static_cast<std::size_t>(r.num_bins);
    for (std::size_t c = 0; c < cells; ++c) {
      const double m = mean(&r.values[c * bins], bins);
      r.values[c] = s_->read == "sum" ? m * static_cast<double>(bins) : s_->read == "mean" ? m : (m - rest_[c]) / rest_[c];
      if (s_->read == "sum" && r.kind == ResponseKind::counts) r.values[c] = std::round(r.values[c]);
    }
    if (s_->read != "sum") r.kind = ResponseKind::trace;
    r.num_bins = 1;
    r.values.resize(cells);
    r.marks.resize(cells);
  }

  std::shared_ptr<const Spiking> s_;
  std::unique_ptr<Executor> executor_;
  Alive now_, before_;
  std::vector<double> rest_;  // [num_cells] the mean while the network settled
  Stimulus stimulus_;
  AnswerQueue answers_;
  std::int64_t last_ = -1, offset_ns_ = 0;
};

const Table& given(const Table& table, const char* name, const char* hint) {
  if (table.items.empty()) throw SpecError({fmt::format("subject.{}", name), "given for a spiking subject", "nothing", hint});
  return table;
}

}  // namespace

Spiking::~Spiking() = default;

std::shared_ptr<const Spiking> make_spiking(SubjectSpec& spec, const models::Model& model, const std::vector<std::int64_t>& shape,
                                            const std::string& unit, std::span<const double> stimulus, std::uint64_t seed) {
  given(spec.network, "network", "A table with neurons, as in docs/networks.md.");
  given(spec.actuator, "actuator", "It says how the stimulus reaches the network.");
  given(spec.sensor, "sensor", "It says what is seen of the network.");
  auto out = std::make_shared<Spiking>();
  take_from_library(spec.network, "subject.network.");
  for (Table* table : {&spec.actuator, &spec.sensor})
    take_indicator(*table, table == &spec.sensor ? "subject.sensor" : "subject.actuator");
  out->program = std::make_unique<dynamics::Program>(spec.network, seed, "subject.network");
  const dynamics::Program& program = *out->program;
  out->actuator = instruments::make_actuator(program, spec.actuator, "subject.actuator", shape);
  out->sensor = instruments::make_sensor(program, spec.sensor, {seed, 0}, "subject.sensor");
  out->shape = shape;
  if (!unit.empty()) {
    const std::string wanted = out->actuator->unit().empty() ? "1" : out->actuator->unit();
    const Unit from = read_unit(unit, "stimulus"), to = read_unit(wanted, "subject.actuator");
    if (from.dimension != to.dimension)
      throw UnitError({"stimulus", "in a unit that the actuator takes, such as " + wanted, "\"" + unit + "\"", ""});
    out->factor = from.scale / to.scale;
  }
  out->trial_ms = spec.trial_ms;
  out->trial_steps = instruments::whole_steps(program, spec.trial_ms, "subject.trial_ms");
  out->settle_steps = spec.settle_ms > 0 ? instruments::whole_steps(program, spec.settle_ms, "subject.settle_ms") : 0;
  out->read = spec.read;
  if (spec.read == "change" && out->settle_steps == 0)
    throw SpecError({"subject.settle_ms", "above 0 with read = \"change\"", "0", "The change is from what was seen meanwhile."});
  out->kind = model.response_kind;
  out->num_cells = model.num_cells;
  out->num_bins = model.num_bins;
  const std::span<const double> fields = out->actuator->fields();
  out->field.assign(fields.begin(), fields.end());
  SpikingSubject(out).check(stimulus);
  return out;
}

std::unique_ptr<Subject> make_spiking_subject(std::shared_ptr<const Spiking> spiking) {
  return std::make_unique<SpikingSubject>(std::move(spiking));
}

}  // namespace hartline::loop
