#include "equations/differentiate.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include "base/error.hpp"
#include "equations/lower.hpp"

namespace hartline::equations {

namespace {

/// ∂ node / ∂ its argument k times `by`.
Id pulled(Graph& g, Id id, std::size_t k, Id by) {
  const Node node = g.at(id);
  const Id a = node.args[0], b = node.args[1];
  const auto number = [&](double x) { return g.constant(x); };
  // Where nothing is pulled back, nothing goes on, even if the slope there has no value.
  const Node pull = g.at(by);
  const bool sometimes = pull.op == Op::where && g.is_constant(pull.args[2], 0),
             else_only = pull.op == Op::where && g.is_constant(pull.args[1], 0);
  const auto where_pulled = [&](auto&& scaled) {
    if (sometimes) return g.where(pull.args[0], scaled(pull.args[1]), g.constant(0));
    if (else_only) return g.where(pull.args[0], g.constant(0), scaled(pull.args[2]));
    return scaled(by);
  };
  const auto times = [&](Id x) { return where_pulled([&](Id part) { return g.multiply(part, x); }); };
  const auto over = [&](Id x) { return where_pulled([&](Id part) { return g.divide(part, x); }); };
  const auto square = [&](Id x) { return g.power(x, number(2)); };
  const Id zero = number(0), one = number(1);
  switch (node.op) {
    case Op::add:
      return by;
    case Op::subtract:
      return k == 0 ? by : g.negate(by);
    case Op::multiply:
      return times(k == 0 ? b : a);
    case Op::divide:
      return k == 0 ? over(b) : g.negate(times(g.divide(a, square(b))));
    case Op::power:
      if (k == 0) return times(g.multiply(b, g.power(a, g.subtract(b, one))));
      return times(g.where(g.apply(Op::equal, a, zero), zero, g.multiply(id, g.apply(Op::log, a))));
    case Op::negate:
      return g.negate(by);
    case Op::min:
    case Op::max: {
      const Id first = node.op == Op::min ? g.apply(Op::less_equal, a, b) : g.apply(Op::less_equal, b, a);
      return k == 0 ? g.where(first, by, zero) : g.where(first, zero, by);
    }
    case Op::atan2:
      return times(g.divide(k == 0 ? b : g.negate(a), g.add(square(a), square(b))));
    case Op::where:
      if (k == 0) return zero;
      return k == 1 ? g.where(a, by, zero) : g.where(a, zero, by);
    case Op::abs:
      return times(g.apply(Op::sign, a));
    case Op::sqrt:
      return over(g.multiply(number(2), id));
    case Op::exp:
      return times(id);
    case Op::expm1:
      return times(g.apply(Op::exp, a));
    case Op::exprel: {  // (e^x - exprel x) / x, and its series where that loses digits
      const Id small = g.apply(Op::less, g.apply(Op::abs, a), number(0.02));
      Id series = number(1.0 / 5760);
      for (const double c : {1.0 / 840, 1.0 / 144, 1.0 / 30, 1.0 / 8, 1.0 / 3, 1.0 / 2})
        series = g.add(number(c), g.multiply(a, series));
      const Id safe = g.where(small, one, a);
      const Id formula = g.divide(g.subtract(g.apply(Op::exp, safe), g.apply(Op::exprel, safe)), safe);
      return times(g.where(small, series, formula));
    }
    case Op::log:
      return over(a);
    case Op::log1p:
      return over(g.add(one, a));
    case Op::sin:
      return times(g.apply(Op::cos, a));
    case Op::cos:
      return g.negate(times(g.apply(Op::sin, a)));
    case Op::tan:
      return times(g.add(one, square(id)));
    case Op::asin:
      return over(g.apply(Op::sqrt, g.subtract(one, square(a))));
    case Op::acos:
      return g.negate(over(g.apply(Op::sqrt, g.subtract(one, square(a)))));
    case Op::atan:
      return over(g.add(one, square(a)));
    case Op::sinh:
      return times(g.apply(Op::cosh, a));
    case Op::cosh:
      return times(g.apply(Op::sinh, a));
    case Op::tanh:
      return times(g.subtract(one, square(id)));
    case Op::erf:
    case Op::erfc: {
      const Id slope =
          g.multiply(number((node.op == Op::erf ? 2 : -2) / std::sqrt(std::numbers::pi)), g.apply(Op::exp, g.negate(square(a))));
      return times(slope);
    }
    case Op::logistic:
      return times(g.multiply(id, g.apply(Op::logistic, g.negate(a))));
    case Op::softplus:
      return times(g.apply(Op::logistic, a));
    case Op::log_gamma:
      return times(g.apply(Op::digamma, a));
    case Op::digamma:
      return times(g.apply(Op::trigamma, a));
    case Op::log_bessel_i0:
      return times(g.apply(Op::bessel_ratio, a));
    case Op::bessel_ratio: {  // 1 - ρ² - ρ / x, which is ½ - 3x²/16 near 0
      const Id small = g.apply(Op::less, g.apply(Op::abs, a), number(1e-3));
      const Id safe = g.where(small, one, a);
      const Id formula = g.subtract(g.subtract(one, square(id)), g.divide(id, safe));
      return times(g.where(small, g.subtract(number(0.5), g.multiply(number(3.0 / 16), square(a))), formula));
    }
    case Op::log_normal_cdf: {  // φ(x) / Φ(x)
      const Id log_phi = g.subtract(g.multiply(number(-0.5), square(a)), number(0.5 * std::log(2 * std::numbers::pi)));
      return times(g.apply(Op::exp, g.subtract(log_phi, id)));
    }
    case Op::trigamma:
      throw SpecError({"equations", "derivatives that exist here", "one of trigamma", "log_gamma can be differentiated twice."});
    default:  // constants, conditions and steps
      return zero;
  }
}

/// The place of an element whose indices are constants.
std::size_t flat_index(const Graph& g, const Node& node) {
  std::size_t flat = 0;
  for (std::size_t k = 0; k < node.num_args(); ++k)
    flat = flat * g.symbol(node.symbol).shape[k] + static_cast<std::size_t>(constant_value(g, node.args[k]).value_or(0));
  return flat;
}

struct Loop {
  std::uint32_t depth;
  double count;
};

/// Gradients carried back through the region of one root.
class Reverse {
 public:
  Reverse(Graph& graph, std::map<Variable, Id>& out) : g_(graph), out_(out) {}

