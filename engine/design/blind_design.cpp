#include <limits>

#include "design/continuous_design.hpp"
#include "design/pool.hpp"

namespace hartline::design {

namespace {

using models::Capability;

class BlindPlan final : public Plan {
 public:
  explicit BlindPlan(const StimulusSet& set) : available(set) {}
  Available available;
  std::int64_t last = -1;
};

class BlindDesign final : public Design {
 public:
  BlindDesign(const DesignSpec& spec, const StimulusSet& set, std::uint64_t seed)
      : random_(spec.kind == "random"), no_repeat_(spec.no_repeat), set_(set), law_(spec, set), seed_(seed) {}

  std::unique_ptr<Plan> make_plan() const override { return std::make_unique<BlindPlan>(set_); }

  void follow(Plan& any_plan, const Capability&, std::int64_t pool_index, std::span<const double> stimulus, double) const override {
    if (stimulus.empty()) return;
    auto& plan = static_cast<BlindPlan&>(any_plan);
    plan.available.present(pool_index);
    if (pool_index >= 0) plan.last = pool_index;
  }

  void choose(Plan& any_plan, const Capability&, std::uint64_t trial, const Budget&, Choice& out) const override {
    out.units = 0;
    out.explored = false;
    out.utility = std::numeric_limits<double>::quiet_NaN();
    Stream stream(seed_, Purpose::design, trial);
    if (set_.kind() != SetKind::pool) {
      out.pool_index = -1;
      out.values.resize(set_.dim);
      return law_.draw(stream, out.values);
    }
    const auto& plan = static_cast<BlindPlan&>(any_plan);
    plan.available.require_some(trial);
    const auto may = [&](std::int64_t i) {
      return plan.available.mask[static_cast<std::size_t>(i)] && !(no_repeat_ && i == plan.last);
    };
    const bool barred = no_repeat_ && plan.last >= 0 && plan.available.mask[static_cast<std::size_t>(plan.last)];
    const std::int64_t count = plan.available.count - (barred ? 1 : 0);
    if (count == 0)
      throw RunError({"stimulus.pool", "of two stimuli or more where none may follow itself", "1 stimulus left", ""},
                     static_cast<std::int64_t>(trial));
    std::int64_t wanted = random_     ? stream.integer(count)
                          : set_.once ? 0
                                      : static_cast<std::int64_t>(trial % set_.num()),
                 index = 0;
    while (!may(index) || wanted-- > 0) ++index;
    take(set_, index, out);
  }

  std::vector<double> utilities(Plan&, const Capability&) const override { return {}; }

 private:
  bool random_, no_repeat_;
  const StimulusSet& set_;
  RandomLaw law_;
  std::uint64_t seed_;
};

}  // namespace

std::unique_ptr<Design> make_blind_design(const DesignSpec& spec, const StimulusSet& set, std::uint64_t seed) {
  return std::make_unique<BlindDesign>(spec, set, seed);
}

}  // namespace hartline::design
