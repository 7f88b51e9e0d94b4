#include "loop/experiment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "design/policy.hpp"
#include "loop/learner.hpp"
#include "loop/spiking.hpp"
#include "loop/stimuli.hpp"
#include "loop/text_beliefs.hpp"
#include "loop/training.hpp"
#include "models/candidates.hpp"
#include "models/encoding_text.hpp"
#include "models/gaussian_process.hpp"
#include "models/glm.hpp"
#include "models/grid.hpp"
#include "models/population.hpp"
#include "models/text_model.hpp"

namespace hartline::loop {

namespace {

std::string kind_of(const Table& model, bool has_variables) {
  constexpr std::string_view kinds[] = {"glm", "tuning_curve", "psychometric", "gaussian_process", "candidates", "given", "text"};
  constexpr const char* wanted = "one of glm, tuning_curve, psychometric, gaussian_process, candidates, given, text";
  const Value* kind = model.find("kind");
  if (!kind && (has_variables || (model.find("response") && model.find("parameters")))) return "text";
  if (!kind) throw SpecError({"model.kind", wanted, "nothing", ""});
  for (std::string_view known : kinds)
    if (kind->text() && *kind->text() == known) return std::string(known);
  const std::string got = kind->text() ? *kind->text() : display(*kind);
  throw SpecError({"model.kind", wanted, "\"" + got + "\"", did_you_mean(got, kinds)});
}

void build_validation(Experiment& e) {
  const ValidationSpec& v = e.spec.validation;
  if (v.share == 0) return;
  if (e.stimuli.once)
    throw SpecError({"validation.share", "0 for recorded trials", number_text(v.share), "Each can be presented once only."});
  e.validation.dim = e.stimuli.dim;
  const auto num = static_cast<std::size_t>(v.members.empty() ? v.num : static_cast<std::int64_t>(v.members.size()));
  for (std::size_t i = 0; i < num; ++i) {
    Stream stream(e.seed, Purpose::pool, i, 1);
    if (e.stimuli.pool.empty()) {
      e.validation.pool.resize((i + 1) * e.stimuli.dim);
      stream.fill_sphere({&e.validation.pool[i * e.stimuli.dim], e.stimuli.dim}, std::sqrt(e.stimuli.power));
      continue;
    }
    const auto pool_size = static_cast<std::int64_t>(e.stimuli.num());
    const std::int64_t member = v.members.empty() ? stream.integer(pool_size) : v.members[i];
    if (member >= pool_size)
      throw SpecError({fmt::format("validation.members[{}]", i), fmt::format("a member of the pool, 0 … {}", pool_size - 1),
                       fmt::format("{}", member), ""});
    e.validation_members.push_back(member);
    const auto first = e.stimuli.pool.begin() + member * static_cast<std::int64_t>(e.stimuli.dim);
    e.validation.pool.insert(e.validation.pool.end(), first, first + static_cast<std::int64_t>(e.stimuli.dim));
  }
}

/// A policy from its file, held against the experiment's text. The spec then names the file wherever it is resumed from, and what
/// is in it.
std::unique_ptr<design::Design> build_policy(const Experiment& e, design::DesignSpec& spec, const std::string& folder) {
  if (spec.policy.empty())
    throw SpecError({"design.policy", "the file of a trained network", "nothing", "hartline train makes one."});
  if (e.spec.stimulus.kind != "variables" || !e.spec.model.find("response"))
    throw SpecError({"design.kind", "infomax, uncertainty, random or sequence for this model", "\"policy\"",
                     "A policy is trained on a model written as text."});
  spec.policy = in_folder(folder, spec.policy);
  NetworkOfFile file = read_network_for(spec.policy, "design.policy", "policy", e.spec.stimulus.variables, e.spec.model);
  if (!spec.policy_hash.empty() && spec.policy_hash != file.hash)
    throw SpecError({"design.policy", "the file that the experiment began with, of hash " + spec.policy_hash,
                     "one of hash " + file.hash, "It has changed since."});
  spec.policy_hash = file.hash;
  return design::make_policy_design(std::move(file.network), *file.text, spec, e.stimuli);
}

void build_arms(Experiment& e, const std::string& folder, Executor& executor) {
  const auto prior = e.model->prior();
  const models::Capability capability = e.model->capability(*prior);
  // functions of a text's parameters are read with their units
  std::vector<std::string> units;
  if (const auto* samples = e.samples())
    for (const models::TextParameter& parameter : samples->text().parameters)
      units.resize(units.size() + parameter.num(), parameter.unit_text);
  if (const auto* grid = e.grid(); grid && e.spec.stimulus.kind == "variables")
    for (const models::Parameter& parameter : grid->family().parameters) units.push_back(parameter.unit);
  const auto add = [&](const std::string& name, double share, const std::string& role, design::DesignSpec& spec) {
    const bool learned = spec.kind == "policy", baseline = role == "auto" ? spec.kind != "infomax" && !learned : role == "baseline";
    design::DesignSpec plain = spec;
    if (!units.empty()) plain.target = design::without_units(spec.target, e.model->parameter_names, units);
    auto design = learned ? build_policy(e, spec, folder)
                          : design::make_design(plain, e.stimuli, capability, e.model->parameter_names, e.seed, executor);
    e.arms.push_back(
        {name, share, baseline, spec, design::utility_meaning(spec, capability, e.model->response_kind), std::move(design)});
  };
  e.batch = e.spec.design.batch;
  if (e.spec.subject.kind == "remote") {
    design::DesignSpec random;
    random.kind = "random";
    e.fallback = design::make_design(random, e.stimuli, capability, e.model->parameter_names, e.seed, executor);
  }
  if (e.spec.arms.empty()) return add(e.spec.design.kind, 1, "auto", e.spec.design);
  double total = 0;
  for (const ArmSpec& arm : e.spec.arms) total += arm.share;
  for (std::size_t a = 0; a < e.spec.arms.size(); ++a) {
    const ArmSpec& arm = e.spec.arms[a];
    for (const Arm& other : e.arms)
      if (other.name == arm.name)
        throw SpecError({fmt::format("arms[{}].name", a), "different from the others", "\"" + arm.name + "\"", ""});
    if (arm.design.find("batch"))
      throw SpecError({fmt::format("arms[{}].design.batch", a), "absent", display(*arm.design.find("batch")),
                       "Trials are decided in batches whichever arm they serve: set design.batch."});
    design::DesignSpec spec;
    read_table(design_with(*to_value(e.spec.design).table(), arm.design), {fmt::format("arms[{}].design", a), ""}, spec);
    add(arm.name, arm.share / total, arm.role, spec);
    if (spec.kind != "policy") continue;
    e.spec.arms[a].design.set("policy", spec.policy);
    e.spec.arms[a].design.set("policy_hash", spec.policy_hash);
  }
}

/// Recorded trials and a rig have no parameters, and nothing befalls them but what does.
void refuse_unused(const SubjectSpec& subject) {
  const auto is_used = [&](const std::string& key) {
    const bool simulated = subject.kind == "simulated", recorded = subject.kind == "recorded", remote = subject.kind == "remote",
               given = subject.kind == "given", spiking = subject.kind == "spiking";
    if (key == "kind" || key == "patience_trials") return true;
    if (key == "folder") return recorded;
    if (key == "ask_deadline_ms" || key == "silence_s") return remote;
    if (key == "living") return simulated || given;
    if (key == "network" || key == "actuator" || key == "sensor" || key == "settle_ms" || key == "read") return spiking;
    return simulated || ((recorded || given || spiking) && key == "trial_ms");
  };
  const Table set = *to_value(subject).table(), defaults = *to_value(SubjectSpec{}).table();
  for (const auto& [key, value] : set.items)
    if (const Value* unset = defaults.find(key); !is_used(key) && !(unset && value == *unset))
      throw SpecError({"subject." + key, fmt::format("absent for a {} subject", subject.kind), display(value), ""});
}

void build_linear(Experiment& e, Executor& executor) {
  std::optional<models::PopulationSpec> population;
  Table population_table;
  if (const Value* table = e.spec.model.find("population")) {
    if (!table->table()) throw SpecError({"model.population", "a table", display(*table), ""});
    population_table = *table->table();
    population = read_resolved<models::PopulationSpec>(population_table, "model.population");
    std::erase_if(e.spec.model.items, [](const auto& item) { return item.first == "population"; });
  }
  const auto model = read_resolved<models::GlmSpec>(e.spec.model, "model");
  const auto belief = read_resolved<models::GaussianBeliefSpec>(e.spec.belief, "belief");
  if (population) e.spec.model.set("population", population_table);
  const models::Sequence sequence = {static_cast<std::size_t>(e.spec.stimulus.num_frames), e.spec.stimulus.isolated,
                                     e.recording ? e.recording->num_blank_bins : 0,
                                     population ? static_cast<std::size_t>(population->num_cells) : 1};
  const std::size_t frame_dim = e.stimuli.dim / sequence.num_frames;
  if (population) {
    if (belief.prior)
      throw SpecError({"belief.prior", "absent for a population", "a table", "Cells of a population have the prior prior_sd² I."});
    e.model = std::make_unique<models::Population>(model, belief, *population, frame_dim, sequence, executor);
  } else {
    e.model = std::make_unique<models::Glm>(model, belief, frame_dim, sequence, e.shape);
    if (!e.spec.subject.link.empty()) {
      models::GlmSpec other = model;
      other.link = e.spec.subject.link;
      try {
        e.subject_model = std::make_unique<models::Glm>(other, belief, frame_dim, sequence, e.shape);
      } catch (SpecError& error) {
        error.fault.path = "subject.link";
        throw SpecError(error.fault);
      }
    }
  }
  e.refine_every = belief.refine_every;
  e.refine_lag = belief.refine_lag;
  e.refine_at_end = belief.refine_at_end && e.model->can_refine();
}

void build_process(Experiment& e) {
  const auto model = read_resolved<models::GaussianProcessSpec>(e.spec.model, "model");
  const auto belief = read_resolved<models::GaussianProcessBeliefSpec>(e.spec.belief, "belief");
  if (e.stimuli.pool.empty())
    throw SpecError({"stimulus.kind", "axis, grid or file for a gaussian_process", "\"" + e.spec.stimulus.kind + "\"", ""});
  const std::size_t max_visited = std::min(e.stimuli.num(), static_cast<std::size_t>(e.spec.num_trials));
  e.model = std::make_unique<models::GaussianProcess>(model, belief, e.stimuli.pool, e.stimuli.dim, max_visited);
  e.refine_every = belief.refine_every;
  e.refine_lag = belief.refine_lag;
  e.refine_at_end = belief.refine_at_end;
}

void build_on_grid(Experiment& e, const std::string& kind, Executor& executor) {
  if (!e.spec.belief.items.empty())
    throw SpecError({"belief." + e.spec.belief.items[0].first, "absent for a model on a grid",
                     "\"" + e.spec.belief.items[0].first + "\"", "The grid of the model's parameters is the prior."});
  if (kind == "given" && !e.given.make_family)
    throw SpecError({"model.kind", "a model of this program", "\"given\"", "The program that wrote it brings it again."});
  auto family = kind == "given"          ? e.given.make_family(e.spec.model)
                : kind == "tuning_curve" ? models::make_family(read_resolved<models::TuningCurveSpec>(e.spec.model, "model"))
                                         : models::make_family(read_resolved<models::PsychometricSpec>(e.spec.model, "model"));
  if (e.stimuli.pool.empty() || e.stimuli.dim != family->stimulus_dim)
    throw SpecError({"stimulus.kind", fmt::format("axis or file with {} value(s) a stimulus for this model", family->stimulus_dim),
                     "\"" + e.spec.stimulus.kind + "\"", ""});
  e.model = std::make_unique<models::GridModel>(std::move(family), e.stimuli.pool, executor);
}

/// One of competing models: `[[model.candidate]]`.
struct CandidateSpec {
  std::string name;
  Table model, belief;

