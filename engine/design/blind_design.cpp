#include <limits>

#include "design/continuous_design.hpp"
#include "design/modifiers.hpp"

namespace hartline::design {

namespace {

using models::Capability;

class BlindPlan final : public Plan {
 public:
  explicit BlindPlan(const StimulusSet& set) : members(set) {}
  Modifiers::Members members;
};

class BlindDesign final : public Design {
 public:
  BlindDesign(const DesignSpec& spec, const StimulusSet& set, std::uint64_t seed)
      : random_(spec.kind == "random"), modifiers_(spec, seed), set_(set), law_(spec, set), seed_(seed) {}

  std::unique_ptr<Plan> make_plan() const override { return std::make_unique<BlindPlan>(set_); }

  void follow(Plan& plan, const Capability&, std::int64_t pool_index, std::span<const double> stimulus,
              double duration_s) const override {
    static_cast<BlindPlan&>(plan).members.present(pool_index, stimulus, duration_s);
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
    const Modifiers::Members& members = static_cast<BlindPlan&>(any_plan).members;
    const std::int64_t num_left = modifiers_.num_left(members, trial);
    std::int64_t wanted = random_     ? stream.integer(num_left)
                          : set_.once ? 0
                                      : static_cast<std::int64_t>(trial % set_.num()),
                 index = 0;
    while (!modifiers_.may_follow(members, static_cast<std::size_t>(index)) || wanted-- > 0) ++index;
    take(set_, index, out);
  }

  std::vector<double> utilities(Plan&, const Capability&) const override { return {}; }

 private:
  bool random_;
  Modifiers modifiers_;
  const StimulusSet& set_;
  RandomLaw law_;
  std::uint64_t seed_;
};

}  // namespace

std::unique_ptr<Design> make_blind_design(const DesignSpec& spec, const StimulusSet& set, std::uint64_t seed) {
  return std::make_unique<BlindDesign>(spec, set, seed);
}

}  // namespace hartline::design
