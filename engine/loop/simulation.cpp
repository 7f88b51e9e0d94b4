#include "loop/simulation.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <deque>
#include <filesystem>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "dynamics/run.hpp"
#include "io/file.hpp"
#include "io/json.hpp"
#include "io/npy_stream.hpp"
#include "loop/checkpoint.hpp"
#include "loop/library.hpp"
#include "loop/stimuli.hpp"

namespace hartline::loop {

namespace {

namespace fs = std::filesystem;

/// Rows into a file.
class FileSink final : public dynamics::Sink {
 public:
  FileSink(const std::string& path, std::size_t num_columns) : stream_(path, num_columns) {}
  void put(std::span<const double> row) override { stream_.put(row); }
  void close() { stream_.close(); }
  std::size_t num_rows() const { return stream_.num_rows(); }

 private:
  io::NpyStream stream_;
};

/// Hands on to a sink that is made once the columns are known.
class LateSink final : public dynamics::Sink {
 public:
  void put(std::span<const double> row) override { file->put(row); }
  std::unique_ptr<FileSink> file;
};

/// Counts spikes of a group.
struct Counted {
  std::string name;
  dynamics::Program::EventPlace place;
  std::int64_t num = 0;
};

struct Recording {
  std::string name;
  RecordingSpec spec;
  LateSink sink;
  std::unique_ptr<dynamics::Recorder> recorder;
};

dynamics::NetworkSpec network_of(SimulationSpec spec) {
  dynamics::NetworkSpec out;
  out.dt_ms = spec.dt_ms;
  out.precision = spec.precision;
  Table network;
  network.set("neurons", std::move(spec.neurons));
  network.set("synapses", std::move(spec.synapses));
  take_from_library(network);
  out.neurons = std::move(*network.find("neurons")->table());
  out.synapses = std::move(*network.find("synapses")->table());
  out.inputs = std::move(spec.inputs);
  out.arrays = std::move(spec.arrays);
  return out;
}

SimulationSpec read_simulation(const Table& document, const std::string& file) {
  SimulationSpec spec;
  read_table(document, {"", file}, spec);
  return spec;
}

std::int64_t steps_of(double ms, double dt_ms, const std::string& path) {
  const double steps = ms / dt_ms;
  const double whole = std::nearbyint(steps);
  if (std::abs(steps - whole) > 1e-6 * std::max(1.0, whole) || whole < 1)
    throw SpecError({path, fmt::format("a multiple of dt_ms = {}", number_text(dt_ms)), number_text(ms) + " ms", ""});
  return static_cast<std::int64_t>(whole);
}

/// Recorders of the table `record`; files are made in the folder unless that is empty.
std::deque<Recording> recordings(const SimulationSpec& spec, const dynamics::Program& program, const std::string& file,
                                 const std::string& folder) {
  std::deque<Recording> out;
  for (const auto& [name, value] : spec.record.items) {
    const std::string at = "record." + name;
    if (!value.table()) throw SpecError({at, "a table", display(value), ""});
    RecordingSpec one;
    read_table(*value.table(), {at, file}, one);
    Recording& recording = out.emplace_back();
    recording.name = name;
    recording.spec = one;
    recording.recorder = make_recorder(program, one, at, recording.sink);
    if (!folder.empty())
      recording.sink.file =
          std::make_unique<FileSink>((fs::path(folder) / (name + ".npy")).string(), recording.recorder->columns().size());
  }
  return out;
}

}  // namespace

std::unique_ptr<dynamics::Recorder> make_recorder(const dynamics::Program& program, const RecordingSpec& spec,
                                                  const std::string& at, dynamics::Sink& sink) {
  const int kinds =
      static_cast<int>(!spec.spikes.empty()) + static_cast<int>(!spec.values.empty()) + static_cast<int>(!spec.rate.empty());
  if (kinds != 1) throw SpecError({at, "one of spikes, values and rate", fmt::format("{} of them", kinds), ""});
  const std::int64_t every = spec.every_ms ? steps_of(*spec.every_ms, program.dt_s() * 1e3, at + ".every_ms") : 1;
  try {
    if (!spec.spikes.empty()) return dynamics::record_events(program, spec.spikes, sink);
    if (!spec.values.empty()) return dynamics::record_quantities(program, spec.values, spec.which, every, sink);
    return dynamics::record_rate(program, spec.rate, every, sink);
  } catch (const SpecError& error) {
    throw SpecError({at + "." + error.fault.path, error.fault.requirement, error.fault.got, error.fault.hint});
  }
}

void check_simulation(const Table& document, const std::string& file) {
  const SimulationSpec spec = read_simulation(document, file);
  steps_of(spec.duration_ms, spec.dt_ms, "duration_ms");
  const dynamics::Program program(network_of(spec), static_cast<std::uint64_t>(spec.seed));
  recordings(spec, program, file, "");
}

Table simulate(const Table& document, const std::string& file, const std::string& folder, Executor& executor,
               const std::function<void(double done_ms)>& progress, const std::atomic<bool>* stop) {
  const auto begun = std::chrono::steady_clock::now();
  const auto seconds = [](auto from) { return std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count(); };
  const SimulationSpec spec = read_simulation(document, file);
  const std::int64_t num_steps = steps_of(spec.duration_ms, spec.dt_ms, "duration_ms");
  const dynamics::Program program(network_of(spec), static_cast<std::uint64_t>(spec.seed));
  fs::create_directories(folder);
  std::deque<Recording> recorded = recordings(spec, program, file, folder);
  std::vector<dynamics::Recorder*> recorders;
  for (Recording& recording : recorded) recorders.push_back(recording.recorder.get());
  std::vector<Counted> counted;
  for (const dynamics::Group& group : program.groups())
    if (group.spikes) counted.push_back({group.name, program.event(group.name), 0});

  dynamics::State state =
      spec.begin.empty() ? program.start() : read_state(in_folder(fs::path(file).parent_path().string(), spec.begin), program);
  const double begun_s = program.time_s(state);
  const double build_s = seconds(begun);
  const auto started = std::chrono::steady_clock::now();
  // spikes are counted and progress is told between steps
  struct Watch final : dynamics::Recorder {
    std::vector<Counted>* counted = nullptr;
    const std::function<void(double)>* progress = nullptr;
    std::vector<std::string> none;
    void observe(const dynamics::Program& p, const dynamics::State& s) override {
      for (Counted& one : *counted) one.num += static_cast<std::int64_t>(p.happened(s, one.place).size());
      if (*progress && s.step() % 256 == 0) (*progress)(p.time_s(s) * 1e3);
    }
    const std::vector<std::string>& columns() const override { return none; }
  } watch;
  watch.counted = &counted;
  watch.progress = &progress;
  recorders.push_back(&watch);
  const auto finish = [&] {
    for (Recording& recording : recorded) recording.sink.file->close();
    if (!spec.keep.empty()) write_state((fs::path(folder) / spec.keep).string(), state);
  };
  dynamics::Pace pace;
  try {
    if (spec.speed)
      pace = dynamics::run_paced(program, state, num_steps, *spec.speed, SteadyClock(), executor, recorders, {}, stop);
    else
      dynamics::run(program, state, num_steps, executor, recorders, stop);
  } catch (const RunError& error) {  // what has been recorded is there, and the last good state
    finish();
    Fault fault = error.fault;
    if (!spec.keep.empty() && !spec.speed)
      fault.hint += fmt::format(" The last good state, at {} ms, is in {}.", number_text(program.time_s(state) * 1e3), spec.keep);
    throw RunError(std::move(fault));
  }
  const double run_s = seconds(started);
  finish();

  const double simulated_s = program.time_s(state) - begun_s;
  Table out, groups, synapses, files;
  out.set("format", 1);
  out.set("title", spec.title);
  out.set("simulated_ms", simulated_s * 1e3);
  if (begun_s > 0) out.set("begun_ms", begun_s * 1e3);
  out.set("build_s", build_s);
  out.set("run_s", run_s);
  out.set("times_real_time", simulated_s / run_s);
  if (stop && *stop) out.set("interrupted", true);
  for (const dynamics::Group& group : program.groups()) {
    Table one;
    one.set("num", static_cast<std::int64_t>(group.num));
    one.set("method", std::string(equations::name_of(group.method)));
    one.set("because", group.reason);
    for (const Counted& count : counted)
      if (count.name == group.name) {
        one.set("spikes", count.num);
        one.set("mean_rate_hz", static_cast<double>(count.num) / static_cast<double>(group.num) / simulated_s);
      }
    groups.set(group.name, one);
  }
  for (const dynamics::Synapses& s : program.synapses()) {
    Table one;
    one.set("num", static_cast<std::int64_t>(s.num));
    if (!s.reason.empty()) one.set("because", s.reason);
    synapses.set(s.name, one);
  }
  for (const Recording& recording : recorded) {
    Table one;
    one.set("file", recording.name + ".npy");
    one.set("rows", static_cast<std::int64_t>(recording.sink.file->num_rows()));
    List columns;
    for (const std::string& column : recording.recorder->columns()) columns.emplace_back(column);
    one.set("columns", columns);
    List units;
    for (const std::string& column : recording.recorder->columns())
      units.emplace_back(column == "time_ms"              ? "ms"
                         : !recording.spec.spikes.empty() ? ""
                         : !recording.spec.rate.empty()   ? "Hz"
                                                          : program.port(column.substr(0, column.find('['))).unit_text);
    one.set("units", units);
    const std::string& of = recording.spec.spikes.empty() ? recording.spec.rate : recording.spec.spikes;
    if (!of.empty()) one.set("of", of);
    files.set(recording.name, one);
  }
  out.set("neurons", groups);
  if (!synapses.items.empty()) out.set("synapses", synapses);
  if (!files.items.empty()) out.set("record", files);
  if (spec.speed) {
    Table kept;
    kept.set("steps", pace.num_steps);
    kept.set("missed", pace.num_missed);
    kept.set("late_p50_us", pace.lateness.percentile_ns(0.5) * 1e-3);
    kept.set("late_p99_us", pace.lateness.percentile_ns(0.99) * 1e-3);
    kept.set("late_most_us", static_cast<double>(pace.lateness.max_ns()) * 1e-3);
    List histogram;
    for (int bin = 0; bin < Histogram::num_bins; ++bin)
      if (pace.lateness.count_in(bin) > 0) {
        Table row;
        row.set("from_us", Histogram::edge_ns(bin) * 1e-3);
        row.set("steps", pace.lateness.count_in(bin));
        histogram.emplace_back(row);
      }
    kept.set("lateness", histogram);
    out.set("pace", kept);
  }
  io::write_text((fs::path(folder) / "summary.json").string(), io::to_json(out));
  return out;
}

}  // namespace hartline::loop
