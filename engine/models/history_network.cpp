#include "models/history_network.hpp"

#include <algorithm>
#include <cmath>

#include "base/random.hpp"
#include "numerics/dense_layer.hpp"

namespace hartline::models {

using numerics::Activation;

HistoryNetwork::HistoryNetwork(const NetworkShape& shape) : shape_(shape) {
  const auto add = [&](std::vector<NetworkLayer>& layers, std::size_t num_in, std::size_t num_out) {
    layers.push_back({num_in, num_out, num_weights_});
    num_weights_ += (num_in + 1) * num_out;
    widest_ = std::max({widest_, num_in, num_out});
    return num_out;
  };
  std::size_t width = shape.num_inputs;
  for (const std::size_t units : shape.encoder) width = add(encoder_, width, units);
  const std::size_t num = shape.num_codes;
  add(encoder_, width, num);
  if (shape.recurrent) {
    add(gates_, 2 * num, num);
    add(gates_, 2 * num, num);
    add(gates_, num, num);
    add(gates_, num, num);
    widest_ = std::max(widest_, 5 * num);
  }
  width = num + 1;
  for (const std::size_t units : shape.readout) width = add(readout_, width, units);
  add(readout_, width, shape.num_outputs);
}

std::size_t NetworkShape::num_weights() const { return HistoryNetwork(*this).num_weights(); }

HistoryNetwork::State HistoryNetwork::start(std::size_t num) const {
  State out;
  out.num = num;
  out.stride = numerics::padded(num);
  out.codes.assign((shape_.num_codes + 1) * out.stride, 0.0);
  out.one.assign(widest_ * out.stride, 0.0);
  out.two.assign(widest_ * out.stride, 0.0);
  return out;
}

void HistoryNetwork::restart(State& state) const { std::fill(state.codes.begin(), state.codes.end(), 0.0); }

void HistoryNetwork::take(std::span<const double> weights, const double* inputs, State& state) const {
  const std::size_t stride = state.stride, size = shape_.num_codes * stride;
  const auto run = [&](const NetworkLayer& layer, Activation f, const double* from, double* to) {
    numerics::dense_layer(&weights[layer.first], layer.num_in, layer.num_out, f, from, stride, to);
  };
  const double* from = inputs;
  double *to = state.one.data(), *other = state.two.data();
  for (std::size_t k = 0; k < encoder_.size(); ++k) {
    const bool last = k + 1 == encoder_.size();
    run(encoder_[k], last && !shape_.recurrent ? Activation::none : Activation::silu, from, to);
    from = to;
    std::swap(to, other);
  }
  double* share = &state.codes[size];
  for (std::size_t i = 0; i < stride; ++i) share[i] += 1 / static_cast<double>(shape_.num_trials);
  if (!shape_.recurrent) {
    const double scale = 1 / std::sqrt(static_cast<double>(shape_.num_trials));
    for (std::size_t i = 0; i < size; ++i) state.codes[i] += scale * from[i];
    return;
  }
  // the code with the state behind it, then the gates, one after the other
  double* both = other;
  std::copy_n(state.codes.data(), size, both + size);
  double *reset = to, *keep = to + size, *fresh = to + 2 * size, *past = to + 3 * size;
  run(gates_[0], Activation::logistic, both, reset);
  run(gates_[1], Activation::logistic, both, keep);
  run(gates_[2], Activation::none, both, fresh);
  run(gates_[3], Activation::none, both + size, past);
  for (std::size_t i = 0; i < size; ++i) {
    const double n = std::tanh(fresh[i] + reset[i] * past[i]);
    state.codes[i] = (1 - keep[i]) * n + keep[i] * state.codes[i];
  }
}

void HistoryNetwork::read(std::span<const double> weights, State& state, double* out) const {
  const double* from = state.codes.data();
  double *to = state.one.data(), *other = state.two.data();
  for (std::size_t k = 0; k < readout_.size(); ++k) {
    const NetworkLayer& layer = readout_[k];
    const bool last = k + 1 == readout_.size();
    numerics::dense_layer(&weights[layer.first], layer.num_in, layer.num_out, last ? Activation::none : Activation::silu, from,
                          state.stride, last ? out : to);
    from = to;
    std::swap(to, other);
  }
}

std::vector<double> initial_weights(const HistoryNetwork& network, std::uint64_t seed) {
  std::vector<double> out(network.num_weights(), 0.0);
  std::uint64_t number = 0;
  const auto fill = [&](const NetworkLayer& layer, double sd) {
    Stream stream(seed, Purpose::particles, 0, number++);
    for (std::size_t i = 0; i < layer.num_in * layer.num_out; ++i)
      out[layer.first + i] = sd / std::sqrt(static_cast<double>(layer.num_in)) * stream.normal();
  };
  for (const NetworkLayer& layer : network.encoder()) fill(layer, 1);
  for (const NetworkLayer& layer : network.gates()) fill(layer, 1);
  for (const NetworkLayer& layer : network.readout()) fill(layer, &layer == &network.readout().back() ? 0.1 : 1);
  return out;
}

}  // namespace hartline::models
