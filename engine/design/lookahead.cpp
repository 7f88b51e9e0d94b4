#include "design/lookahead.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "design/modifiers.hpp"

namespace hartline::design {

namespace {

using models::Capability;

constexpr std::size_t block = 8;            // members scored together
constexpr std::int64_t blocks_at_once = 4;  // between two looks at the clock
constexpr double significant = 2;           // standard errors
constexpr double close = 0.01;              // of a total, which deeper thought may turn

/// A member that is looked into.
struct Candidate {
  std::size_t member = 0;
  double now = 0;             // its own utility
  double total = 0;           // with what follows
  std::vector<double> after;  // what follows, of each branch
  std::vector<double> probability;
};

class LookaheadPlan final : public Plan {
 public:
  LookaheadPlan(const StimulusSet& set, std::unique_ptr<Imagination::State> s) : state(std::move(s)), members(set) {}
  std::unique_ptr<Imagination::State> state;
  Modifiers::Members members;
  std::vector<double> now;      // [num members] one-step values
  std::vector<double> utility;  // [num members, num branches]
  std::vector<Candidate> candidates;
  std::vector<std::size_t> order, best;  // best: member after each branch
  std::vector<double> probability;
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
    const std::size_t num_roots = imagination_->begin(*plan.state, belief);
    score_now(plan, num_roots, trial, budget, out.units);
    const std::size_t num = rank(plan, trial);
    Candidate* chosen = &plan.candidates[0];
    chosen->total = chosen->now;
    std::size_t num_left = num;
    for (std::int64_t depth = 2; depth <= depth_ && (num_left > 1 || depth == 2); ++depth) {
      std::size_t done = 0;
      while (done < num_left && budget.allows(out.units)) {
        if (!look_into(plan, plan.candidates[done], num_roots, depth, budget)) break;
        ++done;
        ++out.units;
      }
      if (done < num_left && depth > 2) break;  // a depth that is not complete does not replace the one before
      if (done == 0) break;
      chosen = decide(plan, done, depth, out);
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
    const std::size_t num_roots = imagination_->begin(*plan.state, belief);
    std::int64_t units = 0;
    score_now(plan, num_roots, 0, {}, units);
    return plan.now;
  }

