#include "instruments/electrode.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <optional>

#include "instruments/gauge.hpp"
#include "instruments/noise.hpp"

namespace hartline::instruments {

namespace {

enum Kind : std::uint64_t { thermal, flicker_start };

class Electrode final : public Sensor {
 public:
  Electrode(const dynamics::Program& program, const ElectrodeSpec& spec, const DrawNames& draws, const std::string& path)
      : program_(program), spec_(spec), draws_(draws), path_(path), rate_hz_(1 / program.dt_s()) {
    if (spec.current.empty() == spec.spikes.empty())
      throw SpecError({path, "given one of current and spikes", spec.current.empty() ? "none" : "both", ""});
    if (!spec.current.empty()) {
      current_ = make_gauge(program, spec.current, "nA", path + ".current");
      num_cells_ = current_->num();
    } else {
      place_ = program.event(spec.spikes);
      num_cells_ = program.groups()[place_.group].num;
      for (int k = 0; k <= static_cast<int>(std::ceil(8 * spec.spike_width_ms / dt_ms())); ++k) {
        const double s = k * dt_ms() / spec.spike_width_ms - 4;
        shape_.push_back(-spec.spike_current_na * (1 - s * s) * std::exp(-s * s / 2));
      }
    }
    num_ = spec.electrodes_um.size() / 3;
    if (num_ == 0) throw SpecError({path + ".electrodes_um", "one electrode or more", "none", ""});
    check_points(spec.cells_um, num_cells_, "cells", path + ".cells_um");
    check_points(spec.electrodes_um, num_, "electrodes", path + ".electrodes_um");
    for (std::size_t e = 0; e < num_; ++e)
      for (std::size_t cell = 0; cell < num_cells_; ++cell) {
        const double r_um = std::sqrt(squared_distance(spec.electrodes_um, e, spec.cells_um, cell));
        if (!(r_um > 0))
          throw SpecError({fmt::format("{}.electrodes_um[{}]", path, e), fmt::format("apart from cell {}", cell), "0 um", ""});
        gain_.push_back(1e3 / (4 * std::numbers::pi * spec.conductivity_s_per_m * r_um));  // µV for 1 nA
      }
    constexpr double boltzmann = 1.380649e-23;
    thermal_uv_ = 1e6 * std::sqrt(4 * boltzmann * (spec.temperature_c + 273.15) * spec.resistance_mohm * 1e6 * rate_hz_ / 2);
    flicker_ = Flicker(spec.flicker_uv, spec.flicker_low_hz, rate_hz_);
    add_filter(spec.high_pass_hz, true, path + ".high_pass_hz");
    add_filter(spec.low_pass_hz, false, path + ".low_pass_hz");
    sample_steps_ = whole_steps(program, spec.sample_ms, path + ".sample_ms");
    if (!spec.artefact_of.empty())
      artefact_ = make_gauge(program, spec.artefact_of, program.port(spec.artefact_of).unit_text, path);
  }

  InstrumentState start() const override {
    InstrumentState own;
    own.numbers.resize(samples_at());
    for (std::size_t e = 0; e < num_; ++e) {
      Stream stream = draws_.stream(0, flicker_start, e, 0);
      flicker_.start(stream, flicker_numbers(own, e));
    }
    own.numbers[last_change] = never;
    return own;
  }

  void begin(const dynamics::State& state, InstrumentState& own, std::int64_t trial, std::int64_t num_steps) const override {
    const std::int64_t num = num_steps / sample_steps_;
    if (num < 1) throw SpecError({path_ + ".sample_ms", "at most a trial's length", number_text(spec_.sample_ms) + " ms", ""});
    if (own.trial < 0 && artefact_) artefact_->read(program_, state, stimulator(own));
    own.trial = trial;
    own.first_step = state.step();
    own.num_steps = num_steps;
    own.numbers.resize(samples_at());
    own.numbers.resize(samples_at() + (num_ + 1) * static_cast<std::size_t>(num));
  }

  void observe(const dynamics::State& state, InstrumentState& own) const override {
    const std::int64_t step = state.step() - own.first_step;
    gather(state, own);
    const double age_ms = see_artefact(state, own);
    const std::int64_t num = num_samples(own), sample = step / sample_steps_ - 1;
    const bool sampled = step % sample_steps_ == 0 && sample < num;
    for (std::size_t e = 0; e < num_; ++e) {
      Stream stream = draws_.stream(own.trial, thermal, e, step);
      double x = field(state, own, e) + thermal_uv_ * stream.normal() + flicker_.step(stream, flicker_numbers(own, e));
      if (artefact_ && age_ms < 40 * spec_.artefact_ms) x += spec_.artefact_uv * std::exp(-age_ms / spec_.artefact_ms);
      double* filters = own.numbers.data() + filters_at() + e * filters_.size() * Section::num_numbers;
      for (std::size_t k = 0; k < filters_.size(); ++k) x = filters_[k].step(x, filters + k * Section::num_numbers);
      if (sampled) own.numbers[samples_at() + e * static_cast<std::size_t>(num) + static_cast<std::size_t>(sample)] = x;
    }
    if (sampled)
      own.numbers[samples_at() + num_ * static_cast<std::size_t>(num) + static_cast<std::size_t>(sample)] =
          age_ms < spec_.blank_ms ? 1 : 0;
  }

