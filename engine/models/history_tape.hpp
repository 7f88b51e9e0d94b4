// A network's way through histories, remembered, so that derivatives can be carried back along it.
#pragma once

#include <span>
#include <vector>

#include "models/history_network.hpp"

namespace hartline::models {

/// For `num` histories side by side. Forward: read() and take() in turns, as of HistoryNetwork. Back: begin_back(), then in the opposite
/// order back_read() for a read and back_take() for a take; reads that told nothing are left out.
/// (history_network_test.cpp: HistoryTape.CarriesDerivativesBack)
class HistoryTape {
 public:
  HistoryTape(const HistoryNetwork& network, std::size_t num);

  std::size_t stride() const { return stride_; }
  void restart();
  /// What the network tells before the next trial: [num_outputs, stride], kept until the tape is restarted.
  const double* read(std::span<const double> weights);
  void take(std::span<const double> weights, const double* inputs);

  /// What the network told before the trial that comes next.
  const double* told() const;

  void begin_back();
  /// d_out [num_outputs, stride] of the read before the trial that comes next; adds to d_weights [num_weights].
  void back_read(std::span<const double> weights, const double* d_out, std::span<double> d_weights);
  /// Takes the last trial back: sets d_inputs [num_inputs, stride], adds to d_weights.
  void back_take(std::span<const double> weights, std::span<double> d_weights, double* d_inputs);

 private:
  using Layers = std::vector<NetworkLayer>;
  std::size_t room(const Layers& layers) const;
  const double* forward(const Layers& layers, bool silu_last, std::span<const double> weights, const double* from, double* kept) const;
  void back(const Layers& layers, bool silu_last, std::span<const double> weights, const double* from, const double* kept,
            std::span<double> d_weights, double* d_from);

  const HistoryNetwork& network_;
  std::size_t stride_, num_codes_, num_taken_ = 0;
  std::vector<std::vector<double>> takes_;   // of each trial: inputs, layers, gates
  std::vector<std::vector<double>> reads_;   // before each trial: layers
  std::vector<std::vector<double>> states_;  // before each trial: codes and share, [num_codes + 1, stride]
  std::vector<double> d_state_;              // [num_codes, stride]
  std::vector<double> one_, two_, gates_, d_input_;  // scratch
};

}  // namespace hartline::models