  void region(Id root, Id seed, const std::vector<Loop>& loops) {
    std::vector<Id> order;
    // what lies inside a sum belongs to the region of that sum
    const auto in_region = [&](Id id, auto&& f) {
      const Node& node = g_.at(id);
      if (node.op == Op::sum || node.op == Op::element) return;
      for (std::size_t k = node.num_args(); k-- > 0;)
        if (!g_.at(node.args[k]).is_boolean) f(node.args[k]);
    };
    for_each_needed(g_, std::span<const Id>(&root, 1), in_region, [&](Id id) { order.push_back(id); });
    std::unordered_map<Id, Id> pull{{root, seed}};
    for (std::size_t n = order.size(); n-- > 0;) {
      const Id id = order[n];
      const auto found = pull.find(id);
      if (found == pull.end() || g_.is_constant(found->second, 0)) continue;
      const Id by = found->second;
      const Node node = g_.at(id);
      if (node.op == Op::symbol) {
        add({node.symbol, 0}, summed(by, loops, 0));
      } else if (node.op == Op::element) {
        element(node, by, loops);
      } else if (node.op == Op::sum) {
        // A sum that does not depend on a loop around it is the same in all of its rounds, and may have an index of the same depth.
        std::vector<Loop> inside;
        for (const Loop& loop : loops)
          if (node.free_indices >> loop.depth & 1u) inside.push_back(loop);
        const Id pull_of_all = summed(by, loops, node.free_indices);
        inside.push_back({node.symbol, node.value});
        region(node.args[0], pull_of_all, inside);
      } else {
        for (std::size_t k = 0; k < node.num_args(); ++k) {
          if (g_.at(node.args[k]).is_boolean) continue;
          const Id part = pulled(g_, id, k, by);
          const auto [at, made] = pull.emplace(node.args[k], part);
          if (!made) at->second = g_.add(at->second, part);
        }
      }
    }
  }

 private:
  /// Σ over the loops that are not in `fixed`, the innermost first.
  Id summed(Id value, const std::vector<Loop>& loops, std::uint32_t fixed) {
    for (std::size_t k = loops.size(); k-- > 0;)
      if (!(fixed >> loops[k].depth & 1u)) value = g_.sum(loops[k].depth, loops[k].count, value);
    return value;
  }

  void element(const Node& node, Id by, const std::vector<Loop>& loops) {
    std::uint32_t used = 0;
    for (std::size_t k = 0; k < node.num_args(); ++k) used |= g_.at(node.args[k]).free_indices;
    const Id all = summed(by, loops, used);
    std::vector<Loop> over;
    double num = 1;
    for (const Loop& loop : loops)
      if (used >> loop.depth & 1u) {
        over.push_back(loop);
        num *= loop.count;
      }
    if (num > 65536)
      throw SpecError({"equations", "at most 65536 elements of an array under one sum, for derivatives", number_text(num), ""});
    set_indices(node, all, over, 0);
  }

