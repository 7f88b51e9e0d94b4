#include "design/linear_scorer.hpp"

#include <algorithm>
#include <array>

#include "base/threads.hpp"
#include "numerics/dense.hpp"

namespace hartline::design {

namespace {

using models::Capability;
using models::GaussianView;
using models::RankOneChange;

struct LinearState final : PoolScorer::State {
  LinearState(const StimulusSet& set, const SecondForm& second, std::size_t dim)
      : m(set.num()), v(set.num()), norm(set.num()), projection(set.num()), pending_v(set.num()) {
    for (std::size_t i = 0; i < set.num(); ++i) norm[i] = numerics::dot(&set.pool[i * set.dim], &set.pool[i * set.dim], set.dim);
    if (second.needed()) w.resize(set.num());
    const std::size_t num_blocks = (set.num() + PoolScorer::max_block - 1) / PoolScorer::max_block;
    scratch.resize(num_blocks * 3 * (dim + 1));
  }
  std::vector<double> m, v;        // [num] mean and variance of ρ, without what is pending
  std::vector<double> norm;        // [num] |x|²
  std::vector<double> projection;  // [num] scratch
  std::vector<double> pending_v;   // [num] v with what is pending
  std::vector<double> w;           // [num] second form
  std::vector<double> scratch;     // [num_blocks, 3, dim + 1]
  SecondForm::Shared shared;
  std::uint64_t version = 0;  // of the belief that m and v belong to
  bool fresh = false;         // m and v are valid
  bool pending = false;       // pending_v is valid
};

class LinearScorer final : public PoolScorer {
 public:
  LinearScorer(const GaussianUtility& utility, SecondForm second, const StimulusSet& set, Executor& executor)
      : utility_(utility),
        second_(std::move(second)),
        set_(set),
        executor_(executor),
        num_blocks_(static_cast<int>((set.num() + max_block - 1) / max_block)) {}

  std::unique_ptr<State> make_state() const override { return std::make_unique<LinearState>(set_, second_, set_.dim); }
  std::size_t block_size() const override { return max_block; }

  void follow(State& any_state, const Capability& belief, std::span<const std::uint8_t> left) const override {
    auto& state = static_cast<LinearState&>(any_state);
    const auto& view = std::get<GaussianView>(belief);
    const models::BeliefChange& change = view.change;
    if (state.fresh && state.version == change.version) return;
    const bool follow = state.fresh && change.exact && state.version + 1 == change.version && change.version % refresh_every != 0;
    executor_.for_each_block(num_blocks_, [&](int k) {
      const auto block = static_cast<std::size_t>(k);
      if (!follow) return project_anew(state, view, block);
      for (const RankOneChange& step : change.steps) project_change(state, view, step, block, left, state.v, &state.m);
    });
    // a view's covariance holds what is pending: taken out again, so that the projections follow the belief without it
    if (!follow && !view.pending.empty()) take_out_pending(state, view);
    state.version = change.version;
    state.fresh = true;
  }

  void prepare(State& any_state, const Capability& belief, std::span<const std::uint8_t> left) const override {
    auto& state = static_cast<LinearState&>(any_state);
    const auto& view = std::get<GaussianView>(belief);
    state.pending = !view.pending.empty();
    second_.prepare(view, state.shared);
    if (!state.pending && !second_.needed()) return;
    executor_.for_each_block(num_blocks_, [&](int k) {
      const auto block = static_cast<std::size_t>(k);
      if (state.pending) {
        std::copy(state.v.begin() + first(block), state.v.begin() + last(block), state.pending_v.begin() + first(block));
        for (const RankOneChange& step : view.pending) project_change(state, view, step, block, left, state.pending_v, nullptr);
      }
      if (second_.is_target())
        variance_given_target(state, view, block);
      else if (second_.needed())
        second_form(state, view, block, left);
    });
  }

  void score(State& any_state, const Capability&, std::span<const std::size_t> members, std::span<double> utility,
             std::span<double> expected_count) const override {
    const auto& state = static_cast<LinearState&>(any_state);
    std::array<double, max_block> m, v, w;
    gather(state, members, m.data(), v.data());
    for (std::size_t k = 0; k < members.size() && second_.needed(); ++k) w[k] = state.w[members[k]];
    const std::size_t num = members.size();
    utility_.evaluate({m.data(), num}, {v.data(), num}, {w.data(), second_.needed() ? num : 0}, utility);
    for (std::size_t k = 0; k < expected_count.size(); ++k) expected_count[k] = utility_.expected_count(m[k], v[k]);
  }

  bool bounds(State& any_state, const Capability&, std::span<const std::size_t> members, std::span<double> low,
              std::span<double> high) const override {
    if (utility_.kind() != GaussianUtility::Kind::of_response) return false;
    std::array<double, max_block> m, v;
    gather(static_cast<LinearState&>(any_state), members, m.data(), v.data());
    return utility_.linear().bounds({m.data(), members.size()}, {v.data(), members.size()}, low, high);
  }

 private:
  static std::ptrdiff_t first(std::size_t block) { return static_cast<std::ptrdiff_t>(block * max_block); }
  std::ptrdiff_t last(std::size_t block) const {
    return static_cast<std::ptrdiff_t>(std::min((block + 1) * max_block, set_.num()));
  }

  void gather(const LinearState& state, std::span<const std::size_t> members, double* m, double* v) const {
    const std::vector<double>& variance = state.pending ? state.pending_v : state.v;
    for (std::size_t k = 0; k < members.size(); ++k) {
      m[k] = state.m[members[k]];
      v[k] = variance[members[k]];
    }
  }

