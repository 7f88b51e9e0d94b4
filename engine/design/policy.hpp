// Policies: networks that were trained to choose the next stimulus from the trials so far.
#pragma once

#include <memory>

#include "design/design.hpp"
#include "models/encoding_text.hpp"
#include "models/trained_network.hpp"

namespace hartline::design {

/// Where a network's numbers o lie among a text's stimuli:
///
///   x_i = middle_i + range_i sin(o_i)
///
/// so that a network that has gone too far comes back: the sine has a slope beyond its ends, where a saturating function has none.
/// A variable with given values takes the one nearest to x_i (of two as near, the lower); so a pool's member is the nearest in every
/// variable.
class StimulusRule {
 public:
  explicit StimulusRule(const models::EncodingText& text);

  /// The stimulus [dim] for o [dim]; returns the pool's member, -1 where the stimuli are no pool.
  std::int64_t operator()(const double* o, std::size_t stride, std::span<double> x) const;

  std::size_t dim() const { return middle_.size(); }
  /// [dim] middle and half of the range of every value.
  const std::vector<double>& middle() const { return middle_; }
  const std::vector<double>& range() const { return range_; }
  /// Any of the stimuli: uniform in the box, each value as likely.
  void draw(Stream& stream, std::span<double> x) const;

 private:
  struct Level {
    double value = 0;
    std::size_t place = 0;  // among the values as they were written
  };
  std::vector<double> middle_, range_;
  std::vector<std::vector<Level>> levels_;  // [dim] ascending; empty: any number of the range
  bool pool_ = true;
};

/// Chooses by a trained network; looks at no belief. A trial of which nothing came back (missing, blanked, or still to come) is left
/// out where the order of trials does not matter, and else read with its responses at their means; a censored response is read as
/// its bound. (policy_test.cpp: Policy.LeavesOutWhatIsMissing, Policy.DoesNotDependOnTheOrderOfTrials)
/// Takes: less than a millisecond (policy_test.cpp: Policy.ChoosesWithinAMillisecond)
std::unique_ptr<Design> make_policy_design(std::shared_ptr<const models::TrainedNetwork> network, const models::EncodingText& text,
                                           const DesignSpec& spec, const StimulusSet& set);

}  // namespace hartline::design
