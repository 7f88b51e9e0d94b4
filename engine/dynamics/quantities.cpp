#include "dynamics/quantities.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/describe.hpp"
#include "base/error.hpp"

namespace hartline::dynamics {

namespace {

/// A name with a space is no text's: the engine keeps something there.
bool is_hidden(const Quantity& quantity) { return quantity.name.find(' ') != std::string::npos; }

template <class List>
const auto& named(const List& list, const std::string& name) {
  return *std::find_if(list.begin(), list.end(), [&](const auto& one) { return one.name == name; });
}

}  // namespace

std::string text_at(const Value& value, const std::string& path, const char* example) {
  if (const auto* number = std::get_if<double>(&value.is)) return number_text(*number);
  if (const auto* whole = std::get_if<std::int64_t>(&value.is)) return std::to_string(*whole);
  if (!value.text()) throw SpecError({path, fmt::format("a text, for example \"{}\"", example), display(value), ""});
  return *value.text();
}

std::vector<QuantityText> read_equations(Names& names, const Table& equations, const std::string& path) {
  std::vector<QuantityText> slopes;
  for (const auto& [key, value] : equations.items) {
    const std::string at = path + "." + key;
    const std::string text = text_at(value, at, "(El - v) / tau : mV");
    if (key.find('/') == std::string::npos) {
      names.define(key, text, at);
      continue;
    }
    const equations::Statement statement = equations::parse_statement(key + " = " + text, at);
    if (statement.kind != equations::StatementKind::differential)
      throw SpecError({at, "dx/dt for a variable x, or the name of a value", "\"" + key + "\"", ""});
    const std::size_t colon = text.rfind(':');
    names.declare(
        {statement.name, statement.has_unit ? statement.unit : Unit{}, statement.has_unit ? statement.unit_text : "1", true, true},
        at);
    slopes.push_back({statement.name, statement.has_unit ? text.substr(0, colon) : text, at});
  }
  return slopes;
}

std::vector<QuantityText> read_parameters(Names& names, const Table& parameters, const std::vector<std::string>& own,
                                          const std::string& path) {
  std::vector<QuantityText> out;
  for (const auto& [key, value] : parameters.items) {
    const std::string at = path + "." + key, text = text_at(value, at, "10 nS");
    bool is_own = std::find(own.begin(), own.end(), key) != own.end();
    const equations::Statement statement = equations::parse_expression(key, text, at);
    for (const equations::Syntax& part : statement.parts)
      if (part.form == equations::Form::name)
        is_own =
            is_own || part.text == "i" || part.text == "j" || part.text.starts_with("random") || part.text.starts_with("randn");
    const auto [unit, unit_text] = names.unit_of(text, at);
    names.declare({key, unit, unit_text, false, is_own}, at);
    out.push_back({key, text, at});
  }
  for (const std::string& name : own)
    if (!parameters.find(name)) {
      std::vector<std::string_view> known;
      for (const auto& [key, value] : parameters.items) known.push_back(key);
      throw SpecError(
          {path.substr(0, path.rfind('.')) + ".own", "names of parameters", "\"" + name + "\"", did_you_mean(name, known)});
    }
  return out;
}

std::vector<Id> lower_slopes(Names& names, std::span<const QuantityText> slopes) {
  const Dimension second = unit_named("s")->dimension;
  std::vector<Id> out;
  for (const QuantityText& slope : slopes) {
    const Quantity& variable = named(names.quantities, slope.name);
    const std::string words = variable.unit_text.empty() || variable.unit_text == "1" ? "1/s" : variable.unit_text + " / s";
    out.push_back(names.lower(slope.name, slope.text, slope.path, {variable.unit.dimension / second, 1}, words));
  }
  return out;
}

std::vector<Id> lower_starts(Names& names, const Table& start, std::span<const QuantityText> parameters, const std::string& path) {
  std::vector<std::string_view> known;
  for (const Quantity& quantity : names.quantities)
    if (quantity.is_variable && !is_hidden(quantity)) known.push_back(quantity.name);
  refuse_unknown(start, {path + ".start", ""}, known);
  std::vector<Id> out;
  for (const Quantity& quantity : names.quantities) {
    if (is_hidden(quantity)) {
      out.push_back(names.graph.constant(0, quantity.unit.dimension));
      continue;
    }
    QuantityText text;
    if (quantity.is_variable) {
      text.path = path + ".start." + quantity.name;
      const Value* value = start.find(quantity.name);
      if (!value)
        throw SpecError({text.path, "given", "nothing",
                         fmt::format("Say where it starts, for example {} = \"0 {}\".", quantity.name,
                                     quantity.unit_text == "1" ? "" : quantity.unit_text)});
      text.text = text_at(*value, text.path, "-70 mV");
    } else {
      text = named(parameters, quantity.name);
    }
    out.push_back(names.lower(quantity.name, text.text, text.path, quantity.unit, quantity.unit_text));
  }
  return out;
}

void resolve_starts(Names& names, std::vector<Id>& starts, const std::string& path) {
  std::vector<equations::Replacement> others;
  for (std::size_t k = 0; k < starts.size(); ++k) others.push_back({names.symbol_of(names.quantities[k].name), starts[k]});
  for (std::size_t round = 0; round < starts.size(); ++round) starts = equations::replace(names.graph, starts, others);
  for (std::size_t k = 0; k < starts.size(); ++k) {
    const Quantity& quantity = names.quantities[k];
    const std::string at = path + (quantity.is_variable ? ".start." : ".parameters.") + quantity.name;
    if (names.depends_on_role(starts[k], Role::quantity)) throw SpecError({at, "made of other starts", "itself", ""});
    if (names.depends_on_role(starts[k], Role::array)) throw SpecError({at, "free of values over time", "one of them", ""});
    if (names.depends_on_role(starts[k], Role::noise))
      throw SpecError({at, "free of white noise", "xi", "randn is a number drawn once."});
    if (!quantity.is_own && !names.is_shared(starts[k]))
      throw SpecError({at, "the same for all", "different ones", fmt::format("List it: own = [\"{}\"].", quantity.name)});
  }
}

equations::Dynamics dynamics_of(const Names& names, std::span<const Id> slopes) {
  equations::Dynamics out;
  for (std::size_t k = 0; k < slopes.size(); ++k) out.equations.push_back({names.symbol_of(names.quantities[k].name), slopes[k]});
  out.time = names.time();
  out.dt = names.dt();
  out.noise = names.noise();
  return out;
}

}  // namespace hartline::dynamics