  template <class Field>
  static void describe(Field&& field) {
    field("name", &CandidateSpec::name, "", required(), "name of the model");
    field("model", &CandidateSpec::model, "", required(), "its model table");
    field("belief", &CandidateSpec::belief, "", any(), "its belief table");
  }
};

struct CandidatesSpec {
  std::string kind = "candidates";
  std::vector<CandidateSpec> candidate;

  template <class Field>
  static void describe(Field&& field) {
    field("kind", &CandidatesSpec::kind, "", one_of({"candidates"}), "several models, of which one is right");
    field("candidate", &CandidatesSpec::candidate, "", required(), "the models");
  }
};

/// `may_have_tables`: of a text on a grid; else it has samples at the nodes, as every other belief of a text.
void build_one(Experiment& e, const std::string& kind, const std::string& folder, Executor& executor, bool may_have_tables = true) {
  if (kind == "glm")
    build_linear(e, executor);
  else if (kind == "gaussian_process")
    build_process(e);
  else if (kind == "text")
    build_on_text(e, folder, executor, may_have_tables);
  else
    build_on_grid(e, kind, executor);
}

void build_candidates(Experiment& e, const std::string& folder, Executor& executor) {
  auto spec = read_resolved<CandidatesSpec>(e.spec.model, "model");
  if (!e.spec.belief.items.empty())
    throw SpecError({"belief", "absent for competing models", "a table", "Each candidate has a belief of its own."});
  std::vector<std::unique_ptr<models::Model>> models;
  std::vector<std::string> names;
  bool has_samples = false;
  for (std::size_t i = 0; i < spec.candidate.size(); ++i) {
    CandidateSpec& candidate = spec.candidate[i];
    const std::string kind = kind_of(candidate.model, e.spec.stimulus.kind == "variables");
    if (kind == "candidates")
      throw SpecError({fmt::format("model.candidate[{}].model.kind", i), "a single model", "\"candidates\"", ""});
    // each is built as if it were the experiment's
    e.spec.model = candidate.model;
    e.spec.belief = candidate.belief;
    try {
      build_one(e, kind, folder, executor);
    } catch (SpecError& error) {
      error.fault.path = fmt::format("model.candidate[{}].{}", i, error.fault.path);
      throw SpecError(error.fault);
    }
    has_samples = has_samples || dynamic_cast<const models::TextModel*>(e.model.get());
    candidate.model = e.spec.model;
    candidate.belief = e.spec.belief;
    models.push_back(std::move(e.model));
    names.push_back(candidate.name);
    if (candidate.name == e.spec.subject.candidate) e.subject_candidate = i;
  }
  // a text with tables beside one with samples has samples, too: information about which is right needs the same of all
  for (std::size_t i = 0; has_samples && i < models.size(); ++i) {
    const std::string kind = kind_of(spec.candidate[i].model, e.spec.stimulus.kind == "variables");
    if (kind != "text" || dynamic_cast<const models::TextModel*>(models[i].get())) continue;
    e.spec.model = spec.candidate[i].model;
    e.spec.belief = spec.candidate[i].belief;
    build_one(e, kind, folder, executor, false);
    models[i] = std::move(e.model);
  }
  if (e.spec.subject.kind == "simulated" && std::find(names.begin(), names.end(), e.spec.subject.candidate) == names.end())
    throw SpecError({"subject.candidate", fmt::format("one of {}", fmt::join(names, ", ")), "\"" + e.spec.subject.candidate + "\"",
                     "It says which of the models answers."});
  e.spec.model = *to_value(spec).table();
  e.spec.belief = {};
  e.model = std::make_unique<models::Candidates>(std::move(models), std::move(names));
  e.refine_every = 0;
  e.refine_at_end = false;
}

void build_model(Experiment& e, const std::string& folder, Executor& executor) {
  const std::string kind = kind_of(e.spec.model, e.spec.stimulus.kind == "variables");
  if (kind == "candidates")
    build_candidates(e, folder, executor);
  else
    build_one(e, kind, folder, executor);
  if (e.recording && e.recording->kind != e.model->response_kind)
    throw SpecError({"model.response", "of the kind that was recorded", "another kind", "See response.kind in trials.toml."});
  build_arms(e, folder, executor);
}

}  // namespace

const models::Glm* Experiment::glm() const { return dynamic_cast<const models::Glm*>(model.get()); }
const models::Population* Experiment::population() const { return dynamic_cast<const models::Population*>(model.get()); }
const models::GaussianProcess* Experiment::process() const { return dynamic_cast<const models::GaussianProcess*>(model.get()); }
const models::Candidates* Experiment::candidates() const { return dynamic_cast<const models::Candidates*>(model.get()); }
const models::Model& Experiment::answering() const {
  return subject_model ? *subject_model : candidates() ? candidates()->model(subject_candidate) : *model;
}
const models::TextModel* Experiment::samples() const { return dynamic_cast<const models::TextModel*>(model.get()); }
const models::GridModel* Experiment::grid() const { return dynamic_cast<const models::GridModel*>(model.get()); }

bool Experiment::has_fields() const {
  return spiking && (glm() || population()) && !spiking->field.empty() &&
         spiking->field.size() == model->num_cells * stimuli.dim / static_cast<std::size_t>(spec.stimulus.num_frames) &&
         (!glm() || glm()->num_lags() == 1);
}

std::unique_ptr<Subject> Experiment::make_subject(const Clock& clock) const {
  if (spec.subject.kind == "remote") return make_remote(clock);
  if (spiking) return make_spiking_subject(spiking);
  if (recording) return make_recorded(recording, spec.subject.trial_ms);
  if (spec.subject.kind == "given") {
    if (given.make_subject) return given.make_subject(*this);
    throw SpecError(
        {"subject.kind", "simulated, spiking, recorded or remote", "\"given\"", "The program that runs the experiment brings it."});
  }
  return make_simulated(spec.subject, answering(), truth, spec.stimulus.duration_ms, seed);
}

Assignment Experiment::assign(std::int64_t trial) const {
  if (arms.size() == 1 && validation.pool.empty()) return {};
  constexpr double golden = 0.61803398874989485;
  const double start = Stream(seed, Purpose::arm).uniform();
  double u = start + golden * static_cast<double>(trial);
  u -= std::floor(u);
  const double share = spec.validation.share;
  if (u < share) {
    const auto num = static_cast<double>(validation.num());
    return {0, Role::validate, std::min(static_cast<std::int64_t>(u / share * num), static_cast<std::int64_t>(num) - 1)};
  }
  u = (u - share) / (1 - share);
  std::int64_t arm = 0;
  while (arm + 1 < static_cast<std::int64_t>(arms.size()) && u >= arms[static_cast<std::size_t>(arm)].share)
    u -= arms[static_cast<std::size_t>(arm++)].share;
  return {arm, Role::measure, -1};
}

double Experiment::stop_width(const Learner& learner) const {
  if (!spec.stop.parameter.empty()) return learner.credible_width(stop_parameter);
  double widest = 0;
  for (std::size_t k = 0; k < model->num_parameters; ++k) widest = std::max(widest, learner.credible_width(k));
  return widest;
}

void Experiment::set_stimulus(const design::Choice& choice, Stimulus& out) const {
  if (choice.pool_index >= 0) {
    out.what = PoolItem{choice.pool_index, pool_hash[static_cast<std::size_t>(choice.pool_index)]};
    return;
  }
  if (!std::holds_alternative<Array>(out.what)) out.what = Array{};
  Array& array = std::get<Array>(out.what);
  array.shape.assign(shape.begin(), shape.end());
  if (spec.stimulus.num_frames > 1) array.shape.insert(array.shape.begin(), spec.stimulus.num_frames);
  array.values.assign(choice.values.begin(), choice.values.end());
}

std::span<const double> Experiment::values(const Stimulus& stimulus, std::int64_t trial) const {
  if (const auto* item = std::get_if<PoolItem>(&stimulus.what)) {
    const auto i = static_cast<std::size_t>(item->index);
    if (i >= stimuli.num())
      throw RunError(
          {"stimulus", fmt::format("a member of the pool, 0 … {}", stimuli.num() - 1), fmt::format("{}", item->index), ""}, trial);
    if (item->content_hash != pool_hash[i])
      throw RunError({"stimulus", "the recorded member of the pool", fmt::format("pool[{}] with other content", item->index),
                      "The pool has changed since the record was made."},
                     trial);
    return {&stimuli.pool[i * stimuli.dim], stimuli.dim};
  }
  if (const auto* array = std::get_if<Array>(&stimulus.what)) return array->values;
  throw RunError({"stimulus", "a pool item or an array", "a pattern", "These models have no features of a pattern."}, trial);
}

namespace {

/// The network of a spiking subject; the first stimulus, the lowest of a box or 0 of a ball must suit it.
void build_spiking(Experiment& e) {
  std::vector<double> stimulus(e.stimuli.dim, 0.0);
  if (!e.stimuli.pool.empty())
    std::copy_n(e.stimuli.pool.begin(), e.stimuli.dim, stimulus.begin());
  else if (!e.stimuli.low.empty())
    for (std::size_t k = 0; k < stimulus.size(); ++k) stimulus[k] = e.stimuli.low[e.stimuli.low.size() == 1 ? 0 : k];
  std::string unit;
  if (e.spec.stimulus.kind == "variables") {
    const std::vector<models::TextStimulus> variables = models::read_variables(e.spec.stimulus.variables);
    unit = variables[0].unit_text;
    for (const models::TextStimulus& one : variables)
      if (one.unit_text != unit)
        throw UnitError({"stimulus." + one.name, "in " + unit + ", as the first", one.unit_text, "An actuator has one unit."});
  }
  e.spiking = make_spiking(e.spec.subject, *e.model, e.shape, unit, stimulus, e.seed);
}

/// A parameter by its name, or a weight by its index.
std::size_t parameter_named(const models::Model& model, const std::string& name) {
  std::string names;
  for (std::size_t k = 0; k < model.parameter_names.size(); ++k) {
    if (model.parameter_names[k] == name) return k;
    names += (k ? ", " : "") + model.parameter_names[k];
  }
  std::size_t end = 0, index = model.num_parameters;
  try {
    index = static_cast<std::size_t>(std::stoul(name, &end));
  } catch (const std::exception&) {
    end = 0;
  }
  if (end == name.size() && index < model.num_parameters) return index;
  throw SpecError({"stop.parameter",
                   names.empty() ? fmt::format("an index in 0 … {}", model.num_parameters - 1) : "one of " + names,
                   "\"" + name + "\"", ""});
}

}  // namespace

std::unique_ptr<Experiment> build(const Spec& spec, const std::string& folder, std::uint64_t seed, Executor& executor,
                                  std::shared_ptr<const Recording> recording, Given given) {
  auto e = std::make_unique<Experiment>();
  e->given = std::move(given);
  e->spec = spec;
  e->seed = seed;
  e->spec.seed = static_cast<std::int64_t>(seed);
  refuse_unused(spec.subject);
  if (spec.subject.kind == "recorded") {
    if (spec.subject.folder.empty()) throw SpecError({"subject.folder", "given for a recorded subject", "nothing", ""});
    e->spec.subject.folder = in_folder(folder, spec.subject.folder);  // so that a record can be resumed from anywhere
    e->recording = recording ? recording : read_recording(e->spec.subject.folder);
  }
  build_stimuli(*e, folder);
  build_validation(*e);
  build_model(*e, folder, executor);
  if (!spec.subject.link.empty() && !e->glm())
    throw SpecError({"subject.link", "absent for this model", "\"" + spec.subject.link + "\"", "It has no link of its own."});
  if (!e->spec.stop.parameter.empty() && !e->spec.stop.credible_width)
    throw SpecError({"stop.parameter", "absent without stop.credible_width", "\"" + e->spec.stop.parameter + "\"",
                     "It names the parameter whose interval is to be that narrow."});
  if (!e->spec.stop.parameter.empty()) e->stop_parameter = parameter_named(*e->model, e->spec.stop.parameter);
  if (spec.subject.kind == "simulated") {
    e->truth = initial_truth(spec.subject, e->answering(), e->shape, seed);
    e->make_subject(SteadyClock());  // refuses what does not fit
  }
  if (spec.subject.kind == "spiking") build_spiking(*e);
  return e;
}

}  // namespace hartline::loop
