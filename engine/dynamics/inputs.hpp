// Inputs: spikes from outside the network, as many sources with the same rate and weight as one draws.
#pragma once

#include <string>
#include <vector>

#include "dynamics/group.hpp"

namespace hartline::dynamics {

/// Each neuron of a group gets a Poisson number of spikes a step, of mean num · rate · dt, and adds the weight for each.
struct Inputs {
  std::string name;
  std::size_t group = 0, quantity = 0;  // what is added to
  std::size_t index = 0;                // among the inputs of the network
  std::vector<Given> given;
  Formula formula;  // mean, weight
};

/// Throws: SpecError, UnitError.
Inputs make_inputs(const std::string& name, const InputsSpec& spec, const std::vector<Group>& groups, const std::string& path);

}  // namespace hartline::dynamics
