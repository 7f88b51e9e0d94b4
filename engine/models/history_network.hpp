// A network that reads the trials so far and tells numbers: the stimulus to show next, or what the parameters may be.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace hartline::models {

/// Sizes of a network. A code c of every trial u, a state s of all of them, a readout of the state:
///
///   exchangeable  c = encoder(u)        s ← s + c / √num_trials      in whatever order
///   recurrent     c = silu(encoder(u))  a = σ(A (c, s))  b = σ(B (c, s))  n = tanh(N c + a · (M s))  s ← (1 - b) n + b s
///   out = readout(s, num / num_trials)      num of the trials so far
///
/// encoder and readout are layers of silu units, the last one linear.
/// Reference: Zaheer et al. 2017, NeurIPS; Cho et al. 2014, doi 10.3115/v1/D14-1179
struct NetworkShape {
  bool recurrent = false;
  std::size_t num_inputs = 0;            // of a trial
  std::vector<std::size_t> encoder;      // units of each hidden layer
  std::size_t num_codes = 0;             // of the code and of the state
  std::vector<std::size_t> readout;      // units of each hidden layer
  std::size_t num_outputs = 0;
  std::size_t num_trials = 1;            // that it is made for

  std::size_t num_weights() const;
};

/// A layer among the weights: W [num_out, num_in], then its bias [num_out], from `first` on.
struct NetworkLayer {
  std::size_t num_in = 0, num_out = 0, first = 0;
};

/// Constant, shared by threads. The weights stand beside it, so that one network is tried with many of them.
class HistoryNetwork {
 public:
  explicit HistoryNetwork(const NetworkShape& shape);

  /// What was read so far, of `num` histories side by side; columns are padded to `stride`.
  struct State {
    std::size_t num = 0, stride = 0;
    std::vector<double> codes;         // [num_codes + 1, stride]; the last row is the share of the trials
    std::vector<double> one, two;      // scratch
  };
  State start(std::size_t num) const;
  void restart(State& state) const;

  /// Reads one trial of every history: inputs [num_inputs, stride]. Allocates: nothing.
  void take(std::span<const double> weights, const double* inputs, State& state) const;
  /// What it tells: out [num_outputs, stride]. Allocates: nothing.
  void read(std::span<const double> weights, State& state, double* out) const;

  const NetworkShape& shape() const { return shape_; }
  /// The layers in the order of the weights: encoder, then of a recurrent one A and B of (c, s), N of c, M of s, then readout.
  const std::vector<NetworkLayer>& encoder() const { return encoder_; }
  const std::vector<NetworkLayer>& gates() const { return gates_; }
  const std::vector<NetworkLayer>& readout() const { return readout_; }
  std::size_t num_weights() const { return num_weights_; }

 private:
  NetworkShape shape_;
  std::vector<NetworkLayer> encoder_, gates_, readout_;
  std::size_t num_weights_ = 0, widest_ = 0;
};

/// Weights to begin with: normal of variance 1 / num_in, biases 0, the last layer of the readout a tenth of that.
std::vector<double> initial_weights(const HistoryNetwork& network, std::uint64_t seed);

}  // namespace hartline::models
