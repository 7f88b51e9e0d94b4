// The best stimulus of a ball, a box, or a ball within a range.
#pragma once

#include <memory>

#include "design/design.hpp"
#include "design/gaussian_utility.hpp"
#include "design/random_law.hpp"
#include "design/second_form.hpp"

namespace hartline::design {

/// For Gaussian beliefs. A plain ball whose stimuli reach one response is searched along the curve of its optima (BallSearch),
/// every other set by gradients (GradientSearch). With probability `explore` the stimulus is a draw from the random law. Throws:
/// SpecError for `search` that does not fit.
std::unique_ptr<Design> make_continuous_design(const DesignSpec& spec, const GaussianUtility& utility, const SecondForm& second,
                                               const StimulusSet& set, const models::GaussianView& prior, std::uint64_t seed);

/// Draws by the law of the spec, or a pool in its order or at random; looks at no belief.
std::unique_ptr<Design> make_blind_design(const DesignSpec& spec, const StimulusSet& set, std::uint64_t seed);

}  // namespace hartline::design
