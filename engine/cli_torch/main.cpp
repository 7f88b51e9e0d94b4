#include "cli/program.hpp"
#include "design_torch/network_gradient.hpp"

int main(int argc, char** argv) { return hartline::cli::run_program(argc, argv, hartline::design::make_network_gradient); }
