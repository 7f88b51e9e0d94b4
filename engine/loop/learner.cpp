#include "loop/learner.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "design/pool.hpp"
#include "models/candidates.hpp"
#include "models/grid.hpp"
#include "models/population.hpp"
#include "models/text_model.hpp"

namespace hartline::loop {

Learner::Learner(const Experiment& experiment) : experiment_(experiment), arms_(experiment.arms.size()), watch_(experiment) {
  if (experiment.fallback) fallback_plan_ = experiment.fallback->make_plan();
  note_unused();
  keeps_history_ = experiment.model->can_refine() && (experiment.refine_every > 0 || experiment.refine_at_end);
  for (std::size_t a = 0; a < arms_.size(); ++a) {
    ArmState& arm = arms_[a];
    arm.belief = experiment.model->prior();
    arm.plan = experiment.arms[a].design->make_plan();
    // the plan sees the prior here, not at the first choice: a run that is restored or replayed may make none before it learns
    experiment.arms[a].design->follow(*arm.plan, capability(a), -1, {}, std::nan(""));
    if (!keeps_history_) continue;
    const auto num = static_cast<std::size_t>(experiment.spec.num_trials),
               num_values = experiment.model->num_cells * experiment.model->num_bins;
    arm.history.stimuli.reserve(num * experiment.stimuli.dim);
    arm.history.values.reserve(num * num_values);
    arm.history.marks.reserve(num * num_values);
  }
}

void Learner::note_unused() {
  const auto tell = [&](const models::Model& model, const std::string& of_model) {
    const auto* samples = dynamic_cast<const models::TextModel*>(&model);
    const auto* grid = dynamic_cast<const models::GridModel*>(&model);
    const models::EncodingText* text = samples ? &samples->text() : grid ? models::text_of(grid->family()) : nullptr;
    if (!text) return;
    for (const std::string& name : text->unused)
      news_.push_back({0, 0, Level::warning, "unused",
                       fmt::format("{}no response depends on parameter {}: its posterior is its prior", of_model, name)});
  };
  const models::Candidates* candidates = experiment_.candidates();
  if (!candidates) return tell(*experiment_.model, "");
  for (std::size_t i = 0; i < candidates->num_models(); ++i) tell(candidates->model(i), candidates->parameter_names[i] + ": ");
}

Learner::Learner(const Experiment& experiment, const models::Belief& belief) : Learner(experiment) {
  arms_[0].belief->replace_by(belief);
  experiment.arms[0].design->follow(*arms_[0].plan, capability(0), -1, {}, std::nan(""));
}

bool Learner::serves(std::size_t arm, const Trial& trial) const {
  return trial.role != Role::validate && trial.arm == static_cast<std::int64_t>(arm);
}

double Learner::elapse(ArmState& arm, std::int64_t time_ns) {
  const double elapsed_s = arm.has_time ? std::max(0.0, static_cast<double>(time_ns - arm.last_time_ns) * 1e-9) : 0;
  arm.last_time_ns = arm.has_time ? std::max(arm.last_time_ns, time_ns) : time_ns;
  arm.has_time = true;
  return elapsed_s;
}

void Learner::pass_time(const Trial& trial) {
  if (trial.role == Role::validate) return;
  ArmState& arm = arms_[static_cast<std::size_t>(trial.arm)];
  if (const double elapsed_s = elapse(arm, trial.requested.time_ns); elapsed_s > 0)
    experiment_.model->update(*arm.belief, {}, {}, elapsed_s);
}

std::int64_t Learner::num_to_come(std::size_t arm, std::int64_t trial) const {
  constexpr std::int64_t farthest = 64;  // trials that are looked through; an arm that has none of them is far from its end
  const std::int64_t wanted = experiment_.arms[arm].spec.lookahead.depth;
  std::int64_t num = 0;
  for (std::int64_t t = trial; t < experiment_.spec.num_trials && num < wanted; ++t) {
    if (t == trial + farthest) return wanted;
    const Assignment assignment = experiment_.assign(t);
    num += assignment.role != Role::validate && assignment.arm == static_cast<std::int64_t>(arm);
  }
  return std::max<std::int64_t>(num, 1);
}

void Learner::choose(const Trial& trial, const design::Budget& given, design::Choice& out) {
  out.utility_error = 0;
  out.utility_limit = std::numeric_limits<double>::infinity();
  if (trial.role == Role::validate) {
    const Assignment assignment = experiment_.assign(trial.index);
    design::take(experiment_.validation, assignment.validation_idx, out);
    const auto& members = experiment_.validation_members;
    out.pool_index = members.empty() ? -1 : members[static_cast<std::size_t>(assignment.validation_idx)];
    out.utility = std::nan("");
    out.units = 0;
    out.explored = false;
    return;
  }
  const auto a = static_cast<std::size_t>(trial.arm);
  ArmState& arm = arms_[a];
  const models::Model& model = *experiment_.model;
  pass_time(trial);
  if (trial.role == Role::fallback) return draw_fallback(trial, out);  // a replay; the run had begun to choose
  const auto index = static_cast<std::uint64_t>(trial.index);
  const design::Design& design = *experiment_.arms[a].design;
  design::Budget budget = given;
  budget.num_trials = num_to_come(a, trial.index);
  if (num_decided_ == num_trials_) return design.choose(*arm.plan, capability(a), index, budget, out);
  // decided and not answered yet: of this arm's trials the expected information counts, of the others only what was shown
  const auto outlook = arm.belief->fork();
  blank_.kind = model.response_kind;
  blank_.num_cells = static_cast<std::int64_t>(model.num_cells);
  blank_.num_bins = static_cast<std::int64_t>(model.num_bins);
  blank_.values.assign(model.num_cells * model.num_bins, std::nan(""));
  for (std::int64_t t = num_trials_; t < num_decided_; ++t) {
    const Trial& open = pending_[static_cast<std::size_t>(t) % pending_.size()];
    blank_.marks.assign(blank_.values.size(), serves(a, open) ? Mark::pending : Mark::blanked);
    if (serves(a, open) || model.has_context) model.update(*outlook, experiment_.values(open.requested.stimulus, t), blank_, 0);
  }
  design.choose(*arm.plan, model.capability(*outlook), index, budget, out);
}

void Learner::draw_fallback(const Trial& trial, design::Choice& out) {
  experiment_.fallback->choose(*fallback_plan_, {}, static_cast<std::uint64_t>(trial.index), {}, out);
  out.utility = std::nan("");
  out.units = 0;
}

void Learner::decide(const Trial& trial) {
  const auto num_open = static_cast<std::size_t>(num_decided_ - num_trials_);
  if (num_open == pending_.size()) {
    // a longer ring; the open trials keep their places by index
    std::vector<Trial> longer(2 * pending_.size() + 1);
    for (std::int64_t t = num_trials_; t < num_decided_; ++t)
      longer[static_cast<std::size_t>(t) % longer.size()] = std::move(pending_[static_cast<std::size_t>(t) % pending_.size()]);
    pending_ = std::move(longer);
  }
  copy_decision(trial, pending_[static_cast<std::size_t>(num_decided_) % pending_.size()]);
  ++num_decided_;
  const auto* item = std::get_if<PoolItem>(&trial.requested.stimulus.what);
  const std::span<const double> x = experiment_.values(trial.requested.stimulus, trial.index);
  for (std::size_t a = 0; a < arms_.size(); ++a)
    if (serves(a, trial) || experiment_.stimuli.once)
      experiment_.arms[a].design->follow(*arms_[a].plan, capability(a), item ? item->index : -1, x, std::nan(""));
}

void Learner::learn(Trial& trial) {
  const std::span<const double> x = experiment_.values(trial.delivered.stimulus, trial.index);
  const models::Model& model = *experiment_.model;
  if (num_decided_ == num_trials_) decide(trial);
  for (std::size_t a = 0; a < arms_.size(); ++a) {
    ArmState& arm = arms_[a];
    const bool own = serves(a, trial);
    if (!own && !model.has_context) continue;
    models::Update update;
    try {
      if (own) {
        update = model.update(*arm.belief, x, trial.response, elapse(arm, trial.delivered.time_ns));
      } else {
        // what was shown, and answered, is the past of what comes next
        blank_ = trial.response;
        blank_.marks.resize(blank_.values.size(), Mark::observed);
        for (Mark& mark : blank_.marks)
          if (mark != Mark::missing) mark = Mark::blanked;
        model.update(*arm.belief, x, blank_, elapse(arm, trial.delivered.time_ns));
      }
    } catch (const RunError& error) {
      Fault fault = error.fault;
      fault.path = "trial " + std::to_string(trial.index) + ", " + fault.path;
      throw RunError(fault, trial.index);
    }
    if (keeps_history_) remember(arm, x, own ? trial.response : blank_);
    if (own) {
      ++arm.num_trials;
      trial.log_evidence = update.log_evidence;
      watch_.look(trial, update.predictions, *arm.belief, news_);
    }
    if (own) experiment_.arms[a].design->learn(*arm.plan, x, trial.response);
    note_attendance(a, trial);
    if (own && (update.used || model.has_context)) note_notices(a, trial);
    if (own && experiment_.refine_every > 0) {
      if (arm.refit.valid() && arm.num_trials == arm.refit_trial + experiment_.refine_lag) take_refit(arm);
      if (!arm.refit.valid() && arm.num_trials % experiment_.refine_every == 0) begin_refit(arm);
    }
    experiment_.arms[a].design->follow(*arm.plan, capability(a), -1, {}, std::nan(""));
  }
  note_duration(trial);
  if (trial.role == Role::validate) trial.log_evidence = std::nan("");
  ++num_trials_;
}

void Learner::note_attendance(std::size_t a, const Trial& trial) {
  const auto* belief = dynamic_cast<const models::PopulationBelief*>(arms_[a].belief.get());
  if (!belief) return;
  const std::string of_arm = arms_.size() > 1 ? " for arm " + experiment_.arms[a].name : "";
  for (std::size_t& next = arms_[a].num_attended; next < belief->attendance.size(); ++next) {
    const models::Attendance& entry = belief->attendance[next];
    const std::int64_t num = belief->num_without[entry.cell];
    std::string message = entry.present ? fmt::format("cell {} has a value and counts as present{}", entry.cell + 1, of_arm)
                          : entry.trial == 0
                              ? fmt::format("cell {} has no value at the start and counts as absent{}", entry.cell + 1, of_arm)
                              : fmt::format("cell {} had no value in {} trials and counts as gone{}", entry.cell + 1, num, of_arm);
    news_.push_back({trial.index, trial.delivered.time_ns, Level::info, "cell", std::move(message)});
  }
}

void Learner::note_notices(std::size_t a, const Trial& trial) {
  const auto* samples = dynamic_cast<const models::SampleBelief*>(arms_[a].belief.get());
  const auto* candidates = dynamic_cast<const models::CandidatesBelief*>(arms_[a].belief.get());
  if (!samples && !candidates) return;
  const std::string of_arm = arms_.size() > 1 ? " (arm " + experiment_.arms[a].name + ")" : "";
  for (const models::Notice& notice : samples ? samples->notices : candidates->notices)
    news_.push_back(
        {trial.index, trial.delivered.time_ns, notice.warning ? Level::warning : Level::info, notice.kind, notice.text + of_arm});
}

void Learner::note_duration(const Trial& trial) {
  const auto* item = std::get_if<PoolItem>(&trial.delivered.stimulus.what);
  const double duration_s = static_cast<double>(trial.delivered.time_ns - last_delivered_ns_) * 1e-9;
  if (last_member_ >= 0 && duration_s > 0)
    for (std::size_t a = 0; a < arms_.size(); ++a)
      experiment_.arms[a].design->follow(*arms_[a].plan, capability(a), last_member_, {}, duration_s);
  last_member_ = item ? item->index : -1;
  last_delivered_ns_ = trial.delivered.time_ns;
}

void Learner::remember(ArmState& arm, std::span<const double> x, const Response& response) {
  models::History& history = arm.history;
  history.stimuli.insert(history.stimuli.end(), x.begin(), x.end());
  history.values.insert(history.values.end(), response.values.begin(), response.values.end());
  for (std::size_t i = 0; i < response.values.size(); ++i) history.marks.push_back(models::mark_of(response, i));
  ++history.num_trials;
}

void Learner::begin_refit(ArmState& arm) {
  arm.refit_trial = arm.num_trials;
  arm.refit_history = arm.history.num_trials;
  arm.refit =
      std::async(std::launch::async, [model = experiment_.model.get(), history = arm.history, fork = arm.belief->fork()]() mutable {
        model->refine(*fork, history);
        return std::move(fork);
      });
}

void Learner::take_refit(ArmState& arm) {
  auto fork = arm.refit.get();
  // the trials since it was begun
  const models::Model& model = *experiment_.model;
  const std::size_t dim = experiment_.stimuli.dim, num_values = model.num_cells * model.num_bins;
  Response response;
  response.kind = model.response_kind;
  response.num_cells = static_cast<std::int64_t>(model.num_cells);
  response.num_bins = static_cast<std::int64_t>(model.num_bins);
  for (std::size_t t = arm.refit_history; t < arm.history.num_trials; ++t) {
    const auto first = static_cast<std::ptrdiff_t>(t * num_values), last = first + static_cast<std::ptrdiff_t>(num_values);
    response.values.assign(arm.history.values.begin() + first, arm.history.values.begin() + last);
    response.marks.assign(arm.history.marks.begin() + first, arm.history.marks.begin() + last);
    model.update(*fork, {&arm.history.stimuli[t * dim], dim}, response, 0);
  }
  arm.belief->replace_by(*fork);
}

void Learner::finish() {
  for (ArmState& arm : arms_) {
    if (arm.refit.valid()) arm.refit.wait();
    if (experiment_.refine_at_end && arm.history.num_trials > 0) experiment_.model->refine(*arm.belief, arm.history);
  }
}

Array Learner::mean(std::size_t arm) const {
  Array out{{static_cast<std::int64_t>(experiment_.model->num_parameters)}, std::vector<double>(experiment_.model->num_parameters)};
  std::vector<double> sd(out.values.size());
  experiment_.model->summarise(belief(arm), out.values, sd);
  return out;
}

Array Learner::sd(std::size_t arm) const {
  Array out = mean(arm);
  std::vector<double> mean(out.values.size());
  experiment_.model->summarise(belief(arm), mean, out.values);
  return out;
}

double Learner::credible_width(std::size_t parameter, std::size_t arm) const {
  if (const auto* samples = experiment_.samples()) {
    const auto& of_arm = dynamic_cast<const models::SampleBelief&>(belief(arm));
    return samples->quantile(of_arm, parameter, 0.95) - samples->quantile(of_arm, parameter, 0.05);
  }
  const auto* grid = experiment_.grid();
  if (!grid) return 2 * 1.6448536269514722 * sd(arm).values[parameter];
  const auto marginal = grid->marginal(dynamic_cast<const models::GridBelief&>(belief(arm)), parameter);
  std::vector<std::pair<double, double>> values;  // with their probabilities
  const models::Parameter& of = grid->family().parameters[parameter];
  const double centre = of.period > 0 ? mean(arm).values[parameter] : 0;
  for (std::size_t i = 0; i < marginal.size(); ++i) {
    const double x = of.values[i];
    values.emplace_back(of.period > 0 ? centre + std::remainder(x - centre, of.period) : x, marginal[i]);
  }
  std::sort(values.begin(), values.end());
  double below = 0, low = values.front().first, high = values.back().first;
  bool has_low = false;
  for (std::size_t i = 0; i < values.size(); ++i) {
    below += values[i].second;
    if (!has_low && below >= 0.05) {
      low = values[i].first;
      has_low = true;
    }
    if (below >= 0.95) {
      high = values[i].first;
      break;
    }
  }
  return high - low;
}

std::uint64_t Learner::digest() const {
  std::uint64_t out = 0;
  for (const ArmState& arm : arms_) out = out * 0x9e3779b97f4a7c15ULL + arm.belief->digest();
  return out;
}

std::vector<Event> Learner::take_news() { return std::exchange(news_, {}); }

}  // namespace hartline::loop
