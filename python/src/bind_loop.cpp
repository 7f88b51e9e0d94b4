// hartline.loop: experiments, and the ring turned by hand.
#include <fmt/format.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <cmath>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "bind_spec.hpp"
#include "cli/outcome.hpp"
#include "convert.hpp"
#include "given.hpp"
#include "handles.hpp"
#include "io/toml.hpp"
#include "loop/compare.hpp"
#include "progress.hpp"
#include "turn.hpp"

using namespace nanobind::literals;

namespace hartline::python {

namespace {

std::string path_text(nb::handle path) { return nb::cast<std::string>(nb::str(path)); }

std::string folder_of(const std::string& file) {
  return path_text(
      nb::module_::import_("os.path").attr("dirname")(nb::module_::import_("os.path").attr("abspath")(nb::str(file.c_str()))));
}

/// {"a.b": 3} as tables.
Table nested(nb::handle overrides) {
  Table out;
  if (overrides.is_none()) return out;
  for (const auto& [key, value] : table_from(overrides, "set").items) {
    Table one;
    Table* at = &one;
    std::string rest = key;
    for (auto dot = rest.find('.'); dot != std::string::npos; dot = rest.find('.')) {
      at->set(rest.substr(0, dot), Table{});
      at = at->find(rest.substr(0, dot))->table();
      rest = rest.substr(dot + 1);
    }
    at->set(rest, value);
    loop::lay_over(out, one);
  }
  return out;
}

ExperimentHandle build(Table document, std::string file, std::string folder, nb::handle overrides, std::optional<std::int64_t> seed,
                       int threads, nb::object subject, nb::object family) {
  auto lab = std::make_shared<Laboratory>();
  loop::lay_over(document, nested(overrides));
  if (seed) document.set("seed", *seed);
  lab->document = std::move(document);
  lab->file = std::move(file);
  lab->folder = std::move(folder);
  lab->executor = executor_of(threads);
  const loop::Given given = given_by(std::move(subject), std::move(family));
  compute([&] {
    const loop::Spec spec = loop::read_spec(lab->document, lab->file);
    lab->experiment = loop::build(spec, lab->folder, static_cast<std::uint64_t>(spec.seed), *lab->executor, nullptr, given);
  });
  return {lab};
}

ExperimentHandle from_document(nb::object document, nb::handle overrides, std::optional<std::int64_t> seed,
                               const std::string& folder, int threads, nb::object subject, nb::object family,
                               const nb::kwargs& tables) {
  Table table;
  if (nb::isinstance<nb::str>(document))
    table = io::parse_toml(nb::cast<std::string>(document), "");
  else if (!document.is_none())
    table = table_from(document);
  loop::lay_over(table, table_from(tables));
  if (!table.find("format")) table.items.insert(table.items.begin(), {"format", 1});
  // who is brought along need not be told of in the description
  if (!subject.is_none() && !table.find("subject")) table.set("subject", Table{{{"kind", "given"}}});
  if (!family.is_none() && !table.find("model")) table.set("model", Table{{{"kind", "given"}}});
  if (!table.find("title")) table.set("title", "Experiment");
  return build(std::move(table), "", folder, overrides, seed, threads, std::move(subject), std::move(family));
}

ExperimentHandle from_file(nb::handle path, nb::handle overrides, std::optional<std::int64_t> seed, int threads, nb::object subject,
                           nb::object family) {
  const std::string file = path_text(path);
  return build(io::read_toml(file), file, folder_of(file), overrides, seed, threads, std::move(subject), std::move(family));
}

nb::dict compare(const ExperimentHandle& self, nb::object progress, int threads) {
  const auto executor = executor_of(threads);
  Progress tell(std::move(progress), 0);
  const Laboratory& lab = *self.lab;
  const Value document = compute([&] {
    return loop::to_document(loop::compare(lab.document, lab.file, lab.folder, *executor,
                                           [&](std::int64_t done, std::int64_t all) { tell(done, all); }));
  });
  return nb::cast<nb::dict>(object_from(document));
}

/// The runs of a comparison, to be made one by one.
struct PairingHandle {
  explicit PairingHandle(const Laboratory& lab) : pairing(lab.document, lab.file, lab.folder) {}
  loop::Pairing pairing;
};

loop::Pairing::Values values_of(nb::handle run) {
  loop::Pairing::Values out;
  for (nb::handle row : run) out.push_back(nb::cast<std::vector<double>>(row));
  return out;
}

nb::dict combine(const PairingHandle& self, nb::handle runs) {
  std::vector<loop::Pairing::Values> values;
  for (nb::handle run : runs) values.push_back(values_of(run));
  const Value document = compute([&] { return loop::to_document(self.pairing.combine(values)); });
  return nb::cast<nb::dict>(object_from(document));
}

nb::object truth_of(nb::handle self) {
  const auto& e = *nb::cast<const ExperimentHandle&>(self).lab->experiment;
  if (e.truth.empty()) return nb::none();
  return nb::cast(view_of(e.truth.data(), {static_cast<std::int64_t>(e.truth.size())}, self));
}

/// A learner turned by hand.
struct LearnerHandle {
  explicit LearnerHandle(Lab owner) : lab(std::move(owner)), learner(*lab->experiment) {}
  Lab lab;
  loop::Learner learner;
  design::Choice choice;
  std::int64_t num_decided = 0;
  std::recursive_mutex mutex;
};

TrialHandle choose(LearnerHandle& self, std::optional<double> time_s, std::optional<std::int64_t> max_units) {
  const loop::Experiment& e = *self.lab->experiment;
  return compute(self.mutex, [&] {
    const loop::Assignment assignment = e.assign(self.num_decided);
    Trial trial;
    trial.index = self.num_decided;
    trial.token = Stream(e.seed, Purpose::token, static_cast<std::uint64_t>(trial.index))();
    trial.arm = assignment.arm;
    trial.role = assignment.role;
    trial.num_learned = self.learner.num_trials();
    trial.requested.clock = "subject";
    trial.requested.time_ns =
        std::llround(time_s ? *time_s * 1e9 : e.spec.subject.trial_ms * 1e6 * static_cast<double>(trial.index));
    design::Budget budget;
    if (max_units) budget.max_units = *max_units;
    self.learner.choose(trial, budget, self.choice);
    e.set_stimulus(self.choice, trial.requested.stimulus);
    if (self.choice.explored) trial.role = Role::explore;
    trial.utility = self.choice.utility;
    trial.units = self.choice.units;
    loop::show_as_requested(trial);
    self.learner.decide(trial);
    ++self.num_decided;
    return handle_of(e, trial);
  });
}

TrialHandle learn(LearnerHandle& self, const TrialHandle& decided, nb::handle response) {
  TrialHandle out = decided;
  out.trial.response = response_from(response, *self.lab->experiment->model);
  out.trial.answered = true;
  compute(self.mutex, [&] {
    if (out.trial.index != self.learner.num_trials() || out.trial.index >= self.num_decided)
      throw SpecError({"trial.index", fmt::format("{}, the next to be learned", self.learner.num_trials()),
                       fmt::format("{}", out.trial.index), "Responses are taken in in the order of trials."});
    self.learner.learn(out.trial);
  });
  return out;
}

/// The subject of an experiment, asked by hand.
struct SubjectHandle {
  explicit SubjectHandle(Lab owner) : lab(std::move(owner)), subject(lab->experiment->make_subject(clock)) {}
  Lab lab;
  SteadyClock clock;
  std::unique_ptr<loop::Subject> subject;
  std::recursive_mutex mutex;
};

Response respond(SubjectHandle& self, const TrialHandle& asked) {
  Trial trial = asked.trial;
  compute(self.mutex, [&] {
    loop::present_and_wait(*self.subject, self.lab->experiment->values(trial.requested.stimulus, trial.index), trial);
  });
  return trial.response;
}

std::size_t arm_index(const Lab& lab, std::int64_t arm) {
  const auto num = static_cast<std::int64_t>(lab->experiment->arms.size());
  if (arm < 0 || arm >= num) throw SpecError({"arm", fmt::format("in 0 … {}", num - 1), fmt::format("{}", arm), ""});
  return static_cast<std::size_t>(arm);
}

#define HARTLINE_BUILD_SIGNATURE                                                                             \
  "set: collections.abc.Mapping[str, typing.Any] | None = None, seed: int | None = None, threads: int = 0, " \
  "subject: object = None, family: object = None"

nb::class_<ExperimentHandle> bind_experiment(nb::module_& m) {
  nb::class_<ExperimentHandle> bound(m, "Experiment", R"(An experiment: subject, stimuli, model, belief and design, all constant.

Made from tables as keywords, a dict, or TOML text; ``Experiment.read`` takes a file. Tables may be dicts or spec objects.

>>> import hartline as hl
>>> experiment = hl.Experiment(
...     seed=1, num_trials=50,
...     stimulus={"kind": "ball", "shape": [4, 4]},
...     model=hl.models.GlmSpec(bias=True),
...     belief={"prior_sd": 0.5})
>>> run = experiment.run()
>>> run.num_trials, run.mean.shape
(50, (17,))

A subject may be a function of your own, or an object with a method ``respond``, of the stimulus and the trial:

>>> cell = lambda stimulus, trial: round(10 * float(stimulus[0, 0]) ** 2)
>>> experiment = hl.Experiment(seed=1, num_trials=20, subject=cell,
...                            stimulus={"kind": "ball", "shape": [4, 4]}, model={"kind": "glm"})
>>> experiment.run().num_trials
20
)");
  bound
      .def(
          "__init__",
          [](ExperimentHandle* self, nb::object document, nb::object set, std::optional<std::int64_t> seed,
             const std::string& folder, int threads, nb::object subject, nb::object family, const nb::kwargs& tables) {
            const bool table = nb::hasattr(subject, "items") || nb::hasattr(subject, "to_dict");
            if (table) tables["subject"] = subject;  // a description, not somebody
            new (self) ExperimentHandle(from_document(std::move(document), set, seed, folder, threads,
                                                      table ? nb::none() : std::move(subject), std::move(family), tables));
          },
          "document"_a = nb::none(), nb::kw_only(), "set"_a = nb::none(), "seed"_a = nb::none(), "folder"_a = "", "threads"_a = 0,
          "subject"_a = nb::none(), "family"_a = nb::none(), "tables"_a,
          nb::sig("def __init__(self, document: str | collections.abc.Mapping[str, typing.Any] | None = None, *, folder: str = "
                  "'', " HARTLINE_BUILD_SIGNATURE ", **tables: object) -> None"),
          "``set``: values by dotted path, laid over the document; ``folder``: where relative paths start; ``threads``: 0 for as "
          "many as there are cores; ``subject``: who responds, a table or a Python object; ``family``: a response model of your "
          "own.")
      .def_static("read", &from_file, "path"_a, nb::kw_only(), "set"_a = nb::none(), "seed"_a = nb::none(), "threads"_a = 0,
                  "subject"_a = nb::none(), "family"_a = nb::none(),
                  nb::sig("def read(path: str | os.PathLike[str], *, " HARTLINE_BUILD_SIGNATURE ") -> Experiment"),
                  "Reads an experiment file (TOML).")
      .def_static(
          "example",
          [](const std::string& name, nb::handle set, std::optional<std::int64_t> seed, int threads) {
            const nb::object path = nb::module_::import_("hartline.examples").attr("path")(name);
            return from_file(path, set, seed, threads, nb::none(), nb::none());
          },
          "name"_a, nb::kw_only(), "set"_a = nb::none(), "seed"_a = nb::none(), "threads"_a = 0,
          nb::sig("def example(name: str, *, set: collections.abc.Mapping[str, typing.Any] | None = None, seed: int | None = None, "
                  "threads: int = 0) -> Experiment"),
          "An experiment that comes with the package: gabor, tuning_curve, psychometric, …")
      .def(
          "replace",
          [](const ExperimentHandle& self, nb::handle set, std::optional<std::int64_t> seed, int threads) {
            const Laboratory& lab = *self.lab;
            auto out = std::make_shared<Laboratory>();
            out->document = lab.document;
            loop::lay_over(out->document, nested(set));
            if (seed) out->document.set("seed", *seed);
            out->file = lab.file;
            out->folder = lab.folder;
            out->executor = executor_of(threads);
            compute([&] {
              const loop::Spec spec = loop::read_spec(out->document, out->file);
              out->experiment = loop::build(spec, out->folder, static_cast<std::uint64_t>(spec.seed), *out->executor,
                                            lab.experiment->recording, lab.experiment->given);
            });
            return ExperimentHandle{out};
          },
          nb::kw_only(), "set"_a = nb::none(), "seed"_a = nb::none(), "threads"_a = 0,
          nb::sig("def replace(self, *, set: collections.abc.Mapping[str, typing.Any] | None = None, seed: int | None = None, "
                  "threads: int = 0) -> Experiment"),
          "The same experiment with other values or another seed.")
      .def_prop_ro(
          "spec", [](const ExperimentHandle& self) { return self.lab->experiment->spec; },
          "The description with every default written out, a copy.")
      .def(
          "to_dict",
          [](const ExperimentHandle& self) { return nb::cast<nb::dict>(object_from(loop::resolved(self.lab->experiment->spec))); },
          nb::sig("def to_dict(self) -> dict[str, typing.Any]"), "The description with every default written out.")
      .def(
          "to_toml", [](const ExperimentHandle& self) { return to_toml(loop::resolved(self.lab->experiment->spec)); },
          "The same as TOML text, as a record holds it.")
      .def_prop_ro(
          "title", [](const ExperimentHandle& self) { return self.lab->experiment->spec.title; }, "Name of the experiment.")
      .def_prop_ro(
          "seed", [](const ExperimentHandle& self) { return self.lab->experiment->seed; }, "Of everything random.")
      .def_prop_ro(
          "num_trials", [](const ExperimentHandle& self) { return self.lab->experiment->spec.num_trials; },
          "How many stimuli are presented.")
      .def_prop_ro(
          "shape", [](const ExperimentHandle& self) { return nb::tuple(nb::cast(self.lab->experiment->shape)); },
          nb::sig("def shape(self) -> tuple[int, ...]"), "Shape of a frame of a stimulus.")
      .def_prop_ro(
          "stimuli", [](const ExperimentHandle& self) { return self.lab->experiment->stimuli; }, "What may be shown, a copy.")
      .def_prop_ro(
          "model", [](const ExperimentHandle& self) { return ModelHandle{self.lab}; }, "The encoding model.")
      .def_prop_ro("truth", &truth_of, nb::sig("def truth(self) -> numpy.typing.NDArray[numpy.float64] | None"),
                   "Parameters of a simulated subject before any drift, read only; None where they are not known.")
      .def_prop_ro(
          "arms",
          [](const ExperimentHandle& self) {
            std::vector<std::string> names;
            for (const loop::Arm& arm : self.lab->experiment->arms) names.push_back(arm.name);
            return names;
          },
          "Names of the designs that take turns; at least one.")
      .def(
          "design", [](const ExperimentHandle& self, std::int64_t arm) { return design_of(self.lab, arm_index(self.lab, arm)); },
          "arm"_a = 0, "The design of an arm.")
      .def(
          "learner", [](const ExperimentHandle& self) { return std::make_unique<LearnerHandle>(self.lab); },
          "A learner, to turn the ring by hand.")
      .def(
          "subject", [](const ExperimentHandle& self) { return std::make_unique<SubjectHandle>(self.lab); },
          "The subject, to be asked by hand.")
      .def("compare", &compare, "progress"_a = nb::none(), "threads"_a = 0,
           nb::sig("def compare(self, progress: collections.abc.Callable[[int, int], object] | None = None, threads: int = 0) -> "
                   "dict[str, typing.Any]"),
           "Runs the designs of the table ``compare`` over paired seeds; ``hartline.learning_curves`` makes a data frame of the "
           "result.")
      .def(
          "pairing",
          [](const ExperimentHandle& self) { return compute([&] { return std::make_unique<PairingHandle>(*self.lab); }); },
          "The runs of ``compare``, to be made one by one, here or elsewhere.")
      .def_prop_ro(
          "text", [](const ExperimentHandle& self) { return to_toml(self.lab->document); },
          "The description as it was given, as TOML text; ``to_toml`` writes every default out.")
      .def_prop_ro(
          "folder", [](const ExperimentHandle& self) { return self.lab->folder; }, "Where relative paths of the description start.")
      .def("__repr__", [](const ExperimentHandle& self) {
        const loop::Experiment& e = *self.lab->experiment;
        return fmt::format("<Experiment \"{}\": {} trials, seed {}>", e.spec.title, e.spec.num_trials, e.seed);
      });
  return bound;
}

void bind_learner(nb::module_& m) {
  nb::class_<LearnerHandle>(m, "Learner", R"(Beliefs and plans as a function of the trials so far: the ring turned by hand.

>>> import hartline as hl
>>> experiment = hl.Experiment.example("tuning_curve")
>>> learner, subject = experiment.learner(), experiment.subject()
>>> for _ in range(20):
...     trial = learner.choose()
...     trial = learner.learn(trial, subject.respond(trial))
>>> learner.digest == experiment.run().digest
True
)")
      .def(
          "choose", &choose, "time_s"_a = nb::none(), "max_units"_a = nb::none(),
          "Chooses the next stimulus. It is pending until it is learned, and counts as that for the choices before. ``time_s``: on "
          "the subject's clock; None: trial_ms a trial.")
      .def("learn", &learn, "trial"_a, "response"_a.none(),
           nb::sig("def learn(self, trial: hartline._engine.base.Trial, response: object) -> hartline._engine.base.Trial"),
           "Takes in the response to a trial, in order: numbers, a ``Response``, or None where it is missing. Returns the trial "
           "with it.")
      .def(
          "finish", [](LearnerHandle& self) { compute(self.mutex, [&] { self.learner.finish(); }); },
          "Refits on the whole history, if the experiment asks for it.")
      .def(
          "belief",
          [](LearnerHandle& self, std::int64_t arm) {
            const std::size_t a = arm_index(self.lab, arm);
            return compute(self.mutex, [&] { return copy_of(self.lab, self.learner.belief(a)); });
          },
          "arm"_a = 0, "The belief of an arm as it is now, a copy.")
      .def_prop_ro(
          "num_trials", [](const LearnerHandle& self) { return self.learner.num_trials(); }, "Trials taken in.")
      .def_prop_ro(
          "mean", [](LearnerHandle& self) { return hand_over(compute(self.mutex, [&] { return self.learner.mean(); })); },
          nb::rv_policy::automatic, "Mean of the parameters, of the first arm.")
      .def_prop_ro(
          "sd", [](LearnerHandle& self) { return hand_over(compute(self.mutex, [&] { return self.learner.sd(); })); },
          nb::rv_policy::automatic, "Standard deviation of the parameters, of the first arm.")
      .def_prop_ro(
          "digest", [](LearnerHandle& self) { return digest_text(compute(self.mutex, [&] { return self.learner.digest(); })); },
          "Hash of every bit of the beliefs.")
      .def("__repr__",
           [](const LearnerHandle& self) { return fmt::format("<Learner after {} trials>", self.learner.num_trials()); });

  nb::class_<SubjectHandle>(m, "Respondent", R"(The subject of an experiment, asked by hand: ``Experiment.subject``.

>>> import hartline as hl
>>> experiment = hl.Experiment.example("psychometric")
>>> experiment.subject().respond(experiment.learner().choose()).values.shape
(1,)
)")
      .def("respond", &respond, "trial"_a, "Presents the stimulus of a trial and waits for the response.")
      .def_prop_ro(
          "truth",
          [](SubjectHandle& self) {
            std::vector<double> truth = self.subject->truth();
            const auto num = static_cast<std::int64_t>(truth.size());
            return hand_over(std::move(truth), {num});
          },
          nb::rv_policy::automatic, "The parameters behind the responses as they are now; empty where they are not known.");
}

void bind_pairing(nb::module_& m) {
  nb::class_<PairingHandle>(m, "Pairing", R"(The runs of a comparison, made apart: ``Experiment.pairing``.

>>> import hartline as hl
>>> experiment = hl.Experiment.example("psychometric", set={"num_trials": 8, "compare.num_seeds": 2})
>>> pairing = experiment.pairing()
>>> runs = [pairing.measure(run_idx) for run_idx in range(pairing.num_runs)]
>>> pairing.combine(runs) == experiment.compare()
True
)")
      .def_prop_ro(
          "num_runs", [](const PairingHandle& self) { return self.pairing.num_runs(); }, "Designs times seeds.")
      .def(
          "measure",
          [](const PairingHandle& self, std::int64_t run_idx) {
            Progress tell(nb::none(), self.pairing.num_trials());
            return compute([&] { return self.pairing.measure(run_idx, [&](std::int64_t) { tell(0); }); });
          },
          "run_idx"_a, "Makes one run: the metrics [num_counts][num_metrics], the same wherever and whenever it is made.")
      .def(
          "combine", &combine, "runs"_a,
          nb::sig("def combine(self, runs: collections.abc.Sequence[collections.abc.Sequence[collections.abc.Sequence[float]]]) -> "
                  "dict[str, typing.Any]"),
          "What ``measure`` returned for every run, in order, as ``Experiment.compare`` tells it.");
}

void bind_specs(nb::module_& m) {
  bind_spec<instruments::GaborSpec>(m, "GaborSpec", "The true receptive field of a simulated cell: the table ``subject.gabor``.",
                             "sigma_px=1.8, wavelength_px=5.0");
  bind_spec<loop::SubjectSpec>(m, "SubjectSpec", "Who responds: the ``subject`` table.", "truth='gabor', gain=3.0");
  bind_spec<loop::StimulusSpec>(m, "StimulusSpec", "What may be shown: the ``stimulus`` table.",
                                "kind='box', shape=[8, 8], low=-1.0, high=1.0");
  bind_spec<loop::ArmSpec>(m, "ArmSpec", "A design with a belief of its own: one of ``arms``.", "name='control', share=0.5");
  bind_spec<loop::ValidationSpec>(m, "ValidationSpec",
                                  "Stimuli that are repeated and that no belief takes in: the ``validation`` table.", "share=0.1");
  bind_spec<loop::StopSpec>(m, "StopSpec", "When a run ends before num_trials: the ``stop`` table.", "credible_width=0.5");
  bind_spec<loop::WatchSpec>(m, "WatchSpec", "What is watched: the ``watch`` table.", "false_alarm=0.05");
  bind_spec<loop::RecordSpec>(m, "RecordSpec", "How a run is written down: the ``record`` table.", "durability='window:50'");
  bind_spec<loop::CompareSpec>(m, "CompareSpec", "Designs to compare: the ``compare`` table.", "num_seeds=8");
  bind_training(m);
  bind_spec<loop::Spec>(m, "Spec", "A whole experiment.",
                        "seed=2, num_trials=20, stimulus=StimulusSpec(kind='ball', shape=[4]), model={'kind': 'glm'}");
}

}  // namespace

loop::Given given_by(nb::object subject, nb::object family) {
  loop::Given out;
  if (!subject.is_none()) {
    if (!nb::hasattr(subject, "respond") && !PyCallable_Check(subject.ptr()))
      throw SpecError({"subject", "a function or an object with a method respond", nb::cast<std::string>(nb::repr(subject)), ""});
    out.make_subject = [kept = keep(std::move(subject))](const loop::Experiment& e) { return make_subject(kept, e); };
  }
  if (!family.is_none())
    out.make_family = [kept = keep(std::move(family))](const Table&) {
      const nb::gil_scoped_acquire lock;
      return make_family(*kept);
    };
  return out;
}

void bind_loop(nb::module_& m) {
  m.doc() = "Experiments, their runs, and the ring turned by hand.";
  bind_specs(m);
  nb::class_<ExperimentHandle> experiment = bind_experiment(m);
  bind_learner(m);
  bind_pairing(m);
  bind_run(m, experiment);
}

}  // namespace hartline::python
