#include "dynamics/group.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.hpp"
#include "dynamics/changes.hpp"
#include "dynamics/quantities.hpp"
#include "equations/differentiate.hpp"

namespace hartline::dynamics {

using equations::Differential;
using equations::Dynamics;
using equations::Op;
using equations::Replacement;

namespace {

constexpr std::size_t line = 16;                   // numbers that rows are padded to
constexpr const char* until = "refractory until";  // no text can use these
constexpr const char* within = "step within a step";

/// Builds one group.
class Builder {
 public:
  Builder(const std::string& name, const NeuronsSpec& spec, const std::vector<TimedArray>& arrays, double dt_s,
          const std::string& path)
      : spec_(spec), path_(path), dt_s_(dt_s), names_(path) {
    out_.name = name;
    out_.num = static_cast<std::size_t>(spec.num);
    out_.stride = (out_.num + line - 1) / line * line;
    out_.arrays = arrays;
    out_.count = static_cast<double>(out_.num);
    out_.numbers.resize(out_.stride);
    std::iota(out_.numbers.begin(), out_.numbers.end(), 0.0);
  }

  Group build() {
    names_.declare_time();
    names_.declare_neurons();
    names_.declare_arrays(out_.arrays, out_.num);
    const std::vector<QuantityText> slopes = read_equations(names_, spec_.equations, path_ + ".equations");
    out_.num_variables = out_.num_checked = names_.quantities.size();
    if (spec_.method == "rodas4" && !slopes.empty()) {
      names_.declare({within, *unit_named("s"), "s", true, true}, path_ + ".method");
      ++out_.num_variables;
    }
    const bool spikes = !spec_.threshold.empty();
    if (!spec_.refractory.empty()) {
      if (!spikes)
        throw SpecError({path_ + ".refractory", "left out where there is no threshold", "\"" + spec_.refractory + "\"", ""});
      const bool lasts = Names::is_condition(spec_.refractory, path_ + ".refractory");  // then it is looked at in every step
      names_.declare({until, *unit_named("s"), "s", lasts, true}, path_ + ".refractory");
      if (lasts) ++out_.num_variables;
    }
    const std::vector<QuantityText> parameters = read_parameters(names_, spec_.parameters, spec_.own, path_ + ".parameters");
    check_keys();

    slopes_ = lower_slopes(names_, slopes);
    if (spikes) lower_event("spike", spec_.threshold, spec_.reset, path_ + ".threshold", path_ + ".reset");
    if (!spikes && !spec_.reset.empty()) throw SpecError({path_ + ".reset", "left out where there is no threshold", "a reset", ""});
    out_.spikes = spikes;
    read_trains();
    for (const auto& [event, value] : spec_.events.items) {
      const std::string at = path_ + ".events." + event;
      if (!value.table()) throw SpecError({at, "a table with when and change", display(value), ""});
      EventSpec read;
      read_table(*value.table(), {at, ""}, read);
      if (event == "spike") throw SpecError({at, "another name", "\"spike\"", "threshold and reset say what a spike is."});
      lower_event(event, read.when, read.change, at + ".when", at + ".change");
    }
    lower_refractory();
    starts_ = lower_starts(names_, spec_.start, parameters, path_);
    erase();
    integrate();
    compile();
    out_.quantities = names_.quantities;
    out_.given = names_.given;
    out_.given.resize(names_.graph.num_symbols(), {Role::propagator, 0, false});
    return std::move(out_);
  }

 private:
  /// Spikes that are given are events that no condition makes.
  void read_trains() {
    const std::string at = path_ + ".spike_times_ms";
    const std::size_t num = spec_.spike_times_ms.size();
    if (spec_.spike_neurons.size() != num)
      throw SpecError({path_ + ".spike_neurons", fmt::format("{} numbers, as many as spike_times_ms", num),
                       std::to_string(spec_.spike_neurons.size()), ""});
    if (num == 0) return;
    if (out_.spikes) throw SpecError({at, "left out where there is a threshold", fmt::format("{} times", num), ""});
    for (std::size_t k = 0; k < num; ++k) {
      const std::int64_t neuron = spec_.spike_neurons[k];
      if (neuron >= spec_.num)
        throw SpecError(
            {fmt::format("{}.spike_neurons[{}]", path_, k), fmt::format("0 to {}", spec_.num - 1), std::to_string(neuron), ""});
      out_.trains.emplace_back(std::llround(spec_.spike_times_ms[k] * 1e-3 / dt_s_), static_cast<std::int32_t>(neuron));
    }
    std::sort(out_.trains.begin(), out_.trains.end());
    const auto twice = std::adjacent_find(out_.trains.begin(), out_.trains.end());
    if (twice != out_.trains.end())
      throw SpecError(
          {at, "one spike of a neuron in a step",
           fmt::format("two of neuron {} at {} ms", twice->second, number_text(static_cast<double>(twice->first) * dt_s_ * 1e3)),
           ""});
    Event event;
    event.name = "spike";
    out_.events.push_back(std::move(event));
    conditions_.push_back(
        names_.graph.plain(equations::make_node(Op::less, {names_.graph.constant(0), names_.graph.constant(0)}, {}, true)));
    changes_.emplace_back();
    out_.spikes = out_.given_spikes = true;
  }

