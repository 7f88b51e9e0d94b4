#include "design/posterior_gradient.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "base/threads.hpp"

namespace hartline::design {

PosteriorGradient::PosteriorGradient(const models::TextLikelihood& likelihood, const models::TrainedNetwork& network,
                                     const TrainSpec& spec, std::shared_ptr<const models::TrainedNetwork> policy, Executor& executor)
    : likelihood_(likelihood),
      trained_(network),
      network_(models::shape_of(network, likelihood.text())),
      mixture_{likelihood.text().num_parameters, static_cast<std::size_t>(network.num_components)},
      rule_(likelihood.text()),
      seed_(static_cast<std::uint64_t>(spec.seed)),
      num_(static_cast<std::size_t>(spec.num_rollouts)),
      num_blocks_((num_ + block - 1) / block),
      policy_(std::move(policy)),
      executor_(executor) {
  if (policy_) chooser_ = std::make_unique<models::HistoryNetwork>(models::shape_of(*policy_, likelihood.text()));
  for (std::size_t b = 0; b < num_blocks_; ++b) {
    Block& one = blocks_.emplace_back(Block{models::HistoryTape(network_, size(b)), {}, {}, {}, {}, {}, {}, {}, {}, {}});
    const std::size_t stride = one.tape.stride();
    if (chooser_) one.chooser = chooser_->start(size(b));
    one.scores.resize(size(b) * mixture_.d);
    one.rows.resize(size(b) * likelihood.num_rows());
    one.inputs.assign(network_.shape().num_inputs * stride, 0.0);
    one.choices.assign(rule_.dim() * stride, 0.0);
    one.d_told.assign((network_.shape().num_trials + 1) * mixture_.num_outputs() * stride, 0.0);
    one.d_inputs.assign(network_.shape().num_inputs * stride, 0.0);
    one.gradient.resize(network.weights.size());
  }
}

double PosteriorGradient::estimate(std::span<const double> weights, std::uint64_t step, std::span<double> gradient) {
  executor_.for_each_block(static_cast<int>(num_blocks_), [&](int b) {
    run(blocks_[static_cast<std::size_t>(b)], static_cast<std::size_t>(b), weights, step);
  });
  std::fill(gradient.begin(), gradient.end(), 0.0);
  const double each = 1 / static_cast<double>(num_ * network_.shape().num_trials);
  double score = 0;
  for (const Block& one : blocks_) {
    score += each * one.score;
    for (std::size_t i = 0; i < gradient.size(); ++i) gradient[i] += each * one.gradient[i];
  }
  if (!std::isfinite(score)) throw RunError({"train", "weights whose network is finite", number_text(score), "Lower train.learning_rate."});
  return score;
}

void PosteriorGradient::run(Block& one, std::size_t b, std::span<const double> weights, std::uint64_t step) const {
  const models::EncodingText& text = likelihood_.text();
  const std::size_t num = size(b), stride = one.tape.stride(), trials = network_.shape().num_trials, rows = likelihood_.num_rows(),
                    d = mixture_.d, num_told = mixture_.num_outputs() * stride;
  thread_local std::vector<double> x, y, arguments;
  thread_local std::vector<models::Datum> answers;
  x.resize(rule_.dim());
  y.resize(likelihood_.num_responses());
  arguments.resize(likelihood_.num_arguments());
  for (std::size_t r = 0; r < num; ++r) {
    double *z = &one.scores[r * d], *row = &one.rows[r * rows];
    Stream(seed_, Purpose::truth, step, b * block + r).fill_normal({z, d});
    text.from_scores(z, 1, 1, row);
    if (likelihood_.has_states()) likelihood_.start({row, 1, 1}, row + d);
  }
  one.tape.restart();
  one.score = 0;
  if (chooser_) chooser_->restart(one.chooser);
  for (std::size_t t = 0; t < trials; ++t) {
    if (chooser_) chooser_->read(policy_->weights, one.chooser, one.choices.data());
    for (std::size_t r = 0; r < num; ++r) {
      Stream stream(seed_, Purpose::response, step, (b * block + r) * trials + t);
      if (chooser_)
        rule_(&one.choices[r], stride, x);
      else
        rule_.draw(stream, x);
      double* row = &one.rows[r * rows];
      likelihood_.arguments(x, {row, 1, 1}, arguments.data(), 1);
      draw_responses(likelihood_, arguments, stream, y.data());
      if (likelihood_.has_states()) {
        answers.assign(y.begin(), y.end());
        likelihood_.advance(x, answers, {row, 1, 1}, row + d);
      }
      models::scale_inputs(trained_, x, y, r, stride, one.inputs.data());
    }
    one.tape.take(weights, one.inputs.data());
    if (chooser_) chooser_->take(policy_->weights, one.inputs.data(), one.chooser);
    const double* told = one.tape.read(weights);
    for (std::size_t r = 0; r < num; ++r) {
      const std::span<const double> z{&one.scores[r * d], d};
      one.score += mixture_.log_density(told + r, stride, z, &one.d_told[t * num_told + r]);
      for (const double score : z) one.score += 0.5 * score * score + 0.91893853320467274178;
    }
  }
  std::fill(one.gradient.begin(), one.gradient.end(), 0.0);
  one.tape.begin_back();
  for (std::size_t t = trials; t-- > 0;) {
    one.tape.back_read(weights, &one.d_told[t * num_told], one.gradient);
    one.tape.back_take(weights, one.gradient, one.d_inputs.data());
  }
}

}  // namespace hartline::design
