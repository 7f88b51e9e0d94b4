// The program `hartline`: its command line.
#pragma once

namespace hartline::cli {

/// Reads the command line, runs the command and returns the exit code. argv[0] is the program's name.
int run_program(int argc, const char* const* argv);

}  // namespace hartline::cli
