// Members of a pool, or stimuli of a box, under a belief by samples.
#pragma once

#include <memory>

#include "design/design.hpp"
#include "design/pool_scorer.hpp"
#include "design/sample_objective.hpp"

namespace hartline::design {

/// Utilities rest on SampleObjective::num_enough() samples, the same for all members.
std::unique_ptr<PoolScorer> make_sample_scorer(const SampleObjective& objective, const StimulusSet& set, Executor& executor);

/// Stimuli between two ends or at levels of their own, in every coordinate: the best of quasi-random stimuli and of neighbours of
/// the last ones, the most promising of which climb by projected gradients (without a gradient: by trial steps). Coordinates with
/// levels stay where the start had them while the others climb. A unit of work is one utility.
/// Accuracy: within 1e-3 nats of a fine grid in one and two dimensions    (sample_search_test.cpp:
/// SampleSearch.FindsTheBestOfAGrid) Repeatable: same belief, trial and units give the same bytes, at any number of threads.
/// Reference: Barzilai & Borwein 1988, IMA Journal of Numerical Analysis 8:141; Roberts 2018 for the sequence R_d
std::unique_ptr<Design> make_sample_search(const DesignSpec& spec, const SampleObjective& objective, const StimulusSet& set,
                                           std::uint64_t seed, Executor& executor);

}  // namespace hartline::design
