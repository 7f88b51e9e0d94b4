// Scores of a pool under a Gaussian belief whose stimuli reach one response each.
#pragma once

#include <memory>

#include "design/gaussian_utility.hpp"
#include "design/pool_scorer.hpp"
#include "design/second_form.hpp"
#include "design/stimulus_set.hpp"

namespace hartline {
class Executor;
}

namespace hartline::design {

/// Keeps mean and variance of ρ for every member and lets them follow the rank-one changes of the belief: one product with the pool
/// for each instead of a quadratic form. They are formed anew every `refresh_every` updates, so that rounding cannot build up
/// (design_test.cpp: PoolDesign.FollowedProjectionsEqualFreshOnes). Pending steps are added for a choice and not kept
/// (pending_test.cpp: Pending.FollowedProjectionsSeeWhatThePendingBeliefKnows).
/// The second form of a utility is formed anew for each choice: a product with the pool for each target, a quadratic form a member
/// for reductions of variance. A unit of work is 256 members.
std::unique_ptr<PoolScorer> make_linear_scorer(const GaussianUtility& utility, const SecondForm& second, const StimulusSet& set,
                                               Executor& executor);

constexpr std::uint64_t refresh_every = 2048;

}  // namespace hartline::design
