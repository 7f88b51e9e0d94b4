// Spike times that others found (spike_times/*.toml, each with its source): every file is a network and the times expected of it.
#include <gtest/gtest.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <optional>

#include "../proof/proof.hpp"
#include "base/describe.hpp"
#include "dynamics/run.hpp"
#include "io/toml.hpp"
#include "loop/library.hpp"

namespace hartline {
namespace {

namespace fs = std::filesystem;

/// A table of `cases`: spikes of a group, or where a value comes to a level from below or has a peak. Such a time is that of the
/// last sample before, as spikes have the time at which their step begins.
struct CaseSpec {
  std::string spikes, value;
  std::int64_t neuron = 0;
  std::optional<double> level;
  bool peaks = false;
  std::vector<double> times_ms;
  std::vector<std::int64_t> which;
  std::int64_t num = 0, samples = 0;
  std::optional<double> relative, absolute_ms;

  template <class Field>
  static void describe(Field&& field) {
    field("spikes", &CaseSpec::spikes, "", any(), "group");
    field("value", &CaseSpec::value, "", any(), "port");
    field("neuron", &CaseSpec::neuron, "", at_least(0), "of that port");
    field("level", &CaseSpec::level, "", any(), "that it comes to from below, in the port's unit");
    field("peaks", &CaseSpec::peaks, "", any(), "its peaks instead");
    field("times_ms", &CaseSpec::times_ms, "ms", required(non_negative()), "expected");
    field("which", &CaseSpec::which, "", at_least(0), "of all times these are expected ones; absent: all");
    field("num", &CaseSpec::num, "", at_least(1), "how many there are in all; absent: as many as expected");
    field("samples", &CaseSpec::samples, "", at_least(0), "steps by which the record of the source is late, allowed besides");
    field("relative", &CaseSpec::relative, "", positive(),
          "tolerance of each time, of that time; and 1e-8 ms, as NumPy's allclose");
    field("absolute_ms", &CaseSpec::absolute_ms, "ms", positive(), "tolerance of each time");
  }
};

/// A table of `changes`: a port is written before the step that begins then.
struct ChangeSpec {
  double at_ms = 0, to = 0;
  std::string port;

  template <class Field>
  static void describe(Field&& field) {
    field("at_ms", &ChangeSpec::at_ms, "ms", required(non_negative()), "when");
    field("port", &ChangeSpec::port, "", required(), "what");
    field("to", &ChangeSpec::to, "", required(), "in the port's unit");
  }
};

struct FileSpec {
  std::string source;
  double duration_ms = 0;
  std::vector<ChangeSpec> changes;
  Table network, cases;

  template <class Field>
  static void describe(Field&& field) {
    field("source", &FileSpec::source, "", required(), "of parameters and times");
    field("duration_ms", &FileSpec::duration_ms, "ms", required(positive()), "how long it runs");
    field("changes", &FileSpec::changes, "", any(), "of ports while it runs");
    field("network", &FileSpec::network, "", required(), "as in a simulation");
    field("cases", &FileSpec::cases, "", required(), "by their names");
  }
};

template <class Spec>
Spec read_spec(const Table& table, const std::string& file) {
  Spec out;
  read_table(table, {"", file}, out);
  return out;
}

/// One case while its network runs.
class Watched {
 public:
  Watched(CaseSpec spec, const dynamics::Program& program) : spec_(std::move(spec)) {
    if (!spec_.spikes.empty()) event_ = program.event(spec_.spikes);
    if (!spec_.value.empty()) port_ = program.port(spec_.value);
    row_.resize(port_.num);
  }
  void before(const dynamics::Program& program, const dynamics::State& state) {
    if (spec_.value.empty()) return;
    program.read(state, port_, row_);
    older_ = last_;
    last_ = row_[static_cast<std::size_t>(spec_.neuron)];
  }
  /// Looks at the state after a step from `begin_ms`.
  void after(const dynamics::Program& program, const dynamics::State& state, double begin_ms) {
    if (spec_.value.empty()) {
      for (const std::int32_t i : program.happened(state, event_))
        if (i == spec_.neuron) found_.push_back(begin_ms);
      return;
    }
    program.read(state, port_, row_);
    const double now = row_[static_cast<std::size_t>(spec_.neuron)];
    const bool here = spec_.peaks ? older_ < last_ && now <= last_ : last_ < *spec_.level && now >= *spec_.level;
    if (here) found_.push_back(begin_ms);
  }
  const CaseSpec& spec() const { return spec_; }
  const std::vector<double>& found() const { return found_; }

