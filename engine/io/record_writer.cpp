#include "io/record_writer.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/error.hpp"
#include "io/file.hpp"
#include "io/json.hpp"
#include "io/record_check.hpp"
#include "io/record_schema.hpp"

namespace hartline::io {

static_assert(std::endian::native == std::endian::little, "arrays are stored as little-endian bytes");

namespace {

/// The log is moved into the file when it is longer; 4 MB.
constexpr int max_log_pages = 1000;

std::string list_text(const std::vector<std::int64_t>& numbers) {
  List list;
  for (std::int64_t n : numbers) list.emplace_back(n);
  return to_json(list);
}

bool same_bits(double a, double b) { return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b); }

bool same_bits(const std::vector<double>& a, const std::vector<double>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0);
}

bool same_bits(const PoolItem& a, const PoolItem& b) { return a == b; }
bool same_bits(const Array& a, const Array& b) { return a.shape == b.shape && same_bits(a.values, b.values); }
bool same_bits(const Pattern& a, const Pattern& b) {
  return a.targets == b.targets && same_bits(a.power_mw, b.power_mw) && same_bits(a.onset_ms, b.onset_ms) &&
         same_bits(a.duration_ms, b.duration_ms) && same_bits(a.rate_hz, b.rate_hz);
}

/// Equality that also tells -0 from 0 and holds for equal NaN, so that what is left out can be put back exactly.
bool same_bits(const Stimulus& a, const Stimulus& b) {
  if (a.what.index() != b.what.index() || a.covariates.size() != b.covariates.size()) return false;
  for (std::size_t i = 0; i < a.covariates.size(); ++i)
    if (a.covariates[i].first != b.covariates[i].first || !same_bits(a.covariates[i].second, b.covariates[i].second)) return false;
  return std::visit([&](const auto& what) { return same_bits(what, std::get<std::decay_t<decltype(what)>>(b.what)); }, a.what);
}

void write_info(const Database& database, const RecordInfo& info) {
  Statement statement(database, "INSERT INTO info VALUES (?, ?)");
  const auto put = [&](std::string_view key, std::string_view value) { statement.restart().add_text(key).add_text(value).run(); };
  put("configuration", info.configuration);
  put("durability", info.durability);
  put("seed", std::to_string(info.seed));
  put("host", info.host);
  put("started_ns", std::to_string(info.started_ns));
  Statement version(database, "INSERT INTO version VALUES (?, ?, ?)");
  for (std::size_t i = 0; i < info.versions.size(); ++i)
    version.restart().add(static_cast<std::int64_t>(i)).add_text(info.versions[i].first).add_text(info.versions[i].second).run();
}

/// A file left under construction, with SQLite's own files beside it.
void remove_unfinished(const std::string& path) {
  for (const char* suffix : {"", "-journal", "-wal", "-shm"}) ::unlink((path + suffix).c_str());
}

std::string read_durability(const Database& database) {
  Statement statement(database, "SELECT value FROM info WHERE key = 'durability'");
  return statement.step() ? statement.text() : "";
}

/// The database as a record that is intact and of this format.
void check_before_writing(const Database& database) {
  check_record(database);
  Statement statement(database, "PRAGMA quick_check(1)");
  const std::string verdict = statement.step() ? statement.text() : "";
  if (verdict != "ok") throw IoError({database.path(), "an intact record", "a damaged one: " + verdict, "Use a copy of it."});
}

}  // namespace

