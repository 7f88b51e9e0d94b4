#include "loop/library.hpp"

#include <algorithm>

#include "base/error.hpp"
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

void take_from_library(Table& network) {
  for (const char* folder : {"neurons", "synapses"}) {
    Value* tables = network.find(folder);
    if (!tables || !tables->table()) continue;
    for (auto& [name, value] : tables->table()->items) {
      Table* table = value.table();
      const Value* model = table ? table->find("model") : nullptr;
      if (!model) continue;
      const std::string path = std::string(folder) + "." + name + ".model";
      const std::string_view text = model->text() ? library_text(folder, *model->text()) : std::string_view{};
      if (text.empty()) {
        const std::vector<std::string_view> names = library_names(folder);
        throw SpecError({path, "a name of library/" + std::string(folder), display(*model),
                         model->text() ? did_you_mean(*model->text(), names) : ""});
      }
      Table whole = io::parse_toml(text, "library/" + std::string(folder) + "/" + *model->text() + ".toml");
      Table own;
      for (const auto& [key, item] : table->items)
        if (key != "model") own.set(key, item);
      lay_over(whole, own);
      *table = std::move(whole);
    }
  }
}

}  // namespace hartline::loop
