// The best member of a finite pool.
#pragma once

#include <memory>

#include "design/design.hpp"
#include "design/pool_scorer.hpp"
#include "design/random_law.hpp"

namespace hartline::design {

/// A design over a pool, for any kind of belief that has a scorer. Compares
///
///   (U(x) - cost(x)) / duration(x)
///
/// over the members that are left, were not shown in the last trial (no_repeat) and are not expected to answer with more than
/// max_expected_count; cost and duration where the spec asks for them. duration: mean of the member's trials so far, of all trials
/// where it has none, 1 s before the first. Where the scorer knows bounds, only members whose upper bound reaches the best lower
/// one are worked out, unless expected counts are needed    (design_test.cpp: PoolDesign.TakesTheMemberWithTheLargestUtility).
/// Ties of equal utility go to the member that the seed prefers. Under a deadline blocks are scanned from another place every
/// trial, so that it does not always cut the same members. With probability `explore` a member is drawn uniformly from those
/// allowed.
/// Throws while choosing: RunError when the pool is exhausted, when no member is allowed (naming the smallest expected count), and
/// when no utility is finite.
std::unique_ptr<Design> make_pool_design(const DesignSpec& spec, std::unique_ptr<PoolScorer> scorer, const StimulusSet& set,
                                         std::uint64_t seed, Executor& executor);

}  // namespace hartline::design
