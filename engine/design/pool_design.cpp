#include "design/pool_design.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <tuple>

#include "base/threads.hpp"
#include "design/modifiers.hpp"

namespace hartline::design {

namespace {

using models::Capability;

constexpr std::int64_t units_at_once = 16;        // between two looks at the clock, at most
constexpr std::int64_t longest_look_ns = 500000;  // from which on fewer are begun at once

/// Scans units in an order that begins at another place every trial, so that a deadline does not always cut the same members. With
/// a clock it begins with one unit a thread, and takes more at once where that takes no time.
template <class ScanUnit>
std::int64_t scan(std::int64_t num_units, std::uint64_t trial, const Budget& budget, Executor& executor, ScanUnit&& scan_unit) {
  const std::int64_t start = static_cast<std::int64_t>((trial * 7919) % static_cast<std::uint64_t>(num_units));
  std::int64_t done = 0, at_once = budget.clock ? executor.num_threads() : units_at_once;
  std::int64_t began_ns = budget.clock ? budget.clock->now_ns() : 0;
  while (done < num_units && (done == 0 || (done < budget.max_units && (!budget.clock || began_ns < budget.deadline_ns)))) {
    const std::int64_t now = std::min({at_once, num_units - done, std::max<std::int64_t>(1, budget.max_units - done)});
    executor.for_each_block(static_cast<int>(now),
                            [&](int k) { scan_unit(static_cast<std::size_t>((start + done + k) % num_units)); });
    done += now;
    if (!budget.clock) continue;
    const std::int64_t ended_ns = budget.clock->now_ns();
    at_once = ended_ns - began_ns < longest_look_ns ? std::min(2 * at_once, units_at_once) : at_once / 2;
    at_once = std::max<std::int64_t>(at_once, executor.num_threads());
    began_ns = ended_ns;
  }
  return done;
}

/// What the scan of one block found.
struct Found {
  Best best;
  double least_count = std::numeric_limits<double>::infinity();  // smallest expected count of a member
};

class PoolPlan final : public Plan {
 public:
  PoolPlan(const StimulusSet& set, std::size_t num_blocks, std::unique_ptr<PoolScorer::State> s)
      : state(std::move(s)), members(set), found(num_blocks), count(set.num()) {}
  std::unique_ptr<PoolScorer::State> state;
  Modifiers::Members members;
  std::vector<Found> found;   // [num_blocks]
  std::vector<double> count;  // [num] scratch of a draw: expected counts
};

class PoolDesign final : public Design {
 public:
  PoolDesign(const DesignSpec& spec, std::unique_ptr<PoolScorer> scorer, const StimulusSet& set, std::uint64_t seed,
             Executor& executor)
      : modifiers_(spec, seed),
        scorer_(std::move(scorer)),
        set_(set),
        seed_(seed),
        executor_(executor),
        block_size_(scorer_->block_size()),
        num_blocks_((set.num() + block_size_ - 1) / block_size_) {}

  std::unique_ptr<Plan> make_plan() const override { return std::make_unique<PoolPlan>(set_, num_blocks_, scorer_->make_state()); }

  void follow(Plan& any_plan, const Capability& belief, std::int64_t pool_index, std::span<const double> stimulus,
              double duration_s) const override {
    auto& plan = static_cast<PoolPlan&>(any_plan);
    plan.members.present(pool_index, stimulus, duration_s);
    scorer_->follow(*plan.state, belief, plan.members.available.mask);
  }

  void choose(Plan& any_plan, const Capability& belief, std::uint64_t trial, const Budget& budget, Choice& out) const override {
    auto& plan = static_cast<PoolPlan&>(any_plan);
    modifiers_.num_left(plan.members, trial);
    scorer_->follow(*plan.state, belief, plan.members.available.mask);
    out.explored = false;
    if (auto stream = modifiers_.explores(trial)) return draw(plan, belief, trial, *stream, out);
    scorer_->prepare(*plan.state, belief, plan.members.available.mask);
    for (Found& found : plan.found) found = {};
    const auto scan_unit = [&](std::size_t block) { find_best(plan, belief, block, trial); };
    Best best;
    double least_count = std::numeric_limits<double>::infinity();
    // a deadline that leaves only members that may not be shown is met by going on to the first that may
    for (Budget left = budget;; left = {}) {
      out.units = scan(static_cast<std::int64_t>(num_blocks_), trial, left, executor_, scan_unit);
      for (const Found& found : plan.found) {
        least_count = std::min(least_count, found.least_count);
        if (found.best.index >= 0) best.offer(found.best.utility, found.best.index, seed_, trial);
      }
      if (best.index >= 0) break;
      if (out.units == static_cast<std::int64_t>(num_blocks_)) modifiers_.refuse(trial, least_count);
    }
    out.utility = best.utility;
    std::tie(out.utility_error, out.utility_limit) = scorer_->error(*plan.state, static_cast<std::size_t>(best.index));
    take(set_, best.index, out);
  }

