// Members of a pool under a belief by samples.
#pragma once

#include <memory>

#include "design/pool_scorer.hpp"
#include "design/sample_objective.hpp"

namespace hartline {
class Executor;
}

namespace hartline::design {

/// Utilities rest on SampleObjective::num_enough() samples, the same for all members.
std::unique_ptr<PoolScorer> make_sample_scorer(const SampleObjective& objective, const StimulusSet& set, Executor& executor);

}  // namespace hartline::design
