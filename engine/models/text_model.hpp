// A model written as text with a belief by weighted sets of parameters: what all such beliefs have in common.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "models/model.hpp"
#include "models/notice.hpp"
#include "models/text_history.hpp"
#include "models/text_likelihood.hpp"

namespace hartline {
class Executor;
}

namespace hartline::models {

/// Weighted sets of parameters.
struct SampleBelief : Belief {
  std::vector<double> weights;                // [num], sum to one
  std::vector<double> scores;                 // [num_parameters, num] normal scores: N(0, I) under the prior
  std::vector<double> parameters;             // [num_parameters + num_states, num] the values at those scores, and the states now
  std::vector<double> arguments;              // [num_arguments, num] of the laws under the last stimulus
  std::vector<std::vector<double>> imagined;  // weights after the responses that are still to come; empty: none is pending
  std::vector<Prediction> predictions;        // [num_responses] of the last responses
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
  /// The value that a share p of the belief about one parameter lies below; on a circle, counted from half a turn before the mean.
  virtual double quantile(const SampleBelief& belief, std::size_t parameter_idx, double p) const;
  /// The same of the expected first response to a stimulus, in the first trial.
  double response_quantile(const SampleBelief& belief, std::span<const double> stimulus, double p) const;
  /// Expected first response for known parameters, in the first trial.
  double expected_response(std::span<const double> parameters, std::span<const double> stimulus) const;

  const TextLikelihood& likelihood() const { return likelihood_; }
  const EncodingText& text() const { return likelihood_.text(); }

 protected:
  TextModel(std::shared_ptr<const EncodingText> text, Executor& executor);

  /// What came back in a trial: for the likelihood, and for the states.
  struct Trial {
    std::vector<Datum> responses, answers;
    bool counts = false, pending = false;
  };
  /// Throws: RunError for a stimulus or a response that cannot be.
  Trial read(std::span<const double> stimulus, const Response& response) const;
  void remember(TextHistory& history, std::span<const double> stimulus, const Trial& trial) const;

  /// log p(responses | stimulus, set) of every set; of a censored one that of its tail. Throws: RunError where it is not a number.
  void log_likelihoods(SampleBelief& belief, std::span<const double> stimulus, std::span<const Datum> responses,
                       std::span<double> out) const;
  /// States of every set after a trial; nothing where there are none.
  void advance(SampleBelief& belief, std::span<const double> stimulus, const Trial& trial) const;
  /// Sets out to the log likelihood of the first num_trials trials, and the states to those after them. `rows`
  /// [num_parameters + num_states, stride], `one` scratch [num].
  void replay(const TextHistory& history, std::size_t num_trials, double* rows, std::size_t stride, std::size_t num, double* out,
              double* one) const;
  /// What was expected of responses before they came.
  std::vector<Prediction> foretell(SampleBelief& belief, std::span<const double> stimulus, std::span<const Datum> responses) const;
  /// Takes note of responses that are still to come: a few equally likely futures, reweighted only.
  void imagine(SampleBelief& belief, std::span<const double> stimulus, const Trial& trial, std::uint64_t seed) const;
  /// Draws responses of one set. Throws: RunError where its laws cannot be.
  void draw(const double* rows, std::size_t stride, std::span<const double> stimulus, double gain, Stream& stream,
            std::span<double> out) const;
  /// Parameters of all sets, and the states that they start with: [num_parameters + num_states, num].
  std::vector<double> rows_at_start(const SampleBelief& belief) const;
  /// Parameters, and the states that they start with.
  std::vector<double> rows_at_start(std::span<const double> parameters) const;

  TextLikelihood likelihood_;
  Executor& executor_;
};

/// How many futures a belief by samples imagines where responses are pending.
constexpr std::size_t num_sample_futures = 4;

}  // namespace hartline::models
