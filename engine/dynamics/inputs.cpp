#include "dynamics/inputs.hpp"

#include <array>

#include "base/error.hpp"

namespace hartline::dynamics {

Inputs make_inputs(const std::string& name, const InputsSpec& spec, const std::vector<Group>& groups, const std::string& path) {
  Inputs out;
  out.name = name;
  std::vector<std::string_view> known;
  for (const Group& group : groups) known.push_back(group.name);
  const auto found = std::find(known.begin(), known.end(), spec.to);
  if (found == known.end())
    throw SpecError({path + ".to", "a group of neurons", "\"" + spec.to + "\"", did_you_mean(spec.to, known)});
  out.group = static_cast<std::size_t>(found - known.begin());
  const Group& group = groups[out.group];
  const Quantity* quantity = group.find(spec.adds);
  if (!quantity || !quantity->is_own) {
    std::vector<std::string_view> names;
    for (const Quantity& q : group.quantities)
      if (q.is_own && q.name.find(' ') == std::string::npos) names.push_back(q.name);
    throw SpecError({path + ".adds", "what each neuron of the group has", "\"" + spec.adds + "\"", did_you_mean(spec.adds, names)});
  }
  out.quantity = static_cast<std::size_t>(quantity - group.quantities.data());
  Names names(path);
  names.declare_time();
  names.declare_neurons();
  names.declare_arrays(group.arrays, group.num);
  names.declare_group(group.quantities, Role::quantity, "");
  const Id rate = names.lower("rate", spec.rate, path + ".rate", *unit_named("Hz"), "Hz");
  Id weight = names.lower("weight", spec.weight, path + ".weight", quantity->unit, quantity->unit_text);
  equations::Graph& g = names.graph;
  Id mean = g.plain(equations::make_node(equations::Op::multiply, {rate, g.symbol_value(names.dt())}, {}));
  mean = g.plain(equations::make_node(equations::Op::multiply, {g.constant(static_cast<double>(spec.num)), mean}, {}));
  names.erase({&mean, &weight});
  for (const Role role : {Role::array, Role::noise})
    if (names.depends_on_role(mean, role) || names.depends_on_role(weight, role))
      throw SpecError({path, "made of what neurons have, t and random numbers",
                       role == Role::array ? "values over time" : "white noise",
                       "A parameter of the neurons can be written between steps."});
  out.formula = make_formula(names, std::array<Id, 2>{mean, weight});
  out.given = names.given;
  return out;
}

}  // namespace hartline::dynamics
