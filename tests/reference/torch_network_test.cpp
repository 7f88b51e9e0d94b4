// Our derivatives beside those of libtorch's autograd, on the same network, weights and histories.
#include <gtest/gtest.h>

#ifndef HARTLINE_TORCH

TEST(HistoryTape, HasTheDerivativesOfLibtorch) { GTEST_SKIP() << "libtorch-dev is not installed"; }

#else

#include <torch/torch.h>

#include <chrono>
#include <cmath>

#include "base/random.hpp"
#include "models/history_tape.hpp"

namespace hartline {
namespace {

using models::NetworkLayer;
using models::NetworkShape;

/// The network of history_network.hpp as a graph of libtorch's. Columns of ours are rows here: [num, …].
class TorchNetwork {
 public:
  TorchNetwork(const models::HistoryNetwork& network, const std::vector<double>& weights)
      : shape_(network.shape()),
        encoder_(make(network.encoder(), weights)),
        gates_(make(network.gates(), weights)),
        readout_(make(network.readout(), weights)) {}

  torch::Tensor start(std::int64_t num) const {
    return torch::zeros({num, static_cast<std::int64_t>(shape_.num_codes)}, torch::kFloat64);
  }

  torch::Tensor take(const torch::Tensor& inputs, const torch::Tensor& codes) const {
    torch::Tensor c = inputs;
    for (std::size_t k = 0; k < encoder_.size(); ++k) {
      c = run(encoder_[k], c);
      if (shape_.recurrent || k + 1 < encoder_.size()) c = torch::silu(c);
    }
    if (!shape_.recurrent) return codes + c / std::sqrt(static_cast<double>(shape_.num_trials));
    const torch::Tensor both = torch::cat({c, codes}, 1), reset = torch::sigmoid(run(gates_[0], both)),
                        keep = torch::sigmoid(run(gates_[1], both)),
                        fresh = torch::tanh(run(gates_[2], c) + reset * run(gates_[3], codes));
    return (1 - keep) * fresh + keep * codes;
  }

  torch::Tensor read(const torch::Tensor& codes, double share) const {
    torch::Tensor x = torch::cat({codes, torch::full({codes.size(0), 1}, share, torch::kFloat64)}, 1);
    for (std::size_t k = 0; k < readout_.size(); ++k) {
      x = run(readout_[k], x);
      if (k + 1 < readout_.size()) x = torch::silu(x);
    }
    return x;
  }

  /// Adds d root / d weights, in the order of the weights.
  void add_gradient(const torch::Tensor& root, std::span<double> out) const {
    std::vector<torch::Tensor> leaves;
    for (const auto& [leaf, first] : leaves_) leaves.push_back(leaf);
    const std::vector<torch::Tensor> slopes = torch::autograd::grad({root}, leaves, {}, {}, false, true);
    for (std::size_t k = 0; k < slopes.size(); ++k) {
      if (!slopes[k].defined()) continue;  // what the root does not depend on
      const torch::Tensor slope = slopes[k].contiguous();
      const double* from = slope.data_ptr<double>();
      for (std::int64_t i = 0; i < slope.numel(); ++i) out[leaves_[k].second + static_cast<std::size_t>(i)] += from[i];
    }
  }

 private:
  struct Layer {
    torch::Tensor weights, bias;  // [num_in, num_out], [num_out]
  };
  static torch::Tensor run(const Layer& layer, const torch::Tensor& x) { return torch::addmm(layer.bias, x, layer.weights); }

  std::vector<Layer> make(const std::vector<NetworkLayer>& layers, const std::vector<double>& weights) {
    std::vector<Layer> out;
    for (const NetworkLayer& layer : layers) {
      const auto leaf = [&](std::size_t first, at::IntArrayRef sizes) {
        torch::Tensor tensor = torch::from_blob(const_cast<double*>(&weights[first]), sizes, torch::kFloat64).clone();
        tensor.requires_grad_(true);
        leaves_.emplace_back(tensor, first);
        return tensor;
      };
      const auto num_in = static_cast<std::int64_t>(layer.num_in), num_out = static_cast<std::int64_t>(layer.num_out);
      const torch::Tensor w = leaf(layer.first, {num_out, num_in});
      out.push_back({w.t(), leaf(layer.first + layer.num_in * layer.num_out, {num_out})});
    }
    return out;
  }

