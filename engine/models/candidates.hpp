// Several models of one cell side by side, and which of them is right.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/model.hpp"
#include "models/notice.hpp"

namespace hartline::models {

/// A belief about each model, and the probability of each.
struct CandidatesBelief final : Belief {
  CandidatesBelief() = default;
  CandidatesBelief(const CandidatesBelief& other) : CandidatesBelief() { *this = other; }
  CandidatesBelief& operator=(const CandidatesBelief& other);
  std::unique_ptr<Belief> fork() const override { return std::make_unique<CandidatesBelief>(*this); }
  void replace_by(const Belief& other) override;
  std::uint64_t digest() const override;

  std::vector<std::unique_ptr<Belief>> beliefs;  // [num_models]
  std::vector<const Belief*> views;              // the same
  std::vector<double> log_weights, weights;      // [num_models], normalised
  std::vector<Prediction> predictions;           // [num_bins] of the last update, averaged over the models
  std::vector<Notice> notices;                   // of the last update, with the names of the models that they are about
  std::vector<std::unique_ptr<Belief>> before;   // [num_models] scratch: what an update that fails goes back to
};

/// p(model | responses) ∝ p(model) Π_t p(r_t | x_t, trials before, model), every model taking in every response.
///
/// What one step ahead was foretold is the mean over the models by their weights. A refit forms each model's belief anew and leaves
/// the weights, which rest on the one-step evidences. A model that gives a response probability 0 is ruled out, which a notice
/// tells, and takes in nothing more (candidates_test.cpp: Candidates.ThatAreRefutedAreRuledOutAndTheRunGoesOn). Accuracy: Bayes'
/// rule on the evidences to 1e-12    (candidates_test.cpp: Candidates.WeightsFollowTheEvidence)
class Candidates final : public Model {
 public:
  /// Throws: SpecError for fewer than two models, or models whose stimuli or responses differ in form.
  Candidates(std::vector<std::unique_ptr<Model>> models, std::vector<std::string> names);

  std::unique_ptr<Belief> prior() const override;
  Update update(Belief& belief, std::span<const double> stimulus, const Response& response, double elapsed_s) const override;
  void refine(Belief& belief, const History& history) const override;
  bool can_refine() const override;
  void predict(const Belief& belief, std::span<const double> stimuli, std::span<double> mean) const override;
  /// Parameters of this model are the probabilities of the candidates; their standard deviations √(p (1 - p)).
  void summarise(const Belief& belief, std::span<double> mean, std::span<double> sd) const override;
  Context start() const override { return models_[0]->start(); }
  using Model::sample;
  /// Throws: InternalError: responses are simulated by one of the models.
  void sample(std::span<const double> parameters, std::span<const double> stimulus, Context& context, Stream& stream,
              std::span<double> response) const override;
  double log_likelihood(std::span<const double> parameters, std::span<const double> stimulus, double response) const override;
  Capability capability(const Belief& belief) const override;

  const Model& model(std::size_t i) const { return *models_[i]; }
  std::size_t num_models() const { return models_.size(); }

 private:
  std::vector<std::unique_ptr<Model>> models_;
  std::vector<const Model*> views_;
};

/// Shannon entropy of which model is right, nats.
double entropy(const CandidatesBelief& belief);

}  // namespace hartline::models
