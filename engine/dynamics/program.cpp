#include "dynamics/program.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/threads.hpp"
#include "dynamics/noise.hpp"
#include "dynamics/step.hpp"

namespace hartline::dynamics {

namespace {

const Table& table_at(const Value& value, const std::string& path) {
  if (!value.table()) throw SpecError({path, "a table", std::string(kind_name(value)) + " " + display(value), ""});
  return *value.table();
}

NetworkSpec read_network(const Table& table, const std::string& path) {
  NetworkSpec spec;
  read_table(table, {path, ""}, spec);
  return spec;
}

/// "neurons.cells" below a path that may be empty.
std::string below(const std::string& path, const std::string& name) { return path.empty() ? name : path + "." + name; }

void check_name(const std::string& name, const std::string& path) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const bool fits = !name.empty() && letter(name[0]) &&
                    std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
  if (!fits) throw SpecError({path, "a name of letters, digits and _", "\"" + name + "\"", ""});
}

/// Reads every table of a table of tables and calls f(name, spec, its path).
template <class Spec, class F>
void for_each_table(const Table& table, const std::string& path, F&& f) {
  for (const auto& [name, value] : table.items) {
    const std::string at = path + "." + name;
    check_name(name, at);
    Spec spec;
    read_table(table_at(value, at), {at, ""}, spec);
    f(name, spec, at);
  }
}

}  // namespace

Program::Program(const Table& network, std::uint64_t seed, const std::string& path)
    : Program(read_network(network, path), seed, path) {}

Program::Program(const NetworkSpec& spec, std::uint64_t seed, const std::string& path) : dt_s_(spec.dt_ms * 1e-3), seed_(seed) {
  read_arrays(spec.arrays, below(path, "arrays"));
  read_neurons(spec.neurons, below(path, "neurons"));
  read_inputs(spec.inputs, below(path, "inputs"));
  read_synapses(spec.synapses, below(path, "synapses"));
  const auto narrow = [&](auto& owner) {
    for (Quantity& q : owner.quantities)
      q.is_narrow = spec.precision == "float" && q.is_own && q.unit.dimension != unit_named("s")->dimension;
  };
  for (Group& group : groups_) narrow(group);
  for (Synapses& synapses : synapses_) narrow(synapses);
  for (Group& group : groups_) place(group, layout_);
  for (Synapses& synapses : synapses_) place(synapses, layout_);
  id_ = hash_bytes(to_toml(*to_value(spec).table()), hash_bytes(std::to_string(seed)));
}

Program::~Program() = default;

void Program::read_arrays(const Table& table, const std::string& path) {
  for_each_table<ArraySpec>(table, path, [&](const std::string& name, ArraySpec& spec, const std::string& at) {
    TimedArray array;
    array.name = name;
    array.unit = read_unit(spec.unit, at + ".unit");
    array.unit_text = spec.unit;
    array.dt_s = spec.dt_ms * 1e-3;
    array.num = static_cast<std::size_t>(spec.num);
    array.values = std::move(spec.values);
    if (array.values.empty() || array.values.size() % array.num != 0)
      throw SpecError({at + ".values", fmt::format("rows of {} number{}", array.num, array.num == 1 ? "" : "s"),
                       fmt::format("{} numbers", array.values.size()), ""});
    for (double& x : array.values) x *= array.unit.scale;
    array.after = spec.after == "hold"     ? TimedArray::After::hold
                  : spec.after == "repeat" ? TimedArray::After::repeat
                                           : TimedArray::After::error;
    arrays_.push_back(std::move(array));
  });
}

void Program::read_neurons(const Table& table, const std::string& path) {
  for_each_table<NeuronsSpec>(table, path, [&](const std::string& name, const NeuronsSpec& spec, const std::string& at) {
    groups_.push_back(make_group(name, spec, arrays_, dt_s_, at));
    groups_.back().index = groups_.size() - 1;
  });
  if (groups_.empty()) throw SpecError({path, "one group or more", "none", ""});
}

void Program::read_inputs(const Table& table, const std::string& path) {
  for_each_table<InputsSpec>(table, path, [&](const std::string& name, const InputsSpec& spec, const std::string& at) {
    inputs_.push_back(make_inputs(name, spec, groups_, at));
    inputs_.back().index = inputs_.size() - 1;
  });
}

