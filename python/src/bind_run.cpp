// hartline.loop.Run: one turn of the ring after another, written down.
#include <fmt/format.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "cli/outcome.hpp"
#include "convert.hpp"
#include "design/score.hpp"
#include "handles.hpp"
#include "io/json.hpp"
#include "io/memory_record.hpp"
#include "io/run_record.hpp"
#include "io/temporary_folder.hpp"
#include "loop/run.hpp"
#include "loop/scored.hpp"
#include "progress.hpp"
#include "serve/report.hpp"
#include "tables.hpp"
#include "turn.hpp"

using namespace nanobind::literals;

namespace hartline::python {

namespace {

/// A run with the record that it writes: a file, or memory.
struct RunHandle {
  RunHandle(Lab owner, std::unique_ptr<Record> written, std::string path_)
      : lab(std::move(owner)), path(std::move(path_)), record(std::move(written)), run(*lab->experiment, *record, clock) {}

  Lab lab;
  std::string path;  // "": in memory
  SteadyClock clock;
  std::unique_ptr<Record> record;
  loop::Run run;
  bool finished = false;
  std::recursive_mutex mutex;

  const io::MemoryRecord* memory() const { return dynamic_cast<const io::MemoryRecord*>(record.get()); }
};

std::unique_ptr<RunHandle> start(const ExperimentHandle& experiment, nb::handle record) {
  const std::string path = record.is_none() ? "" : nb::cast<std::string>(nb::str(record));
  return compute([&] {
    std::unique_ptr<Record> written = std::make_unique<io::MemoryRecord>();
    if (!path.empty()) written = io::RunRecord::create(path, cli::info_of(*experiment.lab->experiment));
    return std::make_unique<RunHandle>(experiment.lab, std::move(written), path);
  });
}

void require_open(const RunHandle& self) {
  if (self.finished) throw SpecError({"run", "one that goes on", "a finished run", "Start another one."});
}

bool remote(const RunHandle& self) { return self.lab->experiment->spec.subject.kind == "remote"; }

void go(RunHandle& self, nb::object progress) {
  if (remote(self)) throw SpecError({"subject.kind", "simulated, recorded or given", "\"remote\"", "Use Run.ask and Run.tell."});
  Progress tell(std::move(progress), self.lab->experiment->spec.num_trials);
  compute(self.mutex, [&] {
    require_open(self);
    self.run.go([&](std::int64_t done) { tell(done); });
  });
}

void finish(RunHandle& self) {
  compute(self.mutex, [&] {
    if (self.finished) return;
    self.run.finish();
    self.finished = true;
    if (!self.memory()) self.record = std::make_unique<io::MemoryRecord>();  // closes the file
  });
}

std::unique_ptr<RunHandle> run(const ExperimentHandle& experiment, nb::handle record, nb::object progress) {
  auto out = start(experiment, record);
  go(*out, std::move(progress));
  finish(*out);
  return out;
}

std::unique_ptr<RunHandle> resume(nb::handle record, nb::object progress, int threads, nb::object subject, nb::object family) {
  const std::string path = nb::cast<std::string>(nb::str(record));
  auto lab = std::make_shared<Laboratory>();
  lab->executor = executor_of(threads);
  lab->file = path;
  const loop::Given given = given_by(std::move(subject), std::move(family));
  std::unique_ptr<RunHandle> out = compute([&] {
    const io::RecordReader reader(path);
    const io::RecordInfo info = reader.info();
    const loop::Spec spec = loop::recorded_spec(info.configuration, path);
    lab->document = loop::resolved(spec);
    lab->experiment = loop::build(spec, "", info.seed, *lab->executor, nullptr, given);
    auto handle = std::make_unique<RunHandle>(lab, io::RunRecord::append(path), path);
    handle->run.restore(reader);
    return handle;
  });
  if (remote(*out)) return out;  // whose owner asks and tells
  go(*out, std::move(progress));
  finish(*out);
  return out;
}

// The inverted loop.

void require_remote(const RunHandle& self) {
  require_open(self);
  if (!remote(self))
    throw SpecError({"subject.kind", "\"remote\"", "\"" + self.lab->experiment->spec.subject.kind + "\"",
                     "The loop itself asks any other subject: Run.step, Run.go."});
}

std::optional<TrialHandle> ask(RunHandle& self, std::optional<double> deadline_ms) {
  if (deadline_ms && !(*deadline_ms > 0)) throw SpecError({"deadline_ms", "above 0", number_text(*deadline_ms), ""});
  return compute(self.mutex, [&]() -> std::optional<TrialHandle> {
    require_remote(self);
    const loop::Experiment& e = *self.lab->experiment;
    const Trial* trial = self.run.ask(deadline_ms ? deadline_ms : e.spec.subject.ask_deadline_ms);
    if (!trial) return {};
    return handle_of(e, *trial);
  });
}

std::uint64_t token_of(nb::handle trial) {
  return nb::isinstance<TrialHandle>(trial) ? nb::cast<const TrialHandle&>(trial).trial.token : nb::cast<std::uint64_t>(trial);
}

const char* tell(RunHandle& self, nb::handle trial, nb::handle response, const std::optional<Numbers>& delivered,
                 const std::optional<Numbers>& rendered, std::optional<std::int64_t> delivered_ns,
                 std::optional<std::int64_t> rendered_ns) {
  loop::Answer answer;
  answer.token = token_of(trial);
  answer.response = response_from(response, *self.lab->experiment->model);
  if (delivered) answer.delivered = delivered->vector();
  if (rendered) answer.rendered = rendered->vector();
  answer.delivered_ns = delivered_ns;
  answer.rendered_ns = rendered_ns;
  return loop::Run::told_names[static_cast<std::size_t>(compute(self.mutex, [&] {
    require_remote(self);
    return self.run.tell(answer);
  }))];
}

bool give_up(RunHandle& self, nb::handle trial, const std::string& reason) {
  const std::uint64_t token = token_of(trial);
  return compute(self.mutex, [&] {
    require_remote(self);
    return self.run.give_up(token, reason);
  });
}

std::vector<TrialHandle> open_trials(RunHandle& self) {
  return compute(self.mutex, [&] {
    std::vector<TrialHandle> out;
    for (const Trial* trial : self.run.open()) out.push_back(handle_of(*self.lab->experiment, *trial));
    return out;
  });
}

std::vector<Trial> trials_of(RunHandle& self) {
  return compute(self.mutex, [&] {
    if (const auto* memory = self.path.empty() ? self.memory() : nullptr) return memory->trials();
    self.record->flush();
    std::vector<Trial> out;
    io::RecordReader(self.path).for_each_trial([&](const Trial& trial, const io::TrialTimes&) { out.push_back(trial); });
    return out;
  });
}

nb::dict columns(RunHandle& self) { return trial_columns(trials_of(self), self.lab->experiment.get()); }

std::vector<Event> events_of(RunHandle& self) {
  return compute(self.mutex, [&] {
    if (self.path.empty()) return self.memory()->events();
    self.record->flush();
    return io::RecordReader(self.path).events();
  });
}

/// What is in memory as a record on the disk.
void write_down(const RunHandle& self, const std::string& path) {
  io::RecordInfo info = cli::info_of(*self.lab->experiment);
  info.durability = "window:1000000";
  const auto file = io::RunRecord::create(path, info);
  const io::MemoryRecord& memory = *self.memory();
  for (const Trial& trial : memory.trials()) {
    file->decide(trial);
    if (trial.answered) file->observe(trial);
  }
  for (const Event& event : memory.events()) file->note(event);
  for (const auto& [num_trials, array] : memory.arrays("truth")) file->put("truth", num_trials, array);
  for (const auto& [stage, histogram] : memory.latency()) file->put_latency(stage, histogram);
  file->flush();
}

/// What `read` makes of the run's record, which is written down for it where it is in memory.
template <class Read>
auto on_the_disk(RunHandle& self, Read&& read) {
  if (!self.path.empty()) {
    self.record->flush();
    return read(self.path);
  }
  const io::TemporaryFolder folder;
  const std::string path = folder / "run.hartline";
  write_down(self, path);
  return read(path);
}

std::string report(RunHandle& self) {
  return compute(self.mutex, [&] {
    return on_the_disk(self, [&](const std::string& path) {
      const io::RecordReader reader(path);
      return serve::report_page(io::to_json(serve::report_document(reader, *self.lab->experiment, path)));
    });
  });
}

nb::dict metrics(RunHandle& self) {
  Table out = compute(self.mutex, [&] { return cli::outcome(*self.lab->experiment, self.run, self.path); });
  std::erase_if(out.items, [](const auto& item) { return item.first == "format" || item.first == "record"; });
  return nb::cast<nb::dict>(object_from(out));
}

/// The information of one simulated experiment, between bounds.
nb::dict score(RunHandle& self, std::int64_t num_contrasts) {
  if (num_contrasts < 1) throw SpecError({"num_contrasts", ">= 1", fmt::format("{}", num_contrasts), ""});
  const design::Score out = compute(self.mutex, [&] {
    return on_the_disk(self, [&](const std::string& path) {
      const loop::Scored scored = loop::read_scored(io::RecordReader(path), path);
      const models::TextLikelihood likelihood(scored.text);
      return design::score(likelihood, scored.history, static_cast<std::size_t>(num_contrasts), *self.lab->executor);
    });
  });
  nb::dict bounds;
  bounds["spce"] = out.spce;
  bounds["snmc"] = out.snmc;
  return bounds;
}

nb::object python_tables(const char* function, nb::object columns) {
  return nb::module_::import_("hartline.tables").attr(function)(columns);
}

}  // namespace

void bind_run(nb::module_& m, nb::class_<ExperimentHandle>& experiment) {
  nb::class_<RunHandle>(m, "Run",
                        R"(A run of an experiment: ``Experiment.run`` makes a finished one, ``Experiment.start`` one to be stepped.

>>> import hartline as hl
>>> run = hl.Experiment.example("tuning_curve").run()
>>> run.num_trials, run.done, list(run.trials().columns)[:4]
(20, True, ['trial', 'role', 'stimulus', 'response'])
>>> run.metrics["belief_digest"] == run.digest
True
)")
      .def(
          "step",
          [](RunHandle& self) {
            compute(self.mutex, [&] {
              require_open(self);
              self.run.step();
            });
          },
          "Presents one trial and takes in the responses that have arrived.")
      .def("go", &go, "progress"_a = nb::none(),
           nb::sig("def go(self, progress: collections.abc.Callable[[int, int], object] | None = None) -> None"),
           "Runs to the end. Ctrl-C stops between two trials; calling it again goes on. ``progress(done, all)`` is told now and "
           "then.")
      .def("ask", &ask, "deadline_ms"_a = nb::none(),
           R"(The next trial for a remote subject, decided and written down; None once all were asked for.

``deadline_ms``: it is there by then, with a stimulus drawn at random (``role`` fallback) if need be; None: as
``subject.ask_deadline_ms`` says.

>>> import hartline as hl, numpy as np
>>> run = hl.Experiment(seed=1, num_trials=30, subject={"kind": "remote"}, stimulus={"kind": "ball", "shape": [4, 4]},
...                     model={"kind": "glm"}).start()
>>> rng = np.random.default_rng(0)
>>> while (trial := run.ask()) is not None:
...     shown_ns, count = run.now_ns(), rng.poisson(np.exp(3 * trial.stimulus[0, 0]))
...     told = run.tell(trial, count, delivered_ns=shown_ns)
>>> run.finish()
>>> run.num_trials, told, int(np.argmax(run.mean))
(30, 'taken', 0)
)")
      .def(
          "tell", &tell, "trial"_a, "response"_a.none(), nb::kw_only(), "delivered"_a = nb::none(), "rendered"_a = nb::none(),
          "delivered_ns"_a = nb::none(), "rendered_ns"_a = nb::none(),
          nb::sig("def tell(self, trial: hartline._engine.base.Trial | int, response: object, *, delivered: "
                  "numpy.typing.ArrayLike | None = None, rendered: numpy.typing.ArrayLike | None = None, delivered_ns: int | None "
                  "= None, rendered_ns: int | None = None) -> str"),
          "Tells of a trial that was asked for, in any order. ``response``: numbers [num_cells, num_bins], a ``Response``, or None "
          "where none came. ``delivered``, ``rendered``: the stimulus as it was shown, where it differs from what was asked for. "
          "``delivered_ns``, ``rendered_ns``: when, as ``now_ns`` counts. Returns ``taken``; or ``doubled``, ``late`` or "
          "``stranger``, which changed nothing. Raises RunError for what does not fit; the trial stays open.")
      .def("give_up", &give_up, "trial"_a, "reason"_a,
           nb::sig("def give_up(self, trial: hartline._engine.base.Trial | int, reason: str) -> bool"),
           "Counts an open trial as missing at random. Returns whether it was open.")
      .def_prop_ro("open", &open_trials, "The trials that were asked for and not told of, oldest first.")
      .def(
          "now_ns", [](RunHandle& self) { return compute(self.mutex, [&] { return self.run.now_ns(); }); },
          "The time now, in nanoseconds on the engine's clock.")
      .def(
          "note",
          [](RunHandle& self, const std::string& message) {
            compute(self.mutex, [&] {
              require_open(self);
              self.run.note(Level::info, "rig", message);
            });
          },
          "message"_a, "Puts a text into the record, as an event.")
      .def("finish", &finish, "Ends the run: the final refit, the final estimates. Closes the record.")
      .def_prop_ro(
          "done", [](RunHandle& self) { return self.run.done(); }, "Whether all trials are done, or a stop rule holds.")
      .def_prop_ro(
          "num_trials", [](RunHandle& self) { return self.run.learner().num_trials(); }, "Trials taken in.")
      .def_prop_ro(
          "experiment", [](RunHandle& self) { return ExperimentHandle{self.lab}; }, "What is run.")
      .def_prop_ro(
          "mean", [](RunHandle& self) { return hand_over(compute(self.mutex, [&] { return self.run.learner().mean(); })); },
          nb::rv_policy::automatic, "Mean of the parameters, of the first arm.")
      .def_prop_ro(
          "sd", [](RunHandle& self) { return hand_over(compute(self.mutex, [&] { return self.run.learner().sd(); })); },
          nb::rv_policy::automatic, "Standard deviation of the parameters, of the first arm.")
      .def(
          "belief",
          [](RunHandle& self, std::int64_t arm) {
            const auto num = static_cast<std::int64_t>(self.lab->experiment->arms.size());
            if (arm < 0 || arm >= num) throw SpecError({"arm", fmt::format("in 0 … {}", num - 1), fmt::format("{}", arm), ""});
            return compute(self.mutex, [&] { return copy_of(self.lab, self.run.learner().belief(static_cast<std::size_t>(arm))); });
          },
          "arm"_a = 0, "The belief of an arm as it is now, a copy.")
      .def_prop_ro(
          "digest", [](RunHandle& self) { return digest_text(compute(self.mutex, [&] { return self.run.learner().digest(); })); },
          "Hash of every bit of the beliefs.")
      .def_prop_ro("metrics", &metrics, nb::sig("def metrics(self) -> dict[str, typing.Any]"),
                   "How good the belief is, as ``hartline run --json`` tells it.")
      .def("score", &score, "num_contrasts"_a, nb::sig("def score(self, num_contrasts: int) -> dict[str, float]"),
           R"(Bounds of the information that the run gained about the parameters of a text, nats: sPCE from below, sNMC from above.

>>> import hartline as hl
>>> run = hl.Experiment.example("text_choices", set={"num_trials": 5}).run()
>>> bounds = run.score(num_contrasts=1000)
>>> bounds["spce"] <= bounds["snmc"]
True
)")
      .def_prop_ro(
          "record", [](RunHandle& self) { return self.path.empty() ? std::optional<RecordHandle>() : open_record(self.path); },
          "The record on the disk; None for a run in memory.")
      .def("columns", &columns, nb::sig("def columns(self) -> dict[str, typing.Any]"), "The trials as one array a column.")
      .def(
          "trials", [](RunHandle& self) { return python_tables("data_frame", columns(self)); },
          nb::sig("def trials(self) -> pandas.DataFrame"), "The trials as a pandas data frame.")
      .def(
          "to_xarray", [](RunHandle& self) { return python_tables("data_set", columns(self)); },
          nb::sig("def to_xarray(self) -> xarray.Dataset"),
          "The trials as an xarray data set over trial, cell, bin and the stimulus' axes.")
      .def(
          "events", [](RunHandle& self) { return event_list(events_of(self)); },
          nb::sig("def events(self) -> list[dict[str, typing.Any]]"), "What was worth telling: warnings, stops.")
      .def(
          "latency",
          [](RunHandle& self) {
            std::vector<std::pair<std::string, Histogram>> out;
            for (std::size_t s = 0; s < loop::num_stages; ++s)
              out.emplace_back(loop::stage_names[s], self.run.latency(static_cast<loop::Stage>(s)));
            return latency_table(out);
          },
          nb::sig("def latency(self) -> dict[str, dict[str, float]]"), "How long the stages of a trial took.")
      .def("report", &report, "The report: one HTML page that needs nothing else.")
      .def("_repr_html_", [](RunHandle& self) { return nb::module_::import_("hartline.page").attr("frame")(report(self)); })
      .def("__repr__", [](RunHandle& self) {
        const loop::Experiment& e = *self.lab->experiment;
        return fmt::format("<Run of \"{}\": {} of {} trials>", e.spec.title, self.run.learner().num_trials(), e.spec.num_trials);
      });

  experiment
      .def(
          "run", &run, "record"_a = nb::none(), "progress"_a = nb::none(),
          nb::sig(
              "def run(self, record: str | os.PathLike[str] | None = None, progress: collections.abc.Callable[[int, int], object] "
              "| None = None) -> Run"),
          "Runs the experiment. ``record``: file to write, which must be new; None: in memory. Ctrl-C stops between two trials and "
          "leaves a record that ``hartline.resume`` continues. ``progress(done, all)`` is told now and then.")
      .def("start", &start, "record"_a = nb::none(),
           nb::sig("def start(self, record: str | os.PathLike[str] | None = None) -> Run"), "A run before its first trial.");
  m.def("resume", &resume, "record"_a, "progress"_a = nb::none(), "threads"_a = 0, "subject"_a = nb::none(),
        "family"_a = nb::none(),
        nb::sig("def resume(record: str | os.PathLike[str], progress: collections.abc.Callable[[int, int], object] | None = None, "
                "threads: int = 0, subject: object = None, family: object = None) -> Run"),
        R"(Continues the run of a record, after Ctrl-C or a crash, with the very same stimulus.

>>> import hartline as hl, tempfile, pathlib
>>> path = pathlib.Path(tempfile.mkdtemp()) / "cell.hartline"
>>> run = hl.Experiment.example("tuning_curve").start(record=path)
>>> for _ in range(7):
...     run.step()
>>> del run
>>> hl.resume(path).digest == hl.Experiment.example("tuning_curve").run().digest
True
)");
}

}  // namespace hartline::python
