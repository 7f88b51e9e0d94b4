#include "design/lookahead.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "design/modifiers.hpp"

namespace hartline::design {

namespace {

using models::Capability;

constexpr std::size_t block = 8;              // members scored together
constexpr std::int64_t blocks_at_once = 4;    // between two looks at the clock, while units are counted
constexpr std::size_t scored_at_once = 8;     // blocks, and under branches
constexpr std::size_t looks_apart = 256;      // members times branches between two looks at the clock
constexpr std::size_t branches_at_once = 64;  // that a member is scored under
constexpr double significant = 2;             // standard errors
constexpr double close = 0.02;                // share of a total, which deeper thought may turn
constexpr double none = -std::numeric_limits<double>::infinity();

/// A member that is looked into.
struct Candidate {
  std::size_t member = 0;
  double now = 0;             // its own utility
  double total = 0;           // with what follows
  std::vector<double> after;  // what follows, of each branch
  std::vector<double> probability;
  std::vector<std::size_t> next;  // the best member after each branch
};

/// The best member after a branch.
struct Next {
  double value = none;
  std::size_t member = 0;
};

class LookaheadPlan final : public Plan {
 public:
  LookaheadPlan(const StimulusSet& set, std::unique_ptr<Imagination::State> s) : state(std::move(s)), members(set) {}
  std::unique_ptr<Imagination::State> state;
  Modifiers::Members members;
  std::vector<double> now;      // [num members] one-step values
  std::vector<double> utility;  // [num members, num roots] one-step utilities
  std::vector<Candidate> candidates;
  std::vector<std::size_t> order, roots;
  std::vector<std::size_t> path;    // [num branches, depth] members shown in each branch
  std::vector<double> probability;  // [num branches] of the answer, given the root
  std::vector<std::size_t> root;    // [num branches] that a branch belongs to
  std::vector<Next> best, found;    // [num branches]; [scored_at_once, num branches]
  std::vector<double> by_sample[2];
};

class Lookahead final : public Design {
 public:
  Lookahead(const DesignSpec& spec, std::unique_ptr<Imagination> imagination, const StimulusSet& set, std::uint64_t seed,
            Executor& executor)
      : modifiers_(spec, seed),
        imagination_(std::move(imagination)),
        set_(set),
        depth_(spec.lookahead.depth),
        width_(static_cast<std::size_t>(spec.lookahead.width)),
        no_repeat_(spec.no_repeat),
        is_concave_(spec.utility == "mutual_information"),
        seed_(seed),
        executor_(executor) {}

  std::unique_ptr<Plan> make_plan() const override { return std::make_unique<LookaheadPlan>(set_, imagination_->make_state()); }

  void follow(Plan& any_plan, const Capability&, std::int64_t pool_index, std::span<const double> stimulus,
              double duration_s) const override {
    static_cast<LookaheadPlan&>(any_plan).members.present(pool_index, stimulus, duration_s);
  }

  void choose(Plan& any_plan, const Capability& belief, std::uint64_t trial, const Budget& budget, Choice& out) const override {
    auto& plan = static_cast<LookaheadPlan&>(any_plan);
    modifiers_.num_left(plan.members, trial);
    out.explored = false;
    out.units = 0;
    out.total = out.lead = out.lead_error = 0;
    if (auto stream = modifiers_.explores(trial))
      return modifiers_.draw(set_, plan.members, trial, *stream, out, [](std::size_t) { return 0.0; });
    const std::size_t num_roots = begin(plan, belief);
    score_now(plan, trial, budget, out.units);
    const std::size_t num = rank(plan, trial);
    Candidate* chosen = &plan.candidates[0];
    chosen->total = chosen->now;
    std::size_t num_left = num;
    const std::int64_t deepest = budget.allows(out.units) ? std::min(depth_, budget.num_trials) : 1;
    if (deepest > 1) order_next(plan);
    for (std::int64_t depth = 2; depth <= deepest && (num_left > 1 || depth == 2); ++depth) {
      std::size_t done = 0;
      while (done < num_left && budget.allows(out.units)) {
        if (!look_into(plan, plan.candidates[done], num_roots, depth, budget)) break;
        ++done;
        ++out.units;
      }
      if (done < num_left && depth > 2) break;  // a depth that is not complete does not replace the one before
      if (done == 0) break;
      chosen = decide(plan, num_roots, done, depth, budget.num_trials > depth ? close : 0, out);
      num_left = keep_close(plan, done, depth, chosen);
      chosen = &plan.candidates[0];
      if (done < num_left) break;
    }
    out.total = chosen->total;
    out.utility = chosen->now;
    take(set_, static_cast<std::int64_t>(chosen->member), out);
  }

