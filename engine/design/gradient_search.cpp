#include "design/gradient_search.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/random.hpp"
#include "design/feasible_set.hpp"
#include "numerics/dense.hpp"

namespace hartline::design {

namespace {

using models::GaussianView;
using numerics::dot;

constexpr std::size_t num_random = 96, num_random_kept = 8, max_starts = num_random_kept + 6;
constexpr std::size_t num_polished = 4;
constexpr int screening_steps = 15, polishing_steps = 400, num_power_steps = 8;
constexpr int screening_rounds = 2, polishing_rounds = 12, steps_a_round = 60;
constexpr std::size_t memory = 6;        // values that a step need not fall below all of
constexpr double least_promise = 1e-11;  // of the utility

/// A start with what was found from it.
struct Start {
  double merit = -std::numeric_limits<double>::infinity();
  std::vector<double> x;
};

}  // namespace

struct GradientSearch::Scratch {
  Scratch(const GaussianObjective& objective, std::size_t n)
      : inner(objective),
        x(n),
        gradient(n),
        next(n),
        next_gradient(n),
        direction(n),
        best(n),
        anchor(n),
        weight(objective.num_rows()),
        multiplier(objective.num_rows()),
        starts(max_starts) {
    for (Start& start : starts) start.x.resize(n);
  }
  GaussianObjective::Scratch inner;
  std::vector<double> x, gradient, next, next_gradient, direction;  // [n]
  std::vector<double> best, anchor;                                 // [n] best allowed stimulus; one far from the cap
  std::vector<double> weight, multiplier;                           // [num_rows]
  std::vector<Start> starts;
  std::array<std::size_t, max_starts> order;
};

void GradientSearch::FreeScratch::operator()(Scratch* scratch) const { delete scratch; }

GradientSearch::GradientSearch(const GaussianObjective& objective, const StimulusSet& set, double max_expected_count,
                               std::int64_t max_evaluations)
    : objective_(objective), set_(set), cap_(max_expected_count), max_evaluations_(max_evaluations) {}

GradientSearch::ScratchPtr GradientSearch::make_scratch() const { return ScratchPtr(new Scratch(objective_, set_.dim)); }

namespace {

/// One search: counts the work, keeps the best allowed stimulus, and climbs.
class Climb {
 public:
  using Scratch = GradientSearch::Scratch;

  Climb(const GaussianObjective& objective, const StimulusSet& set, const GaussianView& view, double cap, const Budget& budget,
        Scratch& s)
      : objective_(objective), set_(set), view_(view), cap_(cap), log_cap_(std::log(cap)), budget_(budget), s_(s) {}

  bool may_go_on() const { return units_ == 0 || budget_.allows(units_); }
  std::int64_t units() const { return units_; }
  double best() const { return best_; }
  double smallest_count() const { return std::exp(smallest_); }
  bool capped() const { return std::isfinite(cap_); }

  /// Merit of x with gradient: the utility, less the augmented Lagrangian of the cap; or where `only_count`, minus the sum of the
  /// log counts above the cap. Notes the best allowed stimulus.
  double evaluate(std::span<const double> x, std::span<double> gradient) {
    ++units_;
    const double utility = objective_(view_, x, s_.inner, gradient);
    if (!capped()) {
      note(utility, x);
      return utility;
    }
    objective_.count(s_.inner);
    double merit = only_count_ ? 0 : utility, largest = -std::numeric_limits<double>::infinity();
    if (only_count_) std::fill(gradient.begin(), gradient.end(), 0.0);
    for (std::size_t j = 0; j < s_.weight.size(); ++j) {
      const double excess = s_.inner.log_count[j] - log_cap_;
      largest = std::max(largest, excess);
      if (only_count_) {
        // a margin of 1 below the cap leaves an anchor well inside where there is room
        const double over = std::max(0.0, excess + 1);
        merit -= 0.5 * over * over;
        s_.weight[j] = -over;
        continue;
      }
      const double push = std::max(0.0, s_.multiplier[j] + stiffness_ * excess);
      merit -= (push * push - s_.multiplier[j] * s_.multiplier[j]) / (2 * stiffness_);
      s_.weight[j] = -push;
    }
    objective_.add_count_gradient(view_, s_.weight, s_.inner, gradient);
    if (largest + log_cap_ < smallest_) {
      smallest_ = largest + log_cap_;
      std::copy(x.begin(), x.end(), s_.anchor.begin());
    }
    if (largest <= 0) note(utility, x);
    return merit;
  }

