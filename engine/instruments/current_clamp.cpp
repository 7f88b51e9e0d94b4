#include "instruments/current_clamp.hpp"

#include <fmt/format.h>

#include <cmath>

#include "instruments/gauge.hpp"

namespace hartline::instruments {

namespace {

class CurrentClamp final : public Actuator {
 public:
  CurrentClamp(const dynamics::Program& program, const CurrentClampSpec& spec, const std::string& path)
      : program_(program), spec_(spec), path_(path), draws_{static_cast<std::uint64_t>(spec.noise_seed), 63} {
    port_ = find_port(program, spec.current, path + ".current");
    segment_steps_ = whole_steps(program, spec.segment_ms, path + ".segment_ms");
    onset_steps_ = spec.onset_ms > 0 ? whole_steps(program, spec.onset_ms, path + ".onset_ms") : 0;
    keeps_ = std::exp(-program.dt_s() * 1e3 / spec.noise_ms);
  }

  InstrumentState start() const override {
    InstrumentState own;
    own.numbers.resize(1);
    return own;
  }

  void begin(const dynamics::State& state, InstrumentState& own, std::int64_t trial, const Stimulus& stimulus) const override {
    const std::vector<double>& values = array_of(stimulus, path_);
    if (spec_.shape == "ramps" && values.size() < 2) throw SpecError({"stimulus", "two numbers or more for ramps", "one", ""});
    for (std::size_t k = 0; k < values.size() && spec_.limit; ++k)
      if (std::abs(values[k]) > *spec_.limit)
        throw SpecError({fmt::format("stimulus[{}]", k), fmt::format("at most {} {} in magnitude", *spec_.limit, port_.unit_text),
                         fmt::format("{} {}", values[k], port_.unit_text), ""});
    own.trial = trial;
    own.first_step = state.step();
    own.numbers.assign(1, 0);  // the noise
    own.numbers.insert(own.numbers.end(), values.begin(), values.end());
    own.num_steps = onset_steps_ + segment_steps_ * static_cast<std::int64_t>(values.size() - (spec_.shape == "ramps" ? 1 : 0));
  }

  void drive(dynamics::State& state, InstrumentState& own) const override {
    const std::int64_t step = state.step() - own.first_step;
    double current = spec_.holding;
    if (step >= onset_steps_ && step < own.num_steps) {
      const auto k = static_cast<std::size_t>((step - onset_steps_) / segment_steps_);
      current = own.numbers[1 + k];
      if (spec_.shape == "ramps")
        current += (own.numbers[2 + k] - current) * static_cast<double>((step - onset_steps_) % segment_steps_) /
                   static_cast<double>(segment_steps_);
      if (spec_.noise_sd > 0) {
        const double drawn = spec_.noise_sd * draws_.stream(0, 0, 0, step - onset_steps_).normal();
        own.numbers[0] = step == onset_steps_ ? drawn : keeps_ * own.numbers[0] + std::sqrt(1 - keeps_ * keeps_) * drawn;
        current += own.numbers[0];
      }
    }
    program_.write(state, port_, current);
  }

  Terms terms() const override { return {spec_.delay_ms, spec_.cost}; }
  std::string unit() const override { return port_.unit_text; }

 private:
  const dynamics::Program& program_;
  CurrentClampSpec spec_;
  std::string path_;
  DrawNames draws_;
  dynamics::Port port_;
  std::int64_t segment_steps_ = 1, onset_steps_ = 0;
  double keeps_ = 0;
};

}  // namespace

std::unique_ptr<Actuator> make_current_clamp(const dynamics::Program& program, const CurrentClampSpec& spec,
                                             const std::string& path) {
  return std::make_unique<CurrentClamp>(program, checked(spec, path), path);
}

}  // namespace hartline::instruments
