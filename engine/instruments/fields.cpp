#include "instruments/fields.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "instruments/gabor.hpp"
#include "instruments/gauge.hpp"

namespace hartline::instruments {

namespace {

class Fields final : public Actuator {
 public:
  Fields(const dynamics::Program& program, const FieldsSpec& spec, const std::vector<std::int64_t>& shape, const std::string& path)
      : program_(program), spec_(spec), path_(path) {
    port_ = find_port(program, spec.current, path + ".current");
    const auto of = [&](const std::vector<double>& numbers, std::size_t cell, const char* name) {
      if (numbers.size() != 1 && numbers.size() != port_.num)
        throw SpecError({path + "." + name, fmt::format("1 or {} numbers, the cells of {}", port_.num, spec.current),
                         std::to_string(numbers.size()), ""});
      return numbers[numbers.size() == 1 ? 0 : cell];
    };
    for (std::size_t i = 0; i < port_.num; ++i) {
      GaborSpec one;
      one.sigma_px = of(spec.sigma_px, i, "sigma_px");
      one.wavelength_px = of(spec.wavelength_px, i, "wavelength_px");
      one.orientation_deg = of(spec.orientation_deg, i, "orientation_deg");
      one.phase_deg = of(spec.phase_deg, i, "phase_deg");
      one.aspect = of(spec.aspect, i, "aspect");
      one.offset_x_px = of(spec.offset_x_px, i, "offset_x_px");
      one.offset_y_px = of(spec.offset_y_px, i, "offset_y_px");
      const std::vector<double> field = gabor(one, shape, of(spec.gain, i, "gain"), path);
      fields_.insert(fields_.end(), field.begin(), field.end());
    }
    dim_ = fields_.size() / port_.num;
    frame_steps_ = whole_steps(program, spec.frame_ms, path + ".frame_ms");
    onset_steps_ = spec.onset_ms > 0 ? whole_steps(program, spec.onset_ms, path + ".onset_ms") : 0;
  }

  InstrumentState start() const override { return {}; }

  void begin(const dynamics::State& state, InstrumentState& own, std::int64_t trial, const Stimulus& stimulus) const override {
    const std::vector<double>& values = array_of(stimulus, path_);
    if (values.size() % dim_ != 0)
      throw SpecError({"stimulus", fmt::format("pictures of {} pixels", dim_), fmt::format("{} numbers", values.size()), ""});
    const std::size_t num_frames = values.size() / dim_;
    own.trial = trial;
    own.first_step = state.step();
    own.num_steps = onset_steps_ + frame_steps_ * static_cast<std::int64_t>(num_frames);
    own.numbers.assign((num_frames + 1) * port_.num, spec_.holding);  // the last row is between trials
    for (std::size_t f = 0; f < num_frames; ++f)
      for (std::size_t i = 0; i < port_.num; ++i)
        for (std::size_t k = 0; k < dim_; ++k) own.numbers[f * port_.num + i] += fields_[i * dim_ + k] * values[f * dim_ + k];
  }

  void drive(dynamics::State& state, InstrumentState& own) const override {
    const std::int64_t step = state.step() - own.first_step;
    const std::size_t last = own.numbers.size() / port_.num - 1;
    const std::size_t row =
        step >= onset_steps_ && step < own.num_steps ? static_cast<std::size_t>((step - onset_steps_) / frame_steps_) : last;
    program_.write(state, port_, std::span<const double>(own.numbers).subspan(row * port_.num, port_.num));
  }

  Terms terms() const override { return {spec_.delay_ms, spec_.cost}; }
  std::span<const double> fields() const override { return fields_; }

 private:
  const dynamics::Program& program_;
  FieldsSpec spec_;
  std::string path_;
  dynamics::Port port_;
  std::vector<double> fields_;  // [num, dim] times their gain
  std::size_t dim_ = 1;
  std::int64_t frame_steps_ = 1, onset_steps_ = 0;
};

}  // namespace

std::unique_ptr<Actuator> make_fields(const dynamics::Program& program, const FieldsSpec& spec,
                                      const std::vector<std::int64_t>& shape, const std::string& path) {
  return std::make_unique<Fields>(program, checked(spec, path), shape, path);
}

}  // namespace hartline::instruments