  /// Spectral gradient ascent from s.x along the arc of projections of x + σ g, g free of what points out of the set; leaves the
  /// point reached in s.x and returns its merit.
  double climb(int max_steps) {
    const std::size_t n = s_.x.size();
    project_onto(set_, s_.x);
    double value = evaluate(s_.x, s_.gradient);
    make_tangential(s_.x, s_.gradient);
    std::array<double, memory> recent;
    recent.fill(value);
    double step = 0, step_before = 0;
    for (int iteration = 0; iteration < max_steps && may_go_on(); ++iteration) {
      const double steepness = dot(s_.gradient.data(), s_.gradient.data(), n);
      if (!(steepness > 0) || !std::isfinite(value)) break;
      const double longest = extent() / std::sqrt(steepness);
      if (step == 0) step = step_before = longest;
      if (std::max(step, step_before) * steepness <= least_promise * std::abs(value)) break;
      step_before = step;
      const double floor = *std::min_element(recent.begin(), recent.end());
      double next_value = 0;
      bool moved = false;
      for (double length = std::min(step, 10 * longest); may_go_on(); length *= 0.3) {
        for (std::size_t i = 0; i < n; ++i) s_.next[i] = s_.x[i] + length * s_.gradient[i];
        project_onto(set_, s_.next);
        next_value = evaluate(s_.next, s_.next_gradient);
        double promise = 0;
        for (std::size_t i = 0; i < n; ++i) promise += s_.gradient[i] * (s_.next[i] - s_.x[i]);
        moved = next_value >= floor + 1e-4 * promise;
        if (moved || length < 1e-12 * longest) break;
      }
      if (!moved) break;
      make_tangential(s_.next, s_.next_gradient);
      // the step that a quadratic would ask for, by turns from the change of the stimulus and of the gradient
      double length = 0, bend = 0, turn = 0;
      for (std::size_t i = 0; i < n; ++i) {
        const double dx = s_.next[i] - s_.x[i], dg = s_.gradient[i] - s_.next_gradient[i];
        length += dx * dx;
        bend += dx * dg;
        turn += dg * dg;
      }
      step = bend > 0 ? (iteration % 2 ? length / bend : bend / turn) : 4 * step;
      std::swap(s_.x, s_.next);
      std::swap(s_.gradient, s_.next_gradient);
      value = next_value;
      recent[static_cast<std::size_t>(iteration) % memory] = value;
    }
    return value;
  }

  /// Climbs under the cap: rounds of an augmented Lagrangian, then back to an allowed stimulus.
  void climb_under_cap(int max_steps, int num_rounds) {
    std::fill(s_.multiplier.begin(), s_.multiplier.end(), 0.0);
    stiffness_ = 10;
    double before = std::numeric_limits<double>::infinity();
    for (int round = 0; round < num_rounds && may_go_on(); ++round) {
      climb(max_steps);
      if (!may_go_on()) return;
      evaluate(s_.x, s_.gradient);
      double worst = 0;
      for (std::size_t j = 0; j < s_.multiplier.size(); ++j) {
        const double excess = s_.inner.log_count[j] - log_cap_, old = s_.multiplier[j];
        s_.multiplier[j] = std::max(0.0, old + stiffness_ * excess);
        worst = std::max(worst, std::max(excess, old > 0 ? -excess : 0.0));
      }
      if (worst < 1e-8) break;
      if (worst > 0.25 * before) stiffness_ *= 5;
      before = worst;
    }
    bring_back();
  }

