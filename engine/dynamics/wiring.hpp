// Wiring: which neurons reach which, and after how long.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dynamics/group.hpp"
#include "dynamics/names.hpp"
#include "dynamics/network_spec.hpp"

namespace hartline::dynamics {

/// Neurons first … first + num - 1 of a group.
struct Part {
  std::size_t group = 0, first = 0, num = 0;
};

/// Where synapses are: those of a source stand together, by the delays of its spikes, then by their targets. Constant.
struct Wiring {
  std::vector<std::int32_t> source;  // [num] neuron of its group
  std::vector<std::int32_t> target;  // [num]

  std::size_t num() const { return target.size(); }
};

/// Which synapses a spike reaches, and when: of its source, or of its target. Constant.
struct Route {
  std::vector<std::int32_t> lags;       // delays that occur, in steps, rising
  std::vector<std::uint32_t> begin;     // [num neurons · num lags + 1] of neuron and lag
  std::vector<std::uint32_t> synapses;  // [num], of each neuron by delay, rising; empty: all, as they stand
  bool targets_rise = true;             // of each neuron and delay
};

/// Rows of the groups' quantities as they start: of group g and quantity q at rows[g][q].
using StartRows = std::vector<std::vector<std::vector<double>>>;

/// Rules of a wiring, made of i, j and what neurons start with; units erased. no_id: not given.
struct Rules {
  Id probability = equations::no_id, condition = equations::no_id;
};

/// Draws the pairs of neurons and the delays between them.
class Wirer {
 public:
  Wirer(Names& names, const Part& from, const Part& to, const std::vector<Group>& groups, const StartRows& rows, std::uint64_t seed,
        std::size_t index, double dt_s, const std::string& path);

  /// Pairs, in the order of their sources. Throws: SpecError for a rule that cannot be kept.
  Wiring draw(const ConnectSpec& spec, const Rules& rules);

  /// A delay in steps, of every synapse; no_id: none. `number`: of the delay among those of these synapses; `key` names it.
  /// Throws: SpecError for one below 0.
  std::vector<std::int32_t> lags_of(const Wiring& wiring, Id delay, std::size_t number, const std::string& key) const;

  /// Puts synapses into the order of their sources' delays.
  void sort(Wiring& wiring, std::vector<std::int32_t>& lags) const;

  Route route(const Wiring& wiring, const std::vector<std::int32_t>& lags, bool of_target) const;

 private:
  void of_pairs(const Formula& formula, const std::int32_t* from, const std::int32_t* to, std::size_t first, std::size_t num,
                std::uint32_t source, double* out) const;
  std::int32_t rounded(double seconds, const std::string& key) const;
  std::uint32_t source(std::uint32_t what) const;

  Names& names_;
  Part from_, to_;
  const std::vector<Group>& groups_;
  const StartRows& rows_;
  std::uint64_t seed_;
  std::size_t index_;
  double dt_s_;
  const std::string& path_;
};

}  // namespace hartline::dynamics
