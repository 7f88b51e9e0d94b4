#include "serve/report.hpp"

#include <fmt/format.h>

#include <cmath>

#include "base/error.hpp"
#include "io/json.hpp"
#include "io/record_reader.hpp"
#include "io/toml.hpp"
#include "loop/run.hpp"
#include "serve/page_template.hpp"
#include "serve/sections.hpp"
#include "serve/studies.hpp"

namespace hartline::serve {

namespace {

/// Trials at which the estimate is drawn: dense at the start, at most `most` in all.
std::vector<std::int64_t> snapshot_trials(std::int64_t num_trials, int most) {
  std::vector<std::int64_t> out{0};
  for (int k = 1; k <= most; ++k) {
    const double u = static_cast<double>(k) / most;
    const auto t = static_cast<std::int64_t>(std::llround(static_cast<double>(num_trials) * std::pow(u, 2.5)));
    if (t > out.back()) out.push_back(t);
  }
  return out;
}

std::string durability_text(const std::string& durability) {
  return durability == "every-trial" ? "every trial was on the disk before the next stimulus" : "durability " + durability;
}

}  // namespace

Value report_document(const std::string& path, Executor& executor) {
  const io::RecordReader reader(path);
  const io::RecordInfo info = reader.info();
  const auto experiment = loop::build(loop::recorded_spec(info.configuration, path), "", info.seed, executor);
  return report_document(reader, *experiment, path);
}

Value belief_document(const loop::Experiment& experiment, const models::Belief& belief) {
  loop::Learner learner(experiment, belief);
  Sections sections(experiment);
  Studies studies(experiment);
  sections.add_snapshot(learner);
  sections.end(learner, {});
  Table document;
  document.set("format", 1);
  document.set("title", experiment.spec.title);
  document.set("figures", sections.figures(learner, {}, {}));
  if (Value estimate = sections.estimate(); !estimate.is_null()) document.set("estimate", std::move(estimate));
  if (Value cells = studies.population(learner, experiment.truth); !cells.is_null()) document.set("population", std::move(cells));
  return document;
}

Value report_document(const io::RecordReader& reader, const loop::Experiment& built, const std::string& path) {
  const loop::Experiment* experiment = &built;
  const loop::Spec& spec = built.spec;
  const io::RecordInfo info = reader.info();
  Value comparison;
  for (const auto& [name, text] : reader.documents())
    if (name == "comparison") comparison = io::parse_json(text);
  const std::int64_t num_trials = reader.num_trials();

  Sections sections(*experiment);
  Studies studies(*experiment);
  loop::Learner learner(*experiment);
  std::vector<std::int64_t> wanted = snapshot_trials(num_trials, experiment->stimuli.dim > 200 ? 24 : 40);
  std::size_t next = 0;
  const auto snapshot = [&] {
    if (next < wanted.size() && wanted[next] == learner.num_trials()) {
      sections.add_snapshot(learner);
      ++next;
    }
  };
  snapshot();
  loop::walk(
      reader,
      [&](const Trial& trial) {
        learner.decide(trial);
        return true;
      },
      [&](Trial& trial) {
        learner.learn(trial);
        sections.add_trial(trial, learner);
        studies.add_trial(trial, learner);
        snapshot();
        return true;
      });
  if (num_trials >= spec.num_trials) learner.finish();
  sections.add_lookahead(reader.arrays("lookahead"));
  const auto truths = reader.arrays("truth");
  sections.end(learner, truths.empty() ? std::vector<double>{} : truths.back().second.values);

  Table document;
  document.set("format", 1);
  document.set("title", spec.title);
  document.set("sentence", sections.sentence(learner, info.durability == "every-trial" ? "" : durability_text(info.durability)));
  document.set("figures", sections.figures(learner, comparison, reader.latency()));
  const auto set_if_any = [&](const char* name, Value value) {
    if (!value.is_null()) document.set(name, std::move(value));
  };
  set_if_any("estimate", sections.estimate());
  std::vector<Value> estimates;
  for (std::size_t a = 0; a < experiment->arms.size() && experiment->arms.size() > 1; ++a)
    estimates.push_back(sections.final_estimate(learner, a));
  set_if_any("arms", studies.arms(estimates));
  set_if_any("validation", studies.validation(learner));
  set_if_any("mismatch", studies.mismatch(learner));
  set_if_any("population", studies.population(learner, experiment->truth));
  if (!comparison.is_null()) document.set("curves", learning_curves(comparison));
  set_if_any("utility", sections.utility());
  document.set("trials", sections.trials());
  document.set("stimuli", sections.stimuli());
  if (Value curve = sections.utility_curve(); !curve.is_null()) document.set("utility_curve", std::move(curve));
  document.set("events", event_list(reader.events()));
  if (spec.design.deadline_ms) document.set("deadline", sections.deadline(*spec.design.deadline_ms));
  document.set("latency", latency_list(reader.latency()));
  document.set("configuration", info.configuration);
  Table versions;
  for (const auto& [name, version] : info.versions) versions.set(name, version);
  document.set("versions", versions);
  document.set("command", fmt::format("hartline replay {}", path.substr(path.find_last_of('/') + 1)));
  return document;
}

std::string report_page(const std::string& json) {
  constexpr std::string_view marker = "<!--HARTLINE_DATA-->";
  std::string page(page_template());
  const auto at = page.find(marker);
  if (at == std::string::npos) throw InternalError("the page template has no place for its data");
  std::string block = "<script type=\"application/json\" id=\"hartline-data\">";
  for (char c : json) {
    if (c == '<')
      block += "\\u003c";
    else
      block += c;
  }
  return page.replace(at, marker.size(), block + "</script>");
}

}  // namespace hartline::serve
