// The best stimulus of a box under a belief by samples.
#pragma once

#include <algorithm>
#include <limits>
#include <vector>

#include "design/design.hpp"
#include "design/random_law.hpp"
#include "design/sample_objective.hpp"
#include "design/scratch_slots.hpp"

namespace hartline::design {

/// What a search of a box keeps from choice to choice.
class SamplePlan final : public Plan {
 public:
  /// A stimulus with what is known of it.
  struct Point {
    std::vector<double> x, gradient;
    double utility = -std::numeric_limits<double>::infinity();
  };
  /// A climb from one start.
  struct Climb {
    Point at, next;
    double length = 0;  // of the next step, times the gradient
    bool done = false;
  };

  SamplePlan(int num_threads, std::size_t dim);
  SampleObjective::Prepared prepared, thin;
  ScratchSlots<SampleObjective::Scratch> slots;
  std::vector<Point> points;
  std::vector<std::size_t> order;  // of the points of the last choice, the best first
  std::vector<Climb> climbs;
  std::size_t num_climbs = 0;  // of the last choice
  Point best;
  std::vector<double> last;  // the stimulus before, or empty
};

/// Stimuli between two ends or at levels of their own, in every coordinate: the best of quasi-random stimuli and of neighbours of
/// the last ones, the most promising of which climb by projected gradients (without a gradient: by trial steps). Coordinates with
/// levels stay where the start had them while the others climb. A unit of work is one utility.
/// Accuracy: within 1e-3 nats of a fine grid in one and two dimensions    (sample_search_test.cpp:
/// SampleSearch.FindsTheBestOfAGrid) Repeatable: same belief, trial and units give the same bytes, at any number of threads.
/// Reference: Barzilai & Borwein 1988, IMA Journal of Numerical Analysis 8:141; Roberts 2018 for the sequence R_d
class SampleSearch final : public Design {
 public:
  /// The set and the executor must outlive the design.
  SampleSearch(const DesignSpec& spec, const SampleObjective& objective, const StimulusSet& set, std::uint64_t seed,
               Executor& executor);

  std::unique_ptr<Plan> make_plan() const override;
  void follow(Plan& plan, const models::Capability& belief, std::int64_t pool_index, std::span<const double> stimulus,
              double duration_s) const override;
  void choose(Plan& plan, const models::Capability& belief, std::uint64_t trial, const Budget& budget, Choice& out) const override;
  std::vector<double> utilities(Plan&, const models::Capability&) const override { return {}; }

  /// Adds stimuli that the last choice came upon to `places` [num, dim], up to `most`: no two alike, those that climbed first.
  void add_found(const SamplePlan& plan, std::size_t most, std::vector<double>& places) const;

 private:
  using Point = SamplePlan::Point;
  using Climb = SamplePlan::Climb;

  double range(std::size_t j) const { return set_.high_of(j) - set_.low_of(j); }
  bool has_levels(std::size_t j) const { return set_.has_levels(j); }
  double inside(std::size_t j, double x) const { return std::clamp(x, set_.low_of(j), set_.high_of(j)); }
  bool may_go_on(const Budget& budget, std::int64_t units) const {
    return units == 0 || (budget.allows(units) && units < max_evaluations_);
  }
  bool is_near(const double* a, const double* b) const;
  void evaluate(SamplePlan& plan, std::size_t first, std::size_t last) const;
  void screen(SamplePlan& plan, std::uint64_t trial, const Budget& budget, std::int64_t& units, Point& best) const;
  std::size_t pick_starts(SamplePlan& plan) const;
  void climb(SamplePlan& plan, const SampleObjective::Prepared& samples, std::size_t num, int steps, std::uint64_t trial,
             const Budget& budget, std::int64_t& units, Point& best) const;
  void polish(SamplePlan& plan, std::size_t num, std::uint64_t trial, const Budget& budget, std::int64_t& units, Point& best) const;
  void advance(SamplePlan& plan, const SampleObjective::Prepared& samples, Climb& climb, std::uint64_t trial, std::uint64_t index,
               int step) const;

  const StimulusSet& set_;
  SampleObjective objective_;
  RandomLaw law_;
  double explore_;
  std::int64_t max_evaluations_;
  std::uint64_t seed_;
  Executor& executor_;
};

}  // namespace hartline::design
