#include "equations/graph.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "base/error.hpp"

namespace hartline::equations {

namespace {

constexpr std::uint32_t max_depth = 5000;

bool is_whole(double x) { return std::nearbyint(x) == x && std::abs(x) < 1e6; }

std::uint64_t mixed(std::uint64_t h, std::uint64_t x) {
  h = (h ^ x) * 0x9e3779b97f4a7c15ULL;
  return h ^ (h >> 29);
}

std::uint64_t hash_of(const Node& node) {
  std::uint64_t h = mixed(static_cast<std::uint64_t>(node.op) + 1, node.symbol);
  for (const Id arg : node.args) h = mixed(h, arg);
  h = mixed(h, std::bit_cast<std::uint64_t>(node.value));
  for (const std::int16_t e : node.dimension.twelfths) h = mixed(h, static_cast<std::uint16_t>(e));
  return h;
}

bool same(const Node& a, const Node& b) {
  return a.op == b.op && a.symbol == b.symbol && a.args == b.args && a.dimension == b.dimension &&
         std::bit_cast<std::uint64_t>(a.value) == std::bit_cast<std::uint64_t>(b.value);
}

}  // namespace

std::uint32_t Graph::add_symbol(Symbol symbol) {
  symbols_.push_back(std::move(symbol));
  return static_cast<std::uint32_t>(symbols_.size() - 1);
}

Id Graph::plain(const Node& wanted) {
  // infinity and what is no number are constants wherever they come from
  if (wanted.op == Op::divide && is_constant(wanted.args[0]) && is_constant(wanted.args[1], 0))
    return constant(nodes_[wanted.args[0]].value / nodes_[wanted.args[1]].value, wanted.dimension);
  std::vector<Id>& bucket = by_hash_[hash_of(wanted)];
  for (const Id id : bucket)
    if (same(nodes_[id], wanted)) return id;
  Node node = wanted;
  node.free_indices = node.op == Op::index ? 1u << node.symbol : 0;
  for (std::size_t k = 0; k < node.num_args(); ++k) {
    node.free_indices |= nodes_[node.args[k]].free_indices;
    node.depth = std::max(node.depth, nodes_[node.args[k]].depth + 1);
  }
  if (node.depth > max_depth)  // what follows chains by recursion would run out of stack
    throw SpecError({"equations", fmt::format("expressions at most {} operations deep", max_depth), "a deeper one", ""});
  if (node.op == Op::sum) node.free_indices &= ~(1u << node.symbol);
  nodes_.push_back(node);
  bucket.push_back(static_cast<Id>(nodes_.size() - 1));
  return bucket.back();
}

Id Graph::constant(double value, const Dimension& dimension) {
  Node node;
  node.value = std::isnan(value) ? std::numeric_limits<double>::quiet_NaN() : value;
  node.dimension = dimension;
  return plain(node);
}

Id Graph::constant_like(double value, Id a) { return constant(value, nodes_[a].dimension); }

Id Graph::symbol_value(std::uint32_t symbol) {
  Node node = make_node(Op::symbol, {}, symbols_[symbol].unit.dimension);
  node.symbol = symbol;
  return plain(node);
}

Id Graph::element(std::uint32_t symbol, std::span<const Id> indices) {
  Node node = make_node(Op::element, {}, symbols_[symbol].unit.dimension);
  node.symbol = symbol;
  std::copy(indices.begin(), indices.end(), node.args.begin());
  return plain(node);
}

Id Graph::index(std::uint32_t depth) {
  Node node;
  node.op = Op::index;
  node.symbol = depth;
  return plain(node);
}

Id Graph::sum(std::uint32_t depth, double count, Id body) {
  const Dimension dimension = nodes_[body].dimension;
  if (count == 0) return constant(0, dimension);
  if (!(nodes_[body].free_indices >> depth & 1u)) return multiply(constant(count), body);
  const auto [factor, rest] = factor_of(body);
  if (factor != 1) return multiply(constant(factor), sum(depth, count, rest));
  Node node = make_node(Op::sum, {body}, dimension);
  node.symbol = depth;
  node.value = count;
  return plain(node);
}

Id Graph::binary(Op op, Id a, Id b, const Dimension& dimension, bool is_boolean) {
  const Node node = make_node(op, {a, b}, dimension, is_boolean);
  if (is_constant(a) && is_constant(b)) {
    const double args[] = {nodes_[a].value, nodes_[b].value};
    const double value = evaluate(node, args);
    if (std::isfinite(value) && !is_boolean) return constant(value, dimension);
  }
  return plain(node);
}

std::pair<double, Id> Graph::factor_of(Id id) {
  const Node& node = nodes_[id];
  if (node.op == Op::negate) {
    const auto [factor, rest] = factor_of(node.args[0]);
    return {-factor, rest};
  }
  if (node.op == Op::multiply && is_constant(node.args[0]) && nodes_[node.args[0]].dimension.none())
    return {nodes_[node.args[0]].value, node.args[1]};
  return {1, id};
}

Id Graph::add(Id a, Id b) {
  if (is_constant(a, 0)) return b;
  if (is_constant(b, 0)) return a;
  if (a == b) return multiply(constant(2), a);
  const auto [ca, ra] = factor_of(a);
  const auto [cb, rb] = factor_of(b);
  if (ra == rb) return multiply(constant(ca + cb), ra);
  if (ca == cb && ca != 1) return multiply(constant(ca), add(ra, rb));
  if (ca == -cb && ca != 1 && ca > 0) return multiply(constant(ca), subtract(ra, rb));
  if (cb < 0) return subtract(a, multiply(constant(-cb), rb));
  if (ca < 0) return subtract(b, multiply(constant(-ca), ra));
  if (b < a) std::swap(a, b);
  return binary(Op::add, a, b, nodes_[a].dimension);
}

Id Graph::subtract(Id a, Id b) {
  if (is_constant(b, 0)) return a;
  if (is_constant(a, 0)) return negate(b);
  if (a == b) return constant_like(0, a);
  const auto [ca, ra] = factor_of(a);
  const auto [cb, rb] = factor_of(b);
  if (ra == rb) return multiply(constant(ca - cb), ra);
  if (ca == cb && ca != 1) return multiply(constant(ca), subtract(ra, rb));
  if (cb < 0) return add(a, multiply(constant(-cb), rb));
  return binary(Op::subtract, a, b, nodes_[a].dimension);
}

Id Graph::multiply(Id a, Id b) {
  const Dimension dimension = nodes_[a].dimension * nodes_[b].dimension;
  if (is_constant(a, 0) || is_constant(b, 0)) return constant(0, dimension);
  if (is_constant(a) && is_constant(b)) return constant(nodes_[a].value * nodes_[b].value, dimension);
  if (is_constant(b)) std::swap(a, b);
  if (is_constant(a)) {
    const Node first = nodes_[a];
    if (first.dimension.none()) {
      if (first.value == 1) return b;
      const auto [factor, rest] = factor_of(b);
      if (factor != 1) return multiply(constant(first.value * factor), rest);
      if (first.value == -1) return negate(b);
      if (nodes_[b].op == Op::divide && is_constant(nodes_[b].args[0]))
        return divide(constant_like(first.value * nodes_[nodes_[b].args[0]].value, nodes_[b].args[0]), nodes_[b].args[1]);
    }
    return binary(Op::multiply, a, b, dimension);
  }
  const auto [ca, ra] = factor_of(a);
  const auto [cb, rb] = factor_of(b);
  if (ca * cb != 1 || ca != 1) return multiply(constant(ca * cb), multiply(ra, rb));
  if (a == b) return power(a, constant(2));
  const Node first = nodes_[a], second = nodes_[b];
  // x^m x^n, and x^m x
  const auto exponent = [&](const Node& node) {
    return node.op == Op::power && is_constant(node.args[1]) && nodes_[node.args[1]].value > 0 ? nodes_[node.args[1]].value : 0;
  };
  const double m = exponent(first), n = exponent(second);
  if (m > 0 && n > 0 && first.args[0] == second.args[0]) return power(first.args[0], constant(m + n));
  if (m > 0 && first.args[0] == b) return power(b, constant(m + 1));
  if (n > 0 && second.args[0] == a) return power(a, constant(n + 1));
  if (b < a) std::swap(a, b);
  return binary(Op::multiply, a, b, dimension);
}

Id Graph::divide(Id a, Id b) {
  const Dimension dimension = nodes_[a].dimension / nodes_[b].dimension;
  if (is_constant(a) && is_constant(b, 0)) return plain(make_node(Op::divide, {a, b}, dimension));
  if (is_constant(a, 0)) return constant(0, dimension);
  if (is_constant(b) && nodes_[b].value != 0 && std::isfinite(1 / nodes_[b].value)) {
    const Dimension inverse = Dimension{} / nodes_[b].dimension;
    if (is_constant(a)) return constant(nodes_[a].value / nodes_[b].value, dimension);
    int exponent = 0;
    if (std::abs(std::frexp(nodes_[b].value, &exponent)) == 0.5)
      return multiply(constant(1 / nodes_[b].value, inverse), a);  // exact
    const auto [factor, rest] = factor_of(a);
    if (factor != 1 && nodes_[b].dimension.none()) return multiply(constant(factor / nodes_[b].value), rest);
    return binary(Op::divide, a, b, dimension);
  }
  if (a == b) return constant(1);
  const auto [ca, ra] = factor_of(a);
  const auto [cb, rb] = factor_of(b);
  if (cb != 1 || ca != 1) return multiply(constant(ca / cb), divide(ra, rb));
  const Node top = nodes_[a];
  // x^n / x
  if (top.op == Op::power && top.args[0] == b && is_constant(top.args[1]) && nodes_[top.args[1]].value > 1)
    return power(b, constant(nodes_[top.args[1]].value - 1));
  return binary(Op::divide, a, b, dimension);
}

Id Graph::power(Id a, Id b) {
  if (!is_constant(b)) {
    if (is_constant(a) && nodes_[a].value > 0) return apply(Op::exp, multiply(constant(std::log(nodes_[a].value)), b));
    return binary(Op::power, a, b, {});
  }
  const double n = nodes_[b].value;
  const Dimension dimension = hartline::power(nodes_[a].dimension, n).value_or(Dimension{});
  if (n == 0) return constant(1);
  if (n == 1) return a;
  if (n == -1) return divide(constant(1), a);
  if (n == 0.5) return apply(Op::sqrt, a);
  const Node base = nodes_[a];
  if (is_whole(n)) {
    const auto [factor, rest] = factor_of(a);
    if (factor != 1 && std::isfinite(std::pow(factor, n)) && std::pow(factor, n) != 0)
      return multiply(constant(std::pow(factor, n)), power(rest, b));
    if (base.op == Op::power && is_constant(base.args[1]) && is_whole(nodes_[base.args[1]].value))
      return power(base.args[0], constant(nodes_[base.args[1]].value * n));
    if (base.op == Op::sqrt && n == 2) return base.args[0];
  }
  return binary(Op::power, a, b, dimension);
}

Id Graph::negate(Id a) {
  const Node node = nodes_[a];
  if (is_constant(a)) return constant(-node.value, node.dimension);
  if (node.op == Op::negate) return node.args[0];
  if (node.op == Op::subtract) return subtract(node.args[1], node.args[0]);
  const auto [factor, rest] = factor_of(a);
  if (factor != 1) return multiply(constant(-factor), rest);
  return plain(make_node(Op::negate, {a}, node.dimension));
}

Id Graph::where(Id condition, Id a, Id b) {
  if (a == b) return a;
  const Node test = nodes_[condition];
  if (test.num_args() == 2 && is_constant(test.args[0]) && is_constant(test.args[1])) {
    const double args[] = {nodes_[test.args[0]].value, nodes_[test.args[1]].value};
    return evaluate(test, args) != 0 ? a : b;
  }
  return plain(make_node(Op::where, {condition, a, b}, nodes_[a].dimension));
}

Id Graph::apply(Op op, Id a) {
  if (op == Op::negate) return negate(a);
  const Node node = nodes_[a];
  if (op == Op::negation) return plain(make_node(op, {a}, {}, true));
  const Function& function = function_of(op);
  if (op == Op::exp && node.op == Op::log) return node.args[0];
  if (op == Op::log && node.op == Op::exp) return node.args[0];
  if (op == Op::abs && (node.op == Op::abs || node.op == Op::exp || node.op == Op::sqrt)) return a;
  Dimension dimension;
  if (function.rule == UnitRule::same) dimension = node.dimension;
  if (function.rule == UnitRule::root) dimension = hartline::power(node.dimension, 0.5).value_or(Dimension{});
  if (function.rule == UnitRule::to_angle) dimension = angle();
  if (is_constant(a)) {
    const double value = function.value(node.value);
    if (std::isfinite(value)) return constant(value, dimension);
  }
  return plain(make_node(op, {a}, dimension));
}

Id Graph::apply(Op op, Id a, Id b) {
  switch (op) {
    case Op::add:
      return add(a, b);
    case Op::subtract:
      return subtract(a, b);
    case Op::multiply:
      return multiply(a, b);
    case Op::divide:
      return divide(a, b);
    case Op::power:
      return power(a, b);
    case Op::min:
    case Op::max:
      return a == b ? a : binary(op, a, b, nodes_[a].dimension);
    case Op::atan2:
      return binary(op, a, b, angle());
    default:
      return binary(op, a, b, {}, true);
  }
}

Id Graph::remake(const Node& node) {
  switch (node.op) {
    case Op::constant:
    case Op::symbol:
    case Op::index:
    case Op::element:
      return plain(node);
    case Op::sum:
      return sum(node.symbol, node.value, node.args[0]);
    case Op::where:
      return where(node.args[0], node.args[1], node.args[2]);
    default:
      break;
  }
  const Id out = node.num_args() == 1 ? apply(node.op, node.args[0]) : apply(node.op, node.args[0], node.args[1]);
  if (nodes_[out].dimension == node.dimension) return out;
  Node erased = nodes_[out];  // of an angle: where units are erased it stays a number
  erased.dimension = node.dimension;
  return plain(erased);
}

}  // namespace hartline::equations
