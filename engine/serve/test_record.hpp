// A record of a run, made for a test, and what it holds.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "io/record_reader.hpp"
#include "io/run_record.hpp"
#include "io/temporary_folder.hpp"
#include "io/toml.hpp"
#include "loop/run.hpp"
#include "serve/report.hpp"

namespace hartline::serve {

inline const Value& at(const Value& value, std::string_view key) { return *value.table()->find(key); }
inline double number(const Value& value) {
  if (const auto* whole = std::get_if<std::int64_t>(&value.is)) return static_cast<double>(*whole);
  return std::get<double>(value.is);
}
inline std::vector<double> numbers_of(const Value& list) {
  std::vector<double> out;
  for (const Value& value : *list.list()) out.push_back(number(value));
  return out;
}

/// A run of the experiment that `text` describes, with seed 1, and its report.
struct Recorded {
  explicit Recorded(const std::string& text)
      : executor(make_serial_executor()),
        experiment(loop::build(loop::read_spec(io::parse_toml(text, "t"), "t"), "", 1, *executor)),
        path(folder / "run.hartline") {
    io::RecordInfo info;
    info.configuration = to_toml(loop::resolved(experiment->spec));
    info.durability = "window:100";
    info.seed = 1;
    const auto record = io::RunRecord::create(path, info);
    const SteadyClock clock;
    loop::Run run(*experiment, *record, clock);
    run.go();
    run.finish();
    document = report_document(path, *executor);
    io::RecordReader(path).for_each_trial([&](const Trial& trial, const io::TrialTimes&) { trials.push_back(trial); });
  }

  io::RecordReader reader() const { return io::RecordReader(path); }
  std::span<const double> shown(const Trial& trial) const { return experiment->values(trial.delivered.stimulus, trial.index); }

  io::TemporaryFolder folder;
  std::unique_ptr<Executor> executor;
  std::unique_ptr<loop::Experiment> experiment;
  std::string path;
  Value document;
  std::vector<Trial> trials;
};

}  // namespace hartline::serve
