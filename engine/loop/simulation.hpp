// Simulation: a network that runs alone, and what is written down of it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/describe.hpp"

namespace hartline {
class Executor;
}
namespace hartline::dynamics {
class Program;
class Recorder;
class Sink;
}  // namespace hartline::dynamics

namespace hartline::loop {

/// A table of `record`: one of spikes, values and rate.
struct RecordingSpec {
  std::string spikes;
  std::vector<std::string> values;
  std::vector<std::int64_t> which;
  std::string rate;
  std::optional<double> every_ms;

  template <class Field>
  static void describe(Field&& field) {
    field("spikes", &RecordingSpec::spikes, "", any(), "group whose spikes are written, or group.event");
    field("values", &RecordingSpec::values, "", any(), "variables and parameters, as group.name");
    field("which", &RecordingSpec::which, "", at_least(0), "neurons or synapses of values; absent: all");
    field("rate", &RecordingSpec::rate, "", any(), "group whose mean rate is written");
    field("every_ms", &RecordingSpec::every_ms, "ms", positive(), "time between rows of values and rate; absent: every step");
  }
};

/// What a table of `record` says; `at`: its place in messages. Throws: SpecError.
std::unique_ptr<dynamics::Recorder> make_recorder(const dynamics::Program& program, const RecordingSpec& spec,
                                                  const std::string& at, dynamics::Sink& sink);

/// A simulation file.
struct SimulationSpec {
  std::int64_t format = 1;
  std::string title;
  std::int64_t seed = 1;
  double duration_ms = 1000;
  double dt_ms = 0.1;
  std::string precision = "double";
  std::optional<double> speed;
  std::string begin, keep;
  Table neurons, synapses, inputs, arrays, record;

  template <class Field>
  static void describe(Field&& field) {
    field("format", &SimulationSpec::format, "", required(between(1, 1)), "version of this file's format");
    field("title", &SimulationSpec::title, "", any(), "name of the simulation");
    field("seed", &SimulationSpec::seed, "", required(non_negative()), "seed of everything random");
    field("duration_ms", &SimulationSpec::duration_ms, "ms", required(positive()), "how long the network runs");
    field("dt_ms", &SimulationSpec::dt_ms, "ms", positive(), "time step");
    field("precision", &SimulationSpec::precision, "", one_of({"double", "float"}), "of what is kept of neurons and synapses");
    field("speed", &SimulationSpec::speed, "", positive(), "paced against the clock, 1: in real time; absent: as fast as it goes");
    field("begin", &SimulationSpec::begin, "", any(), "state to go on from, relative to this file; absent: the start");
    field("keep", &SimulationSpec::keep, "", any(), "file for the state at the end, in the folder of the results; absent: none");
    field("neurons", &SimulationSpec::neurons, "", required(), "groups by their names; model = a name of library/neurons");
    field("synapses", &SimulationSpec::synapses, "", any(), "between groups; model = a name of library/synapses");
    field("inputs", &SimulationSpec::inputs, "", any(), "Poisson spikes from outside");
    field("arrays", &SimulationSpec::arrays, "", any(), "values over time");
    field("record", &SimulationSpec::record, "", any(), "what is written, by the names of the files");
  }
};

/// Runs a simulation and writes NAME.npy into the folder for every table of `record`, row by row, and summary.json. Returns that
/// summary: of each group its method and why, its spikes and their mean rate; of synapses their number; the files; of a paced run
/// how it kept time. Where `stop` is set it ends early, with what there is. Throws: SpecError, IoError; RunError where a number is
/// no longer finite, with all rows before in NAME.npy.part.
Table simulate(const Table& document, const std::string& file, const std::string& folder, Executor& executor,
               const std::function<void(double done_ms)>& progress = {}, const std::atomic<bool>* stop = nullptr);

/// Reads and builds a simulation without running it. Throws: SpecError.
void check_simulation(const Table& document, const std::string& file);

}  // namespace hartline::loop