  void check_keys() const {
    for (const std::string& held : spec_.held) {
      const bool known = std::any_of(names_.quantities.begin(), names_.quantities.end(),
                                     [&](const Quantity& q) { return q.is_variable && q.name == held; });
      if (!known)
        throw SpecError({path_ + ".held", "names of variables", "\"" + held + "\"", did_you_mean(held, variable_names())});
      if (spec_.refractory.empty())
        throw SpecError({path_ + ".held", "left out where nothing is refractory", "\"" + held + "\"", ""});
    }
  }
  std::vector<std::string_view> variable_names() const {
    std::vector<std::string_view> out;
    for (const Quantity& q : names_.quantities)
      if (q.is_variable && q.name != until && q.name != within) out.push_back(q.name);
    return out;
  }

  Id value_of(const std::string& quantity) { return names_.graph.symbol_value(names_.symbol_of(quantity)); }

  void lower_event(const std::string& name, const std::string& when, const std::vector<std::string>& changes,
                   const std::string& when_path, const std::string& changes_path) {
    Event event;
    event.name = name;
    if (!Names::is_condition(when, when_path))
      throw SpecError({when_path, "a condition, for example \"v > -50 mV\"", "\"" + when + "\"", ""});
    conditions_.push_back(names_.condition(when, when_path));
    std::vector<Id> values;
    for (const Change& change :
         read_changes(names_, {{Role::quantity, &names_.quantities, "", "neuron", false}}, changes, changes_path)) {
      event.targets.push_back(change.quantity);
      values.push_back(change.value);
    }
    out_.events.push_back(std::move(event));
    changes_.push_back(std::move(values));
  }

  /// A neuron is refractory while t + dt / 2 is before `until`; a condition makes that infinite until it no longer holds.
  void lower_refractory() {
    if (spec_.refractory.empty()) return;
    equations::Graph& g = names_.graph;
    const std::string at = path_ + ".refractory";
    lasts_ = Names::is_condition(spec_.refractory, at) ? names_.condition(spec_.refractory, at) : equations::no_id;
    const Id end = lasts_ != equations::no_id
                       ? g.constant(std::numeric_limits<double>::infinity(), unit_named("s")->dimension)
                       : g.plain(equations::make_node(
                             Op::add, {value_of("t"), names_.lower("refractory", spec_.refractory, at, *unit_named("s"), "ms")},
                             unit_named("s")->dimension));
    const auto target = static_cast<std::size_t>(
        std::find_if(names_.quantities.begin(), names_.quantities.end(), [](const Quantity& q) { return q.name == until; }) -
        names_.quantities.begin());
    out_.events[0].targets.push_back(target);
    changes_[0].push_back(end);
  }

  void erase() {
    std::vector<Id*> roots;
    for (auto* list : {&slopes_, &conditions_, &starts_})
      for (Id& id : *list) roots.push_back(&id);
    for (auto& values : changes_)
      for (Id& id : values) roots.push_back(&id);
    if (lasts_ != equations::no_id) roots.push_back(&lasts_);
    names_.erase(std::move(roots));
    resolve_starts(names_, starts_, path_);
  }

  void integrate() {
    equations::Graph& g = names_.graph;
    if (spec_.method == "rodas4") stop_held();
    Dynamics dynamics = dynamics_of(names_, slopes_);
    dynamics.is_shared = [this](std::uint32_t symbol) {
      return !names_.varies(symbol) && names_.given[symbol].role != Role::array;
    };
    if (slopes_.empty()) {
      out_.method = equations::Method::exact;
      out_.reason = "there are no differential equations";
      return;
    } else if (spec_.method == "auto") {
      equations::Advice advice = equations::advise(g, dynamics);
      out_.method = advice.method;
      out_.reason = std::move(advice.reason);
    } else {
      for (const equations::MethodName& known : equations::methods())
        if (known.name == spec_.method) out_.method = known.method;
      out_.reason = "it was asked for";
    }
    try {
      equations::Integrated integrated = equations::integrate(g, dynamics, out_.method);
      next_ = std::move(integrated.next);
      propagators_ = std::move(integrated.propagator);
      if (!integrated.error.empty()) step_within(integrated.error);
      out_.in_place = out_.method == equations::Method::exact;
    } catch (const SpecError& error) {
      throw SpecError({path_ + (error.fault.path == "method" ? "." : ".equations.") + error.fault.path, error.fault.requirement,
                       error.fault.got, error.fault.hint});
    }
  }

