#include "design/population_pool.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/threads.hpp"
#include "design/population_plan.hpp"
#include "design/utility.hpp"
#include "numerics/dense.hpp"

namespace hartline::design {

namespace {

using models::Capability;
using models::GaussianView;
using models::PopulationView;
using models::RankOneChange;

constexpr std::uint64_t renew_every = 2048;  // trials
constexpr std::int64_t tiles_at_once = 64;   // between two looks at the clock
constexpr double fast_error = 1.5e-4;        // relative, of a utility from the kernels and what is kept

class PopulationPoolDesign final : public Design {
 public:
  PopulationPoolDesign(const DesignSpec& spec, const models::Population& model, const StimulusSet& set, std::uint64_t seed,
                       Executor& executor)
      : linear_(utility_named(spec.utility), model.glm().law, spec.kappa),
        modifiers_(spec, seed),
        num_cells_(model.num_cells),
        log_bin_(std::log(model.glm().law.bin_s)),
        set_(set),
        seed_(seed),
        executor_(executor) {
    const models::ResponseLaw& law = model.glm().law;
    fast_ = spec.utility == "laplace_information" && law.law == models::Law::poisson && law.link == models::Link::exp;
    const std::string& aggregate = model.spec().aggregate;
    aggregate_ = model.spec().shared_gain_sd > 0 ? Aggregate::shared_gain
                 : aggregate == "weighted"       ? Aggregate::weighted
                 : aggregate == "worst"          ? Aggregate::worst
                                                 : Aggregate::sum;
  }

  std::unique_ptr<Plan> make_plan() const override {
    return std::make_unique<PopulationPlan>(set_, num_cells_, executor_.num_threads());
  }

  void follow(Plan& any_plan, const Capability& belief, std::int64_t pool_index, std::span<const double> stimulus,
              double duration_s) const override {
    auto& plan = static_cast<PopulationPlan&>(any_plan);
    plan.members.present(pool_index, stimulus, duration_s);
    take_note(plan, std::get<PopulationView>(belief));
  }

  void choose(Plan& any_plan, const Capability& belief, std::uint64_t trial, const Budget& budget, Choice& out) const override {
    auto& plan = static_cast<PopulationPlan&>(any_plan);
    const auto& view = std::get<PopulationView>(belief);
    modifiers_.num_left(plan.members, trial);
    take_note(plan, view);
    out.explored = false;
    if (auto stream = modifiers_.explores(trial))
      return modifiers_.draw(set_, plan.members, trial, *stream, out, [](std::size_t) { return 0.0; });
    out.units = scan(plan, view, trial, budget);
    find_candidates(plan, trial);
    if (plan.candidates.empty()) {  // a deadline has left only members that may not be shown
      out.units = scan(plan, view, trial, {});
      find_candidates(plan, trial);
    }
    if (plan.candidates.empty()) modifiers_.refuse(trial, 0);
    work_out(plan, view);
    Best best;
    const std::size_t num = view.cells.size();
    for (std::size_t k = 0; k < plan.candidates.size(); ++k)
      best.offer(modifiers_.value(plan.members, static_cast<std::size_t>(plan.candidates[k]),
                                  combined(view, {&plan.exact[k * num_cells_], num}, &plan.exact_v[k * num_cells_])),
                 plan.candidates[k], seed_, trial);
    if (best.index < 0) modifiers_.refuse(trial, 0);
    out.utility = best.utility;
    take(set_, best.index, out);
  }

  std::vector<double> utilities(Plan& any_plan, const Capability& belief) const override {
    auto& plan = static_cast<PopulationPlan&>(any_plan);
    const auto& view = std::get<PopulationView>(belief);
    take_note(plan, view);
    scan(plan, view, 0, {});
    std::vector<double> out(set_.num());
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = modifiers_.value(plan.members, i, plan.utility[i]);
    return out;
  }

 private:
  float* kept(PopulationPlan& plan, std::size_t tile) const { return plan.kept[tile * num_cells_].v.of; }
  const float* stimuli(const PopulationPlan& plan, std::size_t tile) const { return plan.x[tile * (set_.dim + 1)].of; }
  std::size_t num_in(std::size_t tile) const { return std::min(tile_size, set_.num() - tile * tile_size); }

  template <class Body>
  void for_each_tile(const PopulationPlan& plan, Body&& body) const {
    executor_.for_each_block(static_cast<int>(plan.num_tiles), [&](int tile) { body(static_cast<std::size_t>(tile)); });
  }

