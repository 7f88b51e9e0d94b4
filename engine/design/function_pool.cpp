#include "design/function_pool.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/threads.hpp"
#include "design/modifiers.hpp"
#include "design/utility.hpp"
#include "models/gaussian_process.hpp"
#include "numerics/panels.hpp"

namespace hartline::design {

namespace {

using models::Capability;
using models::FunctionView;
using numerics::tile_columns;

constexpr std::int64_t units_at_once = 16;  // between two looks at the clock

class FunctionPlan final : public Plan {
 public:
  explicit FunctionPlan(const StimulusSet& set) : members(set), utility(set.num()) {}
  Modifiers::Members members;
  std::vector<double> utility;  // [num]; valid for the units done
  // of mmse
  std::vector<double> tiles;  // [num_tiles, num_visited, tile_columns] V, packed
  std::vector<double> slope;  // [num_tiles, tile_columns] p μ'², zero beyond the pool
  std::vector<double> sums;   // [num_tiles, num_tiles, tile_columns] of a tile's members, over another tile
};

/// Units in an order that begins at another one every trial, so that a deadline does not always cut the same members.
struct Order {
  std::int64_t start, num;
  std::size_t unit(std::int64_t position) const { return static_cast<std::size_t>((start + position) % num); }
  std::int64_t position(std::size_t unit) const { return (static_cast<std::int64_t>(unit) - start + num) % num; }
};

class FunctionPoolDesign : public Design {
 public:
  FunctionPoolDesign(const DesignSpec& spec, const models::ResponseLaw& law, const StimulusSet& set, std::size_t block,
                     std::uint64_t seed, Executor& executor)
      : law_(law),
        set_(set),
        block_(block),
        num_units_(static_cast<std::int64_t>((set.num() + block - 1) / block)),
        executor_(executor),
        modifiers_(spec, seed),
        seed_(seed) {}

  std::unique_ptr<Plan> make_plan() const override { return std::make_unique<FunctionPlan>(set_); }

  void follow(Plan& plan, const Capability&, std::int64_t pool_index, std::span<const double> stimulus,
              double duration_s) const override {
    static_cast<FunctionPlan&>(plan).members.present(pool_index, stimulus, duration_s);
  }

  void choose(Plan& any_plan, const Capability& belief, std::uint64_t trial, const Budget& budget, Choice& out) const override {
    auto& plan = static_cast<FunctionPlan&>(any_plan);
    const auto& view = std::get<FunctionView>(belief);
    const auto expected_count = [&](std::size_t i) { return models::expected_response(law_, view.mean[i], view.variance[i]); };
    modifiers_.num_left(plan.members, trial);
    out.explored = false;
    if (auto stream = modifiers_.explores(trial)) return modifiers_.draw(set_, plan.members, trial, *stream, out, expected_count);
    const Order order{static_cast<std::int64_t>((trial * 7919) % static_cast<std::uint64_t>(num_units_)), num_units_};
    Best best;
    double least_count = std::numeric_limits<double>::infinity();
    // a deadline that leaves only members that may not be shown is met by going on to the first that may
    for (Budget left = budget;; left = {}) {
      out.units = score(plan, view, order, left);
      for (std::int64_t done = 0; done < out.units; ++done) {
        const std::size_t unit = order.unit(done);
        for (std::size_t i = unit * block_; i < std::min((unit + 1) * block_, set_.num()); ++i) {
          if (!modifiers_.may_follow(plan.members, i)) continue;
          const double count = modifiers_.capped() ? expected_count(i) : 0;
          least_count = std::min(least_count, count);
          if (count > modifiers_.cap()) continue;
          best.offer(modifiers_.value(plan.members, i, plan.utility[i]), static_cast<std::int64_t>(i), seed_, trial);
        }
      }
      if (best.index >= 0) break;
      if (out.units == num_units_) modifiers_.refuse(trial, least_count);
    }
    out.utility = best.utility;
    take(set_, best.index, out);
  }

