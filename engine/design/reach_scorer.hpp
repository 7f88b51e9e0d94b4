// Scores of a pool under a Gaussian belief whose stimuli reach several responses each.
#pragma once

#include <memory>

#include "design/joint_utility.hpp"
#include "design/pool_scorer.hpp"
#include "design/second_form.hpp"
#include "design/stimulus_set.hpp"

namespace hartline {
class Executor;
}

namespace hartline::design {

/// Row j of member i is s_ij = f_j + p_ij: f what was there before (Reach::fixed), p the member's frames placed by lag. Keeps
///
///   m_ij = p_ij·mean   and   V_i,jk = p_ijᵀ C p_ik
///
/// and lets them follow the rank-one changes of the belief by p_ij·g. What is due to f changes from trial to trial and is added for
/// each choice: one product C f_j a row, and its products with the pool. With d weights, L rows and N members
/// O(L d² + N L² frame_dim) a trial instead of N L d². Formed anew every `refresh_every` updates.
/// Accuracy: 1e-9 of projections formed anew    (reach_pool_test.cpp: ReachPool.FollowedProjectionsEqualFreshOnes)
///
/// `current_bin`: the utility of the first row alone; the expected count is the largest over all rows either way. Second forms are
/// formed anew for each choice, a product with C for each row. A unit of work is 64 members.
std::unique_ptr<PoolScorer> make_reach_scorer(const JointUtility& utility, const SecondForm& second, bool current_bin,
                                              const StimulusSet& set, const models::Reach& shape, Executor& executor);

}  // namespace hartline::design
