// The program `hartline`: its command line.
#pragma once

#include "loop/training.hpp"

namespace hartline::cli {

/// Reads the command line, runs the command and returns the exit code. argv[0] is the program's name. `gradient`: how networks are
/// trained by derivatives, in a program that can.
int run_program(int argc, const char* const* argv, const loop::Training::Method& gradient = {});

}  // namespace hartline::cli
