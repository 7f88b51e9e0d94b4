#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "equations/differentiate.hpp"
#include "equations/program.hpp"

namespace hartline::equations {

namespace {

/// Replaces every root by change(root).
template <class Change>
void for_each_root(Program& program, Change&& change) {
  for (Named& named : program.values) named.value = change(named.value);
  for (ResponseLine& response : program.responses)
    for (Id& argument : response.arguments) argument = change(argument);
  for (State& state : program.states) {
    state.start = change(state.start);
    state.next = change(state.next);
  }
}

std::vector<Variable> numbers_given(const Program& program) {
  std::vector<Variable> out;
  for (const std::uint32_t symbol : program.given)
    for (std::size_t k = 0; k < program.graph.symbol(symbol).num(); ++k) out.push_back({symbol, k});
  return out;
}

/// mu, or theta_1_0 for theta[1, 0].
std::string word_of(const Program& program, const Variable& variable) {
  const Symbol& symbol = program.graph.symbol(variable.symbol);
  std::string out;
  std::size_t rest = variable.element;
  for (std::size_t k = symbol.shape.size(); k-- > 0; rest /= symbol.shape[k])
    out = fmt::format("_{}", rest % symbol.shape[k]) + out;
  return symbol.name + out;
}

void refuse_many(std::size_t num) {
  if (num > 4096) throw SpecError({"equations", "at most 4096 given numbers, for derivatives", std::to_string(num), ""});
}

std::string free_name(const Program& program, const std::string& wanted) {
  std::set<std::string> taken;
  for (const std::uint32_t symbol : program.given) taken.insert(program.graph.symbol(symbol).name);
  for (const Named& named : program.values) taken.insert(named.name);
  for (const ResponseLine& response : program.responses) taken.insert(response.name);
  for (const State& state : program.states) taken.insert(state.name);
  std::string name = wanted;
  while (taken.contains(name)) name += "_";
  return name;
}

}  // namespace

const std::vector<Pass>& passes() {
  static const std::vector<Pass> all = {
      {"erase_units", "values in base units, each given value times the size of its unit", true, erase_units},
      {"simplify", "constants folded, neutral elements left out, factors in front", true, simplify},
      {"differentiate", "the derivative of every named value by every given number", false, differentiate},
      {"extract_linear", "the coefficients of named values that are linear in given numbers", false, extract_linear},
      {"name_shared", "a name for every expression that is used more than once", false, name_shared},
  };
  return all;
}

void run_passes(Program& program, std::string_view last) {
  std::vector<std::string_view> names;
  for (const Pass& pass : passes()) names.push_back(pass.name);
  if (std::find(names.begin(), names.end(), last) == names.end())
    throw SpecError(
        {"pass", fmt::format("one of {}", fmt::join(names, ", ")), "\"" + std::string(last) + "\"", did_you_mean(last, names)});
  for (const Pass& pass : passes()) {
    if (pass.always || pass.name == last) pass.run(program);
    if (pass.name == last) return;
  }
}

void erase_units(Program& program) {
  Graph& g = program.graph;
  std::unordered_map<Id, Id> done;
  const auto erased = [&](const Node& node, Id) {
    Node out = node;
    out.dimension = {};
    if (node.op != Op::symbol && node.op != Op::element) return g.plain(out);
    const double scale = g.symbol(node.symbol).unit.scale;
    const Id value = g.plain(out);
    if (scale == 1) return value;
    return g.plain(make_node(Op::multiply, {g.constant(scale), value}));
  };
  for_each_root(program, [&](Id root) { return rewrite(g, root, done, erased); });
  for (State& state : program.states) {  // stay numbers in the unit that was stated
    const double scale = g.symbol(state.symbol).unit.scale;
    for (Id* value : {&state.start, &state.next})
      if (scale != 1) *value = g.plain(make_node(Op::divide, {*value, g.constant(scale)}));
    g.symbol(state.symbol).unit = {};
  }
  for (const std::uint32_t symbol : program.given) g.symbol(symbol).unit = {};
  for (const ResponseLine& response : program.responses) g.symbol(response.symbol).unit = {};
  program.has_units = false;
}

void simplify(Program& program) {
  Graph& g = program.graph;
  std::unordered_map<Id, Id> done;
  for_each_root(program, [&](Id root) { return rewrite(g, root, done, [&](const Node& node, Id) { return g.remake(node); }); });
}

void differentiate(Program& program) {
  std::size_t num = 0;
  for (const std::uint32_t symbol : program.given) num += program.graph.symbol(symbol).num();
  refuse_many(num);
  const std::vector<Variable> variables = numbers_given(program);
  const std::vector<Named> values = program.values;
  for (const Named& named : values) {
    if (named.derived) continue;
    const std::vector<Id> slopes = gradient(program.graph, named.value, variables);
    for (std::size_t k = 0; k < variables.size(); ++k) {
      if (program.graph.is_constant(slopes[k], 0)) continue;
      const std::string name = fmt::format("d_{}_d_{}", named.name, word_of(program, variables[k]));
      program.values.push_back({free_name(program, name), slopes[k], "", true});
    }
  }
}

void extract_linear(Program& program) {
  const std::vector<Named> values = program.values;
  for (const Named& named : values) {
    if (named.derived) continue;
    for (const std::uint32_t symbol : program.given) {
      if (!depends_on(program.graph, named.value, symbol)) continue;
      refuse_many(program.graph.symbol(symbol).num());
      std::vector<Variable> variables;
      for (std::size_t k = 0; k < program.graph.symbol(symbol).num(); ++k) variables.push_back({symbol, k});
      const auto found = linear_in(program.graph, named.value, variables);
      if (found.empty()) continue;
      for (std::size_t k = 0; k < variables.size(); ++k) {
        const std::string name = fmt::format("{}_per_{}", named.name, word_of(program, variables[k]));
        program.values.push_back({free_name(program, name), found[0].coefficients[k], "", true});
      }
      const std::string rest = fmt::format("{}_without_{}", named.name, program.graph.symbol(symbol).name);
      program.values.push_back({free_name(program, rest), found[0].rest, "", true});
    }
  }
}

void name_shared(Program& program) {
  const Graph& g = program.graph;
  std::unordered_map<Id, int> uses;
  const std::vector<Id> roots = program.roots();
  std::vector<Id> order;
  for_each_needed(g, roots, [&](Id id) { order.push_back(id); });
  for (const Id id : order)
    for (std::size_t k = 0; k < g.at(id).num_args(); ++k) ++uses[g.at(id).args[k]];
  std::set<Id> named;
  for (const Named& one : program.values) named.insert(one.value);
  std::size_t number = 0;
  for (const Id id : order) {
    const Node& node = g.at(id);
    if (uses[id] < 2 || node.num_args() == 0 || node.op == Op::element || node.is_boolean || node.free_indices != 0 ||
        named.contains(id))
      continue;
    program.values.push_back({free_name(program, fmt::format("t{}", ++number)), id, "", true});
  }
}

}  // namespace hartline::equations
