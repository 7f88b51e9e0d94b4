#include "design/reach_scorer.hpp"

#include <algorithm>
#include <array>

#include "base/threads.hpp"
#include "design/linear_scorer.hpp"
#include "numerics/dense.hpp"

namespace hartline::design {

namespace {

using models::Capability;
using models::GaussianView;
using models::RankOneChange;
using models::Reach;

constexpr std::size_t block_members = 64;

/// The frames of a stimulus that a row looks at: a run of `count`, the newest at the smallest lag.
struct Window {
  std::size_t first_frame, count, newest_lag;
};

Window window_of(const Reach& shape, std::size_t row) {
  const std::size_t bin = shape.first_bin + row;
  const std::size_t newest = std::min(bin, shape.num_frames - 1), oldest = bin + 1 > shape.num_lags ? bin + 1 - shape.num_lags : 0;
  if (oldest > newest) return {0, 0, 0};
  return {oldest, newest - oldest + 1, bin - newest};
}

struct ReachState final : PoolScorer::State {
  ReachState(const StimulusSet& set, const Reach& shape, bool needs_second)
      : num_rows(shape.num_rows),
        num_pairs(num_rows * (num_rows + 1) / 2),
        m(set.num() * num_rows),
        v(set.num() * num_pairs),
        overlap(v.size()),
        pending_v(v.size()),
        pulled(set.dim * std::max<std::size_t>(num_rows, 1)),
        image(num_rows * shape.dim),
        fixed_pulled(num_rows * num_rows * set.dim),
        fixed_m(num_rows),
        fixed_v(num_pairs) {
    const std::size_t num_blocks = (set.num() + block_members - 1) / block_members;
    for (std::size_t b = 0; b < num_blocks; ++b) scratch.emplace_back(num_rows, shape.dim, needs_second);
  }
  std::size_t num_rows, num_pairs;
  std::vector<double> m;             // [num, num_rows] placed part of the mean, all as without what is pending
  std::vector<double> v;             // [num, num_pairs] placed part of the covariance, pairs j >= k
  std::vector<double> overlap;       // [num, num_pairs] p_ij·p_ik
  std::vector<double> pending_v;     // [num, num_pairs] v with what is pending
  std::vector<double> pulled;        // [num_rows, window] what a row's frames are multiplied by
  std::vector<double> image;         // [num_rows, dim] C f_j
  std::vector<double> fixed_pulled;  // [num_rows, num_rows, window] of C f_k for row j
  std::vector<double> fixed_m, fixed_v;
  struct Block {
    Block(std::size_t rows, std::size_t dim, bool needs_second)
        : joint(rows),
          projection(rows * block_members),
          cross(rows * rows * block_members),
          m(rows),
          v(rows * rows),
          w(rows * rows) {
      if (needs_second) s.resize(3 * rows * dim);
    }
    JointScratch joint;
    std::vector<double> projection;  // [num_rows, block_members]
    std::vector<double> cross;       // [num_rows, num_rows, block_members]
    std::vector<double> m, v, w;     // of one member
    std::vector<double> s;           // [3, num_rows, dim]: s, g, q
  };
  std::vector<Block> scratch;  // [num_blocks]
  SecondForm::Shared shared;
  std::uint64_t version = 0;
  bool fresh = false, pending = false;
};

class ReachScorer final : public PoolScorer {
 public:
  ReachScorer(const JointUtility& utility, SecondForm second, bool current_bin, const StimulusSet& set, const Reach& shape,
              Executor& executor)
      : utility_(utility),
        second_(std::move(second)),
        current_bin_(current_bin),
        set_(set),
        shape_(shape),
        executor_(executor),
        num_blocks_(static_cast<int>((set.num() + block_members - 1) / block_members)) {
    shape_.fixed = nullptr;
  }

  std::unique_ptr<State> make_state() const override {
    auto state = std::make_unique<ReachState>(set_, shape_, second_.needed());
    for (std::size_t i = 0; i < set_.num(); ++i)
      for (std::size_t j = 0, pair = 0; j < shape_.num_rows; ++j)
        for (std::size_t k = 0; k <= j; ++k, ++pair) state->overlap[i * state->num_pairs + pair] = overlap(i, j, k);
    return state;
  }
  std::size_t block_size() const override { return block_members; }

  void follow(State& any_state, const Capability& belief, std::span<const std::uint8_t>) const override {
    auto& state = static_cast<ReachState&>(any_state);
    const auto& view = std::get<GaussianView>(belief);
    const models::BeliefChange& change = view.change;
    if (state.fresh && state.version == change.version) return;
    const bool follow = state.fresh && change.exact && state.version + 1 == change.version && change.version % refresh_every != 0;
    if (follow) {
      for (const RankOneChange& step : change.steps) apply(state, step, state.v, &state.m, 1);
    } else {
      form_anew(state, view);
      // the covariance of a view holds what is pending: taken out, so that the projections follow the belief without it
      for (const RankOneChange& step : view.pending) apply(state, step, state.v, nullptr, -1);
    }
    state.version = change.version;
    state.fresh = true;
  }

