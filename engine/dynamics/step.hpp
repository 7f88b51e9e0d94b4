// How kernels find their numbers in a state, for the neurons of a group and for synapses.
#pragma once

#include <span>
#include <vector>

#include "dynamics/program.hpp"

namespace hartline::dynamics {

constexpr std::size_t block_size = 1024;  // lanes that are worked out together

/// Scratch of one thread. Grows to what its largest kernel needs and stays.
struct Scratch {
  std::vector<equations::Input> inputs;
  std::vector<double*> outputs;
  std::vector<std::vector<double>> rows;  // by symbol: gathered or random numbers
  std::vector<std::vector<double>> results;
  std::vector<std::uint32_t> lanes;  // synapses in hand

  double* row(std::size_t symbol, std::size_t num);
  double* result(std::size_t k, std::size_t num);
};
Scratch& scratch();

/// What is the same for a whole step.
struct Moment {
  double time = 0, dt = 0;
  std::int64_t step = 0;
  std::uint64_t seed = 0;
};

/// Row of an array over time at a moment. Throws: RunError where it is over.
const double* row_at(const TimedArray& array, const Moment& moment);

/// Numbers of a quantity; of a variable those now, or those one step later.
inline double* row_of(double* doubles, const Quantity& q, std::size_t stride, std::int64_t step, bool later) {
  return doubles + q.offset + (q.is_variable && ((step & 1) != 0) != later ? stride : 0);
}

}  // namespace hartline::dynamics
