#include "design/design.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "design/ball_search.hpp"
#include "design/pool.hpp"
#include "design/pool_design.hpp"

namespace hartline::design {

namespace {

using models::Capability;

class BallPlan final : public Plan {
 public:
  explicit BallPlan(BallScratchPtr s) : scratch(std::move(s)) {}
  BallScratchPtr scratch;
  std::vector<double> last;  // the stimulus before, [dim] or empty: a direction worth searching
};

class BallDesign final : public Design {
 public:
  BallDesign(LinearUtility utility, const StimulusSet& set, std::int64_t max_products, std::uint64_t seed)
      : search_(utility, set.power, max_products), dim_(set.dim), seed_(seed) {}

  std::unique_ptr<Plan> make_plan() const override {
    auto plan = std::make_unique<BallPlan>(search_.make_scratch(dim_));
    plan->last.reserve(dim_);
    return plan;
  }

  void follow(Plan& plan, const Capability&, std::int64_t, std::span<const double> stimulus) const override {
    if (!stimulus.empty()) static_cast<BallPlan&>(plan).last.assign(stimulus.begin(), stimulus.end());
  }

  void choose(Plan& any_plan, const Capability& belief, std::uint64_t trial, const Budget& budget, Choice& out) const override {
    auto& plan = static_cast<BallPlan&>(any_plan);
    out.pool_index = -1;
    out.values.resize(dim_);
    const BallOptimum best =
        search_(std::get<models::GaussianView>(belief), plan.last, seed_, trial, budget, *plan.scratch, out.values);
    if (!std::isfinite(best.utility))
      throw RunError(
          {"belief", "one whose utilities are finite", number_text(best.utility), "Its variances or the stimulus' power overflow."},
          static_cast<std::int64_t>(trial));
    out.utility = best.utility;
    out.units = best.units;
  }

  std::vector<double> utilities(Plan&, const Capability&) const override { return {}; }

 private:
  BallSearch search_;
  std::size_t dim_;
  std::uint64_t seed_;
};

class PoolPlan final : public Plan {
 public:
  explicit PoolPlan(const StimulusSet& set) : available(set) {}
  Available available;
};

/// Designs that do not look at the belief: random by a law, or the pool in its order.
class BlindDesign final : public Design {
 public:
  BlindDesign(const DesignSpec& spec, const StimulusSet& set, std::uint64_t seed) : spec_(spec), set_(set), seed_(seed) {}

  std::unique_ptr<Plan> make_plan() const override { return std::make_unique<PoolPlan>(set_); }

  void follow(Plan& plan, const Capability&, std::int64_t pool_index, std::span<const double>) const override {
    static_cast<PoolPlan&>(plan).available.present(pool_index);
  }

  void choose(Plan& plan, const Capability&, std::uint64_t trial, const Budget&, Choice& out) const override {
    out.units = 0;
    out.utility = std::numeric_limits<double>::quiet_NaN();
    const Available& available = static_cast<PoolPlan&>(plan).available;
    Stream stream(seed_, Purpose::design, trial);
    if (!set_.pool.empty()) {
      available.require_some(trial);
      std::int64_t wanted = spec_.kind == "random" ? stream.integer(available.count)
                            : set_.once            ? 0
                                                   : static_cast<std::int64_t>(trial % set_.num());
      std::int64_t index = 0;
      while (!available.mask[static_cast<std::size_t>(index)] || wanted-- > 0) ++index;
      take(set_, index, out);
      return;
    }
    out.pool_index = -1;
    out.values.resize(set_.dim);
    if (spec_.law == "sphere" || spec_.law == "auto") {
      stream.fill_sphere(out.values, std::sqrt(set_.power));
    } else if (spec_.law == "gaussian") {
      stream.fill_normal(out.values);
      for (double& x : out.values) x *= spec_.law_sd;
    } else {
      for (double& x : out.values) x = spec_.low + (spec_.high - spec_.low) * stream.uniform();
    }
  }

  std::vector<double> utilities(Plan&, const Capability&) const override { return {}; }

 private:
  DesignSpec spec_;
  const StimulusSet& set_;
  std::uint64_t seed_;
};

[[noreturn]] void refuse(const char* key, const std::string& wanted, const std::string& got, const char* hint) {
  throw SpecError({fmt::format("design.{}", key), wanted, "\"" + got + "\"", hint});
}

}  // namespace

std::unique_ptr<Design> make_design(const DesignSpec& spec, const StimulusSet& set, const models::ResponseLaw* law,
                                    std::uint64_t seed, Executor& executor) {
  const bool pool = !set.pool.empty();
  if (spec.kind == "sequence") {
    if (!pool) refuse("kind", "infomax, uncertainty or random for a ball", spec.kind, "A ball has no order.");
    return std::make_unique<BlindDesign>(spec, set, seed);
  }
  if (spec.kind == "random") {
    if (spec.law != "auto" && pool != (spec.law == "pool"))
      refuse("law", pool ? "pool" : "sphere, gaussian or box", spec.law,
             pool ? "The stimuli are a pool." : "The stimuli are a ball.");
    if (spec.law == "box" && !(spec.high > spec.low))
      throw SpecError({"design.high", fmt::format("> low = {}", spec.low), number_text(spec.high), ""});
    return std::make_unique<BlindDesign>(spec, set, seed);
  }
  if (spec.search == "pool" && !pool) refuse("search", "ball", spec.search, "The stimuli are a ball.");
  if (spec.search == "ball" && pool) refuse("search", "pool", spec.search, "The stimuli are a pool.");
  const std::string wanted = spec.utility != "auto" ? spec.utility : law ? "laplace_information" : "mutual_information";
  const Utility utility = spec.kind == "uncertainty" ? Utility::posterior_variance : utility_named(wanted);
  if (law) {
    const LinearUtility linear(utility, *law);
    if (pool) return make_linear_pool_design(linear, set, seed, executor);
    return std::make_unique<BallDesign>(linear, set, spec.max_products, seed);
  }
  if (utility != Utility::mutual_information && utility != Utility::posterior_variance)
    refuse("utility", "mutual_information or posterior_variance for a belief on a grid", spec.utility, "");
  return make_discrete_pool_design(utility, set, seed, executor);
}

}  // namespace hartline::design
