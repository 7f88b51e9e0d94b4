// hartline.base: errors, random streams, trials and responses.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <map>

#include "base/error.hpp"
#include "base/random.hpp"
#include "base/threads.hpp"
#include "base/trial_names.hpp"
#include "convert.hpp"
#include "handles.hpp"
#include "turn.hpp"

using namespace nanobind::literals;

namespace hartline::python {

namespace {

nb::str text(std::string_view view) { return nb::str(view.data(), view.size()); }

/// Names with a space between.
nb::str words(std::span<const std::string_view> names) {
  std::string out;
  for (const std::string_view name : names) out.append(out.empty() ? "" : " ").append(name);
  return text(out);
}

/// Raises the Python error of an engine error, with its facts as attributes.
void raise(const char* type, const Error& error, std::int64_t trial = -1) {
  nb::object python = nb::module_::import_("hartline.errors").attr(type)(error.what());
  python.attr("field") = error.fault.path;
  python.attr("expected") = error.fault.requirement;
  python.attr("got") = error.fault.got;
  python.attr("hint") = error.fault.hint;
  if (trial >= 0) python.attr("trial") = trial;
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(python.ptr())), python.ptr());
}

void translate(const std::exception_ptr& pointer, void*) {
  try {
    std::rethrow_exception(pointer);
  } catch (const UnitError& error) {
    raise("UnitError", error);
  } catch (const SpecError& error) {
    raise("SpecError", error);
  } catch (const RunError& error) {
    raise("RunError", error, error.trial);
  } catch (const IoError& error) {
    raise("IoError", error);
  } catch (const InternalError& error) {
    raise("InternalError", error);
  }
}

Mark mark_of(const std::string& name) {
  if (const auto mark = mark_named(name)) return *mark;
  throw SpecError({"marks", "one of observed, missing, censored, blanked", "\"" + name + "\"", did_you_mean(name, mark_names)});
}

nb::list mark_list(const Response& response) {
  nb::list out;
  for (std::size_t i = 0; i < response.values.size(); ++i)
    out.append(text(name_of(response.marks.empty() ? Mark::observed : response.marks[i])));
  return out;
}

Response make_response(const Numbers& values, const std::optional<std::vector<std::string>>& marks, const std::string& reason) {
  Response out;
  out.num_cells = out.num_bins = 0;  // taken from the model
  out.values = values.vector();
  if (marks) {
    if (marks->size() != out.values.size())
      throw SpecError(
          {"marks", std::to_string(out.values.size()) + " of them, one for each value", std::to_string(marks->size()), ""});
    for (const std::string& name : *marks) out.marks.push_back(mark_of(name));
  }
  out.reason = reason;
  return out;
}

Purpose purpose_named(const std::string& name) {
  static const std::map<std::string, Purpose> purposes = {{"truth", Purpose::truth},       {"response", Purpose::response},
                                                          {"design", Purpose::design},     {"pool", Purpose::pool},
                                                          {"held_out", Purpose::held_out}, {"test", Purpose::test}};
  if (const auto found = purposes.find(name); found != purposes.end()) return found->second;
  throw SpecError({"purpose", "one of truth, response, design, pool, held_out, test", "\"" + name + "\"", ""});
}

