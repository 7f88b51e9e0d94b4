#include "loop/library.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "instruments/opsin.hpp"
#include "io/toml.hpp"
#include "loop/library_texts.hpp"
#include "loop/spec.hpp"

namespace hartline::loop {

std::string_view library_text(std::string_view folder, std::string_view name) {
  for (const LibraryText& text : library_texts)
    if (text.folder == folder && text.name == name) return text.text;
  return {};
}

std::vector<std::string_view> library_names(std::string_view folder) {
  std::vector<std::string_view> out;
  for (const LibraryText& text : library_texts)
    if (text.folder == folder) out.push_back(text.name);
  return out;
}

namespace {

/// The text library/<folder>/<name>.toml. Throws: SpecError where the value is no name of one.
Table library_table(const char* folder, const Value& name, const std::string& path) {
  const std::string_view text = name.text() ? library_text(folder, *name.text()) : std::string_view{};
  if (text.empty())
    throw SpecError({path, fmt::format("a name of library/{}", folder), display(name),
                     name.text() ? did_you_mean(*name.text(), library_names(folder)) : ""});
  return io::parse_toml(text, fmt::format("library/{}/{}.toml", folder, *name.text()));
}

}  // namespace

void take_from_library(Table& network, const std::string& path) {
  for (const char* folder : {"neurons", "synapses"}) {
    Value* tables = network.find(folder);
    if (!tables || !tables->table()) continue;
    for (auto& [name, value] : tables->table()->items) {
      Table* table = value.table();
      const Value* model = table ? table->find("model") : nullptr;
      if (!model) continue;
      Table whole = library_table(folder, *model, fmt::format("{}{}.{}.model", path, folder, name));
      Table own;
      for (const auto& [key, item] : table->items)
        if (key != "model") own.set(key, item);
      lay_over(whole, own);
      *table = std::move(whole);
    }
  }
  Value* neurons = network.find("neurons");
  if (!neurons || !neurons->table()) return;
  for (auto& [name, value] : neurons->table()->items) {
    Table* table = value.table();
    const Value* opsin = table ? table->find("opsin") : nullptr;
    if (!opsin) continue;
    const std::string at = fmt::format("{}neurons.{}", path, name);
    const Table channel = library_table("opsins", *opsin, at + ".opsin");
    std::erase_if(table->items, [](const auto& item) { return item.first == "opsin"; });
    try {
      instruments::add_opsin(*table, instruments::read_opsin(channel, {"opsin", ""}));
    } catch (const SpecError& error) {
      throw SpecError({at + "." + error.fault.path, error.fault.requirement, error.fault.got, error.fault.hint});
    }
  }
}

void take_indicator(Table& instrument, const std::string& path) {
  Value* indicator = instrument.find("indicator");
  if (indicator && indicator->text()) *indicator = library_table("indicators", *indicator, path + ".indicator");
}

}  // namespace hartline::loop
