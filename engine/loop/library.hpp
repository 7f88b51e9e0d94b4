// The library's texts, embedded in the program: cells, synapses, indicators and opsins that a network names.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/value.hpp"

namespace hartline::loop {

/// The text library/<folder>/<name>.toml, empty where there is none.
std::string_view library_text(std::string_view folder, std::string_view name);
std::vector<std::string_view> library_names(std::string_view folder);

/// The tables `neurons` and `synapses` with every `model = "name"` replaced by that text, over which the table's other keys are
/// laid; then `opsin = "name"` of neurons, a name of library/opsins, becomes a channel of theirs that light opens
/// (instruments/opsin.hpp). Throws: SpecError for a name that there is not.
/// `path`: put before the names of tables in messages.
void take_from_library(Table& network, const std::string& path = "");

/// The same of `indicator = "name"` in the table of an instrument, a name of library/indicators.
void take_indicator(Table& instrument, const std::string& path);

}  // namespace hartline::loop
