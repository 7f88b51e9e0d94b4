// The best member of a finite pool for many cells at once.
#pragma once

#include <memory>

#include "design/design.hpp"
#include "design/design_spec.hpp"
#include "models/population.hpp"

namespace hartline::design {

/// For beliefs about a population (PopulationView). With U_c the utility of the stimulus for cell c alone, over the cells that are
/// present,
///
///   sum         Σ_c U_c(m_c, v_c)
///   weighted    Σ_c w_c U_c(m_c, v_c)
///   worst       min_c U_c(m_c, v_c)
///   with a shared gain of variance s²: the information of all cells' responses together,
///               Σ_c ½ log(1 + D_c v_c) + ½ log(1 + s² Σ_c D_c/(1 + D_c v_c)) - ½ log(1 + s² Σ_c D_c),
///               log(1 + D_c v_c) = E log(1 + J(η) v_c), η ~ N(m_c, v_c + s²);
///               what errors of different cells have in common (K of models/population.hpp) is not seen by it
///   (population_pool_test.cpp: PopulationPool.SharedGainUtilityEqualsTheDenseDeterminant)
///
/// Variance v = xᵀCx and mean m = x·mean of every (stimulus, cell) pair are kept in single precision, 8 bytes a pair, and follow
/// the rank-one changes of the beliefs, v ← v - shrink (x·g)², m ← m + mean_step x·g: one product a step for both. One pass over
/// the pool a trial does that and adds up the utility. In every trial one tile of 64 stimuli in 2,048 is formed anew from means and
/// covariances in double precision, so that rounding cannot build up. Utilities are off by 1e-4 of themselves at most before that,
/// where v has fallen a few hundredfold, by 2e-5 in the first 300 trials; nearly all of it is v's
/// (population_pool_test.cpp: PopulationPool.FollowedMeansAndVariancesEqualFreshOnes). Cells that come back, and all after a refit,
/// are projected anew: a quadratic form for every pair instead of a product.
///
/// laplace_information of exp counts goes through single-precision kernels (population_kernels.hpp); the best dozen of those within
/// their error of the best are worked out again in double, and the best of these is taken. Other laws and utilities go through
/// LinearUtility for every pair, in double precision and far slower.
/// Unit of work: a tile of 64 members with all cells. Ties of equal utility go to the member that the seed prefers.
/// Allocates: nothing after the first calls    (population_allocation_test.cpp:
/// PopulationPool.DoesNotAllocateAfterTheFirstTrials)
/// Throws: SpecError for a model that looks back or more than max_pool_bytes.
std::unique_ptr<Design> make_population_pool_design(const DesignSpec& spec, const models::Population& model, const StimulusSet& set,
                                                    std::uint64_t seed, Executor& executor);

constexpr double max_pool_bytes = 16e9;

}  // namespace hartline::design
