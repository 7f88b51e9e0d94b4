// Checkpoint: the state of a network on the disk.
#pragma once

#include <string>

#include "dynamics/program.hpp"

namespace hartline::loop {

/// One line "hartline state 1 <bytes> <hash>", then State::bytes, written as one step. Throws: IoError.
void write_state(const std::string& path, const dynamics::State& state);

/// Bit for bit what was written.    (simulation_test.cpp: Checkpoint.GoesOnToTheBit)
/// Throws: IoError for a file that was cut or changed; SpecError for a state of another network, seed or time step.
dynamics::State read_state(const std::string& path, const dynamics::Program& program);

}  // namespace hartline::loop
