#include "io/record_reader.hpp"

#include <charconv>
#include <cstring>
#include <tuple>

#include "base/error.hpp"
#include "io/array_size.hpp"
#include "io/json.hpp"
#include "io/record_check.hpp"
#include "io/record_schema.hpp"

namespace hartline::io {

namespace {

[[noreturn]] void refuse(const Database& database, const std::string& got) {
  throw IoError({database.path(), "an intact record", got, "Use a copy of it."});
}

/// A transaction, so that several statements see one state.
class Snapshot {
 public:
  explicit Snapshot(const Database& database) : database_(database) { database.run("BEGIN"); }
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;
  ~Snapshot() {
    try {
      database_.run("COMMIT");
    } catch (const Error&) {
      // Nothing was written; an error in the file was thrown by the statement that met it.
    }
  }

 private:
  const Database& database_;
};

std::vector<double> doubles(const Database& database, Statement& row, const std::string& what) {
  const std::span<const std::byte> bytes = row.bytes();
  if (bytes.size() % sizeof(double) != 0) refuse(database, "the values of " + what + " cut short");
  std::vector<double> out(bytes.size() / sizeof(double));
  if (!out.empty()) std::memcpy(out.data(), bytes.data(), bytes.size());
  return out;
}

List list_of(const Database& database, Statement& row, const std::string& what) {
  try {
    Value value = parse_json(row.text());
    if (List* list = value.list()) return std::move(*list);
  } catch (const SpecError&) {
  }
  refuse(database, what + " that is not a list");
}

std::vector<std::int64_t> whole_numbers(const Database& database, Statement& row, const std::string& what) {
  std::vector<std::int64_t> out;
  for (const Value& item : list_of(database, row, what)) {
    const auto* v = std::get_if<std::int64_t>(&item.is);
    if (!v) refuse(database, what + " with " + std::string(kind_name(item)));
    out.push_back(*v);
  }
  return out;
}

Array array_of(const Database& database, Statement& row, const std::string& what) {
  Array array;
  array.shape = whole_numbers(database, row, "the shape of " + what);
  array.values = doubles(database, row, what);
  if (size_of_shape(array.shape) != array.values.size()) refuse(database, what + " whose values do not fill its shape");
  return array;
}

template <std::size_t count>
int number_of(const Database& database, const std::string& name, const std::array<std::string_view, count>& names) {
  for (std::size_t i = 0; i < count; ++i)
    if (names[i] == name) return static_cast<int>(i);
  refuse(database, "the unknown word \"" + name + "\"");
}

std::string name_of(const Trial& trial) {
  return "trial " + std::to_string(trial.index) + ", attempt " + std::to_string(trial.attempt);
}

/// Reads a row of `stimulus` from the column `kind` on.
Stimulus stimulus_of(const Database& database, Statement& row, const Trial& trial) {
  const std::string what = "the stimulus of " + name_of(trial);
  Stimulus out;
  const auto skip = [&](int count) {
    for (int i = 0; i < count; ++i) row.skip();
  };
  switch (number_of(database, row.text(), stimulus_kind_names)) {
    case 0: {
      const std::int64_t index = row.whole();
      out.what = PoolItem{index, static_cast<std::uint64_t>(row.whole())};
      skip(7);
      break;
    }
    case 1:
      skip(2);
      out.what = array_of(database, row, what);
      skip(5);
      break;
    default: {
      Pattern pattern;
      skip(4);
      pattern.targets = whole_numbers(database, row, "the targets of " + what);
      pattern.power_mw = doubles(database, row, what);
      if (pattern.power_mw.size() != pattern.targets.size()) refuse(database, what + " without one power a target");
      pattern.onset_ms = row.real();
      pattern.duration_ms = row.real();
      pattern.rate_hz = row.real();
      out.what = std::move(pattern);
    }
  }
  if (row.is_null()) return out;
  const List names = list_of(database, row, "covariates of " + name_of(trial));
  const std::vector<double> values = doubles(database, row, "the covariates of " + name_of(trial));
  if (names.size() != values.size()) refuse(database, "covariates without one value a name in " + name_of(trial));
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!names[i].text()) refuse(database, "a covariate without a name in " + name_of(trial));
    out.covariates.emplace_back(*names[i].text(), values[i]);
  }
  return out;
}

