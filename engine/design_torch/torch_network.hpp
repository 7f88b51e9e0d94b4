// The network of history_network.hpp as a graph of libtorch's, with the weights as leaves.
#pragma once

#include <torch/torch.h>

#include <vector>

#include "models/history_network.hpp"

namespace hartline::design {

/// Columns of the other form are rows here: [num, …].
class TorchNetwork {
 public:
  TorchNetwork(const models::HistoryNetwork& network, std::span<const double> weights);

  torch::Tensor start(std::int64_t num) const;
  /// The state after one more trial: inputs [num, num_inputs], codes [num, num_codes].
  torch::Tensor take(const torch::Tensor& inputs, const torch::Tensor& codes) const;
  /// What it tells after num_taken trials: [num, num_outputs].
  torch::Tensor read(const torch::Tensor& codes, double share) const;
  torch::Tensor read(const torch::Tensor& codes, const torch::Tensor& share) const;

  /// Adds d root / d weights to `out`, in the order of the weights.
  void add_gradient(const torch::Tensor& root, std::span<double> out) const;

 private:
  struct Layer {
    torch::Tensor weights, bias;  // [num_in, num_out], [num_out]
  };
  std::vector<Layer> make(const std::vector<models::NetworkLayer>& layers, std::span<const double> weights);
  static torch::Tensor run(const Layer& layer, const torch::Tensor& x) { return torch::addmm(layer.bias, x, layer.weights); }

  models::NetworkShape shape_;
  std::vector<std::pair<torch::Tensor, std::size_t>> leaves_;  // and where each stands among the weights; filled while layers are made
  std::vector<Layer> encoder_, gates_, readout_;
};

}  // namespace hartline::design
