#include "dynamics/names.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/error.hpp"

namespace hartline::dynamics {

using equations::Form;
using equations::Op;
using equations::Statement;
using equations::Symbol;
using equations::Syntax;

namespace {

bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

/// Calls f(word) for every word of a text.
template <class F>
void for_each_word(std::string_view text, F&& f) {
  for (std::size_t i = 0; i < text.size();) {
    std::size_t end = i;
    while (end < text.size() && is_word(text[end])) ++end;
    if (end > i) f(text.substr(i, end - i));
    i = std::max(end, i + 1);
  }
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

}  // namespace

Names::Names(std::string path) : path_(std::move(path)), scope_(graph) {}

std::uint32_t Names::add(const std::string& name, const Unit& unit, const std::string& unit_text, Given what,
                         const std::string& at) {
  Symbol symbol{name, {}, {unit.dimension, 1}, unit_text};
  const std::uint32_t made = scope_.declare(std::move(symbol), at);
  what.varies = what.role == Role::index || what.role == Role::target || what.role == Role::noise || what.role == Role::random ||
                what.role == Role::randn;
  given.push_back(what);
  symbols_.emplace(name, made);
  return made;
}

void Names::declare_time() {
  const Unit second = *unit_named("s");
  add("t", second, "s", {Role::time, 0}, path_);
  add("dt", second, "s", {Role::dt, 0}, path_);
}

void Names::declare_neurons() {
  add("i", {}, "1", {Role::index, 0}, path_);
  add("N", {}, "1", {Role::count, 0}, path_);
}

void Names::declare_synapses() {
  add("i", {}, "1", {Role::index, 0}, path_);
  add("j", {}, "1", {Role::target, 0}, path_);
  add("N_pre", {}, "1", {Role::count, 0}, path_);
  add("N_post", {}, "1", {Role::count_to, 0}, path_);
}

void Names::declare_arrays(const std::vector<TimedArray>& arrays, std::size_t num) {
  for (std::size_t k = 0; k < arrays.size(); ++k) {
    if (arrays[k].num != 1 && arrays[k].num != num) continue;  // for another group
    add(arrays[k].name, arrays[k].unit, arrays[k].unit_text, {Role::array, k}, "arrays." + arrays[k].name);
    given.back().varies = arrays[k].num != 1;
  }
}

void Names::declare_group(const std::vector<Quantity>& of_group, Role role, const std::string& suffix) {
  for (std::size_t k = 0; k < of_group.size(); ++k) {
    add(of_group[k].name + suffix, of_group[k].unit, of_group[k].unit_text, {role, k}, path_);
    given.back().varies = of_group[k].is_own;
  }
}

void Names::declare(const Quantity& quantity, const std::string& at) {
  add(quantity.name, quantity.unit, quantity.unit_text, {Role::quantity, quantities.size()}, at);
  given.back().varies = quantity.is_own;
  quantities.push_back(quantity);
}

std::uint32_t Names::stand_for(const std::string& name, Given what) {
  given.push_back(what);
  return graph.add_symbol({name, {}, {}, ""});
}

void Names::define(const std::string& name, const std::string& text, const std::string& at) {
  declare_random_names(text);
  scope_.define(equations::parse_expression(name, text, at), at);
}

void Names::declare_random_names(std::string_view text) {
  for_each_word(text, [&](std::string_view word) {
    if (symbols_.contains(word)) return;
    const auto is = [&](std::string_view name) {
      return word == name || (word.size() > name.size() + 1 && word.starts_with(name) && word[name.size()] == '_');
    };
    const auto declare_as = [&](Role role, const Unit& unit, const char* unit_text) {
      const auto at =
          static_cast<std::size_t>(std::count_if(given.begin(), given.end(), [&](const Given& g) { return g.role == role; }));
      add(std::string(word), unit, unit_text, {role, at}, path_);
    };
    if (is("xi")) declare_as(Role::noise, {*power(unit_named("s")->dimension, -0.5), 1}, "1/sqrt(s)");
    if (is("random")) declare_as(Role::random, {}, "1");
    if (is("randn")) declare_as(Role::randn, {}, "1");
  });
}

Id Names::lower(const std::string& name, const std::string& text, const std::string& at) {
  declare_random_names(text);
  return scope_.lower(equations::parse_expression(name, text, at), at);
}

Id Names::lower(const std::string& name, const std::string& text, const std::string& at, const Unit& unit,
                const std::string& unit_text) {
  const Id id = lower(name, text, at);
  if (graph.at(id).dimension == unit.dimension) return id;
  if (graph.is_constant(id, 0) && graph.at(id).dimension.none()) return graph.constant(0, unit.dimension);
  throw UnitError({at, fmt::format("in {}", unit_text.empty() ? hartline::unit_text(unit.dimension) : unit_text),
                   fmt::format("\"{}\", which is {}", text, scope_.unit_of(id)), ""});
}

bool Names::is_condition(const std::string& text, const std::string& at) {
  const Statement statement = equations::parse_expression("", text, at);
  const Syntax& root = statement.at(statement.root);
  if (root.form == Form::negation) return true;
  constexpr std::string_view words[] = {"and", "or", "<", "<=", ">", ">=", "==", "!="};
  return root.form == Form::binary && std::find(std::begin(words), std::end(words), root.text) != std::end(words);
}

Id Names::condition(const std::string& text, const std::string& at) {
  declare_random_names(text);
  return scope_.condition(equations::parse_expression("", text, at), at);
}

std::pair<Unit, std::string> Names::unit_of(const std::string& text, const std::string& at) {
  declare_random_names(text);
  const Statement statement = equations::parse_expression("", text, at);
  if (statement.has_unit) return {statement.unit, statement.unit_text};
  const Syntax* root = &statement.at(statement.root);
  if (root->form == Form::sign) root = &statement.at(root->args[0]);
  if (root->form == Form::number) {
    if (!root->has_unit) return {{}, "1"};
    const std::string_view words = statement.text_of(*root);
    const std::size_t space = words.find_first_of(" \t");
    return {root->unit, space == std::string_view::npos ? hartline::unit_text(root->unit.dimension)
                                                        : std::string(trimmed(words.substr(space)))};
  }
  const Dimension dimension = graph.at(scope_.lower(statement, at)).dimension;
  // "0 mW/mm^2": a number, then nothing but its unit
  const char* const number = text.c_str();
  char* words = nullptr;
  std::strtod(number, &words);
  if (words != number) {
    const std::string unit_words(trimmed(words));
    try {
      if (const Unit unit = read_unit(unit_words, at); unit.dimension == dimension) return {unit, unit_words};
    } catch (const UnitError&) {  // more than a unit
    }
  }
  return {{dimension, 1}, hartline::unit_text(dimension)};
}

std::vector<bool> Names::all_varies() const {
  std::vector<bool> out(graph.num_symbols());
  for (std::uint32_t s = 0; s < out.size(); ++s) out[s] = varies(s);
  return out;
}

bool Names::is_shared(Id root) const {
  bool shared = true;
  equations::for_each_needed(graph, std::span<const Id>(&root, 1), [&](Id id) {
    const equations::Node& node = graph.at(id);
    if (node.op == Op::symbol || node.op == Op::element) shared &= !varies(node.symbol);
  });
  return shared;
}

bool Names::depends_on_role(Id root, Role role) const {
  bool found = false;
  equations::for_each_needed(graph, std::span<const Id>(&root, 1), [&](Id id) {
    const equations::Node& node = graph.at(id);
    if (node.op == Op::symbol && node.symbol < given.size()) found |= given[node.symbol].role == role;
  });
  return found;
}

void Names::erase(std::vector<Id*> roots) {
  for (std::uint32_t s = 0; s < graph.num_symbols(); ++s) graph.symbol(s).unit = {};
  std::unordered_map<Id, Id> done;
  for (Id* root : roots)
    *root = equations::rewrite(graph, *root, done, [&](const equations::Node& node, Id) {
      equations::Node plain = node;
      plain.dimension = {};
      return graph.remake(plain);
    });
}

std::uint32_t Names::symbol_of(std::string_view name) const {
  const auto found = symbols_.find(name);
  if (found == symbols_.end()) throw InternalError("a name that was not declared is looked up: " + std::string(name));
  return found->second;
}

std::vector<std::uint32_t> Names::noise() const {
  std::vector<std::uint32_t> out;
  for (std::uint32_t s = 0; s < given.size(); ++s)
    if (given[s].role == Role::noise) out.push_back(s);
  return out;
}

}  // namespace hartline::dynamics
