#include "instruments/voltage_clamp.hpp"

#include <fmt/format.h>

#include "instruments/gauge.hpp"

namespace hartline::instruments {

namespace {

class VoltageClamp final : public Actuator {
 public:
  VoltageClamp(const dynamics::Program& program, const VoltageClampSpec& spec, const std::string& path)
      : program_(program),
        spec_(spec),
        path_(path),
        voltage_(make_gauge(program, spec.voltage, "mV", path + ".voltage")),
        current_(make_gauge(program, spec.current, "nA", path + ".current")) {
    if (current_.num() != voltage_.num())
      throw SpecError({path + ".current", fmt::format("one of each of {} cells", voltage_.num()), std::to_string(current_.num()),
                       "Name the current in own = [ … ] of the group."});
    segment_steps_ = whole_steps(program, spec.segment_ms, path + ".segment_ms");
    lag_steps_ = spec.lag_ms > 0 ? static_cast<std::size_t>(whole_steps(program, spec.lag_ms, path + ".lag_ms")) : 0;
  }

  InstrumentState start() const override {
    InstrumentState own;
    own.numbers.resize(2 * num() + lag_steps_ * num());
    return own;
  }

  void begin(const dynamics::State& state, InstrumentState& own, std::int64_t trial, const Stimulus& stimulus) const override {
    const std::vector<double>& values = array_of(stimulus, path_);
    if (own.trial < 0) {  // nothing flows into the amplifier before
      own.first_step = state.step();
      own.numbers.assign(values_at(), 0);
      for (std::size_t k = 0; k < lag_steps_; ++k)
        read_error(state, {own.numbers.data() + (2 + k) * num(), num()}, spec_.holding_mv);
    }
    own.trial = trial;
    own.first_step = state.step();
    own.num_steps = segment_steps_ * static_cast<std::int64_t>(values.size());
    own.numbers.resize(values_at());
    own.numbers.insert(own.numbers.end(), values.begin(), values.end());
  }

  void drive(dynamics::State& state, InstrumentState& own) const override {
    const std::int64_t step = state.step() - own.first_step;
    const double command =
        step < own.num_steps ? own.numbers[values_at() + static_cast<std::size_t>(step / segment_steps_)] : spec_.holding_mv;
    const std::span<double> error{own.numbers.data(), num()}, current{own.numbers.data() + num(), num()};
    read_error(state, error, command);
    double* late =
        lag_steps_ == 0 ? error.data() : own.numbers.data() + (2 + static_cast<std::size_t>(state.step()) % lag_steps_) * num();
    for (std::size_t i = 0; i < num(); ++i) {
      current[i] = late[i] / spec_.series_mohm / current_.factor;  // mV / Mohm = nA
      late[i] = error[i];
    }
    program_.write(state, current_.port, current);
  }

  Terms terms() const override { return {spec_.delay_ms, spec_.cost}; }
  std::string unit() const override { return "mV"; }

 private:
  // Numbers: error, current, errors on their way [lag_steps_], the stimulus.
  std::size_t num() const { return voltage_.num(); }
  std::size_t values_at() const { return (2 + lag_steps_) * num(); }

  void read_error(const dynamics::State& state, std::span<double> out, double command) const {
    voltage_.read(program_, state, out);
    for (double& x : out) x = command - x;
  }

  const dynamics::Program& program_;
  VoltageClampSpec spec_;
  std::string path_;
  Gauge voltage_, current_;
  std::int64_t segment_steps_ = 1;
  std::size_t lag_steps_ = 0;
};

}  // namespace

std::unique_ptr<Actuator> make_voltage_clamp(const dynamics::Program& program, const VoltageClampSpec& spec,
                                             const std::string& path) {
  return std::make_unique<VoltageClamp>(program, checked(spec, path), path);
}

}  // namespace hartline::instruments
