// indicator_ranking LIBRARY OUT: ranks the indicators of a folder and writes ranking.svg and ranking.md.
#include <fmt/format.h>

#include "base/error.hpp"
#include "figure.hpp"
#include "io/file.hpp"

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "indicator_ranking LIBRARY_FOLDER OUT_FOLDER\n");
    return 2;
  }
  try {
    const hartline::studies::Condition condition;
    const auto rows = hartline::studies::rank_indicators(argv[1], condition);
    const std::string table = write_table(rows, condition), out = argv[2];
    hartline::io::write_text(out + "/ranking.svg", draw_figure(rows, condition));
    hartline::io::write_text(out + "/ranking.md", table);
    fmt::print("{}", table);
  } catch (const hartline::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 2;
  }
}
