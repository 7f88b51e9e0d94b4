// The tables of a record, format 2 (docs/record-format.md). A reader compares them to the letter, so a change is a new format.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/trial_names.hpp"

namespace hartline::io {

constexpr std::int64_t record_format = 2;                   // PRAGMA user_version
constexpr std::int64_t record_application_id = 0x4852544C;  // PRAGMA application_id: "HRTL"

/// What stands for an enumerator in the file, by its number; base/trial_names.hpp has the others.
constexpr std::array<std::string_view, 3> station_names = {"requested", "rendered", "delivered"};
constexpr std::array<std::string_view, 3> stimulus_kind_names = {"pool", "array", "pattern"};
constexpr std::array<std::string_view, 2> level_names = {"info", "warning"};
constexpr int num_marks = mark_names.size();

struct TableText {
  std::string_view name;
  std::string_view sql;
};

// Numbers are ANY, not REAL: a REAL column stores whole numbers as integers and would lose the sign of -0.
constexpr TableText record_tables[] = {
    {"info", "CREATE TABLE info (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT"},
    {"version", "CREATE TABLE version (position INTEGER PRIMARY KEY, name TEXT NOT NULL, value TEXT NOT NULL) STRICT"},
    {"trial",
     "CREATE TABLE trial (trial_idx INTEGER NOT NULL, attempt INTEGER NOT NULL, token INTEGER NOT NULL, "
     "arm INTEGER NOT NULL, role TEXT NOT NULL, num_learned INTEGER NOT NULL, "
     "decided_at_ns INTEGER NOT NULL, requested_ns INTEGER NOT NULL, requested_clock TEXT NOT NULL, "
     "utility ANY, units INTEGER NOT NULL, lateness_ms ANY, "
     "observed_at_ns INTEGER, rendered_ns INTEGER, rendered_clock TEXT, delivered_ns INTEGER, delivered_clock TEXT, "
     "answered INTEGER, kind TEXT, num_cells INTEGER, num_bins INTEGER, response BLOB, marks BLOB, reason TEXT, log_evidence ANY, "
     "PRIMARY KEY (trial_idx, attempt)) STRICT"},
    {"stimulus",
     "CREATE TABLE stimulus (trial_idx INTEGER NOT NULL, attempt INTEGER NOT NULL, station TEXT NOT NULL, kind TEXT NOT NULL, "
     "pool_idx INTEGER, content_hash INTEGER, shape TEXT, samples BLOB, "
     "targets TEXT, power_mw BLOB, onset_ms ANY, duration_ms ANY, rate_hz ANY, "
     "covariate_names TEXT, covariates BLOB, "
     "PRIMARY KEY (trial_idx, attempt, station), FOREIGN KEY (trial_idx, attempt) REFERENCES trial) STRICT"},
    {"event",
     "CREATE TABLE event (event_idx INTEGER PRIMARY KEY, trial_idx INTEGER NOT NULL, time_ns INTEGER NOT NULL, "
     "level TEXT NOT NULL, kind TEXT NOT NULL, message TEXT NOT NULL) STRICT"},
    {"array",
     "CREATE TABLE array (name TEXT NOT NULL, num_trials INTEGER NOT NULL, shape TEXT NOT NULL, samples BLOB NOT NULL, "
     "PRIMARY KEY (name, num_trials)) STRICT"},
    {"stage", "CREATE TABLE stage (name TEXT PRIMARY KEY, max_ns INTEGER NOT NULL) STRICT"},
    {"latency",
     "CREATE TABLE latency (stage TEXT NOT NULL REFERENCES stage (name), bin INTEGER NOT NULL, edge_ns ANY NOT NULL, "
     "count INTEGER NOT NULL, PRIMARY KEY (stage, bin)) STRICT"},
    {"document", "CREATE TABLE document (name TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT"},
};

}  // namespace hartline::io
