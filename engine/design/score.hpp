// Scores: how much a policy learned, judged from the logged stimuli and responses alone.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/text_likelihood.hpp"

namespace hartline {
class Executor;
}

namespace hartline::design {

/// Stimuli and responses of one simulated experiment, and the parameters that answered.
struct ScoredHistory {
  std::vector<double> truth;             // [num_parameters]
  std::vector<double> stimuli;           // [num_trials, stimulus_dim]
  std::vector<models::Datum> responses;  // [num_trials, num_responses]; what is not a number is missing
  std::uint64_t seed = 1;                // of the contrasts
};

/// Bounds on the information that a history gave about the parameters, nats:
///
///   spce = log p(h | θ₀) - log 1/(L+1) Σ_{l=0..L} p(h | θ_l)    a lower bound in the mean, at most log(L + 1)
///   snmc = log p(h | θ₀) - log 1/L Σ_{l=1..L} p(h | θ_l)        an upper bound in the mean
///
/// θ₀ the truth, θ_1 … θ_L drawn from the prior. The laws of the stimuli cancel, so any policy can be scored.
/// (score_test.cpp: Score.BoundsTheInformationOfALinearModel)
/// Reference: Foster, Ivanova, Malik & Rainforth 2021, ICML, PMLR 139:3384
struct Score {
  double spce = 0, snmc = 0;
  double log_likelihood = 0;  // log p(h | θ₀)
};

/// Throws: RunError for a truth under which the history is impossible.
Score score(const models::TextLikelihood& likelihood, const ScoredHistory& history, std::size_t num_contrasts, Executor& executor);

}  // namespace hartline::design
