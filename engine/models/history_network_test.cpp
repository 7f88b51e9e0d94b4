#include "models/history_network.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.hpp"
#include "models/history_tape.hpp"
#include "numerics/dense_layer.hpp"

namespace hartline::models {
namespace {

NetworkShape shape(bool recurrent) { return {recurrent, 3, {7, 5}, 4, {6}, 2, 10}; }

using Column = std::vector<double>;

/// A layer of one column, written down from its equation.
Column layer(const NetworkLayer& l, const std::vector<double>& w, const Column& x, bool silu) {
  Column y(l.num_out);
  for (std::size_t r = 0; r < l.num_out; ++r) {
    y[r] = w[l.first + l.num_in * l.num_out + r];
    for (std::size_t k = 0; k < l.num_in; ++k) y[r] += w[l.first + r * l.num_in + k] * x[k];
    if (silu) y[r] /= 1 + std::exp(-y[r]);
  }
  return y;
}

/// The header's equations for one history.
Column plainly(const HistoryNetwork& network, const std::vector<double>& w, const std::vector<Column>& trials) {
  const NetworkShape& s = network.shape();
  Column state(s.num_codes, 0.0);
  for (const Column& u : trials) {
    Column c = u;
    for (std::size_t k = 0; k < network.encoder().size(); ++k)
      c = layer(network.encoder()[k], w, c, s.recurrent || k + 1 < network.encoder().size());
    if (!s.recurrent) {
      for (std::size_t i = 0; i < c.size(); ++i) state[i] += c[i] / std::sqrt(static_cast<double>(s.num_trials));
      continue;
    }
    Column both = c;
    both.insert(both.end(), state.begin(), state.end());
    const Column a = layer(network.gates()[0], w, both, false), b = layer(network.gates()[1], w, both, false),
                 n = layer(network.gates()[2], w, c, false), m = layer(network.gates()[3], w, state, false);
    for (std::size_t i = 0; i < c.size(); ++i) {
      const double keep = 1 / (1 + std::exp(-b[i]));
      state[i] = (1 - keep) * std::tanh(n[i] + m[i] / (1 + std::exp(-a[i]))) + keep * state[i];
    }
  }
  state.push_back(static_cast<double>(trials.size()) / static_cast<double>(s.num_trials));
  for (std::size_t k = 0; k < network.readout().size(); ++k)
    state = layer(network.readout()[k], w, state, k + 1 < network.readout().size());
  return state;
}

std::vector<double> weights(const HistoryNetwork& network) {
  std::vector<double> out(network.num_weights());
  Stream(1, Purpose::test).fill_normal(out);
  for (double& w : out) w *= 0.5;
  return out;
}

TEST(HistoryNetwork, FollowsItsEquations) {
  for (const bool recurrent : {false, true}) {
    const HistoryNetwork network(shape(recurrent));
    const std::vector<double> w = weights(network);
    constexpr std::size_t num = 11;
    HistoryNetwork::State state = network.start(num);
    std::vector<double> inputs(3 * state.stride), out(2 * state.stride);
    std::vector<std::vector<Column>> histories(num);
    for (int t = 0; t < 6; ++t) {
      Stream(2, Purpose::test, static_cast<std::uint64_t>(t)).fill_normal(inputs);
      for (std::size_t i = 0; i < num; ++i)
        histories[i].push_back({inputs[i], inputs[state.stride + i], inputs[2 * state.stride + i]});
      network.take(w, inputs.data(), state);
      network.read(w, state, out.data());
      for (std::size_t i = 0; i < num; ++i) {
        const Column wanted = plainly(network, w, histories[i]);
        for (std::size_t k = 0; k < 2; ++k) EXPECT_NEAR(out[k * state.stride + i], wanted[k], 1e-12) << recurrent << t << i;
      }
    }
  }
}

/// What it tells after trials in an order.
Column after(const HistoryNetwork& network, const std::vector<double>& w, const std::vector<int>& order) {
  HistoryNetwork::State state = network.start(1);
  std::vector<double> inputs(3 * state.stride), out(2 * state.stride);
  for (const int t : order) {
    Stream(3, Purpose::test, static_cast<std::uint64_t>(t)).fill_normal(inputs);
    network.take(w, inputs.data(), state);
  }
  network.read(w, state, out.data());
  return {out[0], out[state.stride]};
}

TEST(HistoryNetwork, MindsTheOrderOnlyWhereItIsRecurrent) {
  for (const bool recurrent : {false, true}) {
    const HistoryNetwork network(shape(recurrent));
    const std::vector<double> w = weights(network);
    const Column a = after(network, w, {0, 1, 2, 3}), b = after(network, w, {3, 1, 0, 2});
    const double difference = std::abs(a[0] - b[0]) + std::abs(a[1] - b[1]);
    if (recurrent)
      EXPECT_GT(difference, 1e-3);
    else
      EXPECT_LT(difference, 1e-12);
  }
}

/// f = Σ pull · out over all reads, of the weights and of every input.
TEST(HistoryTape, CarriesDerivativesBack) {
  for (const bool recurrent : {false, true}) {
    const HistoryNetwork network(shape(recurrent));
    std::vector<double> w = weights(network);
    constexpr std::size_t num = 8, trials = 5;
    HistoryTape tape(network, num);
    std::vector<double> inputs(trials * 3 * num), pull((trials + 1) * 2 * num);
    Stream(5, Purpose::test).fill_normal(inputs);
    Stream(6, Purpose::test).fill_normal(pull);
    const auto f = [&] {
      tape.restart();
      double out = 0;
      for (std::size_t t = 0; t <= trials; ++t) {
        const double* told = tape.read(w);
        for (std::size_t i = 0; i < 2 * num; ++i) out += pull[t * 2 * num + i] * told[i];
        if (t < trials) tape.take(w, &inputs[t * 3 * num]);
      }
      return out;
    };
    const double value = f();
    HistoryNetwork::State state = network.start(num);
    std::vector<double> told(2 * num);
    double same = 0;
    for (std::size_t t = 0; t <= trials; ++t) {
      network.read(w, state, told.data());
      for (std::size_t i = 0; i < 2 * num; ++i) same += pull[t * 2 * num + i] * told[i];
      if (t < trials) network.take(w, &inputs[t * 3 * num], state);
    }
    EXPECT_NEAR(value, same, 1e-11);
    std::vector<double> dw(w.size(), 0.0), dx(inputs.size());
    tape.begin_back();
    for (std::size_t t = trials + 1; t-- > 0;) {
      tape.back_read(w, &pull[t * 2 * num], dw);
      if (t > 0) tape.back_take(w, dw, &dx[(t - 1) * 3 * num]);
    }
    const auto difference = [&](double& number) {
      const double kept = number;
      number = kept + 1e-6;
      const double above = f();
      number = kept - 1e-6;
      const double below = f();
      number = kept;
      return (above - below) / 2e-6;
    };
    for (std::size_t i = 0; i < w.size(); ++i) EXPECT_NEAR(dw[i], difference(w[i]), 1e-6) << recurrent << ' ' << i;
    for (std::size_t i = 0; i < inputs.size(); i += 5) EXPECT_NEAR(dx[i], difference(inputs[i]), 1e-7) << recurrent << ' ' << i;
  }
}

}  // namespace
}  // namespace hartline::models
