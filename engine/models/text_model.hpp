// A model written as text with a belief by weighted sets of parameters: what all such beliefs have in common.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "models/model.hpp"
#include "models/text_likelihood.hpp"

namespace hartline {
class Executor;
}

namespace hartline::models {

/// Something that an experimenter should know of a belief.
struct Notice {
  bool warning = false;
  std::string kind, text;
};

/// Weighted sets of parameters.
struct SampleBelief : Belief {
  std::vector<double> weights;                // [num], sum to one
  std::vector<double> scores;                 // [num_parameters, num] normal scores: N(0, I) under the prior
  std::vector<double> parameters;             // [num_parameters, num] the values at those scores
  std::vector<double> arguments;              // [num_arguments, num] of the law under the last stimulus
  std::vector<std::vector<double>> imagined;  // weights after the responses that are still to come; empty: none is pending
  Prediction prediction;                      // of the last response
  std::uint64_t num_updates = 0, num_pending = 0;
  double log_evidence = 0;      // log p(responses), nats
  std::vector<Notice> notices;  // of the last update
  double information = 0;       // of the posterior about the parameters: KL(posterior || prior), nats

  std::size_t num() const { return weights.size(); }
  ParameterSets sets() const { return {parameters.data(), num(), num()}; }
};

/// What does not depend on how the sets came to be. Averages are sums over the sets in a fixed order.
class TextModel : public Model {
 public:
  void predict(const Belief& belief, std::span<const double> stimuli, std::span<double> mean) const override;
  void summarise(const Belief& belief, std::span<double> mean, std::span<double> sd) const override;
  using Model::sample;
  void sample(std::span<const double> parameters, std::span<const double> stimulus, Context& context, Stream& stream,
              std::span<double> response) const override;
  double log_likelihood(std::span<const double> parameters, std::span<const double> stimulus, double response) const override;
  Capability capability(const Belief& belief) const override;

  /// log p(response | stimulus, belief), nats.
  double log_predictive(const SampleBelief& belief, std::span<const double> stimulus, double response) const;
  /// The value that a share p of the belief about one parameter lies below.
  double quantile(const SampleBelief& belief, std::size_t parameter_idx, double p) const;
  /// The same of the expected response to a stimulus.
  double response_quantile(const SampleBelief& belief, std::span<const double> stimulus, double p) const;
  /// Expected response for known parameters.
  double expected_response(std::span<const double> parameters, std::span<const double> stimulus) const;

  const TextLikelihood& likelihood() const { return likelihood_; }
  const EncodingText& text() const { return likelihood_.text(); }

  /// Values of the parameters at normal scores: both [num_parameters, stride], of which the first num of every row count.
  void from_scores(const double* scores, std::size_t stride, std::size_t num, double* parameters) const;

 protected:
  TextModel(std::shared_ptr<const EncodingText> text, Executor& executor);

  /// log p(response | stimulus, set) of every set; of a censored one that of its tail. Throws: RunError where it is not a number.
  void log_likelihoods(SampleBelief& belief, std::span<const double> stimulus, Datum response, std::span<double> out) const;
  /// What was expected of a response before it came.
  Prediction foretell(SampleBelief& belief, std::span<const double> stimulus, Datum response) const;
  /// Takes note of a response that is still to come: a few equally likely futures, reweighted only.
  void imagine(SampleBelief& belief, std::span<const double> stimulus, std::uint64_t seed) const;

  TextLikelihood likelihood_;
  std::vector<const PriorLaw*> priors_;  // of each parameter
  Executor& executor_;
};

/// How many futures a belief by samples imagines where responses are pending.
constexpr std::size_t num_sample_futures = 4;

}  // namespace hartline::models
