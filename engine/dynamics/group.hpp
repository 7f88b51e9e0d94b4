// Group: neurons with the same equations, as kernels over rows of their state.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "dynamics/names.hpp"
#include "dynamics/network_spec.hpp"
#include "dynamics/state.hpp"

namespace hartline::dynamics {

/// Expressions that are worked out together, and the random rows that they need.
struct Formula {
  std::shared_ptr<const equations::Kernel> kernel;
  std::vector<std::uint32_t> random;  // symbols
  std::size_t num_outputs = 0;
  std::size_t work = 0;  // operators, a function counting as ten
};

/// What happens when a condition is met. Of spikes the first.
struct Event {
  std::string name;
  std::vector<std::size_t> targets;  // quantities that change
  Formula change;                    // their new values; none where nothing changes
  std::size_t num_slots = 1;         // steps that are remembered, for delays
  std::size_t counts = 0;            // [num_slots] among the integers of a state
  std::size_t ids = 0;               // [num_slots, num], in rising order
};

/// Constant.
struct Group {
  std::string name;
  std::size_t num = 0, stride = 0;                 // a row's numbers, and its length
  std::vector<Quantity> quantities;                // variables first
  std::size_t num_variables = 0, num_checked = 0;  // checked: those that have to stay finite
  std::size_t index = 0;                           // of the group in the network
  std::vector<double> numbers;                     // 0 … num - 1
  double count = 0;                                // num
  std::vector<Given> given;
  std::vector<TimedArray> arrays;
  std::vector<bool> uses_array;  // [arrays]

  equations::Method method = equations::Method::euler;
  std::string reason;  // why that method
  /// Variables have one row: linear equations are finite where they come from finite numbers. Half the memory to go through.
  bool in_place = false;
  /// Where steps are taken within a step: variables after one of them, then its error in units of the tolerance, then 1 where it
  /// ends in a spike that resets.
  Formula trial;
  std::size_t num_integrated = 0;  // variables that it moves; the next one is the length to begin with
  Formula update;  // variables one step later, then 1 where an event happens, in the first row NaN where one is not finite
  std::vector<Event> events;
  bool spikes = false;  // events[0] are spikes
  bool given_spikes = false;
  std::vector<std::pair<std::int64_t, std::int32_t>> trains;  // step and neuron of spikes that are given, rising

  Formula start;                           // of every quantity
  std::vector<std::size_t> propagator_at;  // places in a state, of each propagator
  std::vector<Formula> rates;              // of each propagator, shared

  const Quantity* find(std::string_view quantity) const;
};

/// Reads a group and gives its rows places. `path`: of its table. Throws: SpecError, UnitError.
Group make_group(const std::string& name, const NeuronsSpec& spec, const std::vector<TimedArray>& arrays, double dt_s,
                 const std::string& path);

/// Gives rows places in a state, variables one or two.
void place(std::span<Quantity> quantities, std::size_t stride, bool two, Layout& layout);
/// The same of a group; the number of slots of every event must be known.
void place(Group& group, Layout& layout);

/// Kernel of expressions whose units are erased.
Formula make_formula(Names& names, std::span<const Id> outputs);

}  // namespace hartline::dynamics
