#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/error.hpp"
#include "equations/program.hpp"

namespace hartline::equations {

namespace {

/// How tightly an operator binds.
enum Binding { disjunction, conjunction, negation, comparison, addition, product, sign, power, primary };

class Printer {
 public:
  Printer(const Graph& graph, const std::unordered_map<Id, std::string>& names, std::span<const Named> values = {})
      : graph_(graph), names_(names), values_(values) {}

  /// The text of a node that stands where an operator of `least` binds.
  std::string text(Id id, Binding least, bool by_name = true) const {
    if (by_name)
      if (const auto named = names_.find(id); named != names_.end()) return named->second;
    const auto [binding, out] = form(id);
    return binding < least ? "(" + out + ")" : out;
  }

 private:
  std::pair<Binding, std::string> form(Id id) const {
    const Node& node = graph_.at(id);
    const auto two = [&](const char* op, Binding binding, Binding left, Binding right) {
      return std::pair{binding, text(node.args[0], left) + op + text(node.args[1], right)};
    };
    switch (node.op) {
      case Op::constant:
        return constant(node);
      case Op::symbol:
        return {primary, graph_.symbol(node.symbol).name};
      case Op::element:
        return {primary, element(node)};
      case Op::index:
        return {primary, index_name(node.symbol)};
      case Op::sum: {
        open_.push_back(node.symbol);
        const std::string body = text(node.args[0], disjunction), index = index_name(node.symbol);
        open_.pop_back();
        return {primary, fmt::format("sum({} in {}, {})", index, number_text(node.value), body)};
      }
      case Op::add:
        return two(" + ", addition, addition, product);
      case Op::subtract:
        return two(" - ", addition, addition, product);
      case Op::multiply:
        return two(" * ", product, product, sign);
      case Op::divide:
        return two(" / ", product, product, sign);
      case Op::power:
        return two("^", power, primary, sign);
      case Op::negate:
        return {sign, "-" + text(node.args[0], sign)};
      case Op::less:
        return two(" < ", comparison, addition, addition);
      case Op::less_equal:
        return two(" <= ", comparison, addition, addition);
      case Op::equal:
        return two(" == ", comparison, addition, addition);
      case Op::both:
        return two(" and ", conjunction, conjunction, negation);
      case Op::either:
        return two(" or ", disjunction, disjunction, conjunction);
      case Op::negation:
        return {negation, "not " + text(node.args[0], negation)};
      case Op::min:
        return {primary, call("min", node)};
      case Op::max:
        return {primary, call("max", node)};
      case Op::atan2:
        return angle_of("atan2", node);
      case Op::where:
        return {primary, call("where", node)};
      default:
        if (const Function& function = function_of(node.op); function.rule == UnitRule::to_angle)
          return angle_of(function.name, node);
        else
          return {primary, call(function.name, node)};
    }
  }

  /// Reads back as an angle, or where units are erased as its number of radians.
  std::pair<Binding, std::string> angle_of(std::string_view name, const Node& node) const {
    if (node.dimension.none()) return {product, call(name, node) + " / 1 rad"};
    return {primary, call(name, node)};
  }

  std::pair<Binding, std::string> constant(const Node& node) const {
    const bool negative = std::signbit(node.value), odd = !std::isfinite(node.value);
    std::string out = std::isinf(node.value) ? "1 / 0" : std::isnan(node.value) ? "0 / 0" : number_text(std::abs(node.value));
    Binding binding = negative ? sign : odd ? product : primary;
    if (negative) out = odd ? "-(" + out + ")" : "-" + out;
    if (node.dimension.none()) return {binding, out};
    const std::string unit = unit_text(node.dimension);
    if (const auto named = unit_named(unit); named && named->scale == 1 && std::isfinite(node.value))
      return {negative ? sign : power, out + " " + unit};
    // one base unit after the other: 3 * (1 m)^2 * (1 s)^-1
    static constexpr const char* bases[] = {"m", "kg", "s", "A", "K", "mol", "cd", "rad", "dB"};
    for (std::size_t k = 0; k < Dimension::num_bases; ++k)
      if (const int e = node.dimension.twelfths[k]; e != 0) out += fmt::format(" * (1 {})^{}", bases[k], number_text(e / 12.0));
    return {product, out};
  }

  std::string element(const Node& node) const {
    std::string out = graph_.symbol(node.symbol).name + "[";
    for (std::size_t k = 0; k < node.num_args(); ++k) out += (k > 0 ? ", " : "") + text(node.args[k], disjunction);
    return out + "]";
  }

  std::string call(std::string_view name, const Node& node) const {
    std::string out = std::string(name) + "(";
    for (std::size_t k = 0; k < node.num_args(); ++k) out += (k > 0 ? ", " : "") + text(node.args[k], disjunction);
    return out + ")";
  }

