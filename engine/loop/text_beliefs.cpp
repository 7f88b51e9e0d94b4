#include "loop/text_beliefs.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "loop/experiment.hpp"
#include "loop/stimuli.hpp"
#include "loop/training.hpp"
#include "models/amortised.hpp"
#include "models/encoding_text.hpp"
#include "models/grid.hpp"
#include "models/particles.hpp"
#include "models/text_grid.hpp"
#include "models/text_laplace.hpp"

namespace hartline::loop {

namespace {

/// The `belief` table of a model that is written as text.
struct TextBeliefSpec {
  std::string kind = "grid";
  std::int64_t num_values = 25;
  Table num_values_of;
  std::int64_t num_particles = 5000;
  double min_effective = 0.5;
  std::int64_t num_moves = 8;
  double max_evaluations = 2e6;
  bool follow = false;
  std::int64_t num_samples = 2000;
  std::string tables = "double";
  std::string network, network_hash;

  template <class Field>
  static void describe(Field&& field) {
    field(
        "kind", &TextBeliefSpec::kind, "", one_of({"grid", "particles", "laplace", "amortised"}),
        "grid: every combination of values of the parameters; particles: sets of parameters that move; laplace: a Gaussian at the "
        "mode of the posterior; amortised: what a trained network tells");
    field("network", &TextBeliefSpec::network, "", any(),
          "of amortised: file of the network, relative to this file; `hartline train` makes it");
    field("network_hash", &TextBeliefSpec::network_hash, "", any(), "of that file; filled in, so that a record knows its network");
    field("num_values", &TextBeliefSpec::num_values, "", between(1, 100000),
          "of a grid: values of a parameter whose prior is continuous, of equal prior probability");
    field("num_values_of", &TextBeliefSpec::num_values_of, "", any(), "the same for some parameters by their names");
    field(
        "tables", &TextBeliefSpec::tables, "", one_of({"double", "single"}),
        "of a grid of choices that stays: numbers that stimuli are compared by; single reads half the bytes, and utilities err by "
        "less than 1e-6. The belief is always double");
    field("follow", &TextBeliefSpec::follow, "", any(),
          "of a grid: whether it is laid anew over what is probable, where few values are left or mass piles up on a border");
    field("num_samples", &TextBeliefSpec::num_samples, "", between(100, 1e6),
          "of laplace and amortised: draws that designs work with");
    field("num_particles", &TextBeliefSpec::num_particles, "", between(100, 1e6), "sets of parameters");
    field("min_effective", &TextBeliefSpec::min_effective, "", between(0.05, 0.95),
          "share of effective particles below which they are drawn anew");
    field("num_moves", &TextBeliefSpec::num_moves, "", between(1, 100),
          "moves that each particle is owed when they are drawn anew");
    field("max_evaluations", &TextBeliefSpec::max_evaluations, "", at_least(1000),
          "likelihoods of one response that a trial's moves may take; what is owed beyond is moved in later trials");
  }
};

/// Refuses settings of the belief that its kind does not use.
void refuse_unused(const Table& given, const std::string& kind) {
  static const std::pair<std::string_view, std::string_view> owners[] = {
      {"num_values", "grid"},          {"num_values_of", "grid"},      {"follow", "grid"},
      {"network", "amortised"},        {"network_hash", "amortised"},  {"tables", "grid"},
      {"num_particles", "particles"},  {"min_effective", "particles"}, {"num_moves", "particles"},
      {"max_evaluations", "particles"}};
  const Table defaults = *to_value(TextBeliefSpec{}).table();
  const Value* samples = given.find("num_samples");
  if (samples && kind != "laplace" && kind != "amortised" && !(*samples == *defaults.find("num_samples")))
    throw SpecError({"belief.num_samples", fmt::format("absent for kind {}", kind), display(*samples),
                     "It is used by kinds laplace and amortised only."});
  for (const auto& [key, owner] : owners) {
    const Value* value = given.find(key);
    if (value && owner != kind && !(*value == *defaults.find(key)))
      throw SpecError({fmt::format("belief.{}", key), fmt::format("absent for kind {}", kind), display(*value),
                       fmt::format("It is used by kind {} only.", owner)});
  }
}

}  // namespace

void build_on_text(Experiment& e, const std::string& folder, Executor& executor, bool may_have_tables) {
  if (e.spec.stimulus.kind != "variables")
    throw SpecError({"stimulus", "variables for a model written as text, for example x = \"range(-20, 20, 0.5) : deg\"",
                     "kind \"" + e.spec.stimulus.kind + "\"", ""});
  auto belief = read_resolved<TextBeliefSpec>(e.spec.belief, "belief");
  refuse_unused(e.spec.belief, belief.kind);
  auto text = std::make_shared<const models::EncodingText>(e.spec.stimulus.variables, e.spec.model);
  if (belief.kind == "particles") {
    const models::ParticleSettings settings{static_cast<std::size_t>(belief.num_particles), belief.min_effective,
                                            static_cast<std::size_t>(belief.num_moves), belief.max_evaluations};
    e.model = std::make_unique<models::ParticleModel>(std::move(text), settings, e.seed, executor);
    return;
  }
  if (belief.kind == "amortised") {
    if (belief.network.empty())
      throw SpecError({"belief.network", "the file of a trained network", "nothing", "hartline train makes one."});
    const std::string path = in_folder(folder, belief.network);
    NetworkOfFile file = read_network_for(path, "belief.network", "posterior", e.spec.stimulus.variables, e.spec.model);
    if (!belief.network_hash.empty() && belief.network_hash != file.hash)
      throw SpecError({"belief.network", "the file that the experiment began with, of hash " + belief.network_hash,
                       "one of hash " + file.hash, "It has changed since."});
    e.spec.belief.set("network", path);  // so that a record can be resumed from anywhere
    e.spec.belief.set("network_hash", file.hash);
    e.model = std::make_unique<models::AmortisedModel>(std::move(text), std::move(file.network),
                                                       static_cast<std::size_t>(belief.num_samples), e.seed, executor);
    return;
  }
  if (belief.kind == "laplace") {
    e.model =
        std::make_unique<models::TextLaplace>(std::move(text), static_cast<std::size_t>(belief.num_samples), e.seed, executor);
    return;
  }
  std::vector<std::size_t> num_values;
  std::vector<std::string_view> names;
  for (const models::TextParameter& parameter : text->parameters) {
    names.push_back(parameter.name);
    std::int64_t num = belief.num_values;
    if (const Value* own = belief.num_values_of.find(parameter.name))
      read(*own, {"belief.num_values_of", ""}, parameter.name, "", between(1, 100000), num);
    num_values.push_back(static_cast<std::size_t>(num));
  }
  refuse_unknown(belief.num_values_of, {"belief.num_values_of", ""}, names);
  // tables over a pool where the grid stays and the law has some; else samples at the nodes
  const bool single = belief.tables == "single";
  if (!may_have_tables || e.stimuli.pool.empty() || belief.follow || !models::has_tables(*text)) {
    if (single)
      throw SpecError(
          {"belief.tables", "\"double\" here", "\"single\"", "Only a grid of choices over a pool that stays has tables."});
    e.model = std::make_unique<models::TextGrid>(std::move(text), num_values, belief.follow, executor);
    return;
  }
  auto family = models::make_family(std::move(text), num_values);
  e.model = std::make_unique<models::GridModel>(std::move(family), e.stimuli.pool, executor, std::size_t{8} << 30, single);
}

}  // namespace hartline::loop
