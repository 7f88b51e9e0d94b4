#include "instruments/voltage_imaging.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "instruments/gauge.hpp"

namespace hartline::instruments {

namespace {

class VoltageImaging final : public Sensor {
 public:
  VoltageImaging(const dynamics::Program& program, const VoltageImagingSpec& spec, const Indicator& indicator,
                 const DrawNames& draws, const std::string& path)
      : program_(program),
        spec_(spec),
        draws_(draws),
        path_(path),
        voltage_(make_gauge(program, spec.voltage, "mV", path + ".voltage")) {
    camera_ = make_camera(program, spec.camera, path + ".camera");
    const bool two = spec.excitation == "two_photon";
    per_mv_ = (two ? indicator.two_photon_sensitivity : indicator.sensitivity).value / 100;
    photons_ = camera_.photons_per_step * spec.light * indicator.photons(two);
    const double dt_ms = program.dt_s() * 1e3;
    const auto part = [&](const Sourced& tau) { return -std::expm1(-dt_ms / tau.value); };
    on_ = {part(indicator.on_fast), part(indicator.on_slow)};
    off_ = {part(indicator.off_fast), part(indicator.off_slow)};
    share_ = indicator.fast_share.value;
    decay_ = std::exp(-spec.light * program.dt_s() / indicator.bleaching_time.value);
  }

  InstrumentState start() const override {
    InstrumentState own;
    own.numbers.resize(frames_at());
    own.numbers[bleached] = 1;
    return own;
  }

  void begin(const dynamics::State& state, InstrumentState& own, std::int64_t trial, std::int64_t num_steps) const override {
    const std::int64_t num_frames = num_steps / camera_.frame_steps;
    if (num_frames < 1)
      throw SpecError(
          {path_ + ".camera.frame_rate_hz", "a frame or more in a trial", number_text(spec_.camera.frame_rate_hz) + " Hz", ""});
    if (own.trial < 0)  // at rest with the cell
      for (std::size_t row = fast; row <= slow; ++row) voltage_.read(program_, state, row_of(own, row));
    own.trial = trial;
    own.first_step = state.step();
    own.num_steps = num_steps;
    std::ranges::fill(row_of(own, photons), 0);
    own.numbers.resize(frames_at());
    own.numbers.resize(frames_at() + voltage_.num() * static_cast<std::size_t>(num_frames));
  }

  void observe(const dynamics::State& state, InstrumentState& own) const override {
    const std::int64_t step = state.step() - own.first_step, frame = camera_.frame(step), num = num_frames(own);
    const std::span<double> v = row_of(own, seen), f = row_of(own, fast), s = row_of(own, slow), sum = row_of(own, photons);
    voltage_.read(program_, state, v);
    const bool exposed = camera_.exposed(step) && frame < num;
    const double now = photons_ * own.numbers[bleached];
    double lowest = 0;
    for (std::size_t i = 0; i < v.size(); ++i) {
      f[i] += (v[i] - f[i]) * (v[i] > f[i] ? on_ : off_).fast;
      s[i] += (v[i] - s[i]) * (v[i] > s[i] ? on_ : off_).slow;
      const double relative = 1 + per_mv_ * (share_ * f[i] + (1 - share_) * s[i] - spec_.rest_mv);
      lowest = std::min(lowest, relative);
      if (exposed) sum[i] += now * relative + camera_.background_per_step;
    }
    if (lowest < 0)
      throw RunError({path_ + ".voltage", "where fluorescence is not below zero", fmt::format("{} of that at rest", lowest),
                      "The indicator's response is linear: its range ends here."});
    if (!exposed) return;
    own.numbers[bleached] *= decay_;
    if (!camera_.ends(step)) return;
    double* out = own.numbers.data() + frames_at() + frame;
    for (std::size_t i = 0; i < v.size(); ++i) {
      out[i * static_cast<std::size_t>(num)] = camera_.count(draws_.stream(own.trial, 0, i, frame), sum[i]);
      sum[i] = 0;
    }
  }

  void read(const InstrumentState& own, Response& out) const override {
    out.kind = ResponseKind::trace;
    out.num_cells = static_cast<std::int64_t>(voltage_.num());
    out.num_bins = num_frames(own);
    out.values.assign(own.numbers.begin() + static_cast<std::ptrdiff_t>(frames_at()), own.numbers.end());
    out.marks.clear();
    out.reason.clear();
  }

  Terms terms() const override { return {spec_.delay_ms, spec_.cost}; }

 private:
  /// What of the way to v is gone in a step.
  struct Way {
    double fast = 1, slow = 1;
  };
  static constexpr std::size_t bleached = 0;
  enum Row : std::size_t { fast, slow, seen, photons, rows };

  std::size_t frames_at() const { return 1 + rows * voltage_.num(); }
  std::int64_t num_frames(const InstrumentState& own) const {
    return static_cast<std::int64_t>((own.numbers.size() - frames_at()) / voltage_.num());
  }
  std::span<double> row_of(InstrumentState& own, std::size_t row) const {
    return {own.numbers.data() + 1 + row * voltage_.num(), voltage_.num()};
  }

  const dynamics::Program& program_;
  VoltageImagingSpec spec_;
  DrawNames draws_;
  std::string path_;
  Gauge voltage_;
  Camera camera_;
  Way on_, off_;
  double share_ = 1, per_mv_ = 0, photons_ = 1, decay_ = 1;
};

}  // namespace

std::unique_ptr<Sensor> make_voltage_imaging(const dynamics::Program& program, const VoltageImagingSpec& spec,
                                             const Indicator& indicator, const DrawNames& draws, const std::string& path) {
  return std::make_unique<VoltageImaging>(program, checked(spec, path), indicator, draws, path);
}

}  // namespace hartline::instruments
