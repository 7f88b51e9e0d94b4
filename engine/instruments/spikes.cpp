#include "instruments/spikes.hpp"

#include <cmath>
#include <limits>

#include "instruments/gauge.hpp"

namespace hartline::instruments {

namespace {

enum Kind : std::uint64_t { found, jitter, false_jitter, pause };

class SpikeSensor final : public Sensor {
 public:
  SpikeSensor(const dynamics::Program& program, const SpikeSensorSpec& spec, const DrawNames& draws, const std::string& path)
      : program_(program), spec_(spec), draws_(draws), place_(program.event(spec.of)), path_(path) {
    num_cells_ = program.groups()[place_.group].num;
    bin_steps_ = whole_steps(program, spec.bin_ms, path + ".bin_ms");
  }

  InstrumentState start() const override {
    InstrumentState own;
    own.numbers.resize(rows * num_cells_);
    for (std::size_t cell = 0; cell < num_cells_; ++cell) {
      own.numbers[last * num_cells_ + cell] = -std::numeric_limits<double>::infinity();
      own.numbers[next_false * num_cells_ + cell] =
          spec_.false_rate_hz > 0 ? pause_ms(cell, 0) : std::numeric_limits<double>::infinity();
    }
    return own;
  }

  void begin(const dynamics::State& state, InstrumentState& own, std::int64_t trial, std::int64_t num_steps) const override {
    own.trial = trial;
    own.first_step = state.step();
    own.num_steps = num_steps;
    const std::int64_t num_bins = num_steps / bin_steps_;
    if (num_bins < 1) throw SpecError({path_ + ".bin_ms", "at most a trial's length", number_text(spec_.bin_ms) + " ms", ""});
    own.numbers.resize(rows * num_cells_);
    own.numbers.resize((rows + static_cast<std::size_t>(num_bins)) * num_cells_);
  }

  void observe(const dynamics::State& state, InstrumentState& own) const override {
    const double t = static_cast<double>(state.step() - 1) * program_.dt_s() * 1e3;
    if (spec_.false_rate_hz > 0)
      for (std::size_t cell = 0; cell < num_cells_; ++cell)
        for (double& next = own.numbers[next_false * num_cells_ + cell]; next <= t;) {
          double& drawn = own.numbers[num_false * num_cells_ + cell];
          detect(own, cell, next, draws_.stream(0, false_jitter, cell, static_cast<std::int64_t>(drawn)));
          next += pause_ms(cell, static_cast<std::int64_t>(++drawn));
        }
    for (const std::int32_t neuron : program_.happened(state, place_)) {
      const auto cell = static_cast<std::size_t>(neuron);
      double& at = own.numbers[rate_at * num_cells_ + cell];
      double& sum = own.numbers[rate * num_cells_ + cell];
      const double before = sum * std::exp(-(t - at) / spec_.rate_window_ms);  // per ms
      sum = before + 1 / spec_.rate_window_ms;
      at = t;
      const double p = (1 - spec_.miss_probability) * std::exp(-before * spec_.miss_time_ms);
      const std::int64_t step = state.step() - own.first_step;
      if (draws_.stream(own.trial, found, cell, step).uniform() < p)
        detect(own, cell, t, draws_.stream(own.trial, jitter, cell, step));
    }
  }

  void read(const InstrumentState& own, Response& out) const override {
    out.kind = ResponseKind::counts;
    out.num_cells = static_cast<std::int64_t>(num_cells_);
    out.num_bins = num_bins(own);
    out.values.assign(own.numbers.begin() + static_cast<std::ptrdiff_t>(rows * num_cells_), own.numbers.end());
    out.marks.clear();
    out.reason.clear();
  }

  Terms terms() const override { return {spec_.delay_ms, spec_.cost}; }

 private:
  enum Row : std::size_t { last, rate, rate_at, next_false, num_false, rows };  // of numbers, [num_cells] each; then the counts

  std::int64_t num_bins(const InstrumentState& own) const {
    return static_cast<std::int64_t>(own.numbers.size() / num_cells_ - rows);
  }

  double pause_ms(std::size_t cell, std::int64_t at) const {
    return -std::log1p(-draws_.stream(0, pause, cell, at).uniform()) / spec_.false_rate_hz * 1e3;
  }

  void detect(InstrumentState& own, std::size_t cell, double t, Stream stream) const {
    double& before = own.numbers[last * num_cells_ + cell];
    if (t - before < spec_.merge_ms * (1 - 1e-9)) return;  // times of steps are rounded
    before = t;
    const double dt_ms = program_.dt_s() * 1e3;
    double steps = t / dt_ms - static_cast<double>(own.first_step);
    if (spec_.jitter_ms > 0) steps += stream.normal() * spec_.jitter_ms / dt_ms;
    const auto bin = static_cast<std::int64_t>(std::floor((steps + 1e-9) / static_cast<double>(bin_steps_)));
    if (bin >= 0 && bin < num_bins(own))
      own.numbers[rows * num_cells_ + cell * static_cast<std::size_t>(num_bins(own)) + static_cast<std::size_t>(bin)] += 1;
  }

  const dynamics::Program& program_;
  SpikeSensorSpec spec_;
  DrawNames draws_;
  dynamics::Program::EventPlace place_;
  std::string path_;
  std::size_t num_cells_ = 0;
  std::int64_t bin_steps_ = 1;
};

}  // namespace

std::unique_ptr<Sensor> make_spike_sensor(const dynamics::Program& program, const SpikeSensorSpec& spec, const DrawNames& draws,
                                          const std::string& path) {
  return std::make_unique<SpikeSensor>(program, checked(spec, path), draws, path);
}

}  // namespace hartline::instruments
