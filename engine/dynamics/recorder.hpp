// Recorders: what is written down of a run, row by row. Where the rows go is the sink's business, so memory stays bounded where
// they go to a disk.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "dynamics/program.hpp"

namespace hartline::dynamics {

/// Takes rows of numbers.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void put(std::span<const double> row) = 0;
};

/// Keeps them.
class MemorySink final : public Sink {
 public:
  void put(std::span<const double> row) override { values.insert(values.end(), row.begin(), row.end()); }
  std::vector<double> values;
};

/// Looks at the state after every step.
class Recorder {
 public:
  virtual ~Recorder() = default;
  virtual void observe(const Program& program, const State& state) = 0;
  virtual const std::vector<std::string>& columns() const = 0;
};

/// A row for each spike or other event: time in ms, neuron. Times are the starts of steps, as Program says.
std::unique_ptr<Recorder> record_events(const Program& program, const std::string& event, Sink& sink);

/// A row every `every` steps: time in ms, then the numbers of `which` of every quantity, in its unit; of all where `which` is
/// empty. Throws: SpecError for names and numbers that there are not.
std::unique_ptr<Recorder> record_quantities(const Program& program, const std::vector<std::string>& quantities,
                                            const std::vector<std::int64_t>& which, std::int64_t every, Sink& sink);

/// A row every `every` steps: time in ms at their start, mean rate of the group's neurons over them in Hz.
std::unique_ptr<Recorder> record_rate(const Program& program, const std::string& event, std::int64_t every, Sink& sink);

}  // namespace hartline::dynamics
