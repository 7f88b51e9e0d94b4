// Kernel: expressions ready to be evaluated for many lanes at once (grid nodes, particles, candidates, neurons).
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "equations/graph.hpp"

namespace hartline::equations {

/// Where the numbers of one symbol are: element e of lane i at data[e * element_stride + i * lane_stride].
struct Input {
  const double* data = nullptr;
  std::size_t element_stride = 1;
  std::size_t lane_stride = 0;  // 0: the same for all lanes
};

/// Expressions of one graph; constant, shared by threads.
class Kernel {
 public:
  virtual ~Kernel() = default;
  /// outputs[k][i] = expression k in lane i, for num lanes. `inputs` are those of the symbols, in their order; lane_stride must be
  /// 0 exactly where the kernel was told that a symbol does not vary. Repeatable: a lane's bits do not depend on the others.
  /// Allocates: nothing, after a thread's first call.
  virtual void run(std::span<const Input> inputs, std::size_t num, std::span<double* const> outputs) const = 0;
};

/// Evaluates node by node over blocks of lanes. Units must have been erased; `varies[s]`: symbol s differs between lanes.
std::unique_ptr<Kernel> make_interpreter(const Graph& graph, std::span<const Id> outputs, const std::vector<bool>& varies);

}  // namespace hartline::equations
