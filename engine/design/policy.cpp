#include "design/policy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "design/pool.hpp"

namespace hartline::design {

StimulusRule::StimulusRule(const models::EncodingText& text) {
  for (const models::TextStimulus& variable : text.stimulus)
    for (std::size_t k = 0; k < variable.num(); ++k) {
      double low = variable.low, high = variable.high;
      std::vector<Level>& levels = levels_.emplace_back();
      if (variable.values.empty()) {
        pool_ = false;
      } else {
        for (std::size_t i = 0; i < variable.values.size(); ++i) levels.push_back({variable.values[i], i});
        std::stable_sort(levels.begin(), levels.end(), [](const Level& a, const Level& b) { return a.value < b.value; });
        low = levels.front().value;
        high = levels.back().value;
      }
      middle_.push_back(0.5 * (low + high));
      range_.push_back(high > low ? 0.5 * (high - low) : 1);
    }
}

std::int64_t StimulusRule::operator()(const double* o, std::size_t stride, std::span<double> x) const {
  for (std::size_t i = 0; i < dim(); ++i) x[i] = middle_[i] + range_[i] * std::sin(o[i * stride]);
  std::size_t member = 0;
  for (std::size_t i = 0; i < dim(); ++i) {
    const std::vector<Level>& levels = levels_[i];
    if (levels.empty()) continue;
    auto at = std::lower_bound(levels.begin(), levels.end(), x[i], [](const Level& a, double value) { return a.value < value; });
    if (at == levels.end() || (at != levels.begin() && x[i] - (at - 1)->value <= at->value - x[i])) --at;
    x[i] = at->value;
    member = member * levels.size() + at->place;
  }
  return pool_ ? static_cast<std::int64_t>(member) : -1;
}

void StimulusRule::draw(Stream& stream, std::span<double> x) const {
  for (std::size_t i = 0; i < dim(); ++i)
    x[i] = levels_[i].empty() ? middle_[i] + range_[i] * (2 * stream.uniform() - 1)
                              : levels_[i][static_cast<std::size_t>(stream.integer(static_cast<std::int64_t>(levels_[i].size())))].value;
}

namespace {

using models::Capability;

class PolicyPlan final : public Plan {
 public:
  models::HistoryNetwork::State state;
  std::vector<double> inputs, outputs;
};

class PolicyDesign final : public Design {
 public:
  PolicyDesign(std::shared_ptr<const models::TrainedNetwork> trained, const models::EncodingText& text, const StimulusSet& set)
      : trained_(std::move(trained)), network_(models::shape_of(*trained_, text)), rule_(text), set_(set) {}

  std::unique_ptr<Plan> make_plan() const override {
    auto plan = std::make_unique<PolicyPlan>();
    plan->state = network_.start(1);
    plan->inputs.resize(network_.shape().num_inputs * plan->state.stride);
    plan->outputs.resize(network_.shape().num_outputs * plan->state.stride);
    return plan;
  }

  void follow(Plan&, const Capability&, std::int64_t, std::span<const double>, double) const override {}

  void learn(Plan& any_plan, std::span<const double> stimulus, const Response& response) const override {
    auto& plan = static_cast<PolicyPlan&>(any_plan);
    const std::size_t stride = plan.state.stride, dim = rule_.dim();
    bool any = false;
    for (std::size_t j = 0; j < response.values.size(); ++j) any = any || models::has_value(models::mark_of(response, j));
    if (!any && !network_.shape().recurrent) return;
    models::scale_inputs(*trained_, stimulus, response.values, 0, stride, plan.inputs.data());
    for (std::size_t j = 0; j < response.values.size(); ++j)
      if (!models::has_value(models::mark_of(response, j))) plan.inputs[(dim + j) * stride] = 0;
    network_.take(trained_->weights, plan.inputs.data(), plan.state);
  }

  void choose(Plan& any_plan, const Capability&, std::uint64_t trial, const Budget&, Choice& out) const override {
    auto& plan = static_cast<PolicyPlan&>(any_plan);
    network_.read(trained_->weights, plan.state, plan.outputs.data());
    for (std::size_t i = 0; i < rule_.dim(); ++i)
      if (!std::isfinite(plan.outputs[i * plan.state.stride]))
        throw RunError({"design.policy", "a network whose numbers are finite", number_text(plan.outputs[i * plan.state.stride]),
                        "The trials so far are far from those that it was trained on."},
                       static_cast<std::int64_t>(trial));
    out.units = 1;
    out.explored = false;
    out.utility = std::numeric_limits<double>::quiet_NaN();
    out.values.resize(set_.dim);
    out.pool_index = rule_(plan.outputs.data(), plan.state.stride, out.values);
  }

  std::vector<double> utilities(Plan&, const Capability&) const override { return {}; }

 private:
  std::shared_ptr<const models::TrainedNetwork> trained_;
  models::HistoryNetwork network_;
  StimulusRule rule_;
  const StimulusSet& set_;
};

}  // namespace

std::unique_ptr<Design> make_policy_design(std::shared_ptr<const models::TrainedNetwork> network, const models::EncodingText& text,
                                           const DesignSpec& spec, const StimulusSet& set) {
  DesignSpec plain;
  plain.kind = spec.kind;
  plain.policy = spec.policy;
  plain.policy_hash = spec.policy_hash;
  plain.deadline_ms = spec.deadline_ms;
  const Table given = *hartline::to_value(spec).table(), unset = *hartline::to_value(plain).table();
  for (const auto& [key, value] : given.items)
    if (const Value* other = unset.find(key); !other || !(value == *other))
      throw SpecError({"design." + key, "left out for a policy", display(value), "It chooses as it was trained to."});
  if (network->target != "policy")
    throw SpecError({"design.policy", "a network trained with target policy", "\"" + network->target + "\"", ""});
  models::check_network(*network, text, "design.policy");
  return std::make_unique<PolicyDesign>(std::move(network), text, set);
}

}  // namespace hartline::design
