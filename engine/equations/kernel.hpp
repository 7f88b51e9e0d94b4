// Kernel: expressions ready to be evaluated for many lanes at once (grid nodes, particles, candidates, neurons).
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "equations/graph.hpp"

namespace hartline::equations {

/// Where the numbers of one symbol are: element e of lane i at data[e * element_stride + i * lane_stride].
struct Input {
  const double* data = nullptr;
  std::size_t element_stride = 1;
  std::size_t lane_stride = 0;  // 0: the same for all lanes
};

/// Expressions of one graph; constant, shared by threads. It does not refer to the graph once it is made.
class Kernel {
 public:
  virtual ~Kernel() = default;
  /// outputs[k][i] = expression k in lane i, for num lanes. `inputs` are those of the symbols, in their order; lane_stride must be
  /// 0 exactly where the kernel was told that a symbol does not vary. An output may take the place of an input that has one number a
  /// lane, lane by lane (kernel_test.cpp: Kernels.OutputsMayTakeThePlaceOfInputs); else they do not overlap.
  /// Repeatable: a lane's bits depend neither on the others nor on its place.
  /// (kernel_test.cpp: Kernels.ALaneHasTheSameBitsAnywhere)
  /// Allocates: nothing, after a thread's first call.
  /// (kernel_allocation_test.cpp: Kernels.RunWithoutAllocating)
  virtual void run(std::span<const Input> inputs, std::size_t num, std::span<double* const> outputs) const = 0;
};

/// Machine code where missing_compiler() is empty, else the interpreter; the bits are the same. Kernels are kept: the same
/// expressions of another graph are the same kernel. (kernel_test.cpp: Kernels.EqualExpressionsShareOneKernel)
/// Units must have been erased; `varies[s]`: symbol s differs between lanes. What would take long to compile is interpreted.
/// (kernel_test.cpp: Kernels.HugeExpressionsAreInterpreted)
std::shared_ptr<const Kernel> make_kernel(const Graph& graph, std::span<const Id> outputs, const std::vector<bool>& varies);

/// Evaluates node by node over blocks of lanes.
std::unique_ptr<Kernel> make_interpreter(const Graph& graph, std::span<const Id> outputs, const std::vector<bool>& varies);

/// Machine code, made anew. Throws: RunError where there is no compiler.
/// Accuracy: the bits of the interpreter; of a NaN, that it is one. (kernel_test.cpp: Kernels.CompiledIsInterpreted)
std::unique_ptr<const Kernel> make_compiled(const Graph& graph, std::span<const Id> outputs, const std::vector<bool>& varies);

/// Why kernels are not compiled; empty where they are. The environment variable HARTLINE_INTERPRET keeps them from being compiled.
const std::string& missing_compiler();

}  // namespace hartline::equations
