// Compiled kernels of every law that a text can name have the bits of interpreted ones.
#include "equations/kernel_laws.hpp"
#include "models/text_law.hpp"

namespace hartline::models {
namespace {

using equations::Id;

/// Arguments and responses inside and outside of a law's range.
double argument(Stream& stream) {
  const double u = stream.uniform();
  if (u < 0.2) return std::nearbyint(3 * stream.normal());
  return u < 0.7 ? stream.uniform() : 5 * stream.normal();
}

TEST(TextKernels, EveryLawIsCompiledToTheBitsOfTheInterpreter) {
  if (!equations::missing_compiler().empty()) GTEST_SKIP() << equations::missing_compiler();
  for (const TextLaw& law : text_laws()) {
    equations::Program program;
    equations::Graph& graph = program.graph;
    const auto given = [&](const char* name) {
      program.given.push_back(graph.add_symbol({name, {}, {}, ""}));
      return graph.symbol_value(program.given.back());
    };
    std::vector<Id> arguments;
    for (std::size_t k = 0; k < std::min<std::size_t>(std::max<std::size_t>(law.min_args, 3), law.max_args); ++k)
      arguments.push_back(law.name == "binomial" && k == 0 ? graph.constant(6) : given("a"));
    std::vector<Id> outputs;
    if (law.kind == ResponseKind::choice) {
      outputs = choice_probabilities(graph, law, arguments, num_choices(graph, law, arguments, "r"));
    } else {
      outputs = {log_density(graph, law, arguments, given("r"))};
    }
    for (const Id id : outputs) program.values.push_back({"value", id, ""});
    equations::laws::expect_compiled_is_interpreted(program, 1003, argument, std::string(law.name));
  }
}

}  // namespace
}  // namespace hartline::models