  /// Queues the belief's last change; the next pass takes it in.
  void take_note(PopulationPlan& plan, const PopulationView& view) const {
    bool is_new = false;
    for (std::size_t c = 0; c < view.cells.size(); ++c) {
      const std::size_t cell = view.cell_idx[c];
      is_new = is_new || !plan.known[cell] || plan.version[cell] != view.cells[c].change.version;
    }
    if (is_new) {
      flush(plan);
      queue(plan, view);
    }
    set_up(plan, view);
    if (is_new) renew(plan, view);
  }

  /// What a pass knows of the cells besides the queued steps.
  void set_up(PopulationPlan& plan, const PopulationView& view) const {
    const std::size_t dim = set_.dim;
    plan.num_present = view.cells.size();
    plan.num_expected = 0;
    for (std::size_t c = 0; c < view.cells.size(); ++c) {
      const GaussianView& cell = view.cells[c];
      CellPass& pass = plan.cells[c];
      const bool bias = cell.dim > dim;
      pass.weight = static_cast<float>(view.weights[c]);
      double expect = 0, expect_bias = 0;
      std::size_t round = 0;
      for (const RankOneChange& step : cell.pending) {
        expect += step.inflation;
        expect_bias += bias ? step.bias_inflation : 0;
        if (step.shrink != 0) put(plan.expected, plan.num_expected, round++, c, step, bias);
      }
      pass.expect = static_cast<float>(expect);
      pass.expect_bias = static_cast<float>(expect_bias);
      for (; round < plan.num_expected; ++round) plan.expected[round].shrink[c] = plan.expected[round].mean_step[c] = 0;
    }
    plan.extra.clear();
    for (std::size_t k = 0; k < plan.num_further; ++k) plan.extra.push_back(step_of(plan.further[k], true));
    for (std::size_t k = 0; k < plan.num_expected; ++k) plan.extra.push_back(step_of(plan.expected[k], false));
    for (std::size_t c = 0; c < view.cells.size(); ++c) {
      CellPass& pass = plan.cells[c];
      pass.plain = plan.extra.empty() && pass.inflate == 0 && pass.inflate_bias == 0 && pass.expect == 0 && pass.expect_bias == 0;
    }
  }

  static ExtraStep step_of(const Round& round, bool keep) {
    return {keep, round.g.data(), round.shrink.data(), round.mean_step.data(), round.bias_g.data()};
  }

  /// Writes step number `round` of cell c of the view; cells before it that have none get a zero.
  void put(std::vector<Round>& rounds, std::size_t& num, std::size_t round, std::size_t c, const RankOneChange& step,
           bool bias) const {
    if (rounds.size() <= round)
      rounds.push_back({std::vector<float>(num_cells_ * set_.dim), std::vector<float>(num_cells_), std::vector<float>(num_cells_),
                        std::vector<float>(num_cells_)});
    Round& to = rounds[round];
    if (num <= round) {
      std::fill(to.shrink.begin(), to.shrink.end(), 0.0f);
      std::fill(to.mean_step.begin(), to.mean_step.end(), 0.0f);
      num = round + 1;
    }
    for (std::size_t k = 0; k < set_.dim; ++k) to.g[c * set_.dim + k] = static_cast<float>(step.g[k]);
    to.shrink[c] = static_cast<float>(step.shrink);
    to.mean_step[c] = static_cast<float>(step.mean_step);
    to.bias_g[c] = bias ? static_cast<float>(step.g[set_.dim]) : 0;
  }

  void queue(PopulationPlan& plan, const PopulationView& view) const {
    const std::size_t dim = set_.dim;
    plan.num_further = 0;
    for (std::size_t c = 0; c < view.cells.size(); ++c) {
      const GaussianView& cell = view.cells[c];
      const std::size_t which = view.cell_idx[c];
      CellPass& pass = plan.cells[c];
      const bool bias = cell.dim > dim;
      pass = {};
      pass.cell = which;
      const bool same = plan.known[which] && plan.version[which] == cell.change.version;
      const bool follows = plan.known[which] && cell.change.exact && plan.version[which] + 1 == cell.change.version;
      plan.anew[c] = !same && !follows;
      plan.version[which] = cell.change.version;
      plan.known[which] = 1;
      float* g = &plan.g[c * dim];
      std::fill_n(g, dim, 0.0f);
      if (!follows) continue;
      double inflate = 0, inflate_bias = 0;
      std::size_t num_steps = 0;
      for (const RankOneChange& step : cell.change.steps) {
        inflate += step.inflation;
        inflate_bias += bias ? step.bias_inflation : 0;
        if (step.shrink == 0 && step.mean_step == 0) continue;
        if (num_steps++ > 0) {
          put(plan.further, plan.num_further, num_steps - 2, c, step, bias);
          continue;
        }
        for (std::size_t k = 0; k < dim; ++k) g[k] = static_cast<float>(step.g[k]);
        pass.shrink = static_cast<float>(step.shrink);
        pass.mean_step = static_cast<float>(step.mean_step);
        pass.bias_g = bias ? static_cast<float>(step.g[dim]) : 0;
      }
      pass.inflate = static_cast<float>(inflate);
      pass.inflate_bias = static_cast<float>(inflate_bias);
      for (std::size_t k = num_steps > 0 ? num_steps - 1 : 0; k < plan.num_further; ++k)
        plan.further[k].shrink[c] = plan.further[k].mean_step[c] = 0;
    }
    std::fill(plan.applied.begin(), plan.applied.end(), std::uint8_t{0});
  }