  /// Whether a neuron is refractory in a step from `t`, of length `dt`; a condition has to hold besides.
  Id middle(Id t, Id dt) { return names_.graph.add(t, names_.graph.multiply(names_.graph.constant(0.5), dt)); }
  Id waits(Id t, Id dt) { return names_.graph.apply(Op::less, middle(t, dt), value_of(until)); }
  Id is_free(Id t, Id dt) {
    equations::Graph& g = names_.graph;
    return lasts_ == equations::no_id ? g.apply(Op::less_equal, value_of(until), middle(t, dt))
                                      : g.apply(Op::negation, g.apply(Op::both, waits(t, dt), lasts_));
  }
  bool is_held(std::size_t quantity) const {
    return std::find(spec_.held.begin(), spec_.held.end(), names_.quantities[quantity].name) != spec_.held.end();
  }

  /// Variables that are held have no slope for a whole step; time in a step within it is another.
  void stop_held() {
    if (spec_.refractory.empty()) return;
    equations::Graph& g = names_.graph;
    const Id t = g.symbol_value(names_.stand_for("start of the step", {Role::time, 0, false}));
    const Id dt = g.symbol_value(names_.stand_for("length of the step", {Role::dt, 0, false}));
    for (std::size_t k = 0; k < slopes_.size(); ++k)
      if (is_held(k)) slopes_[k] = g.where(waits(t, dt), g.constant(0), slopes_[k]);
  }

  /// next_ becomes a trial of a step within a step; what is left of it is where all of them have led.
  void step_within(const std::vector<Id>& error) {
    equations::Graph& g = names_.graph;
    const std::size_t num = out_.num_integrated = next_.size();
    const Replacement inside[] = {
        {names_.dt(), g.symbol_value(names_.stand_for("length within", {Role::substep, 0, true}))},
        {names_.time(), g.add(value_of("t"), g.symbol_value(names_.stand_for("elapsed within", {Role::elapsed, 0, true})))}};
    std::vector<Id> outputs = equations::replace(g, next_, inside);
    const std::vector<Id> errors = equations::replace(g, error, inside);
    Id sum = g.constant(0);
    std::vector<Replacement> after;
    for (std::size_t k = 0; k < num; ++k) {
      const Id x = value_of(names_.quantities[k].name);
      const Id size = g.apply(Op::max, g.constant(names_.quantities[k].unit.scale),
                              g.apply(Op::max, g.apply(Op::abs, x), g.apply(Op::abs, outputs[k])));
      const Id share = g.divide(errors[k], g.multiply(g.constant(spec_.tolerance), size));
      sum = g.add(sum, g.multiply(share, share));
      after.push_back({names_.symbol_of(names_.quantities[k].name), outputs[k]});
    }
    outputs.push_back(g.apply(Op::sqrt, g.divide(sum, g.constant(static_cast<double>(num)))));
    if (spec_.reset.empty()) {
      outputs.push_back(g.constant(0));
    } else {
      Id met = equations::replace(g, std::span<const Id>(conditions_.data(), 1), after)[0];
      if (!spec_.refractory.empty()) met = g.apply(Op::both, met, is_free(value_of("t"), value_of("dt")));
      outputs.push_back(g.where(met, g.constant(1), g.constant(0)));
    }
    out_.trial = make_formula(names_, outputs);
    for (std::size_t k = 0; k <= num; ++k) {
      const Id end = g.symbol_value(names_.stand_for("integrated", {Role::integrated, k, true}));
      if (k < num)
        next_[k] = end;
      else
        next_.push_back(end);
    }
  }

