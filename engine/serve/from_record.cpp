// What the page takes from a record as it is: look-ahead, the deadline, learning curves, events, latency.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "loop/metrics.hpp"
#include "serve/figures.hpp"
#include "serve/sections.hpp"

namespace hartline::serve {

void Sections::add_lookahead(const std::vector<std::pair<std::int64_t, Array>>& told) {
  for (const auto& [trial, array] : told) {
    const auto at = static_cast<std::size_t>(trial);
    if (at >= utility_.size() || array.values.size() != 3) continue;
    for (List* list : {&total_, &lead_, &lead_error_}) list->resize(utility_.size(), std::nan(""));
    total_[at] = array.values[0];
    lead_[at] = array.values[1];
    lead_error_[at] = array.values[2];
  }
}

Value Sections::deadline(double deadline_ms) const {
  Table out;
  out.set("deadline_ms", deadline_ms);
  out.set("misses", misses_);
  out.set("worst_lateness_ms", worst_lateness_ms_);
  return out;
}

Value learning_curves(const Value& comparison) {
  List out;
  const List& designs = *member(comparison, "designs")->list();
  for (const auto& info : loop::metric_info) {
    Table curve;
    List shown;
    for (const Value& design : designs) {
      const Value* metric = member(*member(design, "metrics"), info.name);
      if (!metric) continue;
      Table item;
      item.set("name", *member(design, "name"));
      item.set("role", *member(design, "role"));
      item.set("trials", *member(design, "trials"));
      for (const char* key : {"mean", "low", "high"}) item.set(key, *member(*metric, key));
      shown.emplace_back(item);
    }
    if (shown.empty()) continue;
    curve.set("metric", std::string(info.name));
    curve.set("label", std::string(info.label));
    curve.set("unit", std::string(info.unit));
    curve.set("better", info.lower_is_better ? "lower" : "higher");
    curve.set("num_seeds", *member(comparison, "num_seeds"));
    curve.set("interval",
              fmt::format("95 % bootstrap interval over {:.0f} paired seeds", number(*member(comparison, "num_seeds"))));
    curve.set("designs", shown);
    if (const Value* saving = member(comparison, "saving"); saving && *member(*saving, "metric")->text() == info.name)
      curve.set("saved", *saving);
    out.emplace_back(curve);
  }
  return out;
}

Value event_list(const std::vector<Event>& events) {
  List out;
  for (const Event& event : events) {
    Table item;
    item.set("trial", event.trial + 1);
    item.set("time_s", static_cast<double>(event.time_ns) * 1e-9);
    item.set("kind", event.kind);
    item.set("message", event.message);
    item.set("level", event.level == Level::warning ? "warning" : "info");
    out.emplace_back(item);
  }
  return out;
}

Value latency_list(const std::vector<std::pair<std::string, Histogram>>& latency) {
  List out;
  for (const auto& [stage, histogram] : latency) {
    int first = Histogram::num_bins, last = -1;
    for (int bin = 0; bin < Histogram::num_bins; ++bin)
      if (histogram.count_in(bin) > 0) {
        first = std::min(first, bin);
        last = bin;
      }
    if (last < 0) continue;
    std::vector<double> edges;
    List counts;
    for (int bin = first; bin <= last; ++bin) {
      edges.push_back(Histogram::edge_ns(bin) * 1e-3);
      counts.emplace_back(histogram.count_in(bin));
    }
    edges.push_back(Histogram::edge_ns(last + 1) * 1e-3);
    Table item;
    item.set("stage", stage);
    item.set("count", histogram.count());
    item.set("p50_us", histogram.percentile_ns(0.5) * 1e-3);
    item.set("p99_us", histogram.percentile_ns(0.99) * 1e-3);
    item.set("max_us", static_cast<double>(histogram.max_ns()) * 1e-3);
    item.set("edges_us", numbers(edges));
    item.set("counts", counts);
    out.emplace_back(item);
  }
  return out;
}

}  // namespace hartline::serve
