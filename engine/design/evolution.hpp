// Evolution strategies: a network trained from simulated experiments alone.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "design/ascent.hpp"
#include "design/rollouts.hpp"
#include "design/train_spec.hpp"

namespace hartline {
class Executor;
}

namespace hartline::design {

/// What a pair of neighbours, w + σ e and w - σ e, reached: mean sPCE over the step's rollouts, nats.
struct PairFitness {
  double plus = 0, minus = 0;
};

/// Antithetic evolution strategies on a smoothed score:
///
///   g = 1 / (2 σ K) Σ_k (u(f_k+) - u(f_k-)) e_k,   e_k ~ N(0, I) of the stream {seed, particles, step, k}
///
/// u shapes by rank: the fitnesses of all 2 K neighbours in ascending order become -½ … ½; those that are equal share the mean of
/// their ranks. Pairs are independent of each other and of where they are worked out.
/// Reference: Salimans, Ho, Chen, Sidor & Sutskever 2017, arXiv 1703.03864
class Evolution final : public Ascent {
 public:
  Evolution(const models::TextLikelihood& likelihood, const models::TrainedNetwork& network, const TrainSpec& spec, Executor& executor);

  /// Fitness of pair `pair_idx` of a step (steps count from 1). Repeatable: on any machine of the same build.
  PairFitness fitness(std::span<const double> weights, std::uint64_t step, std::size_t pair_idx) const;
  /// The estimate of the gradient from all pairs of a step, in their order; returns the mean fitness.
  double combine(std::uint64_t step, std::span<const PairFitness> pairs, std::span<double> gradient) const;

  double estimate(std::span<const double> weights, std::uint64_t step, std::span<double> gradient) override;

 private:
  PairFitness fitness(std::span<const double> weights, std::uint64_t step, std::size_t pair_idx, const Contrasts& contrasts) const;
  void perturbation(std::uint64_t step, std::size_t pair_idx, std::span<double> out) const;

  TrainSpec spec_;
  Rollouts rollouts_;
  Executor& executor_;
};

}  // namespace hartline::design
