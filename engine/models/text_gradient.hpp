// Derivatives of what a text says of a response, by the stimulus and by the response itself: what policies are trained with.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "models/text_likelihood.hpp"

namespace hartline::models {

/// Constant, shared by threads. Of texts without states. Allocates: nothing, after a thread's first calls.
class TextGradient {
 public:
  /// Throws: SpecError for a text with states, and where a function has no derivative.
  explicit TextGradient(const EncodingText& text);

  /// log p(responses | stimulus, parameters) of every set, its derivatives by the stimulus, then by each response, 0 of a choice or a
  /// count: out [1 + stimulus_dim + num_responses, sets.num].
  void operator()(std::span<const double> stimulus, std::span<const double> responses, const ParameterSets& sets, double* out) const;

  /// Response j follows its law's arguments smoothly: y = m + s e or e^(m + s e), e ~ N(0, 1).
  bool is_smooth(std::size_t response_idx) const;
  /// ∂ y_j / ∂ x of every response at the e that made it, of one set of parameters; 0 where it is not smooth:
  /// out [num_responses, stimulus_dim].
  void response_slopes(std::span<const double> stimulus, std::span<const double> responses, std::span<const double> parameters,
                       double* out) const;

  /// ∂ log p(y | x, θ) / ∂ x summed over the responses that are not smooth, of one set of parameters: out [stimulus_dim].
  void log_slopes(std::span<const double> stimulus, std::span<const double> responses, std::span<const double> parameters,
                  double* out) const;

  std::size_t num_rows() const { return 1 + text_.stimulus_dim + text_.responses.size(); }

 private:
  void run(const equations::Kernel& kernel, std::span<const double> stimulus, std::size_t response_idx, const double* response,
           const ParameterSets& sets, double* out, std::size_t num_outputs) const;

  void run_law(std::span<const double> stimulus, std::size_t response_idx, const double* response, const ParameterSets& sets,
               double* out) const;

  const EncodingText& text_;
  equations::Program program_;
  std::vector<std::vector<std::shared_ptr<const equations::Kernel>>> kernels_;  // of each response; of a choice one each
  std::shared_ptr<const equations::Kernel> arguments_;                          // and their derivatives by the stimulus
};

}  // namespace hartline::models