  std::vector<double> utilities(Plan& any_plan, const Capability& belief) const override {
    auto& plan = static_cast<LookaheadPlan&>(any_plan);
    begin(plan, belief);
    plan.now.resize(set_.num());
    executor_.for_each_block(static_cast<int>(set_.num()), [&](int i) { score_one(plan, static_cast<std::size_t>(i)); });
    return plan.now;
  }

 private:
  std::size_t begin(LookaheadPlan& plan, const Capability& belief) const {
    const std::size_t num_roots = imagination_->begin(*plan.state, belief);
    plan.roots.resize(num_roots);
    std::iota(plan.roots.begin(), plan.roots.end(), std::size_t{0});
    plan.utility.resize(set_.num() * num_roots);
    return num_roots;
  }

  void score_one(LookaheadPlan& plan, std::size_t i) const {
    const std::size_t num_roots = plan.roots.size();
    const std::span<double> of_roots{&plan.utility[i * num_roots], num_roots};
    imagination_->score(*plan.state, i, plan.roots, of_roots);
    const double mean = std::accumulate(of_roots.begin(), of_roots.end(), 0.0) / static_cast<double>(num_roots);
    plan.now[i] = modifiers_.value(plan.members, i, mean);
  }

  /// One-step values of the members, in an order that begins at another place every trial; on until one is found that may be shown.
  void score_now(LookaheadPlan& plan, std::uint64_t trial, const Budget& budget, std::int64_t& units) const {
    const std::size_t num = set_.num(), num_blocks = (num + block - 1) / block, start = trial * 7919 % num_blocks;
    plan.now.assign(num, none);
    const auto total = static_cast<std::int64_t>(num_blocks);
    const auto may_be_shown = [&](std::int64_t unit) {
      const std::size_t b = (start + static_cast<std::size_t>(unit)) % num_blocks;
      for (std::size_t i = b * block; i < std::min(num, (b + 1) * block); ++i)
        if (std::isfinite(plan.now[i]) && modifiers_.may_follow(plan.members, i)) return true;
      return false;
    };
    std::int64_t done = 0;
    bool some = false;
    while (done < total && (!some || budget.allows(done))) {
      const std::int64_t at_once = std::min({blocks_at_once, total - done, std::max<std::int64_t>(1, budget.max_units - done)});
      executor_.for_each_block(static_cast<int>(at_once), [&](int k) {
        const std::size_t b = (start + static_cast<std::size_t>(done + k)) % num_blocks;
        for (std::size_t i = b * block; i < std::min(num, (b + 1) * block); ++i)
          if (plan.members.available.mask[i]) score_one(plan, i);
      });
      for (std::int64_t k = 0; k < at_once; ++k) some = some || may_be_shown(done + k);
      done += at_once;
    }
    units += done;
  }

