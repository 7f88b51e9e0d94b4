#include "design/pool_design.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/threads.hpp"
#include "design/pool.hpp"

namespace hartline::design {

namespace {

using models::Capability;

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

/// What the scan of one block found.
struct Found {
  Best best;
  double least_count = std::numeric_limits<double>::infinity();  // smallest expected count of a member
};

class PoolPlan final : public Plan {
 public:
  PoolPlan(const StimulusSet& set, std::size_t num_blocks, std::unique_ptr<PoolScorer::State> s)
      : state(std::move(s)), available(set), durations(set.num()), found(num_blocks), allowed(set.num()) {}
  std::unique_ptr<PoolScorer::State> state;
  Available available;
  Durations durations;
  std::int64_t last = -1;             // member of the trial before
  std::vector<Found> found;           // [num_blocks]
  std::vector<std::uint8_t> allowed;  // [num] scratch of a draw
};

class PoolDesign final : public Design {
 public:
  PoolDesign(const DesignSpec& spec, std::unique_ptr<PoolScorer> scorer, const StimulusSet& set, std::uint64_t seed,
             Executor& executor)
      : per_second_(spec.per_second),
        no_repeat_(spec.no_repeat),
        cost_(spec.cost),
        cap_(spec.max_expected_count.value_or(std::numeric_limits<double>::infinity())),
        explore_(spec.explore),
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
    plan.durations.note(pool_index, duration_s);
    if (pool_index >= 0 && !stimulus.empty()) {
      plan.available.present(pool_index);
      plan.last = pool_index;
    }
    scorer_->follow(*plan.state, belief, plan.available.mask);
  }

  void choose(Plan& any_plan, const Capability& belief, std::uint64_t trial, const Budget& budget, Choice& out) const override {
    auto& plan = static_cast<PoolPlan&>(any_plan);
    plan.available.require_some(trial);
    if (no_repeat_ && plan.available.count == 1 && plan.last >= 0 && plan.available.mask[static_cast<std::size_t>(plan.last)])
      throw RunError({"stimulus.pool", "of two stimuli or more where none may follow itself", "1 stimulus left",
                      "Set design.no_repeat = false or lower num_trials."},
                     static_cast<std::int64_t>(trial));
    scorer_->follow(*plan.state, belief, plan.available.mask);
    out.explored = false;
    if (explore_ > 0) {
      Stream stream = RandomLaw::exploration(seed_, trial);
      if (stream.uniform() < explore_) return draw(plan, belief, trial, stream, out);
    }
    scorer_->prepare(*plan.state, belief, plan.available.mask);
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
      if (out.units == static_cast<std::int64_t>(num_blocks_)) refuse(trial, least_count);
    }
    out.utility = best.utility;
    take(set_, best.index, out);
  }

  std::vector<double> utilities(Plan& any_plan, const Capability& belief) const override {
    auto& plan = static_cast<PoolPlan&>(any_plan);
    scorer_->follow(*plan.state, belief, plan.available.mask);
    scorer_->prepare(*plan.state, belief, plan.available.mask);
    std::vector<double> out(set_.num());
    executor_.for_each_block(static_cast<int>(num_blocks_), [&](int k) {
      std::array<std::size_t, PoolScorer::max_block> members;
      const auto block = static_cast<std::size_t>(k);
      const std::size_t first = block * block_size_, count = last_of(block) - first;
      for (std::size_t i = 0; i < count; ++i) members[i] = first + i;
      scorer_->score(*plan.state, belief, {members.data(), count}, {&out[first], count}, {});
      for (std::size_t i = first; i < first + count; ++i) out[i] = value(plan, i, out[i]);
    });
    return out;
  }

 private:
  using Members = std::array<std::size_t, PoolScorer::max_block>;
  using Values = std::array<double, PoolScorer::max_block>;

  std::size_t last_of(std::size_t block) const { return std::min((block + 1) * block_size_, set_.num()); }

  /// What members are compared by.
  double value(const PoolPlan& plan, std::size_t i, double utility) const {
    if (!cost_.empty()) utility -= cost_[i];
    return per_second_ ? utility / plan.durations.expected_s(i) : utility;
  }

  bool may_follow(const PoolPlan& plan, std::size_t i) const {
    return plan.available.mask[i] && !(no_repeat_ && static_cast<std::int64_t>(i) == plan.last);
  }