  std::vector<double> utilities(Plan& any_plan, const Capability& belief) const override {
    auto& plan = static_cast<PoolPlan&>(any_plan);
    scorer_->follow(*plan.state, belief, plan.members.available.mask);
    scorer_->prepare(*plan.state, belief, plan.members.available.mask);
    std::vector<double> out(set_.num());
    executor_.for_each_block(static_cast<int>(num_blocks_), [&](int k) {
      std::array<std::size_t, PoolScorer::max_block> members;
      const auto block = static_cast<std::size_t>(k);
      const std::size_t first = block * block_size_, count = last_of(block) - first;
      for (std::size_t i = 0; i < count; ++i) members[i] = first + i;
      scorer_->score(*plan.state, belief, {members.data(), count}, {&out[first], count}, {});
      for (std::size_t i = first; i < first + count; ++i) out[i] = modifiers_.value(plan.members, i, out[i]);
    });
    return out;
  }

 private:
  using Members = std::array<std::size_t, PoolScorer::max_block>;
  using Values = std::array<double, PoolScorer::max_block>;

  std::size_t last_of(std::size_t block) const { return std::min((block + 1) * block_size_, set_.num()); }

  /// Members of a block that may be shown, whatever they are expected to answer with; returns how many.
  std::size_t members_of(const PoolPlan& plan, std::size_t block, Members& members) const {
    std::size_t num = 0;
    for (std::size_t i = block * block_size_; i < last_of(block); ++i)
      if (modifiers_.may_follow(plan.members, i)) members[num++] = i;
    return num;
  }

  /// Drops members whose upper bound lies below another's lower bound.
  std::size_t drop_hopeless(PoolPlan& plan, const Capability& belief, Members& members, std::size_t num) const {
    Values low, high;
    if (num == 0 || !scorer_->bounds(*plan.state, belief, {members.data(), num}, {low.data(), num}, {high.data(), num})) return num;
    double floor = -std::numeric_limits<double>::infinity();
    for (std::size_t k = 0; k < num; ++k) floor = std::max(floor, modifiers_.value(plan.members, members[k], low[k]));
    floor -= 1e-12 * std::abs(floor);
    std::size_t kept = 0;
    for (std::size_t k = 0; k < num; ++k)
      if (modifiers_.value(plan.members, members[k], high[k]) >= floor) members[kept++] = members[k];
    return kept;
  }

  void find_best(PoolPlan& plan, const Capability& belief, std::size_t block, std::uint64_t trial) const {
    Members members;
    Values utility, count;
    Found& found = plan.found[block];
    const bool capped = modifiers_.capped();
    std::size_t num = members_of(plan, block, members);
    if (!capped) num = drop_hopeless(plan, belief, members, num);
    if (num == 0) return;
    scorer_->score(*plan.state, belief, {members.data(), num}, {utility.data(), num}, {count.data(), capped ? num : 0});
    for (std::size_t k = 0; k < num; ++k) {
      if (capped) found.least_count = std::min(found.least_count, count[k]);
      if (!capped || count[k] <= modifiers_.cap())
        found.best.offer(modifiers_.value(plan.members, members[k], utility[k]), static_cast<std::int64_t>(members[k]), seed_,
                         trial);
    }
  }

  /// A member drawn uniformly from those allowed.
  void draw(PoolPlan& plan, const Capability& belief, std::uint64_t trial, Stream& stream, Choice& out) const {
    if (modifiers_.capped()) {
      scorer_->prepare(*plan.state, belief, plan.members.available.mask);
      executor_.for_each_block(static_cast<int>(num_blocks_), [&](int k) {
        Members members;
        Values utility, count;
        const std::size_t num = members_of(plan, static_cast<std::size_t>(k), members);
        if (num > 0) scorer_->score(*plan.state, belief, {members.data(), num}, {utility.data(), num}, {count.data(), num});
        for (std::size_t m = 0; m < num; ++m) plan.count[members[m]] = count[m];
      });
    }
    modifiers_.draw(set_, plan.members, trial, stream, out, [&](std::size_t i) { return plan.count[i]; });
  }

  Modifiers modifiers_;
  std::unique_ptr<PoolScorer> scorer_;
  const StimulusSet& set_;
  std::uint64_t seed_;
  Executor& executor_;
  std::size_t block_size_, num_blocks_;
};

}  // namespace

std::unique_ptr<Design> make_pool_design(const DesignSpec& spec, std::unique_ptr<PoolScorer> scorer, const StimulusSet& set,
                                         std::uint64_t seed, Executor& executor) {
  return std::make_unique<PoolDesign>(spec, std::move(scorer), set, seed, executor);
}

}  // namespace hartline::design