  /// The best members that may be shown become candidates, the best first; returns how many.
  std::size_t rank(LookaheadPlan& plan, std::uint64_t trial) const {
    plan.order.clear();
    for (std::size_t i = 0; i < set_.num(); ++i)
      if (std::isfinite(plan.now[i]) && modifiers_.may_follow(plan.members, i)) plan.order.push_back(i);
    if (plan.order.empty()) modifiers_.refuse(trial, 0);
    const auto key = [&](std::size_t i) { return Stream(seed_, Purpose::tie, trial, i)(); };
    const std::size_t num = std::min(width_, plan.order.size());
    std::partial_sort(plan.order.begin(), plan.order.begin() + static_cast<std::ptrdiff_t>(num), plan.order.end(),
                      [&](std::size_t a, std::size_t b) {
                        return plan.now[a] != plan.now[b] ? plan.now[a] > plan.now[b] : a != b && key(a) < key(b);
                      });
    plan.candidates.resize(std::max(plan.candidates.size(), num));
    for (std::size_t k = 0; k < num; ++k) {
      plan.candidates[k].member = plan.order[k];
      plan.candidates[k].now = plan.now[plan.order[k]];
    }
    return num;
  }

  /// What follows is looked for among the most useful first.
  void order_next(LookaheadPlan& plan) const {
    plan.order.clear();
    for (std::size_t i = 0; i < set_.num(); ++i)
      if (plan.members.available.mask[i]) plan.order.push_back(i);
    std::sort(plan.order.begin(), plan.order.end(),
              [&](std::size_t a, std::size_t b) { return plan.now[a] != plan.now[b] ? plan.now[a] > plan.now[b] : a < b; });
  }

  /// The branches of all answers to a member.
  void answer(LookaheadPlan& plan, const Candidate& c, std::size_t num_roots) const {
    imagination_->cut(*plan.state, num_roots);
    plan.probability.clear();
    plan.root.clear();
    for (std::size_t r = 0; r < num_roots; ++r) {
      imagination_->answer(*plan.state, r, c.member, plan.probability);
      plan.root.resize(plan.probability.size(), r);
    }
  }

  /// Total of a candidate down to a depth; false where the deadline came first.
  bool look_into(LookaheadPlan& plan, Candidate& c, std::size_t num_roots, std::int64_t depth, const Budget& budget) const {
    answer(plan, c, num_roots);
    const std::size_t num_branches = plan.probability.size(), levels = static_cast<std::size_t>(depth);
    c.probability = plan.probability;
    for (double& p : c.probability) p /= static_cast<double>(num_roots);
    c.after.assign(num_branches, 0.0);
    plan.best.resize(num_branches);
    plan.path.assign(num_branches * levels, c.member);
    for (std::size_t level = 1; level < levels; ++level) {
      if (level > 1)  // each branch goes on with an answer to what was best
        for (std::size_t b = 0; b < num_branches; ++b) {
          Stream stream(seed_, Purpose::imagine, b, level + 1);
          imagination_->answer_once(*plan.state, num_roots + b, plan.path[b * levels + level - 1], stream);
        }
      if (!score_branches(plan, num_roots, levels, level, budget)) return false;
      for (std::size_t b = 0; b < num_branches; ++b) {
        const Next& best = plan.best[b];
        plan.path[b * levels + level] = std::isfinite(best.value) ? best.member : plan.path[b * levels + level - 1];
        if (std::isfinite(best.value)) c.after[b] += best.value;
      }
      if (level > 1) continue;
      c.next.resize(num_branches);
      for (std::size_t b = 0; b < num_branches; ++b) c.next[b] = plan.path[b * levels + 1];
    }
    c.total = c.now;
    for (std::size_t b = 0; b < num_branches; ++b) c.total += c.probability[b] * c.after[b];
    return true;
  }

  /// Whether a member may be shown after what was shown in a branch.
  bool may_come(const LookaheadPlan& plan, std::size_t i, std::size_t b, std::size_t levels, std::size_t level) const {
    const std::size_t* path = &plan.path[b * levels];
    if (no_repeat_ && path[level - 1] == i) return false;
    return !set_.once || std::find(path, path + level, i) == path + level;
  }

