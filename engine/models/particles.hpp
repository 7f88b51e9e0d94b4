// Belief by particles, for any model written as text: weighted sets of parameters that move.
#pragma once

#include "models/text_model.hpp"

namespace hartline::models {

/// How the particles are kept.
struct ParticleSettings {
  std::size_t num = 5000;
  double min_effective = 0.5;        // share of effective particles below which they are drawn anew
  std::size_t num_moves = 8;         // moves that each particle is owed when they are drawn anew
  double max_evaluations = 2000000;  // of the likelihood of one response, that moves may take in one trial
};

/// How well the particles stand for the posterior.
struct ParticleHealth {
  double effective = 0;        // 1 / Σ w²
  std::size_t num_unique = 0;  // sets that differ
  double acceptance = 1;       // share of the last moves that were accepted
  std::size_t num_stages = 0;  // in which the last response was taken in; 0: particles were only weighted
  double num_owed = 0;         // moves still owed
  double num_evaluations = 0;  // of the likelihood of one response, by the last moves
  bool thin = false;           // too few sets differ, or none moves: what is believed is no longer to be trusted
};

struct ParticleBelief final : SampleBelief {
  std::unique_ptr<Belief> fork() const override { return std::make_unique<ParticleBelief>(*this); }
  void replace_by(const Belief& other) override { *this = dynamic_cast<const ParticleBelief&>(other); }
  std::uint64_t digest() const override;

  std::vector<double> log_likelihood;  // [num] of everything before the last response
  std::vector<double> latest;          // [num] of the last response
  TextHistory history;
  std::vector<double> old_scores;        // [num_parameters, num] scratch: what proposals are made of
  std::vector<std::uint32_t> ancestors;  // [num] scratch
  std::size_t next = 0;                  // particle that moves next
  std::uint64_t num_sweeps = 0;          // for the streams
  ParticleHealth health;
};

/// Sequential Monte Carlo on the normal scores z of the parameters, z ~ N(0, I) under the prior.
///
///   weighting    w_i ∝ w_i p(r | x, θ_i)
///   drawing anew where fewer than min_effective · num particles are effective: the response is taken in by stages,
///                p(r | x, θ)^β with β up to 1, each of which keeps that many, followed by systematic resampling
///   moving       z_i' = z_i + γ (z_a - z_b) + noise, γ = 2.38 / √(2d), every tenth time 1 to change between modes; accepted with
///                the Metropolis ratio of the whole history
///
/// A trial's moves cost at most max_evaluations; what is owed beyond is paid in the trials that follow.
/// (particles_test.cpp: Particles.CostDoesNotGrowWithTheTrials, Particles.AgreeWithAnExactPosterior)
/// Evidence: log of the mean likelihood of each stage.    (particles_test.cpp: Particles.EvidenceAgreesWithAGrid)
/// Repeatable: same seed, same bytes, at any number of threads.
/// Reference: Chopin 2002, Biometrika 89:539; ter Braak 2006, Statistics and Computing 16:239
class ParticleModel final : public TextModel {
 public:
  ParticleModel(std::shared_ptr<const EncodingText> text, const ParticleSettings& settings, std::uint64_t seed, Executor& executor);

  std::unique_ptr<Belief> prior() const override;
  Update update(Belief& belief, std::span<const double> stimulus, const Response& response, double elapsed_s) const override;

 private:
  double take(ParticleBelief& belief) const;
  void draw_anew(ParticleBelief& belief) const;
  double pay(ParticleBelief& belief, double budget, double power) const;
  void move(ParticleBelief& belief, std::size_t first, std::size_t count, double power, std::size_t& accepted) const;

  ParticleSettings settings_;
  std::uint64_t seed_;
};

}  // namespace hartline::models
