#include "dynamics/recorder.hpp"

#include <fmt/format.h>

#include "base/error.hpp"

namespace hartline::dynamics {

namespace {

double before_ms(const Program& program, const State& state) {
  return static_cast<double>(state.step() - 1) * program.dt_s() * 1e3;
}

class Events final : public Recorder {
 public:
  Events(const Program& program, const std::string& event, Sink& sink) : place_(program.event(event)), sink_(sink) {}
  void observe(const Program& program, const State& state) override {
    const double time = before_ms(program, state);
    for (const std::int32_t neuron : program.happened(state, place_)) {
      const double row[] = {time, static_cast<double>(neuron)};
      sink_.put(row);
    }
  }
  const std::vector<std::string>& columns() const override { return columns_; }

 private:
  Program::EventPlace place_;
  Sink& sink_;
  std::vector<std::string> columns_{"time_ms", "neuron"};
};

class Quantities final : public Recorder {
 public:
  Quantities(const Program& program, const std::vector<std::string>& names, const std::vector<std::int64_t>& which,
             std::int64_t every, Sink& sink)
      : every_(every), sink_(sink) {
    if (every < 1) throw SpecError({"every", "1 step or more", std::to_string(every), ""});
    for (const std::string& name : names) {
      Read part{program.port(name), {}};
      for (const std::int64_t k : which)
        if (k < 0 || k >= static_cast<std::int64_t>(part.port.num))
          throw SpecError({"which", fmt::format("0 to {} for {}", part.port.num - 1, name), std::to_string(k), ""});
      for (std::size_t k = 0; k < (which.empty() ? part.port.num : which.size()); ++k) {
        part.which.push_back(which.empty() ? k : static_cast<std::size_t>(which[k]));
        columns_.push_back(fmt::format("{}[{}]", name, part.which.back()));
      }
      parts_.push_back(std::move(part));
    }
    row_.resize(columns_.size());
  }
  void observe(const Program& program, const State& state) override {
    if (state.step() % every_ != 0) return;
    std::size_t at = 0;
    row_[at++] = program.time_s(state) * 1e3;
    for (const Read& part : parts_)
      for (const std::size_t k : part.which) row_[at++] = Program::read(state, part.port, k);
    sink_.put(row_);
  }
  const std::vector<std::string>& columns() const override { return columns_; }

 private:
  struct Read {
    Port port;
    std::vector<std::size_t> which;
  };
  std::int64_t every_;
  Sink& sink_;
  std::vector<Read> parts_;
  std::vector<std::string> columns_{"time_ms"};
  std::vector<double> row_;
};

class Rate final : public Recorder {
 public:
  Rate(const Program& program, const std::string& event, std::int64_t every, Sink& sink)
      : place_(program.event(event)), every_(every), sink_(sink) {
    if (every < 1) throw SpecError({"every", "1 step or more", std::to_string(every), ""});
  }
  void observe(const Program& program, const State& state) override {
    num_ += program.happened(state, place_).size();
    if (state.step() % every_ != 0) return;
    const double seconds = static_cast<double>(every_) * program.dt_s();
    const double row[] = {static_cast<double>(state.step() - every_) * program.dt_s() * 1e3,
                          static_cast<double>(num_) / (seconds * static_cast<double>(program.groups()[place_.group].num))};
    sink_.put(row);
    num_ = 0;
  }
  const std::vector<std::string>& columns() const override { return columns_; }

 private:
  Program::EventPlace place_;
  std::int64_t every_;
  Sink& sink_;
  std::size_t num_ = 0;
  std::vector<std::string> columns_{"time_ms", "rate_hz"};
};

}  // namespace

std::unique_ptr<Recorder> record_events(const Program& program, const std::string& event, Sink& sink) {
  return std::make_unique<Events>(program, event, sink);
}
std::unique_ptr<Recorder> record_quantities(const Program& program, const std::vector<std::string>& quantities,
                                            const std::vector<std::int64_t>& which, std::int64_t every, Sink& sink) {
  return std::make_unique<Quantities>(program, quantities, which, every, sink);
}
std::unique_ptr<Recorder> record_rate(const Program& program, const std::string& event, std::int64_t every, Sink& sink) {
  return std::make_unique<Rate>(program, event, every, sink);
}

}  // namespace hartline::dynamics
