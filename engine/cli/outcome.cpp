#include "cli/outcome.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "loop/metrics.hpp"

namespace hartline::cli {

std::string version() { return HARTLINE_VERSION; }

io::RecordInfo info_of(const loop::Experiment& experiment) {
  io::RecordInfo info;
  info.configuration = to_toml(loop::resolved(experiment.spec));
  info.versions = {{"hartline", version()}, {"compiler", __VERSION__}};
  info.durability = experiment.spec.record.durability;
  info.seed = experiment.seed;
  char host[256] = {};
  if (gethostname(host, sizeof host - 1) == 0) info.host = host;
  info.started_ns = wall_time_ns();
  return info;
}

std::unique_ptr<loop::Experiment> experiment_of(const io::RecordReader& reader, const std::string& path, Executor& executor) {
  const io::RecordInfo info = reader.info();
  return loop::build(loop::recorded_spec(info.configuration, path), "", info.seed, executor);
}

Table outcome(const loop::Experiment& experiment, loop::Run& run, const std::string& record) {
  const loop::HeldOut held_out = loop::make_held_out(experiment, 0);  // what a recording keeps; a simulated subject has none
  const auto metrics = loop::metrics_of(experiment, held_out);
  const auto values = loop::measure(experiment, run.learner(), run.truth(), held_out, metrics);
  Table out;
  out.set("format", 1);
  out.set("record", record);
  out.set("num_trials", run.learner().num_trials());
  out.set("belief_digest", fmt::format("{:016x}", run.learner().digest()));
  for (std::size_t i = 0; i < metrics.size(); ++i) out.set(loop::metric_info[static_cast<std::size_t>(metrics[i])].name, values[i]);
  if (experiment.spec.subject.kind == "remote") out.set("num_fallbacks", run.num_fallbacks());
  const Histogram& choose = run.latency(loop::Stage::choose);
  out.set("choose_p50_ms", choose.percentile_ns(0.5) * 1e-6);
  out.set("choose_p99_ms", choose.percentile_ns(0.99) * 1e-6);
  return out;
}

}  // namespace hartline::cli
