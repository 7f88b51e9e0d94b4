// hartline_bench glm NUM_WEIGHTS NUM_RUN_IN NUM_TRIALS | run | gp | population | lags | censoring | compile | particles | adex_port
// | squid_port | cuba | synaptic_events | instruction_set | grid PEERS.json | any_model PEERS.json | lookahead golden | lookahead
// PROBLEM DEADLINE_MS NUM_EXPERIMENTS
//
// Runs one benchmark and prints its rows as JSON; bench/run calls it.
#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <iostream>

#include "bench/measure.hpp"

int main(int argc, char** argv) try {
  using namespace hartline::bench;
  const std::vector<std::string> words(argv + 1, argv + argc);
  const auto number = [&](std::size_t i) { return static_cast<std::size_t>(std::stoul(words.at(i))); };
  Rows rows;
  if (words.size() == 4 && words[0] == "glm") {
    rows = glm_rows(number(1), number(2), number(3));
  } else if (words.size() == 1 && words[0] == "run") {
    rows = loop_rows();
  } else if (words.size() == 1 && words[0] == "population") {
    rows = population_rows();
  } else if (words.size() == 1 && words[0] == "lags") {
    rows = lags_rows();
  } else if (words.size() == 1 && words[0] == "censoring") {
    rows = censoring_rows();
  } else if (words.size() == 1 && words[0] == "compile") {
    rows = compile_rows();
  } else if (words.size() == 1 && words[0] == "particles") {
    rows = particle_rows();
  } else if (words.size() == 1 && words[0] == "adex_port") {
    rows = adex_port_rows();
  } else if (words.size() == 1 && words[0] == "squid_port") {
    rows = squid_port_rows();
  } else if (words.size() == 1 && words[0] == "cuba") {
    rows = cuba_rows();
  } else if (words.size() == 1 && words[0] == "synaptic_events") {
    rows = synaptic_events_rows();
  } else if (words.size() == 1 && words[0] == "instruction_set") {
    std::cout << instruction_set() << '\n';
    return 0;
  } else if (words.size() == 1 && words[0] == "gp") {
    rows = gp_rows();
  } else if (words.size() == 2 && words[0] == "lookahead") {
    rows = lookahead_rows(words[1], 0, 0);
  } else if (words.size() == 4 && words[0] == "lookahead") {
    rows = lookahead_rows(words[1], std::stod(words[2]), number(3));
  } else if (words.size() == 2 && (words[0] == "grid" || words[0] == "any_model")) {
    std::ifstream file(words[1]);
    rows = grid_rows(nlohmann::json::parse(file), words[0] == "any_model");
  } else {
    std::cerr << "usage: hartline_bench glm NUM_WEIGHTS NUM_RUN_IN NUM_TRIALS | run | gp | population | lags | censoring | "
                 "compile | particles | adex_port | squid_port | cuba | synaptic_events | instruction_set | grid PEERS.json | "
                 "any_model PEERS.json | lookahead golden | "
                 "lookahead PROBLEM DEADLINE_MS NUM_EXPERIMENTS\n";
    return 2;
  }
  nlohmann::json out = nlohmann::json::array();
  for (const Row& row : rows) out.push_back(to_json(row));
  std::cout << out.dump(1) << '\n';
  return 0;
} catch (const std::exception& error) {
  std::cerr << "hartline_bench: " << error.what() << '\n';
  return 2;
}
