// The stimuli of an experiment, from their description.
#pragma once

#include <string>

namespace hartline::loop {

struct Experiment;

/// A path that is relative is taken from the folder.
std::string in_folder(const std::string& folder, const std::string& path);

/// Fills the stimulus set, its shape and the hashes of its members. Throws: SpecError, IoError.
void build_stimuli(Experiment& experiment, const std::string& folder);

}  // namespace hartline::loop