void create_record_file(const std::string& path, const RecordInfo& info, const std::string& vfs) {
  window_of(info.durability);
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0)
    throw IoError({path, "a new file", "one that exists", "Continue that run with `hartline resume`, or choose another name."});
  const std::string unfinished = path + "-new";
  remove_unfinished(unfinished);
  try {
    const Database database(unfinished, Access::create, vfs);
    database.run("PRAGMA application_id = " + std::to_string(record_application_id) +
                 "; PRAGMA user_version = " + std::to_string(record_format) + "; BEGIN IMMEDIATE");
    for (const TableText& table : record_tables) database.run(std::string(table.sql));
    write_info(database, info);
    database.run("COMMIT");
  } catch (Error& error) {
    remove_unfinished(unfinished);
    // The person knows the record by its own name.
    if (error.fault.path == unfinished && dynamic_cast<IoError*>(&error))
      throw IoError({path, error.fault.requirement, error.fault.got, error.fault.hint});
    throw;
  }
  if (::rename(unfinished.c_str(), path.c_str()) != 0) {
    const int reason = errno;
    remove_unfinished(unfinished);
    refuse_file(path, "in a folder that may be written", reason, "");
  }
  sync_folder_of(path);
}

RecordWriter::RecordWriter(const std::string& path, const std::string& vfs)
    : database_(path, Access::write, vfs),
      durability_((check_before_writing(database_), read_durability(database_))),
      begin_(database_, "BEGIN IMMEDIATE"),
      commit_(database_, "COMMIT"),
      decide_(database_,
              "INSERT INTO trial (trial_idx, attempt, token, arm, role, num_learned, decided_at_ns, requested_ns, requested_clock, "
              "utility, units, lateness_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
      observe_(database_,
               "UPDATE trial SET observed_at_ns = ?, rendered_ns = ?, rendered_clock = ?, delivered_ns = ?, "
               "delivered_clock = ?, answered = ?, kind = ?, num_cells = ?, num_bins = ?, response = ?, marks = ?, "
               "reason = ?, log_evidence = ? WHERE trial_idx = ? AND attempt = ?"),
      stimulus_(database_, "INSERT OR REPLACE INTO stimulus VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
      drop_stimulus_(database_, "DELETE FROM stimulus WHERE trial_idx = ? AND attempt = ? AND station = ?"),
      note_(database_, "INSERT INTO event (trial_idx, time_ns, level, kind, message) VALUES (?, ?, ?, ?, ?)"),
      put_(database_, "INSERT OR REPLACE INTO array VALUES (?, ?, ?, ?)"),
      stage_(database_, "INSERT INTO stage VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET max_ns = excluded.max_ns"),
      drop_latency_(database_, "DELETE FROM latency WHERE stage = ?"),
      latency_(database_, "INSERT INTO latency VALUES (?, ?, ?, ?)"),
      document_(database_, "INSERT OR REPLACE INTO document VALUES (?, ?)") {
  database_.use_log();
}

void RecordWriter::begin() {
  if (in_transaction_) return;
  begin_.restart().run();
  in_transaction_ = true;
}

void RecordWriter::commit() {
  if (!in_transaction_) return;
  commit_.restart().run();
  in_transaction_ = false;
}

void RecordWriter::shorten_log() {
  if (!in_transaction_ && database_.num_log_pages() > max_log_pages) database_.checkpoint();
}

void RecordWriter::abandon() noexcept { database_.keep_log_on_close(); }

void RecordWriter::finish() {
  database_.set_patience_ms(0);
  try {
    database_.run("PRAGMA journal_mode = DELETE");
  } catch (const Error&) {
    // A reader has it open: the log stays beside the file, complete and readable.
  }
}

void RecordWriter::put_stimulus(const Trial& trial, int station, const Stimulus& stimulus) {
  stimulus_.restart().add(trial.index).add(trial.attempt).add_text(station_names[static_cast<std::size_t>(station)]);
  stimulus_.add_text(stimulus_kind_names[stimulus.what.index()]);
  const auto nulls = [&](int count) {
    for (int i = 0; i < count; ++i) stimulus_.add_null();
  };
  if (const auto* item = std::get_if<PoolItem>(&stimulus.what)) {
    stimulus_.add(item->index).add(static_cast<std::int64_t>(item->content_hash));
    nulls(7);
  } else if (const auto* array = std::get_if<Array>(&stimulus.what)) {
    nulls(2);
    stimulus_.add_text(list_text(array->shape)).add_doubles(array->values);
    nulls(5);
  } else {
    const auto& pattern = std::get<Pattern>(stimulus.what);
    nulls(4);
    stimulus_.add_text(list_text(pattern.targets)).add_doubles(pattern.power_mw);
    stimulus_.add_real(pattern.onset_ms).add_real(pattern.duration_ms).add_real(pattern.rate_hz);
  }
  std::vector<double> covariates;
  if (stimulus.covariates.empty()) {
    nulls(2);
  } else {
    List names;
    for (const auto& [name, value] : stimulus.covariates) {
      names.emplace_back(name);
      covariates.push_back(value);
    }
    stimulus_.add_text(to_json(names)).add_doubles(covariates);
  }
  stimulus_.run();
}

void RecordWriter::decide(const Trial& trial, std::int64_t wall_ns) {
  begin();
  decide_.restart().add(trial.index).add(trial.attempt).add(static_cast<std::int64_t>(trial.token));
  decide_.add(trial.arm).add_text(name_of(trial.role)).add(trial.num_learned).add(wall_ns);
  decide_.add(trial.requested.time_ns).add_text(trial.requested.clock);
  decide_.add_real(trial.utility).add(trial.units).add_real(trial.lateness_ms).run();
  put_stimulus(trial, 0, trial.requested.stimulus);
}

void RecordWriter::observe(const Trial& trial, std::int64_t wall_ns) {
  begin();
  const Response& response = trial.response;
  observe_.restart().add(wall_ns).add(trial.rendered.time_ns).add_text(trial.rendered.clock);
  observe_.add(trial.delivered.time_ns).add_text(trial.delivered.clock).add(trial.answered ? 1 : 0);
  observe_.add_text(name_of(response.kind)).add(response.num_cells).add(response.num_bins);
  observe_.add_doubles(response.values);
  if (response.marks.empty())
    observe_.add_null();
  else
    observe_.add_bytes(std::as_bytes(std::span(response.marks)));
  observe_.add_text(response.reason).add_real(trial.log_evidence).add(trial.index).add(trial.attempt).run();
  if (database_.num_changed() != 1)
    throw InternalError("trial " + std::to_string(trial.index) + ", attempt " + std::to_string(trial.attempt) +
                        ", was observed before it was decided.");
  // What equals the requested stimulus is not stored again.
  const auto put_or_drop = [&](int station, const Stimulus& stimulus) {
    drop_stimulus_.restart().add(trial.index).add(trial.attempt).add_text(station_names[static_cast<std::size_t>(station)]).run();
    if (!same_bits(stimulus, trial.requested.stimulus)) put_stimulus(trial, station, stimulus);
  };
  put_or_drop(1, trial.rendered.stimulus);
  put_or_drop(2, trial.delivered.stimulus);
}

void RecordWriter::note(const Event& event) {
  begin();
  note_.restart().add(event.trial).add(event.time_ns).add_text(level_names[static_cast<std::size_t>(event.level)]);
  note_.add_text(event.kind).add_text(event.message).run();
}

void RecordWriter::put(std::string_view name, std::int64_t num_trials, const Array& array) {
  begin();
  put_.restart().add_text(name).add(num_trials).add_text(list_text(array.shape)).add_doubles(array.values).run();
}

void RecordWriter::put_latency(std::string_view stage, const Histogram& histogram) {
  begin();
  stage_.restart().add_text(stage).add(histogram.max_ns()).run();
  drop_latency_.restart().add_text(stage).run();
  for (int bin = 0; bin < Histogram::num_bins; ++bin)
    if (const std::int64_t count = histogram.count_in(bin); count > 0)
      latency_.restart().add_text(stage).add(bin).add_real(Histogram::edge_ns(bin)).add(count).run();
}

void RecordWriter::put_document(std::string_view name, std::string_view text) {
  begin();
  document_.restart().add_text(name).add_text(text).run();
}

}  // namespace hartline::io
