#include "design/continuous_design.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <optional>

#include "base/error.hpp"
#include "design/ball_search.hpp"
#include "design/gradient_search.hpp"

namespace hartline::design {

namespace {

using models::Capability;
using models::GaussianView;

constexpr std::int64_t hint_products = 24;  // of a ball search whose optimum only starts a gradient search
constexpr int max_draws = 1000;             // for an exploring stimulus that keeps the cap

class ContinuousPlan final : public Plan {
 public:
  BallScratchPtr ball;
  GradientSearch::ScratchPtr gradient;
  std::vector<double> last;  // the stimulus before, [dim] or empty: a direction worth searching
  std::vector<double> hint;  // [dim] optimum of the ball
};

class ContinuousDesign final : public Design {
 public:
  ContinuousDesign(const DesignSpec& spec, const GaussianUtility& utility, const SecondForm& second, const StimulusSet& set,
                   const GaussianView& prior, bool by_ball, std::uint64_t seed)
      : set_(set),
        law_(spec, set),
        explore_(spec.explore),
        cap_(spec.max_expected_count.value_or(std::numeric_limits<double>::infinity())),
        seed_(seed),
        by_ball_(by_ball),
        gradient_(GaussianObjective(JointUtility(utility), second, spec.scoring == "current_bin", prior), set, cap_,
                  spec.max_evaluations) {
    if (set.has_power() && !prior.reach && utility.kind() == GaussianUtility::Kind::of_response)
      ball_.emplace(utility.linear(), set.power, by_ball ? spec.max_products : hint_products);
  }

  std::unique_ptr<Plan> make_plan() const override {
    auto plan = std::make_unique<ContinuousPlan>();
    if (ball_) plan->ball = ball_->make_scratch(set_.dim);
    if (!by_ball_ || std::isfinite(cap_)) plan->gradient = gradient_.make_scratch();
    plan->last.reserve(set_.dim);
    if (ball_) plan->hint.resize(set_.dim);
    return plan;
  }

  void follow(Plan& plan, const Capability&, std::int64_t, std::span<const double> stimulus, double) const override {
    if (!stimulus.empty()) static_cast<ContinuousPlan&>(plan).last.assign(stimulus.begin(), stimulus.end());
  }

  void choose(Plan& any_plan, const Capability& belief, std::uint64_t trial, const Budget& budget, Choice& out) const override {
    auto& plan = static_cast<ContinuousPlan&>(any_plan);
    const auto& view = std::get<GaussianView>(belief);
    out.pool_index = -1;
    out.values.resize(set_.dim);
    out.explored = false;
    if (auto stream = RandomLaw::exploration(explore_, seed_, trial)) return draw(plan, view, trial, *stream, out);
    if (by_ball_) {
      const BallOptimum best = (*ball_)(view, plan.last, seed_, trial, budget, *plan.ball, out.values);
      out.utility = best.utility;
      out.units = best.units;
    } else {
      if (ball_) {
        // without the budget: the hint must be the same whenever the choice is repeated
        (*ball_)(view, plan.last, seed_, trial, {}, *plan.ball, plan.hint);
      }
      const GradientOptimum best = gradient_(view, plan.last, plan.hint, seed_, trial, budget, *plan.gradient, out.values);
      if (!best.allowed) refuse(trial, best.smallest_count);
      out.utility = best.utility;
      out.units = best.units;
    }
    if (!std::isfinite(out.utility))
      throw RunError(
          {"belief", "one whose utilities are finite", number_text(out.utility), "Its variances or the stimulus' power overflow."},
          static_cast<std::int64_t>(trial));
  }

  std::vector<double> utilities(Plan&, const Capability&) const override { return {}; }

 private:
  void draw(ContinuousPlan& plan, const GaussianView& view, std::uint64_t trial, Stream& stream, Choice& out) const {
    out.explored = true;
    out.units = 0;
    out.utility = std::numeric_limits<double>::quiet_NaN();
    double smallest = std::numeric_limits<double>::infinity();
    for (int k = 0; k < max_draws; ++k) {
      law_.draw(stream, out.values);
      if (!std::isfinite(cap_)) return;
      const double count = gradient_.largest_count(view, out.values, *plan.gradient);
      if (count <= cap_) return;
      smallest = std::min(smallest, count);
    }
    refuse(trial, smallest);
  }

  [[noreturn]] void refuse(std::uint64_t trial, double smallest) const {
    throw RunError({"design.max_expected_count", "at least the smallest expected count of a stimulus",
                    fmt::format("{}, where the smallest found is {}", number_text(cap_), number_text(smallest)),
                    "Raise it, or widen the set of stimuli."},
                   static_cast<std::int64_t>(trial));
  }

  const StimulusSet& set_;
  RandomLaw law_;
  double explore_, cap_;
  std::uint64_t seed_;
  bool by_ball_;
  std::optional<BallSearch> ball_;
  GradientSearch gradient_;
};

}  // namespace

std::unique_ptr<Design> make_continuous_design(const DesignSpec& spec, const GaussianUtility& utility, const SecondForm& second,
                                               const StimulusSet& set, const GaussianView& prior, std::uint64_t seed) {
  const bool fits = set.kind() == SetKind::ball && !prior.reach && utility.kind() == GaussianUtility::Kind::of_response &&
                    !spec.max_expected_count;
  if (spec.search == "ball" && !fits)
    throw SpecError({"design.search", "auto or gradient here", "\"ball\"",
                     "The curve of optima is that of a plain ball, one response, a utility of its mean and variance, and no cap."});
  return std::make_unique<ContinuousDesign>(spec, utility, second, set, prior, fits && spec.search != "gradient", seed);
}

}  // namespace hartline::design
