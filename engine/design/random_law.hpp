// Random stimuli by a stated law.
#pragma once

#include <optional>
#include <span>

#include "base/random.hpp"
#include "design/design_spec.hpp"
#include "design/stimulus_set.hpp"

namespace hartline::design {

/// The `law` of a design over a set that is not a pool:
///
///   sphere    uniform on |x|² = power; in a ball_in_box the stimulus of the set that is nearest to such a draw
///   gaussian  independent N(0, law_sd²), in a box those draws that lie in it
///   box       uniform: between the set's own ends or over its levels in a box, between low and high in a ball
///
/// (design_test.cpp: RandomDesign.FollowsItsStatedLaw)
class RandomLaw {
 public:
  /// Throws: SpecError for a law that does not fit the set; a pool has only the law pool.
  RandomLaw(const DesignSpec& spec, const StimulusSet& set);

  /// Fills x [dim]. Allocates: nothing.
  void draw(Stream& stream, std::span<double> x) const;

  /// What a trial that explores draws its stimulus from; none for the trials, a share of 1 - `share`, that do not.
  static std::optional<Stream> exploration(double share, std::uint64_t seed, std::uint64_t trial) {
    if (!(share > 0)) return {};
    Stream stream(seed, Purpose::design, trial, 1);
    if (stream.uniform() < share) return stream;
    return {};
  }

 private:
  enum class Law { sphere, gaussian, box, pool };
  Law law_;
  double sd_, low_, high_;
  const StimulusSet& set_;
};

}  // namespace hartline::design