  Pass pass_of(const PopulationPlan& plan, const PopulationView* view) const {
    return {set_.dim,
            {plan.cells.data(), plan.num_present},
            plan.g.data(),
            plan.extra,
            view ? static_cast<float>(view->gain_variance) : 0,
            aggregate_};
  }

  /// Takes the queued steps into every tile that does not have them yet.
  void flush(PopulationPlan& plan) const {
    const Pass pass = pass_of(plan, nullptr);
    for_each_tile(plan, [&](std::size_t tile) {
      if (!plan.applied[tile]) take_in(pass, stimuli(plan, tile), kept(plan, tile));
      plan.applied[tile] = 1;
    });
  }

  /// Cells that cannot be followed in all tiles, and all cells in the tiles whose turn it is, from their means and covariances.
  void renew(PopulationPlan& plan, const PopulationView& view) const {
    const bool any = std::any_of(plan.anew.begin(), plan.anew.begin() + static_cast<std::ptrdiff_t>(plan.num_present),
                                 [](auto a) { return a != 0; });
    if (any)
      for_each_tile(plan, [&](std::size_t tile) {
        plan.slots.with([&](BlockScratch& scratch) {
          in_double(tile, scratch.x);
          for (std::size_t c = 0; c < plan.num_present; ++c)
            if (plan.anew[c]) project(plan, view, tile, scratch.x.data(), c, true);
        });
      });
    std::uint64_t turn = 0;
    for (const GaussianView& cell : view.cells) turn = std::max(turn, cell.change.version);
    for (std::size_t tile = turn % renew_every; tile < plan.num_tiles; tile += renew_every) {
      constexpr std::size_t block = 64;
      executor_.for_each_block(static_cast<int>((plan.num_present + block - 1) / block), [&](int job) {
        const std::size_t first = static_cast<std::size_t>(job) * block;
        plan.slots.with([&](BlockScratch& scratch) {
          in_double(tile, scratch.x);
          for (std::size_t c = first; c < std::min(first + block, plan.num_present); ++c)
            project(plan, view, tile, scratch.x.data(), c, false);
        });
      });
      plan.applied[tile] = 1;
    }
  }

  /// The stimuli of a tile, [dim + 1, tile_size]: one feature after the other, the last of them 1.
  void in_double(std::size_t tile, std::span<double> x) const {
    std::fill(x.begin(), x.end(), 0.0);
    for (std::size_t i = 0; i < num_in(tile); ++i) {
      const double* from = &set_.pool[(tile * tile_size + i) * set_.dim];
      for (std::size_t k = 0; k < set_.dim; ++k) x[k * tile_size + i] = from[k];
      x[set_.dim * tile_size + i] = 1;
    }
  }

