// hartline.models: encoding models and beliefs.
#include <fmt/format.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "base/error.hpp"
#include "bind_spec.hpp"
#include "convert.hpp"
#include "given.hpp"
#include "handles.hpp"
#include "io/json.hpp"
#include "models/candidates.hpp"
#include "models/gaussian_process.hpp"
#include "models/glm.hpp"
#include "models/grid.hpp"
#include "models/population.hpp"
#include "serve/report.hpp"
#include "turn.hpp"

using namespace nanobind::literals;

namespace hartline::python {

namespace {

using Shape = std::vector<std::int64_t>;

std::int64_t as_signed(std::size_t n) { return static_cast<std::int64_t>(n); }

const BeliefHandle& belief_of(nb::handle self) { return nb::cast<const BeliefHandle&>(self); }

[[noreturn]] void refuse_quantity(const char* quantity, const char* who) {
  throw SpecError({std::string("belief.") + quantity, std::string("asked of ") + who, "another belief", ""});
}

/// Mean and standard deviation of the parameters.
std::pair<std::vector<double>, std::vector<double>> summary(const BeliefHandle& b) {
  std::vector<double> mean(b.model()->num_parameters), sd(mean.size());
  compute(*b.mutex, [&] { b.model()->summarise(*b.belief, mean, sd); });
  return {std::move(mean), std::move(sd)};
}

nb::object mean_of(nb::handle self) {
  const BeliefHandle& b = belief_of(self);
  if (const auto* gaussian = dynamic_cast<const models::GaussianBelief*>(b.belief.get()))
    return nb::cast(view_of(gaussian->mean.data(), {as_signed(gaussian->mean.size())}, self));
  return nb::cast(hand_over(summary(b).first, {as_signed(b.model()->num_parameters)}));
}

View covariance_of(nb::handle self) {
  const auto* gaussian = dynamic_cast<const models::GaussianBelief*>(belief_of(self).belief.get());
  if (!gaussian) refuse_quantity("covariance", "the belief of a glm");
  const std::int64_t dim = as_signed(gaussian->mean.size());
  return view_of(gaussian->covariance.data(), {dim, dim}, self);
}

View weights_of(nb::handle self) {
  const BeliefHandle& b = belief_of(self);
  const auto* grid = dynamic_cast<const models::GridBelief*>(b.belief.get());
  if (!grid) refuse_quantity("weights", "a belief on a grid");
  Shape shape;
  for (const auto& parameter : dynamic_cast<const models::GridModel&>(*b.model()).family().parameters)
    shape.push_back(as_signed(parameter.values.size()));
  return view_of(grid->weights.data(), shape, self);
}

nb::object marginal_of(const BeliefHandle& b, const std::string& parameter) {
  const auto* model = dynamic_cast<const models::GridModel*>(b.model());
  if (!model) refuse_quantity("marginal", "a belief on a grid");
  const auto& names = model->parameter_names;
  const auto found = std::find(names.begin(), names.end(), parameter);
  if (found == names.end())
    throw SpecError({"parameter", fmt::format("one of {}", fmt::join(names, ", ")), "\"" + parameter + "\"", ""});
  const auto k = static_cast<std::size_t>(found - names.begin());
  std::vector<double> values = model->family().parameters[k].values, p;
  compute(*b.mutex, [&] { model->marginal(dynamic_cast<const models::GridBelief&>(*b.belief), k, p); });
  const Shape shape{as_signed(p.size())};
  return nb::make_tuple(hand_over(std::move(values), shape), hand_over(std::move(p), shape));
}

void check_same(const ModelHandle& model, const BeliefHandle& belief) {
  if (model.lab != belief.lab) throw SpecError({"belief", "a belief of this model", "one of another model", "Take model.prior()."});
}

nb::object update(const ModelHandle& self, BeliefHandle& belief, const Numbers& stimulus, nb::handle response, double elapsed_s) {
  check_same(self, belief);
  const Response taken = response_from(response, *self.get());
  models::Update done;
  nb::list expected;
  std::vector<models::Prediction> predictions;
  compute(*belief.mutex, [&] {
    done = self.get()->update(*belief.belief, stimulus.span(), taken, elapsed_s);
    predictions.assign(done.predictions.begin(), done.predictions.end());
  });
  for (const models::Prediction& p : predictions) expected.append(p.mean);
  nb::dict out;
  out["used"] = done.used;
  out["log_evidence"] = done.log_evidence;
  out["expected_response"] = expected;
  return out;
}

Fresh predict(const ModelHandle& self, const BeliefHandle& belief, const Numbers& stimuli) {
  check_same(self, belief);
  const models::Model& model = *self.get();
  const std::size_t num = stimuli.array.size() / model.stimulus_dim, num_values = model.num_cells * model.num_bins;
  if (num * model.stimulus_dim != stimuli.array.size())
    throw SpecError(
        {"stimuli", fmt::format("an array [num, {}]", model.stimulus_dim), fmt::format("{} numbers", stimuli.array.size()), ""});
  std::vector<double> mean(num * num_values);
  compute(*belief.mutex, [&] { model.predict(*belief.belief, stimuli.span(), mean); });
  return hand_over(std::move(mean), num_values == 1 ? Shape{as_signed(num)}
                                                    : Shape{as_signed(num), as_signed(model.num_cells), as_signed(model.num_bins)});
}

void check_sizes(const models::Model& model, const Numbers& parameters, const Numbers& stimulus) {
  if (parameters.array.size() != model.num_parameters)
    throw SpecError(
        {"parameters", fmt::format("{} numbers", model.num_parameters), fmt::format("{}", parameters.array.size()), ""});
  if (stimulus.array.size() != model.stimulus_dim)
    throw SpecError({"stimulus", fmt::format("{} numbers", model.stimulus_dim), fmt::format("{}", stimulus.array.size()), ""});
}

Fresh sample(const ModelHandle& self, const Numbers& parameters, const Numbers& stimulus, Stream& stream,
             models::Context* context) {
  const models::Model& model = *self.get();
  check_sizes(model, parameters, stimulus);
  std::vector<double> response(model.num_cells * model.num_bins);
  models::Context fresh = context ? models::Context{} : model.start();
  compute([&] { model.sample(parameters.span(), stimulus.span(), context ? *context : fresh, stream, response); });
  return hand_over(std::move(response), {as_signed(model.num_cells), as_signed(model.num_bins)});
}

void refine(const ModelHandle& self, BeliefHandle& belief, const Numbers& stimuli, const Numbers& responses) {
  check_same(self, belief);
  const models::Model& model = *self.get();
  models::History history;
  history.num_trials = stimuli.array.size() / model.stimulus_dim;
  if (stimuli.array.size() != history.num_trials * model.stimulus_dim ||
      responses.array.size() != history.num_trials * model.num_cells * model.num_bins)
    throw SpecError({"stimuli", fmt::format("an array [num_trials, {}] with as many responses", model.stimulus_dim),
                     fmt::format("{} and {} numbers", stimuli.array.size(), responses.array.size()), ""});
  history.stimuli = stimuli.vector();
  history.values = responses.vector();
  history.marks.assign(history.values.size(), Mark::observed);
  compute(*belief.mutex, [&] { model.refine(*belief.belief, history); });
}

const char* kind_of(const models::Model& model) {
  if (dynamic_cast<const models::Glm*>(&model)) return "glm";
  if (dynamic_cast<const models::GridModel*>(&model)) return "grid";
  if (dynamic_cast<const models::GaussianProcess*>(&model)) return "gaussian_process";
  return dynamic_cast<const models::Population*>(&model) ? "population" : "candidates";
}

/// A spec object, or keywords of one.
template <class T>
T spec_from(nb::handle object, const char* path) {
  if (nb::isinstance<T>(object)) return nb::cast<const T&>(object);
  T out;
  if (!object.is_none()) read_table(table_from(object, path), {path, ""}, out);
  return out;
}

/// A model by itself: with its stimuli and a random design, but without a subject.
ModelHandle bare(std::unique_ptr<models::Model> model, design::StimulusSet stimuli, Shape shape, const char* title) {
  auto lab = std::make_shared<Laboratory>();
  lab->executor = executor_of(1);
  lab->experiment = std::make_unique<loop::Experiment>();
  loop::Experiment& e = *lab->experiment;
  e.spec.title = title;
  e.spec.subject.kind = "given";
  e.spec.design.kind = "random";
  e.shape = std::move(shape);
  e.stimuli = std::move(stimuli);
  e.model = std::move(model);
  const auto prior = e.model->prior();
  const models::Capability capability = e.model->capability(*prior);
  e.arms.push_back({"random", 1, true, e.spec.design, design::utility_meaning(e.spec.design, capability, e.model->response_kind),
                    design::make_design(e.spec.design, e.stimuli, capability, e.model->parameter_names, 0, *lab->executor)});
  return {lab};
}

design::StimulusSet pool_of(const Numbers& stimuli, std::size_t dim) {
  design::StimulusSet set;
  set.dim = dim;
  set.pool = stimuli.vector();
  return set;
}

ModelHandle make_glm(const Shape& shape, nb::handle model, nb::handle belief, std::int64_t num_frames, bool isolated) {
  std::size_t dim = 1;
  for (const std::int64_t n : shape) {
    if (n < 1) throw SpecError({"shape", "numbers >= 1", fmt::format("{}", n), ""});
    dim *= static_cast<std::size_t>(n);
  }
  const auto glm = spec_from<models::GlmSpec>(model, "model");
  const auto prior = spec_from<models::GaussianBeliefSpec>(belief, "belief");
  models::Sequence sequence;
  sequence.num_frames = static_cast<std::size_t>(std::max<std::int64_t>(1, num_frames));
  sequence.isolated = isolated;
  design::StimulusSet set;
  set.dim = dim * sequence.num_frames;
  return bare(std::make_unique<models::Glm>(glm, prior, dim, sequence, shape), std::move(set), shape, "Receptive field");
}

ModelHandle make_grid(nb::object family, const Numbers& stimuli, int threads) {
  std::unique_ptr<models::Family> made;
  if (nb::isinstance<models::TuningCurveSpec>(family))
    made = models::make_family(nb::cast<const models::TuningCurveSpec&>(family));
  else if (nb::isinstance<models::PsychometricSpec>(family))
    made = models::make_family(nb::cast<const models::PsychometricSpec&>(family));
  else
    made = make_family(std::move(family));
  if (stimuli.array.size() % made->stimulus_dim != 0)
    throw SpecError(
        {"stimuli", fmt::format("an array [num, {}]", made->stimulus_dim), fmt::format("{} numbers", stimuli.array.size()), ""});
  const auto executor = executor_of(threads);  // for the tables only
  return compute([&] {
    design::StimulusSet set = pool_of(stimuli, made->stimulus_dim);
    const Shape shape{as_signed(set.dim)};
    auto model = std::make_unique<models::GridModel>(std::move(made), set.pool, *executor);
    return bare(std::move(model), std::move(set), shape, "Response");
  });
}

ModelHandle make_process(const Numbers& stimuli, nb::handle model, nb::handle belief, std::int64_t stimulus_dim) {
  const auto spec = spec_from<models::GaussianProcessSpec>(model, "model");
  const auto prior = spec_from<models::GaussianProcessBeliefSpec>(belief, "belief");
  const std::size_t dim = stimulus_dim > 0           ? static_cast<std::size_t>(stimulus_dim)
                          : stimuli.array.ndim() > 1 ? stimuli.array.size() / stimuli.array.shape(0)
                                                     : 1;
  return compute([&] {
    auto process = std::make_unique<models::GaussianProcess>(spec, prior, stimuli.vector(), dim);
    return bare(std::move(process), pool_of(stimuli, dim), {as_signed(dim)}, "Tuning");
  });
}

void bind_specs(nb::module_& m) {
  bind_spec<models::Axis>(m, "Axis", "The values that one parameter, or one coordinate of a stimulus, takes.", "to=10.0, num=21");
  bind_spec<models::GlmSpec>(m, "GlmSpec", "A generalised linear model: the ``model`` table of kind glm.",
                             "link='softplus', bin_ms=10.0, bias=True");
  bind_spec<models::PriorSpec>(m, "PriorSpec", "Covariance of the weights over space and lags: the table ``belief.prior``.",
                               "kind='smooth', length_px=1.5");
  bind_spec<models::GaussianBeliefSpec>(m, "GaussianBeliefSpec", "Prior and drift of a glm: the ``belief`` table.",
                                        "prior_sd=0.375, drift_per_s=0.001");
  bind_spec<models::PopulationSpec>(m, "PopulationSpec", "Cells recorded together: the table ``model.population``.",
                                    "num_cells=20, aggregate='worst'");
  bind_spec<models::TuningCurveSpec>(
      m, "TuningCurveSpec", "A Gaussian tuning curve with Poisson counts: the ``model`` table of kind tuning_curve.",
      "centre=Axis(from_=-10.0, to=10.0, num=41), width=Axis(from_=1.0, to=4.0, num=5), amplitude=Axis(values=[20.0]), "
      "baseline=Axis(values=[1.0])");
  bind_spec<models::PsychometricSpec>(
      m, "PsychometricSpec", "A Weibull psychometric function: the ``model`` table of kind psychometric.",
      "threshold=Axis(from_=-40.0, num=41), slope=Axis(values=[3.5]), guess=Axis(values=[0.5]), lapse=Axis(values=[0.02])");
  bind_spec<models::GaussianProcessSpec>(
      m, "GaussianProcessSpec", "A Gaussian process: the ``model`` table of kind gaussian_process.", "variance=2.0, length=[3.0]");
  bind_spec<models::GaussianProcessBeliefSpec>(m, "GaussianProcessBeliefSpec",
                                               "When a Gaussian process is fitted: its ``belief`` table.", "fit=True");
}

void bind_belief(nb::module_& m) {
  nb::class_<BeliefHandle>(m, "Belief",
                           R"(State of knowledge about a model's parameters. ``Model.update`` moves it; ``fork`` copies it.

``mean``, ``covariance`` and ``weights`` look into the belief itself and follow it; copy what you keep.

>>> import hartline as hl
>>> model = hl.models.glm(shape=[4])
>>> belief = model.prior()
>>> belief.mean.shape, belief.covariance.shape, belief.mean.flags.writeable
((4,), (4, 4), False)
)")
      .def_prop_ro("mean", &mean_of, nb::sig("def mean(self) -> numpy.typing.NDArray[numpy.float64]"),
                   "Mean of the parameters, [num_parameters].")
      .def_prop_ro(
          "sd", [](const BeliefHandle& b) { return hand_over(summary(b).second, {as_signed(b.model()->num_parameters)}); },
          nb::rv_policy::automatic, "Standard deviation of the parameters, [num_parameters].")
      .def_prop_ro("covariance", &covariance_of, "Covariance of the weights of a glm, [num_parameters, num_parameters].")
      .def_prop_ro("weights", &weights_of, "Probability of each node of a grid, one axis a parameter.")
      .def("marginal", &marginal_of, "parameter"_a,
           nb::sig("def marginal(self, parameter: str) -> tuple[numpy.typing.NDArray[numpy.float64], "
                   "numpy.typing.NDArray[numpy.float64]]"),
           "The values of one parameter of a grid and the probability of each.")
      .def_prop_ro(
          "parameter_names", [](const BeliefHandle& b) { return b.model()->parameter_names; }, "Names of the parameters.")
      .def(
          "fork", [](const BeliefHandle& b) { return compute(*b.mutex, [&] { return copy_of(b.lab, *b.belief); }); },
          "A copy that shares nothing.")
      .def_prop_ro(
          "digest", [](const BeliefHandle& b) { return digest_text(b.belief->digest()); }, "Hash of every bit of what is believed.")
      .def("_repr_html_",
           [](const BeliefHandle& b) {
             const std::string page = compute(
                 *b.mutex, [&] { return serve::report_page(io::to_json(serve::belief_document(*b.lab->experiment, *b.belief))); });
             return nb::module_::import_("hartline.page").attr("frame")(page);
           })
      .def("__repr__", [](const BeliefHandle& b) {
        return fmt::format("<Belief of a {} with {} parameters>", kind_of(*b.model()), b.model()->num_parameters);
      });
}

void bind_model(nb::module_& m) {
  nb::class_<models::Context>(m, "Context",
                              R"(What a response depends on besides the stimulus: what was shown and answered just before.

>>> import hartline as hl
>>> isinstance(hl.models.glm(shape=[4]).start(), hl.models.Context)
True
)")
      .def_rw("gain", &models::Context::gain, "Factor on the rate of counts.");

  nb::class_<ModelHandle>(m, "Model", R"(An encoding model: constant. Its state of knowledge is a ``Belief``.

>>> import hartline as hl, numpy as np
>>> model = hl.models.glm(shape=[3], model=hl.models.GlmSpec(bias=True))
>>> belief = model.prior()
>>> done = model.update(belief, stimulus=[1.0, 0.0, 0.0], response=4)
>>> bool(belief.mean[0] > 0), bool(belief.sd[0] < 1), model.predict(belief, np.eye(3)).shape
(True, True, (3,))
)")
      .def(
          "prior", [](const ModelHandle& m_) { return prior_of(m_.lab); }, "What is believed before the first response.")
      .def("update", &update, "belief"_a, "stimulus"_a, "response"_a.none(), "elapsed_s"_a = 0.0,
           nb::sig("def update(self, belief: Belief, stimulus: numpy.typing.ArrayLike, response: object, elapsed_s: float = 0.0) "
                   "-> dict[str, typing.Any]"),
           "Takes one response into the belief: numbers, a ``Response``, or None where it is missing. Returns ``used``, "
           "``log_evidence`` and the ``expected_response`` before it came.")
      .def("predict", &predict, "belief"_a, "stimuli"_a, "Expected response to each stimulus, averaged over the belief.")
      .def("refine", &refine, "belief"_a, "stimuli"_a, "responses"_a, "Forms the belief anew from a whole history.")
      .def(
          "start", [](const ModelHandle& m_) { return m_.get()->start(); }, "The context before the first trial.")
      .def("sample", &sample, "parameters"_a, "stimulus"_a, "stream"_a, "context"_a = nb::none(),
           "Draws a response for known parameters, [num_cells, num_bins]; moves the context on.")
      .def(
          "log_likelihood",
          [](const ModelHandle& self, const Numbers& parameters, const Numbers& stimulus, double response) {
            check_sizes(*self.get(), parameters, stimulus);
            return compute([&] { return self.get()->log_likelihood(parameters.span(), stimulus.span(), response); });
          },
          "parameters"_a, "stimulus"_a, "response"_a,
          "log p(response | parameters, stimulus), nats. Models with one response only; with states, of the first trial.")
      .def_prop_ro(
          "kind", [](const ModelHandle& m_) { return kind_of(*m_.get()); },
          "glm, grid, gaussian_process, population or candidates.")
      .def_prop_ro(
          "stimulus_dim", [](const ModelHandle& m_) { return m_.get()->stimulus_dim; }, "Values of a stimulus.")
      .def_prop_ro(
          "num_parameters", [](const ModelHandle& m_) { return m_.get()->num_parameters; }, "How many parameters there are.")
      .def_prop_ro(
          "num_cells", [](const ModelHandle& m_) { return m_.get()->num_cells; }, "Cells of a response.")
      .def_prop_ro(
          "num_bins", [](const ModelHandle& m_) { return m_.get()->num_bins; }, "Bins of a response.")
      .def_prop_ro(
          "parameter_names", [](const ModelHandle& m_) { return m_.get()->parameter_names; }, "Empty for weights of a stimulus.")
      .def("__repr__", [](const ModelHandle& m_) {
        return fmt::format("<Model {} of {} stimulus values with {} parameters>", kind_of(*m_.get()), m_.get()->stimulus_dim,
                           m_.get()->num_parameters);
      });
}

}  // namespace

BeliefHandle prior_of(Lab lab) {
  BeliefHandle out;
  out.lab = std::move(lab);
  out.belief = compute([&] { return std::shared_ptr<models::Belief>(out.model()->prior()); });
  return out;
}

BeliefHandle copy_of(const Lab& lab, const models::Belief& belief) {
  BeliefHandle out;
  out.lab = lab;
  out.belief = std::shared_ptr<models::Belief>(belief.fork());
  return out;
}

void bind_models(nb::module_& m) {
  m.doc() = "Encoding models and the beliefs about them.";
  bind_specs(m);
  bind_belief(m);
  bind_model(m);
  m.def(
      "glm", &make_glm, "shape"_a, "model"_a = nb::none(), "belief"_a = nb::none(), "num_frames"_a = 1, "isolated"_a = false,
      nb::sig(
          "def glm(shape: collections.abc.Sequence[int], model: GlmSpec | collections.abc.Mapping[str, typing.Any] | None = None, "
          "belief: GaussianBeliefSpec | collections.abc.Mapping[str, typing.Any] | None = None, num_frames: int = 1, "
          "isolated: bool = False) -> Model"),
      R"(A generalised linear model of stimuli of that shape.

>>> import hartline as hl
>>> hl.models.glm(shape=[8, 8], model={"bias": True}, belief={"prior_sd": 0.5})
<Model glm of 64 stimulus values with 65 parameters>
)");
  m.def("grid", &make_grid, "family"_a, "stimuli"_a, "threads"_a = 0,
        nb::sig("def grid(family: TuningCurveSpec | PsychometricSpec | object, stimuli: numpy.typing.ArrayLike, threads: int = 0) "
                "-> Model"),
        R"(A parametric family with a belief on the grid of its parameters: a spec, or a ``Family`` of your own.

>>> import hartline as hl, numpy as np
>>> contrast = hl.models.PsychometricSpec(threshold={"from": -40.0, "to": 0.0, "num": 41}, slope={"values": [3.5]},
...                                       guess={"values": [0.5]}, lapse={"values": [0.02]})
>>> hl.models.grid(contrast, stimuli=np.linspace(-40, 0, 41)).prior().weights.shape
(41, 1, 1, 1)
)");
  m.def("gaussian_process", &make_process, "stimuli"_a, "model"_a = nb::none(), "belief"_a = nb::none(), "stimulus_dim"_a = 0,
        nb::sig("def gaussian_process(stimuli: numpy.typing.ArrayLike, model: GaussianProcessSpec | collections.abc.Mapping[str, "
                "typing.Any] | None = None, "
                "belief: GaussianProcessBeliefSpec | collections.abc.Mapping[str, typing.Any] | None = None, stimulus_dim: int = "
                "0) -> Model"),
        R"(A Gaussian process over a pool of stimuli [num, dim].

>>> import hartline as hl, numpy as np
>>> hl.models.gaussian_process(np.linspace(0, 1, 11), model={"length": [0.2]})
<Model gaussian_process of 1 stimulus values with 11 parameters>
)");
}

}  // namespace hartline::python
