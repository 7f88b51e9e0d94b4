// hartline.io: records.
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "cli/outcome.hpp"
#include "convert.hpp"
#include "handles.hpp"
#include "io/json.hpp"
#include "progress.hpp"
#include "serve/report.hpp"
#include "tables.hpp"
#include "turn.hpp"

using namespace nanobind::literals;

namespace hartline::python {

namespace {

std::vector<Trial> trials_of(const RecordHandle& self) {
  std::vector<Trial> out;
  compute(*self.mutex,
          [&] { self.reader->for_each_trial([&](const Trial& trial, const io::TrialTimes&) { out.push_back(trial); }); });
  return out;
}

nb::dict columns(const RecordHandle& self) {
  const std::vector<Trial> trials = trials_of(self);
  bool numbers = true;  // written down as such
  for (const Trial& trial : trials) numbers = numbers && std::holds_alternative<Array>(trial.requested.stimulus.what);
  std::unique_ptr<loop::Experiment> experiment;
  const auto executor = executor_of(1);
  if (!numbers) {
    try {
      compute(*self.mutex, [&] { experiment = cli::experiment_of(*self.reader, self.path, *executor); });
    } catch (const SpecError&) {
      // the model is of another program: the members of the pool are told by their numbers alone
    }
  }
  return trial_columns(trials, experiment.get());
}

nb::dict arrays(const RecordHandle& self, const std::string& name) {
  nb::dict out;
  const auto kept = compute(*self.mutex, [&] { return self.reader->arrays(name); });
  for (const auto& [num_trials, array] : kept) out[nb::int_(num_trials)] = hand_over(array);
  return out;
}

nb::dict replay(const RecordHandle& self, nb::object progress, int threads, nb::object subject, nb::object family) {
  const auto executor = executor_of(threads);
  Progress tell(std::move(progress), compute(*self.mutex, [&] { return self.reader->num_trials(); }));
  const loop::Given given = given_by(std::move(subject), std::move(family));
  const loop::ReplayResult result = compute([&] {
    const io::RecordReader reader(self.path);
    const io::RecordInfo info = reader.info();
    const auto experiment =
        loop::build(loop::recorded_spec(info.configuration, self.path), "", info.seed, *executor, nullptr, given);
    return loop::replay(*experiment, reader, [&](std::int64_t done) { tell(done); });
  });
  nb::dict out;
  out["num_trials"] = result.num_trials;
  out["first_difference"] = result.first_difference < 0 ? nb::none() : nb::object(nb::int_(result.first_difference));
  out["difference"] = result.difference;
  out["digest"] = digest_text(result.digest);
  return out;
}

nb::object python_tables(const char* function, nb::object columns) {
  return nb::module_::import_("hartline.tables").attr(function)(columns);
}

}  // namespace

RecordHandle open_record(const std::string& path) {
  RecordHandle out;
  out.path = path;
  out.reader = compute([&] { return std::make_shared<io::RecordReader>(path); });
  return out;
}

void bind_io(nb::module_& m) {
  m.doc() = "Records: what a run wrote down.";
  nb::class_<RecordHandle>(m, "Record", R"(A record on the disk: of a finished run, one that goes on, or one that was killed.

>>> import hartline as hl, tempfile, pathlib
>>> path = pathlib.Path(tempfile.mkdtemp()) / "cell.hartline"
>>> run = hl.Experiment.example("tuning_curve").run(record=path)
>>> record = hl.Record(path)
>>> record.num_trials, record.replay()["first_difference"], record.replay()["digest"] == run.digest
(20, None, True)
>>> list(record.trials().columns)[:4]
['trial', 'role', 'stimulus', 'response']
)")
      .def(
          "__init__",
          [](RecordHandle* self, nb::handle path) { new (self) RecordHandle(open_record(nb::cast<std::string>(nb::str(path)))); },
          "path"_a, nb::sig("def __init__(self, path: str | os.PathLike[str]) -> None"), "Opens a record for reading.")
      .def_prop_ro(
          "path", [](const RecordHandle& r) { return r.path; }, "Where it is.")
      .def_prop_ro(
          "num_trials", [](const RecordHandle& r) { return compute(*r.mutex, [&] { return r.reader->num_trials(); }); },
          "Trials that were observed.")
      .def_prop_ro(
          "seed", [](const RecordHandle& r) { return compute(*r.mutex, [&] { return r.reader->info().seed; }); },
          "Of everything random.")
      .def_prop_ro(
          "configuration", [](const RecordHandle& r) { return compute(*r.mutex, [&] { return r.reader->info().configuration; }); },
          "The experiment with every default written out, TOML text.")
      .def_prop_ro(
          "versions", [](const RecordHandle& r) { return compute(*r.mutex, [&] { return r.reader->info().versions; }); },
          "Of the program and its compiler.")
      .def("columns", &columns, nb::sig("def columns(self) -> dict[str, typing.Any]"), "The trials as one array a column.")
      .def(
          "trials", [](const RecordHandle& r) { return python_tables("data_frame", columns(r)); },
          nb::sig("def trials(self) -> pandas.DataFrame"), "The trials as a pandas data frame, one row an attempt.")
      .def(
          "to_xarray", [](const RecordHandle& r) { return python_tables("data_set", columns(r)); },
          nb::sig("def to_xarray(self) -> xarray.Dataset"),
          "The trials as an xarray data set over trial, cell, bin and the stimulus' axes.")
      .def(
          "events", [](const RecordHandle& r) { return event_list(compute(*r.mutex, [&] { return r.reader->events(); })); },
          nb::sig("def events(self) -> list[dict[str, typing.Any]]"), "What was worth telling: warnings, stops, repeats.")
      .def_prop_ro(
          "array_names", [](const RecordHandle& r) { return compute(*r.mutex, [&] { return r.reader->array_names(); }); },
          "Names of the arrays.")
      .def("arrays", &arrays, "name"_a, nb::sig("def arrays(self, name: str) -> dict[int, numpy.typing.NDArray[numpy.float64]]"),
           "The arrays of a name (mean, sd, truth) by their trial counts.")
      .def(
          "latency", [](const RecordHandle& r) { return latency_table(compute(*r.mutex, [&] { return r.reader->latency(); })); },
          nb::sig("def latency(self) -> dict[str, dict[str, float]]"), "How long the stages of a trial took.")
      .def("replay", &replay, "progress"_a = nb::none(), "threads"_a = 0, "subject"_a = nb::none(), "family"_a = nb::none(),
           nb::sig("def replay(self, progress: collections.abc.Callable[[int, int], object] | None = None, threads: int = 0, "
                   "subject: object = None, family: object = None) -> dict[str, typing.Any]"),
           "Recomputes every choice; ``first_difference`` is None where all are equal to the bit.")
      .def(
          "report_document",
          [](const RecordHandle& r, int threads) {
            const auto executor = executor_of(threads);
            return nb::cast<nb::dict>(object_from(compute([&] { return serve::report_document(r.path, *executor); })));
          },
          "threads"_a = 0, nb::sig("def report_document(self, threads: int = 0) -> dict[str, typing.Any]"), "The report's data.")
      .def(
          "report",
          [](const RecordHandle& r, int threads) {
            const auto executor = executor_of(threads);
            return compute([&] { return serve::report_page(io::to_json(serve::report_document(r.path, *executor))); });
          },
          "threads"_a = 0, "The report: one HTML page that needs nothing else.")
      .def("_repr_html_",
           [](nb::object self) { return nb::module_::import_("hartline.page").attr("frame")(self.attr("report")()); })
      .def("__repr__", [](const RecordHandle& r) {
        return "<Record " + r.path + " of " + std::to_string(compute(*r.mutex, [&] { return r.reader->num_trials(); })) +
               " trials>";
      });
}

}  // namespace hartline::python
