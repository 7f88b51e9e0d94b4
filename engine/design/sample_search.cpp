#include "design/sample_search.hpp"

#include <cmath>
#include <numeric>

#include "base/error.hpp"
#include "base/threads.hpp"

namespace hartline::design {

using models::Capability;

namespace {

constexpr std::size_t num_spread = 64, num_near = 32;
constexpr std::size_t num_starts = 6, num_polished = 2;
constexpr int num_steps = 16, num_polishing = 4;
constexpr double least_step = 1e-4;  // of the range

}  // namespace

SamplePlan::SamplePlan(int num_threads, std::size_t dim) : slots(num_threads), points(num_spread + num_near), climbs(num_starts) {
  for (Point& point : points) point.x.resize(dim);
  for (Climb& climb : climbs) {
    for (Point* point : {&climb.at, &climb.next}) {
      point->x.resize(dim);
      point->gradient.resize(dim);
    }
  }
}

SampleSearch::SampleSearch(const DesignSpec& spec, const SampleObjective& objective, const StimulusSet& set, std::uint64_t seed,
                           Executor& executor)
    : set_(set),
      objective_(objective),
      law_(spec, set),
      explore_(spec.explore),
      max_evaluations_(spec.max_evaluations),
      seed_(seed),
      executor_(executor) {}

std::unique_ptr<Plan> SampleSearch::make_plan() const { return std::make_unique<SamplePlan>(executor_.num_threads(), set_.dim); }

void SampleSearch::follow(Plan& plan, const Capability&, std::int64_t, std::span<const double> stimulus, double) const {
  if (!stimulus.empty()) static_cast<SamplePlan&>(plan).last.assign(stimulus.begin(), stimulus.end());
}

void SampleSearch::choose(Plan& any_plan, const Capability& belief, std::uint64_t trial, const Budget& budget, Choice& out) const {
  auto& plan = static_cast<SamplePlan&>(any_plan);
  out.pool_index = -1;
  out.values.resize(set_.dim);
  out.explored = false;
  out.units = 0;
  if (auto stream = RandomLaw::exploration(explore_, seed_, trial)) {
    law_.draw(*stream, out.values);
    out.utility = std::numeric_limits<double>::quiet_NaN();
    out.explored = true;
    return;
  }
  objective_.prepare(belief, plan.prepared);
  objective_.thin(plan.prepared, objective_.num_enough(), plan.thin);  // of all but the last steps
  Point& best = plan.best;
  best.utility = -std::numeric_limits<double>::infinity();
  screen(plan, trial, budget, out.units, best);
  const std::size_t num = plan.num_climbs = pick_starts(plan);
  climb(plan, plan.thin, num, num_steps, trial, budget, out.units, best);
  polish(plan, num, trial, budget, out.units, best);
  if (!std::isfinite(best.utility))
    throw RunError({"belief", "one whose utilities are finite", number_text(best.utility), "See the model's text."},
                   static_cast<std::int64_t>(trial));
  out.utility = best.utility;
  out.values = best.x;
  out.utility_limit = objective_.limit(plan.prepared);
  if (!objective_.has_error()) return;
  plan.slots.with([&](SampleObjective::Scratch& s) {
    objective_(plan.prepared, best.x, s, {}, nullptr);
    out.utility_error = s.error;
    out.utility_limit = s.limit;
  });
}

/// Utilities of points first … last - 1, at the same time.
void SampleSearch::evaluate(SamplePlan& plan, std::size_t first, std::size_t last) const {
  executor_.for_each_block(static_cast<int>(last - first), [&](int b) {
    Point& point = plan.points[first + static_cast<std::size_t>(b)];
    plan.slots.with([&](SampleObjective::Scratch& s) { point.utility = objective_(plan.thin, point.x, s, {}, nullptr); });
  });
}

void SampleSearch::screen(SamplePlan& plan, std::uint64_t trial, const Budget& budget, std::int64_t& units, Point& best) const {
  Stream stream(seed_, Purpose::design, trial, 2);
  // additive recurrence by powers of the root of g^(dim + 1) = g + 1, from a place of its own every trial
  double g = 1.5;
  for (int k = 0; k < 60; ++k) g = std::pow(1 + g, 1 / (static_cast<double>(set_.dim) + 1));
  for (std::size_t j = 0; j < set_.dim; ++j) {
    double u = stream.uniform();
    const double step = std::pow(1 / g, static_cast<double>(j + 1));
    for (std::size_t k = 0; k < num_spread; ++k) {
      plan.points[k].x[j] = set_.value_at(j, u);
      u += step;
      u -= std::floor(u);
    }
  }
  std::size_t num = num_spread;
  if (!plan.last.empty())
    for (; num < num_spread + num_near; ++num) {
      const double scale = std::pow(2.0, -1 - static_cast<double>(num % 8));
      for (std::size_t j = 0; j < set_.dim; ++j) {
        const double z = stream.normal(), u = stream.uniform();
        plan.points[num].x[j] = !has_levels(j) ? inside(j, plan.last[j] + 0.3 * scale * range(j) * z)
                                : u < scale    ? set_.value_at(j, stream.uniform())
                                               : plan.last[j];
      }
    }
  // mixed, so that a deadline cuts some of both kinds
  plan.order.resize(num);
  std::iota(plan.order.begin(), plan.order.end(), std::size_t{0});
  for (std::size_t k = num_spread; k < num; ++k) std::swap(plan.points[k].x, plan.points[2 * (k - num_spread) + 1].x);
  std::size_t done = 0;
  while (done < num && may_go_on(budget, units)) {
    // few between two looks at the clock; no more than are allowed, whatever the number of threads
    const auto left = static_cast<std::size_t>(std::max<std::int64_t>(1, std::min(budget.max_units, max_evaluations_) - units));
    const std::size_t last = std::min({done + 2 * static_cast<std::size_t>(executor_.num_threads()), done + left, num});
    evaluate(plan, done, last);
    units += static_cast<std::int64_t>(last - done);
    done = last;
  }
  plan.order.resize(done);
  std::stable_sort(plan.order.begin(), plan.order.end(), [&](std::size_t a, std::size_t b) {
    const double ua = plan.points[a].utility, ub = plan.points[b].utility;
    return (std::isfinite(ua) ? ua : -INFINITY) > (std::isfinite(ub) ? ub : -INFINITY);
  });
  best = plan.points[plan.order[0]];
}

bool SampleSearch::is_near(const double* a, const double* b) const {
  for (std::size_t j = 0; j < set_.dim; ++j)
    if (has_levels(j) ? a[j] != b[j] : std::abs(a[j] - b[j]) > 0.05 * range(j)) return false;
  return true;
}

/// The best points that are not alike become starts; returns how many.
std::size_t SampleSearch::pick_starts(SamplePlan& plan) const {
  std::size_t num = 0;
  for (const std::size_t k : plan.order) {
    if (num == num_starts) break;
    const Point& point = plan.points[k];
    if (!std::isfinite(point.utility)) break;
    const auto end = plan.climbs.begin() + static_cast<std::ptrdiff_t>(num);
    if (std::any_of(plan.climbs.begin(), end, [&](const Climb& other) { return is_near(other.at.x.data(), point.x.data()); }))
      continue;
    Climb& climb = plan.climbs[num++];
    climb.at.x = point.x;
    climb.at.utility = point.utility;
    climb.done = false;
  }
  return num;
}

void SampleSearch::climb(SamplePlan& plan, const SampleObjective::Prepared& samples, std::size_t num, int steps,
                         std::uint64_t trial, const Budget& budget, std::int64_t& units, Point& best) const {
  for (int step = 0; step <= steps; ++step) {
    const auto running = std::count_if(plan.climbs.begin(), plan.climbs.begin() + static_cast<std::ptrdiff_t>(num),
                                       [](const Climb& climb) { return !climb.done; });
    if (running == 0 || !may_go_on(budget, units)) break;
    executor_.for_each_block(static_cast<int>(num), [&](int k) {
      Climb& climb = plan.climbs[static_cast<std::size_t>(k)];
      if (!climb.done) advance(plan, samples, climb, trial, static_cast<std::uint64_t>(k), step);
    });
    units += running;
    for (std::size_t k = 0; k < num; ++k)
      if (plan.climbs[k].at.utility > best.utility) best = plan.climbs[k].at;
  }
}

/// The best of the climbs go on with all samples, whose utilities are those that are told.
void SampleSearch::polish(SamplePlan& plan, std::size_t num, std::uint64_t trial, const Budget& budget, std::int64_t& units,
                          Point& best) const {
  if (num == 0 || !may_go_on(budget, units)) return;
  std::sort(plan.climbs.begin(), plan.climbs.begin() + static_cast<std::ptrdiff_t>(num),
            [](const Climb& a, const Climb& b) { return a.at.utility > b.at.utility; });
  num = std::min(num, num_polished);
  for (std::size_t k = 0; k < num; ++k) plan.climbs[k].done = false;
  // the deadline may pass before the first of them: what was found stays then
  const std::int64_t before = units;
  const double found = best.utility;
  best.utility = -std::numeric_limits<double>::infinity();
  climb(plan, plan.prepared, num, num_polishing, trial, budget, units, best);
  if (units == before) best.utility = found;
}

/// One evaluation of a climb, and the decision where to go on.
void SampleSearch::advance(SamplePlan& plan, const SampleObjective::Prepared& samples, Climb& climb, std::uint64_t trial,
                           std::uint64_t index, int step) const {
  const std::size_t dim = set_.dim;
  const auto utility = [&](Point& point) {
    plan.slots.with([&](SampleObjective::Scratch& s) {
      point.utility = objective_(samples, point.x, s,
                                 objective_.has_gradient() ? std::span<double>(point.gradient) : std::span<double>(), nullptr);
    });
  };
  if (step == 0) utility(climb.at);
  if (!objective_.has_gradient()) {
    if (step == 0) {
      climb.length = 0.1;
      return;
    }
    Stream stream(seed_, Purpose::design, trial, 16 + index * 64 + static_cast<std::uint64_t>(step));
    for (std::size_t j = 0; j < dim; ++j)
      climb.next.x[j] = has_levels(j) ? climb.at.x[j] : inside(j, climb.at.x[j] + climb.length * range(j) * stream.normal());
    utility(climb.next);
    if (climb.next.utility > climb.at.utility) {
      std::swap(climb.at, climb.next);
      climb.length *= 1.5;
    } else {
      climb.length *= 0.8;
    }
    return;
  }
  if (step == 0) {
    double steepest = 0;
    for (std::size_t j = 0; j < dim; ++j)
      if (!has_levels(j)) steepest = std::max(steepest, std::abs(climb.at.gradient[j]) * range(j));
    if (!(steepest > 0) || !std::isfinite(steepest)) {
      climb.done = true;
      return;
    }
    climb.length = 0.05 / steepest;
    return;
  }
  // lengths are those of coordinates from 0 to 1
  double moved = 0;
  for (std::size_t j = 0; j < dim; ++j) {
    const double scaled = climb.length * climb.at.gradient[j] * range(j) * range(j);
    climb.next.x[j] = has_levels(j) ? climb.at.x[j] : inside(j, climb.at.x[j] + scaled);
    if (!has_levels(j)) moved = std::max(moved, std::abs(climb.next.x[j] - climb.at.x[j]) / range(j));
  }
  if (!(moved > least_step)) {
    climb.done = true;
    return;
  }
  utility(climb.next);
  if (!(climb.next.utility > climb.at.utility)) {
    climb.length *= 0.25;
    return;
  }
  double ss = 0, sy = 0;
  for (std::size_t j = 0; j < dim; ++j) {
    if (has_levels(j)) continue;
    const double s = (climb.next.x[j] - climb.at.x[j]) / range(j);
    ss += s * s;
    sy += s * (climb.next.gradient[j] - climb.at.gradient[j]) * range(j);
  }
  climb.length = sy < 0 ? std::min(ss / -sy, 8 * climb.length) : 3 * climb.length;
  std::swap(climb.at, climb.next);
}

void SampleSearch::add_found(const SamplePlan& plan, std::size_t most, std::vector<double>& places) const {
  const auto add = [&](const Point& point) {
    if (places.size() >= most * set_.dim || !std::isfinite(point.utility)) return;
    for (std::size_t at = 0; at < places.size(); at += set_.dim)
      if (is_near(&places[at], point.x.data())) return;
    places.insert(places.end(), point.x.begin(), point.x.end());
  };
  for (std::size_t k = 0; k < plan.num_climbs; ++k) add(plan.climbs[k].at);
  for (const std::size_t k : plan.order) add(plan.points[k]);
}

}  // namespace hartline::design