/// Fills the three stimuli of a trial; what was not stored equals the requested one.
void read_stimuli(const Database& database, Statement& stimuli, bool observed, Trial& trial) {
  stimuli.restart().add(trial.index).add(trial.attempt);
  bool seen[3] = {};
  Presentation* stations[3] = {&trial.requested, &trial.rendered, &trial.delivered};
  while (stimuli.step()) {
    const int station = number_of(database, stimuli.text(), station_names);
    stations[station]->stimulus = stimulus_of(database, stimuli, trial);
    seen[station] = true;
  }
  if (!seen[0]) refuse(database, name_of(trial) + " without a stimulus");
  for (int station : {1, 2})
    if (observed && !seen[station]) stations[station]->stimulus = trial.requested.stimulus;
}

/// Reads the columns of an observation.
void read_observation(const Database& database, Statement& row, Trial& trial) {
  trial.rendered.time_ns = row.whole();
  trial.rendered.clock = row.text();
  trial.delivered.time_ns = row.whole();
  trial.delivered.clock = row.text();
  trial.answered = row.whole() != 0;
  Response& response = trial.response;
  response.kind = static_cast<ResponseKind>(number_of(database, row.text(), response_kind_names));
  response.num_cells = row.whole();
  response.num_bins = row.whole();
  const std::string what = "the response of " + name_of(trial);
  response.values = doubles(database, row, what);
  const bool has_values = trial.answered || !response.values.empty();
  if (has_values && size_of_shape({response.num_cells, response.num_bins}) != response.values.size())
    refuse(database, what + " whose values do not fill its shape");
  if (row.is_null()) {
    row.skip();
  } else {
    for (const std::byte mark : row.bytes()) {
      if (std::to_integer<int>(mark) >= num_marks) refuse(database, what + " with an unknown mark");
      response.marks.push_back(static_cast<Mark>(mark));
    }
    if (response.marks.size() != response.values.size()) refuse(database, what + " without one mark a value");
  }
  response.reason = row.text();
  trial.log_evidence = row.real();
}

template <class Number>
Number number_of_text(const Database& database, const std::string& key, const std::string& text) {
  Number out{};
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || stop != text.data() + text.size()) refuse(database, "the " + key + " \"" + text + "\"");
  return out;
}

}  // namespace

RecordReader::RecordReader(const std::string& path, const std::string& vfs) : database_(path, Access::read, vfs) {
  check_record(database_);
}

RecordInfo RecordReader::info() const {
  const Snapshot snapshot(database_);
  Statement statement(database_, "SELECT value FROM info WHERE key = ?");
  const auto get = [&](const std::string& key) {
    statement.restart().add_text(key);
    if (!statement.step()) refuse(database_, "no entry \"" + key + "\"");
    return statement.text();
  };
  RecordInfo out;
  out.configuration = get("configuration");
  out.durability = get("durability");
  out.seed = number_of_text<std::uint64_t>(database_, "seed", get("seed"));
  out.host = get("host");
  out.started_ns = number_of_text<std::int64_t>(database_, "started_ns", get("started_ns"));
  Statement versions(database_, "SELECT name, value FROM version ORDER BY position");
  while (versions.step()) {
    std::string name = versions.text();
    out.versions.emplace_back(std::move(name), versions.text());
  }
  return out;
}

std::int64_t RecordReader::num_trials() const {
  return database_.number("SELECT count(DISTINCT trial_idx) FROM trial WHERE observed_at_ns IS NOT NULL");
}

