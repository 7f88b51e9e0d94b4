// CUBA beside a loop written by hand for that one network, and the delivery of many spikes beside a plain read of as many bytes.
#include <fmt/format.h>

#include <cmath>
#include <numeric>

#include "base/threads.hpp"
#include "bench/measure.hpp"
#include "dynamics/program.hpp"
#include "dynamics/test_runs.hpp"
#include "numerics/lanes.hpp"

namespace hartline::bench {

namespace {

using dynamics::network;
using dynamics::table;

/// The targets of each source, in rows one after the other.
struct Lists {
  std::vector<std::uint32_t> begin;
  std::vector<std::int32_t> target;
};

Lists lists_of(const dynamics::Synapses& synapses) {
  const dynamics::Route& route = synapses.pathways.at(0).route;
  if (route.lags.size() != 1) throw std::runtime_error("the loop by hand knows one delay");
  return {route.begin, synapses.wiring.target};
}

/// What one writes for CUBA and nothing else: constants folded, one pass over the cells that vectors can do, a list of targets for
/// each cell. mV, ms; the solution over a step is exact:  v' = -49 + (v + 49) e + b ge + c gi.
class ByHand {
 public:
  static constexpr double dt = 0.1, tau = 20, tau_e = 5, tau_i = 10, rest = -49, threshold = -50, reset = -60;
  static constexpr int num_held = 50;  // steps from a spike to the first that may move v again

  ByHand(std::vector<double> v, std::vector<Lists> lists)
      : v_(std::move(v)), ge_(v_.size(), 0), gi_(v_.size(), 0), free_(v_.size(), 0), lists_(std::move(lists)) {
    if (v_.size() % at_once != 0) throw std::runtime_error("cells come in groups of 32");
  }

  const std::vector<std::int32_t>& step() {
    spikes_.clear();
    update();
    for (const std::int32_t i : spikes_) {
      const bool excites = static_cast<std::size_t>(i) < num_excitatory;
      const Lists& list = lists_[excites ? 0 : 1];
      double* const row = excites ? ge_.data() : gi_.data();
      const double weight = excites ? 1.62 : -9;
      const std::size_t source = static_cast<std::size_t>(i) - (excites ? 0 : num_excitatory);
      for (std::uint32_t k = list.begin[source]; k < list.begin[source + 1]; ++k) row[list.target[k]] += weight;
    }
    for (const std::int32_t i : spikes_) {
      v_[static_cast<std::size_t>(i)] = reset;
      free_[static_cast<std::size_t>(i)] = static_cast<double>(now_ + num_held);
    }
    ++now_;
    return spikes_;
  }

 private:
  static constexpr std::size_t num_excitatory = 3200, at_once = 32;

  HARTLINE_CLONES void update() {
    const double e = std::exp(-dt / tau), ee = std::exp(-dt / tau_e), ei = std::exp(-dt / tau_i);
    const double b = tau_e / (tau_e - tau) * (ee - e), c = tau_i / (tau_i - tau) * (ei - e), d = rest - rest * e;
    const double now = static_cast<double>(now_);
    double* __restrict const v = v_.data(), * __restrict const ge = ge_.data(), * __restrict const gi = gi_.data();
    const double* __restrict const free = free_.data();
    for (std::size_t first = 0; first < v_.size(); first += at_once) {
      std::int64_t any = 0;
      for (std::size_t i = first; i < first + at_once; ++i) {
        const double moved = v[i] * e + ge[i] * b + gi[i] * c + d;
        const bool moves = free[i] <= now;
        const double next = moves ? moved : v[i];
        any |= std::int64_t{moves} & std::int64_t{next > threshold};
        v[i] = next;
        ge[i] *= ee;
        gi[i] *= ei;
      }
      if (any != 0)
        for (std::size_t i = first; i < first + at_once; ++i)
          if (v[i] > threshold && free[i] <= now) spikes_.push_back(static_cast<std::int32_t>(i));
    }
  }

