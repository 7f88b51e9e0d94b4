// hartline.dynamics: networks of neurons, stepped, read and written from Python.
#include <fmt/format.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>

#include <cmath>
#include <deque>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "convert.hpp"
#include "dynamics/recorder.hpp"
#include "dynamics/run.hpp"
#include "handles.hpp"
#include "loop/checkpoint.hpp"
#include "loop/library.hpp"
#include "loop/simulation.hpp"
#include "progress.hpp"
#include "turn.hpp"

using namespace nanobind::literals;

namespace hartline::python {

namespace {

using dynamics::Program;

struct NetworkHandle {
  std::shared_ptr<const Program> program;
};

/// One thread at a time computes on a state.
struct StateHandle {
  std::shared_ptr<const Program> program;
  dynamics::State state;
  std::shared_ptr<std::recursive_mutex> mutex = std::make_shared<std::recursive_mutex>();
};

struct PortHandle {
  std::shared_ptr<const Program> program;
  dynamics::Port port;
};

/// Throws: SpecError for a state of another network.
void check_owner(const std::shared_ptr<const Program>& program, const StateHandle& state) {
  if (state.state.program() != program->id())
    throw SpecError({"state", "of this network, seed and step", "one of another", "network.start() makes one."});
}

NetworkHandle network(nb::handle neurons, nb::handle synapses, nb::handle inputs, nb::handle arrays, double dt_ms,
                      const std::string& precision, std::uint64_t seed) {
  Table table;
  table.set("dt_ms", dt_ms);
  table.set("precision", precision);
  for (const auto& [name, part] :
       {std::pair{"neurons", neurons}, std::pair{"synapses", synapses}, std::pair{"inputs", inputs}, std::pair{"arrays", arrays}})
    if (!part.is_none()) table.set(name, table_from(part, name));
  return compute([&] {
    loop::take_from_library(table);
    return NetworkHandle{std::make_shared<const Program>(table, seed)};
  });
}

std::int64_t steps_of(const Program& program, double ms) {
  const double steps = ms / (program.dt_s() * 1e3), whole = std::nearbyint(steps);
  if (!(whole >= 0) || std::abs(steps - whole) > 1e-6 * std::max(1.0, whole))
    throw SpecError(
        {"duration_ms", fmt::format("a multiple of dt_ms = {}", number_text(program.dt_s() * 1e3)), number_text(ms) + " ms", ""});
  return static_cast<std::int64_t>(whole);
}

/// Hears of Ctrl-C between steps.
struct Listener final : dynamics::Recorder {
  explicit Listener(std::int64_t all) : progress(nb::none(), all) {}
  Progress progress;
  std::int64_t done = 0;
  std::vector<std::string> none;
  void observe(const Program&, const dynamics::State&) override {
    if (++done % 64 == 0) progress(done);
  }
  const std::vector<std::string>& columns() const override { return none; }
};

/// What a run writes down, in memory.
struct Recordings {
  struct One {
    std::string name;
    dynamics::MemorySink sink;
    std::unique_ptr<dynamics::Recorder> recorder;
  };
  std::deque<One> all;
  Listener listener;

  Recordings(const Program& program, nb::handle record, std::int64_t num_steps) : listener(num_steps) {
    if (record.is_none()) return;
    for (auto& [name, value] : table_from(record, "record").items) {
      const std::string at = "record." + name;
      if (!value.table()) throw SpecError({at, "a table", display(value), ""});
      loop::RecordingSpec spec;
      read_table(*value.table(), {at, ""}, spec);
      One& one = all.emplace_back();
      one.name = name;
      one.recorder = loop::make_recorder(program, spec, at, one.sink);
    }
  }

  std::vector<dynamics::Recorder*> recorders() {
    std::vector<dynamics::Recorder*> out{&listener};
    for (const One& one : all) out.push_back(one.recorder.get());
    return out;
  }