  void set_indices(Node node, Id value, const std::vector<Loop>& over, std::size_t at) {
    if (at == over.size()) return add({node.symbol, flat_index(g_, node)}, value);
    for (double i = 0; i < over[at].count; ++i) {
      Node here = node;
      for (std::size_t k = 0; k < node.num_args(); ++k) here.args[k] = with_index(g_, node.args[k], over[at].depth, i);
      set_indices(here, with_index(g_, value, over[at].depth, i), over, at + 1);
    }
  }

  void add(const Variable& variable, Id value) {
    const auto [at, made] = out_.emplace(variable, value);
    if (!made) at->second = g_.add(at->second, value);
  }

  Graph& g_;
  std::map<Variable, Id>& out_;
};

}  // namespace

Id with_index(Graph& graph, Id root, std::uint32_t depth, double value) {
  // only what depends on that index: a sum inside may have one of the same depth that is its own
  std::unordered_map<Id, Id> done;
  const auto change = [&](const auto& self, Id id) -> Id {
    if (!(graph.at(id).free_indices >> depth & 1u)) return id;
    if (const auto found = done.find(id); found != done.end()) return found->second;
    Node node = graph.at(id);
    for (std::size_t k = 0; k < node.num_args(); ++k) node.args[k] = self(self, node.args[k]);
    const Id made = node.op == Op::index ? graph.constant(value) : graph.remake(node);
    done.emplace(id, made);
    return made;
  };
  return change(change, root);
}

bool depends_on(const Graph& graph, Id root, std::uint32_t symbol) {
  bool found = false;
  for_each_needed(graph, std::span<const Id>(&root, 1), [&](Id id) {
    const Node& node = graph.at(id);
    found |= (node.op == Op::symbol || node.op == Op::element) && node.symbol == symbol;
  });
  return found;
}

Id derivative(Graph& g, Id root, const Variable& variable) {
  std::vector<Id> order;
  for_each_needed(g, std::span<const Id>(&root, 1), [&](Id id) { order.push_back(id); });
  std::unordered_map<Id, Id> slope;
  for (const Id id : order) {
    const Node node = g.at(id);
    Id total = g.constant(0);
    if (node.op == Op::symbol) {
      if (node.symbol == variable.symbol) total = g.constant(1);
    } else if (node.op == Op::element) {
      if (node.symbol == variable.symbol) {
        total = g.constant(1);
        std::size_t rest = variable.element;
        for (std::size_t k = node.num_args(); k-- > 0;) {
          const std::size_t size = g.symbol(node.symbol).shape[k];
          const Id here = g.apply(Op::equal, node.args[k], g.constant(static_cast<double>(rest % size)));
          total = g.where(here, total, g.constant(0));
          rest /= size;
        }
      }
    } else if (node.op == Op::sum) {
      total = g.sum(node.symbol, node.value, slope.at(node.args[0]));
    } else if (!node.is_boolean) {
      for (std::size_t k = 0; k < node.num_args(); ++k)
        if (!g.at(node.args[k]).is_boolean && !g.is_constant(slope.at(node.args[k]), 0))
          total = g.add(total, pulled(g, id, k, slope.at(node.args[k])));
    }
    slope.emplace(id, total);
  }
  return slope.at(root);
}

std::vector<Id> gradient(Graph& graph, Id root, std::span<const Variable> variables) {
  std::map<Variable, Id> all;
  Reverse(graph, all).region(root, graph.constant(1), {});
  std::vector<Id> out;
  for (const Variable& variable : variables) {
    const auto found = all.find(variable);
    out.push_back(found == all.end() ? graph.constant(0) : found->second);
  }
  return out;
}

std::vector<Linear> linear_in(Graph& graph, Id root, std::span<const Variable> variables) {
  Linear out{gradient(graph, root, variables), root};
  for (const Id coefficient : out.coefficients)
    for (const Variable& variable : variables)
      if (depends_on(graph, coefficient, variable.symbol)) return {};
  std::unordered_map<Id, Id> done;
  const auto among = [&](const Node& node) {
    return std::any_of(variables.begin(), variables.end(), [&](const Variable& v) { return v.symbol == node.symbol; });
  };
  out.rest = rewrite(graph, root, done, [&](const Node& node, Id) {
    return (node.op == Op::symbol || node.op == Op::element) && among(node) ? graph.constant(0) : graph.remake(node);
  });
  return {out};
}

}  // namespace hartline::equations
