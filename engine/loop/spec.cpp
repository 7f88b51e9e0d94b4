#include "loop/spec.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "io/toml.hpp"

namespace hartline::loop {

namespace {

/// A value from the command line has no line in the file.
void forget_lines(Value& value) {
  value.line = 0;
  if (List* list = value.list())
    for (Value& item : *list) forget_lines(item);
  if (Table* table = value.table())
    for (auto& [key, item] : table->items) forget_lines(item);
}

/// A table of texts such as "range(0, 9, 1)" is one of variables.
bool has_variables(const Table& stimulus) {
  return std::any_of(stimulus.items.begin(), stimulus.items.end(), [](const auto& item) {
    const std::string* text = item.second.text();
    return text && (text->starts_with("range(") || text->starts_with("values(") || text->starts_with("box("));
  });
}

/// Where the model is written as text, the stimulus table holds the variables themselves.
Table with_variables(const Table& document) {
  const Value *model = document.find("model"), *stimulus = document.find("stimulus");
  if (!model || !model->table() || !stimulus || !stimulus->table() || stimulus->table()->find("kind")) return document;
  const Value* candidates = model->table()->find("candidate");
  const List* list = candidates ? candidates->list() : nullptr;
  const auto is_text = [](const Table& table) { return table.find("response") && table.find("parameters"); };
  bool any_text = is_text(*model->table());
  for (std::size_t i = 0; list && i < list->size(); ++i)
    if (const Table* candidate = (*list)[i].table())
      if (const Value* own = candidate->find("model"); own && own->table()) any_text |= is_text(*own->table());
  if (!any_text && !has_variables(*stimulus->table())) return document;
  Table out = document, table;
  table.set("kind", "variables");
  table.set("variables", *stimulus->table());
  out.set("stimulus", table);
  return out;
}

}  // namespace

void lay_over(Table& base, const Table& over) {
  for (const auto& [key, value] : over.items) {
    Value* existing = base.find(key);
    if (existing && existing->table() && value.table())
      lay_over(*existing->table(), *value.table());
    else
      base.set(key, value);
  }
}

Table read_document(const std::string& path, const std::vector<std::string>& overrides) {
  Table document = io::read_toml(path);
  for (const std::string& text : overrides) {
    if (text.find('=') == std::string::npos) throw SpecError({"--set", "of the form a.b=3", "\"" + text + "\"", ""});
    Table over;
    try {
      over = io::parse_toml(text, "--set");
    } catch (const SpecError&) {
      // a bare word is a text: --set design.kind=random
      const auto at = text.find('=');
      over = io::parse_toml(text.substr(0, at + 1) + "\"" + text.substr(at + 1) + "\"", "--set");
    }
    for (auto& [key, value] : over.items) forget_lines(value);
    lay_over(document, over);
  }
  return document;
}

Spec read_spec(const Table& document, const std::string& file) {
  Spec spec;
  if (const Value* format = document.find("format"); format && *format != Value(1))
    throw SpecError({"format", "1", display(*format), "This version of hartline reads format 1."});
  read_table(with_variables(document), {"", file}, spec);
  if (spec.title.empty()) {
    const auto slash = file.find_last_of('/');
    spec.title = file.substr(slash == std::string::npos ? 0 : slash + 1);
    if (const auto dot = spec.title.rfind(".toml"); dot != std::string::npos) spec.title.resize(dot);
  }
  return spec;
}

Spec recorded_spec(const std::string& configuration, const std::string& record) {
  try {
    return read_spec(io::parse_toml(configuration, record), record);
  } catch (const SpecError& error) {
    throw IoError({record, "an intact record", "a configuration that cannot be read", error.what()});
  }
}

Table resolved(const Spec& spec) { return *to_value(spec).table(); }

Table design_with(const Table& design, const Table& over) {
  const auto kind = [](const Table& table, const Value& otherwise) {
    const Value* value = table.find("kind");
    return value ? *value : otherwise;
  };
  const Value first = kind(design, Value("infomax"));
  Table out = display(kind(over, first)) == display(first) ? design : Table{};
  lay_over(out, over);
  return out;
}

Table with_overrides(const Table& document, const Table& contender) {
  Table out = document, over = contender;
  std::erase_if(over.items,
                [](const auto& item) { return item.first == "name" || item.first == "role" || item.first == "design"; });
  const Value *first = out.find("design"), *second = contender.find("design");
  if (second && second->table())
    out.set("design", design_with(first && first->table() ? *first->table() : Table{}, *second->table()));
  else if (second)
    out.set("design", *second);
  lay_over(out, over);
  return out;
}

}  // namespace hartline::loop
