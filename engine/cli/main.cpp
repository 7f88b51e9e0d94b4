#include "cli/program.hpp"

int main(int argc, char** argv) { return hartline::cli::run_program(argc, argv); }
