// What a text says of a response, for many sets of parameters at once: what scores, particles and designs are built on.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "equations/kernel.hpp"
#include "models/encoding_text.hpp"
#include "models/law_tail.hpp"
#include "models/response_law.hpp"

namespace hartline::models {

/// Parameter k of set i at data[k * stride + i]; of a text with states these stand in the rows behind the parameters.
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

  /// log p(responses | stimulus, parameters, states), nats, of every set, of a censored response log P(r >= response), and at the
  /// limits of a censored law that of what lies beyond: out [num].
  /// stimulus [stimulus_dim], responses [num_responses]; what is not a number is missing. Impossible responses have -∞.
  void operator()(std::span<const double> stimulus, std::span<const Datum> responses, const ParameterSets& sets, double* out) const;
  void operator()(std::span<const double> stimulus, Datum response, const ParameterSets& sets, double* out) const {
    (*this)(stimulus, std::span<const Datum>(&response, 1), sets, out);
  }

  /// States before the first trial, from the parameters: states [num_states, stride of the sets].
  void start(const ParameterSets& sets, double* states) const;
  /// States after a trial, in the place of those before. A missing response counts as the one that each set expected.
  void advance(std::span<const double> stimulus, std::span<const Datum> responses, const ParameterSets& sets, double* states) const;
  bool has_states() const { return text_->num_states > 0; }
  /// A state's next value depends on that response.
  bool looks_back(std::size_t response_idx) const { return has_states() && looks_back_[response_idx]; }
  std::size_t num_responses() const { return text_->responses.size(); }
  std::size_t num_rows() const { return text_->num_parameters + text_->num_states; }

  /// Arguments of the responses' laws, of a choice its probabilities: out [num_arguments, stride], of which the first num of every
  /// row are written. `stride`: that of the sets unless it is given.
  void arguments(std::span<const double> stimulus, const ParameterSets& sets, double* out, std::size_t stride = 0) const;
  std::size_t num_arguments() const { return text_->num_arguments; }

  /// The same with their derivatives by the stimulus: out [num_arguments · (1 + stimulus_dim), stride], the arguments first,
  /// then of each argument the derivatives.
  void argument_gradient(std::span<const double> stimulus, const ParameterSets& sets, double* out, std::size_t stride = 0) const;

  /// Draws num sets of parameters from the prior, set k of the stream {seed, purpose, first + k}: [num_parameters, num].
  void draw_prior(std::uint64_t seed, Purpose purpose, std::uint64_t first, std::size_t num, std::span<double> parameters) const;

  const EncodingText& text() const { return *text_; }

 private:
  void add_one(std::size_t response_idx, std::span<const double> stimulus, Datum response, const ParameterSets& sets,
               double* out) const;
  void log_tails(std::size_t response_idx, std::span<const double> stimulus, double bound, Side side, const ParameterSets& sets,
                 double* out) const;
  void run(const equations::Kernel& kernel, std::span<const double> stimulus, std::span<const equations::Input> responses,
           const ParameterSets& sets, double* out, std::size_t stride, std::size_t num_outputs) const;

  std::shared_ptr<const EncodingText> text_;
  equations::Program program_;
  std::vector<bool> looks_back_;                                                // [num_responses]
  std::vector<std::vector<std::shared_ptr<const equations::Kernel>>> kernels_;  // of each response; of a choice one each
  std::shared_ptr<const equations::Kernel> arguments_, argument_gradient_, start_, next_;
};

}  // namespace hartline::models