  void project(PopulationPlan& plan, const PopulationView& view, std::size_t tile, const double* x, std::size_t c,
               bool in_order) const {
    const GaussianView& cell = view.cells[c];
    Kept* row = &plan.kept[tile * num_cells_];
    Kept& to = row[plan.cells[c].cell];
    std::array<double, tile_size> m, v;
    linear_forms(cell.mean, cell.dim, x, m.data());
    for (std::size_t i = 0; i < num_in(tile); ++i) to.m.of[i] = static_cast<float>(m[i] + (fast_ ? log_bin_ : 0));
    // beliefs that are still the same, as at the start, have the same variances
    if (in_order && c > 0 && plan.anew[c - 1] && cell.pending.empty() && view.cells[c - 1].pending.empty() &&
        std::memcmp(cell.covariance, view.cells[c - 1].covariance, cell.dim * cell.dim * sizeof(double)) == 0) {
      to.v = row[plan.cells[c - 1].cell].v;
      return;
    }
    quadratic_forms(cell.covariance, cell.dim, x, v.data());
    for (const RankOneChange& step : cell.pending) {  // is in the covariance, but not in what is kept
      const bool bias = cell.dim > set_.dim;
      for (std::size_t i = 0; i < num_in(tile); ++i) {
        const double* own = &set_.pool[(tile * tile_size + i) * set_.dim];
        const double p = numerics::dot(own, step.g, set_.dim) + (bias ? step.g[set_.dim] : 0);
        v[i] += step.shrink * p * p - step.inflation * numerics::dot(own, own, set_.dim) - (bias ? step.bias_inflation : 0);
      }
    }
    for (std::size_t i = 0; i < num_in(tile); ++i) to.v.of[i] = static_cast<float>(v[i]);
  }

  double variance(const GaussianView& cell, std::size_t member, std::span<double> image) const {
    const std::size_t n = set_.dim;
    const double* x = &set_.pool[member * n];
    numerics::multiply_rows(cell.covariance, cell.dim, 0, n, n, x, image.data());
    double v = numerics::dot(x, image.data(), n);
    if (cell.dim > n) v += 2 * numerics::dot(x, cell.covariance + n * cell.dim, n) + cell.covariance[n * cell.dim + n];
    return v;
  }

  /// Scores tiles in an order that begins at another place every trial, so that a deadline does not always cut the same members.
  std::int64_t scan(PopulationPlan& plan, const PopulationView& view, std::uint64_t trial, const Budget& budget) const {
    const auto num_tiles = static_cast<std::int64_t>(plan.num_tiles);
    const auto start = static_cast<std::int64_t>((trial * 7919) % plan.num_tiles);
    const Pass pass = pass_of(plan, &view);
    std::fill(plan.scored.begin(), plan.scored.end(), std::uint8_t{0});
    std::int64_t done = 0;
    while (done < num_tiles && (done == 0 || budget.allows(done))) {
      const std::int64_t at_once = budget.clock || budget.max_units < num_tiles ? tiles_at_once : num_tiles;
      const std::int64_t now = std::min({at_once, num_tiles - done, std::max<std::int64_t>(1, budget.max_units - done)});
      executor_.for_each_block(static_cast<int>(now), [&](int k) {
        const auto tile = static_cast<std::size_t>((start + done + k) % num_tiles);
        double* out = &plan.utility[tile * tile_size];
        if (fast_)
          score_exp_counts(pass, !plan.applied[tile], stimuli(plan, tile), kept(plan, tile), out);
        else
          score_any(plan, view, pass, tile, out);
        plan.applied[tile] = plan.scored[tile] = 1;
      });
      done += now;
    }
    return done;
  }

  void score_any(PopulationPlan& plan, const PopulationView& view, const Pass& pass, std::size_t tile, double* out) const {
    const float* x = stimuli(plan, tile);
    if (!plan.applied[tile]) take_in(pass, x, kept(plan, tile));
    std::array<double, tile_size> m, v, u;
    std::fill(out, out + tile_size, aggregate_ == Aggregate::worst ? std::numeric_limits<double>::infinity() : 0.0);
    for (std::size_t c = 0; c < view.cells.size(); ++c) {
      project_cell(pass, c, x, kept(plan, tile), m.data(), v.data());
      linear_.evaluate(m, v, u);
      for (std::size_t i = 0; i < tile_size; ++i)
        out[i] = aggregate_ == Aggregate::worst ? std::min(out[i], u[i]) : out[i] + view.weights[c] * u[i];
    }
  }

  /// Members that may be the best, given the error of the kernels.
  void find_candidates(PopulationPlan& plan, std::uint64_t trial) const {
    plan.candidates.clear();
    // what is surely reached, and who may reach that; a modifier changes a utility's error as it changes the utility
    const auto counts = [&](std::size_t i) { return modifiers_.may_follow(plan.members, i) && plan.scored[i / tile_size]; };
    const auto bound = [&](std::size_t i, double sign) {
      return modifiers_.value(plan.members, i, plan.utility[i] + sign * fast_error * std::abs(plan.utility[i]));
    };
    double floor = -std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < set_.num(); ++i)
      if (counts(i)) floor = std::max(floor, bound(i, -1));
    for (std::size_t i = 0; i < set_.num(); ++i)
      if (counts(i) && bound(i, 1) >= floor) plan.candidates.push_back(static_cast<std::int64_t>(i));
    if (plan.candidates.size() <= max_candidates) return;
    const auto key = [&](std::int64_t i) { return Stream(seed_, Purpose::tie, trial, static_cast<std::uint64_t>(i))(); };
    const auto better = [&](std::int64_t a, std::int64_t b) {
      const double ua = bound(static_cast<std::size_t>(a), 0), ub = bound(static_cast<std::size_t>(b), 0);
      return ua != ub ? ua > ub : key(a) < key(b);
    };
    std::partial_sort(plan.candidates.begin(), plan.candidates.begin() + max_candidates, plan.candidates.end(), better);
    plan.candidates.resize(max_candidates);
  }

