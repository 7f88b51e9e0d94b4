#include "serve/studies.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "loop/metrics.hpp"
#include "loop/spiking.hpp"
#include "models/gaussian_process.hpp"
#include "models/grid.hpp"
#include "models/population.hpp"
#include "models/text_model.hpp"

namespace hartline::serve {

namespace {

double mean_of(const std::vector<double>& x) {
  return x.empty() ? std::nan("") : std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
}

/// Of the sample, with n - 1.
double variance_of(const std::vector<double>& x) {
  const double mean = mean_of(x);
  double total = 0;
  for (double v : x) total += (v - mean) * (v - mean);
  return x.size() > 1 ? total / static_cast<double>(x.size() - 1) : std::nan("");
}

double correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const double mean_a = mean_of(a), mean_b = mean_of(b);
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - mean_a) * (b[i] - mean_b);
    aa += (a[i] - mean_a) * (a[i] - mean_a);
    bb += (b[i] - mean_b) * (b[i] - mean_b);
  }
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : std::nan("");
}

/// The expected response to one validation stimulus and its 90 % interval; NaN where the model has none.
struct Expected {
  double mean, low, high;
};

Expected expected(const loop::Experiment& e, const loop::Learner& end, std::span<const double> x) {
  constexpr double z = 1.6448536269514722;
  Expected out{std::nan(""), std::nan(""), std::nan("")};
  if (const auto* grid = e.grid()) {
    const auto& belief = dynamic_cast<const models::GridBelief&>(end.belief());
    out = {grid->response_moments(belief, x).first, grid->response_quantile(belief, x, 0.05),
           grid->response_quantile(belief, x, 0.95)};
  } else if (const auto* samples = e.samples()) {
    const auto& belief = dynamic_cast<const models::SampleBelief&>(end.belief());
    samples->predict(belief, x, {&out.mean, 1});
    out.low = samples->response_quantile(belief, x, 0.05);
    out.high = samples->response_quantile(belief, x, 0.95);
  } else if (const auto* process = e.process()) {
    const auto [m, v] = process->moments(dynamic_cast<const models::GaussianProcessBelief&>(end.belief()), x.data());
    out = {models::expected_response(process->law, m, v), process->law.mean(m - z * std::sqrt(v)),
           process->law.mean(m + z * std::sqrt(v))};
  } else if (const auto* glm = e.glm(); glm && !glm->looks_back()) {
    const models::Rows row = glm->rows({1, {x.begin(), x.end()}, {0}, {}});
    double m = 0, v = 0;
    glm->project(dynamic_cast<const models::GaussianBelief&>(end.belief()), row, {&m, 1}, {&v, 1});
    out = {models::expected_response(glm->law, m, v), glm->law.mean(m - z * std::sqrt(v)), glm->law.mean(m + z * std::sqrt(v))};
  }
  return out;
}

Value interval(const char* name, double value, double low, double high) {
  Table out;
  out.set(name, value);
  out.set("low", low);
  out.set("high", high);
  return out;
}

constexpr std::size_t max_points = 400;  // of a curve on the page
constexpr int num_resamples = 500;

}  // namespace

double noise_ceiling(const std::vector<std::vector<double>>& repeats) {
  std::vector<double> means;
  double noise = 0;
  for (const auto& r : repeats) {
    if (r.size() < 2) return std::nan("");
    means.push_back(mean_of(r));
    noise += variance_of(r) / static_cast<double>(r.size()) / static_cast<double>(repeats.size());
  }
  const double spread = means.size() > 1 ? variance_of(means) : std::nan("");
  return spread > 0 ? std::sqrt(std::max(0.0, spread - noise) / spread) : std::nan("");
}

Studies::Studies(const loop::Experiment& experiment)
    : e_(experiment), arms_(experiment.arms.size()), repeats_(experiment.validation.num()) {}

void Studies::add_trial(const Trial& trial, const loop::Learner& after) {
  const auto trial_number = static_cast<double>(trial.index + 1);
  if (trial.role == Role::validate) {
    if (models::mark_of(trial.response, 0) != Mark::observed) return;
    const auto idx = static_cast<std::size_t>(e_.assign(trial.index).validation_idx);
    repeats_[idx].trials.push_back(trial_number);
    repeats_[idx].responses.push_back(trial.response.values[0]);
    return;
  }
  const auto a = static_cast<std::size_t>(trial.arm);
  if (arms_.size() > 1) {
    arms_[a].trials.emplace_back(trial.index + 1);
    arms_[a].uncertainty.emplace_back(loop::uncertainty(e_, after.belief(a)));
    if (!e_.truth.empty() && !e_.candidates() && e_.spec.subject.drift_per_s == 0)
      arms_[a].error.emplace_back(loop::measure(e_, after, e_.truth, {}, {loop::Metric::relative_error}, a)[0]);
  }
  if (a == 0) {
    mismatch_trials_.push_back(trial_number);
    evidence_.push_back(after.watch().mismatch(0).log10_evidence());
  }
}