  /// From s.x, which lies outside by little, towards the anchor until the cap is kept.
  void bring_back() {
    if (!(smallest_ <= log_cap_)) return;
    for (std::size_t i = 0; i < s_.x.size(); ++i) s_.direction[i] = s_.anchor[i] - s_.x[i];
    const auto allowed = [&](double share) {
      for (std::size_t i = 0; i < s_.next.size(); ++i) s_.next[i] = s_.x[i] + share * s_.direction[i];
      evaluate(s_.next, s_.next_gradient);
      return *std::max_element(s_.inner.log_count.begin(), s_.inner.log_count.end()) <= log_cap_;
    };
    double low = 0, high = 0;
    while (may_go_on() && !allowed(high)) {
      if (high >= 1) return;
      low = high;
      high = high == 0 ? 1e-11 : std::min(1.0, 10 * high);
    }
    for (int k = 0; k < 12 && high > 1e-10 && may_go_on(); ++k) {
      const double middle = 0.5 * (low + high);
      (allowed(middle) ? high : low) = middle;
    }
  }

  void only_count(bool on) { only_count_ = on; }

  /// The reach of the set, for first steps.
  double extent() {
    if (extent_ > 0) return extent_;
    double box = 0;
    for (std::size_t i = 0; set_.has_range() && i < set_.dim; ++i)
      box += std::pow(std::max(std::abs(set_.low_of(i)), std::abs(set_.high_of(i))), 2);
    extent_ = std::sqrt(set_.has_power() ? (set_.has_range() ? std::min(box, set_.power) : set_.power) : box);
    return extent_;
  }

 private:
  /// Takes out of a gradient what points out of the set: values at their end, and growth of |x|² where the power is used up.
  void make_tangential(std::span<const double> x, std::span<double> gradient) const {
    double along = 0, norm = 0, whole = 0;
    const auto is_free = [&](std::size_t i) {
      return !set_.has_range() || !((x[i] <= set_.low_of(i) && gradient[i] < 0) || (x[i] >= set_.high_of(i) && gradient[i] > 0));
    };
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (!is_free(i)) gradient[i] = 0;
      whole += x[i] * x[i];
      if (gradient[i] == 0) continue;
      along += gradient[i] * x[i];
      norm += x[i] * x[i];
    }
    if (!set_.has_power() || whole < set_.power * (1 - 1e-12) || !(along > 0) || !(norm > 0)) return;
    for (std::size_t i = 0; i < x.size(); ++i)
      if (gradient[i] != 0) gradient[i] -= along / norm * x[i];
  }

  void note(double utility, std::span<const double> x) {
    if (!(utility > best_)) return;
    best_ = utility;
    std::copy(x.begin(), x.end(), s_.best.begin());
  }

  const GaussianObjective& objective_;
  const StimulusSet& set_;
  const GaussianView& view_;
  double cap_, log_cap_;
  const Budget& budget_;
  Scratch& s_;
  std::int64_t units_ = 0;
  double best_ = -std::numeric_limits<double>::infinity(), smallest_ = std::numeric_limits<double>::infinity();
  double stiffness_ = 10, extent_ = 0;
  bool only_count_ = false;
};

/// A random stimulus of the set.
void draw(const StimulusSet& set, Stream& stream, double extent, std::span<double> x) {
  if (set.kind() == SetKind::box) {
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = set.low_of(i) + (set.high_of(i) - set.low_of(i)) * stream.uniform();
    return;
  }
  stream.fill_sphere(x, extent);
  project_onto(set, x);
}

}  // namespace

