#include "instruments/light.hpp"

#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "instruments/gauge.hpp"
#include "instruments/indicator.hpp"

namespace hartline::instruments {

namespace {

class Light final : public Actuator {
 public:
  Light(const dynamics::Program& program, const LightSpec& spec, const std::string& path)
      : program_(program), spec_(spec), path_(path), light_(make_gauge(program, spec.light, "mW/mm^2", path + ".light")) {
    check_points(spec.cells_um, light_.num(), "cells", path + ".cells_um");
    for (std::size_t k = 0; k < spec.targets.size(); ++k) check_target(spec.targets[k], fmt::format("{}.targets[{}]", path, k));
  }

  InstrumentState start() const override {
    InstrumentState own;
    own.numbers.resize(pulses + 2 * light_.num());
    return own;
  }

  void begin(const dynamics::State& state, InstrumentState& own, std::int64_t trial, const Stimulus& stimulus) const override {
    Pattern of_numbers;
    const Pattern* pattern = std::get_if<Pattern>(&stimulus.what);
    if (!pattern) {
      if (spec_.targets.empty())
        throw SpecError({path_, "given a pattern as stimulus", "another kind", "With targets it takes numbers: their powers."});
      of_numbers = {spec_.targets, array_of(stimulus, path_), spec_.onset_ms, spec_.duration_ms, spec_.rate_hz};
      pattern = &of_numbers;
    }
    if (pattern->targets.size() != pattern->power_mw.size())
      throw SpecError({"stimulus.power_mw", fmt::format("one for each of {} targets", pattern->targets.size()),
                       std::to_string(pattern->power_mw.size()), ""});
    double total = 0;
    for (std::size_t k = 0; k < pattern->targets.size(); ++k) {
      const std::string at = fmt::format("stimulus.power_mw[{}]", k);
      check_target(pattern->targets[k], fmt::format("stimulus.targets[{}]", k));
      if (!(pattern->power_mw[k] >= 0) || !std::isfinite(pattern->power_mw[k]))
        throw SpecError({at, ">= 0 mW", number_text(pattern->power_mw[k]) + " mW", ""});
      total += pattern->power_mw[k];
    }
    if (total > spec_.most_mw)
      throw SpecError(
          {"stimulus.power_mw", "at most " + number_text(spec_.most_mw) + " mW together", number_text(total) + " mW", ""});
    const double dt_ms = program_.dt_s() * 1e3;
    if (!(pattern->onset_ms >= 0) || !(pattern->duration_ms >= 0) || !(pattern->rate_hz >= 0))
      throw SpecError({"stimulus", "of an onset, a duration and a rate >= 0",
                       fmt::format("{} ms, {} ms, {} Hz", pattern->onset_ms, pattern->duration_ms, pattern->rate_hz), ""});
    if (pattern->rate_hz > 0 && !(1e3 / pattern->rate_hz > spec_.pulse_ms))
      throw SpecError({"stimulus.rate_hz", fmt::format("below {} Hz, for pulses of {} ms", 1e3 / spec_.pulse_ms, spec_.pulse_ms),
                       number_text(pattern->rate_hz) + " Hz", ""});
    own.trial = trial;
    own.first_step = state.step();
    own.numbers[onset] = pattern->onset_ms / dt_ms;
    own.numbers[end] = (pattern->onset_ms + pattern->duration_ms) / dt_ms;
    own.num_steps = static_cast<std::int64_t>(std::ceil(own.numbers[end]));
    own.numbers[period] = pattern->rate_hz > 0 ? 1e3 / pattern->rate_hz / dt_ms : 0;
    for (std::size_t cell = 0; cell < light_.num(); ++cell) {
      double sum = 0;
      for (std::size_t k = 0; k < pattern->targets.size(); ++k)
        sum += pattern->power_mw[k] * spread(cell, static_cast<std::size_t>(pattern->targets[k]));
      own.numbers[pulses + cell] = sum / light_.factor;
    }
  }

  void drive(dynamics::State& state, InstrumentState& own) const override {
    const double step = static_cast<double>(state.step() - own.first_step) + 1e-9, since = step - own.numbers[onset];
    const double pulse_steps = spec_.pulse_ms / (program_.dt_s() * 1e3);
    const bool lit = own.trial >= 0 && since >= 0 && step < own.numbers[end] &&
                     (own.numbers[period] == 0 || std::fmod(since, own.numbers[period]) < pulse_steps);
    const double* row = own.numbers.data() + pulses + (lit ? 0 : light_.num());  // behind the pattern there is darkness
    program_.write(state, light_.port, std::span<const double>(row, light_.num()));
  }

  Terms terms() const override { return {spec_.delay_ms, spec_.cost}; }
  std::string unit() const override { return "mW"; }

 private:
  void check_target(std::int64_t target, const std::string& at) const {
    if (target < 0 || target >= static_cast<std::int64_t>(light_.num()))
      throw SpecError({at, fmt::format("0 to {}", light_.num() - 1), std::to_string(target), ""});
  }
  enum Number : std::size_t { onset, end, period, pulses };

  /// Irradiance in mW/mm² of a cell for 1 mW at another.
  double spread(std::size_t cell, std::size_t target) const {
    const auto delta = [&](std::size_t axis) { return spec_.cells_um[3 * cell + axis] - spec_.cells_um[3 * target + axis]; };
    const double s2 = spec_.spread_um * spec_.spread_um, z2 = spec_.axial_spread_um * spec_.axial_spread_um;
    const double across = delta(0) * delta(0) + delta(1) * delta(1), along = delta(2) * delta(2);
    return 1e6 / (2 * std::numbers::pi * s2) * std::exp(-across / (2 * s2) - along / (2 * z2));
  }

  const dynamics::Program& program_;
  LightSpec spec_;
  std::string path_;
  Gauge light_;
};

class Photocurrent final : public Actuator {
 public:
  Photocurrent(const dynamics::Program& program, const PhotocurrentSpec& spec, const Indicator& indicator, const std::string& path)
      : program_(program), current_(make_gauge(program, spec.current, "pA", path + ".current")) {
    value_ = spec.light * indicator.photocurrent.value / current_.factor;
  }

  InstrumentState start() const override { return {}; }
  void begin(const dynamics::State& state, InstrumentState& own, std::int64_t trial, const Stimulus&) const override {
    own.trial = trial;
    own.first_step = state.step();
  }
  void drive(dynamics::State& state, InstrumentState& own) const override {
    program_.write(state, current_.port, own.trial >= 0 ? value_ : 0);
  }
  Terms terms() const override { return {}; }

 private:
  const dynamics::Program& program_;
  Gauge current_;
  double value_ = 0;
};

}  // namespace

std::unique_ptr<Actuator> make_light(const dynamics::Program& program, const LightSpec& spec, const std::string& path) {
  return std::make_unique<Light>(program, checked(spec, path), path);
}

std::unique_ptr<Actuator> make_photocurrent(const dynamics::Program& program, const PhotocurrentSpec& spec,
                                            const Indicator& indicator, const std::string& path) {
  return std::make_unique<Photocurrent>(program, checked(spec, path), indicator, path);
}

}  // namespace hartline::instruments
