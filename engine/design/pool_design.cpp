#include "design/pool_design.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/threads.hpp"
#include "design/pool.hpp"
#include "numerics/dense.hpp"

namespace hartline::design {

namespace {

using models::Capability;
using models::DiscreteView;
using models::GaussianView;

constexpr std::size_t block_size = 256;     // members of a unit
constexpr std::int64_t units_at_once = 16;  // between two looks at the clock

/// Scans units in an order that begins at another place every trial, so that a deadline does not always cut the same members.
template <class ScanUnit>
std::int64_t scan(std::int64_t num_units, std::uint64_t trial, const Budget& budget, Executor& executor, ScanUnit&& scan_unit) {
  const std::int64_t start = static_cast<std::int64_t>((trial * 7919) % static_cast<std::uint64_t>(num_units));
  std::int64_t done = 0;
  while (done < num_units && (done == 0 || budget.allows(done))) {
    const std::int64_t now = std::min({units_at_once, num_units - done, std::max<std::int64_t>(1, budget.max_units - done)});
    executor.for_each_block(static_cast<int>(now),
                            [&](int k) { scan_unit(static_cast<std::size_t>((start + done + k) % num_units)); });
    done += now;
  }
  return done;
}

class LinearPoolPlan final : public Plan {
 public:
  explicit LinearPoolPlan(const StimulusSet& set)
      : available(set),
        m(set.num()),
        v(set.num()),
        projection(set.num()),
        utility(set.num()),
        low(set.num()),
        high(set.num()),
        norm(set.num()),
        best((set.num() + block_size - 1) / block_size) {
    for (std::size_t i = 0; i < set.num(); ++i) norm[i] = numerics::dot(&set.pool[i * set.dim], &set.pool[i * set.dim], set.dim);
  }
  Available available;
  std::vector<double> m, v;        // [num] mean and variance of ρ
  std::vector<double> projection;  // [num] scratch
  std::vector<double> utility;     // [num] scratch
  std::vector<double> low, high;   // [num] scratch: bounds of the utility
  std::vector<double> norm;        // [num] |x|²
  std::vector<Best> best;          // [num_blocks]
  std::uint64_t version = 0;       // of the belief that m and v belong to
  bool fresh = false;              // m and v are valid
};

class LinearPoolDesign final : public Design {
 public:
  LinearPoolDesign(LinearUtility utility, const StimulusSet& set, std::uint64_t seed, Executor& executor)
      : utility_(utility),
        set_(set),
        seed_(seed),
        executor_(executor),
        num_blocks_(static_cast<std::int64_t>((set.num() + block_size - 1) / block_size)) {}

  std::unique_ptr<Plan> make_plan() const override { return std::make_unique<LinearPoolPlan>(set_); }

  void follow(Plan& any_plan, const Capability& belief, std::int64_t pool_index, std::span<const double>) const override {
    auto& plan = static_cast<LinearPoolPlan&>(any_plan);
    plan.available.present(pool_index);
    project(plan, std::get<GaussianView>(belief));
  }

  void choose(Plan& any_plan, const Capability& belief, std::uint64_t trial, const Budget& budget, Choice& out) const override {
    auto& plan = static_cast<LinearPoolPlan&>(any_plan);
    plan.available.require_some(trial);
    project(plan, std::get<GaussianView>(belief));
    for (Best& best : plan.best) best = {};
    const auto scan_unit = [&](std::size_t block) { find_best(plan, block, trial); };
    Best best;
    Budget left = budget;
    out.units = 0;
    // a deadline that leaves only members already shown is met by going on to the first that is left
    do {
      out.units = scan(num_blocks_, trial, left, executor_, scan_unit);
      for (const Best& b : plan.best)
        if (b.index >= 0) best.offer(b.utility, b.index, seed_, trial);
      left = {};
    } while (best.index < 0);
    out.utility = best.utility;
    take(set_, best.index, out);
  }

  std::vector<double> utilities(Plan& any_plan, const Capability& belief) const override {
    auto& plan = static_cast<LinearPoolPlan&>(any_plan);
    project(plan, std::get<GaussianView>(belief));
    executor_.for_each_block(static_cast<int>(num_blocks_), [&](int block) { score(plan, static_cast<std::size_t>(block)); });
    return plan.utility;
  }

