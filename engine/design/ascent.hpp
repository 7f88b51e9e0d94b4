// Ascent: whatever estimates how a score grows with the weights of a network; and the steps that follow from it.
#pragma once

#include <cstdint>
#include <span>

#include "models/trained_network.hpp"

namespace hartline::design {

/// Seam between methods of training.
class Ascent {
 public:
  virtual ~Ascent() = default;
  /// gradient [num_weights] of the score of step `step` (from 1) at these weights; returns the score, nats. Repeatable: same
  /// weights and step, same bytes, at any number of threads.
  virtual double estimate(std::span<const double> weights, std::uint64_t step, std::span<double> gradient) = 0;
};

/// One step of Adam up the gradient; counts the step and adds the score to the curve's. As a policy sharpens, now and then a
/// gradient is many times as long as usual and would undo what was learned: one longer than 1.5 times the root of its running
/// square is shortened to that first.
///
///   m ← .9 m + .1 g    v ← .99 v + .01 g²    w ← w + rate m / (1 - .9^k) / (√(v / (1 - .99^k)) + 1e-8)
///
/// (evolution_test.cpp: Adam.ShortensAGradientThatIsMuchLongerThanUsual)
/// Reference: Kingma & Ba 2015, ICLR
void take_step(models::TrainedNetwork& network, std::span<const double> gradient, double rate, double score);

/// Notes the mean score of the steps since the last note on the curve. Now and then training by derivatives falls off what it has
/// climbed, and does not come back by itself: where the mean is more than half a nat below the best, the weights of the best are
/// taken again, and rates are half of what they were from then on. (evolution_test.cpp: Adam.GoesBackToTheBestAfterAFall)
void note_score(models::TrainedNetwork& network);

/// The rate of a step after a share of the training: start · (1 + cos(π share)) / 2.
double falling_rate(double start, double share);

}  // namespace hartline::design
