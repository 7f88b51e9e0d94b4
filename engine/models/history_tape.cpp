#include "models/history_tape.hpp"

#include <algorithm>
#include <cmath>

#include "numerics/dense_layer.hpp"

namespace hartline::models {

using numerics::Activation;

HistoryTape::HistoryTape(const HistoryNetwork& network, std::size_t num)
    : network_(network), stride_(numerics::padded(num)), num_codes_(network.shape().num_codes) {
  const NetworkShape& shape = network.shape();
  std::size_t widest = std::max(shape.num_inputs, 2 * num_codes_);
  for (const Layers* layers : {&network.encoder(), &network.readout()})
    for (const NetworkLayer& layer : *layers) widest = std::max({widest, layer.num_in, layer.num_out});
  const std::size_t of_take = (shape.num_inputs + (shape.recurrent ? 6 * num_codes_ : 0)) * stride_ + room(network.encoder());
  takes_.assign(shape.num_trials, std::vector<double>(of_take, 0.0));
  reads_.assign(shape.num_trials + 1, std::vector<double>(room(network.readout()), 0.0));
  states_.assign(shape.num_trials + 1, std::vector<double>((num_codes_ + 1) * stride_, 0.0));
  d_state_.assign(num_codes_ * stride_, 0.0);
  one_.assign(widest * stride_, 0.0);
  two_.assign(widest * stride_, 0.0);
  d_input_.assign((num_codes_ + 1) * stride_, 0.0);
  gates_.assign(4 * num_codes_ * stride_, 0.0);
}

/// Of every layer its sums, then its units.
std::size_t HistoryTape::room(const Layers& layers) const {
  std::size_t out = 0;
  for (const NetworkLayer& layer : layers) out += 2 * layer.num_out * stride_;
  return out;
}

void HistoryTape::restart() { num_taken_ = 0; }

const double* HistoryTape::forward(const Layers& layers, bool silu_last, std::span<const double> weights, const double* from,
                                   double* kept) const {
  for (std::size_t k = 0; k < layers.size(); ++k) {
    const NetworkLayer& layer = layers[k];
    const std::size_t size = layer.num_out * stride_;
    numerics::dense_layer(&weights[layer.first], layer.num_in, layer.num_out, Activation::none, from, stride_, kept);
    from = kept;
    if (silu_last || k + 1 < layers.size()) {
      numerics::silu(kept, size, kept + size);
      from = kept + size;
    }
    kept += 2 * size;
  }
  return from;
}

/// The derivatives by the last layer's units stand in one_.
void HistoryTape::back(const Layers& layers, bool silu_last, std::span<const double> weights, const double* from, const double* kept,
                       std::span<double> d_weights, double* d_from) {
  const double* end = kept + room(layers);
  double* slope = one_.data();
  for (std::size_t k = layers.size(); k-- > 0;) {
    const NetworkLayer& layer = layers[k];
    const std::size_t size = layer.num_out * stride_;
    const double* z = end - 2 * size;
    if (silu_last || k + 1 < layers.size()) numerics::silu_back(z, size, slope);
    const double* x = k == 0 ? from : z - layer.num_in * stride_;  // the units of the layer before
    double* to = k == 0 ? d_from : slope == one_.data() ? two_.data() : one_.data();
    numerics::dense_layer_back(&weights[layer.first], layer.num_in, layer.num_out, x, slope, stride_, &d_weights[layer.first], to);
    slope = to;
    end = z;
  }
}

const double* HistoryTape::read(std::span<const double> weights) {
  std::vector<double>& state = states_[num_taken_];
  if (num_taken_ == 0) std::fill(state.begin(), state.end(), 0.0);
  return forward(network_.readout(), false, weights, state.data(), reads_[num_taken_].data());
}

void HistoryTape::take(std::span<const double> weights, const double* inputs) {
  const NetworkShape& shape = network_.shape();
  const std::size_t size = num_codes_ * stride_;
  std::vector<double>&kept = takes_[num_taken_], &state = states_[num_taken_], &after = states_[num_taken_ + 1];
  if (num_taken_ == 0) std::fill(state.begin(), state.end(), 0.0);
  ++num_taken_;
  std::copy_n(inputs, shape.num_inputs * stride_, kept.data());
  double* layers = kept.data() + shape.num_inputs * stride_;
  const double* code = forward(network_.encoder(), shape.recurrent, weights, kept.data(), layers);
  for (std::size_t i = size; i < size + stride_; ++i) after[i] = state[i] + 1 / static_cast<double>(shape.num_trials);
  if (!shape.recurrent) {
    const double scale = 1 / std::sqrt(static_cast<double>(shape.num_trials));
    for (std::size_t i = 0; i < size; ++i) after[i] = state[i] + scale * code[i];
    return;
  }
  double *both = layers + room(network_.encoder()), *reset = both + 2 * size, *keep = reset + size, *fresh = keep + size,
         *past = fresh + size;
  std::copy_n(code, size, both);
  std::copy_n(state.data(), size, both + size);
  const auto gate = [&](std::size_t k, Activation f, const double* from, double* to) {
    const NetworkLayer& layer = network_.gates()[k];
    numerics::dense_layer(&weights[layer.first], layer.num_in, layer.num_out, f, from, stride_, to);
  };
  gate(0, Activation::logistic, both, reset);
  gate(1, Activation::logistic, both, keep);
  gate(2, Activation::none, both, fresh);
  gate(3, Activation::none, both + size, past);
  for (std::size_t i = 0; i < size; ++i) {
    fresh[i] = std::tanh(fresh[i] + reset[i] * past[i]);
    after[i] = (1 - keep[i]) * fresh[i] + keep[i] * state[i];
  }
}

const double* HistoryTape::told() const {
  const std::size_t size = network_.shape().num_outputs * stride_;
  const std::vector<double>& kept = reads_[num_taken_];
  return kept.data() + kept.size() - 2 * size;
}

void HistoryTape::begin_back() { std::fill(d_state_.begin(), d_state_.end(), 0.0); }

void HistoryTape::back_read(std::span<const double> weights, const double* d_out, std::span<double> d_weights) {
  std::copy_n(d_out, network_.shape().num_outputs * stride_, one_.data());
  back(network_.readout(), false, weights, states_[num_taken_].data(), reads_[num_taken_].data(), d_weights, d_input_.data());
  for (std::size_t i = 0; i < d_state_.size(); ++i) d_state_[i] += d_input_[i];
}

void HistoryTape::back_take(std::span<const double> weights, std::span<double> d_weights, double* d_inputs) {
  const NetworkShape& shape = network_.shape();
  const std::size_t size = num_codes_ * stride_;
  --num_taken_;
  const double *inputs = takes_[num_taken_].data(), *layers = inputs + shape.num_inputs * stride_;
  if (!shape.recurrent) {
    const double scale = 1 / std::sqrt(static_cast<double>(shape.num_trials));
    for (std::size_t i = 0; i < size; ++i) one_[i] = scale * d_state_[i];
    return back(network_.encoder(), false, weights, inputs, layers, d_weights, d_inputs);
  }
  const double *both = layers + room(network_.encoder()), *reset = both + 2 * size, *keep = reset + size, *fresh = keep + size,
               *past = fresh + size, *before = both + size;
  double *d_reset = gates_.data(), *d_keep = d_reset + size, *d_fresh = d_keep + size, *d_past = d_fresh + size;
  for (std::size_t i = 0; i < size; ++i) {
    const double d = d_state_[i];
    d_keep[i] = d * (before[i] - fresh[i]) * keep[i] * (1 - keep[i]);
    d_fresh[i] = d * (1 - keep[i]) * (1 - fresh[i] * fresh[i]);
    d_past[i] = d_fresh[i] * reset[i];
    d_reset[i] = d_fresh[i] * past[i] * reset[i] * (1 - reset[i]);
    d_state_[i] = d * keep[i];
  }
  // two_ gathers the derivatives by (code, state)
  std::vector<double>& d_both = two_;
  std::fill_n(d_both.data(), 2 * size, 0.0);
  const auto gate = [&](std::size_t k, const double* from, const double* slope, double* to, std::size_t num) {
    const NetworkLayer& layer = network_.gates()[k];
    numerics::dense_layer_back(&weights[layer.first], layer.num_in, layer.num_out, from, slope, stride_, &d_weights[layer.first],
                               one_.data());
    for (std::size_t i = 0; i < num; ++i) to[i] += one_[i];
  };
  gate(0, both, d_reset, d_both.data(), 2 * size);
  gate(1, both, d_keep, d_both.data(), 2 * size);
  gate(2, both, d_fresh, d_both.data(), size);
  gate(3, both + size, d_past, d_both.data() + size, size);
  for (std::size_t i = 0; i < size; ++i) d_state_[i] += d_both[size + i];
  std::copy_n(d_both.data(), size, one_.data());
  back(network_.encoder(), true, weights, inputs, layers, d_weights, d_inputs);
}

}  // namespace hartline::models
