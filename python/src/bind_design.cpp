// hartline.design: how the next stimulus is chosen.
#include <fmt/format.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "base/error.hpp"
#include "bind_spec.hpp"
#include "convert.hpp"
#include "design/feasible_set.hpp"
#include "handles.hpp"
#include "turn.hpp"

using namespace nanobind::literals;

namespace hartline::python {

namespace {

/// A design with all that it refers to.
struct Kept {
  design::StimulusSet set;
  Lab lab;
  std::shared_ptr<Executor> executor;
  std::unique_ptr<design::Design> design;
};

design::StimulusSet ball(std::int64_t dim, double power, std::optional<double> low, std::optional<double> high) {
  design::StimulusSet set;
  set.dim = static_cast<std::size_t>(std::max<std::int64_t>(0, dim));
  set.power = power;
  if (low.has_value() != high.has_value()) throw SpecError({"high", "given with low", "one of them", ""});
  if (low) {
    set.low = {*low};
    set.high = {*high};
    set.shape = design::SetKind::ball_in_box;
  }
  design::check_set(set);
  return set;
}

design::StimulusSet box(std::int64_t dim, double low, double high) {
  design::StimulusSet set;
  set.dim = static_cast<std::size_t>(std::max<std::int64_t>(0, dim));
  set.low = {low};
  set.high = {high};
  set.shape = design::SetKind::box;
  design::check_set(set);
  return set;
}

design::StimulusSet pool(const Numbers& stimuli, bool once) {
  design::StimulusSet set;
  set.pool = stimuli.vector();
  set.dim = stimuli.array.ndim() > 1 && stimuli.array.shape(0) > 0 ? stimuli.array.size() / stimuli.array.shape(0) : 1;
  set.once = once;
  if (set.pool.empty()) throw SpecError({"stimuli", "at least one", "none", ""});
  return set;
}

nb::object stimuli_of(nb::handle self) {
  const auto& set = nb::cast<const design::StimulusSet&>(self);
  if (set.pool.empty()) return nb::none();
  return nb::cast(view_of(set.pool.data(), {static_cast<std::int64_t>(set.num()), static_cast<std::int64_t>(set.dim)}, self));
}

DesignHandle make(const design::StimulusSet& stimuli, const ModelHandle& model, nb::handle spec, std::uint64_t seed, int threads) {
  DesignHandle out;
  if (nb::isinstance<design::DesignSpec>(spec))
    out.spec = nb::cast<const design::DesignSpec&>(spec);
  else if (!spec.is_none())
    read_table(table_from(spec, "design"), {"design", ""}, out.spec);
  auto kept = std::make_shared<Kept>();
  kept->set = stimuli;
  kept->lab = model.lab;
  kept->executor = executor_of(threads);
  if (stimuli.dim != model.get()->stimulus_dim)
    throw SpecError(
        {"stimuli", fmt::format("of {} values, as the model's", model.get()->stimulus_dim), fmt::format("{}", stimuli.dim), ""});
  compute([&] {
    const auto prior = model.get()->prior();
    kept->design = design::make_design(out.spec, kept->set, model.get()->capability(*prior), model.get()->parameter_names, seed,
                                       *kept->executor);
  });
  out.lab = model.lab;
  out.design = std::shared_ptr<const design::Design>(kept, kept->design.get());
  return out;
}

/// The belief as a design sees it.
models::Capability sight(const DesignHandle& self, const PlanHandle& plan, const BeliefHandle& belief) {
  if (self.design != plan.design) throw SpecError({"plan", "a plan of this design", "one of another", "Take design.make_plan()."});
  if (self.lab != belief.lab) throw SpecError({"belief", "of the design's model", "one of another model", ""});
  return belief.model()->capability(*belief.belief);
}

design::Choice choose(const DesignHandle& self, PlanHandle& plan, const BeliefHandle& belief, std::uint64_t trial,
                      std::optional<std::int64_t> max_units) {
  design::Choice out;
  design::Budget budget;
  if (max_units) budget.max_units = *max_units;
  compute(*plan.mutex, *belief.mutex, [&] { self.design->choose(*plan.plan, sight(self, plan, belief), trial, budget, out); });
  return out;
}

nb::object utilities(const DesignHandle& self, PlanHandle& plan, const BeliefHandle& belief) {
  std::vector<double> out;
  compute(*plan.mutex, *belief.mutex, [&] { out = self.design->utilities(*plan.plan, sight(self, plan, belief)); });
  const auto num = static_cast<std::int64_t>(out.size());
  return nb::cast(hand_over(std::move(out), {num}));
}

void follow(const DesignHandle& self, PlanHandle& plan, const BeliefHandle& belief, const design::Choice* shown) {
  compute(*plan.mutex, *belief.mutex, [&] {
    self.design->follow(*plan.plan, sight(self, plan, belief), shown ? shown->pool_index : -1,
                        shown ? std::span<const double>(shown->values) : std::span<const double>{}, std::nan(""));
  });
}

}  // namespace

DesignHandle design_of(const Lab& lab, std::size_t arm) {
  const loop::Arm& a = lab->experiment->arms[arm];
  return {std::shared_ptr<const design::Design>(lab, a.design.get()), lab, a.spec};
}

void bind_design(nb::module_& m) {
  m.doc() = "How the next stimulus is chosen.";
  bind_spec<design::LookaheadSpec>(m, "LookaheadSpec", "Trials ahead that a choice thinks of: the table ``design.lookahead``.",
                                   "depth=2, width=12");
  bind_spec<design::DesignSpec>(m, "DesignSpec", "How the next stimulus is chosen: the ``design`` table.",
                                "kind='random', law='gaussian', law_sd=0.5");

  nb::class_<design::StimulusSet>(m, "StimulusSet", R"(The stimuli that may be shown: made by ``ball``, ``box`` or ``pool``.

>>> import hartline as hl, numpy as np
>>> hl.design.pool(np.eye(3)).stimuli.shape
(3, 3)
)")
      .def_prop_ro(
          "dim", [](const design::StimulusSet& s) { return s.dim; }, "Values of a stimulus.")
      .def_prop_ro("stimuli", &stimuli_of, nb::sig("def stimuli(self) -> numpy.typing.NDArray[numpy.float64] | None"),
                   "The members of a pool [num, dim], read only; None for another set.")
      .def("__len__", &design::StimulusSet::num, "Members of the pool; 0 for another set.");
  m.def("ball", &ball, "dim"_a, "power"_a = 1.0, "low"_a = nb::none(), "high"_a = nb::none(),
        R"(Stimuli with |x|² <= power, within low and high where those are given.

>>> import hartline as hl
>>> hl.design.ball(dim=64).dim
64
)");
  m.def("box", &box, "dim"_a, "low"_a, "high"_a, R"(Stimuli with low <= x_i <= high.

>>> import hartline as hl
>>> hl.design.box(dim=2, low=-1, high=1).dim
2
)");
  m.def("pool", &pool, "stimuli"_a, "once"_a = false, R"(Finitely many stimuli [num, dim]; ``once``: each may be shown once.

>>> import hartline as hl, numpy as np
>>> len(hl.design.pool(np.linspace(0, 1, 5)))
5
)");

  nb::class_<design::Choice>(m, "Choice", R"(A stimulus chosen.

>>> import hartline as hl
>>> model = hl.models.glm(shape=[2])
>>> design = hl.design.Design(hl.design.pool([[1, 0], [0, 2]]), model)
>>> choice = design.choose(design.make_plan(), model.prior())
>>> choice.pool_idx, choice.stimulus
(1, array([0., 2.]))
)")
      .def_prop_ro(
          "stimulus",
          [](nb::handle self) {
            const auto& c = nb::cast<const design::Choice&>(self);
            return view_of(c.values.data(), {static_cast<std::int64_t>(c.values.size())}, self);
          },
          "The stimulus as numbers [dim], read only.")
      .def_prop_ro(
          "pool_idx",
          [](const design::Choice& c) { return c.pool_index >= 0 ? std::optional<std::int64_t>(c.pool_index) : std::nullopt; },
          "Which member of the pool it is; None for another set.")
      .def_prop_ro(
          "utility", [](const design::Choice& c) { return c.utility; }, "What it is worth; NaN for a draw.")
      .def_prop_ro(
          "units", [](const design::Choice& c) { return c.units; }, "Units of search work done.")
      .def_prop_ro(
          "total", [](const design::Choice& c) { return c.total; }, "With look-ahead: of the trials thought of, together.")
      .def_prop_ro(
          "lead", [](const design::Choice& c) { return c.lead; },
          "With look-ahead: by how much that is more than for the choice that thinks of one trial less.")
      .def_prop_ro(
          "lead_error", [](const design::Choice& c) { return c.lead_error; }, "Standard error of the lead; 0: exact.")
      .def_prop_ro(
          "explored", [](const design::Choice& c) { return c.explored; }, "Drawn by the design's exploration share.")
      .def("__repr__", [](const design::Choice& c) {
        return c.pool_index >= 0 ? fmt::format("Choice(pool_idx={}, utility={})", c.pool_index, c.utility)
                                 : fmt::format("Choice(utility={})", c.utility);
      });

  nb::class_<PlanHandle>(m, "Plan", R"(State of a design: what was shown so far. Made by ``Design.make_plan``.

>>> import hartline as hl
>>> design = hl.Experiment.example("gabor").design()
>>> isinstance(design.make_plan(), hl.design.Plan)
True
)");

  nb::class_<DesignHandle>(m, "Design", R"(How the next stimulus is chosen from a belief: constant. Its state is a ``Plan``.

>>> import hartline as hl, numpy as np
>>> model = hl.models.glm(shape=[2])
>>> design = hl.design.Design(hl.design.pool(np.eye(2)), model, spec=hl.design.DesignSpec(utility="mutual_information"))
>>> plan, belief = design.make_plan(), model.prior()
>>> choice = design.choose(plan, belief, trial=0)
>>> bool(np.max(design.utilities(plan, belief)) == choice.utility)
True
)")
      .def(
          "__init__",
          [](DesignHandle* self, const design::StimulusSet& stimuli, const ModelHandle& model, nb::handle spec, std::uint64_t seed,
             int threads) { new (self) DesignHandle(make(stimuli, model, spec, seed, threads)); },
          "stimuli"_a, "model"_a, "spec"_a = nb::none(), "seed"_a = 1, "threads"_a = 0,
          nb::sig("def __init__(self, stimuli: StimulusSet, model: hartline._engine.models.Model, spec: DesignSpec | "
                  "collections.abc.Mapping[str, typing.Any] | None = None, seed: int = 1, threads: int = 0) -> None"),
          "``spec``: the design table; ``seed``: of random designs and of ties.")
      .def_prop_ro(
          "spec", [](const DesignHandle& d) { return d.spec; }, "The design table, a copy.")
      .def(
          "make_plan",
          [](const DesignHandle& d) {
            PlanHandle out;
            out.design = d.design;
            compute([&] {
              out.plan = std::shared_ptr<design::Plan>(d.design->make_plan());
              const models::Model& model = *d.lab->experiment->model;
              const auto prior = model.prior();
              d.design->follow(*out.plan, model.capability(*prior), -1, {}, std::nan(""));
            });
            return out;
          },
          "The state before the first trial.")
      .def("choose", &choose, "plan"_a, "belief"_a, "trial"_a = 0, "max_units"_a = nb::none(),
           "The stimulus for a trial. The same plan, belief, trial and units give the same bytes.")
      .def(
          "utilities", &utilities, "plan"_a, "belief"_a,
          nb::sig("def utilities(self, plan: Plan, belief: hartline._engine.models.Belief) -> numpy.typing.NDArray[numpy.float64]"),
          "The utility of every member of the pool; empty for another set or a design without one.")
      .def("follow", &follow, "plan"_a, "belief"_a, "shown"_a = nb::none(),
           "Takes note: ``shown`` was decided on, or (None) a response changed the belief.")
      .def("__repr__", [](const DesignHandle& d) { return fmt::format("<Design {}>", described::repr(d.spec)); });
}

}  // namespace hartline::python
