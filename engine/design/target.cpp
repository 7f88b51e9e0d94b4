#include "design/target.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "equations/differentiate.hpp"
#include "equations/kernel.hpp"
#include "equations/lower.hpp"
#include "equations/program.hpp"

namespace hartline::design {

namespace {

constexpr std::size_t none = ~std::size_t{0};

std::string path_of(std::size_t k) { return fmt::format("design.target[{}]", k); }

/// Number of the parameter that is meant, or none.
std::size_t find(const Target& target, std::size_t num, std::span<const std::string> names) {
  if (const auto* number = std::get_if<std::int64_t>(&target.value.is))
    return *number >= 0 && static_cast<std::size_t>(*number) < num ? static_cast<std::size_t>(*number) : none;
  const auto at = std::find(names.begin(), names.end(), *target.value.text());
  return at == names.end() ? none : static_cast<std::size_t>(at - names.begin());
}

[[noreturn]] void refuse(std::span<const Target> targets, std::size_t k, std::size_t num, std::span<const std::string> names) {
  throw SpecError({path_of(k),
                   names.empty() ? fmt::format("another parameter, 0 … {}", num - 1)
                                 : fmt::format("one of 0 … {} ({})", num - 1, fmt::join(names, ", ")),
                   display(targets[k].value), ""});
}

}  // namespace

void read(const Value& value, const Place& place, std::string_view key, std::string_view, const Constraint&,
          std::vector<Target>& out) {
  const List alone{value};
  const List& list = value.list() ? *value.list() : alone;
  out.clear();
  for (const Value& one : list) {
    if (!one.text() && !std::holds_alternative<std::int64_t>(one.is))
      throw SpecError({place.of(key), "numbers or names of parameters, or functions of them", display(one), place.line(one)});
    out.emplace_back().value = one;
  }
}

std::size_t parameter_of(std::span<const Target> targets, std::size_t k, std::size_t num, std::span<const std::string> names) {
  const std::size_t at = find(targets[k], num, names);
  if (at == none) refuse(targets, k, num, names);
  return at;
}

namespace {

/// Parameters by the names of all of their numbers.
struct Declared {
  std::vector<std::uint32_t> symbols;
  std::vector<std::size_t> first;       // number of each symbol's first element
  std::vector<equations::Id> elements;  // [num_parameters]
};
Declared declare(equations::Graph& graph, equations::Scope& scope, std::span<const std::string> names,
                 std::span<const std::string> units) {
  Declared out;
  for (std::size_t k = 0; k < names.size();) {
    const std::string base = names[k].substr(0, names[k].find('['));
    std::size_t num = 0;
    while (k + num < names.size() && (names[k + num] == base || names[k + num].starts_with(base + "["))) ++num;
    // of names that count up, the last tells the sizes
    std::vector<std::size_t> shape;
    const std::string& last = names[k + num - 1];
    for (std::size_t c = last.find('['); c < last.size() && last[c] != ']'; c = last.find_first_of(",]", c + 1))
      shape.push_back(std::stoul(last.substr(c + 1)) + 1);
    const std::string path = "model.parameters." + base;
    const std::string unit = units.empty() ? "" : units[k];
    out.symbols.push_back(scope.declare({base, shape, unit.empty() ? Unit{} : read_unit(unit, path), unit}, path));
    out.first.push_back(k);
    for (std::size_t i = 0; i < num; ++i) {
      std::vector<equations::Id> indices(shape.size());
      std::size_t rest = i;
      for (std::size_t d = shape.size(); d-- > 0; rest /= shape[d])
        indices[d] = graph.constant(static_cast<double>(rest % shape[d]));
      out.elements.push_back(shape.empty() ? graph.symbol_value(out.symbols.back()) : graph.element(out.symbols.back(), indices));
    }
    k += num;
  }
  return out;
}

equations::Id lowered(equations::Scope& scope, const Target& target, std::size_t k) {
  return scope.lower(equations::parse_expression("target", *target.value.text(), path_of(k)), path_of(k));
}

}  // namespace

std::vector<Target> without_units(std::span<const Target> targets, std::span<const std::string> names,
                                  std::span<const std::string> units) {
  std::vector<Target> out(targets.begin(), targets.end());
  for (std::size_t k = 0; k < out.size(); ++k) {
    if (!out[k].value.text() || find(out[k], names.size(), names) != none) continue;
    equations::Program program;
    equations::Scope scope(program.graph);
    program.given = declare(program.graph, scope, names, units).symbols;
    program.values.push_back({"target", lowered(scope, out[k], k), ""});
    equations::erase_units(program);
    equations::simplify(program);
    out[k].value = equations::print(program.graph, program.find("target"));
  }
  return out;
}

TargetFunctions::TargetFunctions(std::span<const Target> targets, std::span<const std::string> names) : num_(targets.size()) {
  equations::Graph graph;
  equations::Scope scope(graph);
  std::vector<equations::Id> outputs;
  const Declared declared = declare(graph, scope, names, {});
  first_ = declared.first;
  for (std::size_t k = 0; k < targets.size(); ++k) {
    const std::size_t at = find(targets[k], names.size(), names);
    if (at == none && !targets[k].value.text()) refuse(targets, k, names.size(), names);
    outputs.push_back(at != none ? declared.elements[at] : lowered(scope, targets[k], k));
  }
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    bool depends = false;
    for (std::uint32_t symbol = 0; symbol < graph.num_symbols(); ++symbol)
      depends = depends || equations::depends_on(graph, outputs[k], symbol);
    if (!depends || !graph.at(outputs[k]).dimension.none())
      throw SpecError(
          {path_of(k), "a function of parameters, which are numbers in their stated units", display(targets[k].value), ""});
  }
  kernel_ = equations::make_kernel(graph, outputs, std::vector<bool>(graph.num_symbols(), true));
}

void TargetFunctions::check(double value) {
  if (!std::isfinite(value))
    throw RunError({"design.target", "a finite value wherever the prior reaches", number_text(value),
                    "log(a) has none at 0 and below, for example."});
}

void TargetFunctions::operator()(const double* parameters, std::size_t stride, std::size_t num_sets, double* out) const {
  std::vector<equations::Input> inputs;
  for (const std::size_t first : first_) inputs.push_back({parameters + first * stride, stride, 1});
  std::vector<double*> columns;
  for (std::size_t k = 0; k < num_; ++k) columns.push_back(out + k * num_sets);
  kernel_->run(inputs, num_sets, columns);
}

}  // namespace hartline::design
