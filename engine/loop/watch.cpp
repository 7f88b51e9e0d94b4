#include "loop/watch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "models/grid.hpp"
#include "models/text_grid.hpp"

namespace hartline::loop {

namespace {

Event warning(const Trial& trial, const char* kind, std::string message) {
  return {trial.index, trial.delivered.time_ns, Level::warning, kind, std::move(message)};
}

constexpr std::int64_t border_every = 10;  // trials between two looks at the marginals

}  // namespace

Watch::Watch(const Experiment& experiment) : e_(experiment), mismatch_(experiment.arms.size()) {
  const auto window = static_cast<std::size_t>(e_.spec.watch.window);
  members_.assign(window, -1);
  informations_.assign(window, 0);
  told_border_.assign(e_.model->num_parameters, 0);
  if (e_.spec.stimulus.kind != "axis" && e_.spec.stimulus.kind != "grid") return;
  const std::size_t dim = e_.stimuli.dim;
  low_.assign(dim, INFINITY);
  high_.assign(dim, -INFINITY);
  for (std::size_t i = 0; i < e_.stimuli.pool.size(); ++i) {
    low_[i % dim] = std::min(low_[i % dim], e_.stimuli.pool[i]);
    high_[i % dim] = std::max(high_[i % dim], e_.stimuli.pool[i]);
  }
}

double Watch::threshold() const { return std::log10(static_cast<double>(mismatch_.size()) / e_.spec.watch.false_alarm); }

void Watch::look(const Trial& trial, std::span<const models::Prediction> predictions, const models::Belief& belief,
                 std::vector<Event>& news) {
  if (!e_.spec.watch.on) return;
  look_at_responses(trial, predictions, news);
  if (trial.role != Role::measure || e_.arms[static_cast<std::size_t>(trial.arm)].baseline) return;
  look_at_stimuli(trial, news);
  look_at_information(trial, news);
  if (trial.index % border_every == 0) look_at_belief(trial, belief, news);
}

void Watch::look_at_responses(const Trial& trial, std::span<const models::Prediction> predictions, std::vector<Event>& news) {
  MismatchTest& test = mismatch_[static_cast<std::size_t>(trial.arm)];
  for (std::size_t i = 0; i < predictions.size(); ++i) {
    const models::Prediction& p = predictions[i];
    if (std::isnan(p.below)) continue;
    const double v = Stream(e_.seed, Purpose::mismatch, static_cast<std::uint64_t>(trial.index), i).uniform();
    test.add(p.below + v * (p.up_to - p.below), p.mean);
  }
  if (alarm_trial_ >= 0 || test.highest() < threshold()) return;
  alarm_trial_ = trial.index;
  std::size_t strongest = 0;
  for (std::size_t k = 1; k < MismatchTest::num_strategies; ++k)
    if (test.log10_evidence(k) > test.log10_evidence(strongest)) strongest = k;
  news.push_back(warning(trial, "mismatch",
                         fmt::format("the model does not describe the responses (evidence 10^{:.1f}; strongest: {}). Its "
                                     "uncertainty cannot be trusted.",
                                     test.highest(), MismatchTest::names[strongest])));
}

bool Watch::on_edge(std::int64_t member) const {
  const std::size_t dim = e_.stimuli.dim;
  for (std::size_t k = 0; k < dim; ++k) {
    const double x = e_.stimuli.pool[static_cast<std::size_t>(member) * dim + k];
    if (high_[k] > low_[k] && (x == low_[k] || x == high_[k])) return true;
  }
  return false;
}

void Watch::look_at_stimuli(const Trial& trial, std::vector<Event>& news) {
  const WatchSpec& spec = e_.spec.watch;
  const auto at = static_cast<std::size_t>(num_looked_++ % spec.window);
  const auto* item = std::get_if<PoolItem>(&trial.requested.stimulus.what);
  members_[at] = item ? item->index : -1;
  if (num_looked_ < spec.window) return;
  const auto window = static_cast<double>(spec.window);
  if (!item) return;
  const auto same = std::count(members_.begin(), members_.end(), item->index);
  if (!told_repeats_ && static_cast<double>(same) > spec.repeat_share * window) {
    told_repeats_ = true;
    news.push_back(warning(trial, "repeats",
                           fmt::format("pool[{}] was shown in {} of the last {} trials; design.no_repeat avoids that", item->index,
                                       same, spec.window)));
  }
  if (told_edge_ || low_.empty()) return;
  const auto edges = std::count_if(members_.begin(), members_.end(), [&](std::int64_t m) { return m >= 0 && on_edge(m); });
  if (static_cast<double>(edges) <= spec.edge_share * window) return;
  told_edge_ = true;
  news.push_back(warning(trial, "edge",
                         fmt::format("{} of the last {} stimuli lie on the edge of what may be shown; the best ones may "
                                     "lie outside",
                                     edges, spec.window)));
}

void Watch::look_at_information(const Trial& trial, std::vector<Event>& news) {
  const WatchSpec& spec = e_.spec.watch;
  if (!e_.arms[static_cast<std::size_t>(trial.arm)].utility.is_information) return;
  informations_[static_cast<std::size_t>(num_informations_++ % spec.window)] = trial.utility;
  if (told_stalled_ || num_informations_ < spec.window) return;
  if (!(*std::max_element(informations_.begin(), informations_.end()) < spec.stalled_nats)) return;
  told_stalled_ = true;
  news.push_back(warning(trial, "stalled",
                         fmt::format("the last {} stimuli were each expected to tell less than {} nats; more trials change little",
                                     spec.window, spec.stalled_nats)));
}

void Watch::look_at_belief(const Trial& trial, const models::Belief& belief, std::vector<Event>& news) {
  if (const auto* grid = e_.grid()) {
    for (std::size_t k = 0; k < told_border_.size(); ++k) {
      const models::Parameter& parameter = grid->family().parameters[k];
      if (parameter.values.size() < 3 || parameter.period > 0) continue;  // a circle has no border
      grid->marginal(dynamic_cast<const models::GridBelief&>(belief), k, marginal_);
      look_at_border(trial, k, parameter.name, parameter.values.front(), parameter.values.back(), news);
    }
  }
  // a grid that follows warns of its borders itself
  const auto* grid = dynamic_cast<const models::TextGrid*>(e_.model.get());
  if (!grid || grid->follows()) return;
  const auto& of_text = dynamic_cast<const models::TextGridBelief&>(belief);
  for (std::size_t k = 0; k < told_border_.size(); ++k) {
    if (!grid->has_border(k) || of_text.axes[k].size() < 3) continue;
    marginal_ = grid->marginal(of_text, k);
    const auto [low, high] = grid->ends(of_text, k);
    look_at_border(trial, k, grid->parameter_names[k], low, high, news);
  }
}

/// The share of the belief about one parameter, in marginal_, on its lowest and highest value.
void Watch::look_at_border(const Trial& trial, std::size_t k, const std::string& name, double lowest, double highest,
                           std::vector<Event>& news) {
  const bool low = marginal_.front() > e_.spec.watch.border_mass;
  if (told_border_[k] || (!low && !(marginal_.back() > e_.spec.watch.border_mass))) return;
  told_border_[k] = 1;
  news.push_back(warning(
      trial, "border",
      fmt::format("{:.0f} % of the belief about {} lies on its {} value, {}; the grid may be too narrow",
                  100 * (low ? marginal_.front() : marginal_.back()), name, low ? "lowest" : "highest", low ? lowest : highest)));
}

}  // namespace hartline::loop
