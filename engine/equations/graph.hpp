// Graph: typed expressions that share what is equal. A node is made once and never changes; an Id names it.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/units.hpp"

namespace hartline::equations {

using Id = std::uint32_t;
constexpr Id no_id = ~Id{0};

enum class Op : std::uint8_t {
  constant,  // value
  symbol,    // a number that is given
  element,   // of an array that is given; arguments: its indices
  index,     // of the sum around it; `symbol` is how many sums are around that one
  sum,       // of the argument over an index from 0 to value - 1; `symbol` is the number of that index
  add,
  subtract,
  multiply,
  divide,
  power,
  negate,
  min,
  max,
  atan2,
  less,
  less_equal,
  equal,
  both,
  either,
  negation,
  where,  // second argument where the first holds, third elsewhere
  // of one argument; the order is that of functions()
  abs,
  sign,
  floor,
  sqrt,
  exp,
  expm1,
  exprel,
  log,
  log1p,
  sin,
  cos,
  tan,
  asin,
  acos,
  atan,
  sinh,
  cosh,
  tanh,
  erf,
  erfc,
  logistic,
  softplus,
  log_gamma,
  digamma,
  trigamma,
  log_bessel_i0,
  bessel_ratio,    // I1(x) / I0(x)
  log_normal_cdf,  // log Φ(x)
};

/// How the unit of a function's value follows from that of its argument.
enum class UnitRule : std::uint8_t { number, same, root, of_angle, to_angle, to_number };

/// A function of one argument, by the name it has in texts.
struct Function {
  std::string_view name;
  Op op;
  UnitRule rule;
  double (*value)(double);
};

const std::vector<Function>& functions();
const Function& function_of(Op op);

struct Node {
  Op op = Op::constant;
  std::uint32_t symbol = 0;
  std::array<Id, 3> args = {no_id, no_id, no_id};
  double value = 0;
  Dimension dimension;
  bool is_boolean = false;
  // set when made
  std::uint32_t free_indices = 0;  // bit d: depends on index d of a sum around it
  std::uint32_t depth = 0;         // of the longest chain of arguments

  std::size_t num_args() const {
    std::size_t n = 0;
    while (n < args.size() && args[n] != no_id) ++n;
    return n;
  }
};

inline Node make_node(Op op, std::initializer_list<Id> args, const Dimension& dimension = {}, bool is_boolean = false) {
  Node node;
  node.op = op;
  std::size_t k = 0;
  for (const Id arg : args) node.args[k++] = arg;
  node.dimension = dimension;
  node.is_boolean = is_boolean;
  return node;
}

/// What is given when an expression is evaluated.
struct Symbol {
  std::string name;
  std::vector<std::size_t> shape;  // empty: one number; at most three sizes
  Unit unit;                       // of the numbers given
  std::string unit_text;

  std::size_t num() const {
    std::size_t n = 1;
    for (const std::size_t size : shape) n *= size;
    return n;
  }
};

/// Owns nodes and symbols. What is made is simplified only as far as asked for: `plain` makes nodes as written.
class Graph {
 public:
  std::uint32_t add_symbol(Symbol symbol);
  const Symbol& symbol(std::uint32_t at) const { return symbols_[at]; }
  Symbol& symbol(std::uint32_t at) { return symbols_[at]; }
  std::size_t num_symbols() const { return symbols_.size(); }

  const Node& at(Id id) const { return nodes_[id]; }
  std::size_t num_nodes() const { return nodes_.size(); }

  /// The node with these members, made if there was none. Throws: SpecError for a chain of arguments that is too long.
  Id plain(const Node& node);

  Id constant(double value, const Dimension& dimension = {});
  Id symbol_value(std::uint32_t symbol);
  Id element(std::uint32_t symbol, std::span<const Id> indices);
  Id index(std::uint32_t depth);
  Id sum(std::uint32_t depth, double count, Id body);

  // Simplified when made: constants folded, neutral elements left out, constant factors and signs moved to the front. Exact: what
  // is simplified has the same value up to rounding wherever the original has one.
  Id add(Id a, Id b);
  Id subtract(Id a, Id b);
  Id multiply(Id a, Id b);
  Id divide(Id a, Id b);
  Id power(Id a, Id b);
  Id negate(Id a);
  Id where(Id condition, Id a, Id b);
  Id apply(Op op, Id a);                 // a function of one argument, or negation
  Id apply(Op op, Id a, Id b);           // any operator of two arguments
  Id remake(const Node& node);           // the simplified form of a node whose arguments are
  Id constant_like(double value, Id a);  // in a's dimension

  bool is_constant(Id id) const { return nodes_[id].op == Op::constant; }
  bool is_constant(Id id, double value) const { return is_constant(id) && nodes_[id].value == value; }

 private:
  Id binary(Op op, Id a, Id b, const Dimension& dimension, bool is_boolean = false);
  /// Splits c · rest off a product.
  std::pair<double, Id> factor_of(Id id);

  std::vector<Node> nodes_;
  std::vector<Symbol> symbols_;
  std::unordered_map<std::uint64_t, std::vector<Id>> by_hash_;
};

/// The value of a function or operator at constants.
double evaluate(const Node& node, std::span<const double> args);

/// Calls visit(id) for every node that `roots` need, what it needs first, each once; for_each_argument(id, f) calls f(argument) for
/// what a node needs, the last first.
template <class ForEachArgument, class Visit>
void for_each_needed(const Graph& graph, std::span<const Id> roots, ForEachArgument&& for_each_argument, Visit&& visit) {
  std::vector<std::uint8_t> state(graph.num_nodes(), 0);  // 0 unseen, 1 open, 2 done
  std::vector<Id> stack(roots.rbegin(), roots.rend());
  while (!stack.empty()) {
    const Id id = stack.back();
    if (state[id] == 2) {
      stack.pop_back();
      continue;
    }
    if (state[id] == 0) {
      state[id] = 1;
      for_each_argument(id, [&](Id argument) {
        if (state[argument] == 0) stack.push_back(argument);
      });
      continue;
    }
    state[id] = 2;
    stack.pop_back();
    visit(id);
  }
}

/// The same with the arguments of every node.
template <class Visit>
void for_each_needed(const Graph& graph, std::span<const Id> roots, Visit&& visit) {
  const auto every_argument = [&](Id id, auto&& f) {
    for (std::size_t k = graph.at(id).num_args(); k-- > 0;) f(graph.at(id).args[k]);
  };
  for_each_needed(graph, roots, every_argument, visit);
}

/// Rebuilds `root` with every needed node replaced by change(node with new arguments, old id), in a graph that may be the same.
template <class Change>
Id rewrite(const Graph& from, Id root, std::unordered_map<Id, Id>& done, Change&& change) {
  std::vector<Id> order;
  for_each_needed(from, std::span<const Id>(&root, 1), [&](Id id) { order.push_back(id); });
  for (const Id id : order) {
    if (done.contains(id)) continue;
    Node node = from.at(id);
    for (std::size_t k = 0; k < node.num_args(); ++k) node.args[k] = done.at(node.args[k]);
    done.emplace(id, change(node, id));
  }
  return done.at(root);
}

}  // namespace hartline::equations