  nb::dict arrays() {
    nb::dict out;
    for (One& one : all) {
      const auto columns = static_cast<std::int64_t>(one.recorder->columns().size()),
                 rows = static_cast<std::int64_t>(one.sink.values.size()) / columns;
      out[nb::str(one.name.c_str())] = nb::cast(hand_over(std::move(one.sink.values), {rows, columns}));
    }
    return out;
  }
};

nb::dict run(const NetworkHandle& self, StateHandle& state, double duration_ms, nb::handle record, int threads) {
  check_owner(self.program, state);
  const std::int64_t num = steps_of(*self.program, duration_ms);
  Recordings recordings(*self.program, record, num);
  const std::vector<dynamics::Recorder*> recorders = recordings.recorders();
  const auto executor = executor_of(threads);
  compute(*state.mutex, [&] { dynamics::run(*self.program, state.state, num, *executor, recorders); });
  return recordings.arrays();
}

std::pair<nb::dict, nb::dict> pace(const NetworkHandle& self, nb::object state_object, double duration_ms, double speed,
                                   nb::handle record, nb::object before_step, int threads) {
  auto& state = nb::cast<StateHandle&>(state_object);
  check_owner(self.program, state);
  if (!(speed > 0) || !std::isfinite(speed)) throw SpecError({"speed", "> 0", number_text(speed), ""});
  const std::int64_t num = steps_of(*self.program, duration_ms);
  Recordings recordings(*self.program, record, num);
  const std::vector<dynamics::Recorder*> recorders = recordings.recorders();
  const auto executor = executor_of(threads);
  std::function<void(dynamics::State&)> before;
  if (!before_step.is_none())
    before = [&](dynamics::State&) {
      const nb::gil_scoped_acquire lock;
      before_step(state_object);
    };
  const dynamics::Pace kept = compute(*state.mutex, [&] {
    return dynamics::run_paced(*self.program, state.state, num, speed, SteadyClock(), *executor, recorders, before);
  });
  nb::dict told;
  told["num_steps"] = kept.num_steps;
  told["num_missed"] = kept.num_missed;
  told["late_p50_us"] = kept.lateness.percentile_ns(0.5) * 1e-3;
  told["late_p99_us"] = kept.lateness.percentile_ns(0.99) * 1e-3;
  told["late_most_us"] = static_cast<double>(kept.lateness.max_ns()) * 1e-3;
  return {recordings.arrays(), told};
}

nb::dict describe(const NetworkHandle& self) {
  Table groups, synapses, out;
  for (const dynamics::Group& group : self.program->groups()) {
    Table one;
    one.set("num", static_cast<std::int64_t>(group.num));
    one.set("method", std::string(equations::name_of(group.method)));
    one.set("because", group.reason);
    groups.set(group.name, one);
  }
  for (const dynamics::Synapses& s : self.program->synapses()) {
    Table one;
    one.set("num", static_cast<std::int64_t>(s.num));
    synapses.set(s.name, one);
  }
  out.set("neurons", groups);
  out.set("synapses", synapses);
  return nb::cast<nb::dict>(object_from(out));
}

void write(const PortHandle& self, StateHandle& state, const Numbers& values) {
  check_owner(self.program, state);
  compute(*state.mutex, [&] { self.program->write(state.state, self.port, values.span()); });
}

constexpr const char* network_doc =
    R"(Neurons and synapses from equations with units, compiled: constant, shared by any number of states.

The tables are those of a simulation file (docs/networks.md); ``model`` names a cell or synapse of the library.

>>> import hartline as hl
>>> net = hl.dynamics.Network({"cell": {"model": "lif"}}, dt_ms=0.1)
>>> state, current = net.start(), net.port("cell.I")
>>> current.write(state, 0.4)                             # nA, from here on
>>> net.run(state, 100, record={"spikes": {"spikes": "cell"}})["spikes"].shape
(7, 2)
>>> fork = state.copy()                                   # goes on by itself, to the bit
>>> net.step(fork, 1000)
>>> round(state.time_ms), round(fork.time_ms)
(100, 200)
)";

}  // namespace

