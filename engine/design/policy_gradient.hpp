// Training policies by derivatives: what pulls at their stimuli, carried back through all trials.
#pragma once

#include <vector>

#include "design/ascent.hpp"
#include "design/history_gradient.hpp"
#include "design/train_spec.hpp"
#include "models/history_tape.hpp"

namespace hartline {
class Executor;
}

namespace hartline::design {

/// The mean sPCE of a step's rollouts and its gradient (history_gradient.hpp), but that rollouts which pull much harder than the
/// median are shortened. Where variables have given values, the derivative at the value that is shown goes on to the point that the
/// network told. Blocks of rollouts are
/// fixed, so a step has the same bytes at any number of threads. (policy_gradient_test.cpp: PolicyGradient.IsTheDifferenceOfScores,
/// PolicyGradient.IsTheSameAtAnyNumberOfThreads)
class PolicyGradient final : public Ascent {
 public:
  /// Throws: SpecError for a text with states or without the derivatives.
  PolicyGradient(const models::TextLikelihood& likelihood, const models::TrainedNetwork& network, const TrainSpec& spec,
                 Executor& executor);

  double estimate(std::span<const double> weights, std::uint64_t step, std::span<double> gradient) override;

 private:
  static constexpr std::size_t block = 32;  // rollouts side by side
  std::size_t size(std::size_t b) const { return std::min(block, num_ - b * block); }
  void carry_back(std::span<const double> weights, std::size_t b);

  const models::TrainedNetwork& trained_;  // for its scales
  Rollouts rollouts_;
  models::TextGradient gradient_;
  std::size_t num_, num_blocks_, num_contrasts_;
  double most_pull_, foresight_;
  Executor& executor_;
  Pulls pulls_;
  struct Block {
    models::HistoryTape tape;
    Rollouts::Histories histories;
    std::vector<double> gradient, d_told, d_inputs;
  };
  std::vector<Block> blocks_;
};

}  // namespace hartline::design
