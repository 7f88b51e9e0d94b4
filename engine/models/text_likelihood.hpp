// What a text says of a response, for many sets of parameters at once: what scores, particles and designs are built on.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "equations/kernel.hpp"
#include "models/encoding_text.hpp"
#include "models/response_law.hpp"

namespace hartline::models {

/// Parameter k of set i at data[k * stride + i].
struct ParameterSets {
  const double* data = nullptr;
  std::size_t stride = 0, num = 0;

  ParameterSets part(std::size_t first, std::size_t count) const { return {data + first, stride, count}; }
};

/// Constant, shared by threads. Repeatable: a set's bits do not depend on the others. Allocates: nothing, after a thread's first
/// calls.
class TextLikelihood {
 public:
  explicit TextLikelihood(std::shared_ptr<const EncodingText> text);

  /// log p(response | stimulus, parameters), nats, of every set, of a censored response log P(r >= response): out [num].
  /// stimulus [stimulus_dim]. Impossible responses have -∞.
  void operator()(std::span<const double> stimulus, Datum response, const ParameterSets& sets, double* out) const;

  /// Arguments of the response's law, of a choice its probabilities: out [num_arguments, stride], of which the first num of every
  /// row are written. `stride`: that of the sets unless it is given.
  void arguments(std::span<const double> stimulus, const ParameterSets& sets, double* out, std::size_t stride = 0) const;
  std::size_t num_arguments() const { return num_arguments_; }

  /// The same with their derivatives by the stimulus: out [num_arguments · (1 + stimulus_dim), stride], the arguments first,
  /// then of each argument the derivatives.
  void argument_gradient(std::span<const double> stimulus, const ParameterSets& sets, double* out, std::size_t stride = 0) const;

  /// Draws num sets of parameters from the prior, set k of the stream {seed, purpose, first + k}: [num_parameters, num].
  void draw_prior(std::uint64_t seed, Purpose purpose, std::uint64_t first, std::size_t num, std::span<double> parameters) const;

  const EncodingText& text() const { return *text_; }

 private:
  void log_tails(std::span<const double> stimulus, double bound, const ParameterSets& sets, double* out) const;
  void run(const equations::Kernel& kernel, std::span<const double> stimulus, double response, const ParameterSets& sets,
           double* out, std::size_t stride, std::size_t num_outputs) const;

  std::shared_ptr<const EncodingText> text_;
  equations::Program program_;
  std::uint32_t response_ = 0;
  std::size_t num_arguments_ = 0;
  std::vector<std::shared_ptr<const equations::Kernel>> kernels_;  // of a choice one each, else one
  std::shared_ptr<const equations::Kernel> arguments_, argument_gradient_;
};

}  // namespace hartline::models