Value Studies::arms(const std::vector<Value>& estimates) const {
  if (arms_.size() < 2) return {};
  List out;
  for (std::size_t a = 0; a < arms_.size(); ++a) {
    Table item;
    item.set("name", e_.arms[a].name);
    item.set("role", e_.arms[a].baseline ? "baseline" : "adaptive");
    item.set("num_trials", static_cast<std::int64_t>(arms_[a].trials.size()));
    item.set("trials", arms_[a].trials);
    if (!e_.process()) item.set(e_.grid() || e_.candidates() || e_.samples() ? "entropy" : "half_logdet", arms_[a].uncertainty);
    if (!arms_[a].error.empty()) item.set("relative_error", arms_[a].error);
    item.set("estimate", estimates[a]);
    out.emplace_back(item);
  }
  return out;
}

Value Studies::validation(const loop::Learner& end) const {
  if (repeats_.empty()) return {};
  Table out;
  out.set("share", e_.spec.validation.share);
  List stimuli;
  std::vector<double> means, predicted;
  std::vector<std::vector<double>> responses;
  std::vector<double> trials, standardised;
  for (std::size_t i = 0; i < repeats_.size(); ++i) {
    const std::span<const double> x(&e_.validation.pool[i * e_.validation.dim], e_.validation.dim);
    const Expected y = expected(e_, end, x);
    Table item;
    item.set("label",
             e_.validation.dim == 1 ? fmt::format("{:.3g} {}", x[0], e_.spec.stimulus.unit) : fmt::format("stimulus {}", i + 1));
    item.set("trials", numbers(repeats_[i].trials));
    item.set("responses", numbers(repeats_[i].responses));
    item.set("predicted", y.mean);
    item.set("predicted_low", y.low);
    item.set("predicted_high", y.high);
    stimuli.emplace_back(item);
    means.push_back(mean_of(repeats_[i].responses));
    predicted.push_back(y.mean);
    responses.push_back(repeats_[i].responses);
    const double sd = std::sqrt(variance_of(repeats_[i].responses));
    for (std::size_t k = 0; k < repeats_[i].responses.size() && sd > 0; ++k) {
      trials.push_back(repeats_[i].trials[k]);
      standardised.push_back((repeats_[i].responses[k] - means[i]) / sd);
    }
  }
  out.set("stimuli", stimuli);

  const double ceiling = noise_ceiling(responses), reached = correlation(means, predicted);
  std::vector<double> ceilings, models;
  for (int k = 0; k < num_resamples; ++k) {
    Stream stream(e_.seed, Purpose::bootstrap, static_cast<std::uint64_t>(k), 2);
    std::vector<std::vector<double>> again(responses.size());
    std::vector<double> again_means;
    for (std::size_t i = 0; i < responses.size(); ++i) {
      for (std::size_t j = 0; j < responses[i].size(); ++j)
        again[i].push_back(responses[i][static_cast<std::size_t>(stream.integer(static_cast<std::int64_t>(responses[i].size())))]);
      again_means.push_back(mean_of(again[i]));
    }
    if (const double c = noise_ceiling(again); !std::isnan(c)) ceilings.push_back(c);
    if (const double c = correlation(again_means, predicted); !std::isnan(c)) models.push_back(c);
  }
  const auto with_interval = [](double value, std::vector<double>& sample) -> Value {
    if (std::isnan(value) || sample.size() < num_resamples / 2) return {};
    std::sort(sample.begin(), sample.end());
    return interval("correlation", value, sample[sample.size() / 40], sample[sample.size() - 1 - sample.size() / 40]);
  };
  out.set("ceiling", with_interval(ceiling, ceilings));
  out.set("model", with_interval(reached, models));

  // a straight line through the standardised responses
  const double mean_t = mean_of(trials), mean_z = mean_of(standardised);
  double tt = 0, tz = 0, zz = 0;
  for (std::size_t i = 0; i < trials.size(); ++i) {
    tt += (trials[i] - mean_t) * (trials[i] - mean_t);
    tz += (trials[i] - mean_t) * (standardised[i] - mean_z);
    zz += (standardised[i] - mean_z) * (standardised[i] - mean_z);
  }
  const double freedom = static_cast<double>(trials.size()) - static_cast<double>(repeats_.size()) - 1;
  if (tt > 0 && freedom > 1) {
    const double slope = tz / tt, error = std::sqrt((zz - slope * tz) / freedom / tt);
    Table drift = *interval("slope", 100 * slope, 100 * (slope - 1.96 * error), 100 * (slope + 1.96 * error)).table();
    drift.set("unit", "sd per 100 trials");
    drift.set("p_value", std::erfc(std::abs(slope) / error / std::numbers::sqrt2));
    out.set("drift", drift);
  } else {
    out.set("drift", Value());
  }
  out.set("note", "No belief ever takes these trials in.");
  return out;
}

