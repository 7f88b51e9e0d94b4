#include "models/candidates.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "models/refuted.hpp"
#include "models/text_model.hpp"

namespace hartline::models {

namespace {
const CandidatesBelief& candidates(const Belief& belief) { return dynamic_cast<const CandidatesBelief&>(belief); }
}  // namespace

CandidatesBelief& CandidatesBelief::operator=(const CandidatesBelief& other) {
  beliefs.clear();
  views.clear();
  for (const auto& belief : other.beliefs) {
    beliefs.push_back(belief->fork());
    views.push_back(beliefs.back().get());
  }
  log_weights = other.log_weights;
  weights = other.weights;
  predictions = other.predictions;
  notices = other.notices;
  return *this;
}

void CandidatesBelief::replace_by(const Belief& other) {
  const CandidatesBelief& from = candidates(other);
  for (std::size_t i = 0; i < beliefs.size(); ++i) beliefs[i]->replace_by(*from.beliefs[i]);
  log_weights = from.log_weights;
  weights = from.weights;
  notices = from.notices;
}

std::uint64_t CandidatesBelief::digest() const {
  std::uint64_t out = content_hash(log_weights.data(), log_weights.size());
  for (const auto& belief : beliefs) out = out * 0x9e3779b97f4a7c15ULL + belief->digest();
  return out;
}

Candidates::Candidates(std::vector<std::unique_ptr<Model>> models, std::vector<std::string> names) : models_(std::move(models)) {
  if (models_.size() < 2) throw SpecError({"model.candidate", "two models or more", fmt::format("{}", models_.size()), ""});
  const Model& first = *models_[0];
  for (std::size_t i = 0; i < models_.size(); ++i) {
    const Model& m = *models_[i];
    if (m.stimulus_dim != first.stimulus_dim || m.num_cells != first.num_cells || m.num_bins != first.num_bins ||
        m.response_kind != first.response_kind)
      throw SpecError(
          {fmt::format("model.candidate[{}]", i), "a model of the same stimuli and responses as the first", "another", ""});
    has_context = has_context || m.has_context;
    views_.push_back(&m);
  }
  stimulus_dim = first.stimulus_dim;
  num_cells = first.num_cells;
  num_bins = first.num_bins;
  response_kind = first.response_kind;
  num_choices = first.num_choices;
  num_parameters = models_.size();
  parameter_names = std::move(names);
}

std::unique_ptr<Belief> Candidates::prior() const {
  auto belief = std::make_unique<CandidatesBelief>();
  for (const auto& model : models_) {
    belief->beliefs.push_back(model->prior());
    belief->views.push_back(belief->beliefs.back().get());
  }
  belief->weights.assign(models_.size(), 1 / static_cast<double>(models_.size()));
  belief->log_weights.assign(models_.size(), -std::log(static_cast<double>(models_.size())));
  return belief;
}

Update Candidates::update(Belief& any_belief, std::span<const double> stimulus, const Response& response, double elapsed_s) const {
  auto& belief = dynamic_cast<CandidatesBelief&>(any_belief);
  if (!stimulus.empty()) check(stimulus, response);
  Update out{false, 0, {}};
  std::vector<Prediction> predictions(num_cells * num_bins, {0, 0, 0});
  std::vector<double> log_weights = belief.log_weights;
  std::vector<Notice> notices;
  const auto average_in = [&](std::size_t i, std::span<const Prediction> of_model) {
    for (std::size_t k = 0; k < of_model.size(); ++k) {
      predictions[k].mean += belief.weights[i] * of_model[k].mean;
      predictions[k].below += belief.weights[i] * of_model[k].below;
      predictions[k].up_to += belief.weights[i] * of_model[k].up_to;
    }
  };
  belief.before.resize(models_.size());
  std::size_t num_tried = 0;
  try {
    for (; num_tried < models_.size(); ++num_tried) {
      const std::size_t i = num_tried;
      if (belief.log_weights[i] == -INFINITY) continue;  // ruled out
      if (belief.before[i])
        belief.before[i]->replace_by(*belief.beliefs[i]);
      else
        belief.before[i] = belief.beliefs[i]->fork();
      try {
        const Update one = models_[i]->update(*belief.beliefs[i], stimulus, response, elapsed_s);
        out.used = out.used || one.used;
        average_in(i, one.predictions);
        log_weights[i] += one.log_evidence;
        if (const auto* samples = dynamic_cast<const SampleBelief*>(belief.beliefs[i].get());
            samples && (one.used || models_[i]->has_context))
          for (const Notice& notice : samples->notices)
            notices.push_back({notice.warning, notice.kind, parameter_names[i] + ": " + notice.text});
      } catch (const Refuted& refuted) {
        out.used = true;
        average_in(i, refuted.predictions);
        log_weights[i] = -INFINITY;
        notices.push_back(
            {true, "refuted",
             fmt::format("{}: the response {} has probability 0 under every set of parameters; this model is ruled out",
                         parameter_names[i], refuted.fault.got)});
      }
    }
    const double top = *std::max_element(log_weights.begin(), log_weights.end());
    if (top == -INFINITY)
      throw RunError({"response", "possible under some model", fmt::format("{}", fmt::join(response.values, ", ")),
                      "Each gives it probability 0. The belief is unchanged."});
    belief.notices = std::move(notices);
    if (!out.used) return out;
    double total = 0;
    for (const double w : log_weights) total += std::exp(w - top);
    out.log_evidence = top + std::log(total);
  } catch (...) {
    for (std::size_t i = 0; i < num_tried; ++i)
      if (belief.log_weights[i] > -INFINITY) belief.beliefs[i]->replace_by(*belief.before[i]);
    throw;
  }
  belief.predictions = std::move(predictions);
  for (std::size_t i = 0; i < models_.size(); ++i) {
    belief.log_weights[i] = log_weights[i] - out.log_evidence;
    belief.weights[i] = std::exp(belief.log_weights[i]);
  }
  out.predictions = belief.predictions;
  return out;
}

bool Candidates::can_refine() const {
  return std::all_of(models_.begin(), models_.end(), [](const auto& model) { return model->can_refine(); });
}

void Candidates::refine(Belief& any_belief, const History& history) const {
  auto& belief = dynamic_cast<CandidatesBelief&>(any_belief);
  const auto before = belief.fork();
  try {
    for (std::size_t i = 0; i < models_.size(); ++i) models_[i]->refine(*belief.beliefs[i], history);
  } catch (...) {
    belief = candidates(*before);
    throw;
  }
}

void Candidates::predict(const Belief& any_belief, std::span<const double> stimuli, std::span<double> mean) const {
  const CandidatesBelief& belief = candidates(any_belief);
  std::fill(mean.begin(), mean.end(), 0.0);
  std::vector<double> one(mean.size());
  for (std::size_t i = 0; i < models_.size(); ++i) {
    models_[i]->predict(*belief.beliefs[i], stimuli, one);
    for (std::size_t k = 0; k < mean.size(); ++k) mean[k] += belief.weights[i] * one[k];
  }
}

void Candidates::summarise(const Belief& belief, std::span<double> mean, std::span<double> sd) const {
  for (std::size_t i = 0; i < models_.size(); ++i) {
    mean[i] = candidates(belief).weights[i];
    sd[i] = std::sqrt(mean[i] * (1 - mean[i]));
  }
}

void Candidates::sample(std::span<const double>, std::span<const double>, Context&, Stream&, std::span<double>) const {
  throw InternalError("competing models do not simulate; one of them does.");
}

double Candidates::log_likelihood(std::span<const double>, std::span<const double>, double) const {
  throw InternalError("competing models have no parameters in common.");
}

Capability Candidates::capability(const Belief& any_belief) const {
  const CandidatesBelief& belief = candidates(any_belief);
  return CandidatesView{views_, belief.views, belief.weights};
}

double entropy(const CandidatesBelief& belief) {
  double h = 0;
  for (std::size_t i = 0; i < belief.weights.size(); ++i)
    if (belief.weights[i] > 0) h -= belief.weights[i] * belief.log_weights[i];
  return h;
}

}  // namespace hartline::models