  std::vector<double> utilities(Plan& any_plan, const Capability& belief) const override {
    auto& plan = static_cast<FunctionPlan&>(any_plan);
    score(plan, std::get<FunctionView>(belief), {0, num_units_}, {});
    std::vector<double> out(set_.num());
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = modifiers_.value(plan.members, i, plan.utility[i]);
    return out;
  }

 protected:
  /// Utilities of the units that the budget allows, in order; returns how many.
  virtual std::int64_t score(FunctionPlan& plan, const FunctionView& view, const Order& order, const Budget& budget) const = 0;

  template <class Unit>
  std::int64_t scan(const Budget& budget, Unit&& do_position) const {
    std::int64_t done = 0;
    while (done < num_units_ && (done == 0 || budget.allows(done))) {
      const std::int64_t now = std::min({units_at_once, num_units_ - done, std::max<std::int64_t>(1, budget.max_units - done)});
      executor_.for_each_block(static_cast<int>(now), [&](int k) { do_position(done + k); });
      done += now;
    }
    return done;
  }

  models::ResponseLaw law_;
  const StimulusSet& set_;
  std::size_t block_;
  std::int64_t num_units_;
  Executor& executor_;

 private:
  Modifiers modifiers_;
  std::uint64_t seed_;
};

/// Utilities of mean and variance alone.
class PointwiseDesign final : public FunctionPoolDesign {
 public:
  PointwiseDesign(const DesignSpec& spec, const models::ResponseLaw& law, const StimulusSet& set, std::uint64_t seed,
                  Executor& executor)
      : FunctionPoolDesign(spec, law, set, 256, seed, executor), utility_(utility_named(spec.utility), law, spec.kappa) {}

 private:
  std::int64_t score(FunctionPlan& plan, const FunctionView& view, const Order& order, const Budget& budget) const override {
    return scan(budget, [&](std::int64_t position) {
      const std::size_t first = order.unit(position) * block_, count = std::min(block_, set_.num() - first);
      utility_.evaluate(view.mean.subspan(first, count), view.variance.subspan(first, count), {&plan.utility[first], count});
    });
  }

  LinearUtility utility_;
};

double response_slope(const models::ResponseLaw& law, double phi) {
  return models::link_value(law.link, phi).df * (law.counts() ? law.bin_s : 1);
}

class ResponseSdDesign final : public FunctionPoolDesign {
 public:
  ResponseSdDesign(const DesignSpec& spec, const models::ResponseLaw& law, const StimulusSet& set, std::uint64_t seed,
                   Executor& executor)
      : FunctionPoolDesign(spec, law, set, 256, seed, executor) {}

 private:
  std::int64_t score(FunctionPlan& plan, const FunctionView& view, const Order& order, const Budget& budget) const override {
    return scan(budget, [&](std::int64_t position) {
      const std::size_t first = order.unit(position) * block_;
      for (std::size_t i = first; i < std::min(first + block_, set_.num()); ++i)
        plan.utility[i] = std::sqrt(view.variance[i]) * response_slope(law_, view.mean[i]);
    });
  }
};

class MmseDesign final : public FunctionPoolDesign {
 public:
  MmseDesign(const DesignSpec& spec, const models::ResponseLaw& law, std::vector<double> weights, const StimulusSet& set,
             std::uint64_t seed, Executor& executor)
      : FunctionPoolDesign(spec, law, set, tile_columns, seed, executor), weights_(std::move(weights)) {}

  std::unique_ptr<Plan> make_plan() const override {
    auto plan = std::make_unique<FunctionPlan>(set_);
    const auto num_tiles = static_cast<std::size_t>(num_units_);
    plan->tiles.reserve(num_tiles * tile_columns * set_.num());  // room for a visit to each member; memory is taken when it is used
    plan->slope.resize(num_tiles * tile_columns);
    plan->sums.resize(num_tiles * num_tiles * tile_columns);
    return plan;
  }

