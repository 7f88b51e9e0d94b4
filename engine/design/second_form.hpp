// The second quadratic form of a utility: what ρ tells about something other than itself.
#pragma once

#include <span>
#include <vector>

#include "design/design_spec.hpp"
#include "design/stimulus_set.hpp"
#include "models/model.hpp"

namespace hartline::design {

/// W_jk = s_jᵀ B s_k for predictors with the rows s and g = C s:
///
///   parameter_variance  B = C C           the trace of the covariance is what is to fall
///   prediction_error    B = C M C         M = E[s sᵀ], so that tr(M C) is the mean variance of ρ over stimuli
///   target              B = C - C Aᵀ (A C Aᵀ)⁻¹ A C    the covariance once Aθ is known
///
/// Tested in gaussian_pool_test.cpp: Utilities.AgreeWithBruteForce
class SecondForm {
 public:
  /// None, for utilities that need no second form.
  SecondForm() = default;
  /// Throws: SpecError for a target or a second moment that does not fit the parameters.
  SecondForm(const DesignSpec& spec, const StimulusSet& set, const models::GaussianView& prior,
             std::span<const std::string> parameter_names, std::uint64_t seed);

  bool needed() const { return kind_ != Kind::none; }
  bool is_target() const { return kind_ == Kind::target; }
  std::size_t num_targets() const { return dim_ ? rows_.size() / dim_ : 0; }

  /// What all stimuli share under one belief: z_k with C Aᵀ (A C Aᵀ)⁻¹ A C = Σ_k z_k z_kᵀ.
  struct Shared {
    std::vector<double> z;       // [num_targets, dim]
    std::vector<double> factor;  // [num_targets, num_targets]
  };
  /// Allocates: nothing after the first call. Throws: RunError where the target is known already.
  void prepare(const models::GaussianView& view, Shared& shared) const;

  /// q of a row, with W_jk = q_jᵀ (is_target() ? s_k : g_k).
  void image(const Shared& shared, const double* s, const double* g, double* q) const;

  /// B s from q.
  void whole(const models::GaussianView& view, const double* q, double* h) const;

 private:
  enum class Kind { none, trace, moment, target };
  Kind kind_ = Kind::none;
  std::size_t dim_ = 0;
  std::vector<double> rows_;  // target: A [num_targets, dim]
  std::vector<double> m_;     // moment: M [dim, dim]
};

/// E[s sᵀ] [dim, dim] of the predictor's inputs over stimuli of the pool or of the random law, as `average_over` says. With a
/// reach: in a long sequence of independent stimuli (trials that are isolated: within one), with earlier responses at 0.
std::vector<double> second_moment(const DesignSpec& spec, const StimulusSet& set, const models::GaussianView& prior,
                                  std::uint64_t seed);

}  // namespace hartline::design
