// Projection onto a ball, a box, or a ball within a box.
#pragma once

#include <span>

#include "design/stimulus_set.hpp"

namespace hartline::design {

/// Throws SpecError for a set whose power or range is impossible or that holds no stimulus.
void check_set(const StimulusSet& set);

/// Moves x [dim] to the nearest stimulus of a set that is not a pool: argmin |y - x|² over |y|² <= power, low <= y_i <= high.
/// With both, y_i = clip(t x_i) where t in (0, 1] solves |y|² = power; |y| never falls with t, so t is found by bisection and
/// then from the values that are not clipped.
/// Accuracy: never farther than the best of 1e4 random stimuli of the set    (feasible_set_test.cpp: FeasibleSet.TheNearestIsFound)
/// Allocates: nothing.
void project_onto(const StimulusSet& set, std::span<double> x);

}  // namespace hartline::design