 private:
  static std::size_t first(std::size_t block) { return block * block_size; }
  std::size_t last(std::size_t block) const { return std::min((block + 1) * block_size, set_.num()); }

  void score(LinearPoolPlan& plan, std::size_t block) const {
    const std::size_t begin = first(block), count = last(block) - begin;
    utility_.evaluate({&plan.m[begin], count}, {&plan.v[begin], count}, {&plan.utility[begin], count});
  }

  /// The best of a block. Members whose upper bound lies below another's lower bound are not worked out.
  void find_best(LinearPoolPlan& plan, std::size_t block, std::uint64_t trial) const {
    const std::size_t begin = first(block), count = last(block) - begin;
    Best& best = plan.best[block];
    std::array<std::size_t, block_size> members;
    std::size_t num_members = 0;
    double floor = -std::numeric_limits<double>::infinity();
    const bool bounded =
        utility_.bounds({&plan.m[begin], count}, {&plan.v[begin], count}, {&plan.low[begin], count}, {&plan.high[begin], count});
    for (std::size_t i = begin; i < begin + count; ++i)
      if (bounded && plan.available.mask[i]) floor = std::max(floor, plan.low[i]);
    for (std::size_t i = begin; i < begin + count; ++i)
      if (plan.available.mask[i] && (!bounded || plan.high[i] >= floor * (1 - 1e-12))) members[num_members++] = i;
    std::array<double, block_size> m, v, u;
    for (std::size_t k = 0; k < num_members; ++k) {
      m[k] = plan.m[members[k]];
      v[k] = plan.v[members[k]];
    }
    utility_.evaluate({m.data(), num_members}, {v.data(), num_members}, {u.data(), num_members});
    for (std::size_t k = 0; k < num_members; ++k) best.offer(u[k], static_cast<std::int64_t>(members[k]), seed_, trial);
  }

  /// Brings mean and variance of every member up to the belief.
  void project(LinearPoolPlan& plan, const GaussianView& view) const {
    const models::BeliefChange& change = view.change;
    if (plan.fresh && plan.version == change.version) return;
    const bool follow = plan.fresh && change.exact && plan.version + 1 == change.version && change.version % refresh_every != 0;
    executor_.for_each_block(static_cast<int>(num_blocks_), [&](int k) {
      const auto block = static_cast<std::size_t>(k);
      if (!follow) return project_anew(plan, view, block);
      for (const models::RankOneChange& step : change.steps) project_change(plan, view, step, block);
    });
    plan.version = change.version;
    plan.fresh = true;
  }

  void project_change(LinearPoolPlan& plan, const GaussianView& view, const models::RankOneChange& change, std::size_t block) const {
    const double bias_g = view.dim > set_.dim ? change.g[set_.dim] : 0;
    const bool moved = change.shrink != 0 || change.mean_step != 0;
    if (moved) {
      // whole runs of members that are left: most of a long run has been shown, and need not be read again
      for (std::size_t i = first(block); i < last(block);) {
        std::size_t end = i;
        while (end < last(block) && plan.available.mask[end]) ++end;
        if (end > i) numerics::multiply_rows(set_.pool.data(), set_.dim, i, end, set_.dim, change.g, &plan.projection[i]);
        i = end + 1;
      }
    }
    for (std::size_t i = first(block); i < last(block); ++i) {
      plan.v[i] += change.inflation * plan.norm[i] + (view.dim > set_.dim ? change.bias_inflation : 0);
      if (!moved) continue;
      const double p = plan.projection[i] + bias_g;
      plan.m[i] += change.mean_step * p;
      plan.v[i] -= change.shrink * p * p;
    }
  }

  void project_anew(LinearPoolPlan& plan, const GaussianView& view, std::size_t block) const {
    const std::size_t n = set_.dim;
    const bool bias = view.dim > n;
    thread_local std::vector<double> image;
    image.resize(n);
    for (std::size_t i = first(block); i < last(block); ++i) {
      const double* x = &set_.pool[i * n];
      numerics::multiply_rows(view.covariance, view.dim, 0, n, n, x, image.data());
      plan.m[i] = numerics::dot(x, view.mean, n) + (bias ? view.mean[n] : 0);
      plan.v[i] = numerics::dot(x, image.data(), n);
      if (bias) plan.v[i] += 2 * numerics::dot(x, view.covariance + n * view.dim, n) + view.covariance[n * view.dim + n];
    }
  }