 private:
  std::int64_t score(FunctionPlan& plan, const FunctionView& view, const Order& order, const Budget& budget) const override {
    const std::size_t num = set_.num(), depth = view.num_visited, num_tiles = static_cast<std::size_t>(num_units_);
    plan.tiles.resize(num_tiles * depth * tile_columns);
    executor_.for_each_block(static_cast<int>(num_tiles), [&](int t) {
      const std::size_t first = static_cast<std::size_t>(t) * tile_columns;
      numerics::pack_columns(view.root, depth, num, first, &plan.tiles[first * depth]);
      for (std::size_t i = first; i < std::min(first + tile_columns, num); ++i) {
        const double slope = response_slope(law_, view.mean[i]);
        plan.slope[i] = slope * slope * (weights_.empty() ? 1 : weights_[i]);
      }
    });
    const auto sums = [&](std::size_t of, std::size_t over) { return &plan.sums[(of * num_tiles + over) * tile_columns]; };
    const std::int64_t done = scan(budget, [&](std::int64_t position) {
      const std::size_t own = order.unit(position);
      double unused[tile_columns];
      for (std::size_t other = 0; other < num_tiles; ++other) {
        if (order.position(other) < position) continue;  // that unit has made the tile
        const std::size_t i = std::min(own, other), j = std::max(own, other), left = i * tile_columns, right = j * tile_columns;
        numerics::weighted_squares(&plan.tiles[left * depth], &plan.tiles[right * depth], depth,
                                   view.prior_covariance + left * num + right, num, std::min(tile_columns, num - left),
                                   std::min(tile_columns, num - right), &plan.slope[left], &plan.slope[right], sums(i, j),
                                   i == j ? unused : sums(j, i));
      }
    });
    for (std::int64_t position = 0; position < done; ++position) {
      const std::size_t unit = order.unit(position), first = unit * tile_columns;
      for (std::size_t i = first; i < std::min(first + tile_columns, num); ++i) {
        double total = 0;
        for (std::size_t over = 0; over < num_tiles; ++over) total += sums(unit, over)[i - first];
        const double w = law_.fisher(view.mean[i]);
        plan.utility[i] = total * w / (1 + w * view.variance[i]);
      }
    }
    return done;
  }

  std::vector<double> weights_;
};

}  // namespace

std::unique_ptr<Design> make_function_pool_design(const DesignSpec& spec, const models::ResponseLaw& law, const StimulusSet& set,
                                                  std::uint64_t seed, Executor& executor, const std::vector<double>& weights) {
  const std::size_t num = set.num();
  if (!weights.empty() && spec.utility != "mmse")
    throw SpecError({"design.weights", "absent but for utility mmse", fmt::format("utility \"{}\"", spec.utility), ""});
  if (spec.utility == "response_sd") return std::make_unique<ResponseSdDesign>(spec, law, set, seed, executor);
  if (spec.utility == "mmse") {
    if (num > models::GaussianProcess::max_members_whole)
      throw SpecError({"stimulus",
                       fmt::format("a pool of at most {} members for utility mmse", models::GaussianProcess::max_members_whole),
                       fmt::format("{}", num), "Take response_sd or laplace_information."});
    if (!weights.empty() && weights.size() != num)
      throw SpecError({"design.weights", fmt::format("{} numbers, one for each member of the pool", num),
                       fmt::format("{}", weights.size()), ""});
    for (std::size_t i = 0; i < weights.size(); ++i)
      if (!(weights[i] >= 0 && std::isfinite(weights[i])))
        throw SpecError({fmt::format("design.weights[{}]", i), "finite and >= 0", number_text(weights[i]), ""});
    return std::make_unique<MmseDesign>(spec, law, weights, set, seed, executor);
  }
  constexpr std::string_view known[] = {
      "laplace_information", "first_order_information", "mutual_information", "posterior_variance",
      "expected_response",   "upper_confidence",        "response_sd",        "mmse"};
  if (std::find(std::begin(known), std::end(known), spec.utility) == std::end(known))
    throw SpecError({"design.utility", fmt::format("one of {}", fmt::join(known, ", ")), "\"" + spec.utility + "\"",
                     did_you_mean(spec.utility, known)});
  return std::make_unique<PointwiseDesign>(spec, law, set, seed, executor);
}

}  // namespace hartline::design
