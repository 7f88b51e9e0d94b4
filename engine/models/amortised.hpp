// Amortised posterior: a network that was trained to tell what the parameters may be, given the trials so far.
#pragma once

#include "models/normal_mixture.hpp"
#include "models/text_model.hpp"
#include "models/trained_network.hpp"

namespace hartline::models {

struct AmortisedBelief final : SampleBelief {
  std::unique_ptr<Belief> fork() const override { return std::make_unique<AmortisedBelief>(*this); }
  void replace_by(const Belief& other) override { *this = dynamic_cast<const AmortisedBelief&>(other); }
  std::uint64_t digest() const override;

  HistoryNetwork::State state;          // what the network has read
  std::vector<double> inputs, outputs;  // [num_inputs, stride], [num_outputs, stride]
  TextHistory history;                  // of a text with states, whose sets start them again
};

/// The posterior of the normal scores z of the parameters as a mixture of normal laws that a network tells, read anew after every trial;
/// samples of equal weight, from the same normal draws. Before the first trial they are the prior's own.
/// Evidence: log of the mean likelihood under the samples before a response.
/// It is as good as its training: for histories unlike those that it was trained on it is wrong and does not know.
/// (amortised_calibration_test.cpp: Amortised.RanksOfTheTruthAreUniform)
/// Censored responses are refused; of several responses one that is missing is read as its mean.
class AmortisedModel final : public TextModel {
 public:
  AmortisedModel(std::shared_ptr<const EncodingText> text, std::shared_ptr<const TrainedNetwork> trained, std::size_t num_samples,
                 std::uint64_t seed, Executor& executor);

  std::unique_ptr<Belief> prior() const override;
  Update update(Belief& belief, std::span<const double> stimulus, const Response& response, double elapsed_s) const override;

 private:
  void draw(AmortisedBelief& belief) const;

  std::shared_ptr<const TrainedNetwork> trained_;
  HistoryNetwork network_;
  NormalMixture mixture_;
  std::vector<double> normals_;  // [num_parameters, num_samples]
  std::size_t num_samples_;
};

}  // namespace hartline::models
