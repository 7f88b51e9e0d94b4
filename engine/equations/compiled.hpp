// What is asked of the module that holds the compiler. It is loaded with the first kernel: libLLVM, linked, would cost every start
// of the program 20 ms.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "equations/kernel.hpp"

namespace hartline::equations {

struct CompileRequest {
  const Graph& graph;
  std::span<const Id> outputs;
  const std::vector<bool>& varies;
  bool fused;                            // the interpreter's multiply_add rounds once
  double (*(*function_of)(Op))(double);  // values of functions, a number at a time
  std::unique_ptr<const Kernel>& made;
  std::string& error;  // empty: none
};

/// The module's one function, "hartline_compile".
using Compile = void (*)(const CompileRequest& request);

/// Whether the interpreter's multiply_add rounds once on this machine.
bool products_are_fused();

}  // namespace hartline::equations
