// Information of texts beside quadrature, bayesdesign and Pyro (information_oracles.py).
#include <gtest/gtest.h>

#include <cmath>

#include "base/threads.hpp"
#include "design/sample_objective.hpp"
#include "io/file.hpp"
#include "io/json.hpp"
#include "models/particles.hpp"
#include "models/text_grid.hpp"

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

std::vector<double> numbers(const Value& value) {
  std::vector<double> out;
  for (const Value& one : *value.list()) out.push_back(number(one));
  return out;
}

/// Information of every stimulus under a belief by all of its samples.
std::vector<double> informations(const models::TextModel& model, const std::vector<std::vector<double>>& stimuli) {
  const auto belief = model.prior();
  const models::Capability capability = model.capability(*belief);
  design::DesignSpec spec;
  spec.utility = "mutual_information";
  const design::SampleObjective objective(spec, {}, std::get<models::SampleView>(capability), model.parameter_names);
  design::SampleObjective::Prepared prepared;
  design::SampleObjective::Scratch scratch;
  objective.prepare(capability, prepared);
  std::vector<double> out;
  for (const std::vector<double>& x : stimuli) out.push_back(objective(prepared, x, scratch, {}, nullptr));
  return out;
}

/// Where priors are discrete the grid is exact, and what is left is the rule of a law: 2e-4. Of normal priors the grid has values
/// of equal probability, which lack the tails' variance: .02. 40,000 draws have a sampling error of .004 or less: four of them.
TEST(InformationOracles, TextsAgreeWithQuadratureAndPeers) {
  const auto executor = make_serial_executor();
  const Value document = io::parse_json(io::read_text(REFERENCE_FOLDER "/information_oracles.json"), "information_oracles.json");
  for (const Value& one : *at(document, "cases").list()) {
    const std::string name = *at(one, "name").text();
    const Table &stimulus = *at(at(one, "text"), "stimulus").table(), &model = *at(at(one, "text"), "model").table();
    const auto text = std::make_shared<const models::EncodingText>(stimulus, model);
    std::vector<std::vector<double>> stimuli;
    for (const Value& x : *at(one, "stimuli").list()) stimuli.push_back(numbers(x));
    bool discrete = true;
    std::vector<std::size_t> num_values;
    for (const models::TextParameter& parameter : text->parameters) {
      discrete = discrete && parameter.prior.is_discrete();
      num_values.push_back(text->parameters.size() == 1 ? 2000 : 200);
    }
    const models::TextGrid grid(text, num_values, false, *executor);
    models::ParticleSettings settings;
    settings.num = 40000;
    const models::ParticleModel particles(text, settings, 3, *executor);
    const std::vector<double> on_grid = informations(grid, stimuli), by_samples = informations(particles, stimuli);
    const std::vector<double> exact = numbers(at(one, "quadrature_nats"));
    for (std::size_t i = 0; i < stimuli.size(); ++i) {
      EXPECT_NEAR(on_grid[i], exact[i], discrete ? 2e-4 : 0.02) << name << " " << i;
      EXPECT_NEAR(by_samples[i], exact[i], 0.016) << name << " " << i;
    }
    if (const Value* peer = one.table()->find("bayesdesign"); peer && peer->table()) {
      const std::vector<double> theirs = numbers(at(*peer, "nats"));
      for (std::size_t i = 0; i < theirs.size(); ++i)
        EXPECT_NEAR(on_grid[i], theirs[i], discrete ? 3e-4 : 0.02) << name << " " << i;
    }
    const Value& pyro = at(one, "pyro");
    const std::vector<double> theirs = numbers(at(pyro, "extrapolated_nats")),
                              errors = numbers(at(pyro, "extrapolated_standard_errors"));
    const std::vector<double> which = numbers(at(pyro, "stimulus_idx"));
    for (std::size_t k = 0; k < which.size(); ++k)
      EXPECT_NEAR(on_grid[static_cast<std::size_t>(which[k])], theirs[k], 4 * errors[k] + (discrete ? 1e-3 : 0.02))
          << name << " " << k;
  }
}

}  // namespace
}  // namespace hartline
