// Tuning function with a Gaussian process prior: counts whose rate is a smooth function of the stimulus.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/describe.hpp"
#include "models/model.hpp"

namespace hartline::models {

/// The `model` table of kind gaussian_process.
struct GaussianProcessSpec {
  std::string kind = "gaussian_process";
  std::string response = "poisson";
  std::string link = "exp";
  double bin_ms = 1000;
  double overdispersion = 0;
  double mean = 0;
  double variance = 1;
  std::vector<double> length = {1};

  template <class Field>
  static void describe(Field&& field) {
    field("kind", &GaussianProcessSpec::kind, "", one_of({"gaussian_process"}),
          "E[r] = f(φ(x)), φ a Gaussian process over the stimuli");
    field("response", &GaussianProcessSpec::response, "", one_of({"poisson", "negative_binomial"}), "law of the response");
    field("link", &GaussianProcessSpec::link, "", one_of({"exp", "softplus"}), "f; a rate in Hz");
    field("bin_ms", &GaussianProcessSpec::bin_ms, "ms", positive(), "bin in which spikes are counted");
    field("overdispersion", &GaussianProcessSpec::overdispersion, "", non_negative(),
          "α of a negative_binomial count: variance μ + α μ² around the mean μ");
    field("mean", &GaussianProcessSpec::mean, "", any(), "prior mean of φ");
    field("variance", &GaussianProcessSpec::variance, "", positive(), "prior variance of φ");
    field("length", &GaussianProcessSpec::length, "", positive(),
          "distance over which φ changes, in the stimulus' unit: one number, or one for each dimension");
  }
};

/// The `belief` table of a gaussian_process.
struct GaussianProcessBeliefSpec {
  bool fit = false;
  std::int64_t refine_every = 0;
  std::int64_t refine_lag = 10;
  bool refine_at_end = true;

  template <class Field>
  static void describe(Field&& field) {
    field("fit", &GaussianProcessBeliefSpec::fit, "", any(),
          "whether a refit fits mean, variance and length, with the model's as the centre of their prior");
    field("refine_every", &GaussianProcessBeliefSpec::refine_every, "trials", non_negative(),
          "refit on the whole history after every so many trials, beside the ring; 0: never");
    field("refine_lag", &GaussianProcessBeliefSpec::refine_lag, "trials", at_least(1),
          "a refit begun at trial t is taken over at trial t + refine_lag");
    field("refine_at_end", &GaussianProcessBeliefSpec::refine_at_end, "", any(), "refit on the whole history when the run ends");
  }
};

/// Hyper-parameters of the process: K(x, y) = variance exp(-½ Σ_d (x_d - y_d)²/length_d²).
struct SmoothPrior {
  double mean = 0, variance = 1;
  std::vector<double> length;  // [n], in the stimulus' unit
  double covariance(const double* x, const double* y) const;
};

/// φ at the places visited, and what follows for the members of the pool.
struct GaussianProcessBelief final : Belief {
  GaussianProcessBelief(std::size_t num, std::size_t dim, std::size_t max_visited);
  GaussianProcessBelief(const GaussianProcessBelief& other);
  GaussianProcessBelief& operator=(const GaussianProcessBelief&) = default;
  std::unique_ptr<Belief> fork() const override { return std::make_unique<GaussianProcessBelief>(*this); }
  void replace_by(const Belief& other) override;
  std::uint64_t digest() const override;
  /// Makes room for so many visited places.
  void reserve(std::size_t max_visited);

  std::size_t num = 0, dim = 0, max_visited = 0;
  SmoothPrior prior;                                   // hyper-parameters, fitted ones included
  std::shared_ptr<const std::vector<double>> members;  // K of the pool, [num, num]; null for large pools

  // Responses, repeats folded: for counts Σ log p(r_i | φ) = n log p(r̄ | φ) + offset.
  std::size_t num_visited = 0;
  std::vector<double> places;                // [num_visited, dim]
  std::vector<double> total, count, offset;  // [num_visited] Σ r, n, and the sum of what does not depend on φ
  std::vector<std::uint32_t> censored_at;    // visited place of each censored response
  std::vector<double> censored;              // its lower bound

  std::vector<double> among;      // K of the places visited, its lower half row by row
  std::vector<double> a;          // [num_visited] φ = mean + K a, at the mode a = ∂ log p(responses)/∂φ
  std::vector<double> phi;        // [num_visited] the mode
  std::vector<double> root_info;  // [num_visited] W^½
  std::vector<double> lower;      // [num_visited, num_visited] L of I + W^½ K W^½ = L Lᵀ
  double laplace_evidence = 0;    // log p(all responses | hyper-parameters), by Laplace, nats

  std::vector<double> columns;         // [num_visited, num] K between visited places and members
  std::vector<double> root;            // [num_visited, num] V = L⁻¹ W^½ columns
  std::vector<double> mean, variance;  // [num] of φ
  Prediction prediction;               // of the last response
  std::uint64_t version = 0;

