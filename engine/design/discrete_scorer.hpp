// Scores of a pool under a belief on a finite set of nodes.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "design/design_spec.hpp"
#include "design/pool_scorer.hpp"
#include "design/stimulus_set.hpp"

namespace hartline {
class Executor;
}

namespace hartline::design {

/// For beliefs b on nodes θ, with outcomes y of a stimulus x:
///
///   mutual_information   h(Σ_θ b_θ p(· | x, θ)) - Σ_θ b_θ h(p(· | x, θ))
///   posterior_variance   Var_b[f(x)], f(x) = E[response | x, θ]
///   parameter_variance   Σ_k (Var[θ_k] - E_y Var[θ_k | y])
///   prediction_error     mean over the pool's x' of Var[f(x')] - E_y Var[f(x') | y]
///   target               I(θ_target; y), the other parameters averaged over
///   expected_response    E_b[f(x)]
///   upper_confidence     E_b[f(x)] + κ SD_b[f(x)]
///
/// each by enumeration of the outcomes    (discrete_scorer_test.cpp: DiscreteUtilities.AgreeWithBruteForce). Where responses are
/// pending, the mean over the outlook's beliefs. A unit of work is 8 stimuli.
/// Throws: SpecError for a utility or a target that such a belief does not have.
/// Reference: Watson 2017, Journal of Vision 17(3):10
std::unique_ptr<PoolScorer> make_discrete_scorer(const DesignSpec& spec, const StimulusSet& set, const models::DiscreteView& prior,
                                                 std::span<const std::string> parameter_names, Executor& executor);

}  // namespace hartline::design