  /// Projections x·g + g_b of a block's members that are left.
  void project(LinearState& state, const double* g, std::size_t block, std::span<const std::uint8_t> left) const {
    const auto end_of_block = static_cast<std::size_t>(last(block));
    // whole runs of members that are left: most of a long run has been shown, and need not be read again
    for (std::size_t i = block * max_block; i < end_of_block;) {
      std::size_t end = i;
      while (end < end_of_block && left[end]) ++end;
      if (end > i) numerics::multiply_rows(set_.pool.data(), set_.dim, i, end, set_.dim, g, &state.projection[i]);
      i = end + 1;
    }
  }

  /// Lets v, and m where given, follow one step. Members that are not left stay as they were.
  void project_change(LinearState& state, const GaussianView& view, const RankOneChange& change, std::size_t block,
                      std::span<const std::uint8_t> left, std::vector<double>& v, std::vector<double>* m) const {
    const bool bias = view.dim > set_.dim;
    const double bias_g = bias ? change.g[set_.dim] : 0;
    const bool moved = change.shrink != 0 || change.mean_step != 0;
    if (moved) project(state, change.g, block, left);
    for (std::size_t i = block * max_block; i < static_cast<std::size_t>(last(block)); ++i) {
      if (!left[i]) continue;
      v[i] += change.inflation * state.norm[i] + (bias ? change.bias_inflation : 0);
      if (!moved) continue;
      const double p = state.projection[i] + bias_g;
      if (m) (*m)[i] += change.mean_step * p;
      v[i] -= change.shrink * p * p;
    }
  }

  void project_anew(LinearState& state, const GaussianView& view, std::size_t block) const {
    const std::size_t n = set_.dim;
    const bool bias = view.dim > n;
    double* image = &state.scratch[block * 3 * (n + 1)];
    for (std::size_t i = block * max_block; i < static_cast<std::size_t>(last(block)); ++i) {
      const double* x = &set_.pool[i * n];
      numerics::multiply_rows(view.covariance, view.dim, 0, n, n, x, image);
      state.m[i] = numerics::dot(x, view.mean, n) + (bias ? view.mean[n] : 0);
      state.v[i] = numerics::dot(x, image, n);
      if (bias) state.v[i] += 2 * numerics::dot(x, view.covariance + n * view.dim, n) + view.covariance[n * view.dim + n];
    }
  }

  void take_out_pending(LinearState& state, const GaussianView& view) const {
    executor_.for_each_block(num_blocks_, [&](int k) {
      const auto block = static_cast<std::size_t>(k);
      for (const RankOneChange& step : view.pending) {
        const auto begin = block * max_block, end = static_cast<std::size_t>(last(block));
        const bool bias = view.dim > set_.dim;
        numerics::multiply_rows(set_.pool.data(), set_.dim, begin, end, set_.dim, step.g, &state.projection[begin]);
        for (std::size_t i = begin; i < end; ++i) {
          const double p = state.projection[i] + (bias ? step.g[set_.dim] : 0);
          state.v[i] += step.shrink * p * p - step.inflation * state.norm[i] - (bias ? step.bias_inflation : 0);
        }
      }
    });
  }

  /// w = v - Σ_k (s·z_k)²
  void variance_given_target(LinearState& state, const GaussianView& view, std::size_t block) const {
    const std::vector<double>& v = state.pending ? state.pending_v : state.v;
    std::copy(v.begin() + first(block), v.begin() + last(block), state.w.begin() + first(block));
    const std::size_t begin = block * max_block, end = static_cast<std::size_t>(last(block));
    for (std::size_t k = 0; k < second_.num_targets(); ++k) {
      const double* z = &state.shared.z[k * view.dim];
      numerics::multiply_rows(set_.pool.data(), set_.dim, begin, end, set_.dim, z, &state.projection[begin]);
      for (std::size_t i = begin; i < end; ++i) {
        const double p = state.projection[i] + (view.dim > set_.dim ? z[set_.dim] : 0);
        state.w[i] -= p * p;
      }
    }
    for (std::size_t i = begin; i < end; ++i) state.w[i] = std::max(state.w[i], 0.0);  // rounding
  }

  /// w = gᵀ M g, g = C s
  void second_form(LinearState& state, const GaussianView& view, std::size_t block, std::span<const std::uint8_t> left) const {
    const std::size_t n = set_.dim, dim = view.dim;
    double* s = &state.scratch[block * 3 * (n + 1)];
    double *g = s + n + 1, *q = g + n + 1;
    for (std::size_t i = block * max_block; i < static_cast<std::size_t>(last(block)); ++i) {
      if (!left[i]) continue;
      std::copy_n(&set_.pool[i * n], n, s);
      if (dim > n) s[n] = 1;
      numerics::multiply_rows(view.covariance, dim, 0, dim, dim, s, g);
      second_.image(state.shared, s, g, q);
      state.w[i] = numerics::dot(q, g, dim);
    }
  }

  GaussianUtility utility_;
  SecondForm second_;
  const StimulusSet& set_;
  Executor& executor_;
  int num_blocks_;
};

}  // namespace

std::unique_ptr<PoolScorer> make_linear_scorer(const GaussianUtility& utility, const SecondForm& second, const StimulusSet& set,
                                               Executor& executor) {
  return std::make_unique<LinearScorer>(utility, second, set, executor);
}

}  // namespace hartline::design
