// In which order nodes are worked out: what a node needs first, and before a sum whatever is the same all through it. A quotient by
// exprel needs the argument of exprel only: math::over_exprel.
#pragma once

#include <unordered_set>
#include <vector>

#include "equations/graph.hpp"

namespace hartline::equations {

/// The x of a / exprel(x), or no_id: of another node, or where exprel(x) is worked out before the sum that the quotient is in.
inline Id exprel_divided_by(const Graph& graph, const Node& node) {
  if (node.op != Op::divide) return no_id;
  const Node& divisor = graph.at(node.args[1]);
  return divisor.op == Op::exprel && divisor.free_indices == node.free_indices ? divisor.args[0] : no_id;
}

/// The parts of a sum's body that do not depend on its index and can be worked out before it.
inline std::vector<Id> before_sum(const Graph& graph, const Node& sum) {
  std::vector<Id> out, stack{sum.args[0]};
  std::unordered_set<Id> seen;
  while (!stack.empty()) {
    const Id id = stack.back();
    stack.pop_back();
    if (!seen.insert(id).second) continue;
    const Node& node = graph.at(id);
    if (node.free_indices >> sum.symbol == 0) {
      out.push_back(id);
      continue;
    }
    for (std::size_t k = 0; k < node.num_args(); ++k) stack.push_back(node.args[k]);
  }
  return out;
}

/// What nodes need and `done` (a map by Id) does not hold, arguments first. The body of a sum is worked out with the sum.
template <class Done>
std::vector<Id> needed_here(const Graph& graph, std::span<const Id> roots, const Done& done) {
  std::vector<Id> order;
  const auto arguments = [&](Id id, auto&& f) {
    const Node& node = graph.at(id);
    if (done.contains(id)) return;
    if (node.op == Op::sum) {
      for (const Id outer : before_sum(graph, node)) f(outer);
    } else if (const Id x = exprel_divided_by(graph, node); x != no_id) {
      f(x);
      f(node.args[0]);
    } else {
      for (std::size_t k = node.num_args(); k-- > 0;) f(node.args[k]);
    }
  };
  for_each_needed(graph, roots, arguments, [&](Id id) {
    if (!done.contains(id)) order.push_back(id);
  });
  return order;
}
template <class Done>
std::vector<Id> needed_here(const Graph& graph, Id root, const Done& done) {
  return needed_here(graph, std::span<const Id>(&root, 1), done);
}

/// The node of the index of that depth.
inline Id index_in(const Graph& graph, Id body, std::uint32_t depth) {
  Id found = no_id;
  for_each_needed(graph, std::span<const Id>(&body, 1), [&](Id id) {
    if (graph.at(id).op == Op::index && graph.at(id).symbol == depth) found = id;
  });
  return found;
}

}  // namespace hartline::equations
