// Watson's worked examples reached from texts: the choices, entropies and modes that questplus printed (questplus_traces.py).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/threads.hpp"
#include "design/design.hpp"
#include "io/file.hpp"
#include "io/json.hpp"
#include "io/toml.hpp"
#include "models/encoding_text.hpp"
#include "models/grid.hpp"

namespace hartline {
namespace {

const Value& at(const Value& value, std::string_view key) {
  const Value* found = value.table() ? value.table()->find(key) : nullptr;
  if (!found) throw std::runtime_error("no member " + std::string(key));
  return *found;
}

double number(const Value& value) {
  if (const auto* whole = std::get_if<std::int64_t>(&value.is)) return static_cast<double>(*whole);
  return std::get<double>(value.is);
}

/// A text of the library; `parameters` not empty: with these instead of its own.
struct Case {
  const char* example;
  const char* text;
  std::vector<std::pair<const char*, const char*>> parameters;
  std::vector<const char*> mode;  // what questplus calls each parameter of the text
};

const Case cases[] = {
    {"threshold",
     "psychometric",
     {{"t", "range(-40, 0, 1) : dB"}, {"slope", "values(3.5)"}, {"lapse", "values(0.02)"}},
     {"threshold", nullptr, nullptr}},
    {"threshold and slope",
     "psychometric",
     {{"t", "range(-40, 0, 1) : dB"}, {"slope", "range(2, 5, 1)"}, {"lapse", "values(0.02)"}},
     {"threshold", "slope", nullptr}},
    {"threshold, slope and lapse",
     "psychometric",
     {{"t", "range(-40, 0, 1) : dB"}, {"slope", "range(2, 5, 1)"}, {"lapse", "range(0, 0.04, 0.01)"}},
     {"threshold", "slope", "lapse_rate"}},
    {"mean, sd and lapse", "psychometric_normal", {}, {"mean", "sd", "lapse_rate"}},
    {"contrast sensitivity", "contrast_sensitivity", {}, {"min_thresh", "c0", "cf"}},
    {"Thurstone scaling", "thurstone", {}, {"threshold", "power", "perceptual_scale_max"}},
};

std::shared_ptr<const models::EncodingText> text_of(const Case& one) {
  const Table file = io::read_toml(std::string(LIBRARY_FOLDER) + "/" + one.text + ".toml");
  Table model = *file.find("model")->table();
  if (!one.parameters.empty()) {
    Table parameters;
    for (const auto& [name, text] : one.parameters) parameters.set(name, text);
    model.set("parameters", parameters);
  }
  return std::make_shared<const models::EncodingText>(*file.find("stimulus")->table(), model);
}

const Value& example_named(const Value& reference, std::string_view name) {
  for (const char* list : {"examples", "other_examples"})
    for (const Value& example : *at(reference, list).list())
      if (*at(example, "name").text() == name) return example;
  throw std::runtime_error("no example " + std::string(name));
}

/// What was shown in one trial: a number, or one for each variable of questplus, of which the text has the first ones.
std::size_t index_of(std::span<const double> pool, std::size_t dim, const Value& shown) {
  for (std::size_t k = 0; k < pool.size() / dim; ++k) {
    bool same = true;
    for (std::size_t j = 0; j < dim; ++j)
      same = same && std::abs(pool[k * dim + j] - number(shown.list() ? (*shown.list())[j] : shown)) < 1e-9;
    if (same) return k;
  }
  throw std::runtime_error("no such stimulus");
}

TEST(QuestPlusTexts, EveryChoiceOfTheWorkedExamplesIsWithinANanonatOfTheBest) {
  const Value reference = io::parse_json(io::read_text(std::string(REFERENCE_FOLDER) + "/questplus_traces.json"));
  const auto executor = make_serial_executor();
  int num_choices = 0;
  for (const Case& one : cases) {
    SCOPED_TRACE(one.example);
    const Value& example = example_named(reference, one.example);
    const auto text = text_of(one);
    design::StimulusSet set;
    set.dim = text->stimulus_dim;
    set.pool = models::every_stimulus(text->stimulus);
    const models::GridModel model(models::make_family(text, std::vector<std::size_t>(text->num_parameters, 1)), set.pool,
                                  *executor);
    const auto belief = model.prior();
    const auto& nodes = dynamic_cast<const models::GridBelief&>(*belief);
    const auto design = design::make_design({}, set, model.capability(*belief), model.parameter_names, 1, *executor);
    const auto plan = design->make_plan();

    const bool weibull = example.table()->find("shown_db");
    const auto& shown = *at(example, weibull ? "shown_db" : "shown").list();
    const auto& responses = *at(example, weibull ? "correct" : "responses").list();
    const auto& expected = *at(example, "expected_entropy_nats").list();
    for (std::size_t t = 0; t < shown.size(); ++t) {
      const auto information = design->utilities(*plan, model.capability(*belief));
      const double best = *std::max_element(information.begin(), information.end());
      EXPECT_NEAR(models::entropy(nodes) - best, number(expected[t]), 1e-9) << "trial " << t;
      const std::size_t index = index_of(set.pool, set.dim, shown[t]);
      EXPECT_GE(information[index], best - 1e-9) << "trial " << t;
      model.update(*belief, std::span(set.pool).subspan(index * set.dim, set.dim),
                   {ResponseKind::choice, 1, 1, {number(responses[t])}, {}, ""}, 0);
      ++num_choices;
    }
    EXPECT_NEAR(models::entropy(nodes), number(at(example, "final_entropy_nats")), 1e-9);

    const auto top = std::max_element(nodes.weights.begin(), nodes.weights.end()) - nodes.weights.begin();
    std::vector<double> mode(text->num_parameters);
    model.node(static_cast<std::size_t>(top), mode);
    ASSERT_EQ(mode.size(), one.mode.size());
    for (std::size_t k = 0; k < mode.size(); ++k)
      if (one.mode[k]) {
        EXPECT_NEAR(mode[k], number(at(at(example, "final_mode"), one.mode[k])), 1e-9) << one.mode[k];
      }
  }
  EXPECT_EQ(num_choices, 406);
}

}  // namespace
}  // namespace hartline
