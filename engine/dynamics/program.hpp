// Program: a network, constant and shared by threads; its State changes, step by step.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dynamics/group.hpp"
#include "dynamics/inputs.hpp"
#include "dynamics/network_spec.hpp"
#include "dynamics/state.hpp"
#include "dynamics/synapses.hpp"

namespace hartline {
class Executor;
}

namespace hartline::dynamics {

/// A row of numbers that can be read and written between steps, in the unit that it is written in.
struct Port {
  std::string name;
  bool is_narrow = false;  // floats
  std::size_t offset = 0;  // in a state
  std::size_t num = 0;     // 1: shared
  std::size_t stride = 0;  // to the second row of a variable; 0: there is one
  double scale = 1;        // base units in one of it
  std::string unit_text;
  std::size_t group = 0;  // whose coefficients follow from it; of synapses none
  bool moves_coefficients = false;
};

/// Equations, synapses and their order in time. In a step, of length dt from t:
///
///   1. sums over synapses (gap junctions), of the state at t
///   2. the variables of all groups go on to t + dt; conditions of spikes and events are looked at; so do variables of synapses
///   that
///      go on in every step, with neurons as they are at t
///   3. inputs, then synapses, hand on the spikes that arrive now, in their order
///   4. resets and other changes
///
/// A spike of a step belongs to the time t at which the step begins. A state is the same, bit for bit, at any number of threads.
/// (program_test.cpp: Network.ThreadsDoNotMatter)
class Program {
 public:
  /// Reads a network. `path` is put before the names of tables in messages. Throws: SpecError, UnitError.
  Program(const Table& network, std::uint64_t seed, const std::string& path = "");
  Program(const NetworkSpec& spec, std::uint64_t seed, const std::string& path = "");
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  /// The state at t = 0.
  State start() const;

  /// One step. Allocates: nothing after a thread's first step. (network_allocation_test.cpp: Network.StepsWithoutAllocating)
  /// Throws: RunError where a variable is no longer finite, or an array is over; the state is then as it was before the step, but
  /// of groups with linear equations, which are stepped in place (run.hpp goes back for them).
  void step(State& state, Executor& executor) const;

  double dt_s() const { return dt_s_; }
  double time_s(const State& state) const { return static_cast<double>(state.step()) * dt_s_; }
  std::uint64_t id() const { return id_; }

  /// A variable or parameter by its name: cells.v. Throws: SpecError.
  Port port(std::string_view name) const;
  void read(const State& state, const Port& port, std::span<double> out) const;
  /// One of its numbers.
  static double read(const State& state, const Port& port, std::size_t k) { return row(state, port)[k] / port.scale; }
  /// Takes effect with the next step. Throws: RunError for a number that is not finite; nothing has been written then.
  void write(State& state, const Port& port, std::span<const double> values) const;
  void write(State& state, const Port& port, double value) const { write(state, port, std::span<const double>(&value, 1)); }

  /// The event of a group: cells, cells.burst. Throws: SpecError.
  struct EventPlace {
    std::size_t group = 0, event = 0;
  };
  EventPlace event(std::string_view name) const;
  /// Which neurons it happened to in the last step, in rising order.
  std::span<const std::int32_t> happened(const State& state, EventPlace place) const;

  /// A state from the bytes of one. Throws: SpecError for one of another program.
  State restore(std::span<const std::byte> bytes) const;

  const std::vector<Group>& groups() const { return groups_; }
  const std::vector<Synapses>& synapses() const { return synapses_; }

 private:
  void read_arrays(const Table& table, const std::string& path);
  void read_neurons(const Table& table, const std::string& path);
  void read_inputs(const Table& table, const std::string& path);
  void read_synapses(const Table& table, const std::string& path);
  StartRows start_rows() const;
  static Row row(const State& state, const Port& port);
  void set_coefficients(State& state, const Group& group) const;

  double dt_s_ = 1e-4;
  std::uint64_t seed_ = 0, id_ = 0;
  std::vector<TimedArray> arrays_;
  std::vector<Group> groups_;
  std::vector<Inputs> inputs_;
  std::vector<Synapses> synapses_;
  Layout layout_;
};

}  // namespace hartline::dynamics
