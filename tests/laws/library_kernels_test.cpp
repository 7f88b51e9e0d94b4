// Every model in library/encoding: compiled kernels have the bits of interpreted ones, derivatives are differences.
#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "equations/kernel_laws.hpp"
#include "io/toml.hpp"
#include "models/encoding_text.hpp"
#include "models/particles.hpp"
#include "models/test_derivatives.hpp"

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

/// First and second derivatives by the parameters of the likelihood of what four trials may have answered.
TEST(LibraryKernels, DerivativesOfEveryModelAreDifferences) {
  const auto executor = make_serial_executor();
  std::vector<std::string> left;
  for (const auto& entry : std::filesystem::directory_iterator(HARTLINE_LIBRARY "/encoding")) {
    if (entry.path().extension() != ".toml") continue;
    const Table table = io::read_toml(entry.path().string());
    const auto text = std::make_shared<const models::EncodingText>(*table.find("stimulus")->table(), *table.find("model")->table());
    const bool all_listed = std::all_of(text->parameters.begin(), text->parameters.end(),
                                        [](const models::TextParameter& parameter) { return parameter.prior.is_discrete(); });
    if (text->num_parameters > 16 || all_listed) {  // thousands of second derivatives, or parameters that nothing differentiates by
      left.push_back(entry.path().stem());
      continue;
    }
    const models::ParticleModel model(text, {100, 0.5, 1, 1000}, 1, *executor);
    Stream stream(3, Purpose::test);
    std::vector<double> truth(text->num_parameters), response(text->responses.size());
    text->draw_prior(stream, truth);
    models::Context context = model.start();
    context.states.clear();
    models::TextHistory history;
    std::vector<double> rows = truth;
    rows.resize(model.likelihood().num_rows());
    if (model.likelihood().has_states()) model.likelihood().start({rows.data(), 1, 1}, &rows[truth.size()]);
    context.states.assign(rows.begin() + static_cast<std::ptrdiff_t>(truth.size()), rows.end());
    for (int t = 0; t < 4; ++t) {
      std::vector<double> x;
      for (const models::TextStimulus& one : text->stimulus)
        for (std::size_t k = 0; k < one.num(); ++k)
          x.push_back(one.values.empty()
                          ? one.low + (one.high - one.low) * stream.uniform()
                          : one.values[static_cast<std::size_t>(stream.integer(static_cast<std::int64_t>(one.values.size())))]);
      model.sample(truth, x, context, stream, response);
      history.stimuli.insert(history.stimuli.end(), x.begin(), x.end());
      history.responses.insert(history.responses.end(), response.begin(), response.end());
      if (model.likelihood().has_states()) history.answers.insert(history.answers.end(), response.begin(), response.end());
      ++history.num;
    }
    for (double& value : truth)
      value += 0.0137 * (1 + std::abs(value));  // away from values where a text has a kink, or a prior its grid
    models::check_derivatives(text, history, truth, entry.path().filename());
  }
  std::sort(left.begin(), left.end());
  EXPECT_EQ(left, (std::vector<std::string>{"contrast_sensitivity", "psychometric_normal", "receptive_field", "thurstone"}));
}

}  // namespace
}  // namespace hartline
