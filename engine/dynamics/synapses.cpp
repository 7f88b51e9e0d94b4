#include "dynamics/synapses.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/error.hpp"
#include "dynamics/changes.hpp"
#include "dynamics/quantities.hpp"
#include "dynamics/wiring.hpp"
#include "equations/differentiate.hpp"

namespace hartline::dynamics {

using equations::Op;
using equations::Replacement;

namespace {

constexpr std::size_t line = 16;
constexpr const char* last_change = "last change";  // no text can use it

/// Builds synapses.
class Builder {
 public:
  Builder(const std::string& name, const SynapsesSpec& spec, std::vector<Group>& groups, const StartRows& rows, std::size_t index,
          std::uint64_t seed, double dt_s, const std::string& path)
      : spec_(spec), groups_(groups), rows_(rows), seed_(seed), dt_s_(dt_s), path_(path), names_(path) {
    out_.name = name;
    out_.index = index;
    out_.owner = groups.size() + index;
  }

  Synapses build() {
    out_.from = part_named(spec_.from, path_ + ".from");
    out_.to = part_named(spec_.to, path_ + ".to");
    const Group &from = groups_[out_.from.group], &to = groups_[out_.to.group];
    names_.declare_time();
    names_.declare_synapses();
    names_.declare_group(from.quantities, Role::pre, "_pre");
    names_.declare_group(to.quantities, Role::post, "_post");
    const std::vector<QuantityText> slopes = read_equations(names_, spec_.equations, path_ + ".equations");
    out_.num_variables = names_.quantities.size();
    const std::vector<QuantityText> parameters = read_parameters(names_, spec_.parameters, spec_.own, path_ + ".parameters");
    slopes_ = lower_slopes(names_, slopes);
    choose_method();
    const std::vector<Changeable> owners{{Role::quantity, &names_.quantities, "", "synapse", false},
                                         {Role::post, &to.quantities, "_post", "neuron", true}};
    on_pre_ = read_changes(names_, owners, spec_.on_pre, path_ + ".on_pre");
    on_post_ = read_changes(names_, owners, spec_.on_post, path_ + ".on_post");
    lower_sums(to);
    starts_ = lower_starts(names_, spec_.start, parameters, path_);
    const auto lowered = [&](const std::string& text, const char* key, const Unit& unit, const char* words) {
      return text.empty() ? equations::no_id : names_.lower("", text, path_ + "." + key, unit, words);
    };
    rules_.probability = lowered(spec_.connect.probability, "connect.probability", {}, "1");
    if (!spec_.connect.condition.empty())
      rules_.condition = names_.condition(spec_.connect.condition, path_ + ".connect.condition");
    rules_.delay = lowered(spec_.delay, "delay", *unit_named("s"), "ms");
    rules_.delay_post = lowered(spec_.delay_post, "delay_post", *unit_named("s"), "ms");
    erase();
    wire();
    effects();
    out_.quantities = names_.quantities;
    out_.given = names_.given;
    return std::move(out_);
  }

 private:
  Part part_named(const std::string& text, const std::string& path) const {
    std::string name = text;
    std::optional<std::pair<std::size_t, std::size_t>> range;
    if (const std::size_t open = text.find('['); open != std::string::npos) {
      name = text.substr(0, open);
      std::size_t low = 0, high = 0;
      int end = 0;
      if (std::sscanf(text.c_str() + open, "[%zu:%zu]%n", &low, &high, &end) != 2 ||
          text[open + static_cast<std::size_t>(end)] != '\0' || low >= high)
        throw SpecError({path, "name[first:end] with first < end", "\"" + text + "\"", ""});
      range = {low, high};
    }
    std::vector<std::string_view> known;
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      known.push_back(groups_[g].name);
      if (groups_[g].name != name) continue;
      if (!range) return {g, 0, groups_[g].num};
      if (range->second > groups_[g].num)
        throw SpecError({path, fmt::format("within the {} neurons of {}", groups_[g].num, name), "\"" + text + "\"", ""});
      return {g, range->first, range->second - range->first};
    }
    throw SpecError({path, "a group of neurons", "\"" + name + "\"", did_you_mean(name, known)});
  }

  /// Variables go on at spikes where each is linear in itself and needs nothing that changes in between.
  void choose_method() {
    if (slopes_.empty()) return;
    bool fits = true;
    for (const Id slope : slopes_)
      for (const Role role : {Role::pre, Role::post, Role::time, Role::noise}) fits = fits && !names_.depends_on_role(slope, role);
    out_.every_step = spec_.method == "every_step" || (spec_.method == "auto" && !fits);
    if (spec_.method == "event" && !fits)
      throw SpecError({path_ + ".method", "every_step or auto where equations need what changes between spikes", "\"event\"", ""});
    out_.reason = out_.every_step ? "variables go on every step" : "variables are worked out when a spike comes";
    if (out_.every_step) return;
    out_.has_last = true;
    out_.last = names_.quantities.size();
    names_.declare({last_change, *unit_named("s"), "s", true, true, 0}, path_);
  }

