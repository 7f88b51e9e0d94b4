// Laplace's method, for a text with priors and laws that can be differentiated twice.
#pragma once

#include "models/history_derivatives.hpp"
#include "models/text_model.hpp"

namespace hartline::models {

struct TextLaplaceBelief final : SampleBelief {
  std::unique_ptr<Belief> fork() const override { return std::make_unique<TextLaplaceBelief>(*this); }
  void replace_by(const Belief& other) override { *this = dynamic_cast<const TextLaplaceBelief&>(other); }
  std::uint64_t digest() const override;

  std::vector<double> mode;            // [num_parameters] normal scores
  std::vector<double> covariance;      // [num_parameters, num_parameters] of the normal scores
  std::vector<double> log_likelihood;  // [num] of everything
  TextHistory history;
  double effective = 1;    // share of the samples that is effective, beside that under a normal posterior
  double second_mode = 0;  // probability of the best other mode that was found, beside the first
  bool trusted = true;
};

/// The posterior as a Gaussian in the normal scores z of the parameters, at its mode:
///
///   log p(z | D) = -½ |z|² + Σ_t log p(r_t | x_t, θ(z)) + const
///
/// Newton's method with exact first and second derivatives, from the mode before; from several starts at first and every tenth
/// trial. Samples are the same normal draws, scaled to be somewhat wider and moved, in pairs ±; they are weighted by the posterior
/// beside the Gaussian that they were drawn from, which mends what of the posterior is not normal.
///
/// It is not to be trusted, and says so, where those weights leave less than `least_effective` of what they would of a normal
/// posterior, where another mode holds more than a twentieth of the mass, or where no mode was found.
/// (text_laplace_test.cpp: TextLaplace.SaysWhenItIsNotToBeTrusted)
/// Evidence: log p(D, mode) + ½ log det(2π C), mended by the mean of the weights.
/// (text_laplace_test.cpp: TextLaplace.IsExactWhereThePosteriorIsNormal)
/// What is missing of a trial is left out, what is censored enters by its tail, and states are differentiated along
/// (history_derivatives.hpp). Censored angles are refused.
class TextLaplace final : public TextModel {
 public:
  /// Throws: SpecError for priors without a density and for functions without second derivatives.
  TextLaplace(std::shared_ptr<const EncodingText> text, std::size_t num_samples, std::uint64_t seed, Executor& executor);

  std::unique_ptr<Belief> prior() const override;
  Update update(Belief& belief, std::span<const double> stimulus, const Response& response, double elapsed_s) const override;

  static constexpr double least_effective = 0.6;

 private:
  double objective(const TextLaplaceBelief& belief, std::span<const double> z, std::span<double> gradient,
                   std::span<double> hessian) const;
  /// Log likelihood of everything for sets whose parameters stand in rows [num_parameters + num_states, num], and their states.
  void replay_all(const TextHistory& history, std::size_t num, std::vector<double>& rows, std::vector<double>& out) const;
  void fit(TextLaplaceBelief& belief) const;
  double weigh(TextLaplaceBelief& belief, double log_peak) const;
  void draw(TextLaplaceBelief& belief, double width) const;

  HistoryDerivatives derivatives_;
  std::vector<const PriorLaw*> priors_;  // of each number
  std::vector<double> root_;             // [num_parameters, num_parameters] of the correlations; empty: none
  std::vector<double> normals_;          // [num_parameters, num_samples]
  std::size_t num_samples_;
};

}  // namespace hartline::models
