// The likelihood of a text for many sets of parameters at once: what scores, particles and Laplace's method are built on.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "equations/kernel.hpp"
#include "models/encoding_text.hpp"

namespace hartline::models {

class TextLikelihood {
 public:
  explicit TextLikelihood(std::shared_ptr<const EncodingText> text);

  /// log p(response | stimulus, parameters), nats, for num sets of parameters. `parameters` [num_parameters, num], each row one
  /// parameter of all sets; stimulus [stimulus_dim]. Impossible responses have -∞.
  /// Repeatable: a set's bits do not depend on the others.   Allocates: nothing, after a thread's first call.
  void operator()(std::span<const double> stimulus, double response, std::span<const double> parameters, std::size_t num,
                  std::span<double> out) const;

  /// Draws num sets of parameters from the prior, set k of the stream {seed, purpose, first + k}: [num_parameters, num].
  void draw_prior(std::uint64_t seed, Purpose purpose, std::uint64_t first, std::size_t num, std::span<double> parameters) const;

  const EncodingText& text() const { return *text_; }

 private:
  std::shared_ptr<const EncodingText> text_;
  equations::Program program_;
  std::uint32_t response_ = 0;
  std::vector<std::shared_ptr<const equations::Kernel>> kernels_;  // of a choice one each, else one
};

}  // namespace hartline::models