  void lower_sums(const Group& to) {
    for (const auto& [name, value] : spec_.summed.items) {
      const std::string at = path_ + ".summed." + name, text = text_at(value, at, "g * (v_pre - v_post) : nA");
      const Quantity* quantity = to.find(name);
      if (!quantity || quantity->is_variable || !quantity->is_own)
        throw SpecError({path_ + ".summed", fmt::format("parameters that each neuron of {} has", to.name), "\"" + name + "\"",
                         quantity && !quantity->is_variable ? fmt::format("List it there: own = [\"{}\"].", name) : ""});
      sums_.push_back(names_.lower(name, text, at, quantity->unit, quantity->unit_text));
      out_.sums.push_back({static_cast<std::size_t>(quantity - to.quantities.data()), {}, {}});
    }
  }

  void erase() {
    std::vector<Id*> roots;
    for (auto* list : {&slopes_, &sums_, &starts_})
      for (Id& id : *list) roots.push_back(&id);
    for (auto* changes : {&on_pre_, &on_post_})
      for (Change& change : *changes) roots.push_back(&change.value);
    const std::pair<const char*, Id*> rules[] = {{"connect.probability", &rules_.probability},
                                                 {"connect.condition", &rules_.condition},
                                                 {"delay", &rules_.delay},
                                                 {"delay_post", &rules_.delay_post}};
    for (const auto& [key, id] : rules)
      if (*id != equations::no_id) roots.push_back(id);
    names_.erase(std::move(roots));
    resolve_starts(names_, starts_, path_);
    for (const auto& [key, id] : rules)
      if (*id != equations::no_id && names_.depends_on_role(*id, Role::quantity))
        throw SpecError({path_ + "." + key, "made of i, j and what neurons start with", "a quantity of the synapses", ""});
  }

  void wire() {
    Wirer wirer(names_, out_.from, out_.to, groups_, rows_, seed_, out_.index, dt_s_, path_);
    out_.wiring = wirer.draw(spec_.connect, rules_);
    Wiring& w = out_.wiring;
    out_.num = w.num();
    out_.stride = (out_.num + line - 1) / line * line;
    if (!on_pre_.empty()) remember(out_.from.group, w.lags.empty() ? 0 : w.lags.back(), path_ + ".from");
    if (on_post_.empty() && rules_.delay_post != equations::no_id)
      throw SpecError({path_ + ".delay_post", "left out without on_post", "\"" + spec_.delay_post + "\"", ""});
    if (!on_post_.empty())
      remember(out_.to.group, out_.on_post.lag = wirer.steps_of(rules_.delay_post, "delay_post"), path_ + ".to");
    if (!on_post_.empty() || !sums_.empty()) wirer.index_targets(w);
  }

  /// Spikes of a group are kept until they have arrived.
  void remember(std::size_t group, std::int32_t lag, const std::string& path) {
    Group& g = groups_[group];
    if (!g.spikes) throw SpecError({path, "a group whose neurons spike", "\"" + g.name + "\", which has no threshold", ""});
    g.events[0].num_slots = std::max(g.events[0].num_slots, static_cast<std::size_t>(lag) + 1);
  }

  // --- effects
  // ---------------------------------------------------------------------------------------------------------------------

  /// Variables as they are at a spike: those that stood still since the last change go on until now.
  std::vector<Replacement> until_now() {
    if (!out_.has_last) return {};
    equations::Graph& g = names_.graph;
    equations::Dynamics dynamics = dynamics_of(names_, slopes_);
    dynamics.is_shared = [](std::uint32_t) { return true; };
    const auto linear = equations::advise(g, dynamics);
    if (linear.method != equations::Method::exact)
      throw SpecError({path_ + ".equations", "linear where variables are worked out at spikes", "others",
                       "method = \"every_step\" takes any."});
    std::vector<Id> next;
    try {
      next = equations::integrate(g, dynamics, equations::Method::exponential_euler).next;
    } catch (const SpecError& error) {
      throw SpecError({path_ + ".equations." + error.fault.path, error.fault.requirement, error.fault.got, error.fault.hint});
    }
    for (std::size_t k = 0; k < slopes_.size(); ++k)
      for (std::size_t j = 0; j < slopes_.size(); ++j)
        if (j != k && equations::depends_on(g, slopes_[k], names_.symbol_of(names_.quantities[j].name)))
          throw SpecError({path_ + ".equations", "each of its own variable alone, where they are worked out at spikes",
                           "coupled ones", "method = \"every_step\" takes any."});
    const Id elapsed = g.subtract(g.symbol_value(names_.time()), g.symbol_value(names_.symbol_of(last_change)));
    const Replacement dt{names_.dt(), elapsed};
    next = equations::replace(g, next, std::span<const Replacement>(&dt, 1));
    std::vector<Replacement> out;
    for (std::size_t k = 0; k < next.size(); ++k) out.push_back({names_.symbol_of(names_.quantities[k].name), next[k]});
    return out;
  }

