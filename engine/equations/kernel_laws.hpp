// The law that binds the executors: the compiled kernel has the bits of the interpreted one. For tests.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <functional>

#include "base/random.hpp"
#include "equations/differentiate.hpp"
#include "equations/kernel.hpp"
#include "equations/program.hpp"

namespace hartline::equations::laws {

/// One bit pattern, or neither is a number: which of two NaNs an operation passes on is the processor's choice.
inline bool same_bits(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b) || (std::isnan(a) && std::isnan(b));
}

/// Numbers for all symbols of a graph, [num elements, num lanes] for those that vary.
struct Given {
  Given(const Graph& graph, const std::vector<bool>& varies, std::size_t num, const std::function<double(Stream&)>& draw) {
    data.resize(graph.num_symbols());
    for (std::uint32_t s = 0; s < graph.num_symbols(); ++s) {
      Stream stream(s + 1, Purpose::test, num);
      const std::size_t lanes = varies[s] ? num : 1;
      for (std::size_t k = 0; k < graph.symbol(s).num() * lanes; ++k) data[s].push_back(draw(stream));
      inputs.push_back({data[s].data(), lanes, varies[s] ? 1u : 0u});
    }
  }
  std::vector<std::vector<double>> data;
  std::vector<Input> inputs;
};

inline std::vector<std::vector<double>> run(const Kernel& kernel, std::span<const Input> inputs, std::size_t num_outputs,
                                            std::size_t num) {
  std::vector<std::vector<double>> out(num_outputs, std::vector<double>(num));
  std::vector<double*> to;
  for (auto& one : out) to.push_back(one.data());
  kernel.run(inputs, num, to);
  return out;
}

/// Compares both executors in `num` lanes; `draw` gives the symbols' values.
inline void expect_compiled_is_interpreted(const Graph& graph, std::span<const Id> outputs, const std::vector<bool>& varies,
                                           std::size_t num, const std::function<double(Stream&)>& draw, const std::string& what) {
  const Given given(graph, varies, num, draw);
  const auto a = run(*make_compiled(graph, outputs, varies), given.inputs, outputs.size(), num);
  const auto b = run(*make_interpreter(graph, outputs, varies), given.inputs, outputs.size(), num);
  for (std::size_t k = 0; k < outputs.size(); ++k)
    for (std::size_t i = 0; i < num; ++i) {
      if (same_bits(a[k][i], b[k][i])) continue;
      ADD_FAILURE() << what << ", output " << k << ", lane " << i << ": " << std::hexfloat << a[k][i] << " and " << b[k][i];
      return;
    }
}

/// The same for a program's values and responses, and for their gradients by all that is given, with all and some symbols varying.
inline void expect_compiled_is_interpreted(Program& program, std::size_t num, const std::function<double(Stream&)>& draw,
                                           const std::string& what) {
  std::vector<Variable> variables;
  for (const std::uint32_t s : program.given)
    for (std::size_t e = 0; e < std::min<std::size_t>(program.graph.symbol(s).num(), 6); ++e) variables.push_back({s, e});
  std::vector<Id> outputs = program.roots();
  const std::size_t num_values = outputs.size();
  for (std::size_t k = 0; k < num_values; ++k)
    for (const Id slope : gradient(program.graph, outputs[k], variables)) outputs.push_back(slope);
  for (const std::uint64_t pattern : {~0ull, 0ull, 0x5555ull}) {
    std::vector<bool> varies(program.graph.num_symbols());
    for (std::size_t s = 0; s < varies.size(); ++s) varies[s] = pattern >> s & 1u;
    expect_compiled_is_interpreted(program.graph, outputs, varies, num, draw, what);
  }
}

}  // namespace hartline::equations::laws
