// A subject of spiking neurons: a network, what drives it and what is seen of it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "loop/subject.hpp"

namespace hartline::instruments {
class Actuator;
class Sensor;
}  // namespace hartline::instruments

namespace hartline::dynamics {
class Program;
}

namespace hartline::loop {

/// Everything constant about it. Shared by runs, each of which has a network of its own that begins anew.
struct Spiking {
  ~Spiking();
  std::unique_ptr<const dynamics::Program> program;
  std::unique_ptr<const instruments::Actuator> actuator;
  std::unique_ptr<const instruments::Sensor> sensor;
  std::vector<std::int64_t> shape;  // of a stimulus
  double factor = 1;                // the actuator's unit in that of the stimulus
  std::int64_t trial_steps = 0, settle_steps = 0;
  double trial_ms = 0;
  std::string read;
  ResponseKind kind = ResponseKind::counts;  // of the model, with its cells and bins
  std::size_t num_cells = 1, num_bins = 1;
  std::vector<double>
      field;  // [num_cells, dim] what each cell makes of a stimulus, in the port's unit; empty: no sum of its numbers
};

/// Reads the tables network, actuator and sensor; those of the library are then written out in `spec`. `shape`: of a stimulus;
/// `unit`: of its numbers, empty where they have none. `stimulus`: one that may be shown.
/// Throws: SpecError, UnitError, also for responses that are not as many or of another kind than the model's.
std::shared_ptr<const Spiking> make_spiking(SubjectSpec& spec, const models::Model& model, const std::vector<std::int64_t>& shape,
                                            const std::string& unit, std::span<const double> stimulus, std::uint64_t seed);

/// Trial k takes trial_ms of the network's time from settle_ms + k trial_ms on; what one trial leaves behind reaches into the next.
/// A trial that is presented again begins where it began before, from a copy of the network. While nobody runs it stands still.
/// (spiking_test.cpp: Spiking.ATrialPresentedAgainAnswersAsBefore)
std::unique_ptr<Subject> make_spiking_subject(std::shared_ptr<const Spiking> spiking);

}  // namespace hartline::loop