  void effects() {
    equations::Graph& g = names_.graph;
    const std::vector<Replacement> now = until_now();
    make_effect(on_pre_, now, out_.on_pre);
    make_effect(on_post_, now, out_.on_post);
    for (std::size_t k = 0; k < sums_.size(); ++k) {
      const std::vector<Id> value = equations::replace(g, std::span<const Id>(&sums_[k], 1), now);
      out_.sums[k].formula = make_formula(names_, value);
      out_.sums[k].needs = needs(value);
    }
    out_.start = make_formula(names_, starts_);
    out_.start_needs = needs(starts_);
    if (!out_.every_step || slopes_.empty()) return;
    equations::Dynamics dynamics = dynamics_of(names_, slopes_);
    dynamics.is_shared = [](std::uint32_t) { return false; };
    equations::Method method = equations::advise(g, dynamics).method;
    if (method == equations::Method::exact) method = equations::Method::exponential_euler;  // a propagator is for groups of neurons
    out_.reason += fmt::format(", by {}", equations::name_of(method));
    const std::vector<Id> next = equations::integrate(g, dynamics, method).next;
    out_.update = make_formula(names_, next);
    out_.update_needs = needs(next);
  }

  void make_effect(const std::vector<Change>& changes, const std::vector<Replacement>& now, Effect& out) {
    if (changes.empty()) return;
    equations::Graph& g = names_.graph;
    std::vector<Id> additions, own, set;
    bool plain = true;
    for (const Change& change : changes) {
      const std::vector<Id> value = equations::replace(g, std::span<const Id>(&change.value, 1), now);
      if (change.adds) {
        Effect::Addition addition{change.quantity, additions.size(), Effect::Addition::Value::formula, 0, 1};
        simple(value[0], addition);
        plain = plain && addition.value != Effect::Addition::Value::formula;
        out.additions.push_back(addition);
        additions.push_back(value[0]);
      } else if (change.owner == 1) {
        out.assigned.push_back(change.quantity);
        set.push_back(value[0]);
      } else {
        out.targets.push_back(change.quantity);
        own.push_back(value[0]);
      }
    }
    if (out_.has_last) {  // all variables are brought up to now
      for (std::size_t k = 0; k < slopes_.size(); ++k) {
        if (std::find(out.targets.begin(), out.targets.end(), k) != out.targets.end()) continue;
        out.targets.push_back(k);
        own.push_back(now[k].by);
      }
      out.targets.push_back(out_.last);
      own.push_back(g.symbol_value(names_.time()));
    }
    out.plain = plain && own.empty() && set.empty();
    additions.insert(additions.end(), own.begin(), own.end());
    additions.insert(additions.end(), set.begin(), set.end());
    out.formula = make_formula(names_, additions);
    out.needs = needs(additions);
  }

  /// A value that is a constant times one row of the synapses or one shared number.
  void simple(Id value, Effect::Addition& out) const {
    const equations::Graph& g = names_.graph;
    double factor = 1;
    const equations::Node* node = &g.at(value);
    while (node->op == Op::negate || (node->op == Op::multiply && g.is_constant(node->args[0]))) {
      factor *= node->op == Op::negate ? -1 : g.at(node->args[0]).value;
      node = &g.at(node->args[node->op == Op::negate ? 0 : 1]);
    }
    if (node->op == Op::constant) {
      out.value = Effect::Addition::Value::shared;
      out.at = ~std::size_t{0};
      out.factor = factor * node->value;
    } else if (node->op == Op::symbol && names_.given[node->symbol].role == Role::quantity) {
      out.at = names_.given[node->symbol].at;
      out.value = names_.quantities[out.at].is_own ? Effect::Addition::Value::own : Effect::Addition::Value::shared;
      out.factor = factor;
    }
  }

  std::vector<std::uint32_t> needs(std::span<const Id> roots) const {
    std::vector<std::uint32_t> out;
    for (std::uint32_t s = 0; s < names_.given.size(); ++s)
      if (std::any_of(roots.begin(), roots.end(), [&](Id id) { return equations::depends_on(names_.graph, id, s); }))
        out.push_back(s);
    return out;
  }

  const SynapsesSpec& spec_;
  std::vector<Group>& groups_;
  const StartRows& rows_;
  std::uint64_t seed_;
  double dt_s_;
  const std::string& path_;
  Names names_;
  Synapses out_;
  std::vector<Change> on_pre_, on_post_;
  Rules rules_;
  std::vector<Id> slopes_, sums_, starts_;
};

}  // namespace

const Quantity* Synapses::find(std::string_view wanted) const {
  for (const Quantity& quantity : quantities)
    if (quantity.name == wanted) return &quantity;
  return nullptr;
}

Synapses make_synapses(const std::string& name, const SynapsesSpec& spec, std::vector<Group>& groups, const StartRows& rows,
                       std::size_t index, std::uint64_t seed, double dt_s, const std::string& path) {
  return Builder(name, spec, groups, rows, index, seed, dt_s, path).build();
}

void place(Synapses& synapses, Layout& layout) {
  for (Quantity& quantity : synapses.quantities) quantity.offset = layout.doubles(quantity.is_own ? synapses.stride : 1);
}

}  // namespace hartline::dynamics