 private:
  CaseSpec spec_;
  dynamics::Program::EventPlace event_;
  dynamics::Port port_;
  std::vector<double> row_, found_;
  double older_ = std::nan(""), last_ = std::nan("");
};

void run(const FileSpec& file, const dynamics::Program& program, std::vector<Watched>& watched) {
  const auto executor = make_serial_executor();
  dynamics::State state = program.start();
  const double dt_ms = program.dt_s() * 1e3;
  const std::int64_t num_steps = std::llround(file.duration_ms / dt_ms);
  for (std::int64_t k = 0; k < num_steps; ++k) {
    for (const ChangeSpec& change : file.changes)
      if (std::llround(change.at_ms / dt_ms) == k) program.write(state, program.port(change.port), change.to);
    for (Watched& one : watched) one.before(program, state);
    program.step(state, *executor);
    for (Watched& one : watched) one.after(program, state, static_cast<double>(k) * dt_ms);
  }
}

TEST(SpikeTimes, AreThoseOfTheirSources) {
  std::map<std::string, Table> files;
  for (const auto& entry : fs::directory_iterator(REFERENCE_FOLDER "/spike_times"))
    if (entry.path().extension() == ".toml") files.emplace(entry.path().stem().string(), io::read_toml(entry.path().string()));
  EXPECT_GE(files.size(), 20u);
  proof::Sheet sheet("Spike times beside their sources",
                     {"case", "source", "step, ms", "spikes", "largest error, ms", "of what is allowed", "allowed"});
  for (const auto& [name, document] : files) {
    SCOPED_TRACE(name);
    FileSpec file = read_spec<FileSpec>(document, name);
    loop::take_from_library(file.network);
    const dynamics::Program program(file.network, 1);
    std::vector<Watched> watched;
    for (const auto& [title, table] : file.cases.items)
      watched.emplace_back(read_spec<CaseSpec>(*table.table(), name + "." + title), program);
    run(file, program, watched);
    for (std::size_t k = 0; k < watched.size(); ++k) {
      const CaseSpec& spec = watched[k].spec();
      const std::vector<double>& found = watched[k].found();
      const std::string& title = file.cases.items[k].first;
      const std::size_t num = spec.num ? static_cast<std::size_t>(spec.num) : spec.times_ms.size();
      EXPECT_EQ(found.size(), num) << title << fmt::format(": {}", fmt::join(found, ", "));
      double largest = 0, most = 0;
      for (std::size_t i = 0; i < spec.times_ms.size(); ++i) {
        const std::size_t at = spec.which.empty() ? i : static_cast<std::size_t>(spec.which[i]);
        if (at >= found.size()) continue;
        const double error = std::abs(found[at] - spec.times_ms[i]);
        const double allowed = (spec.absolute_ms ? *spec.absolute_ms : spec.relative.value() * spec.times_ms[i] + 1e-8) +
                               static_cast<double>(spec.samples) * program.dt_s() * 1e3;
        EXPECT_LE(error, allowed) << title << ": " << found[at] << " beside " << spec.times_ms[i];
        largest = std::max(largest, error);
        most = std::max(most, error / allowed);
      }
      std::string allowed =
          spec.absolute_ms ? fmt::format("{:g} ms", *spec.absolute_ms) : fmt::format("{:.3g} of each time", *spec.relative);
      if (spec.samples > 0) allowed += spec.samples == 1 ? " and a step" : fmt::format(" and {} steps", spec.samples);
      sheet.row({title, file.source, fmt::format("{:g}", program.dt_s() * 1e3), std::to_string(found.size()),
                 fmt::format("{:.2g}", largest), fmt::format("{:.2g}", most), allowed});
    }
  }
}

}  // namespace
}  // namespace hartline