  /// The most that a member can be worth right after a branch. Information is concave in the belief, so that
  /// Σ_b p_b I(b) <= I of the root; what rests on different samples gets some slack.
  double most_after(const LookaheadPlan& plan, std::size_t i, std::size_t b) const {
    const double utility = plan.utility[i * plan.roots.size() + plan.root[b]];
    return modifiers_.value(plan.members, i, (1.05 * utility + 0.005) / plan.probability[b]);
  }

  /// The best member after each branch, by blocks of members; those that cannot be the best are passed over.
  bool score_branches(LookaheadPlan& plan, std::size_t num_roots, std::size_t levels, std::size_t level,
                      const Budget& budget) const {
    const std::size_t num = plan.order.size(), num_branches = plan.probability.size();
    const std::size_t size = std::clamp<std::size_t>(looks_apart / (num_branches * scored_at_once), 1, 16);  // of a block
    const std::size_t num_blocks = (num + size - 1) / size;
    const bool bounded = is_concave_ && level == 1;
    std::fill(plan.best.begin(), plan.best.end(), Next{});
    plan.found.resize(scored_at_once * num_branches);
    for (std::size_t first = 0; first < num_blocks; first += scored_at_once) {
      if (budget.clock && budget.clock->now_ns() >= budget.deadline_ns) return false;
      const std::size_t at_once = std::min(scored_at_once, num_blocks - first);
      executor_.for_each_block(static_cast<int>(at_once), [&](int block_idx) {
        const auto k = static_cast<std::size_t>(block_idx);
        Next* found = &plan.found[k * num_branches];
        std::copy(plan.best.begin(), plan.best.end(), found);
        std::array<std::size_t, branches_at_once> branches;
        std::array<double, branches_at_once> utility;
        for (std::size_t m = (first + k) * size; m < std::min(num, (first + k + 1) * size); ++m) {
          const std::size_t i = plan.order[m];
          for (std::size_t b = 0; b < num_branches;) {
            std::size_t count = 0;
            for (; b < num_branches && count < branches_at_once; ++b)
              if (may_come(plan, i, b, levels, level) &&
                  !(bounded && std::isfinite(plan.now[i]) && most_after(plan, i, b) < found[b].value))
                branches[count++] = num_roots + b;
            if (count == 0) continue;
            imagination_->score(*plan.state, i, {branches.data(), count}, {utility.data(), count});
            for (std::size_t n = 0; n < count; ++n) {
              Next& best = found[branches[n] - num_roots];
              const double value = modifiers_.value(plan.members, i, utility[n]);
              if (value > best.value || (value == best.value && i < best.member)) best = {value, i};
            }
          }
        }
      });
      for (std::size_t k = 0; k < at_once; ++k)
        for (std::size_t b = 0; b < num_branches; ++b) {
          const Next &found = plan.found[k * num_branches + b], &best = plan.best[b];
          if (found.value > best.value || (found.value == best.value && found.member < best.member)) plan.best[b] = found;
        }
    }
    return true;
  }

  /// Standard error of the difference of two totals: of the samples that both rest on, and of responses that were drawn. Those of
  /// branches of the same probability stand for equal shares, in their order: successive differences tell it. What was drawn
  /// further on in enumerated branches is taken to explain all that they differ by.
  double error_of(const Candidate& a, const Candidate& b, std::int64_t depth) const {
    const std::size_t num = a.after.size();
    if (&a == &b) return 0;
    if (num == b.after.size() && num > 2 && is_sampled(a) && is_sampled(b)) {
      double square = 0;
      for (std::size_t k = 0; k + 1 < num; ++k) {
        const double step = a.after[k + 1] - b.after[k + 1] - (a.after[k] - b.after[k]);
        square += step * step;
      }
      const auto n = static_cast<double>(num);
      return std::sqrt(square / (2 * (n - 1) * n));
    }
    return depth == 2 ? 0 : std::sqrt(spread_of(a) + spread_of(b));
  }
  static bool is_sampled(const Candidate& c) {
    return std::all_of(c.probability.begin(), c.probability.end(),
                       [&](double p) { return std::abs(p - c.probability[0]) < 1e-12 * p; });
  }
  static double spread_of(const Candidate& c) {
    double out = 0;
    for (std::size_t b = 0; b < c.after.size(); ++b) {
      const double off = c.after[b] - (c.total - c.now);
      out += c.probability[b] * c.probability[b] * off * off;
    }
    return out;
  }

