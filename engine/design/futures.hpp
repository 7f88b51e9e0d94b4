// Futures: responses that stand for all that may come to a stimulus.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "models/text_law.hpp"

namespace hartline::design {

/// Responses y_f with weights ω_f so that Σ_f ω_f p(y_f) g(y_f) stands for E[g(r)] over what may come to a stimulus:
///
///   choices             all of them, ω = 1
///   counts              all that matter, ω = 1; where they reach over more than 1,024, every second, third, …
///   normal, lognormal   multiples of 1.5 smallest sds (of the logarithm) that matter, ω that distance: the trapezoidal rule, which
///                       errs by 2 exp(-2π² / 1.5²) = 3e-4 for a law
///
/// Of more than `most` of these as many stand for equal shares of what is expected, ω = share / p(y).
///
/// The responses stay where they are when the stimulus moves, so that what is summed over them has exact derivatives.
class Futures {
 public:
  struct Nodes {
    std::vector<double> value, weight;  // of a lognormal law the logarithm, with the density of that
    std::vector<double> p, one;         // scratch
  };

  /// Whether there are rules for a law.
  static bool has_rules(std::span<const models::LawPart> laws);

  explicit Futures(const models::LawPart& law) : law_(*law.law), num_arguments_(law.num) {}

  /// Nodes for a stimulus: `arguments` [num_arguments, stride] of samples with weights that sum to one.
  void place(std::span<const double> weights, const double* arguments, std::size_t stride, std::size_t most, Nodes& out) const;

  /// p(y | θ_n) of every sample.
  void likelihood(double y, const double* arguments, std::size_t stride, std::span<double> out) const;

  /// gradient_j += Σ_n c_n ∂p(y | θ_n) / ∂x_j; `likelihood` [num] is p(y | θ_n), `slopes` [num_arguments, dim, stride] are the
  /// derivatives of the arguments by the stimulus.
  void add_gradient(double y, const double* arguments, const double* slopes, std::size_t stride, std::span<const double> likelihood,
                    std::span<const double> c, std::span<double> gradient) const;

 private:
  const models::TextLaw& law_;
  std::size_t num_arguments_;
};

}  // namespace hartline::design