 private:
  /// One-step values of the members, in an order that begins at another place every trial.
  void score_now(LookaheadPlan& plan, std::size_t num_roots, std::uint64_t trial, const Budget& budget, std::int64_t& units) const {
    const std::size_t num = set_.num(), num_blocks = (num + block - 1) / block, start = trial * 7919 % num_blocks;
    plan.now.assign(num, -std::numeric_limits<double>::infinity());
    plan.utility.resize(num * num_roots);
    const auto total = static_cast<std::int64_t>(num_blocks);
    std::int64_t done = 0;
    while (done < total && (done == 0 || budget.allows(done))) {
      const std::int64_t at_once = std::min({blocks_at_once, total - done, std::max<std::int64_t>(1, budget.max_units - done)});
      executor_.for_each_block(static_cast<int>(at_once), [&](int k) {
        const std::size_t b = (start + static_cast<std::size_t>(done + k)) % num_blocks;
        for (std::size_t i = b * block; i < std::min(num, (b + 1) * block); ++i) {
          const std::span<double> of_roots{&plan.utility[i * num_roots], num_roots};
          imagination_->score(*plan.state, i, 0, of_roots);
          const double mean = std::accumulate(of_roots.begin(), of_roots.end(), 0.0) / static_cast<double>(num_roots);
          plan.now[i] = modifiers_.value(plan.members, i, mean);
        }
      });
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

  /// Total of a candidate down to a depth; false where the deadline came first.
  bool look_into(LookaheadPlan& plan, Candidate& c, std::size_t num_roots, std::int64_t depth, const Budget& budget) const {
    imagination_->cut(*plan.state, num_roots);
    c.probability.clear();
    for (std::size_t r = 0; r < num_roots; ++r) imagination_->answer(*plan.state, r, c.member, c.probability);
    const std::size_t num_branches = c.probability.size();
    for (double& p : c.probability) p /= static_cast<double>(num_roots);
    c.after.assign(num_branches, 0.0);
    plan.best.assign(num_branches, c.member);
    for (std::int64_t level = 2; level <= depth; ++level) {
      if (level > 2)  // each branch goes on with an answer to what was best
        for (std::size_t b = 0; b < num_branches; ++b) {
          Stream stream(seed_, Purpose::imagine, b, static_cast<std::uint64_t>(level));
          imagination_->answer_once(*plan.state, num_roots + b, plan.best[b], stream);
        }
      if (!score_branches(plan, num_roots, num_branches, budget)) return false;
      for (std::size_t b = 0; b < num_branches; ++b) {
        double most = -std::numeric_limits<double>::infinity();
        std::size_t best = plan.best[b];
        for (std::size_t i = 0; i < set_.num(); ++i) {
          if (!modifiers_.may_follow(plan.members, i) || (no_repeat_ && i == plan.best[b])) continue;
          const double value = modifiers_.value(plan.members, i, plan.utility[i * num_branches + b]);
          if (value > most) {
            most = value;
            best = i;
          }
        }
        plan.best[b] = best;
        if (std::isfinite(most)) c.after[b] += most;
      }
    }
    c.total = c.now;
    for (std::size_t b = 0; b < num_branches; ++b) c.total += c.probability[b] * c.after[b];
    return true;
  }

  bool score_branches(LookaheadPlan& plan, std::size_t num_roots, std::size_t num_branches, const Budget& budget) const {
    const std::size_t num = set_.num(), num_blocks = (num + block - 1) / block;
    plan.utility.resize(std::max(plan.utility.size(), num * num_branches));
    for (std::size_t first = 0; first < num_blocks; first += static_cast<std::size_t>(blocks_at_once)) {
      if (budget.clock && budget.clock->now_ns() >= budget.deadline_ns) return false;
      const std::size_t at_once = std::min(static_cast<std::size_t>(blocks_at_once), num_blocks - first);
      executor_.for_each_block(static_cast<int>(at_once), [&](int k) {
        const std::size_t b = first + static_cast<std::size_t>(k);
        for (std::size_t i = b * block; i < std::min(num, (b + 1) * block); ++i)
          imagination_->score(*plan.state, i, num_roots, {&plan.utility[i * num_branches], num_branches});
      });
    }
    return true;
  }

  /// Standard error of the difference of two totals. Branches of the same probability stand for equal shares of the responses, in
  /// their order: successive differences tell it. Enumerated branches have none at depth 2; further on what was drawn in them is
  /// taken to explain all that they differ by.
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

  /// The candidate with the largest total, unless it is not ahead of the first by more than chance.
  Candidate* decide(LookaheadPlan& plan, std::size_t num, std::int64_t depth, Choice& out) const {
    Candidate *first = &plan.candidates[0], *best = first;
    for (std::size_t k = 1; k < num; ++k)
      if (plan.candidates[k].total > best->total) best = &plan.candidates[k];
    out.lead = best->total - first->total;
    out.lead_error = error_of(*best, *first, depth);
    if (out.lead > significant * out.lead_error) return best;
    out.lead = 0;
    return first;
  }

  /// Brings the choice to the front, behind it those that are not worse by more than chance; returns how many.
  std::size_t keep_close(LookaheadPlan& plan, std::size_t num, std::int64_t depth, Candidate* chosen) const {
    std::swap(plan.candidates[0], *chosen);
    std::size_t kept = 1;
    for (std::size_t k = 1; k < num; ++k) {
      const Candidate& c = plan.candidates[k];
      const double error = std::max(error_of(plan.candidates[0], c, depth), close);
      if (plan.candidates[0].total - c.total <= significant * error) std::swap(plan.candidates[kept++], plan.candidates[k]);
    }
    return kept;
  }

  Modifiers modifiers_;
  std::unique_ptr<Imagination> imagination_;
  const StimulusSet& set_;
  std::int64_t depth_;
  std::size_t width_;
  bool no_repeat_;
  std::uint64_t seed_;
  Executor& executor_;
};

}  // namespace

std::unique_ptr<Design> make_lookahead_design(const DesignSpec& spec, std::unique_ptr<Imagination> imagination,
                                              const StimulusSet& set, std::uint64_t seed, Executor& executor) {
  return std::make_unique<Lookahead>(spec, std::move(imagination), set, seed, executor);
}

}  // namespace hartline::design