  /// The error by the samples alone, of the first two trials.
  double sampling_error(LookaheadPlan& plan, const Candidate& a, const Candidate& b, std::size_t num_roots) const {
    for (const int side : {0, 1}) {
      const Candidate& c = side ? b : a;
      std::vector<double>& out = plan.by_sample[side];
      out.clear();
      for (std::size_t r = 0; r < num_roots; ++r)
        if (!imagination_->add_by_sample(*plan.state, c.member, r, 1 / static_cast<double>(num_roots), out)) return 0;
      answer(plan, c, num_roots);
      for (std::size_t k = 0; k < c.next.size(); ++k)
        imagination_->add_by_sample(*plan.state, c.next[k], num_roots + k, c.probability[k], out);
    }
    double sum = 0, square = 0;
    const std::size_t num = plan.by_sample[0].size();
    for (std::size_t n = 0; n < num; ++n) sum += plan.by_sample[0][n] - plan.by_sample[1][n];
    for (std::size_t n = 0; n < num; ++n) {
      const double off = plan.by_sample[0][n] - plan.by_sample[1][n] - sum / static_cast<double>(num);
      square += off * off;
    }
    return std::sqrt(square);
  }

  /// The candidate with the largest total, unless it is not ahead of the first by more than chance and a share of the total.
  Candidate* decide(LookaheadPlan& plan, std::size_t num_roots, std::size_t num, std::int64_t depth, double share,
                    Choice& out) const {
    Candidate *first = &plan.candidates[0], *best = first;
    for (std::size_t k = 1; k < num; ++k)
      if (plan.candidates[k].total > best->total) best = &plan.candidates[k];
    out.lead = best->total - first->total;
    if (best == first) {
      out.lead_error = 0;
      return first;
    }
    out.lead_error = std::hypot(error_of(*best, *first, depth), sampling_error(plan, *best, *first, num_roots));
    if (out.lead > std::max(significant * out.lead_error, share * std::abs(best->total))) return best;
    out.lead = 0;
    return first;
  }

  /// Brings the choice to the front, behind it those that are not worse by more than chance; returns how many.
  std::size_t keep_close(LookaheadPlan& plan, std::size_t num, std::int64_t depth, Candidate* chosen) const {
    std::swap(plan.candidates[0], *chosen);
    std::size_t kept = 1;
    for (std::size_t k = 1; k < num; ++k) {
      const Candidate& c = plan.candidates[k];
      const double error = error_of(plan.candidates[0], c, depth);
      if (plan.candidates[0].total - c.total <= std::max(significant * error, close * std::abs(c.total)))
        std::swap(plan.candidates[kept++], plan.candidates[k]);
    }
    return kept;
  }

  Modifiers modifiers_;
  std::unique_ptr<Imagination> imagination_;
  const StimulusSet& set_;
  std::int64_t depth_;
  std::size_t width_;
  bool no_repeat_, is_concave_;
  std::uint64_t seed_;
  Executor& executor_;
};

}  // namespace

std::unique_ptr<Design> make_lookahead_design(const DesignSpec& spec, std::unique_ptr<Imagination> imagination,
                                              const StimulusSet& set, std::uint64_t seed, Executor& executor) {
  return std::make_unique<Lookahead>(spec, std::move(imagination), set, seed, executor);
}

}  // namespace hartline::design
