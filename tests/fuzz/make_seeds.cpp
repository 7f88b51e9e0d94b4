// Writes the seeds of every target to DIR/<target>/: make_seeds DIR
#include <cstdio>
#include <filesystem>

#include "io/file.hpp"
#include "targets.hpp"

int main(int num_arguments, char** arguments) {
  if (num_arguments != 2) {
    std::fprintf(stderr, "usage: make_seeds DIR\n");
    return 2;
  }
  for (const auto& target : hartline::fuzz::targets()) {
    const std::filesystem::path folder = std::filesystem::path(arguments[1]) / target.name;
    std::filesystem::create_directories(folder);
    int number = 0;
    for (const std::string& seed : target.seeds()) hartline::io::write_text(folder / ("seed-" + std::to_string(number++)), seed);
  }
}
