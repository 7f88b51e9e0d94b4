#include "design/tree_search.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "design/sample_search.hpp"
#include "design/tree_objective.hpp"
#include "models/text_likelihood.hpp"

namespace hartline::design {

namespace {

using models::Capability;

constexpr std::size_t num_places = 16, num_climbs = 4;  // climbs: with that of the one-step choice
constexpr std::size_t num_more = 48;                    // places that what follows may move to between two rounds
constexpr int num_rounds = 3, num_steps = 6;            // futures are placed anew each round
constexpr double first_step = 0.05;                     // of the range
constexpr double significant = 2;                       // standard errors
constexpr double close = 0.02;                          // share of a total, which deeper thought may turn

/// A tree that climbs.
struct Climb {
  Tree at, next;
  double length = 0;            // of the next step of the first stimulus, times the gradient
  std::vector<double> lengths;  // [num_branches] of the next ones
  bool stays = false;           // the first stimulus does
  bool evaluated = false;
};

class TreePlan final : public Plan {
 public:
  TreePlan(std::unique_ptr<Plan> p, int num_threads) : one_step(std::move(p)), state(num_threads) {}
  std::unique_ptr<Plan> one_step;
  TreeObjective::State state;
  std::vector<double> places;  // [num_places, dim]
  std::vector<Climb> climbs;   // one for each first stimulus; that of the one-step choice is the first
  SampleObjective::Scratch scratch;
};

class TreeSearch final : public Design {
 public:
  TreeSearch(const DesignSpec& spec, const SampleObjective& objective, const StimulusSet& set, std::uint64_t seed,
             Executor& executor)
      : set_(set),
        objective_(objective),
        one_step_(spec, objective, set, seed, executor),
        tree_(objective, set.dim, static_cast<std::size_t>(spec.lookahead.num_futures), executor),
        width_(static_cast<std::size_t>(spec.lookahead.width)),
        num_samples_(static_cast<std::size_t>(spec.lookahead.num_samples)),
        num_threads_(executor.num_threads()) {}

  std::unique_ptr<Plan> make_plan() const override { return std::make_unique<TreePlan>(one_step_.make_plan(), num_threads_); }

  void follow(Plan& plan, const Capability& belief, std::int64_t pool_index, std::span<const double> stimulus,
              double duration_s) const override {
    one_step_.follow(*static_cast<TreePlan&>(plan).one_step, belief, pool_index, stimulus, duration_s);
  }

  void choose(Plan& any_plan, const Capability& belief, std::uint64_t trial, const Budget& budget, Choice& out) const override {
    auto& plan = static_cast<TreePlan&>(any_plan);
    one_step_.choose(*plan.one_step, belief, trial, budget, out);
    out.total = out.utility;
    out.lead = out.lead_error = 0;
    if (out.explored || budget.num_trials < 2 || !budget.allows(out.units)) return;
    const auto& searched = static_cast<const SamplePlan&>(*plan.one_step);
    tree_.begin(plan.state, searched.prepared, num_samples_);
    plan.places.assign(out.values.begin(), out.values.end());
    one_step_.add_found(searched, std::max(num_places, width_), plan.places);
    const std::size_t num = begin_trees(plan, std::min(width_, plan.places.size() / set_.dim), budget, out.units);
    if (num == 0) return;
    plan.places.clear();
    for (const std::size_t k : searched.order)
      plan.places.insert(plan.places.end(), searched.points[k].x.begin(), searched.points[k].x.end());
    climb(plan, std::min(num, num_climbs), budget, out.units);
    const Climb& best = decide(plan, std::min(num, num_climbs), budget.num_trials > 2 ? close : 0, out);
    out.total = best.at.total;
    if (&best == &plan.climbs[0]) return;
    out.values = best.at.x;
    out.utility = objective_(searched.prepared, out.values, plan.scratch, {}, nullptr);
  }

  std::vector<double> utilities(Plan&, const Capability&) const override { return {}; }

 private:
  double range(std::size_t j) const { return set_.high_of(j) - set_.low_of(j); }

  /// Trees with the first places as their stimuli, the best next one of the places for each response; the most promising first,
  /// after that of the one-step choice. Returns how many were begun.
  std::size_t begin_trees(TreePlan& plan, std::size_t num, const Budget& budget, std::int64_t& units) const {
    if (plan.climbs.size() < std::max<std::size_t>(num, 1)) plan.climbs.resize(std::max<std::size_t>(num, 1));
    const std::size_t dim = set_.dim;
    const std::span<const double> next(plan.places.data(), std::min(plan.places.size(), num_places * dim));
    std::size_t done = 0;
    for (; done < num && budget.allows(units); ++done, ++units) {
      Climb& climb = plan.climbs[done];
      const auto from = plan.places.begin() + static_cast<std::ptrdiff_t>(done * dim);
      climb.at.x.assign(from, from + static_cast<std::ptrdiff_t>(dim));
      climb.at.next.clear();
      climb.stays = done == 0;
      climb.evaluated = false;
      tree_.place(plan.state, climb.at);
      if (!tree_.choose_next(plan.state, climb.at, next, false, budget)) break;
    }
    if (done > 2)
      std::sort(plan.climbs.begin() + 1, plan.climbs.begin() + static_cast<std::ptrdiff_t>(done),
                [](const Climb& a, const Climb& b) { return a.at.total > b.at.total; });
    return done;
  }

