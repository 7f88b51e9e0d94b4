#include "design/continuous_design.hpp"

#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "design/ball_search.hpp"

namespace hartline::design {

namespace {

using models::Capability;
using models::GaussianView;

class ContinuousPlan final : public Plan {
 public:
  explicit ContinuousPlan(BallScratchPtr s) : ball(std::move(s)) {}
  BallScratchPtr ball;
  std::vector<double> last;  // the stimulus before, [dim] or empty: a direction worth searching
};

class ContinuousDesign final : public Design {
 public:
  ContinuousDesign(const DesignSpec& spec, const GaussianUtility& utility, const StimulusSet& set, std::uint64_t seed)
      : set_(set), law_(spec, set), explore_(spec.explore), seed_(seed), ball_(utility.linear(), set.power, spec.max_products) {}

  std::unique_ptr<Plan> make_plan() const override {
    auto plan = std::make_unique<ContinuousPlan>(ball_.make_scratch(set_.dim));
    plan->last.reserve(set_.dim);
    return plan;
  }

  void follow(Plan& plan, const Capability&, std::int64_t, std::span<const double> stimulus, double) const override {
    if (!stimulus.empty()) static_cast<ContinuousPlan&>(plan).last.assign(stimulus.begin(), stimulus.end());
  }

  void choose(Plan& any_plan, const Capability& belief, std::uint64_t trial, const Budget& budget, Choice& out) const override {
    auto& plan = static_cast<ContinuousPlan&>(any_plan);
    out.pool_index = -1;
    out.values.resize(set_.dim);
    out.explored = false;
    if (explore_ > 0) {
      Stream stream = RandomLaw::exploration(seed_, trial);
      if (stream.uniform() < explore_) {
        law_.draw(stream, out.values);
        out.explored = true;
        out.units = 0;
        out.utility = std::numeric_limits<double>::quiet_NaN();
        return;
      }
    }
    const BallOptimum best = ball_(std::get<GaussianView>(belief), plan.last, seed_, trial, budget, *plan.ball, out.values);
    if (!std::isfinite(best.utility))
      throw RunError(
          {"belief", "one whose utilities are finite", number_text(best.utility), "Its variances or the stimulus' power overflow."},
          static_cast<std::int64_t>(trial));
    out.utility = best.utility;
    out.units = best.units;
  }

  std::vector<double> utilities(Plan&, const Capability&) const override { return {}; }

 private:
  const StimulusSet& set_;
  RandomLaw law_;
  double explore_;
  std::uint64_t seed_;
  BallSearch ball_;
};

}  // namespace

std::unique_ptr<Design> make_continuous_design(const DesignSpec& spec, const GaussianUtility& utility, const SecondForm&,
                                               const StimulusSet& set, const GaussianView& prior, std::uint64_t seed) {
  if (set.kind() != SetKind::ball || prior.reach || utility.kind() != GaussianUtility::Kind::of_response ||
      spec.search == "gradient")
    throw SpecError({"design.search", "ball for a plain ball", spec.search, ""});
  return std::make_unique<ContinuousDesign>(spec, utility, set, seed);
}

}  // namespace hartline::design
