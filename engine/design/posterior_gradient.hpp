// Training amortised posteriors: the likelihood of the parameters that answered.
#pragma once

#include <memory>
#include <vector>

#include "design/ascent.hpp"
#include "design/rollouts.hpp"
#include "design/train_spec.hpp"
#include "models/history_tape.hpp"
#include "models/normal_mixture.hpp"

namespace hartline {
class Executor;
}

namespace hartline::design {

/// The mean of log q(z | h) - log N(z; 0, I), nats, and its gradient: z the normal scores of the parameters that answered, h every
/// beginning of a simulated experiment, of one trial to num_trials. It is largest where q is the posterior (its maximum is the mean
/// information of those histories). Stimuli are drawn at random (StimulusRule::draw), or chosen by a policy.
/// (posterior_gradient_test.cpp: PosteriorGradient.IsTheDifferenceOfScores)
class PosteriorGradient final : public Ascent {
 public:
  /// `policy`: that chooses the stimuli; null: random.
  PosteriorGradient(const models::TextLikelihood& likelihood, const models::TrainedNetwork& network, const TrainSpec& spec,
                    std::shared_ptr<const models::TrainedNetwork> policy, Executor& executor);

  double estimate(std::span<const double> weights, std::uint64_t step, std::span<double> gradient) override;

 private:
  static constexpr std::size_t block = 32;  // histories side by side
  struct Block {
    models::HistoryTape tape;
    models::HistoryNetwork::State chooser;
    std::vector<double> scores, rows;                                    // [num, num_parameters], [num, num_rows]
    std::vector<double> inputs, told, choices, d_told, d_inputs, gradient;
    double score = 0;
  };
  std::size_t size(std::size_t b) const { return std::min(block, num_ - b * block); }
  void run(Block& one, std::size_t b, std::span<const double> weights, std::uint64_t step) const;

  const models::TextLikelihood& likelihood_;
  const models::TrainedNetwork& trained_;  // for its scales
  models::HistoryNetwork network_;
  models::NormalMixture mixture_;
  StimulusRule rule_;
  std::uint64_t seed_;
  std::size_t num_, num_blocks_;
  std::shared_ptr<const models::TrainedNetwork> policy_;
  std::unique_ptr<models::HistoryNetwork> chooser_;
  Executor& executor_;
  std::vector<Block> blocks_;
};

}  // namespace hartline::design
