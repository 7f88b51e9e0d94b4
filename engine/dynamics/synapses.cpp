#include "dynamics/synapses.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
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
/// A pathway as it is written.
struct PathwayText {
  std::string path;
  bool of_target = false;
  std::string event;
  std::vector<std::string> texts;
  std::string delay_text, delay_key;
  Id delay = equations::no_id;
  std::vector<Change> changes;
};

constexpr const char* every_step = "variables go on every step";
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
    read_pathways();
    const std::vector<Changeable> owners{{Role::quantity, &names_.quantities, "", "synapse", false},
                                         {Role::post, &to.quantities, "_post", "neuron", true}};
    for (PathwayText& pathway : pathways_) pathway.changes = read_changes(names_, owners, pathway.texts, pathway.path);
    lower_sums(to);
    starts_ = lower_starts(names_, spec_.start, parameters, path_);
    const auto lowered = [&](const std::string& text, const std::string& key, const Unit& unit, const char* words) {
      return text.empty() ? equations::no_id : names_.lower("", text, path_ + "." + key, unit, words);
    };
    rules_.probability = lowered(spec_.connect.probability, "connect.probability", {}, "1");
    if (!spec_.connect.condition.empty())
      rules_.condition = names_.condition(spec_.connect.condition, path_ + ".connect.condition");
    for (PathwayText& pathway : pathways_) pathway.delay = lowered(pathway.delay_text, pathway.delay_key, *unit_named("s"), "ms");
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

  /// Variables go on at spikes where they need nothing that changes in between; until_now says whether they can.
  void choose_method() {
    if (slopes_.empty()) return;
    bool fits = true;
    for (const Id slope : slopes_)
      for (const Role role : {Role::pre, Role::post, Role::time, Role::noise}) fits = fits && !names_.depends_on_role(slope, role);
    out_.every_step = spec_.method == "every_step" || (spec_.method == "auto" && !fits);
    if (spec_.method == "event" && !fits)
      throw SpecError({path_ + ".method", "every_step or auto where equations need what changes between spikes", "\"event\"", ""});
    out_.reason = out_.every_step ? every_step : "variables are worked out when a spike comes";
    if (out_.every_step) return;
    out_.has_last = true;
    out_.last = names_.quantities.size();
    names_.declare({last_change, *unit_named("s"), "s", true, true}, path_);
  }

  /// on_pre, on_post, then those that have names.
  void read_pathways() {
    const auto side = [&](bool of_target, const std::vector<std::string>& texts, const std::string& delay) {
      const std::string key = of_target ? "on_post" : "on_pre", delay_key = of_target ? "delay_post" : "delay";
      if (!texts.empty())
        pathways_.push_back({path_ + "." + key, of_target, "spike", texts, delay, delay_key, equations::no_id, {}});
      else if (!delay.empty())
        throw SpecError({path_ + "." + delay_key, "left out without " + key, "\"" + delay + "\"", ""});
    };
    side(false, spec_.on_pre, spec_.delay);
    side(true, spec_.on_post, spec_.delay_post);
    for (const auto& [name, value] : spec_.pathways.items) {
      const std::string key = "pathways." + name, at = path_ + "." + key;
      if (!value.table()) throw SpecError({at, "a table with change", display(value), ""});
      PathwaySpec read;
      read_table(*value.table(), {at, ""}, read);
      pathways_.push_back(
          {at + ".change", read.from == "target", read.event, read.change, read.delay, key + ".delay", equations::no_id, {}});
    }
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
    std::vector<std::pair<std::string, Id*>> rules = {{"connect.probability", &rules_.probability},
                                                      {"connect.condition", &rules_.condition}};
    for (PathwayText& pathway : pathways_) {
      for (Change& change : pathway.changes) roots.push_back(&change.value);
      rules.emplace_back(pathway.delay_key, &pathway.delay);
    }
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
    Wiring& w = out_.wiring = wirer.draw(spec_.connect, rules_);
    out_.num = w.num();
    out_.stride = (out_.num + line - 1) / line * line;
    const PathwayText* first = nullptr;  // synapses stand as its spikes arrive
    for (const PathwayText& pathway : pathways_)
      if (!first && !pathway.of_target) first = &pathway;
    std::vector<std::int32_t> first_lags;
    if (first) wirer.sort(w, first_lags = wirer.lags_of(w, first->delay, 0, first->delay_key));
    for (std::size_t k = 0; k < pathways_.size(); ++k) {
      const PathwayText& pathway = pathways_[k];
      const std::vector<std::int32_t> lags =
          &pathway == first ? first_lags : wirer.lags_of(w, pathway.delay, k + 1, pathway.delay_key);
      Pathway made;
      made.of_target = pathway.of_target;
      made.route = wirer.route(w, lags, pathway.of_target);
      made.event = remember(pathway, made.route.lags.empty() ? 0 : made.route.lags.back());
      out_.pathways.push_back(std::move(made));
    }
    if (sums_.empty()) return;
    out_.by_target.resize(out_.num);
    std::iota(out_.by_target.begin(), out_.by_target.end(), 0u);
    std::stable_sort(out_.by_target.begin(), out_.by_target.end(),
                     [&](std::uint32_t a, std::uint32_t b) { return w.target[a] < w.target[b]; });
  }

  /// Events of a group are kept until they have arrived. Returns which it is.
  std::size_t remember(const PathwayText& pathway, std::int32_t lag) {
    Group& g = groups_[pathway.of_target ? out_.to.group : out_.from.group];
    std::vector<std::string_view> known;
    for (std::size_t k = 0; k < g.events.size(); ++k) {
      known.push_back(g.events[k].name);
      if (g.events[k].name != pathway.event) continue;
      g.events[k].num_slots = std::max(g.events[k].num_slots, static_cast<std::size_t>(lag) + 1);
      return k;
    }
    if (pathway.event == "spike")
      throw SpecError({path_ + (pathway.of_target ? ".to" : ".from"), "a group whose neurons spike",
                       "\"" + g.name + "\", which has no threshold", ""});
    throw SpecError({pathway.path.substr(0, pathway.path.rfind('.')) + ".event", "an event of " + g.name,
                     "\"" + pathway.event + "\"", did_you_mean(pathway.event, known)});
  }

  // --- effects
  // ---------------------------------------------------------------------------------------------------------------------

  /// Variables as they are at a spike: those that stood still since the last change go on until now.
  std::vector<Replacement> until_now() {
    if (!out_.has_last) return {};
    equations::Graph& g = names_.graph;
    equations::Dynamics dynamics = dynamics_of(names_, slopes_);
    dynamics.is_shared = [](std::uint32_t) { return true; };
    bool fits = equations::advise(g, dynamics).method == equations::Method::exact;
    for (std::size_t k = 0; k < slopes_.size(); ++k)
      for (std::size_t j = 0; j < slopes_.size(); ++j)
        fits = fits && (j == k || !equations::depends_on(g, slopes_[k], names_.symbol_of(names_.quantities[j].name)));
    if (!fits && spec_.method == "event")
      throw SpecError({path_ + ".equations", "each linear and of its own variable alone, where they are worked out at spikes",
                       "others", "method = \"every_step\" takes any."});
    if (!fits) {
      out_.every_step = true;
      out_.has_last = false;
      out_.reason = every_step;
      names_.quantities.pop_back();  // the time of the last change
      starts_.pop_back();
      return {};
    }
    std::vector<Id> next = equations::integrate(g, dynamics, equations::Method::exponential_euler).next;
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
    for (std::size_t k = 0; k < pathways_.size(); ++k) make_effect(pathways_[k].changes, now, out_.pathways[k].effect);
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

  Id value_of(const std::string& name) { return names_.graph.symbol_value(names_.symbol_of(name)); }

  void make_effect(const std::vector<Change>& changes, const std::vector<Replacement>& now, Effect& out) {
    equations::Graph& g = names_.graph;
    std::vector<Id> additions, own, set;
    bool plain = true;
    for (const Change& change : changes) {
      std::vector<Id> value = equations::replace(g, std::span<const Id>(&change.value, 1), now);
      const std::string& post = groups_[out_.to.group].quantities[change.owner == 1 ? change.quantity : 0].name;
      const bool feeds_back = change.adds && equations::depends_on(g, value[0], names_.symbol_of(post + "_post"));
      if (feeds_back) {  // what one spike adds depends on what another has added: each is done before the next
        out.assigned.push_back(change.quantity);
        set.push_back(g.add(value_of(post + "_post"), value[0]));
      } else if (change.adds) {
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
  std::vector<PathwayText> pathways_;
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

void place(Synapses& synapses, Layout& layout) { place(synapses.quantities, synapses.stride, synapses.every_step, layout); }

}  // namespace hartline::dynamics
