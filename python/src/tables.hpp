// Trials, events and latencies as columns, for pandas and xarray.
#pragma once

#include <nanobind/nanobind.h>

#include <string>
#include <utility>
#include <vector>

#include "base/histogram.hpp"
#include "loop/experiment.hpp"

namespace hartline::python {

namespace nb = nanobind;

/// One array a column, [num_trials, …]. Stimuli are there where the experiment is known or they were written down as numbers.
nb::dict trial_columns(const std::vector<Trial>& trials, const loop::Experiment* experiment);

nb::list event_list(const std::vector<Event>& events);

nb::dict latency_table(const std::vector<std::pair<std::string, Histogram>>& latency);

}  // namespace hartline::python
