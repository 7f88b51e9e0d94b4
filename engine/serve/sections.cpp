#include "serve/sections.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "loop/metrics.hpp"
#include "loop/spiking.hpp"
#include "models/candidates.hpp"
#include "models/gaussian_process.hpp"
#include "models/grid.hpp"
#include "models/population.hpp"
#include "models/text_model.hpp"
#include "serve/figures.hpp"

namespace hartline::serve {

namespace {

using loop::Metric;

const loop::MetricInfo* metric_named(std::string_view name) {
  for (const auto& info : loop::metric_info)
    if (info.name == name) return &info;
  return nullptr;
}

constexpr std::size_t max_strip = 60;

}  // namespace

Sections::Sections(const loop::Experiment& experiment)
    : e_(experiment), marginals_(experiment.grid() ? experiment.model->num_parameters : 0) {
  strip_every_ = std::max<std::int64_t>(1, e_.spec.num_trials / static_cast<std::int64_t>(max_strip));
  truth_ = e_.truth;
  if (e_.candidates()) {
    // the truth is which model answers
    if (!e_.truth.empty()) {
      truth_.assign(e_.candidates()->num_models(), 0.0);
      truth_[e_.subject_candidate] = 1;
    }
    return;
  }
  if (e_.truth.empty()) return;
  if (const auto* grid = e_.grid()) {
    for (std::size_t x = 0; x < grid->num_stimuli(); ++x)
      truth_curve_.push_back(
          grid->expected_response(e_.truth, grid->stimuli().subspan(x * grid->stimulus_dim, grid->stimulus_dim)));
  } else if (const auto* samples = e_.samples(); samples && is_sample_curve()) {
    for (const double x : curve_stimuli()) truth_curve_.push_back(samples->expected_response(e_.truth, {&x, 1}));
  } else if (const auto* process = e_.process()) {
    for (double phi : e_.truth) truth_curve_.push_back(process->law.mean(phi));
  }
}

bool Sections::is_sample_curve() const { return e_.samples() && e_.stimuli.dim == 1; }

std::vector<double> Sections::curve_stimuli() const {
  std::vector<double> out = e_.stimuli.pool;
  constexpr int num = 101;  // of a box
  for (int k = 0; out.size() < num && e_.stimuli.pool.empty(); ++k)
    out.push_back(e_.stimuli.low_of(0) + (e_.stimuli.high_of(0) - e_.stimuli.low_of(0)) * k / (num - 1));
  return out;
}

std::size_t Sections::most_probable(const loop::Learner& end) const {
  const std::vector<double> p = end.mean().values;
  return static_cast<std::size_t>(std::max_element(p.begin(), p.end()) - p.begin());
}

bool Sections::is_image() const {
  if (e_.candidates() || e_.samples()) return false;
  return (e_.shape.size() == 2 && e_.shape[0] > 1) || (e_.glm() && e_.glm()->num_lags() > 1 && e_.shape.size() <= 2);
}

bool Sections::is_process_map() const { return e_.process() && e_.spec.stimulus.axes.size() == 2; }

std::size_t Sections::num_weights() const { return e_.glm() ? e_.glm()->num_lags() * e_.glm()->frame_dim() : e_.stimuli.dim; }

void Sections::add_trial(const Trial& trial, const loop::Learner& after) {
  ++num_trials_;
  // one column has one unit
  const bool same = e_.arms[static_cast<std::size_t>(trial.arm)].utility == told_utility();
  utility_.emplace_back(same ? trial.utility : std::nan(""));
  double response = std::nan("");  // summed over cells and bins; of several responses of a text the first
  for (std::size_t i = 0; i < trial.response.values.size() && !((e_.samples() || e_.candidates()) && i > 0); ++i) {
    const Mark mark = models::mark_of(trial.response, i);
    if (mark != Mark::observed && mark != Mark::censored) continue;
    response = std::isnan(response) ? trial.response.values[i] : response + trial.response.values[i];
  }
  response_.emplace_back(response);
  if (trial.lateness_ms > 0) ++misses_;
  worst_lateness_ms_ = std::max(worst_lateness_ms_, trial.lateness_ms);
  // with drift each value takes a factorisation of the covariance
  const bool dear = e_.glm() && e_.glm()->has_drift() && e_.model->num_parameters > 200;
  uncertainty_.emplace_back(dear ? std::nan("") : loop::uncertainty(e_, after.belief()));
  if (!e_.truth.empty() && !e_.candidates() && e_.spec.subject.drift_per_s == 0) {
    last_error_ = loop::measure(e_, after, e_.truth, {}, {Metric::relative_error})[0];
    error_.emplace_back(last_error_);
  }
  const std::span<const double> x = e_.values(trial.delivered.stimulus, trial.index);
  if (is_process_map()) {
    Table observation;
    observation.set("trial", trial.index + 1);
    observation.set("x", x[1]);
    observation.set("y", x[0]);
    observation.set("r", response);
    observations_.emplace_back(observation);
    point_x_.emplace_back(x[1]);
    point_y_.emplace_back(x[0]);
    return;
  }
  if (e_.stimuli.dim == 1) {
    value_.emplace_back(x[0]);
    Table observation;
    observation.set("trial", trial.index + 1);
    observation.set("x", x[0]);
    observation.set("y", response);
    observations_.emplace_back(observation);
  } else if (trial.index % strip_every_ == 0 && strip_.size() < max_strip) {
    Table shown;
    shown.set("trial", trial.index + 1);
    shown.set("values", numbers({x.begin(), x.end()}));
    strip_.emplace_back(shown);
  }
}

void Sections::snapshot_weights(const loop::Learner& learner, std::size_t arm, Table& snapshot) const {
  Array mean = learner.mean(arm), sd = learner.sd(arm);
  if (is_image()) {
    // history and bias have no place in the picture
    mean.values.resize(num_weights());
    sd.values.resize(num_weights());
  }
  snapshot.set("mean", numbers(mean.values));
  snapshot.set("sd", numbers(sd.values));
}

void Sections::snapshot_curve(const loop::Learner& learner, std::size_t arm, Table& snapshot) const {
  const models::Belief& any = learner.belief(arm);
  std::vector<double> mean, low, high;
  const std::vector<double> stimuli = curve_stimuli();
  for (std::size_t i = 0; i < stimuli.size(); i += e_.stimuli.dim) {
    const std::span<const double> x{&stimuli[i], e_.stimuli.dim};
    if (const auto* samples = e_.samples()) {
      const auto& belief = dynamic_cast<const models::SampleBelief&>(any);
      samples->predict(belief, x, {&mean.emplace_back(), 1});
      low.push_back(samples->response_quantile(belief, x, 0.05));
      high.push_back(samples->response_quantile(belief, x, 0.95));
    } else {
      const auto& belief = dynamic_cast<const models::GridBelief&>(any);
      mean.push_back(e_.grid()->response_moments(belief, x).first);
      low.push_back(e_.grid()->response_quantile(belief, x, 0.05));
      high.push_back(e_.grid()->response_quantile(belief, x, 0.95));
    }
  }
  snapshot.set("mean", numbers(mean));
  snapshot.set("low", numbers(low));
  snapshot.set("high", numbers(high));
}

void Sections::snapshot_process(const loop::Learner& learner, std::size_t arm, Table& snapshot) const {
  const auto& process = *e_.process();
  const auto& belief = dynamic_cast<const models::GaussianProcessBelief&>(learner.belief(arm));
  std::vector<double> mean, low, high, sd;
  for (std::size_t i = 0; i < belief.num; ++i) {
    const double m = belief.mean[i], s = std::sqrt(belief.variance[i]);
    constexpr double z = 1.6448536269514722;
    mean.push_back(models::expected_response(process.law, m, s * s));
    low.push_back(process.law.mean(m - z * s));
    high.push_back(process.law.mean(m + z * s));
    sd.push_back((process.law.mean(m + s) - process.law.mean(m - s)) / 2);
  }
  snapshot.set("mean", numbers(mean));
  if (is_process_map() || e_.stimuli.dim > 1) {
    snapshot.set("sd", numbers(sd));
  } else {
    snapshot.set("low", numbers(low));
    snapshot.set("high", numbers(high));
  }
}

Table Sections::snapshot(const loop::Learner& learner, std::size_t arm) const {
  Table out;
  out.set("trial", learner.num_trials());
  if (e_.grid() || is_sample_curve())
    snapshot_curve(learner, arm, out);
  else
    e_.process() ? snapshot_process(learner, arm, out) : snapshot_weights(learner, arm, out);
  return out;
}

void Sections::add_snapshot(loop::Learner& learner) {
  if (e_.population()) return;  // each cell is drawn by itself
  Table now = snapshot(learner, 0);
  for (std::size_t k = 0; k < marginals_.size(); ++k) {
    Table marginal;
    marginal.set("trial", learner.num_trials());
    marginal.set("probability", numbers(e_.grid()->marginal(dynamic_cast<const models::GridBelief&>(learner.belief()), k)));
    marginals_[k].emplace_back(marginal);
  }
  snapshots_.emplace_back(now);
  if (e_.stimuli.dim != 1 || learner.num_trials() >= e_.spec.num_trials) return;
  const std::vector<double> utilities = e_.arms[0].design->utilities(learner.plan(), learner.capability());
  if (utilities.empty()) return;
  Table curve;
  curve.set("trial", learner.num_trials() + 1);
  curve.set("values", numbers(utilities));
  curve.set("chosen", static_cast<std::int64_t>(std::max_element(utilities.begin(), utilities.end()) - utilities.begin()));
  utility_snapshots_.emplace_back(curve);
}

void Sections::end(loop::Learner& learner, const std::vector<double>& truth) {
  if (!truth.empty() && !e_.candidates()) truth_ = truth;
  if (!truth_.empty() && !e_.candidates()) last_error_ = loop::measure(e_, learner, truth_, {}, {Metric::relative_error})[0];
  if (e_.population()) return;
  snapshots_.pop_back();
  if (!utility_snapshots_.empty() && learner.num_trials() < e_.spec.num_trials) utility_snapshots_.pop_back();
  for (List& marginal : marginals_) marginal.pop_back();
  add_snapshot(learner);
}

std::string Sections::sentence(const loop::Learner& end, const std::string& note) const {
  std::string what = e_.candidates()                         ? "right model"
                     : is_process_map()                      ? "tuning map"
                     : e_.process()                          ? "tuning curve"
                     : e_.samples()                          ? "response"
                     : !e_.grid()                            ? "receptive field"
                     : e_.grid()->family().num_choices() > 0 ? "psychometric function"
                                                             : "tuning curve";
  const char* kind = e_.spiking ? "spiking" : "simulated";
  std::string who = e_.recording ? "a recorded cell (" + e_.recording->name + ")" : fmt::format("a {} cell", kind);
  if (!e_.recording && e_.model->response_kind == ResponseKind::choice) who = "a simulated observer";
  if (e_.spec.subject.kind == "given" || e_.spec.subject.kind == "remote")
    who = e_.model->response_kind == ResponseKind::choice ? "an observer" : "a cell";
  if (e_.population()) {
    what = "receptive fields";
    who = fmt::format("{} {} cells", e_.model->num_cells, kind);
  }
  std::string text = fmt::format("The {} of {}, measured in {} trials with {} stimuli", what, who, end.num_trials(),
                                 e_.spec.design.kind == "infomax" ? "adaptively chosen" : e_.spec.design.kind);
  if (e_.candidates())
    text += fmt::format("; the most probable model is {}", e_.model->parameter_names[most_probable(end)]);
  else if (!truth_.empty())
    text += fmt::format("; the estimate has a relative error of {:.2g}", last_error_);
  else if (!e_.has_fields())
    text += "; the truth is not known";
  if (!note.empty()) text += "; " + note;
  return text + ".";
}

Value Sections::figures(const loop::Learner& end, const Value& comparison,
                        const std::vector<std::pair<std::string, Histogram>>& latency) const {
  List out;
  if (const Value* saving = member(comparison, "saving")) {
    const auto* info = metric_named(*member(*saving, "metric")->text());
    Table saved = figure("Trials saved", number(*member(*saving, "ratio")), "times fewer", 1,
                         fmt::format("to reach {} {:.3g}: {} {:.0f}, {} {:.0f}", info->label, number(*member(*saving, "criterion")),
                                     *member(*saving, "baseline")->text(), number(*member(*saving, "baseline_trials")),
                                     *member(*saving, "adaptive")->text(), number(*member(*saving, "adaptive_trials"))));
    saved.set("low", *member(*saving, "low"));
    saved.set("high", *member(*saving, "high"));
    out.emplace_back(saved);
  }
  if (!truth_.empty())
    out.emplace_back(figure(
        "Relative error", last_error_, "", 2,
        e_.grid() || e_.process() || e_.samples() ? "of the expected response over the stimuli" : "|estimate - truth| / |truth|"));
  if (e_.has_fields())
    out.emplace_back(figure("Correlation with the field", loop::measure(e_, end, {}, {}, {Metric::field_correlation})[0], "", 2,
                            "cosine of the estimate and the field that drives the cell"));
  // information gained = fall of the belief's entropy; a process has none that is finite
  const auto start = e_.model->prior();
  const double gained = loop::uncertainty(e_, *start) - loop::uncertainty(e_, end.belief());
  if (e_.spec.subject.drift_per_s == 0 && !e_.process())
    out.emplace_back(
        figure("Information gained", gained / std::numbers::ln2, "bits", 1, "fall of the belief's entropy from the prior"));
  if (const Value* designs = member(comparison, "designs"); designs && designs->list()) {
    const Value* adaptive = nullptr;
    for (const Value& design : *designs->list())
      if (!adaptive && *member(design, "role")->text() == "adaptive") adaptive = &design;
    const Value* correlation = adaptive ? member(*member(*adaptive, "metrics"), "heldout_correlation") : nullptr;
    if (correlation) {
      Table shown = figure("Held-out correlation", number(member(*correlation, "mean")->list()->back()), "", 3,
                           "with single responses, all trials");
      shown.set("low", member(*correlation, "low")->list()->back());
      shown.set("high", member(*correlation, "high")->list()->back());
      out.emplace_back(shown);
    }
  }
  for (const auto& [stage, histogram] : latency)
    if (stage == "choose")
      out.emplace_back(figure("Choice, 99th percentile", histogram.percentile_ns(0.99) * 1e-6, "ms", 2,
                              fmt::format("median {:.2f} ms", histogram.percentile_ns(0.5) * 1e-6)));
  return out;
}

Table Sections::frame_of_estimate() const {
  Table out;
  const std::string unit = e_.spec.stimulus.unit, label = e_.spec.stimulus.label.empty() ? "stimulus" : e_.spec.stimulus.label;
  if (e_.samples() && !is_sample_curve()) {
    out.set("kind", "vector");
    List names;
    for (const std::string& name : e_.model->parameter_names) names.emplace_back(name);
    out.set("names", names);
    if (!e_.truth.empty()) out.set("truth", numbers(truth_));
    return out;
  }
  if (!e_.grid() && !e_.process() && !e_.samples()) {
    out.set("kind", is_image() ? "image" : "vector");
    const std::size_t num_lags = e_.glm() ? e_.glm()->num_lags() : 1;
    if (is_image()) {
      const bool line = e_.shape.size() == 1 || e_.shape[0] == 1;
      if (line && num_lags > 1) {
        out.set("shape", List{static_cast<std::int64_t>(num_lags), e_.shape.back()});
        out.set("row_label", "lag");
        out.set("column_label", "pixel");
      } else {
        out.set("shape", List{e_.shape[0], e_.shape[1]});
        if (num_lags > 1) out.set("num_lags", static_cast<std::int64_t>(num_lags));
      }
      out.set("unit", "weight");
    } else {
      List names;
      for (std::size_t i = 0; i < e_.model->num_parameters; ++i) {
        if (e_.candidates()) {
          names.emplace_back(e_.model->parameter_names[i]);
          continue;
        }
        const bool bias = e_.glm() && e_.glm()->has_bias() && i + 1 == e_.model->num_parameters;
        names.emplace_back(i < num_weights() ? fmt::format("k{}", i + 1)
                           : bias            ? "bias"
                                             : fmt::format("h{}", i + 1 - num_weights()));
      }
      out.set("names", names);
    }
    if (!e_.truth.empty()) {
      std::vector<double> truth = truth_;
      if (is_image()) truth.resize(num_weights());
      out.set("truth", numbers(truth));
    }
    if (e_.has_fields() && is_image()) out.set("field", numbers(e_.spiking->field));
    return out;
  }
  if (is_process_map()) {
    const auto& axes = e_.spec.stimulus.axes;
    out.set("kind", "map");
    out.set("x", numbers(axes[1].points("stimulus.axes[1]")));
    out.set("y", numbers(axes[0].points("stimulus.axes[0]")));
    out.set("x_label", label);
    out.set("x_unit", unit);
    out.set("y_label", label);
    out.set("y_unit", unit);
    out.set("unit", "spikes per bin");
  } else if (e_.stimuli.dim > 1) {
    out.set("kind", "vector");
    List names;
    for (std::size_t i = 0; i < e_.stimuli.num(); ++i) names.emplace_back(fmt::format("stimulus {}", i + 1));
    out.set("names", names);
  } else {
    const ResponseKind kind = e_.model->response_kind;
    out.set("kind", "curve");
    out.set("x", numbers(e_.samples() ? curve_stimuli() : e_.stimuli.pool));
    out.set("x_label", label);
    out.set("x_unit", unit);
    out.set("y_label", e_.samples()                   ? "expected " + e_.samples()->text().responses[0].name
                       : kind == ResponseKind::trace  ? "expected response"
                       : kind == ResponseKind::counts ? "expected spikes"
                       : e_.model->num_choices == 2   ? "probability of a correct choice"
                                                      : "expected choice");
    out.set("y_unit", kind == ResponseKind::counts ? "per bin" : "");
  }
  if (!truth_curve_.empty()) out.set("truth", numbers(truth_curve_));
  return out;
}

Value Sections::final_estimate(const loop::Learner& end, std::size_t arm) const {
  Table out = frame_of_estimate();
  out.set("snapshots", List{snapshot(end, arm)});
  return out;
}

Value Sections::estimate() const {
  if (e_.population()) return {};
  Table out = frame_of_estimate();
  out.set("snapshots", snapshots_);
  if (e_.glm() || (e_.stimuli.dim > 1 && !is_process_map())) return out;
  out.set("observations", observations_);
  if (!e_.grid()) return out;
  const auto& grid = *e_.grid();
  List marginals;
  for (std::size_t k = 0; k < marginals_.size(); ++k) {
    const models::Parameter& parameter = grid.family().parameters[k];
    if (parameter.values.size() < 2) continue;
    Table marginal;
    marginal.set("name", parameter.name);
    marginal.set("unit", parameter.unit.empty() && (parameter.name == "centre" || parameter.name == "width") ? e_.spec.stimulus.unit
                                                                                                             : parameter.unit);
    marginal.set("grid", numbers(parameter.values));
    if (!e_.truth.empty()) marginal.set("truth", e_.truth[k]);
    marginal.set("snapshots", marginals_[k]);
    marginals.emplace_back(marginal);
  }
  out.set("marginals", marginals);
  return out;
}

Value Sections::trials() const {
  Table out;
  out.set("utility", utility_);
  out.set("response", response_);
  if (!e_.process()) out.set(e_.grid() || e_.candidates() || e_.samples() ? "entropy" : "half_logdet", uncertainty_);
  if (!error_.empty()) out.set("relative_error", error_);
  if (total_.empty()) return out;
  out.set("total", total_);
  out.set("lead", lead_);
  out.set("lead_error", lead_error_);
  return out;
}

Value Sections::stimuli() const {
  Table out;
  if (e_.stimuli.dim == 1) {
    out.set("kind", "value");
    out.set("label", e_.spec.stimulus.label.empty() ? "stimulus" : e_.spec.stimulus.label);
    out.set("unit", e_.spec.stimulus.unit);
    out.set("values", value_);
    out.set("caption", "Every stimulus in order.");
    return out;
  }
  if (is_process_map()) {
    const std::string label = e_.spec.stimulus.label.empty() ? "stimulus" : e_.spec.stimulus.label;
    out.set("kind", "point");
    for (const char* axis : {"x", "y"}) {
      out.set(std::string(axis) + "_label", label);
      out.set(std::string(axis) + "_unit", e_.spec.stimulus.unit);
    }
    out.set("x", point_x_);
    out.set("y", point_y_);
    out.set("caption", "Every stimulus in order.");
    return out;
  }
  out.set("kind", "image");
  out.set("shape", e_.shape.size() == 2 && e_.shape[0] > 1 ? List{e_.shape[0], e_.shape[1]}
                                                           : List{1, static_cast<std::int64_t>(e_.stimuli.dim)});
  out.set("strip", strip_);
  out.set("caption", strip_every_ > 1 ? fmt::format("Every {}th stimulus in order.", strip_every_) : "Every stimulus in order.");
  return out;
}

const design::UtilityMeaning& Sections::told_utility() const {
  for (const loop::Arm& arm : e_.arms)
    if (!arm.utility.name.empty()) return arm.utility;
  return e_.arms[0].utility;
}

Value Sections::utility() const {
  const design::UtilityMeaning& told = told_utility();
  if (told.name.empty()) return {};
  Table out;
  out.set("name", told.name);
  out.set("label", told.label);
  out.set("unit", told.unit);
  std::string others;
  for (const loop::Arm& arm : e_.arms)
    if (!arm.utility.name.empty() && arm.utility != told) others += (others.empty() ? "" : ", ") + arm.name;
  if (!others.empty()) out.set("note", "Trials of " + others + " are left out: their utility is another.");
  return out;
}

Value Sections::utility_curve() const {
  if (utility_snapshots_.empty()) return {};
  Table out;
  out.set("label", e_.spec.stimulus.label.empty() ? "stimulus" : e_.spec.stimulus.label);
  out.set("unit", e_.spec.stimulus.unit);
  out.set("x", numbers(e_.stimuli.pool));
  out.set("snapshots", utility_snapshots_);
  return out;
}

}  // namespace hartline::serve
