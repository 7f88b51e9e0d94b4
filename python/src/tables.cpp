#include "tables.hpp"

#include <nanobind/stl/string.h>

#include <cmath>

#include "convert.hpp"

namespace hartline::python {

namespace {

template <class Get>
nb::object whole(const std::vector<Trial>& trials, Get&& get) {
  std::vector<std::int64_t> out;
  for (const Trial& trial : trials) out.push_back(static_cast<std::int64_t>(get(trial)));
  return hand_over(out);
}

template <class Get>
nb::object real(const std::vector<Trial>& trials, Get&& get) {
  std::vector<double> out;
  for (const Trial& trial : trials) out.push_back(get(trial));
  return nb::cast(hand_over(std::move(out), {static_cast<std::int64_t>(trials.size())}));
}

std::int64_t pool_index(const Trial& trial) {
  const auto* item = std::get_if<PoolItem>(&trial.requested.stimulus.what);
  return item ? item->index : -1;
}

/// The requested stimuli, [num_trials, …]; None where they cannot be told, or differ in shape.
nb::object stimuli(const std::vector<Trial>& trials, const loop::Experiment* experiment) {
  std::vector<double> values;
  std::vector<std::int64_t> shape;
  for (const Trial& trial : trials) {
    const auto* array = std::get_if<Array>(&trial.requested.stimulus.what);
    if (!array && !experiment) return nb::none();
    const std::span<const double> x =
        array ? std::span<const double>(array->values) : experiment->values(trial.requested.stimulus, trial.index);
    std::vector<std::int64_t> here = array ? array->shape : std::vector<std::int64_t>{static_cast<std::int64_t>(x.size())};
    if (!shape.empty() && here != shape) return nb::none();
    shape = std::move(here);
    values.insert(values.end(), x.begin(), x.end());
  }
  shape.insert(shape.begin(), static_cast<std::int64_t>(trials.size()));
  return nb::cast(hand_over(std::move(values), shape));
}

}  // namespace

nb::dict trial_columns(const std::vector<Trial>& trials, const loop::Experiment* experiment) {
  nb::dict out;
  out["trial"] = whole(trials, [](const Trial& t) { return t.index; });
  out["attempt"] = whole(trials, [](const Trial& t) { return t.attempt; });
  out["arm"] = whole(trials, [](const Trial& t) { return t.arm; });
  out["role"] = whole(trials, [](const Trial& t) { return t.role; });
  out["pool_idx"] = whole(trials, pool_index);
  out["requested_s"] = real(trials, [](const Trial& t) { return static_cast<double>(t.requested.time_ns) * 1e-9; });
  out["delivered_s"] = real(trials, [](const Trial& t) {
    return t.delivered.clock.empty() ? std::nan("") : static_cast<double>(t.delivered.time_ns) * 1e-9;
  });
  out["utility"] = real(trials, [](const Trial& t) { return t.utility; });
  out["units"] = whole(trials, [](const Trial& t) { return t.units; });
  out["lateness_ms"] = real(trials, [](const Trial& t) { return t.lateness_ms; });
  out["log_evidence"] = real(trials, [](const Trial& t) { return t.answered ? t.log_evidence : std::nan(""); });
  out["answered"] = whole(trials, [](const Trial& t) { return t.answered; });
  out["stimulus"] = stimuli(trials, experiment);

  std::int64_t num_cells = 1, num_bins = 1;
  for (const Trial& trial : trials)
    if (trial.answered) {
      num_cells = trial.response.num_cells;
      num_bins = trial.response.num_bins;
    }
  std::vector<double> response, marks;
  for (const Trial& trial : trials)
    for (std::size_t i = 0; i < static_cast<std::size_t>(num_cells * num_bins); ++i) {
      const bool known = trial.answered && i < trial.response.values.size();
      const Mark mark = !known ? Mark::missing : trial.response.marks.empty() ? Mark::observed : trial.response.marks[i];
      const bool counts = mark == Mark::observed || mark == Mark::censored;
      response.push_back(counts ? trial.response.values[i] : std::nan(""));
      marks.push_back(static_cast<double>(mark));
    }
  const std::vector<std::int64_t> shape{static_cast<std::int64_t>(trials.size()), num_cells, num_bins};
  out["response"] = hand_over(std::move(response), shape);
  out["mark"] = hand_over(std::move(marks), shape);
  return out;
}

nb::list event_list(const std::vector<Event>& events) {
  nb::list out;
  for (const Event& event : events) {
    nb::dict item;
    item["trial"] = event.trial;
    item["time_s"] = static_cast<double>(event.time_ns) * 1e-9;
    item["level"] = event.level == Level::warning ? "warning" : "info";
    item["kind"] = event.kind;
    item["message"] = event.message;
    out.append(item);
  }
  return out;
}

nb::dict latency_table(const std::vector<std::pair<std::string, Histogram>>& latency) {
  nb::dict out;
  for (const auto& [stage, histogram] : latency) {
    nb::dict item;
    item["count"] = histogram.count();
    item["p50_ms"] = histogram.percentile_ns(0.5) * 1e-6;
    item["p99_ms"] = histogram.percentile_ns(0.99) * 1e-6;
    item["max_ms"] = static_cast<double>(histogram.max_ns()) * 1e-6;
    out[stage.c_str()] = item;
  }
  return out;
}

}  // namespace hartline::python
