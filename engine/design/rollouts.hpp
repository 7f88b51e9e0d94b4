// Rollouts: simulated experiments of a network, side by side, and what was learned in them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "design/policy.hpp"
#include "models/text_likelihood.hpp"

namespace hartline::models {
class HistoryTape;
}

namespace hartline::design {

/// Contrasts of one step, shared by its rollouts.
struct Contrasts {
  std::vector<double> parameters;  // [num_parameters, num]
  std::size_t num = 0;
};

/// Constant, shared by threads. Rollout r of step k draws its truth from the stream {seed, truth, k, r} and its responses from
/// {seed, response, k, r · num_trials + t}, whatever the weights: neighbours are compared under the same luck.
class Rollouts {
 public:
  Rollouts(const models::TextLikelihood& likelihood, const models::TrainedNetwork& network, std::uint64_t seed);

  Contrasts draw_contrasts(std::uint64_t step, std::size_t num) const;

  /// What was shown and answered.
  struct Histories {
    std::size_t num = 0;
    std::vector<double> truth;      // [num, num_rows]
    std::vector<double> stimuli;    // [num, num_trials, stimulus_dim]
    std::vector<double> responses;  // [num, num_trials, num_responses]
    const Rollouts* owner = nullptr;
    std::vector<double> inputs, outputs;  // scratch
    models::HistoryNetwork::State state;
  };
  /// Simulates rollouts first … first + num - 1 of a step under the weights. Allocates: nothing for histories of as many before.
  /// Throws: RunError for weights that tell what is not finite.
  /// `tape`: one of num histories that keeps the network's way, or null.
  void simulate(std::span<const double> weights, std::uint64_t step, std::size_t first, std::size_t num, Histories& out,
                models::HistoryTape* tape = nullptr) const;

  /// Who may have answered as in a history: the truth, then the contrasts that are left.
  struct Suspects {
    std::size_t num = 0, stride = 0;
    std::vector<double> sets;        // [num_rows, stride]
    std::vector<double> likelihood;  // [num] over that of the truth
    double score = 0;                // sPCE so far, nats (design/score.hpp)
    std::vector<double> total, one;  // scratch
  };
  /// Of history r. Contrasts whose likelihood has fallen below e^-20 of the truth's are dropped after each trial: few stay, so that
  /// many cost little. One in e^20 of them would have come back: E[p(y | θ_l) / p(y | θ_0)] = 1 under the truth.
  /// `before`: called before each trial with its number and who was left then; null: not.
  using Before = std::function<void(std::size_t t, const Suspects& left)>;
  void suspect(const Histories& histories, std::size_t r, const Contrasts& contrasts, const Before& before, Suspects& out) const;

  /// Σ sPCE over histories, nats.
  double score(const Histories& histories, const Contrasts& contrasts, Suspects& scratch) const;

  const models::TextLikelihood& likelihood() const { return likelihood_; }
  const models::HistoryNetwork& network() const { return network_; }
  const StimulusRule& rule() const { return rule_; }
  std::size_t num_trials() const { return network_.shape().num_trials; }

 private:
  const models::TextLikelihood& likelihood_;
  const models::TrainedNetwork& trained_;  // for its scales
  models::HistoryNetwork network_;
  StimulusRule rule_;
  std::uint64_t seed_;
};

/// One response of every law, given the arguments' values: out [num_responses]. Throws: RunError where they are impossible.
void draw_responses(const models::TextLikelihood& likelihood, std::span<const double> arguments, Stream& stream, double* out);

/// Fills in the sizes of a network that is to be trained on a text, its scales (of the responses the mean and standard deviation
/// over 2,000 draws of prior and stimuli; where that is not finite or is 0 the scale is 1) and its first weights.
void begin_network(const models::TextLikelihood& likelihood, models::TrainedNetwork& network);

}  // namespace hartline::design