void RecordReader::for_each_trial(const Visitor& visit, std::int64_t first_trial) const {
  const Snapshot snapshot(database_);
  Statement row(database_,
                "SELECT trial_idx, attempt, token, arm, role, num_learned, decided_at_ns, requested_ns, requested_clock, utility, units, "
                "lateness_ms, "
                "observed_at_ns, rendered_ns, rendered_clock, delivered_ns, delivered_clock, answered, kind, num_cells, num_bins, "
                "response, marks, reason, log_evidence FROM trial WHERE trial_idx >= ? ORDER BY trial_idx, attempt");
  Statement stimuli(database_,
                    "SELECT station, kind, pool_idx, content_hash, shape, samples, targets, power_mw, onset_ms, duration_ms, "
                    "rate_hz, covariate_names, covariates FROM stimulus WHERE trial_idx = ? AND attempt = ?");
  row.restart().add(first_trial);
  bool first = true;
  std::pair<std::int64_t, std::int64_t> before;
  while (row.step()) {
    Trial trial;
    TrialTimes times;
    trial.index = row.whole();
    trial.attempt = row.whole();
    // A damaged index can lead through the same rows for ever.
    if (!first && std::pair(trial.index, trial.attempt) <= before) refuse(database_, "trials out of order");
    first = false;
    before = {trial.index, trial.attempt};
    trial.token = static_cast<std::uint64_t>(row.whole());
    trial.arm = row.whole();
    trial.role = static_cast<Role>(number_of(database_, row.text(), role_names));
    trial.num_learned = row.whole();
    times.decided_at_ns = row.whole();
    trial.requested.time_ns = row.whole();
    trial.requested.clock = row.text();
    trial.utility = row.real();
    trial.units = row.whole();
    trial.lateness_ms = row.real();
    const bool observed = !row.is_null();
    if (observed) {
      times.observed_at_ns = row.whole();
      read_observation(database_, row, trial);
    }
    read_stimuli(database_, stimuli, observed, trial);
    visit(trial, times);
  }
}

std::vector<Event> RecordReader::events() const {
  Statement row(database_, "SELECT trial_idx, time_ns, level, kind, message FROM event ORDER BY event_idx");
  std::vector<Event> out;
  while (row.step()) {
    Event event;
    event.trial = row.whole();
    event.time_ns = row.whole();
    event.level = static_cast<Level>(number_of(database_, row.text(), level_names));
    event.kind = row.text();
    event.message = row.text();
    out.push_back(std::move(event));
  }
  return out;
}

std::vector<std::string> RecordReader::array_names() const {
  Statement row(database_, "SELECT DISTINCT name FROM array ORDER BY name");
  std::vector<std::string> out;
  while (row.step()) out.push_back(row.text());
  return out;
}

std::vector<std::pair<std::int64_t, Array>> RecordReader::arrays(const std::string& name) const {
  Statement row(database_, "SELECT num_trials, shape, samples FROM array WHERE name = ? ORDER BY num_trials");
  row.restart().add_text(name);
  std::vector<std::pair<std::int64_t, Array>> out;
  while (row.step()) {
    const std::int64_t num_trials = row.whole();
    out.emplace_back(num_trials, array_of(database_, row, "the array \"" + name + "\""));
  }
  return out;
}

std::vector<std::pair<std::string, Histogram>> RecordReader::latency() const {
  const Snapshot snapshot(database_);
  std::vector<std::pair<std::string, Histogram>> out;
  Statement stage(database_, "SELECT name, max_ns FROM stage ORDER BY name");
  Statement row(database_, "SELECT bin, count FROM latency WHERE stage = ? ORDER BY bin");
  while (stage.step()) {
    std::string name = stage.text();
    const std::int64_t max_ns = stage.whole();
    Histogram histogram;
    row.restart().add_text(name);
    while (row.step()) {
      const std::int64_t bin = row.whole();
      const std::int64_t count = row.whole();
      if (bin < 0 || bin >= Histogram::num_bins || count < 0 || count > (std::int64_t{1} << 52))
        refuse(database_, "a latency histogram with a bin that cannot be");
      histogram.set(static_cast<int>(bin), count, max_ns);
    }
    out.emplace_back(std::move(name), histogram);
  }
  return out;
}

std::vector<std::pair<std::string, std::string>> RecordReader::documents() const {
  Statement row(database_, "SELECT name, text FROM document ORDER BY name");
  std::vector<std::pair<std::string, std::string>> out;
  while (row.step()) {
    std::string name = row.text();
    out.emplace_back(std::move(name), row.text());
  }
  return out;
}

}  // namespace hartline::io
