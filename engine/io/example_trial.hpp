// Example trials for tests: every kind of stimulus, response and mark in turn.
#pragma once

#include <bit>
#include <string>

#include "io/record_reader.hpp"
#include "io/run_record.hpp"

namespace hartline::io {

inline RecordInfo example_info() {
  return {"seed = 7\n\n[model]\nlink = \"exp\"\n",
          {{"hartline", "0.1.0"}, {"SQLite", "3.40.1"}},
          "every-trial",
          ~std::uint64_t{0},
          "rig-2",
          1700000000123456789};
}

/// A trial whose kinds follow from its index.
inline Trial example_trial(int index) {
  const auto x = static_cast<double>(index);
  Trial trial;
  trial.index = index;
  trial.token = 0x8000000000000000u + static_cast<std::uint64_t>(index);
  Stimulus& stimulus = trial.requested.stimulus;
  switch (index % 4) {
    case 0:
      stimulus.what = PoolItem{index, 0xfedcba9876543210u};
      break;
    case 1:
      stimulus.what = Array{{2, 3}, {x, 0.1, -0.0, 1e300, 5e-324, -x}};
      break;
    default:
      stimulus.what = Pattern{{4, 2, 9}, {1.5, x, 0.25}, 10, 2.5, 40};
      break;
  }
  if (index % 2 == 1) stimulus.covariates = {{"running \"cm/s\"", 0.5 * x}, {"pupil", -0.0}};
  trial.requested.time_ns = 1000 * index;
  trial.requested.clock = "host";
  trial.rendered = trial.requested;
  trial.rendered.time_ns += 10;
  if (index % 4 == 1) trial.rendered.stimulus.what = Array{{6}, {x, 0, 0.5, 255, 5, -x}};
  trial.delivered = trial.rendered;
  trial.delivered.time_ns += 100;
  trial.delivered.clock = "display";
  Response& response = trial.response;
  response.kind = static_cast<ResponseKind>(index % 4);
  response.num_cells = 2;
  response.num_bins = 2;
  response.values = {x, 0.5, 1, 2};
  if (index % 3 == 2) {
    response.marks = {Mark::observed, Mark::missing, Mark::censored, Mark::blanked};
    response.reason = "sorting failed";
  }
  trial.arm = index % 2;
  trial.role = static_cast<Role>(index % 3);
  trial.num_learned = index - index % 2;
  trial.answered = true;
  trial.utility = 0.1 * x;
  trial.units = 100 + index;
  trial.lateness_ms = index % 5 == 4 ? 0.3 : 0;
  trial.log_evidence = -1.25 * x;
  return trial;
}

/// Creates a finished record with trials 0 … num_trials - 1, an event, an array, a latency histogram and a document.
inline void write_example(const std::string& path, int num_trials) {
  {
    const auto record = RunRecord::create(path, example_info());
    for (int i = 0; i < num_trials; ++i) {
      record->decide(example_trial(i));
      record->observe(example_trial(i));
    }
    record->note({num_trials, 5, Level::warning, "deadline", "missed"});
    record->put("mean", num_trials, Array{{2, 2}, {1, 2, 3, 4}});
    Histogram histogram;
    histogram.add(1500);
    record->put_latency("choose", histogram);
    record->flush();
  }
  write_document(path, "notes", "a text");
}

/// All attempts of all trials in a record.
inline std::vector<Trial> trials_of(const std::string& path) {
  std::vector<Trial> out;
  RecordReader(path).for_each_trial([&](const Trial& trial, const TrialTimes&) { out.push_back(trial); });
  return out;
}

/// Everything in a trial as text, doubles bit for bit, for comparison and for messages of tests.
inline std::string text_of(const Trial& trial) {
  std::string out;
  const auto add = [&](const auto& v) { (out += std::to_string(v)) += ' '; };
  const auto add_double = [&](double v) { add(v == v ? std::bit_cast<std::uint64_t>(v) : 0); };
  add(trial.index);
  add(trial.attempt);
  add(trial.token);
  add(trial.arm);
  add(static_cast<int>(trial.role));
  add(trial.num_learned);
  for (const Presentation* station : {&trial.requested, &trial.rendered, &trial.delivered}) {
    add(station->time_ns);
    (out += station->clock) += '|';
    const Stimulus& stimulus = station->stimulus;
    add(stimulus.what.index());
    if (const auto* item = std::get_if<PoolItem>(&stimulus.what)) {
      add(item->index);
      add(item->content_hash);
    } else if (const auto* array = std::get_if<Array>(&stimulus.what)) {
      for (std::int64_t n : array->shape) add(n);
      for (double v : array->values) add_double(v);
    } else {
      const auto& pattern = std::get<Pattern>(stimulus.what);
      for (std::int64_t n : pattern.targets) add(n);
      for (double v : pattern.power_mw) add_double(v);
      for (double v : {pattern.onset_ms, pattern.duration_ms, pattern.rate_hz}) add_double(v);
    }
    for (const auto& [name, value] : stimulus.covariates) {
      out += name + '=';
      add_double(value);
    }
  }
  add(trial.answered);
  add(static_cast<int>(trial.response.kind));
  add(trial.response.num_cells);
  add(trial.response.num_bins);
  for (double v : trial.response.values) add_double(v);
  for (Mark mark : trial.response.marks) add(static_cast<int>(mark));
  out += trial.response.reason + '|';
  for (double v : {trial.utility, trial.lateness_ms, trial.log_evidence}) add_double(v);
  add(trial.units);
  return out;
}

}  // namespace hartline::io