GradientOptimum GradientSearch::operator()(const GaussianView& view, std::span<const double> last, std::span<const double> hint,
                                           std::uint64_t seed, std::uint64_t trial, const Budget& given, Scratch& s,
                                           std::span<double> x) const {
  Budget budget = given;
  budget.max_units = std::min(given.max_units, max_evaluations_);
  objective_.prepare(view, s.inner);
  Climb climb(objective_, set_, view, cap_, budget, s);
  const std::size_t n = set_.dim;
  if (climb.capped()) {
    // first a stimulus that is allowed at all
    climb.only_count(true);
    std::fill(s.x.begin(), s.x.end(), 0.0);
    climb.climb(polishing_steps);
    climb.only_count(false);
  }

  std::size_t num_starts = 0;
  const auto add = [&](double merit, std::span<const double> at) {
    Start& start = s.starts[num_starts++];
    start.merit = merit;
    std::copy(at.begin(), at.end(), start.x.begin());
  };
  // the best of random stimuli
  Stream stream(seed, Purpose::tie, trial, 3);
  for (std::size_t k = 0; k < num_random && climb.may_go_on(); ++k) {
    draw(set_, stream, climb.extent(), s.x);
    const double merit = climb.evaluate(s.x, s.gradient);
    if (num_starts < num_random_kept) {
      add(merit, s.x);
      continue;
    }
    Start* worst = &s.starts[0];
    for (std::size_t i = 1; i < num_random_kept; ++i)
      if (s.starts[i].merit < worst->merit) worst = &s.starts[i];
    if (!(merit > worst->merit)) continue;
    worst->merit = merit;
    std::copy(s.x.begin(), s.x.end(), worst->x.begin());
  }
  const auto add_direction = [&](std::span<double> direction) {
    const double norm = std::sqrt(dot(direction.data(), direction.data(), n));
    if (!(norm > 0)) return;
    for (const double sign : {1.0, -1.0}) {
      for (std::size_t i = 0; i < n; ++i) s.next[i] = sign * climb.extent() * direction[i] / norm;
      project_onto(set_, s.next);
      add(0, s.next);
    }
  };
  objective_.mean_direction(view, s.x);
  add_direction(s.x);
  stream.fill_sphere(s.x, 1);
  for (int k = 0; k < num_power_steps; ++k) {
    objective_.spread(view, s.x, s.inner, s.gradient);
    const double norm = std::sqrt(dot(s.gradient.data(), s.gradient.data(), n));
    if (!(norm > 0)) break;
    for (std::size_t i = 0; i < n; ++i) s.x[i] = s.gradient[i] / norm;
  }
  add_direction(s.x);
  if (!last.empty()) add(0, last);
  if (!hint.empty()) add(0, hint);

  const auto improve = [&](Start& start, bool polish) {
    std::copy(start.x.begin(), start.x.end(), s.x.begin());
    if (climb.capped()) {
      climb.climb_under_cap(polish ? steps_a_round : screening_steps, polish ? polishing_rounds : screening_rounds);
      if (climb.may_go_on()) start.merit = climb.evaluate(s.x, s.gradient);
    } else {
      start.merit = climb.climb(polish ? polishing_steps : screening_steps);
    }
    if (std::isnan(start.merit)) start.merit = -std::numeric_limits<double>::infinity();
    std::copy(s.x.begin(), s.x.end(), start.x.begin());
  };
  for (std::size_t k = 0; k < num_starts && climb.may_go_on(); ++k) improve(s.starts[k], false);
  for (std::size_t k = 0; k < num_starts; ++k) s.order[k] = k;
  std::sort(s.order.begin(), s.order.begin() + static_cast<std::ptrdiff_t>(num_starts), [&](std::size_t a, std::size_t b) {
    return s.starts[a].merit > s.starts[b].merit || (s.starts[a].merit == s.starts[b].merit && a < b);
  });
  for (std::size_t k = 0; k < std::min(num_starts, num_polished) && climb.may_go_on(); ++k) improve(s.starts[s.order[k]], true);

  GradientOptimum out;
  out.utility = climb.best();
  out.units = climb.units();
  out.allowed = !climb.capped() || climb.smallest_count() <= cap_;
  out.smallest_count = climb.smallest_count();
  std::copy(s.best.begin(), s.best.end(), x.begin());
  return out;
}

double GradientSearch::largest_count(const GaussianView& view, std::span<const double> x, Scratch& s) const {
  objective_.prepare(view, s.inner);
  objective_(view, x, s.inner, s.gradient);
  objective_.count(s.inner);
  return std::exp(*std::max_element(s.inner.log_count.begin(), s.inner.log_count.end()));
}

}  // namespace hartline::design
