// Synapses: which neurons reach which, after how long, and what a spike changes.
#pragma once

#include <string>
#include <vector>

#include "dynamics/group.hpp"
#include "dynamics/wiring.hpp"

namespace hartline::dynamics {

/// What a spike changes.
struct Effect {
  /// A sum that is added to a row of the target's group. Fast where the value is one row of the synapses or one number.
  struct Addition {
    std::size_t quantity = 0;  // of the target's group
    std::size_t output = 0;    // of the formula
    enum class Value : std::uint8_t { formula, own, shared } value = Value::formula;
    std::size_t at = 0;  // quantity of the synapses
    double factor = 1;   // of own and shared
  };
  std::vector<Addition> additions;
  std::vector<std::size_t> targets;   // quantities of the synapses that change, outputs of the formula behind the additions
  std::vector<std::size_t> assigned;  // quantities of the target's group that are set, outputs behind those
  Formula formula;
  bool plain = false;                // additions only, none by formula
  std::vector<std::uint32_t> needs;  // symbols
};

/// From an event of the sources or of the targets to its effect.
struct Pathway {
  bool of_target = false;
  std::size_t event = 0;  // of its group
  Route route;
  Effect effect;
};

/// Sums over the synapses of a target, in every step.
struct Sum {
  std::size_t quantity = 0;  // of the target's group
  Formula formula;
  std::vector<std::uint32_t> needs;
};

/// Constant.
struct Synapses {
  std::string name;
  Part from, to;
  Wiring wiring;
  std::vector<Quantity> quantities;  // variables first
  std::size_t num_variables = 0;
  std::size_t num = 0, stride = 0, index = 0, owner = 0;  // owner: number among the owners of random rows
  std::vector<Given> given;
  std::vector<Pathway> pathways;
  std::vector<Sum> sums;
  std::vector<std::uint32_t> by_target;  // [num] synapses of each target, rising; empty without sums
  Formula update;                        // of the variables, where they go on every step
  std::vector<std::uint32_t> update_needs;
  bool every_step = false;
  std::size_t last = 0;  // quantity: time of the last change, where variables are worked out at spikes
  bool has_last = false;
  Formula start;
  std::vector<std::uint32_t> start_needs;
  std::string reason;

  const Quantity* find(std::string_view quantity) const;
};

/// Reads synapses and draws them. `groups` are all groups; spikes that have to be remembered longer raise their num_slots.
/// Throws: SpecError, UnitError.
Synapses make_synapses(const std::string& name, const SynapsesSpec& spec, std::vector<Group>& groups, const StartRows& rows,
                       std::size_t index, std::uint64_t seed, double dt_s, const std::string& path);

void place(Synapses& synapses, Layout& layout);

}  // namespace hartline::dynamics
