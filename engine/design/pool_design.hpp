// The best member of a finite pool.
#pragma once

#include <memory>

#include "design/design.hpp"
#include "design/utility.hpp"

namespace hartline::design {

/// For Gaussian beliefs. Keeps mean and variance of ρ for every member and lets them follow the rank-one changes of the belief:
/// one product with the pool a trial instead of a quadratic form each. They are formed anew every `refresh_every` updates, so
/// that rounding cannot build up    (design_test.cpp: PoolDesign.FollowedProjectionsEqualFreshOnes)
/// Unit of work: a block of 256 members. Ties of equal utility go to the member that the seed prefers.
std::unique_ptr<Design> make_linear_pool_design(LinearUtility utility, const StimulusSet& set, std::uint64_t seed,
                                                Executor& executor);

constexpr std::uint64_t refresh_every = 2048;

/// For beliefs on a grid: the mutual information between outcome and parameters,
///
///   I(x) = h(Σ_θ b_θ p(· | x, θ)) - Σ_θ b_θ h(p(· | x, θ)),
///
/// or the variance over the belief of the expected response. Unit of work: 8 stimuli.
/// Reference: Watson 2017, Journal of Vision 17(3):10
std::unique_ptr<Design> make_discrete_pool_design(Utility utility, const StimulusSet& set, std::uint64_t seed, Executor& executor);

}  // namespace hartline::design