  void prepare(State& any_state, const Capability& belief, std::span<const std::uint8_t>) const override {
    auto& state = static_cast<ReachState&>(any_state);
    const auto& view = std::get<GaussianView>(belief);
    const Reach& reach = *view.reach;
    state.pending = !view.pending.empty();
    if (state.pending) {
      std::copy(state.v.begin(), state.v.end(), state.pending_v.begin());
      for (const RankOneChange& step : view.pending) apply(state, step, state.pending_v, nullptr, 1);
    }
    second_.prepare(view, state.shared);
    const std::size_t rows = shape_.num_rows, dim = shape_.dim;
    executor_.for_each_block(static_cast<int>(rows), [&](int k) {
      const auto row = static_cast<std::size_t>(k);
      numerics::multiply_rows(view.covariance, dim, 0, dim, dim, reach.fixed + row * dim, &state.image[row * dim]);
      for (std::size_t j = 0; j < rows; ++j) pull(j, &state.image[row * dim], &state.fixed_pulled[(j * rows + row) * set_.dim]);
    });
    for (std::size_t j = 0, pair = 0; j < rows; ++j) {
      state.fixed_m[j] = numerics::dot(reach.fixed + j * dim, view.mean, dim);
      for (std::size_t k = 0; k <= j; ++k, ++pair)
        state.fixed_v[pair] = numerics::dot(reach.fixed + j * dim, &state.image[k * dim], dim);
    }
  }

  void score(State& any_state, const Capability& belief, std::span<const std::size_t> members, std::span<double> utility,
             std::span<double> expected_count) const override {
    if (members.empty()) return;
    auto& state = static_cast<ReachState&>(any_state);
    const auto& view = std::get<GaussianView>(belief);
    const std::size_t rows = shape_.num_rows, block = members[0] / block_members, first = block * block_members;
    const std::size_t last = std::min(first + block_members, set_.num());
    ReachState::Block& scratch = state.scratch[block];
    for (std::size_t j = 0; j < rows; ++j) {
      const Window window = window_of(shape_, j);
      for (std::size_t k = 0; k < rows; ++k)
        multiply(window, first, last, &state.fixed_pulled[(j * rows + k) * set_.dim],
                 &scratch.cross[(j * rows + k) * block_members]);
    }
    const std::vector<double>& v = state.pending ? state.pending_v : state.v;
    for (std::size_t n = 0; n < members.size(); ++n) {
      const std::size_t i = members[n], at = i - first;
      const auto cross = [&](std::size_t j, std::size_t k) { return scratch.cross[(j * rows + k) * block_members + at]; };
      for (std::size_t j = 0, pair = 0; j < rows; ++j) {
        scratch.m[j] = state.m[i * rows + j] + state.fixed_m[j];
        for (std::size_t k = 0; k <= j; ++k, ++pair)
          scratch.v[j * rows + k] = scratch.v[k * rows + j] =
              v[i * state.num_pairs + pair] + cross(j, k) + cross(k, j) + state.fixed_v[pair];
      }
      if (second_.needed()) second_form(state, view, scratch, i);
      // row 0 alone is a joint utility of one response: its variances stand first in v and w
      utility[n] = utility_.value(current_bin_ ? 1 : rows, scratch.m.data(), scratch.v.data(), scratch.w.data(), scratch.joint);
      if (expected_count.empty()) continue;
      expected_count[n] = 0;
      for (std::size_t j = 0; j < rows; ++j)
        expected_count[n] = std::max(expected_count[n], utility_.single().expected_count(scratch.m[j], scratch.v[j * rows + j]));
    }
  }

 private:
  /// What the frames of a row are multiplied by to give p_ij·w, for a w [dim]: out [window.count, frame_dim].
  void pull(std::size_t row, const double* w, double* out) const {
    const Window window = window_of(shape_, row);
    for (std::size_t f = 0; f < window.count; ++f)
      std::copy_n(w + (window.newest_lag + window.count - 1 - f) * shape_.frame_dim, shape_.frame_dim, out + f * shape_.frame_dim);
  }

  /// p_ij·w for members first … last - 1.
  void multiply(const Window& window, std::size_t first, std::size_t last, const double* pulled, double* out) const {
    if (window.count == 0) return std::fill(out, out + (last - first), 0.0);
    const double* frames = set_.pool.data() + window.first_frame * shape_.frame_dim;
    numerics::multiply_rows(frames, set_.dim, first, last, window.count * shape_.frame_dim, pulled, out);
  }

  /// p_ij·p_ik: the frames that both rows show at the same lag.
  double overlap(std::size_t i, std::size_t j, std::size_t k) const {
    const double* x = &set_.pool[i * set_.dim];
    double total = 0;
    for (std::size_t lag = 0; lag < shape_.num_lags; ++lag) {
      const std::size_t a = shape_.first_bin + j - lag, b = shape_.first_bin + k - lag;  // wrap where there is none
      if (a >= shape_.num_frames || b >= shape_.num_frames) continue;
      total += numerics::dot(x + a * shape_.frame_dim, x + b * shape_.frame_dim, shape_.frame_dim);
    }
    return total;
  }

