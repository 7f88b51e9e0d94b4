#include "design/policy_gradient.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "base/threads.hpp"

namespace hartline::design {

PolicyGradient::PolicyGradient(const models::TextLikelihood& likelihood, const models::TrainedNetwork& network,
                               const TrainSpec& spec, Executor& executor)
    : trained_(network),
      rollouts_(likelihood, network, static_cast<std::uint64_t>(spec.seed)),
      gradient_(likelihood.text()),
      num_(static_cast<std::size_t>(spec.num_rollouts)),
      num_blocks_((num_ + block - 1) / block),
      num_contrasts_(static_cast<std::size_t>(spec.num_contrasts)),
      most_pull_(spec.most_pull),
      foresight_(spec.foresight.value_or(every_answer(likelihood.text()).empty() ? 1 : 0)),
      executor_(executor),
      pulls_(make_pulls(rollouts_, num_)) {
  if (spec.foresight && every_answer(likelihood.text()).empty())
    throw SpecError({"train.foresight", "absent where responses are not choices among a few", number_text(*spec.foresight),
                     "What a trial tells is worked out for every answer."});
  for (std::size_t b = 0; b < num_blocks_; ++b) {
    Block& one = blocks_.emplace_back(Block{models::HistoryTape(rollouts_.network(), size(b)), {}, {}, {}, {}});
    one.gradient.resize(network.weights.size());
    one.d_told.assign(rollouts_.rule().dim() * one.tape.stride(), 0.0);
    one.d_inputs.assign(rollouts_.network().shape().num_inputs * one.tape.stride(), 0.0);
  }
}

double PolicyGradient::estimate(std::span<const double> weights, std::uint64_t step, std::span<double> gradient) {
  const Contrasts contrasts = rollouts_.draw_contrasts(step, num_contrasts_);
  executor_.for_each_block(static_cast<int>(num_blocks_), [&](int k) {
    const auto b = static_cast<std::size_t>(k);
    rollouts_.simulate(weights, step, b * block, size(b), blocks_[b].histories, &blocks_[b].tape);
    pull(rollouts_, gradient_, blocks_[b].histories, contrasts, b * block, pulls_);
  });
  add_score_function(pulls_, foresight_);
  shorten(pulls_, trained_.stimulus_range, most_pull_);
  executor_.for_each_block(static_cast<int>(num_blocks_), [&](int b) { carry_back(weights, static_cast<std::size_t>(b)); });
  std::fill(gradient.begin(), gradient.end(), 0.0);
  for (const Block& one : blocks_)
    for (std::size_t i = 0; i < gradient.size(); ++i) gradient[i] += one.gradient[i] / static_cast<double>(num_);
  double mean = 0;
  for (const double score : pulls_.score) mean += score / static_cast<double>(num_);
  return mean;
}

/// dE/dy_t = ∂S/∂y_t + what later trials make of y_t; dE/dx_t the same, and what x_t does by y_t; x = middle + range sin(o).
void PolicyGradient::carry_back(std::span<const double> weights, std::size_t b) {
  Block& one = blocks_[b];
  const std::size_t dim = rollouts_.rule().dim(), num_responses = rollouts_.likelihood().num_responses(),
                    trials = rollouts_.num_trials(), stride = one.tape.stride();
  std::fill(one.gradient.begin(), one.gradient.end(), 0.0);
  one.tape.begin_back();
  for (std::size_t t = trials; t-- > 0;) {
    one.tape.back_take(weights, one.gradient, one.d_inputs.data());
    const double* told = one.tape.told();
    for (std::size_t r = 0; r < one.histories.num; ++r) {
      const std::size_t at = (b * block + r) * trials + t;
      for (std::size_t i = 0; i < dim; ++i) {
        double d = pulls_.stimulus[at * dim + i] + foresight_ * one.d_inputs[i * stride + r] / trained_.stimulus_range[i];
        for (std::size_t j = 0; j < num_responses; ++j)
          d += (pulls_.response[at * num_responses + j] + one.d_inputs[(dim + j) * stride + r] / trained_.response_scale[j]) *
               pulls_.slope[(at * num_responses + j) * dim + i];
        one.d_told[i * stride + r] = d * trained_.stimulus_range[i] * std::cos(told[i * stride + r]);
      }
    }
    one.tape.back_read(weights, one.d_told.data(), one.gradient);
  }
}

}  // namespace hartline::design