void Program::read_synapses(const Table& table, const std::string& path) {
  if (table.items.empty()) return;
  const StartRows rows = start_rows();
  for_each_table<SynapsesSpec>(table, path, [&](const std::string& name, const SynapsesSpec& spec, const std::string& at) {
    for (const Group& group : groups_)
      if (group.name == name) throw SpecError({at, "a name that no group of neurons has", "\"" + name + "\"", ""});
    synapses_.push_back(make_synapses(name, spec, groups_, rows, synapses_.size(), seed_, dt_s_, at));
  });
}

StartRows Program::start_rows() const {
  StartRows rows;
  constexpr std::int64_t before_all = -1;  // a step whose random numbers no other has
  for (const Group& group : groups_) {
    auto& of_group = rows.emplace_back();
    std::vector<std::vector<double>> random(group.given.size());
    std::vector<equations::Input> inputs(group.given.size());
    std::vector<double*> outputs;
    for (std::size_t k = 0; k < group.quantities.size(); ++k) of_group.emplace_back(group.stride);
    const double zero = 0;
    for (std::size_t first = 0; first < group.num; first += block_size) {
      const std::size_t n = std::min(block_size, group.num - first);
      for (std::uint32_t s = 0; s < group.given.size(); ++s) {
        const Given& given = group.given[s];
        inputs[s] = {nullptr, 1, given.varies ? std::size_t{1} : std::size_t{0}};
        if (given.role == Role::time) inputs[s].data = &zero;
        if (given.role == Role::dt) inputs[s].data = &dt_s_;
        if (given.role == Role::count) inputs[s].data = &group.count;
        if (given.role == Role::index) inputs[s].data = group.numbers.data() + first;
        if (given.role != Role::random && given.role != Role::randn) continue;
        random[s].resize(block_size);
        const NoiseSource source{seed_, static_cast<std::uint32_t>(group.index << 12) + s};
        if (given.role == Role::random)
          fill_uniform(source, before_all, first, block_size, random[s].data());
        else
          fill_normal(source, before_all, first, block_size, random[s].data());
        inputs[s].data = random[s].data();
      }
      outputs.clear();
      for (auto& row : of_group) outputs.push_back(row.data() + first);
      group.start.kernel->run(inputs, n, outputs);
    }
  }
  return rows;
}

State Program::start() const {
  State state(layout_.num_bytes());
  state.belongs_to(id_);
  const StartRows rows = start_rows();
  for (const Group& group : groups_) {
    for (std::size_t k = 0; k < group.quantities.size(); ++k) {
      const Quantity& q = group.quantities[k];
      for (std::size_t half = 0; half < (q.apart > 0 ? 2u : 1u); ++half)
        state.row(q.offset + half * q.apart, q.is_narrow).write(q.is_own ? group.num : 1, rows[group.index][k].data());
    }
    set_coefficients(state, group);
  }
  const auto serial = make_serial_executor();
  Step step(*this, state, *serial, seed_);
  step.drawn = -1;
  for (const Synapses& synapses : synapses_) dynamics::start(step, synapses);
  return state;
}

void Program::set_coefficients(State& state, const Group& group) const {
  for (std::size_t k = 0; k < group.rates.size(); ++k) {
    std::vector<equations::Input> inputs(group.given.size());
    const double zero = 0;
    for (std::uint32_t s = 0; s < group.given.size(); ++s) {
      const Given& given = group.given[s];
      inputs[s] = {nullptr, 1, given.varies ? std::size_t{1} : std::size_t{0}};
      if (given.role == Role::time) inputs[s].data = &zero;
      if (given.role == Role::dt) inputs[s].data = &dt_s_;
      if (given.role == Role::count) inputs[s].data = &group.count;
      if (given.role == Role::quantity) inputs[s].data = state.doubles() + group.quantities[given.at].offset;
    }
    std::vector<double> rates(group.rates[k].num_outputs);
    std::vector<double*> outputs;
    for (double& rate : rates) outputs.push_back(&rate);
    group.rates[k].kernel->run(inputs, 1, outputs);
    equations::propagate(rates, dt_s_, {state.doubles() + group.propagator_at[k], 2 * rates.size()});
  }
}

