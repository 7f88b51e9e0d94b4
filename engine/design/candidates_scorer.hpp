// Scores of a pool under a belief over which of several models is right.
#pragma once

#include <memory>

#include "design/pool_scorer.hpp"
#include "design/stimulus_set.hpp"

namespace hartline {
class Executor;
}

namespace hartline::design {

/// Information about the model by one response, with the models' posterior probabilities w and predictive laws p_m:
///
///   I(model; r | x) = Σ_m w_m Σ_r p_m(r | x) log(p_m(r | x) / Σ_n w_n p_n(r | x))
///
/// A linear model's p_m(r | x) = ∫ p(r | ρ) N(ρ; m, v) dρ by the trapezoidal rule, for counts up to a bound that leaves less than
/// 1e-9 of the probability; a grid's from its tables, over the outlook where responses are pending. Accuracy: 1e-8
/// (candidates_scorer_test.cpp: ModelInformation.AgreesWithBruteForce) A unit of work is 8 stimuli. Throws: SpecError for a
/// candidate that looks back, that answers with a trace, or whose belief has no predictive law here; RunError while choosing where
/// counts beyond 20000 are expected.
std::unique_ptr<PoolScorer> make_candidates_scorer(const StimulusSet& set, const models::CandidatesView& prior, Executor& executor);

}  // namespace hartline::design
