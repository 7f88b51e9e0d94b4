// Numbers that other programs made; the scripts beside the JSON files say how.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/threads.hpp"
#include "design/ball_search.hpp"
#include "design/design.hpp"
#include "design/utility.hpp"
#include "io/file.hpp"
#include "io/json.hpp"
#include "models/glm.hpp"
#include "models/grid.hpp"

namespace hartline {
namespace {

Value load(const std::string& name) { return io::parse_json(io::read_text(std::string(REFERENCE_FOLDER) + "/" + name)); }

const Value& at(const Value& value, std::string_view key) {
  const Value* found = value.table() ? value.table()->find(key) : nullptr;
  if (!found) throw std::runtime_error("no member " + std::string(key));
  return *found;
}

double number(const Value& value) {
  if (const auto* whole = std::get_if<std::int64_t>(&value.is)) return static_cast<double>(*whole);
  return std::get<double>(value.is);
}

std::vector<double> list(const Value& value) {
  std::vector<double> out;
  for (const Value& item : *value.list()) out.push_back(number(item));
  return out;
}

// questplus 2023.1 shows the stimulus with the least expected entropy; two may be equal to rounding, so its choice has to be
// within 1e-9 nats of our best.
TEST(QuestPlus, EveryChoiceOfTheWorkedExamplesIsWithinANanonatOfTheBest) {
  const Value reference = load("questplus_traces.json");
  const auto executor = make_serial_executor();
  int num_choices = 0;
  for (const Value& example : *at(reference, "examples").list()) {
    models::PsychometricSpec spec;
    spec.threshold.values = list(at(example, "thresholds_db"));
    spec.slope.values = list(at(example, "slopes"));
    spec.guess.values = {number(at(example, "guess"))};
    spec.lapse.values = list(at(example, "lapses"));
    design::StimulusSet set;
    set.dim = 1;
    set.pool = list(at(example, "stimuli_db"));
    const models::GridModel model(models::make_family(spec), set.pool, *executor);
    const auto belief = model.prior();
    const auto design = design::make_design({}, set, model.capability(*belief), model.parameter_names, 1, *executor);
    const auto plan = design->make_plan();
    const auto shown = list(at(example, "shown_db")), correct = list(at(example, "correct"));
    for (std::size_t t = 0; t < shown.size(); ++t) {
      const auto utilities = design->utilities(*plan, model.capability(*belief));
      const double best = *std::max_element(utilities.begin(), utilities.end());
      const auto index = std::find(set.pool.begin(), set.pool.end(), shown[t]) - set.pool.begin();
      EXPECT_GE(utilities[static_cast<std::size_t>(index)], best - 1e-9) << "trial " << t;
      model.update(*belief, {&shown[t], 1}, {ResponseKind::choice, 1, 1, {correct[t]}, {}, ""}, 0);
      ++num_choices;
    }
    const double entropy = models::entropy(dynamic_cast<const models::GridBelief&>(*belief));
    EXPECT_NEAR(entropy, number(at(example, "final_entropy_nats")), 1e-6);
  }
  EXPECT_EQ(num_choices, 224);
}

}  // namespace
}  // namespace hartline