  NetworkShape shape_;
  std::vector<std::pair<torch::Tensor, std::size_t> >
      leaves_;  // and where each stands among the weights; filled while layers are made
  std::vector<Layer> encoder_, gates_, readout_;
};

/// [width, stride] of which the first num columns count, as [num, width].
torch::Tensor rows_of(const double* columns, std::size_t width, std::size_t stride, std::size_t num) {
  return torch::from_blob(const_cast<double*>(columns), {static_cast<std::int64_t>(width), static_cast<std::int64_t>(stride)},
                          torch::kFloat64)
      .narrow(1, 0, static_cast<std::int64_t>(num))
      .t()
      .clone();
}

TEST(HistoryTape, HasTheDerivativesOfLibtorch) {
  at::set_num_threads(1);
  for (const bool recurrent : {false, true}) {
    const models::HistoryNetwork network(NetworkShape{recurrent, 3, {64, 64}, 16, {64}, 2, 10});
    std::vector<double> weights = models::initial_weights(network, 1);
    constexpr std::size_t num = 32, trials = 10;
    std::vector<double> inputs(trials * 3 * num), pull(trials * 2 * num), ours(weights.size(), 0.0), theirs(weights.size(), 0.0),
        d_inputs(3 * num);
    Stream(2, Purpose::test).fill_normal(inputs);
    Stream(3, Purpose::test).fill_normal(pull);
    models::HistoryTape tape(network, num);
    const auto seconds = [](auto&& body) {
      const auto begun = std::chrono::steady_clock::now();
      body();
      return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    };
    const auto go = [&] {
      std::fill(ours.begin(), ours.end(), 0.0);
      tape.restart();
      for (std::size_t t = 0; t < trials; ++t) {
        tape.read(weights);
        tape.take(weights, &inputs[t * 3 * num]);
      }
      tape.begin_back();
      for (std::size_t t = trials; t-- > 0;) {
        tape.back_take(weights, ours, d_inputs.data());
        tape.back_read(weights, &pull[t * 2 * num], ours);
      }
    };
    const auto go_with_torch = [&] {
      std::fill(theirs.begin(), theirs.end(), 0.0);
      const TorchNetwork torch_network(network, weights);
      torch::Tensor codes = torch_network.start(num), root = torch::zeros({}, torch::kFloat64);
      for (std::size_t t = 0; t < trials; ++t) {
        root = root + (rows_of(&pull[t * 2 * num], 2, num, num) * torch_network.read(codes, static_cast<double>(t) / trials)).sum();
        codes = torch_network.take(rows_of(&inputs[t * 3 * num], 3, num, num), codes);
      }
      torch_network.add_gradient(root, theirs);
    };
    go();
    go_with_torch();
    double size = 0;
    for (const double slope : theirs) size = std::max(size, std::abs(slope));
    for (std::size_t i = 0; i < ours.size(); ++i) ASSERT_NEAR(ours[i], theirs[i], 1e-11 * size) << recurrent << ' ' << i;
    double our_time = 1, their_time = 1;
    for (int k = 0; k < 20; ++k) {
      our_time = std::min(our_time, seconds(go));
      their_time = std::min(their_time, seconds(go_with_torch));
    }
    std::printf("%s: %zu histories of %zu trials there and back: ours %.2f ms, libtorch %.2f ms\n",
                recurrent ? "recurrent" : "exchangeable", num, trials, 1e3 * our_time, 1e3 * their_time);
  }
}

}  // namespace
}  // namespace hartline

#endif
