// Connect: which pairs of neurons have a synapse. Nothing as large as all pairs is ever held.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "dynamics/network_spec.hpp"

namespace hartline::dynamics {

/// Values of one source with every target, [num targets].
using OfSource = std::function<void(std::size_t source, double* out)>;

/// What there is to connect. Numbers count from the start of each part.
struct Pairs {
  std::size_t num_sources = 0, num_targets = 0;
  bool same_group = false;
  std::int64_t shift = 0;  // in one group source i is target i + shift
  double probability = 1;  // of a pair, where it is the same for all
  OfSource probabilities;  // else; empty: the same for all
  OfSource condition;      // not 0 where a synapse may be; empty: anywhere

  bool is_itself(std::size_t i, std::size_t j) const {
    return same_group && static_cast<std::int64_t>(i) + shift == static_cast<std::int64_t>(j);
  }
};

/// Pairs in rising order of source, then target. Targets of a source are drawn from the stream {seed, connect, index, source}, of
/// fixed_in the sources of a target from {seed, connect, index, target}.
/// Work: proportional to the synapses where the probability is one number and there is no condition, else to the pairs.
/// Throws: SpecError for a rule that cannot be kept.
std::vector<std::pair<std::int32_t, std::int32_t>> draw_pairs(const ConnectSpec& spec, const Pairs& pairs, std::uint64_t seed,
                                                              std::uint64_t index, const std::string& path);

}  // namespace hartline::dynamics