  void read(const InstrumentState& own, Response& out) const override {
    const auto num = static_cast<std::size_t>(num_samples(own));
    const double* samples = own.numbers.data() + samples_at();
    out.kind = ResponseKind::trace;
    out.num_cells = static_cast<std::int64_t>(num_);
    out.num_bins = static_cast<std::int64_t>(num);
    out.values.assign(samples, samples + num_ * num);
    out.marks.assign(num_ * num, Mark::observed);
    bool any = false;
    for (std::size_t k = 0; k < num_ * num; ++k)
      if (samples[num_ * num + k % num] != 0) {
        out.marks[k] = Mark::blanked;
        any = true;
      }
    out.reason = any ? "stimulation artefact" : "";
  }

  Terms terms() const override { return {spec_.delay_ms, spec_.cost}; }

 private:
  static constexpr std::size_t last_change = 0;
  static constexpr double never = -1e300;

  double dt_ms() const { return program_.dt_s() * 1e3; }

  void add_filter(double cutoff_hz, bool high, const std::string& path) {
    if (cutoff_hz == 0) return;
    if (!(cutoff_hz < rate_hz_ / 2))
      throw SpecError(
          {path, "below half the rate of steps, " + number_text(rate_hz_ / 2) + " Hz", number_text(cutoff_hz) + " Hz", ""});
    filters_.push_back(high ? high_pass(cutoff_hz, rate_hz_) : low_pass(cutoff_hz, rate_hz_));
  }

  // Numbers: time of the last change, stimulator, currents of cells or fields to come, flicker, filters, samples, blanks.
  std::size_t currents_at() const { return 1 + (artefact_ ? 2 * artefact_->num() : 0); }
  std::size_t flicker_at() const { return currents_at() + (current_ ? num_cells_ : num_ * shape_.size()); }
  std::size_t filters_at() const { return flicker_at() + num_ * flicker_.num_numbers(); }
  std::size_t samples_at() const { return filters_at() + num_ * filters_.size() * Section::num_numbers; }
  std::int64_t num_samples(const InstrumentState& own) const {
    return static_cast<std::int64_t>((own.numbers.size() - samples_at()) / (num_ + 1));
  }
  std::span<double> stimulator(InstrumentState& own) const { return {own.numbers.data() + 1, artefact_->num()}; }
  double* flicker_numbers(InstrumentState& own, std::size_t e) const {
    return own.numbers.data() + flicker_at() + e * flicker_.num_numbers();
  }

  /// Currents of the cells as they are, or spikes that have come.
  void gather(const dynamics::State& state, InstrumentState& own) const {
    double* at = own.numbers.data() + currents_at();
    if (current_) {
      current_->read(program_, state, {at, num_cells_});
      return;
    }
    const std::size_t length = shape_.size(), now = static_cast<std::size_t>(state.step()) % length;
    for (std::size_t e = 0; e < num_; ++e) at[e * length + (now + length - 1) % length] = 0;  // what comes last was read last
    for (const std::int32_t cell : program_.happened(state, place_))
      for (std::size_t e = 0; e < num_; ++e) {
        const double gain = gain_[e * num_cells_ + static_cast<std::size_t>(cell)];
        for (std::size_t k = 0; k < length; ++k) at[e * length + (now + k) % length] += gain * shape_[k];
      }
  }

  double field(const dynamics::State& state, const InstrumentState& own, std::size_t e) const {
    const double* at = own.numbers.data() + currents_at();
    if (!current_) return at[e * shape_.size() + static_cast<std::size_t>(state.step()) % shape_.size()];
    double sum = 0;
    for (std::size_t cell = 0; cell < num_cells_; ++cell) sum += gain_[e * num_cells_ + cell] * at[cell];
    return sum;
  }

  /// Time since the stimulator last changed, ms.
  double see_artefact(const dynamics::State& state, InstrumentState& own) const {
    const double now = static_cast<double>(state.step()) * dt_ms();
    if (!artefact_) return std::numeric_limits<double>::infinity();
    const std::size_t n = artefact_->num();
    const std::span<double> before = stimulator(own), after{own.numbers.data() + 1 + n, n};
    artefact_->read(program_, state, after);
    if (!std::equal(before.begin(), before.end(), after.begin())) own.numbers[last_change] = now;
    std::copy(after.begin(), after.end(), before.begin());
    return now - own.numbers[last_change];
  }

  const dynamics::Program& program_;
  ElectrodeSpec spec_;
  DrawNames draws_;
  std::string path_;
  double rate_hz_ = 1;
  std::optional<Gauge> current_, artefact_;
  dynamics::Program::EventPlace place_;
  std::size_t num_cells_ = 0, num_ = 0;
  std::vector<double> shape_;  // current of a spike, nA, step by step
  std::vector<double> gain_;   // [num_, num_cells_] µV / nA
  double thermal_uv_ = 0;
  Flicker flicker_;
  std::vector<Section> filters_;
  std::int64_t sample_steps_ = 1;
};

}  // namespace

std::unique_ptr<Sensor> make_electrode(const dynamics::Program& program, const ElectrodeSpec& spec, const DrawNames& draws,
                                       const std::string& path) {
  return std::make_unique<Electrode>(program, checked(spec, path), draws, path);
}

}  // namespace hartline::instruments
