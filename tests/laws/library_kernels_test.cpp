// Compiled kernels of every model in library/encoding have the bits of interpreted ones.
#include <filesystem>

#include "equations/kernel_laws.hpp"
#include "io/toml.hpp"
#include "models/encoding_text.hpp"

namespace hartline {
namespace {

TEST(LibraryKernels, EveryModelIsCompiledToTheBitsOfTheInterpreter) {
  if (!equations::missing_compiler().empty()) GTEST_SKIP() << equations::missing_compiler();
  std::size_t num_models = 0;
  for (const auto& entry : std::filesystem::directory_iterator(HARTLINE_LIBRARY "/encoding")) {
    if (entry.path().extension() != ".toml") continue;
    const Table table = io::read_toml(entry.path().string());
    const models::EncodingText text(*table.find("stimulus")->table(), *table.find("model")->table());
    equations::Program program = text.program;
    const auto draw = [](Stream& stream) { return 0.05 + 2 * stream.uniform(); };
    equations::laws::expect_compiled_is_interpreted(program, 500, draw, entry.path().filename());
    for (std::size_t k = 0; k < text.responses.size(); ++k) {
      equations::ResponseLine& line = program.responses[k];
      if (text.responses[k].num_choices > 0) continue;
      program.given.push_back(line.symbol);
      line.arguments = {
          models::log_density(program.graph, *text.responses[k].law, line.arguments, program.graph.symbol_value(line.symbol))};
    }
    equations::laws::expect_compiled_is_interpreted(program, 500, draw, "response of " + entry.path().filename().string());
    ++num_models;
  }
  EXPECT_GE(num_models, 9u);
}

}  // namespace
}  // namespace hartline
