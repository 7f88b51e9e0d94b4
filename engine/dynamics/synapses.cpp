#include "dynamics/synapses.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.hpp"
#include "dynamics/connect.hpp"
#include "dynamics/noise.hpp"
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
  Builder(const std::string& name, const SynapsesSpec& spec, std::vector<Group>& groups, const StartRows& rows, std::size_t index, std::uint64_t seed,
          double dt_s, const std::string& path)
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
    const std::vector<SlopeText> slopes = read_equations(names_, spec_.equations, path_ + ".equations");
    out_.num_variables = names_.quantities.size();
    const std::vector<StartText> parameters = read_parameters(names_, spec_.parameters, spec_.own, path_ + ".parameters");
    lower_slopes(slopes);
    choose_method();
    on_pre_.lower(*this, spec_.on_pre, path_ + ".on_pre");
    on_post_.lower(*this, spec_.on_post, path_ + ".on_post");
    lower_sums(to);
    lower_starts(parameters);
    const Id probability = lower_number(spec_.connect.probability, path_ + ".connect.probability", {}, "1");
    const Id condition = spec_.connect.condition.empty() ? equations::no_id : names_.condition(spec_.connect.condition, path_ + ".connect.condition");
    const Id delay = lower_number(spec_.delay, path_ + ".delay", *unit_named("s"), "ms");
    const Id delay_post = lower_number(spec_.delay_post, path_ + ".delay_post", *unit_named("s"), "ms");
    erase({probability, condition, delay, delay_post});
    draw();
    effects();
    out_.quantities = names_.quantities;
    out_.given = names_.given;
    return std::move(out_);
  }

 private:
  /// The changes of one side's spikes while they are lowered.
  struct Side {
    struct Change {
      bool post = false;  // of a quantity of the target's group
      std::size_t quantity = 0;
      bool adds = false;
      Id value = equations::no_id;
    };
    std::vector<Change> changes;

    void lower(Builder& b, const std::vector<std::string>& texts, const std::string& path) {
      for (std::size_t k = 0; k < texts.size(); ++k) {
        const std::string at = fmt::format("{}[{}]", path, k);
        add(b, read_assignment(texts[k], at));
      }
    }

    void add(Builder& b, const Assignment& change) {
      const Group& to = b.groups_[b.out_.to.group];
      const bool post = change.target.ends_with("_post");
      const std::string plain = post ? change.target.substr(0, change.target.size() - 5) : change.target;
      const std::vector<Quantity>& all = post ? to.quantities : b.names_.quantities;
      const auto found = std::find_if(all.begin(), all.end(), [&](const Quantity& q) { return q.name == plain; });
      if (found == all.end() || change.target.ends_with("_pre")) {
        std::vector<std::string> known;
        for (const Quantity& q : b.names_.quantities) known.push_back(q.name);
        for (const Quantity& q : to.quantities) known.push_back(q.name + "_post");
        const std::vector<std::string_view> views(known.begin(), known.end());
        throw SpecError({change.path, "a change of the synapse's own or of the target's, as g_post += w", "\"" + change.target + "\"", did_you_mean(change.target, views)});
      }
      if (!found->is_own)
        throw SpecError({change.path, post ? "a change of what each neuron has" : "a change of what each synapse has", "\"" + change.target + "\", which all share", fmt::format("List it: own = [\"{}\"].", plain)});
      const auto quantity = static_cast<std::size_t>(found - all.begin());
      equations::Graph& g = b.names_.graph;
      const bool scales = change.op == '*' || change.op == '/';
      Id value = scales ? b.names_.lower(plain, change.text, change.path, {}, "1") : b.names_.lower(plain, change.text, change.path, found->unit, found->unit_text);
      const bool adds = post && (change.op == '+' || change.op == '-');
      if (change.op == '-' && adds) value = g.plain(equations::make_node(Op::negate, {value}, found->unit.dimension));
      if (!adds && change.op != '=') {
        const Id now = g.symbol_value(b.names_.symbol_of(change.target));
        const Op op = change.op == '+' ? Op::add : change.op == '-' ? Op::subtract : change.op == '*' ? Op::multiply : Op::divide;
        value = g.plain(equations::make_node(op, {now, value}, found->unit.dimension));
      }
      value = after(b, value);
      for (Change& earlier : changes) {
        if (earlier.post != post || earlier.quantity != quantity) continue;
        if (earlier.adds && adds) {
          earlier.value = g.plain(equations::make_node(Op::add, {earlier.value, value}, found->unit.dimension));
          return;
        }
        if (earlier.adds != adds) throw SpecError({change.path, "either added to or set", "\"" + change.target + "\" in both ways", ""});
        earlier.value = value;
        return;
      }
      changes.push_back({post, quantity, adds, value});
    }

    /// A value with the changes before it done. What is added to the target is there only once all of them are.
    Id after(Builder& b, Id value) const {
      equations::Graph& g = b.names_.graph;
      std::unordered_map<Id, Id> done;
      return equations::rewrite(g, value, done, [&](const equations::Node& node, Id) {
        if (node.op == Op::symbol && node.symbol < b.names_.given.size())
          for (const Change& change : changes) {
            const Given& what = b.names_.given[node.symbol];
            if (!change.adds && what.at == change.quantity && what.role == (change.post ? Role::post : Role::quantity)) return change.value;
          }
        return g.plain(node);
      });
    }
  };

  Part part_named(const std::string& text, const std::string& path) const {
    std::string name = text;
    std::optional<std::pair<std::size_t, std::size_t>> range;
    if (const std::size_t open = text.find('['); open != std::string::npos) {
      name = text.substr(0, open);
      std::size_t low = 0, high = 0;
      int end = 0;
      if (std::sscanf(text.c_str() + open, "[%zu:%zu]%n", &low, &high, &end) != 2 || text[open + static_cast<std::size_t>(end)] != '\0' || low >= high)
        throw SpecError({path, "name[first:end] with first < end", "\"" + text + "\"", ""});
      range = {low, high};
    }
    std::vector<std::string_view> known;
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      known.push_back(groups_[g].name);
      if (groups_[g].name != name) continue;
      if (!range) return {g, 0, groups_[g].num};
      if (range->second > groups_[g].num) throw SpecError({path, fmt::format("within the {} neurons of {}", groups_[g].num, name), "\"" + text + "\"", ""});
      return {g, range->first, range->second - range->first};
    }
    throw SpecError({path, "a group of neurons", "\"" + name + "\"", did_you_mean(name, known)});
  }

  void lower_slopes(const std::vector<SlopeText>& slopes) {
    const Dimension second = unit_named("s")->dimension;
    for (const SlopeText& slope : slopes) {
      const auto& variable = *std::find_if(names_.quantities.begin(), names_.quantities.end(), [&](const Quantity& q) { return q.name == slope.name; });
      slopes_.push_back(names_.lower(slope.name, slope.text, slope.path, {variable.unit.dimension / second, 1}, variable.unit_text + " / s"));
    }
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

  Id lower_number(const std::string& text, const std::string& at, const Unit& unit, const std::string& words) {
    return text.empty() ? equations::no_id : names_.lower("", text, at, unit, words);
  }

  void lower_starts(const std::vector<StartText>& parameters) {
    std::vector<std::string_view> known;
    for (const Quantity& q : names_.quantities)
      if (q.is_variable && q.name != last_change) known.push_back(q.name);
    refuse_unknown(spec_.start, {path_ + ".start", ""}, known);
    for (const Quantity& quantity : std::vector<Quantity>(names_.quantities)) {
      const std::string at = path_ + (quantity.is_variable ? ".start." : ".parameters.") + quantity.name;
      if (quantity.name == last_change) {
        starts_.push_back(names_.graph.constant(0, quantity.unit.dimension));
      } else if (quantity.is_variable) {
        const Value* value = spec_.start.find(quantity.name);
        if (!value) throw SpecError({at, "given", "nothing", "Say where the variable starts."});
        starts_.push_back(names_.lower(quantity.name, text_at(*value, at, "0"), at, quantity.unit, quantity.unit_text));
      } else {
        const auto& text = *std::find_if(parameters.begin(), parameters.end(), [&](const StartText& p) { return p.name == quantity.name; });
        starts_.push_back(names_.lower(quantity.name, text.text, at, quantity.unit, quantity.unit_text));
      }
    }
  }

  void erase(std::array<Id, 4> rules) {
    std::vector<Id*> roots;
    for (auto* list : {&slopes_, &sums_, &starts_})
      for (Id& id : *list) roots.push_back(&id);
    for (Side* side : {&on_pre_, &on_post_})
      for (Side::Change& change : side->changes) roots.push_back(&change.value);
    rules_ = rules;
    for (Id& id : rules_)
      if (id != equations::no_id) roots.push_back(&id);
    names_.erase(std::move(roots));
    std::vector<Replacement> starts;
    for (std::size_t k = 0; k < starts_.size(); ++k) starts.push_back({names_.symbol_of(names_.quantities[k].name), starts_[k]});
    for (std::size_t round = 0; round < starts_.size(); ++round) starts_ = equations::replace(names_.graph, starts_, starts);
    for (std::size_t k = 0; k < starts_.size(); ++k)
      if (names_.depends_on_role(starts_[k], Role::quantity))
        throw SpecError({path_ + ".parameters." + names_.quantities[k].name, "made of other starts", "itself", ""});
    constexpr const char* words[] = {"connect.probability", "connect.condition", "delay", "delay_post"};
    for (std::size_t k = 0; k < rules_.size(); ++k)
      if (rules_[k] != equations::no_id && names_.depends_on_role(rules_[k], Role::quantity))
        throw SpecError({path_ + "." + words[k], "made of i, j and what neurons start with", "a quantity of the synapses", ""});
  }

  // --- drawing ---------------------------------------------------------------------------------------------------------------------

  /// Numbers of one expression for pairs of neurons, as the groups start. i, j and quantities stand for the neurons of their groups.
  void of_pairs(const Formula& formula, const std::int32_t* from, const std::int32_t* to, std::size_t first, std::size_t num, std::uint32_t source, double* const* out) {
    constexpr std::size_t block = 1024;
    std::vector<std::vector<double>> columns(names_.given.size());
    std::vector<double*> outputs(formula.num_outputs);
    for (std::size_t at = 0; at < num; at += block) {
      const std::size_t n = std::min(block, num - at);
      std::vector<equations::Input> inputs(names_.graph.num_symbols());
      for (std::uint32_t s = 0; s < names_.given.size(); ++s) {
        std::vector<double>& column = columns[s];
        column.resize(block + line);
        const auto& [role, which, varies] = names_.given[s];
        const auto put = [&](auto&& value) {
          for (std::size_t k = 0; k < n; ++k) column[k] = value(k);
        };
        switch (role) {
          case Role::index: put([&](std::size_t k) { return static_cast<double>(from[at + k]); }); break;
          case Role::target: put([&](std::size_t k) { return static_cast<double>(to[at + k]); }); break;
          case Role::count: column[0] = static_cast<double>(groups_[out_.from.group].num); break;
          case Role::count_to: column[0] = static_cast<double>(groups_[out_.to.group].num); break;
          case Role::dt: column[0] = dt_s_; break;
          case Role::random: fill_uniform({seed_, source + s}, 0, first + at, block, column.data()); break;
          case Role::randn: fill_normal({seed_, source + s}, 0, first + at, block, column.data()); break;
          case Role::pre: {
            const auto& row = rows_[out_.from.group][which];
            if (varies) put([&](std::size_t k) { return row[static_cast<std::size_t>(from[at + k])]; });
            else column[0] = row[0];
            break;
          }
          case Role::post: {
            const auto& row = rows_[out_.to.group][which];
            if (varies) put([&](std::size_t k) { return row[static_cast<std::size_t>(to[at + k])]; });
            else column[0] = row[0];
            break;
          }
          default: break;
        }
        inputs[s] = {column.data(), 1, varies ? std::size_t{1} : std::size_t{0}};
      }
      for (std::size_t k = 0; k < outputs.size(); ++k) outputs[k] = out[k] + at;
      formula.kernel->run(inputs, n, outputs);
    }
  }

  bool is_number(Id id) const { return names_.graph.is_constant(id); }
  static constexpr std::uint32_t sources_apart = 1u << 16;
  /// Purposes of random rows of one network's synapses.
  std::uint32_t source(std::uint32_t what) const { return 0x80000000u + (static_cast<std::uint32_t>(out_.index) * 8 + what) * sources_apart; }

  /// Values of one source with every target, for a rule that looks at pairs.
  OfSource rule(Id id, std::uint32_t what) {
    if (id == equations::no_id || is_number(id)) return {};
    auto formula = std::make_shared<Formula>(make_formula(names_, std::array<Id, 1>{names_.graph.at(id).is_boolean ? names_.graph.where(id, names_.graph.constant(1), names_.graph.constant(0)) : id}));
    const std::size_t num = out_.to.num;
    auto from = std::make_shared<std::vector<std::int32_t>>(num), to = std::make_shared<std::vector<std::int32_t>>(num);
    for (std::size_t j = 0; j < num; ++j) (*to)[j] = static_cast<std::int32_t>(out_.to.first + j);
    return [=, this](std::size_t i, double* out) {
      std::fill(from->begin(), from->end(), static_cast<std::int32_t>(out_.from.first + i));
      double* const outputs[] = {out};
      of_pairs(*formula, from->data(), to->data(), i * ((num + 15) / 16 * 16), num, source(what), outputs);
    };
  }

  void draw() {
    Pairs pairs;
    pairs.num_sources = out_.from.num;
    pairs.num_targets = out_.to.num;
    pairs.same = out_.from.group == out_.to.group && out_.from.first == out_.to.first && out_.from.num == out_.to.num;
    if (rules_[0] != equations::no_id && is_number(rules_[0])) pairs.probability = names_.graph.at(rules_[0]).value;
    pairs.probabilities = rule(rules_[0], 0);
    pairs.condition = rule(rules_[1], 1);
    const auto found = draw_pairs(spec_.connect, pairs, seed_, out_.index, path_ + ".connect");
    out_.num = found.size();
    out_.stride = (out_.num + line - 1) / line * line;
    Wiring& w = out_.wiring;
    w.source.resize(out_.num);
    w.target.resize(out_.num);
    for (std::size_t k = 0; k < out_.num; ++k) {
      w.source[k] = found[k].first + static_cast<std::int32_t>(out_.from.first);
      w.target[k] = found[k].second + static_cast<std::int32_t>(out_.to.first);
    }
    set_lags();
    remember(out_.from.group, w.lags.empty() ? 0 : w.lags.back(), path_ + ".from");
    if (!on_post_.changes.empty()) {
      out_.on_post.lag = rules_[3] == equations::no_id ? 0 : steps_of(one_number(rules_[3], path_ + ".delay_post"), path_ + ".delay_post");
      remember(out_.to.group, out_.on_post.lag, path_ + ".to");
    } else if (rules_[3] != equations::no_id) {
      throw SpecError({path_ + ".delay_post", "left out without on_post", "\"" + spec_.delay_post + "\"", ""});
    }
    if (!on_post_.changes.empty() || !sums_.empty()) index_targets();
  }

  void remember(std::size_t group, std::int32_t lag, const std::string& path) {
    Group& g = groups_[group];
    const bool needed = &g == &groups_[out_.from.group] ? !on_pre_.changes.empty() : true;
    if (!g.spikes) {
      if (needed && (group != out_.from.group || !on_pre_.changes.empty()))
        throw SpecError({path, "a group whose neurons spike", "\"" + g.name + "\", which has no threshold", ""});
      return;
    }
    g.events[0].num_slots = std::max(g.events[0].num_slots, static_cast<std::size_t>(lag) + 1);
  }

  double one_number(Id id, const std::string& path) {
    if (!names_.is_shared(id)) throw SpecError({path, "the same for all synapses", "different ones", ""});
    std::vector<std::int32_t> none{0};
    double out = 0;
    double* const outputs[] = {&out};
    std::vector<double> lane(line);
    double* const wide[] = {lane.data()};
    of_pairs(make_formula(names_, std::array<Id, 1>{id}), none.data(), none.data(), 0, 1, source(3), wide);
    static_cast<void>(outputs);
    return lane[0];
  }

  std::int32_t steps_of(double seconds, const std::string& path) const {
    const double steps = std::nearbyint(seconds / dt_s_);
    if (!(steps >= 0) || steps > 1e6) throw SpecError({path, "0 ms or more, and at most 1e6 steps", number_text(seconds * 1e3) + " ms", ""});
    return static_cast<std::int32_t>(steps);
  }

  /// Sorts the synapses of each source by their delays, in steps; equal delays by target.
  void set_lags() {
    Wiring& w = out_.wiring;
    std::vector<std::int32_t> lag(out_.num, 0);
    if (rules_[2] != equations::no_id) {
      const std::string at = path_ + ".delay";
      if (names_.is_shared(rules_[2])) {
        std::fill(lag.begin(), lag.end(), steps_of(one_number(rules_[2], at), at));
      } else {
        std::vector<double> delay(out_.num + line);
        double* const outputs[] = {delay.data()};
        of_pairs(make_formula(names_, std::array<Id, 1>{rules_[2]}), w.source.data(), w.target.data(), 0, out_.num, source(2), outputs);
        for (std::size_t k = 0; k < out_.num; ++k) lag[k] = steps_of(delay[k], at);
      }
    }
    const std::set<std::int32_t> different(lag.begin(), lag.end());
    w.lags.assign(different.begin(), different.end());
    if (w.lags.size() > 1) {
      std::vector<std::uint32_t> order(out_.num);
      for (std::size_t k = 0; k < out_.num; ++k) order[k] = static_cast<std::uint32_t>(k);
      std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
        return w.source[a] != w.source[b] ? w.source[a] < w.source[b] : lag[a] < lag[b];
      });
      const auto sorted = [&](std::vector<std::int32_t>& values) {
        std::vector<std::int32_t> old = values;
        for (std::size_t k = 0; k < order.size(); ++k) values[k] = old[order[k]];
      };
      sorted(w.source);
      sorted(w.target);
      sorted(lag);
    }
    const std::size_t num_lags = std::max<std::size_t>(1, w.lags.size());
    w.begin.assign(out_.from.num * num_lags + 1, 0);
    for (std::size_t k = 0; k < out_.num; ++k) {
      const auto which = static_cast<std::size_t>(std::lower_bound(w.lags.begin(), w.lags.end(), lag[k]) - w.lags.begin());
      ++w.begin[(static_cast<std::size_t>(w.source[k]) - out_.from.first) * num_lags + which + 1];
    }
    for (std::size_t k = 1; k < w.begin.size(); ++k) w.begin[k] += w.begin[k - 1];
  }

  void index_targets() {
    Wiring& w = out_.wiring;
    w.post_begin.assign(out_.to.num + 1, 0);
    for (const std::int32_t j : w.target) ++w.post_begin[static_cast<std::size_t>(j) - out_.to.first + 1];
    for (std::size_t k = 1; k < w.post_begin.size(); ++k) w.post_begin[k] += w.post_begin[k - 1];
    w.post.resize(out_.num);
    std::vector<std::uint32_t> at(w.post_begin.begin(), w.post_begin.end() - 1);
    for (std::size_t k = 0; k < out_.num; ++k) w.post[at[static_cast<std::size_t>(w.target[k]) - out_.to.first]++] = static_cast<std::uint32_t>(k);
  }

  // --- effects ---------------------------------------------------------------------------------------------------------------------

  /// Variables as they are at a spike: those that stood still since the last change go on until now.
  std::vector<Replacement> until_now() {
    if (!out_.has_last) return {};
    equations::Graph& g = names_.graph;
    equations::Dynamics dynamics;
    for (std::size_t k = 0; k < slopes_.size(); ++k) dynamics.equations.push_back({names_.symbol_of(names_.quantities[k].name), slopes_[k]});
    dynamics.time = names_.time();
    dynamics.dt = names_.dt();
    dynamics.is_shared = [](std::uint32_t) { return true; };
    const auto linear = equations::advise(g, dynamics);
    if (linear.method != equations::Method::exact)
      throw SpecError({path_ + ".equations", "linear where variables are worked out at spikes", "others", "method = \"every_step\" takes any."});
    std::vector<Id> next;
    try {
      next = equations::integrate(g, dynamics, equations::Method::exponential_euler).next;
    } catch (const SpecError& error) {
      throw SpecError({path_ + ".equations." + error.fault.path, error.fault.requirement, error.fault.got, error.fault.hint});
    }
    for (std::size_t k = 0; k < slopes_.size(); ++k)
      for (std::size_t j = 0; j < slopes_.size(); ++j)
        if (j != k && equations::depends_on(g, slopes_[k], names_.symbol_of(names_.quantities[j].name)))
          throw SpecError({path_ + ".equations", "each of its own variable alone, where they are worked out at spikes", "coupled ones", "method = \"every_step\" takes any."});
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
    equations::Dynamics dynamics;
    for (std::size_t k = 0; k < slopes_.size(); ++k) dynamics.equations.push_back({names_.symbol_of(names_.quantities[k].name), slopes_[k]});
    dynamics.time = names_.time();
    dynamics.dt = names_.dt();
    dynamics.noise = names_.noise();
    dynamics.is_shared = [](std::uint32_t) { return false; };
    const equations::Advice advice = equations::advise(g, dynamics);
    out_.reason += fmt::format(", by {}", equations::name_of(advice.method));
    const std::vector<Id> next = equations::integrate(g, dynamics, advice.method).next;
    out_.update = make_formula(names_, next);
    out_.update_needs = needs(next);
  }

  void make_effect(const Side& side, const std::vector<Replacement>& now, Effect& out) {
    if (side.changes.empty()) return;
    equations::Graph& g = names_.graph;
    std::vector<Id> additions, own, set;
    bool plain = true;
    for (const Side::Change& change : side.changes) {
      const std::vector<Id> value = equations::replace(g, std::span<const Id>(&change.value, 1), now);
      if (change.adds) {
        Effect::Addition addition{change.quantity, additions.size(), Effect::Addition::Value::formula, 0, 1};
        simple(value[0], addition);
        plain = plain && addition.value != Effect::Addition::Value::formula;
        out.additions.push_back(addition);
        additions.push_back(value[0]);
      } else if (change.post) {
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
      if (std::any_of(roots.begin(), roots.end(), [&](Id id) { return equations::depends_on(names_.graph, id, s); })) out.push_back(s);
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
  Side on_pre_, on_post_;
  std::vector<Id> slopes_, sums_, starts_;
  std::array<Id, 4> rules_{equations::no_id, equations::no_id, equations::no_id, equations::no_id};
};

}  // namespace

const Quantity* Synapses::find(std::string_view wanted) const {
  for (const Quantity& quantity : quantities)
    if (quantity.name == wanted) return &quantity;
  return nullptr;
}

Synapses make_synapses(const std::string& name, const SynapsesSpec& spec, std::vector<Group>& groups, const StartRows& rows, std::size_t index,
                       std::uint64_t seed, double dt_s, const std::string& path) {
  return Builder(name, spec, groups, rows, index, seed, dt_s, path).build();
}

void place(Synapses& synapses, Layout& layout) {
  for (Quantity& quantity : synapses.quantities) quantity.offset = layout.doubles(quantity.is_own ? synapses.stride : 1);
}

}  // namespace hartline::dynamics
