#include "design_torch/network_gradient.hpp"

#include <cmath>

#include "base/threads.hpp"
#include "design/history_gradient.hpp"
#include "design_torch/torch_network.hpp"

namespace hartline::design {

namespace {

constexpr std::size_t block = 32;  // rollouts that share a graph

/// Rows of a tensor from numbers [num, width] of which row r starts at first + r · stride.
torch::Tensor rows_of(const double* first, std::size_t num, std::size_t stride, std::size_t width) {
  return torch::from_blob(const_cast<double*>(first), {static_cast<std::int64_t>(num), static_cast<std::int64_t>(width)},
                          {static_cast<std::int64_t>(stride), 1}, torch::kFloat64)
      .clone();
}

torch::Tensor row_of(const std::vector<double>& values) { return rows_of(values.data(), 1, values.size(), values.size()); }

/// What is the same for both targets: blocks, and sums in their order.
class Blocks : public Ascent {
 protected:
  Blocks(const TrainSpec& spec, Executor& executor)
      : num_(static_cast<std::size_t>(spec.num_rollouts)), num_blocks_((num_ + block - 1) / block), executor_(executor) {}
  std::size_t size(std::size_t b) const { return std::min(block, num_ - b * block); }
  template <class Body>
  void each(Body&& body) {
    executor_.for_each_block(static_cast<int>(num_blocks_), [&](int b) {
      at::set_num_threads(1);
      body(static_cast<std::size_t>(b));
    });
  }
  void sum(const std::vector<std::vector<double>>& parts, std::span<double> out) const {
    std::fill(out.begin(), out.end(), 0.0);
    for (const std::vector<double>& part : parts)
      for (std::size_t i = 0; i < out.size(); ++i) out[i] += part[i] / static_cast<double>(num_);
  }

  std::size_t num_, num_blocks_;
  Executor& executor_;
};

class PolicyGradient final : public Blocks {
 public:
  PolicyGradient(const models::TextLikelihood& likelihood, const models::TrainedNetwork& network, const TrainSpec& spec,
                 Executor& executor)
      : Blocks(spec, executor),
        trained_(network),
        rollouts_(likelihood, network, static_cast<std::uint64_t>(spec.seed)),
        gradient_(likelihood.text()),
        num_contrasts_(static_cast<std::size_t>(spec.num_contrasts)),
        histories_(num_blocks_) {}

  double estimate(std::span<const double> weights, std::uint64_t step, std::span<double> gradient) override {
    const Contrasts contrasts = rollouts_.draw_contrasts(step, num_contrasts_);
    Pulls pulls = make_pulls(rollouts_, num_);
    each([&](std::size_t b) {
      rollouts_.simulate(weights, step, b * block, size(b), histories_[b]);
      pull(rollouts_, gradient_, histories_[b], contrasts, b * block, pulls);
    });
    add_score_function(pulls);
    std::vector<std::vector<double>> parts(num_blocks_, std::vector<double>(weights.size(), 0.0));
    each([&](std::size_t b) { carry_back(weights, histories_[b], pulls, b * block, parts[b]); });
    sum(parts, gradient);
    double mean = 0;
    for (const double score : pulls.score) mean += score / static_cast<double>(num_);
    return mean;
  }

 private:
  /// The histories once more as a graph, whose stimuli and responses are pulled at.
  void carry_back(std::span<const double> weights, const Rollouts::Histories& histories, const Pulls& pulls, std::size_t first,
                  std::span<double> out) const {
    const std::size_t num = histories.num, trials = rollouts_.num_trials(), dim = rollouts_.rule().dim(),
                      num_responses = rollouts_.likelihood().num_responses();
    const TorchNetwork network(rollouts_.network(), weights);
    const torch::Tensor middle = row_of(trained_.stimulus_middle), range = row_of(trained_.stimulus_range),
                        mean = row_of(trained_.response_mean), scale = row_of(trained_.response_scale);
    torch::Tensor codes = network.start(static_cast<std::int64_t>(num)), root = torch::zeros({}, torch::kFloat64);
    for (std::size_t t = 0; t < trials; ++t) {
      const torch::Tensor told = network.read(codes, static_cast<double>(t) / static_cast<double>(trials));
      // the stimulus that was shown, which moves as the network's does
      torch::Tensor x = middle + range * torch::tanh(told);
      x = x - x.detach() + rows_of(&histories.stimuli[t * dim], num, trials * dim, dim);
      const torch::Tensor moved = x - x.detach();
      torch::Tensor y = rows_of(&histories.responses[t * num_responses], num, trials * num_responses, num_responses);
      const std::size_t at = first * trials + t;
      const torch::Tensor slope = rows_of(&pulls.slope[at * num_responses * dim], num, trials * num_responses * dim, num_responses * dim);
      y = y + torch::bmm(slope.view({static_cast<std::int64_t>(num), static_cast<std::int64_t>(num_responses), -1}), moved.unsqueeze(2))
                  .squeeze(2);
      root = root + (rows_of(&pulls.stimulus[at * dim], num, trials * dim, dim) * x).sum() +
             (rows_of(&pulls.response[at * num_responses], num, trials * num_responses, num_responses) * y).sum();
      codes = network.take(torch::cat({(x - middle) / range, (y - mean) / scale}, 1), codes);
    }
    network.add_gradient(root, out);
  }

  const models::TrainedNetwork& trained_;  // for its scales
  Rollouts rollouts_;
  models::TextGradient gradient_;
  std::size_t num_contrasts_;
  std::vector<Rollouts::Histories> histories_;  // of each block
};

}  // namespace

std::unique_ptr<Ascent> make_network_gradient(const models::TextLikelihood& likelihood, const models::TrainedNetwork& network,
                                              const TrainSpec& spec, Executor& executor) {
  return std::make_unique<PolicyGradient>(likelihood, network, spec, executor);
}

}  // namespace hartline::design