void bind_dynamics(nb::module_& m) {
  m.doc() = "Networks of neurons: groups, synapses, ports, recorders.";
  nb::class_<StateHandle>(m, "State", R"(Everything about a network that changes. A copy is a fork.

>>> import hartline as hl
>>> net = hl.dynamics.Network({"cell": {"model": "lif"}})
>>> state = net.start()
>>> net.step(state)
>>> state
<State after 1 steps, 0.1 ms>
)")
      .def_prop_ro(
          "time_ms", [](const StateHandle& s) { return compute(*s.mutex, [&] { return s.program->time_s(s.state) * 1e3; }); },
          "Time of the network, ms.")
      .def_prop_ro(
          "num_steps", [](const StateHandle& s) { return compute(*s.mutex, [&] { return s.state.step(); }); }, "Steps taken.")
      .def(
          "copy", [](const StateHandle& s) { return compute(*s.mutex, [&] {
                                               return StateHandle{s.program, s.state};
                                             }); },
          "Another one that goes on from here, bit for bit as this one does.")
      .def(
          "save",
          [](const StateHandle& s, nb::handle path) {
            const auto file = nb::cast<std::string>(nb::str(path));
            compute(*s.mutex, [&] { loop::write_state(file, s.state); });
          },
          "path"_a, nb::sig("def save(self, path: str | os.PathLike[str]) -> None"), "Writes it to a file, as one step.")
      .def("__repr__", [](const StateHandle& s) {
        return compute(*s.mutex, [&] {
          return fmt::format("<State after {} steps, {:g} ms>", s.state.step(), s.program->time_s(s.state) * 1e3);
        });
      });

  nb::class_<PortHandle>(m, "Port", R"(A variable or parameter of a network, read and written between steps.

>>> import hartline as hl
>>> net = hl.dynamics.Network({"cells": {"model": "lif", "num": 3}})
>>> state, v = net.start(), net.port("cells.v")
>>> v.unit, v.num, v.read(state)
('mV', 3, array([-70., -70., -70.]))
>>> v.write(state, [-60, -65, -70])
>>> v.read(state)
array([-60., -65., -70.])
)")
      .def_prop_ro(
          "name", [](const PortHandle& p) { return p.port.name; }, "group.name")
      .def_prop_ro(
          "unit", [](const PortHandle& p) { return p.port.unit_text; }, "Of its numbers.")
      .def_prop_ro(
          "num", [](const PortHandle& p) { return p.port.num; }, "How many numbers it has; 1: shared.")
      .def(
          "read",
          [](const PortHandle& p, const StateHandle& s) {
            check_owner(p.program, s);
            std::vector<double> out(p.port.num);
            compute(*s.mutex, [&] { p.program->read(s.state, p.port, out); });
            return hand_over(std::move(out), {static_cast<std::int64_t>(p.port.num)});
          },
          "state"_a, nb::sig("def read(self, state: State) -> numpy.typing.NDArray[numpy.float64]"), "Its numbers [num].")
      .def(
          "write",
          [](const PortHandle& p, StateHandle& s, double value) {  // without an array, for those who step by hand
            check_owner(p.program, s);
            compute(*s.mutex, [&] { p.program->write(s.state, p.port, value); });
          },
          "state"_a, "values"_a)
      .def("write", &write, "state"_a, "values"_a, "Sets one number for all, or one each; takes effect with the next step.")
      .def("__repr__",
           [](const PortHandle& p) { return fmt::format("<Port {} of {} in {}>", p.port.name, p.port.num, p.port.unit_text); });

  nb::class_<NetworkHandle>(m, "Network", network_doc)
      .def(
          "__init__",
          [](NetworkHandle* self, nb::handle neurons, nb::handle synapses, nb::handle inputs, nb::handle arrays, double dt_ms,
             const std::string& precision,
             std::uint64_t seed) { new (self) NetworkHandle(network(neurons, synapses, inputs, arrays, dt_ms, precision, seed)); },
          "neurons"_a, "synapses"_a = nb::none(), "inputs"_a = nb::none(), "arrays"_a = nb::none(), "dt_ms"_a = 0.1,
          "precision"_a = "double", "seed"_a = 1,
          nb::sig(
              "def __init__(self, neurons: collections.abc.Mapping[str, typing.Any], synapses: collections.abc.Mapping[str, "
              "typing.Any] | None = None, inputs: collections.abc.Mapping[str, typing.Any] | None = None, arrays: "
              "collections.abc.Mapping[str, typing.Any] | None = None, dt_ms: float = 0.1, precision: str = 'double', seed: int "
              "= 1) -> None"),
          "Reads and compiles it.")
      .def(
          "start", [](const NetworkHandle& n) { return compute([&] {
                                                  return StateHandle{n.program, n.program->start()};
                                                }); },
          "The state at time 0.")
      .def(
          "load",
          [](const NetworkHandle& n, nb::handle path) {
            const auto file = nb::cast<std::string>(nb::str(path));
            return compute([&] { return StateHandle{n.program, loop::read_state(file, *n.program)}; });
          },
          "path"_a, nb::sig("def load(self, path: str | os.PathLike[str]) -> State"), "A state that was saved, bit for bit.")
      .def(
          "port",
          [](const NetworkHandle& n, const std::string& name) {
            return PortHandle{n.program, n.program->port(name)};
          },
          "name"_a, "A variable or parameter by its name, as group.name.")
      .def(
          "step",
          [](const NetworkHandle& n, StateHandle& s, std::int64_t num, int threads) {
            check_owner(n.program, s);
            const auto executor = executor_of(threads);
            Listener listener(num);
            dynamics::Recorder* const recorders[] = {&listener};
            compute(*s.mutex, [&] { dynamics::run(*n.program, s.state, num, *executor, recorders); });
          },
          "state"_a, "num"_a = 1, "threads"_a = 1, "Takes steps of dt_ms.")
      .def(
          "run", &run, "state"_a, "duration_ms"_a, "record"_a = nb::none(), "threads"_a = 1,
          nb::sig("def run(self, state: State, duration_ms: float, record: collections.abc.Mapping[str, typing.Any] | None = None, "
                  "threads: int = 1) -> dict[str, numpy.typing.NDArray[numpy.float64]]"),
          "Steps for a time. ``record``: tables by name, each of spikes, values or rate, as in a simulation file; returns the rows "
          "of each, "
          "times in ms first.")
      .def("pace", &pace, "state"_a, "duration_ms"_a, "speed"_a = 1.0, "record"_a = nb::none(), "before_step"_a = nb::none(),
           "threads"_a = 1,
           nb::sig("def pace(self, state: State, duration_ms: float, speed: float = 1.0, record: collections.abc.Mapping[str, "
                   "typing.Any] "
                   "| None = None, before_step: collections.abc.Callable[[State], object] | None = None, threads: int = 1) -> "
                   "tuple[dict[str, numpy.typing.NDArray[numpy.float64]], dict[str, float]]"),
           "Runs no faster than the clock; ``before_step(state)`` may read and write ports. Returns what was recorded, and how "
           "time was "
           "kept: steps, those missed, lateness in microseconds.")
      .def(
          "happened",
          [](const NetworkHandle& n, const StateHandle& s, const std::string& event) {
            check_owner(n.program, s);
            return hand_over(compute(*s.mutex, [&] {
              const auto ids = n.program->happened(s.state, n.program->event(event));
              return std::vector<std::int64_t>(ids.begin(), ids.end());
            }));
          },
          "state"_a, "event"_a, nb::sig("def happened(self, state: State, event: str) -> numpy.typing.NDArray[numpy.int64]"),
          "Which neurons spiked in the last step, or had another event: cells, cells.burst.")
      .def("describe", &describe, nb::sig("def describe(self) -> dict[str, typing.Any]"),
           "Of each group its method and why, of synapses their number.")
      .def_prop_ro(
          "dt_ms", [](const NetworkHandle& n) { return n.program->dt_s() * 1e3; }, "Time step, ms.");
}

}  // namespace hartline::python