Port Program::port(std::string_view name) const {
  const std::size_t dot = name.rfind('.');
  std::vector<std::string> known;
  const auto quantity_of = [&](const auto& owner) -> const Quantity* {
    const Quantity* found = nullptr;
    for (const Quantity& q : owner.quantities) {
      if (q.name.find(' ') != std::string::npos) continue;
      known.push_back(owner.name + "." + q.name);
      if (dot != std::string_view::npos && owner.name == name.substr(0, dot) && q.name == name.substr(dot + 1)) found = &q;
    }
    return found;
  };
  for (const Group& group : groups_)
    if (const Quantity* q = quantity_of(group)) {
      const bool moves_coefficients = !q->is_own && !group.rates.empty();
      return {std::string(name), q->is_narrow, q->offset,   q->is_own ? group.num : 1, q->apart,
              q->unit.scale,     q->unit_text, group.index, moves_coefficients};
    }
  for (const Synapses& synapses : synapses_)
    if (const Quantity* q = quantity_of(synapses))
      return {std::string(name),
              q->is_narrow,
              q->offset,
              q->is_own ? synapses.num : 1,
              q->apart,
              q->unit.scale,
              q->unit_text,
              0,
              false};
  const std::vector<std::string_view> views(known.begin(), known.end());
  throw SpecError({"port", "a variable or parameter, as group.name", "\"" + std::string(name) + "\"", did_you_mean(name, views)});
}

void Program::read(const State& state, const Port& port, std::span<double> out) const {
  if (out.size() != port.num)
    throw InternalError(fmt::format("{} numbers of {} are read into {}", port.num, port.name, out.size()));
  row(state, port).read(out.size(), out.data());
  for (double& x : out) x /= port.scale;
}

Row Program::row(const State& state, const Port& port) {
  return state.row(port.offset + ((state.step() & 1) != 0 ? port.stride : 0), port.is_narrow);
}

void Program::write(State& state, const Port& port, std::span<const double> values) const {
  if (values.size() != port.num && values.size() != 1)
    throw RunError({port.name, fmt::format("one number or {}", port.num), std::to_string(values.size()), ""});
  for (std::size_t k = 0; k < values.size(); ++k)
    if (!std::isfinite(values[k]) || (port.is_narrow && !std::isfinite(static_cast<float>(values[k] * port.scale))))
      throw RunError({fmt::format("{}[{}]", port.name, k), "finite", number_text(values[k]), "Nothing was written."});
  const Row to = row(state, port);
  for (std::size_t k = 0; k < port.num; ++k) to.set(k, values[values.size() == 1 ? 0 : k] * port.scale);
  if (port.moves_coefficients) set_coefficients(state, groups_[port.group]);
}

Program::EventPlace Program::event(std::string_view name) const {
  std::vector<std::string> known;
  for (const Group& group : groups_)
    for (std::size_t k = 0; k < group.events.size(); ++k) {
      known.push_back(k == 0 && group.spikes ? group.name : group.name + "." + group.events[k].name);
      if (known.back() == name || group.name + "." + group.events[k].name == name) return {group.index, k};
    }
  const std::vector<std::string_view> views(known.begin(), known.end());
  throw SpecError({"event", "a group that spikes, or group.event", "\"" + std::string(name) + "\"", did_you_mean(name, views)});
}

std::span<const std::int32_t> Program::happened(const State& state, EventPlace place) const {
  if (state.step() == 0) return {};
  const Group& group = groups_[place.group];
  const Event& event = group.events[place.event];
  const std::size_t slot = static_cast<std::size_t>(state.step() - 1) % event.num_slots;
  return {state.integers() + event.ids + slot * group.num, static_cast<std::size_t>(state.integers()[event.counts + slot])};
}

State Program::restore(std::span<const std::byte> bytes) const {
  State state(layout_.num_bytes());
  if (bytes.size() == layout_.num_bytes()) std::copy(bytes.begin(), bytes.end(), state.bytes().begin());
  if (state.program() != id_)
    throw SpecError({"state", "of this network, seed and step",
                     bytes.size() == layout_.num_bytes()
                         ? "one of another"
                         : fmt::format("{} bytes where {} are needed", bytes.size(), layout_.num_bytes()),
                     ""});
  return state;
}

}  // namespace hartline::dynamics