  std::vector<double> v_, ge_, gi_, free_;
  std::vector<Lists> lists_;
  std::vector<std::int32_t> spikes_;
  std::int64_t now_ = 0;
};

}  // namespace

Rows cuba_rows() {
  const dynamics::Program program(dynamics::cuba_network(4000, 0.02), 1);
  const auto executor = make_serial_executor();
  dynamics::State state = program.start();
  ByHand by_hand(dynamics::row(program, state, "cells.v"), {lists_of(program.synapses()[0]), lists_of(program.synapses()[1])});
  const auto event = program.event("cells");
  constexpr int num_blocks = 60, block = 1000;  // 6 s
  std::vector<double> ours, theirs;
  std::int64_t our_spikes = 0, their_spikes = 0, num_same = 0;  // steps
  bool same = true;
  for (int b = 0; b < num_blocks; ++b) {
    const auto run_ours = [&](auto&& seen) {
      const double begun = thread_ms();
      for (int k = 0; k < block; ++k) {
        program.step(state, *executor);
        seen(program.happened(state, event));
      }
      ours.push_back((thread_ms() - begun) / block);
    };
    const auto run_theirs = [&](auto&& seen) {
      const double begun = thread_ms();
      for (int k = 0; k < block; ++k) seen(std::span<const std::int32_t>(by_hand.step()));
      theirs.push_back((thread_ms() - begun) / block);
    };
    if (same) {  // spikes are held against each other while they are the same: rounding, then chaos, ends that
      std::vector<std::vector<std::int32_t>> mine, others;
      const auto kept = [](auto& all) { return [&all](std::span<const std::int32_t> s) { all.emplace_back(s.begin(), s.end()); }; };
      run_ours(kept(mine));
      run_theirs(kept(others));
      for (std::size_t k = 0; k < block; ++k) {
        same = same && mine[k] == others[k];
        num_same += same;
        our_spikes += static_cast<std::int64_t>(mine[k].size());
        their_spikes += static_cast<std::int64_t>(others[k].size());
      }
      continue;
    }
    run_ours([&](auto spikes) { our_spikes += static_cast<std::int64_t>(spikes.size()); });
    run_theirs([&](auto spikes) { their_spikes += static_cast<std::int64_t>(spikes.size()); });
  }
  const double seconds = num_blocks * block * ByHand::dt * 1e-3;
  const double rate = static_cast<double>(our_spikes) / 4000 / seconds,
               other_rate = static_cast<double>(their_spikes) / 4000 / seconds;
  Row row;
  row.name = "cuba/by hand";
  row.metric = "step";
  row.value = median(ours) * 1e6 / 4000;
  row.unit = "ns a neuron";
  row.peer = "loop written for this network alone";
  row.peer_value = median(theirs) * 1e6 / 4000;
  row.ratio = *row.peer_value / row.value;
  row.aim = "ratio >= 0.77";  // at most 1.3 times its time
  row.aim_met = row.value <= 1.3 * *row.peer_value;
  row.answer_ok = num_same >= 500 && std::abs(rate - other_rate) < 0.1 * other_rate;
  row.answer = fmt::format(
      "same wiring and start: the same spikes in each of the first {} steps, at least 500; rates over {:.0f} s {:.2f} and {:.2f} "
      "Hz; "
      "{}; ours is {:.2f} times its time, aim at most 1.3",
      num_same, seconds, rate, other_rate, instruction_set(), row.value / *row.peer_value);
  return {row};
}

Rows synaptic_events_rows() {
  constexpr int num = 10000;
  const auto made = [&](const char* probability) {
    return network(
        0.1,
        table({{"inputs", table({{"num", num}, {"threshold", "random < rate * dt"}, {"equations", table({{"rate", "100 Hz"}})}})},
               {"cells",
                table({{"num", num}, {"equations", table({{"dge/dt", "-ge / (5 ms) : 1"}})}, {"start", table({{"ge", "0"}})}})}}),
        table({{"all", table({{"from", "inputs"},
                              {"to", "cells"},
                              {"connect", table({{"probability", probability}})},
                              {"on_pre", List{"ge_post += w"}},
                              {"parameters", table({{"w", "random * 0.01"}})}})}}));
  };
  const dynamics::Program program(made("0.2"), 1), bare(made("0"), 1);
  const auto executor = make_serial_executor();
  dynamics::State state = program.start(), bare_state = bare.start();
  const auto event = program.event("inputs");
  const Lists lists = lists_of(program.synapses()[0]);
  const std::vector<double> w = dynamics::row(program, state, "all.w");
  std::vector<double> ge(num, 0);
  const double decay = std::exp(-0.1 / 5);
  constexpr int num_blocks = 15, block = 40;
  std::vector<double> ours, theirs;  // ns an event
  std::int64_t num_events = 0;
  for (int b = 0; b < num_blocks; ++b) {
    std::int64_t events = 0;
    double whole = 0, by_hand = 0;
    for (int k = 0; k < block; ++k) {
      const double begun = thread_ms();
      program.step(state, *executor);
      whole += thread_ms() - begun;
      const auto spikes = program.happened(state, event);
      const double hand_begun = thread_ms();
      for (double& x : ge) x *= decay;
      for (const std::int32_t i : spikes) {
        const auto from = lists.begin[static_cast<std::size_t>(i)], to = lists.begin[static_cast<std::size_t>(i) + 1];
        for (std::uint32_t s = from; s < to; ++s) ge[static_cast<std::size_t>(lists.target[s])] += w[s];
        events += to - from;
      }
      by_hand += thread_ms() - hand_begun;
    }
    const double begun = thread_ms();
    for (int k = 0; k < block; ++k) bare.step(bare_state, *executor);
    ours.push_back((whole - (thread_ms() - begun)) * 1e6 / static_cast<double>(events));
    theirs.push_back(by_hand * 1e6 / static_cast<double>(events));
    num_events += events;
  }
  const std::vector<double> got = dynamics::row(program, state, "cells.ge");
  double worst = 0;
  for (std::size_t i = 0; i < num; ++i) worst = std::max(worst, std::abs(got[i] - ge[i]) / ge[i]);
  constexpr double index_and_weight = 12, with_target = 28;  // bytes of an event: 4 + 8; the sum of its target is read and written
  const double stream = read_bandwidth(w.size() * 12), rate = 1e3 / median(ours);
  Row row;
  row.name = "cuba/events";
  row.metric = "synaptic events a second";
  row.value = rate;
  row.unit = "million";
  row.peer = "plain loop over the same synapses";
  row.peer_value = 1e3 / median(theirs);
  row.ratio = row.value / *row.peer_value;
  row.answer_ok = worst < 1e-9 && num_events > 10'000'000;
  row.answer = fmt::format(
      "{} events from {} sources at 100 Hz to {} cells over {:.0f} million synapses, each with its weight; sums off the loop's by "
      "a "
      "share of {:.1g} at most; what the cells cost is taken off; {}",
      num_events, num, num, static_cast<double>(w.size()) * 1e-6, worst, instruction_set());
  Row bytes = row;
  bytes.metric = "bytes of synapses read";
  bytes.value = rate * index_and_weight * 1e-3;
  bytes.unit = "GB/s";
  bytes.peer = "plain read of as many bytes as they have";
  bytes.peer_value = stream;
  bytes.ratio = bytes.value / stream;
  bytes.answer = fmt::format(
      "{:.0f} bytes an event out of {:.0f} MB; {:.1f} GB/s with the {:.0f} bytes of its target's sum, which "
      "stays in the cache",
      index_and_weight, static_cast<double>(w.size()) * index_and_weight * 1e-6, rate * with_target * 1e-3,
      with_target - index_and_weight);
  return {row, bytes};
}

}  // namespace hartline::bench