void bind_stream(nb::module_& m) {
  nb::class_<Stream>(m, "Stream",
                     R"(A stream of random numbers that is named, not seeded in passing: the same four names give the same numbers.

>>> import hartline as hl
>>> hl.base.Stream(seed=1, purpose="test").uniform() == hl.base.Stream(seed=1, purpose="test").uniform()
True
)")
      .def(
          "__init__",
          [](Stream* self, std::uint64_t seed, const std::string& purpose, std::uint64_t trial, std::uint64_t index) {
            new (self) Stream(seed, purpose_named(purpose), trial, index);
          },
          "seed"_a, "purpose"_a = "test", "trial"_a = 0, "index"_a = 0,
          "``purpose``: one of truth, response, design, pool, held_out, test.")
      .def("uniform", &Stream::uniform, "A number uniform in [0, 1).")
      .def("normal", &Stream::normal, "A standard normal number.")
      .def("poisson", &Stream::poisson, "mean"_a, "A Poisson count.")
      .def("gamma", &Stream::gamma, "shape"_a, "scale"_a, "A gamma number.")
      .def("integer", &Stream::integer, "count"_a, "A whole number uniform in 0 … count - 1.")
      .def(
          "sphere",
          [](Stream& self, std::int64_t dim, double radius) {
            std::vector<double> out(static_cast<std::size_t>(dim));
            self.fill_sphere(out, radius);
            return hand_over(std::move(out), {dim});
          },
          "dim"_a, "radius"_a = 1.0, "A vector uniform on the sphere of that radius.");
}

void bind_trial(nb::module_& m) {
  nb::class_<Response>(m, "Response", R"(What came back in a trial: values [num_cells, num_bins], each with a mark.

A value is ``observed``, ``missing`` at random, ``censored`` (at least so large) or ``blanked`` (an artefact hides it).

>>> import hartline as hl
>>> hl.base.Response(5, marks=["censored"]).marks
['censored']
)")
      .def(
          "__init__",
          [](Response* self, const Numbers& values, const std::optional<std::vector<std::string>>& marks,
             const std::string& reason) { new (self) Response(make_response(values, marks, reason)); },
          "values"_a, "marks"_a = nb::none(), "reason"_a = "", "``marks``: one for each value; None: all are observed.")
      .def_prop_ro(
          "values",
          [](nb::handle self) {
            const auto& r = nb::cast<const Response&>(self);
            return view_of(r.values.data(), {static_cast<std::int64_t>(r.values.size())}, self);
          },
          "The values, read only.")
      .def_prop_ro("marks", &mark_list, nb::sig("def marks(self) -> list[str]"), "The mark of each value.")
      .def_prop_ro(
          "reason", [](const Response& r) { return r.reason; }, "Why values are missing.")
      .def("__repr__", [](const Response& r) {
        std::string out = "Response(";
        for (std::size_t i = 0; i < r.values.size() && i < 8; ++i) out += (i ? ", " : "") + number_text(r.values[i]);
        return out + (r.values.size() > 8 ? ", ...)" : ")");
      });

  nb::class_<TrialHandle>(m, "Trial", R"(One trial: what was decided, what was shown, what came back.

>>> import hartline as hl
>>> trial = hl.Experiment.example("tuning_curve").learner().choose()
>>> trial.index, trial.stimulus.shape, trial.role
(0, (1,), 'measure')
)")
      .def_prop_ro(
          "index", [](const TrialHandle& t) { return t.trial.index; }, "Number of the trial, from 0.")
      .def_prop_ro(
          "attempt", [](const TrialHandle& t) { return t.trial.attempt; }, "2 and more: presented again.")
      .def_prop_ro(
          "token", [](const TrialHandle& t) { return t.trial.token; }, "Names the trial to the subject.")
      .def_prop_ro(
          "arm", [](const TrialHandle& t) { return t.trial.arm; }, "Index of the arm whose belief it serves.")
      .def_prop_ro(
          "role", [](const TrialHandle& t) { return text(name_of(t.trial.role)); }, nb::sig("def role(self) -> str"),
          "measure, explore, validate or fallback.")
      .def_prop_ro(
          "stimulus",
          [](nb::handle self) {
            const auto& t = nb::cast<const TrialHandle&>(self);
            return view_of(t.stimulus.data(), t.shape, self);
          },
          "The stimulus as numbers, in the shape of a frame; read only.")
      .def_prop_ro(
          "pool_idx",
          [](const TrialHandle& t) {
            const auto* item = std::get_if<PoolItem>(&t.trial.requested.stimulus.what);
            return item ? std::optional<std::int64_t>(item->index) : std::nullopt;
          },
          "Which member of the pool it is; None for a set that is not a pool.")
      .def_prop_ro(
          "time_s", [](const TrialHandle& t) { return static_cast<double>(t.trial.requested.time_ns) * 1e-9; },
          "When the stimulus was requested, on the subject's clock.")
      .def_prop_ro(
          "response",
          [](const TrialHandle& t) { return t.trial.answered ? std::optional<Response>(t.trial.response) : std::nullopt; },
          "What came back; None before it did.")
      .def_prop_ro(
          "utility", [](const TrialHandle& t) { return t.trial.utility; }, "Of the stimulus, as the design sees it.")
      .def_prop_ro(
          "units", [](const TrialHandle& t) { return t.trial.units; }, "Units of search work.")
      .def_prop_ro(
          "lateness_ms", [](const TrialHandle& t) { return t.trial.lateness_ms; }, "By how much the deadline was missed.")
      .def_prop_ro(
          "log_evidence", [](const TrialHandle& t) { return t.trial.log_evidence; },
          "log p(response | stimulus, trials before), nats.")
      .def("__repr__", [](const TrialHandle& t) {
        return "Trial(index=" + std::to_string(t.trial.index) + ", utility=" + number_text(t.trial.utility) +
               (t.trial.answered ? ", answered)" : ")");
      });
}

}  // namespace

