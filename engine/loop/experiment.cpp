#include "loop/experiment.hpp"

#include <fmt/format.h>

#include <cmath>

#include "base/error.hpp"
#include "io/npy.hpp"
#include "models/glm.hpp"
#include "models/grid.hpp"

namespace hartline::loop {

namespace {

std::string in_folder(const std::string& folder, const std::string& path) {
  return path.empty() || path[0] == '/' || folder.empty() ? path : folder + "/" + path;
}

std::string kind_of(const Table& model) {
  constexpr std::string_view kinds[] = {"glm", "tuning_curve", "psychometric"};
  const Value* kind = model.find("kind");
  if (!kind) throw SpecError({"model.kind", "one of glm, tuning_curve, psychometric", "nothing", ""});
  for (std::string_view known : kinds)
    if (kind->text() && *kind->text() == known) return std::string(known);
  const std::string got = kind->text() ? *kind->text() : display(*kind);
  throw SpecError({"model.kind", "one of glm, tuning_curve, psychometric", "\"" + got + "\"", did_you_mean(got, kinds)});
}

constexpr std::int64_t max_dim = 4096;  // of a stimulus

void build_stimuli(Experiment& e, const std::string& folder) {
  const StimulusSpec& s = e.spec.stimulus;
  design::StimulusSet& set = e.stimuli;
  e.shape = s.shape;
  if (e.recording && s.kind != "recorded")
    throw SpecError({"stimulus.kind", "recorded for a recorded subject", "\"" + s.kind + "\"", ""});
  if (s.kind == "recorded") {
    if (!e.recording)
      throw SpecError({"stimulus.kind", "ball, random_pool, file or axis for a simulated subject", "\"recorded\"", ""});
    e.shape = e.recording->shape;
    set.dim = e.recording->dim;
    const auto row = static_cast<std::int64_t>(set.dim);
    set.pool.assign(e.recording->stimuli.begin() + e.recording->pool_first * row,
                    e.recording->stimuli.begin() + e.recording->pool_last * row);
    set.once = true;
  } else if (s.kind == "axis") {
    set.pool = s.axis.points("stimulus.axis");
    set.dim = 1;
    e.shape = {1};
  } else if (s.kind == "file") {
    e.spec.stimulus.file = in_folder(folder, s.file);
    Array array = io::read_npy(s.file);
    if (array.shape.size() < 2)
      throw SpecError({"stimulus.file", "an array [num, dim]", fmt::format("{} dimensions", array.shape.size()), s.file});
    e.shape.assign(array.shape.begin() + 1, array.shape.end());
    set.dim = array.values.size() / static_cast<std::size_t>(array.shape[0]);
    for (std::size_t i = 0; i < array.values.size(); ++i)
      if (!std::isfinite(array.values[i]))
        throw SpecError({fmt::format("stimulus.file[{}]", i / set.dim), "finite", number_text(array.values[i]), s.file});
    set.pool = std::move(array.values);
  } else {
    if (s.shape.empty()) throw SpecError({"stimulus.shape", "given for this kind, for example [8, 8]", "nothing", ""});
    set.dim = 1;
    for (std::int64_t n : s.shape) {
      if (n > max_dim || set.dim * static_cast<std::size_t>(n) > max_dim)
        throw SpecError({"stimulus.shape", fmt::format("at most {} values", max_dim), display(to_value(s.shape)), ""});
      set.dim *= static_cast<std::size_t>(n);
    }
    set.power = s.power;
    if (s.kind == "random_pool") {
      set.pool.resize(static_cast<std::size_t>(s.num) * set.dim);
      for (std::size_t i = 0; i < static_cast<std::size_t>(s.num); ++i)
        Stream(e.seed, Purpose::pool, i).fill_sphere({&set.pool[i * set.dim], set.dim}, std::sqrt(s.power));
    }
  }
  if (set.dim > static_cast<std::size_t>(max_dim))
    throw SpecError({"stimulus.shape", fmt::format("at most {} values", max_dim), fmt::format("{}", set.dim), ""});
  if (set.once && e.spec.num_trials > static_cast<std::int64_t>(set.num()))
    throw SpecError({"num_trials",
                     fmt::format("<= {}, the number of recorded trials, each of which can be presented once", set.num()),
                     fmt::format("{}", e.spec.num_trials), ""});
  for (std::size_t i = 0; i < set.num(); ++i) e.pool_hash.push_back(content_hash(&set.pool[i * set.dim], set.dim));
}

void build_model(Experiment& e, Executor& executor) {
  const std::string kind = kind_of(e.spec.model);
  if (kind == "glm") {
    models::GlmSpec model;
    models::GaussianBeliefSpec belief;
    read_table(e.spec.model, {"model", ""}, model);
    read_table(e.spec.belief, {"belief", ""}, belief);
    e.spec.model = *to_value(model).table();
    e.spec.belief = *to_value(belief).table();
    auto glm = std::make_unique<models::Glm>(model, belief, e.stimuli.dim);
    e.refine_every = belief.refine_every;
    e.refine_lag = belief.refine_lag;
    e.refine_at_end = belief.refine_at_end && !glm->has_drift();
    e.model = std::move(glm);
  } else {
    if (!e.spec.belief.items.empty())
      throw SpecError({"belief." + e.spec.belief.items[0].first, "absent for a model on a grid",
                       "\"" + e.spec.belief.items[0].first + "\"", "The grid of the model's parameters is the prior."});
    std::unique_ptr<models::Family> family;
    if (kind == "tuning_curve") {
      models::TuningCurveSpec model;
      read_table(e.spec.model, {"model", ""}, model);
      e.spec.model = *to_value(model).table();
      family = models::make_family(model);
    } else {
      models::PsychometricSpec model;
      read_table(e.spec.model, {"model", ""}, model);
      e.spec.model = *to_value(model).table();
      family = models::make_family(model);
    }
    if (e.stimuli.pool.empty() || e.stimuli.dim != family->stimulus_dim)
      throw SpecError({"stimulus.kind",
                       fmt::format("axis or file with {} value(s) a stimulus for this model", family->stimulus_dim),
                       "\"" + e.spec.stimulus.kind + "\"", ""});
    e.model = std::make_unique<models::GridModel>(std::move(family), e.stimuli.pool, executor);
  }
  if (e.recording && e.recording->kind != e.model->response_kind)
    throw SpecError({"model.response", "of the kind that was recorded", "another kind", "See response.kind in trials.toml."});
  const auto prior = e.model->prior();
  e.design = design::make_design(e.spec.design, e.stimuli, e.model->capability(*prior), e.model->parameter_names, e.seed, executor);
}

}  // namespace

const models::Glm* Experiment::glm() const { return dynamic_cast<const models::Glm*>(model.get()); }
const models::GridModel* Experiment::grid() const { return dynamic_cast<const models::GridModel*>(model.get()); }

std::unique_ptr<Subject> Experiment::make_subject() const {
  if (recording) return make_recorded(recording, spec.subject.trial_ms);
  return make_simulated(spec.subject, *model, truth, seed);
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

std::unique_ptr<Experiment> build(const Spec& spec, const std::string& folder, std::uint64_t seed, Executor& executor,
                                  std::shared_ptr<const Recording> recording) {
  auto e = std::make_unique<Experiment>();
  e->spec = spec;
  e->seed = seed;
  e->spec.seed = static_cast<std::int64_t>(seed);
  if (spec.subject.kind == "recorded") {
    if (spec.subject.folder.empty()) throw SpecError({"subject.folder", "given for a recorded subject", "nothing", ""});
    e->spec.subject.folder = in_folder(folder, spec.subject.folder);  // so that a record can be resumed from anywhere
    e->recording = recording ? recording : read_recording(e->spec.subject.folder);
  }
  build_stimuli(*e, folder);
  build_model(*e, executor);
  if (!e->recording) {
    e->truth = initial_truth(spec.subject, *e->model, e->shape, seed);
    make_simulated(spec.subject, *e->model, e->truth, seed);  // refuses what does not fit
  }
  return e;
}

}  // namespace hartline::loop
