// What the response to one stimulus tells about parameters of which there are weighted samples.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "models/text_law.hpp"
#include "numerics/mixture_entropy.hpp"

namespace hartline::design {

/// I(θ; r) = H(Σ_i w_i p(r | θ_i)) - Σ_i w_i H(p(r | θ_i)), nats, with its derivatives by the arguments of each sample's law.
///
///   choices             by enumeration
///   poisson             by enumeration; above 16 expected counts the samples are spread over nodes of 2√λ, from 2,048 on they
///                       are N(λ, λ)
///   normal, lognormal   by the trapezoidal rule: samples are spread over nodes of the mean, and over a few of the sd where it
///                       differs; where they spread too far for that by numerics::MixtureEntropy
///   negative_binomial, and mixtures of it and poisson laws
///                       at every count up to some hundred, then at nodes a quarter of the least sd apart
///   mixtures of normal or lognormal laws
///                       by numerics::MixtureEntropy
///   others              by nested Monte Carlo over `num_nested` samples, or `num_nested_near` where these nearly tell all that
///                       they can: biased down, at most the logarithm of their number; no derivatives
///
///   several responses   choices of at most `max_joint` combinations by enumeration; else by nested Monte Carlo
///
/// Samples are spread by cubic weights, which keep their first three moments; derivatives are those of the sums that are formed.
/// Poisson, normal and lognormal laws are taken however wide or narrow
/// (sample_information_test.cpp: SampleInformation.NoSpreadIsTooWide)
/// Accuracy: choices 1e-12, poisson, binomial and mixtures 1e-4, normal 1e-4 where the sd is the same and 3e-3 where it differs,
/// of max(I, 0.1)
/// (sample_information_test.cpp: SampleInformation.EqualsQuadrature, SampleInformation.OfMixturesEqualsQuadrature)
/// Nested: as `standard_error` says
/// (sample_information_test.cpp: SampleInformation.NestedErrorsAreAsStated)
class SampleInformation {
 public:
  struct Scratch {
    std::vector<double> p, log_p, column, weight, sums;  // by outcome or bin
    std::vector<double> features, means;                 // [num_features, num_nested], [2, num_features]
    std::vector<std::size_t> picked, large;              // samples that were drawn; laws of many counts
    std::vector<double> normals, density;                // of these [6, num]; of all of them at every count
    numerics::MixtureEntropy mixture;
    double standard_error = 0;  // of the last value that was drawn for, nats; else 0
    double limit = 0;           // that it cannot exceed whatever a response tells, nats; of other rules infinity
  };

  static constexpr std::size_t num_nested = 256, num_nested_near = 1024, num_clipped = 512, max_joint = 256, max_parts = 16;

  /// The laws of the responses of a trial, with their arguments among all; those of a choice are its probabilities.
  explicit SampleInformation(std::span<const models::LawPart> laws);

  bool has_slopes() const;
  /// Values that are not exact, and tell their error.
  bool is_drawn() const { return rule_ == Rule::nested || rule_ == Rule::clipped || rule_ == Rule::binomial; }

  /// `arguments` [num_arguments, stride], of which the first weights.size() of every row count. `slopes` of the same shape is set
  /// to the derivatives of the information, or null. `divergences` [weights.size()] is set to KL(p(r | θ_i) || p(r)), or null: the
  /// derivative by a weight of W I(θ; r) where the weights sum to W; laws without slopes have none. Weights sum to one. Repeatable.
  /// Throws: RunError for arguments that the law cannot have.
  double operator()(std::span<const double> weights, const double* arguments, std::size_t stride, Scratch& scratch, double* slopes,
                    double* divergences = nullptr) const;

  /// Σ_k Var_r[E(φ_k | r)], the fall of the variances of features [num_features, stride] that is expected: of choices by
  /// enumeration, of others over the responses of `num_nested` samples (sample_information_test.cpp:
  /// SampleInformation.FallOfVariances)
  double expected_fall(std::span<const double> weights, const double* arguments, const double* features, std::size_t num_features,
                       std::size_t stride, Scratch& scratch) const;

 private:
  double of_choice(std::span<const double> w, const double* p, std::size_t stride, double* slopes, double* divergences) const;
  double of_choices(std::span<const double> w, const double* p, std::size_t stride, Scratch& s) const;
  static void make_count_nodes();
  double of_poisson(std::span<const double> w, const double* rate, Scratch& s, double* slopes, double* divergences) const;
  double of_few_counts(std::span<const double> w, const double* rate, double top, Scratch& s, double* slopes,
                       double* divergences) const;
  double of_counts(std::span<const double> w, const double* rate, Scratch& s, double* slopes, double* divergences) const;
  double add_large_counts(std::span<const double> w, const double* rate, Scratch& s, double& conditional) const;
  void set_large_slopes(std::span<const double> w, const double* rate, Scratch& s, double* slopes, double* divergences) const;
  double of_normal(std::span<const double> w, const double* mean, const double* sd, Scratch& s, double* mean_slopes,
                   double* sd_slopes, double* divergences) const;
  double of_scattered_normals(std::span<const double> w, const double* mean, const double* sd, Scratch& s, double* mean_slopes,
                              double* sd_slopes, double* divergences) const;
  double of_binomial(std::span<const double> w, const double* n, const double* p, Scratch& s) const;
  double of_any_counts(std::span<const double> w, const double* arguments, std::size_t stride, Scratch& s) const;
  double of_normal_mixtures(std::span<const double> w, const double* arguments, std::size_t stride, Scratch& s) const;
  double of_clipped(std::span<const double> w, const double* arguments, std::size_t stride, Scratch& s) const;
  double nested(std::span<const double> w, const double* arguments, std::size_t stride, Scratch& s) const;
  template <class Use>
  double over_drawn(std::span<const double> w, const double* arguments, std::size_t stride, std::size_t num_drawn, Scratch& s,
                    const Use& use) const;
  void join_choices(std::span<const double> w, const double* p, std::size_t stride, std::size_t joint,
                    std::vector<double>& out) const;

  void check_arguments(std::span<const double> w, const double* arguments, std::size_t stride) const;
  std::vector<models::LawPart> parts_of_law() const;

  enum class Rule { choice, choices, poisson, normal, binomial, any_counts, normal_mixtures, clipped, nested };
  Rule find_rule() const;

  std::vector<models::LawPart> laws_;
  const models::TextLaw& law_;  // the first, and where there is one only, that
  std::size_t num_arguments_ = 0;
  std::vector<models::LawPart> parts_;  // of that: itself, or those that it mixes
  Rule rule_;
  std::size_t num_joint_ = 1;  // combinations of choices; 0: not enumerated
};

}  // namespace hartline::design
