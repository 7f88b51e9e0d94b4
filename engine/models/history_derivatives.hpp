// log p(history | parameters) of a text with its first and second derivatives by the parameters.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "models/law_tail.hpp"
#include "models/text_history.hpp"
#include "models/text_likelihood.hpp"

namespace hartline::models {

/// Σ_t Σ_j log p(r_tj | x_t, θ, s_t), exact in all that the text says: what is missing is left out, what is censored enters by its
/// tail (by tail_nodes), and states are carried on with their derivatives by the parameters,
///
///   s_{t+1} = f(x_t, r_t, θ, s_t)      ∂s_{t+1}/∂θ = f_θ + f_s ∂s_t/∂θ      and the same once more,
///
/// also through the responses that a state was given for lost ones. Trials without states are worked out side by side.
/// (history_derivatives_test.cpp: HistoryDerivatives.AreThoseOfTheLikelihood)
/// Constant, shared by threads.
class HistoryDerivatives {
 public:
  /// Throws: SpecError for functions without second derivatives and for censored angles.
  explicit HistoryDerivatives(const TextLikelihood& likelihood);

  /// Of one set of parameters [d]: sets gradient [d] and hessian [d, d], returns the value, -∞ for an impossible history.
  double operator()(const TextHistory& history, std::span<const double> parameters, std::span<double> gradient,
                    std::span<double> hessian) const;

 private:
  struct Work;
  void add_alike(const TextHistory& history, std::size_t response_idx, Work& work) const;
  void add_one(std::size_t response_idx, const double* stimulus, Datum response, Work& work) const;
  void carry(const equations::Kernel& kernel, const double* stimulus, std::span<const Datum> answers, Work& work) const;
  void set_inputs(Work& work, const double* stimulus, std::size_t lane_stride) const;

  const TextLikelihood& likelihood_;
  std::vector<std::uint32_t> given_, answered_, lost_, states_;  // symbols
  std::size_t num_symbols_ = 0;
  std::size_t num_variables_ = 0;  // parameters and states
  // of log p of each response, of the states' start and of their next values: the value, and its derivatives by the variables
  std::vector<std::shared_ptr<const equations::Kernel>> density_;
  std::shared_ptr<const equations::Kernel> start_, next_;
};

}  // namespace hartline::models
