// Spikes as a sorter finds them: with jitter, misses, merges and false detections, counted in bins.
#pragma once

#include <memory>

#include "base/describe.hpp"
#include "instruments/sensor.hpp"

namespace hartline::instruments {

/// A table `sensor` of kind spikes. With all faults at zero these are binned counts.
struct SpikeSensorSpec {
  std::string of = {};
  double bin_ms = 1;
  double jitter_ms = 0;
  double miss_probability = 0;
  double miss_time_ms = 0;
  double rate_window_ms = 50;
  double merge_ms = 0;
  double false_rate_hz = 0;
  double delay_ms = 0;
  double cost = 0;

  template <class Field>
  static void describe(Field&& field) {
    field("of", &SpikeSensorSpec::of, "", required(), "group that spikes, or another event of one: cells, cells.burst");
    field("bin_ms", &SpikeSensorSpec::bin_ms, "ms", positive(), "width of the bins in which detections are counted");
    field("jitter_ms", &SpikeSensorSpec::jitter_ms, "ms", non_negative(), "standard deviation of a detection's time");
    field("miss_probability", &SpikeSensorSpec::miss_probability, "", between(0, 1), "that a spike of a silent cell is not found");
    field("miss_time_ms", &SpikeSensorSpec::miss_time_ms, "ms", non_negative(),
          "how misses grow with the cell's rate: a spike is found with probability (1 - miss_probability) exp(-rate miss_time_ms)");
    field("rate_window_ms", &SpikeSensorSpec::rate_window_ms, "ms", positive(),
          "time constant over which the rate is taken, from the spikes before");
    field("merge_ms", &SpikeSensorSpec::merge_ms, "ms", non_negative(),
          "a spike that comes sooner than this after the last detection of its cell is counted as part of it");
    field("false_rate_hz", &SpikeSensorSpec::false_rate_hz, "Hz", non_negative(), "detections of a cell without a spike");
    field("delay_ms", &SpikeSensorSpec::delay_ms, "ms", non_negative(), "from the end of a trial to its response");
    field("cost", &SpikeSensorSpec::cost, "", non_negative(), "of reading a trial");
  }
};

/// Counts [num_cells, num_bins] of detections:
///
///   P(found) = (1 - p₀) exp(-r c),  r = Σ exp(-(t - tᵢ) / τ) / τ over the spikes before;  t' = t + N(0, σ²)
///
/// and Poisson false ones, all of which merge. A detection that jitters out of the trial is in no bin; a last part of a bin is left
/// out. Statistics:    (spikes_test.cpp: Spikes.MissesGrowWithRate, spikes_test.cpp: Spikes.MergesLoseWhatADeadTimeLoses)
/// The program must outlive it. `path`: of the table, for messages. Throws: SpecError.
std::unique_ptr<Sensor> make_spike_sensor(const dynamics::Program& program, const SpikeSensorSpec& spec, const DrawNames& draws,
                                          const std::string& path = "sensor");

}  // namespace hartline::instruments