  LinearUtility utility_;
  const StimulusSet& set_;
  std::uint64_t seed_;
  Executor& executor_;
  std::int64_t num_blocks_;
};

constexpr std::size_t stimuli_per_unit = 8;

class DiscretePoolPlan final : public Plan {
 public:
  explicit DiscretePoolPlan(const StimulusSet& set) : available(set), utility(set.num()) {}
  Available available;
  std::vector<double> utility;   // [num]; NaN where it was not worked out
  std::vector<double> outcomes;  // [num, num_outcomes] scratch
};

class DiscretePoolDesign final : public Design {
 public:
  DiscretePoolDesign(Utility utility, const StimulusSet& set, std::uint64_t seed, Executor& executor)
      : utility_(utility),
        set_(set),
        seed_(seed),
        executor_(executor),
        num_units_(static_cast<std::int64_t>((set.num() + stimuli_per_unit - 1) / stimuli_per_unit)) {}

  std::unique_ptr<Plan> make_plan() const override { return std::make_unique<DiscretePoolPlan>(set_); }

  void follow(Plan& plan, const Capability&, std::int64_t pool_index, std::span<const double>) const override {
    static_cast<DiscretePoolPlan&>(plan).available.present(pool_index);
  }

  void choose(Plan& any_plan, const Capability& belief, std::uint64_t trial, const Budget& budget, Choice& out) const override {
    auto& plan = static_cast<DiscretePoolPlan&>(any_plan);
    plan.available.require_some(trial);
    Best best;
    Budget left = budget;
    do {
      out.units = score(plan, std::get<DiscreteView>(belief), trial, left);
      for (std::size_t i = 0; i < set_.num(); ++i)
        if (plan.available.mask[i] && !std::isnan(plan.utility[i]))
          best.offer(plan.utility[i], static_cast<std::int64_t>(i), seed_, trial);
      left = {};
    } while (best.index < 0);
    out.utility = best.utility;
    take(set_, best.index, out);
  }

  std::vector<double> utilities(Plan& any_plan, const Capability& belief) const override {
    auto& plan = static_cast<DiscretePoolPlan&>(any_plan);
    score(plan, std::get<DiscreteView>(belief), 0, {});
    return plan.utility;
  }

 private:
  std::int64_t score(DiscretePoolPlan& plan, const DiscreteView& view, std::uint64_t trial, const Budget& budget) const {
    const std::size_t num_outcomes = view.tables->num_outcomes();
    plan.outcomes.resize(set_.num() * num_outcomes);
    std::fill(plan.utility.begin(), plan.utility.end(), std::numeric_limits<double>::quiet_NaN());
    return scan(num_units_, trial, budget, executor_, [&](std::size_t unit) {
      for (std::size_t i = unit * stimuli_per_unit; i < std::min((unit + 1) * stimuli_per_unit, set_.num()); ++i) {
        if (utility_ == Utility::posterior_variance) {
          plan.utility[i] = view.tables->mean_response(*view.belief, i).second;
          continue;
        }
        const std::span<double> p(&plan.outcomes[i * num_outcomes], num_outcomes);
        const double mean_entropy = view.tables->predictive(*view.belief, i, p);
        plan.utility[i] = outcome_entropy(p) - mean_entropy;
      }
    });
  }

  Utility utility_;
  const StimulusSet& set_;
  std::uint64_t seed_;
  Executor& executor_;
  std::int64_t num_units_;
};

}  // namespace

std::unique_ptr<Design> make_linear_pool_design(LinearUtility utility, const StimulusSet& set, std::uint64_t seed,
                                                Executor& executor) {
  return std::make_unique<LinearPoolDesign>(utility, set, seed, executor);
}

std::unique_ptr<Design> make_discrete_pool_design(Utility utility, const StimulusSet& set, std::uint64_t seed, Executor& executor) {
  return std::make_unique<DiscretePoolDesign>(utility, set, seed, executor);
}

}  // namespace hartline::design