  std::vector<double> slope, info, step, moved, trial_a, trial_phi, a_before;  // [num_visited] scratch
  std::vector<double> panel, squares;                                          // scratch of V
};

/// φ ~ GP(mean, K), r ~ Poisson(f(φ(x)) Δ) or over-dispersed; belief about φ at the members of a pool by Laplace's approximation at
/// the places visited v, which need not be members: a stimulus is taken at its own place, nothing is moved to the nearest one.
///
///   φ̂ = argmax Σ_i log p(r_i | φ_i) - ½ (φ - mean)ᵀ K⁻¹ (φ - mean)      W_i = -∂² log p / ∂φ_i²
///   I + W^½ K W^½ = L Lᵀ,   V = L⁻¹ W^½ K_v*,   mean_* = mean + K_*v a,   covariance_** = K_** - Vᵀ V
///   log p(all r) ≈ Σ log p(r_i | φ̂_i) - ½ aᵀ(φ̂ - mean) - log det L,   a = K⁻¹(φ̂ - mean) = ∂ log p(r | φ̂)/∂φ
///
/// K is never inverted, so that it may be singular. Newton begins at the last mode, moved at the new place to the mode under the
/// one new response. A trial costs O(v³ + v² num), of which the second term is V.
///
/// A pending response is taken to be its mean at the mode: the mode stays and the variance falls. A censored one enters through its
/// tail probability. Variances below rounding are given as 1e-14 of the prior's.
/// Accuracy: trial by trial equals a computation from scratch to 1e-8    (gaussian_process_test.cpp:
/// GaussianProcess.TrialByTrialEqualsFromScratch), which satisfies the equations above to 1e-8    (gaussian_process_test.cpp:
/// GaussianProcess.ModeAndVarianceSolveTheirEquations)
///
/// A refit with `fit` maximises the Laplace evidence times a prior under which log variance and each log length are normal around
/// the model's with standard deviation 1.5, and the mean with 2 prior standard deviations of φ; by simplex search from the model's
/// and the present values and from lengths two times shorter. Lengths that the model gives alike are fitted as one.
///
/// Reference: Rasmussen & Williams 2006, Gaussian Processes for Machine Learning, algorithms 3.1 and 3.2; Pillow & Park 2016, in
/// Closed Loop Neuroscience
class GaussianProcess final : public Model {
 public:
  /// `pool`: [num, dim]. `max_visited`: places for which room is made; more of them allocate.
  /// Throws: SpecError for a pool that is empty or not finite, and for a wrong number of lengths.
  GaussianProcess(const GaussianProcessSpec& spec, const GaussianProcessBeliefSpec& belief, std::vector<double> pool,
                  std::size_t dim, std::size_t max_visited = 0);

  std::unique_ptr<Belief> prior() const override;
  Update update(Belief& belief, std::span<const double> stimulus, const Response& response, double elapsed_s) const override;
  /// Fits hyper-parameters where `fit` says so, and forms the belief from the whole history.
  void refine(Belief& belief, const History& history) const override;
  bool can_refine() const override { return true; }
  void predict(const Belief& belief, std::span<const double> stimuli, std::span<double> mean) const override;
  void summarise(const Belief& belief, std::span<double> mean, std::span<double> sd) const override;
  using Model::sample;
  /// `parameters`: φ at the members. Throws: RunError for a stimulus that is not a member.
  void sample(std::span<const double> parameters, std::span<const double> stimulus, Context& context, Stream& stream,
              std::span<double> response) const override;
  double log_likelihood(std::span<const double> parameters, std::span<const double> stimulus, double response) const override;
  Capability capability(const Belief& belief) const override;

  /// φ at the members under the model's hyper-parameters, [num]. A jitter of 1e-8 of the variance is added to the diagonal of K.
  /// The first draw factors K, O(num³). Throws: SpecError for a pool of more than max_members_whole.
  std::vector<double> draw_truth(Stream& stream) const;

  /// The member at a place, or num_members().
  std::size_t member(std::span<const double> stimulus) const;
  std::size_t num_members() const { return pool_.size() / stimulus_dim; }
  const double* pool_at(std::size_t member_idx) const { return &pool_[member_idx * stimulus_dim]; }
  /// Mean and variance of φ at any place.
  std::pair<double, double> moments(const GaussianProcessBelief& belief, const double* x) const;

  /// Largest pool whose K is kept whole, which the utility mmse needs.
  static constexpr std::size_t max_members_whole = 4096;

  ResponseLaw law;

 private:
  std::size_t visit(GaussianProcessBelief& belief, const double* x) const;
  void leave(GaussianProcessBelief& belief) const;
  void fold(GaussianProcessBelief& belief, std::size_t at, Datum r) const;
  void unfold_into(GaussianProcessBelief& belief, const History& history) const;
  void place_among(GaussianProcessBelief& belief) const;
  double evaluate(GaussianProcessBelief& belief, std::span<const double> phi) const;
  bool settle(GaussianProcessBelief& belief, std::size_t hinted, double hint) const;
  void spread_out(GaussianProcessBelief& belief) const;
  void fit_hyper_parameters(GaussianProcessBelief& belief) const;
  std::shared_ptr<const std::vector<double>> whole(const SmoothPrior& prior) const;

  GaussianProcessBeliefSpec belief_;
  SmoothPrior prior_;
  std::vector<double> pool_;          // [num, dim]
  std::vector<std::uint32_t> order_;  // members, by place
  std::size_t max_visited_;
  std::shared_ptr<const std::vector<double>> members_;
  mutable std::once_flag factored_;
  mutable std::vector<double> factor_;  // of K plus jitter, lower, row by row, [num, num]
};

}  // namespace hartline::models