  /// Members of a block that may be shown, whatever they are expected to answer with; returns how many.
  std::size_t members_of(const PoolPlan& plan, std::size_t block, Members& members) const {
    std::size_t num = 0;
    for (std::size_t i = block * block_size_; i < last_of(block); ++i)
      if (may_follow(plan, i)) members[num++] = i;
    return num;
  }

  /// Drops members whose upper bound lies below another's lower bound.
  std::size_t drop_hopeless(PoolPlan& plan, const Capability& belief, Members& members, std::size_t num) const {
    Values low, high;
    if (num == 0 || !scorer_->bounds(*plan.state, belief, {members.data(), num}, {low.data(), num}, {high.data(), num})) return num;
    double floor = -std::numeric_limits<double>::infinity();
    for (std::size_t k = 0; k < num; ++k) floor = std::max(floor, value(plan, members[k], low[k]));
    floor -= 1e-12 * std::abs(floor);
    std::size_t kept = 0;
    for (std::size_t k = 0; k < num; ++k)
      if (value(plan, members[k], high[k]) >= floor) members[kept++] = members[k];
    return kept;
  }

  void find_best(PoolPlan& plan, const Capability& belief, std::size_t block, std::uint64_t trial) const {
    Members members;
    Values utility, count;
    Found& found = plan.found[block];
    const bool capped = std::isfinite(cap_);
    std::size_t num = members_of(plan, block, members);
    if (!capped) num = drop_hopeless(plan, belief, members, num);
    if (num == 0) return;
    scorer_->score(*plan.state, belief, {members.data(), num}, {utility.data(), num}, {count.data(), capped ? num : 0});
    for (std::size_t k = 0; k < num; ++k) {
      if (capped) found.least_count = std::min(found.least_count, count[k]);
      if (!capped || count[k] <= cap_)
        found.best.offer(value(plan, members[k], utility[k]), static_cast<std::int64_t>(members[k]), seed_, trial);
    }
  }

  /// A member drawn uniformly from those allowed.
  void draw(PoolPlan& plan, const Capability& belief, std::uint64_t trial, Stream& stream, Choice& out) const {
    for (std::size_t i = 0; i < set_.num(); ++i) plan.allowed[i] = may_follow(plan, i);
    double least_count = std::numeric_limits<double>::infinity();
    if (std::isfinite(cap_)) {
      scorer_->prepare(*plan.state, belief, plan.available.mask);
      executor_.for_each_block(static_cast<int>(num_blocks_), [&](int k) {
        const auto block = static_cast<std::size_t>(k);
        Members members;
        Values utility, count;
        const std::size_t num = members_of(plan, block, members);
        if (num > 0) scorer_->score(*plan.state, belief, {members.data(), num}, {utility.data(), num}, {count.data(), num});
        plan.found[block].least_count = std::numeric_limits<double>::infinity();
        for (std::size_t m = 0; m < num; ++m) {
          plan.allowed[members[m]] = count[m] <= cap_;
          plan.found[block].least_count = std::min(plan.found[block].least_count, count[m]);
        }
      });
      for (const Found& found : plan.found) least_count = std::min(least_count, found.least_count);
    }
    std::int64_t num_allowed = 0;
    for (const std::uint8_t may : plan.allowed) num_allowed += may;
    if (num_allowed == 0) refuse(trial, least_count);
    std::int64_t wanted = stream.integer(num_allowed), index = 0;
    while (!plan.allowed[static_cast<std::size_t>(index)] || wanted-- > 0) ++index;
    out.explored = true;
    out.units = 0;
    out.utility = std::numeric_limits<double>::quiet_NaN();
    take(set_, index, out);
  }

  [[noreturn]] void refuse(std::uint64_t trial, double least_count) const {
    if (std::isfinite(cap_) && !(least_count <= cap_))
      throw RunError({"design.max_expected_count", "at least the smallest expected count of a stimulus",
                      fmt::format("{}, where the smallest is {}", number_text(cap_), number_text(least_count)),
                      "Raise it, or add stimuli that drive the cell less."},
                     static_cast<std::int64_t>(trial));
    throw RunError({"belief", "one whose utilities are finite", "none", "Its variances or the stimuli overflow."},
                   static_cast<std::int64_t>(trial));
  }

  bool per_second_, no_repeat_;
  std::vector<double> cost_;
  double cap_, explore_;
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