  /// i0 for the outermost index, i1, …; underlined where something else is called so.
  std::string index_name(std::uint32_t depth) const {
    std::string name = fmt::format("i{}", std::find(open_.begin(), open_.end(), depth) - open_.begin());
    const auto taken = [&] {
      for (std::uint32_t k = 0; k < graph_.num_symbols(); ++k)
        if (graph_.symbol(k).name == name) return true;
      for (const Named& value : values_)
        if (value.name == name) return true;
      return false;
    };
    while (taken()) name += "_";
    return name;
  }

  const Graph& graph_;
  const std::unordered_map<Id, std::string>& names_;
  std::span<const Named> values_;            // whose names no index has, not even where they are told
  mutable std::vector<std::uint32_t> open_;  // indices of the sums around, outermost first
};

const std::unordered_map<Id, std::string> no_names;

/// Refuses what would fill the screen: shared parts are written out wherever they have no name.
void refuse_long(const Graph& graph, Id root, const std::unordered_map<Id, std::string>& names) {
  constexpr double most = 100000;
  std::unordered_map<Id, double> length;
  for_each_needed(graph, std::span<const Id>(&root, 1), [&](Id id) {
    double total = 1;
    for (std::size_t k = 0; k < graph.at(id).num_args(); ++k) {
      const Id arg = graph.at(id).args[k];
      total += names.contains(arg) ? 1 : length.at(arg);
    }
    length.emplace(id, total);
  });
  if (length.at(root) > most)
    throw SpecError({"explain", fmt::format("at most {} operations, written out", most), number_text(length.at(root)),
                     "The pass name_shared gives names to what is used more than once."});
}

}  // namespace

std::string print(const Graph& graph, Id id) {
  refuse_long(graph, id, no_names);
  return Printer(graph, no_names).text(id, disjunction);
}

std::string print(const Program& program) {
  std::string out;
  const auto unit = [&](const std::string& text) { return program.has_units && !text.empty() ? " : " + text : ""; };
  for (const std::uint32_t at : program.given) {
    const Symbol& symbol = program.graph.symbol(at);
    out += "given " + symbol.name + (symbol.shape.empty() ? "" : fmt::format("[{}]", fmt::join(symbol.shape, ", "))) +
           unit(symbol.unit_text) + "\n";
  }
  std::unordered_map<Id, std::string> names;
  // in the order of need, so that every value is written with the names of those before it
  std::unordered_map<Id, std::size_t> place;
  for_each_needed(program.graph, program.roots(), [&](Id id) { place.emplace(id, place.size()); });
  std::vector<const Named*> values;
  for (const Named& named : program.values) values.push_back(&named);
  std::stable_sort(values.begin(), values.end(),
                   [&](const Named* a, const Named* b) { return place.at(a->value) < place.at(b->value); });
  for (const Named* one : values) {
    const Named& named = *one;
    // a name for a name alone is written out
    const Printer printer(program.graph, names, program.values);
    refuse_long(program.graph, named.value, names);
    out += named.name + " = " + printer.text(named.value, disjunction) + unit(named.unit_text) + "\n";
    const Op op = program.graph.at(named.value).op;
    if (op != Op::constant && op != Op::symbol) names.emplace(named.value, named.name);
  }
  const Printer printer(program.graph, names, program.values);
  const auto shown = [&](Id id) {
    refuse_long(program.graph, id, names);
    return printer.text(id, disjunction);
  };
  const auto listed = [&](const ResponseLine& response, std::size_t first, std::size_t num) {
    std::string text;
    for (std::size_t k = first; k < first + num; ++k) text += (k > first ? ", " : "") + shown(response.arguments[k]);
    return "(" + text + ")";
  };
  for (const ResponseLine& response : program.responses) {
    const std::size_t num = response.arguments.size() - (response.censored ? 2 : 0);
    out += response.name + " ~ " + (response.censored ? "censored(" : "") + response.law;
    std::string parts;
    for (const LawPart& part : response.parts)
      parts += (parts.empty() ? "(" : ", ") + shown(response.arguments[part.first - 1]) + ", " + part.law +
               listed(response, part.first, part.num);
    out += parts.empty() ? listed(response, 0, num) : parts + ")";
    if (response.censored) out += ", " + shown(response.arguments[num]) + ", " + shown(response.arguments[num + 1]) + ")";
    out += unit(response.unit_text) + "\n";
  }
  for (const State& state : program.states) {
    out += "start " + state.name + " = " + shown(state.start) + unit(state.unit_text) + "\n";
    out += state.name + "' = " + shown(state.next) + unit(state.unit_text) + "\n";
  }
  return out;
}

}  // namespace hartline::equations