  void compile() {
    equations::Graph& g = names_.graph;
    std::vector<Replacement> later;
    Id free = equations::no_id;  // not refractory
    if (!spec_.refractory.empty()) {
      const Id now = value_of("t"), dt = value_of("dt");
      free = is_free(now, dt);
      for (std::size_t k = 0; k < next_.size(); ++k)
        if (is_held(k)) next_[k] = g.where(waits(now, dt), value_of(names_.quantities[k].name), next_[k]);
      if (lasts_ != equations::no_id)  // as long as the condition holds where the step begins
        next_.push_back(g.where(free, g.constant(0), value_of(until)));
    }
    for (std::size_t k = 0; k < next_.size(); ++k) later.push_back({names_.symbol_of(names_.quantities[k].name), next_[k]});
    std::vector<Id> outputs = next_;
    const std::vector<Id> met = equations::replace(g, conditions_, later);
    for (std::size_t k = 0; k < met.size(); ++k) {
      const Id happens = k == 0 && free != equations::no_id ? g.apply(Op::both, met[k], free) : met[k];
      outputs.push_back(g.where(happens, g.constant(1), g.constant(0)));
    }
    if (met.empty()) outputs.push_back(g.constant(0));
    // 0 x is 0, or NaN where x is not finite: one row tells both what happens and what went wrong
    if (out_.num_checked > 0) {
      Id sum = next_[0];
      for (std::size_t k = 1; k < out_.num_checked; ++k) sum = g.plain(equations::make_node(Op::add, {sum, next_[k]}));
      const Id zero = g.plain(equations::make_node(Op::multiply, {sum, g.constant(0)}));
      outputs[next_.size()] = g.plain(equations::make_node(Op::add, {outputs[next_.size()], zero}));
    }
    out_.update = make_formula(names_, outputs);
    for (std::size_t k = 0; k < changes_.size(); ++k)
      if (!changes_[k].empty()) out_.events[k].change = make_formula(names_, changes_[k]);
    out_.start = make_formula(names_, starts_);
    for (const auto& values : changes_) outputs.insert(outputs.end(), values.begin(), values.end());
    out_.uses_array.assign(out_.arrays.size(), false);
    for (std::uint32_t s = 0; s < names_.given.size(); ++s)
      if (names_.given[s].role == Role::array)
        out_.uses_array[names_.given[s].at] =
            std::any_of(outputs.begin(), outputs.end(), [&](Id id) { return equations::depends_on(g, id, s); });
    for (const equations::Propagator& propagator : propagators_) {
      out_.rates.push_back(make_formula(names_, propagator.rates));
      out_.propagator_at.push_back(0);
    }
  }

  const NeuronsSpec& spec_;
  const std::string& path_;
  double dt_s_;
  Names names_;
  Group out_;
  std::vector<Id> slopes_, conditions_, starts_, next_;
  std::vector<std::vector<Id>> changes_;  // of each event
  std::vector<equations::Propagator> propagators_;
  Id lasts_ = equations::no_id;
};

}  // namespace

Formula make_formula(Names& names, std::span<const Id> outputs) {
  Formula out;
  out.kernel = equations::make_kernel(names.graph, outputs, names.all_varies());
  out.num_outputs = outputs.size();
  equations::for_each_needed(names.graph, outputs, [&](Id id) { out.work += names.graph.at(id).op >= Op::exp ? 10 : 1; });
  for (std::uint32_t s = 0; s < names.given.size(); ++s) {
    const Role role = names.given[s].role;
    if (role != Role::noise && role != Role::random && role != Role::randn) continue;
    if (std::any_of(outputs.begin(), outputs.end(), [&](Id id) { return equations::depends_on(names.graph, id, s); }))
      out.random.push_back(s);
  }
  return out;
}

Group make_group(const std::string& name, const NeuronsSpec& spec, const std::vector<TimedArray>& arrays, double dt_s,
                 const std::string& path) {
  return Builder(name, spec, arrays, dt_s, path).build();
}

void place(std::span<Quantity> quantities, std::size_t stride, bool two, Layout& layout) {
  for (Quantity& quantity : quantities) {
    quantity.apart = quantity.is_variable && two ? stride : 0;
    const std::size_t num = (quantity.is_own ? stride : 1) + quantity.apart;
    quantity.offset = quantity.is_narrow ? layout.floats(num) : layout.doubles(num);
  }
}

void place(Group& group, Layout& layout) {
  place(group.quantities, group.stride, !group.in_place, layout);
  for (Event& event : group.events) {
    event.counts = layout.integers(event.num_slots);
    event.ids = layout.integers(event.num_slots * group.num);
  }
  for (std::size_t k = 0; k < group.rates.size(); ++k) group.propagator_at[k] = layout.doubles(2 * group.rates[k].num_outputs);
}

const Quantity* Group::find(std::string_view wanted) const {
  for (const Quantity& quantity : quantities)
    if (quantity.name == wanted) return &quantity;
  return nullptr;
}

}  // namespace hartline::dynamics
