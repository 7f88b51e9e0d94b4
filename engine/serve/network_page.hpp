// The page of a network that ran by itself.
#pragma once

#include <string>

#include "base/value.hpp"

namespace hartline::serve {

/// The page's data (docs/report-format.md) of what loop::simulate wrote: its summary and the recordings in `folder`. Of spikes and rows
/// beyond what a page can draw every k-th neuron or row is shown, and the figure says so. `configuration`: the simulation's text;
/// `command`: what reproduces it. Throws: IoError.
Value network_document(const Table& summary, const std::string& folder, const std::string& configuration, const std::string& command);

}  // namespace hartline::serve
