#include "design_torch/torch_network.hpp"

#include <cmath>

namespace hartline::design {

TorchNetwork::TorchNetwork(const models::HistoryNetwork& network, std::span<const double> weights)
    : shape_(network.shape()),
      encoder_(make(network.encoder(), weights)),
      gates_(make(network.gates(), weights)),
      readout_(make(network.readout(), weights)) {}

std::vector<TorchNetwork::Layer> TorchNetwork::make(const std::vector<models::NetworkLayer>& layers, std::span<const double> weights) {
  std::vector<Layer> out;
  for (const models::NetworkLayer& layer : layers) {
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

torch::Tensor TorchNetwork::start(std::int64_t num) const {
  return torch::zeros({num, static_cast<std::int64_t>(shape_.num_codes)}, torch::kFloat64);
}

torch::Tensor TorchNetwork::take(const torch::Tensor& inputs, const torch::Tensor& codes) const {
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

torch::Tensor TorchNetwork::read(const torch::Tensor& codes, double share) const {
  return read(codes, torch::full({codes.size(0), 1}, share, torch::kFloat64));
}

torch::Tensor TorchNetwork::read(const torch::Tensor& codes, const torch::Tensor& share) const {
  torch::Tensor x = torch::cat({codes, share}, 1);
  for (std::size_t k = 0; k < readout_.size(); ++k) {
    x = run(readout_[k], x);
    if (k + 1 < readout_.size()) x = torch::silu(x);
  }
  return x;
}

void TorchNetwork::add_gradient(const torch::Tensor& root, std::span<double> out) const {
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

}  // namespace hartline::design
