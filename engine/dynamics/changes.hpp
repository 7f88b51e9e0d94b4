// Changes: what a spike or another event does, in order: v = El, w += b, g_post += w.
#pragma once

#include <string>
#include <vector>

#include "dynamics/names.hpp"

namespace hartline::dynamics {

/// Quantities that texts may change, by their names with a suffix.
struct Changeable {
  Role role = Role::quantity;
  const std::vector<Quantity>* quantities = nullptr;
  std::string suffix;
  const char* whose = "neuron";  // has its own
  bool sums = false;             // += and -= of several synapses add up
};

struct Change {
  std::size_t owner = 0, quantity = 0;  // among those that can be changed
  bool adds = false;                    // the value is added
  Id value = equations::no_id;
};

/// Reads changes one after the other: each sees the values that those before it have set. What is added up is not seen before all
/// changes are done. Throws: SpecError, UnitError.
std::vector<Change> read_changes(Names& names, const std::vector<Changeable>& owners, const std::vector<std::string>& texts,
                                 const std::string& path);

}  // namespace hartline::dynamics