Value Studies::mismatch(const loop::Learner& end) const {
  if (!e_.spec.watch.on || evidence_.empty()) return {};
  const loop::MismatchTest& test = end.watch().mismatch(0);
  Table out;
  out.set("false_alarm", e_.spec.watch.false_alarm);
  out.set("threshold", end.watch().threshold());
  std::vector<double> trials, evidence;
  const std::size_t step = std::max<std::size_t>(1, evidence_.size() / max_points);
  for (std::size_t i = 0; i < evidence_.size(); i += step) {
    trials.push_back(mismatch_trials_[i]);
    evidence.push_back(evidence_[i]);
  }
  if (trials.back() != mismatch_trials_.back()) {
    trials.push_back(mismatch_trials_.back());
    evidence.push_back(evidence_.back());
  }
  out.set("trials", numbers(trials));
  out.set("log10_evidence", numbers(evidence));
  out.set("alarm_trial", end.watch().alarm_trial() < 0 ? Value() : Value(end.watch().alarm_trial() + 1));
  List strategies, counts;
  for (std::size_t k = 0; k < loop::MismatchTest::num_strategies; ++k) {
    Table item;
    item.set("name", std::string(loop::MismatchTest::names[k]));
    item.set("log10_evidence", test.log10_evidence(k));
    strategies.emplace_back(item);
  }
  for (std::int64_t n : test.histogram()) counts.emplace_back(n);
  out.set("strategies", strategies);
  Table pit;
  pit.set("counts", counts);
  out.set("pit", pit);
  return out;
}

Value Studies::population(const loop::Learner& end, const std::vector<double>& truth) const {
  const auto* population = e_.population();
  if (!population) return {};
  const auto& belief = dynamic_cast<const models::PopulationBelief&>(end.belief());
  const auto prior = population->prior();
  const auto& before = dynamic_cast<const models::PopulationBelief&>(*prior);
  const std::size_t dim = population->glm().num_parameters, num_cells = belief.cells.size();
  const auto logdet = [dim](const models::GaussianBelief& cell) {
    models::GaussianView view;
    view.dim = dim;
    view.covariance = cell.covariance.data();
    view.half_logdet = cell.half_logdet;
    return models::half_logdet(view);
  };
  std::vector<std::pair<double, std::size_t>> order;
  for (std::size_t c = 0; c < num_cells; ++c)
    order.emplace_back(-(logdet(before.cells[c]) - logdet(belief.cells[c])) / std::numbers::ln2, c);
  std::sort(order.begin(), order.end());
  const bool image = e_.shape.size() == 2 && e_.shape[0] > 1 && population->glm().num_lags() == 1;
  const auto num_shown = image ? static_cast<std::ptrdiff_t>(e_.stimuli.dim) : static_cast<std::ptrdiff_t>(dim);
  List cells;
  for (const auto& [negative_bits, c] : order) {
    const models::GaussianBelief& cell = belief.cells[c];
    std::int64_t first = 0, last = belief.num_trials - 1;
    bool was_there = true;  // at any time before
    for (const models::Attendance& entry : belief.attendance) {
      if (entry.cell != c) continue;
      if (entry.trial == 0) was_there = false;
      if (entry.present && !was_there) first = entry.trial;
      was_there = was_there || entry.present;
      last = entry.present ? belief.num_trials - 1 : entry.trial - 1;
    }
    Table item;
    item.set("cell", static_cast<std::int64_t>(c));
    item.set("name", fmt::format("cell {}", c + 1));
    item.set("information_bits", -negative_bits);
    item.set("num_responses", static_cast<std::int64_t>(cell.num_responses));
    item.set("first_trial", first + 1);
    item.set("last_trial", last + 1);
    if (image) item.set("shape", List{e_.shape[0], e_.shape[1]});
    item.set("mean", numbers({cell.mean.begin(), cell.mean.begin() + num_shown}));
    if (!truth.empty()) {
      const auto from = truth.begin() + static_cast<std::ptrdiff_t>(c * dim);
      item.set("truth", numbers({from, from + num_shown}));
    }
    if (e_.has_fields()) {
      const auto from = e_.spiking->field.begin() + static_cast<std::ptrdiff_t>(c * e_.stimuli.dim);
      item.set("field", numbers({from, from + static_cast<std::ptrdiff_t>(e_.stimuli.dim)}));
    }
    std::vector<double> sd;
    for (std::size_t i = 0; i < static_cast<std::size_t>(num_shown); ++i) sd.push_back(std::sqrt(cell.covariance[i * dim + i]));
    item.set("sd", numbers(sd));
    cells.emplace_back(item);
  }
  Table out;
  out.set("num_cells", static_cast<std::int64_t>(num_cells));
  out.set("cells", cells);
  return out;
}

}  // namespace hartline::serve