std::shared_ptr<Executor> executor_of(int threads) {
  if (threads == 1) {  // has no threads that would have to end
    static const std::shared_ptr<Executor> serial = make_serial_executor();
    return serial;
  }
  static std::mutex mutex;
  static std::map<int, std::weak_ptr<Executor>> executors;
  const std::lock_guard lock(mutex);
  auto executor = executors[threads].lock();
  if (!executor) executors[threads] = executor = make_executor(threads);
  return executor;
}

std::shared_ptr<nb::object> keep(nb::object object) {
  return {new nb::object(std::move(object)), [](nb::object* kept) {
            const nb::gil_scoped_acquire lock;
            delete kept;
          }};
}

TrialHandle handle_of(const loop::Experiment& experiment, const Trial& trial) {
  const std::span<const double> x = experiment.values(trial.requested.stimulus, trial.index);
  TrialHandle out{trial, {x.begin(), x.end()}, experiment.shape};
  if (experiment.spec.stimulus.num_frames > 1) out.shape.insert(out.shape.begin(), experiment.spec.stimulus.num_frames);
  std::int64_t size = 1;
  for (const std::int64_t n : out.shape) size *= n;
  if (size != static_cast<std::int64_t>(x.size())) out.shape = {static_cast<std::int64_t>(x.size())};  // a point of a grid
  return out;
}

Response response_from(nb::handle object, const models::Model& model) {
  const std::size_t num = model.num_cells * model.num_bins;
  Response out;
  if (object.is_none()) {
    out.values.assign(num, 0.0);
    out.marks.assign(num, Mark::missing);
    out.reason = "no response";
  } else if (nb::isinstance<Response>(object)) {
    out = nb::cast<const Response&>(object);
  } else {
    Numbers numbers;
    if (!nb::try_cast(object, numbers))
      throw RunError({"response", "numbers, a Response or None", nb::cast<std::string>(nb::repr(object)), ""});
    out.values = numbers.vector();
    out.marks.assign(out.values.size(), Mark::observed);
  }
  out.kind = model.response_kind;
  out.num_cells = static_cast<std::int64_t>(model.num_cells);
  out.num_bins = static_cast<std::int64_t>(model.num_bins);
  return out;
}

void bind_base(nb::module_& m) {
  nb::register_exception_translator(translate);
  m.doc() = "Errors, random streams, trials and responses.";
  bind_stream(m);
  bind_trial(m);
  m.attr("MARKS") = words(mark_names);
  m.attr("ROLES") = words(role_names);
}

}  // namespace hartline::python
