#include "instruments/calcium_imaging.hpp"

#include <algorithm>
#include <cmath>

#include "instruments/gauge.hpp"

namespace hartline::instruments {

namespace {

enum Kind : std::uint64_t { count, surroundings };

class CalciumImaging final : public Sensor {
 public:
  CalciumImaging(const dynamics::Program& program, const CalciumImagingSpec& spec, const DrawNames& draws, const std::string& path)
      : program_(program), spec_(spec), draws_(draws), path_(path), place_(program.event(spec.of)) {
    num_cells_ = program.groups()[place_.group].num;
    camera_ = make_camera(program, spec.camera, path + ".camera");
    if (!(spec.decay_ms > spec.rise_ms))
      throw SpecError({path + ".decay_ms", "> rise_ms", number_text(spec.decay_ms) + " ms",
                       "rise_ms is " + number_text(spec.rise_ms) + " ms."});
    const double dt_ms = program.dt_s() * 1e3, r = spec.rise_ms, d = spec.decay_ms, peak = d * r / (d - r) * std::log(d / r);
    rise_ = std::exp(-dt_ms / r);
    decay_ = std::exp(-dt_ms / d);
    scale_ = 1 / (std::exp(-peak / d) - std::exp(-peak / r));
    half_ = std::pow(spec.half_spikes, spec.hill);
    const double frame_ms = dt_ms * static_cast<double>(camera_.frame_steps);
    neuropil_ = std::exp(-frame_ms / spec.neuropil_ms);
    motion_ = std::exp(-frame_ms / spec.motion_ms);
  }

  InstrumentState start() const override {
    InstrumentState own;
    own.numbers.resize(frames_at());
    Stream stream = draws_.stream(0, surroundings, 1, 0);
    own.numbers[neuropil] = spec_.neuropil_sd * stream.normal();
    own.numbers[motion_x] = spec_.motion_um * stream.normal();
    own.numbers[motion_y] = spec_.motion_um * stream.normal();
    return own;
  }

  void begin(const dynamics::State& state, InstrumentState& own, std::int64_t trial, std::int64_t num_steps) const override {
    const std::int64_t num_frames = num_steps / camera_.frame_steps;
    if (num_frames < 1)
      throw SpecError(
          {path_ + ".camera.frame_rate_hz", "a frame or more in a trial", number_text(spec_.camera.frame_rate_hz) + " Hz", ""});
    own.trial = trial;
    own.first_step = state.step();
    own.num_steps = num_steps;
    own.numbers[around] = 0;
    std::fill_n(row(own, photons), num_cells_, 0.0);
    own.numbers.resize(frames_at());
    own.numbers.resize(frames_at() + num_cells_ * static_cast<std::size_t>(num_frames));
  }

  void observe(const dynamics::State& state, InstrumentState& own) const override {
    const std::int64_t step = state.step() - own.first_step, frame = camera_.frame(step), num = num_frames(own);
    double* slow = row(own, slow_part);
    double* fast = row(own, fast_part);
    double* sum = row(own, photons);
    for (std::size_t i = 0; i < num_cells_; ++i) {
      slow[i] *= decay_;
      fast[i] *= rise_;
    }
    for (const std::int32_t i : program_.happened(state, place_)) {  // at the beginning of the step
      slow[i] += decay_;
      fast[i] += rise_;
    }
    if (!camera_.exposed(step) || frame >= num) return;
    if ((step - 1) % camera_.frame_steps == 0) move(own, frame);
    double mean = 0;
    for (std::size_t i = 0; i < num_cells_; ++i) {
      const double c = std::pow(scale_ * (slow[i] - fast[i]), spec_.hill), h = spec_.most * c / (c + half_);
      sum[i] += 1 + h;
      mean += h / static_cast<double>(num_cells_);
    }
    own.numbers[around] += 1 + mean;
    if (!camera_.ends(step)) return;
    const double x = own.numbers[motion_x], y = own.numbers[motion_y], radius = spec_.cell_radius_um;
    const double seen = camera_.photons_per_step * std::exp(-(x * x + y * y) / (2 * radius * radius));
    const double near =
        spec_.neuropil_share * own.numbers[around] * std::exp(own.numbers[neuropil] - spec_.neuropil_sd * spec_.neuropil_sd / 2);
    const double dark = camera_.background_per_step * static_cast<double>(camera_.exposed_steps);
    double* out = own.numbers.data() + frames_at() + frame;
    for (std::size_t i = 0; i < num_cells_; ++i) {
      out[i * static_cast<std::size_t>(num)] =
          camera_.count(draws_.stream(own.trial, count, i, frame), seen * (sum[i] + near) + dark);
      sum[i] = 0;
    }
    own.numbers[around] = 0;
  }

  void read(const InstrumentState& own, Response& out) const override {
    out.kind = ResponseKind::trace;
    out.num_cells = static_cast<std::int64_t>(num_cells_);
    out.num_bins = num_frames(own);
    out.values.assign(own.numbers.begin() + static_cast<std::ptrdiff_t>(frames_at()), own.numbers.end());
    out.marks.clear();
    out.reason.clear();
  }

  Terms terms() const override { return {spec_.delay_ms, spec_.cost}; }

 private:
  enum Number : std::size_t { neuropil, motion_x, motion_y, around, first_row };
  enum Row : std::size_t { slow_part, fast_part, photons, rows };

  std::size_t frames_at() const { return first_row + rows * num_cells_; }
  std::int64_t num_frames(const InstrumentState& own) const {
    return static_cast<std::int64_t>((own.numbers.size() - frames_at()) / num_cells_);
  }
  double* row(InstrumentState& own, std::size_t which) const { return own.numbers.data() + first_row + which * num_cells_; }

  /// The neuropil and the tissue's place go on by a frame.
  void move(InstrumentState& own, std::int64_t frame) const {
    Stream stream = draws_.stream(own.trial, surroundings, 0, frame);
    const auto go_on = [&](double& x, double keeps, double sd) {
      x = keeps * x + sd * std::sqrt(1 - keeps * keeps) * stream.normal();
    };
    go_on(own.numbers[neuropil], neuropil_, spec_.neuropil_sd);
    go_on(own.numbers[motion_x], motion_, spec_.motion_um);
    go_on(own.numbers[motion_y], motion_, spec_.motion_um);
  }

  const dynamics::Program& program_;
  CalciumImagingSpec spec_;
  DrawNames draws_;
  std::string path_;
  dynamics::Program::EventPlace place_;
  Camera camera_;
  std::size_t num_cells_ = 0;
  double rise_ = 0, decay_ = 0, scale_ = 1, half_ = 1, neuropil_ = 0, motion_ = 0;
};

}  // namespace

std::unique_ptr<Sensor> make_calcium_imaging(const dynamics::Program& program, const CalciumImagingSpec& spec,
                                             const DrawNames& draws, const std::string& path) {
  return std::make_unique<CalciumImaging>(program, checked(spec, path), draws, path);
}

}  // namespace hartline::instruments