  /// The candidates' utilities for each cell, in double and from the covariances.
  void work_out(PopulationPlan& plan, const PopulationView& view) const {
    constexpr std::size_t block = 64;
    const std::size_t num = view.cells.size(), blocks = (num + block - 1) / block;
    executor_.for_each_block(static_cast<int>(plan.candidates.size() * blocks), [&](int job) {
      const std::size_t k = static_cast<std::size_t>(job) / blocks, first = static_cast<std::size_t>(job) % blocks * block;
      const std::size_t count = std::min(block, num - first);
      const auto member = static_cast<std::size_t>(plan.candidates[k]);
      std::array<double, block> m, total;
      double* v = &plan.exact_v[k * num_cells_ + first];
      plan.slots.with([&](BlockScratch& scratch) {
        for (std::size_t i = 0; i < count; ++i) v[i] = variance(view.cells[first + i], member, scratch.image);
      });
      for (std::size_t i = 0; i < count; ++i) {
        const GaussianView& cell = view.cells[first + i];
        total[i] = v[i] + view.gain_variance;  // the rate varies by this much, the weights tell v of it
        m[i] = numerics::dot(&set_.pool[member * set_.dim], cell.mean, set_.dim) + (cell.dim > set_.dim ? cell.mean[set_.dim] : 0);
        if (view.gain_variance > 0) m[i] += std::log(v[i] / total[i]);
      }
      linear_.evaluate({m.data(), count}, {total.data(), count}, {&plan.exact[k * num_cells_ + first], count});
    });
  }

  double combined(const PopulationView& view, std::span<const double> u, const double* v) const {
    if (aggregate_ == Aggregate::worst) return u.empty() ? 0 : *std::min_element(u.begin(), u.end());
    double total = 0, rate = 0, seen = 0;
    for (std::size_t c = 0; c < u.size(); ++c) {
      total += view.weights[c] * u[c];
      if (!(view.gain_variance > 0)) continue;
      const double d = std::expm1(2 * u[c]) / v[c];
      rate += d;
      seen += d * std::exp(-2 * u[c]);
    }
    return total + 0.5 * std::log1p(view.gain_variance * seen) - 0.5 * std::log1p(view.gain_variance * rate);
  }

  LinearUtility linear_;
  Modifiers modifiers_;
  std::size_t num_cells_;
  double log_bin_;
  const StimulusSet& set_;
  std::uint64_t seed_;
  Executor& executor_;
  Aggregate aggregate_ = Aggregate::sum;
  bool fast_ = false;
};

}  // namespace

std::unique_ptr<Design> make_population_pool_design(const DesignSpec& spec, const models::Population& model, const StimulusSet& set,
                                                    std::uint64_t seed, Executor& executor) {
  if (model.glm().looks_back())
    throw SpecError({"model.num_lags", "1 for a pool design of a population, with num_history = 0 and stimuli of one frame",
                     "a model that looks back", "Use design.kind random, or one cell a model."});
  if (model.spec().shared_gain_sd > 0 && spec.utility != "laplace_information")
    throw SpecError({"design.utility", "laplace_information with a shared gain", "another", "That is the one worked out for it."});
  constexpr double bytes_each = 2 * sizeof(float);
  const double bytes = bytes_each * static_cast<double>(model.num_cells) * static_cast<double>(set.num());
  if (bytes > max_pool_bytes)
    throw SpecError({"stimulus.pool",
                     fmt::format("<= {:.0f} members for {} cells",
                                 max_pool_bytes / bytes_each / static_cast<double>(model.num_cells), model.num_cells),
                     fmt::format("{}", set.num()), fmt::format("It would take {:.0f} GB; draw a smaller pool.", bytes * 1e-9)});
  return std::make_unique<PopulationPoolDesign>(spec, model, set, seed, executor);
}

}  // namespace hartline::design