  /// One step, added (sign 1) or taken back (sign -1), in v and where given in m.
  void apply(ReachState& state, const RankOneChange& step, std::vector<double>& v, std::vector<double>* m, double sign) const {
    const std::size_t rows = shape_.num_rows;
    const bool moved = step.shrink != 0 || step.mean_step != 0;
    for (std::size_t j = 0; moved && j < rows; ++j) pull(j, step.g, &state.pulled[j * set_.dim]);
    executor_.for_each_block(num_blocks_, [&](int b) {
      const std::size_t first = static_cast<std::size_t>(b) * block_members, last = std::min(first + block_members, set_.num());
      std::vector<double>& projection = state.scratch[static_cast<std::size_t>(b)].projection;
      for (std::size_t j = 0; moved && j < rows; ++j)
        multiply(window_of(shape_, j), first, last, &state.pulled[j * set_.dim], &projection[j * block_members]);
      for (std::size_t i = first; i < last; ++i) {
        const auto p = [&](std::size_t j) { return projection[j * block_members + i - first]; };
        for (std::size_t j = 0, at = i * state.num_pairs; j < rows; ++j) {
          if (moved && m) (*m)[i * rows + j] += step.mean_step * p(j);
          for (std::size_t k = 0; k <= j; ++k, ++at)
            v[at] += sign * (step.inflation * state.overlap[at] - (moved ? step.shrink * p(j) * p(k) : 0));
        }
      }
    });
  }

  void form_anew(ReachState& state, const GaussianView& view) const {
    const std::size_t rows = shape_.num_rows, n = shape_.frame_dim;
    executor_.for_each_block(num_blocks_, [&](int b) {
      const std::size_t first = static_cast<std::size_t>(b) * block_members, last = std::min(first + block_members, set_.num());
      std::vector<double>& part = state.scratch[static_cast<std::size_t>(b)].projection;  // at least frame products of one member
      for (std::size_t i = first; i < last; ++i) {
        const double* x = &set_.pool[i * set_.dim];
        for (std::size_t j = 0, at = i * state.num_pairs; j < rows; ++j) {
          const Window a = window_of(shape_, j);
          const auto lag = [](const Window& w, std::size_t f) { return w.newest_lag + w.count - 1 - f; };
          double mean = 0;
          for (std::size_t f = 0; f < a.count; ++f)
            mean += numerics::dot(x + (a.first_frame + f) * n, view.mean + lag(a, f) * n, n);
          state.m[i * rows + j] = mean;
          for (std::size_t k = 0; k <= j; ++k, ++at) {
            const Window c = window_of(shape_, k);
            double total = 0;
            for (std::size_t f = 0; f < a.count; ++f)
              for (std::size_t h = 0; h < c.count; ++h)
                total += form(view, x + (a.first_frame + f) * n, lag(a, f), x + (c.first_frame + h) * n, lag(c, h), part);
            state.v[at] = total;
          }
        }
      }
    });
  }

  /// xᵀ C[block of lag a, block of lag b] y
  double form(const GaussianView& view, const double* x, std::size_t a, const double* y, std::size_t b,
              std::vector<double>& part) const {
    const std::size_t n = shape_.frame_dim;
    double total = 0;
    for (std::size_t i = 0; i < n; i += part.size()) {
      const std::size_t count = std::min(part.size(), n - i);
      numerics::multiply_rows(view.covariance + b * n, view.dim, a * n + i, a * n + i + count, n, y, part.data());
      total += numerics::dot(x + i, part.data(), count);
    }
    return total;
  }

  /// W of one member, from its rows formed anew.
  void second_form(const ReachState& state, const GaussianView& view, ReachState::Block& scratch, std::size_t i) const {
    const std::size_t rows = current_bin_ ? 1 : shape_.num_rows, dim = shape_.dim;
    double *s = scratch.s.data(), *g = s + shape_.num_rows * dim, *q = g + shape_.num_rows * dim;
    for (std::size_t j = 0; j < rows; ++j) {
      view.reach->place(j, &set_.pool[i * set_.dim], s + j * dim);
      numerics::multiply_rows(view.covariance, dim, 0, dim, dim, s + j * dim, g + j * dim);
      second_.image(state.shared, s + j * dim, g + j * dim, q + j * dim);
    }
    const double* other = second_.is_target() ? s : g;
    for (std::size_t j = 0; j < rows; ++j)
      for (std::size_t k = 0; k <= j; ++k)
        scratch.w[j * rows + k] = scratch.w[k * rows + j] = numerics::dot(q + j * dim, other + k * dim, dim);
  }

  JointUtility utility_;
  SecondForm second_;
  bool current_bin_;
  const StimulusSet& set_;
  Reach shape_;
  Executor& executor_;
  int num_blocks_;
};

}  // namespace

std::unique_ptr<PoolScorer> make_reach_scorer(const JointUtility& utility, const SecondForm& second, bool current_bin,
                                              const StimulusSet& set, const Reach& shape, Executor& executor) {
  return std::make_unique<ReachScorer>(utility, second, current_bin, set, shape, executor);
}

}  // namespace hartline::design