  /// All climbs take the same steps, in turns.
  void climb(TreePlan& plan, std::size_t num, const Budget& budget, std::int64_t& units) const {
    for (int round = 0; round < num_rounds; ++round)
      for (int step = 0; step <= num_steps; ++step)
        for (std::size_t k = 0; k < num; ++k) {
          if (!budget.allows(units)) return;
          if (step == 0 && !begin_round(plan, plan.climbs[k], round, budget)) return;
          if (step > 0) advance(plan, plan.climbs[k]);
          ++units;
        }
  }

  /// What follows may move to places that were not tried; futures are placed anew, and steps begin again.
  bool begin_round(TreePlan& plan, Climb& climb, int round, const Budget& budget) const {
    const std::size_t num_values = plan.places.size(), first = static_cast<std::size_t>(round) * num_more * set_.dim;
    const std::size_t count = std::min(num_more * set_.dim, num_values - std::min(first, num_values));
    if (count > 0 && !tree_.choose_next(plan.state, climb.at, {&plan.places[first], count}, true, budget)) return false;
    if (round > 0 && !climb.stays) tree_.place(plan.state, climb.at);
    tree_.evaluate(plan.state, climb.at);
    climb.evaluated = true;
    if (round == 0) climb.length = step_for(climb.at.gradient.data());
    climb.lengths.resize(climb.at.num_branches());
    for (std::size_t b = 0; b < climb.lengths.size(); ++b) climb.lengths[b] = step_for(&climb.at.next_gradient[b * set_.dim]);
    return true;
  }

  double step_for(const double* gradient) const {
    double steepest = 0;
    for (std::size_t j = 0; j < set_.dim; ++j)
      if (!set_.has_levels(j)) steepest = std::max(steepest, std::abs(gradient[j]) * range(j));
    return steepest > 0 ? first_step / steepest : 0;
  }

  /// A step along a gradient, within the box; lengths are those of coordinates from 0 to 1.
  void step(const double* at, const double* gradient, double length, double* out) const {
    for (std::size_t j = 0; j < set_.dim; ++j)
      out[j] = set_.has_levels(j) ? at[j]
                                  : std::clamp(at[j] + length * gradient[j] * range(j) * range(j), set_.low_of(j), set_.high_of(j));
  }

  /// The length of the next step, by Barzilai and Borwein.
  double longer(const double* from, const double* to, const double* gradient_from, const double* gradient_to, double length) const {
    double ss = 0, sy = 0;
    for (std::size_t j = 0; j < set_.dim; ++j) {
      if (set_.has_levels(j)) continue;
      const double s = (to[j] - from[j]) / range(j);
      ss += s * s;
      sy += s * (gradient_to[j] - gradient_from[j]) * range(j);
    }
    return sy < 0 ? std::min(ss / -sy, 8 * length) : 3 * length;
  }

  void advance(TreePlan& plan, Climb& c) const {
    const std::size_t dim = set_.dim, num = c.at.num_branches();
    c.next = c.at;
    if (!c.stays) step(c.at.x.data(), c.at.gradient.data(), c.length, c.next.x.data());
    for (std::size_t b = 0; b < num; ++b)
      step(&c.at.next[b * dim], &c.at.next_gradient[b * dim], c.lengths[b], &c.next.next[b * dim]);
    tree_.evaluate(plan.state, c.next);
    if (!(c.next.total > c.at.total)) {
      c.length *= 0.25;
      for (double& length : c.lengths) length *= 0.5;
      return;
    }
    c.length = longer(c.at.x.data(), c.next.x.data(), c.at.gradient.data(), c.next.gradient.data(), c.length);
    for (std::size_t b = 0; b < num; ++b)
      c.lengths[b] = longer(&c.at.next[b * dim], &c.next.next[b * dim], &c.at.next_gradient[b * dim],
                            &c.next.next_gradient[b * dim], c.lengths[b]);
    std::swap(c.at, c.next);
  }

  /// The climb with the largest total, unless it is not ahead of the one-step choice by more than chance and a share of the total.
  const Climb& decide(const TreePlan& plan, std::size_t num, double share, Choice& out) const {
    const Climb *first = &plan.climbs[0], *best = first;
    for (std::size_t k = 1; k < num; ++k)
      if (plan.climbs[k].evaluated && plan.climbs[k].at.total > best->at.total) best = &plan.climbs[k];
    if (best == first) return *first;
    out.lead = best->at.total - first->at.total;
    out.lead_error = tree_.error_of(plan.state, best->at, first->at);
    if (out.lead > std::max(significant * out.lead_error, share * std::abs(best->at.total))) return *best;
    out.lead = 0;
    return *first;
  }

  const StimulusSet& set_;
  SampleObjective objective_;
  SampleSearch one_step_;
  TreeObjective tree_;
  std::size_t width_, num_samples_;
  int num_threads_;
};

}  // namespace

std::unique_ptr<Design> make_tree_search(const DesignSpec& spec, const SampleObjective& objective, const StimulusSet& set,
                                         std::uint64_t seed, Executor& executor) {
  const models::TextLikelihood& likelihood = objective.likelihood();
  const auto refuse = [&](const char* wanted) {
    throw SpecError({"design.lookahead.depth", wanted, fmt::format("{}", spec.lookahead.depth),
                     "A pool of stimuli is looked ahead over whatever the law."});
  };
  if (spec.lookahead.depth > 2) refuse("at most 2 over a box");
  if (likelihood.has_states()) refuse("1 for a text with states");
  if (!objective.has_gradient() || !Futures::has_rules(likelihood.text().laws))
    refuse("1 over a box where the utility has no gradient or a trial has several responses");
  return std::make_unique<TreeSearch>(spec, objective, set, seed, executor);
}

}  // namespace hartline::design
