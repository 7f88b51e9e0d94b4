// Measuring: times, their quantiles, and the rows that a benchmark prints.
//
// Google Benchmark is not used: what is timed here is one trial after another of a loop whose state changes, each beside its peer
// on the very same state, and what counts is the median and the 99th percentile of those, not the mean of repetitions.
#pragma once

#include <time.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace hartline::bench {

/// Processor time of this thread, ms. Other programs on the machine do not count, which would favour the shorter of two times.
inline double thread_ms() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) * 1e-6;
}

/// Time on the wall, ms.
inline double wall_ms() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) * 1e-6;
}

/// The value that a share p of the sample does not exceed.
inline double quantile(std::vector<double> sample, double p) {
  std::sort(sample.begin(), sample.end());
  const auto rank = static_cast<std::size_t>(std::ceil(p * static_cast<double>(sample.size())));
  return sample[std::clamp<std::size_t>(rank, 1, sample.size()) - 1];
}
inline double median(std::vector<double> sample) { return quantile(std::move(sample), 0.5); }

/// One line of the results.
struct Row {
  std::string name, metric;
  double value = 0;
  std::string unit;
  std::string peer;                  // what runs beside it; empty: nothing
  std::optional<double> peer_value;  // in `unit`
  std::optional<double> ratio;       // how many times better than the peer
  std::string bound;                 // "ratio >= 2" or "<= 60"; empty: none
  bool ok = true;                    // the bound holds
  std::string aim;                   // as `bound`, hoped for
  bool aim_met = true;
  bool answer_ok = true;  // what was computed is right
  std::string answer;     // what it was held against and how far off it was
};

inline nlohmann::json to_json(const Row& row) {
  const auto maybe = [](const std::optional<double>& x) { return x ? nlohmann::json(*x) : nlohmann::json(); };
  const auto text = [](const std::string& s) { return s.empty() ? nlohmann::json() : nlohmann::json(s); };
  return {{"name", row.name},
          {"metric", row.metric},
          {"value", row.value},
          {"unit", row.unit},
          {"peer", text(row.peer)},
          {"peer_value", maybe(row.peer_value)},
          {"ratio", maybe(row.ratio)},
          {"bound", text(row.bound)},
          {"ok", row.ok},
          {"aim", text(row.aim)},
          {"aim_met", row.aim.empty() ? nlohmann::json() : nlohmann::json(row.aim_met)},
          {"answer_ok", row.answer_ok},
          {"answer", text(row.answer)}};
}

using Rows = std::vector<Row>;

/// Update and choice of one trial of a GLM with num_weights weights, beside a full eigendecomposition of the same covariance.
Rows glm_rows(std::size_t num_weights, std::size_t num_run_in, std::size_t num_trials);

/// An adaptive cell through its ports.
Rows adex_port_rows();

/// The squid's membrane through its ports; bench/port_cell.py puts NEURON beside it.
Rows squid_port_rows();

/// CUBA beside a loop written for it.
Rows cuba_rows();

/// Synaptic events a second, beside a loop and the memory's speed.
Rows synaptic_events_rows();

/// A filter with lags, scored jointly, by the current bin and at random.
Rows lags_rows();

/// Coverage where counts are lost, told and skipped.
Rows censoring_rows();

/// A whole run of 5,000 trials with 25 x 33 weights.
Rows loop_rows();

/// Update and choice of a population of cells that see one stimulus, on two threads, beside sgemm and a plain loop.
Rows population_rows();

/// Update and choice on a grid, on the history in a document of bench/peers/grid_peers.py and beside the peers in it.
Rows grid_rows(const nlohmann::json& document, bool text);  // text: the model is written as text

/// Kernels of texts: the time to compile them, and to run them beside the interpreter and a scalar loop.
Rows compile_rows();

/// Update and choice with 5,000 particles that look for two sources in the plane.
Rows particle_rows();

/// Look-ahead: the golden case ("golden"), or the information it gains over one step in paired experiments with a deadline.
Rows lookahead_rows(const std::string& problem, double deadline_ms, std::size_t num_experiments);

/// Choice and update of a Gaussian process at 200 of 1,600 places, beside a triangular solve and a product of that size.
Rows gp_rows();

/// Bytes that one thread reads a second, GB/s, over a buffer of that size: the best of one, two, four and eight streams.
double read_bandwidth(std::size_t num_bytes);
/// The same of a = b + s c, counted as 24 bytes an element.
double triad_bandwidth(std::size_t num_bytes);
/// The widest vectors that kernels and clones use here: AVX-512, AVX2 or SSE2.
std::string instruction_set();
/// Multiplications and additions of doubles that one thread does a second, Gflop/s, where nothing waits.
double multiply_add_rate();

}  // namespace hartline::bench
