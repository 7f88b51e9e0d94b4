#include "design/discrete_scorer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "design/scratch_slots.hpp"
#include "design/utility.hpp"

namespace hartline::design {

namespace {

using models::Belief;
using models::Capability;
using models::DiscreteView;
using models::OutcomeTables;

enum class Kind {
  mutual_information,
  posterior_variance,
  parameter_variance,
  prediction_error,
  target,
  expected_response,
  upper_confidence
};

Kind kind_of(const DesignSpec& spec) {
  if (spec.kind == "uncertainty") return Kind::posterior_variance;
  constexpr std::pair<const char*, Kind> kinds[] = {{"auto", Kind::mutual_information},
                                                    {"mutual_information", Kind::mutual_information},
                                                    {"posterior_variance", Kind::posterior_variance},
                                                    {"parameter_variance", Kind::parameter_variance},
                                                    {"prediction_error", Kind::prediction_error},
                                                    {"target", Kind::target},
                                                    {"expected_response", Kind::expected_response},
                                                    {"upper_confidence", Kind::upper_confidence}};
  for (const auto& [name, kind] : kinds)
    if (spec.utility == name) return kind;
  throw SpecError({"design.utility",
                   "one of mutual_information, posterior_variance, parameter_variance, prediction_error, target, "
                   "expected_response, upper_confidence for a belief on a grid",
                   "\"" + spec.utility + "\"", ""});
}

struct DiscreteScratch {
  DiscreteScratch(std::size_t num_outcomes, std::size_t num_features)
      : probabilities(num_outcomes), sums(num_outcomes * num_features), mean(num_features) {}
  std::vector<double> probabilities;  // [num_outcomes]
  std::vector<double> sums;           // [num_outcomes, num_features]
  std::vector<double> mean;           // [num_features]
};

struct DiscreteState final : PoolScorer::State {
  DiscreteState(int num_threads, std::size_t num_outcomes, std::size_t num_features)
      : slots(num_threads, num_outcomes, num_features) {}
  ScratchSlots<DiscreteScratch> slots;
};

class DiscreteScorer final : public PoolScorer {
 public:
  DiscreteScorer(const DesignSpec& spec, const StimulusSet& set, const DiscreteView& prior,
                 std::span<const std::string> parameter_names, Executor& executor)
      : kind_(kind_of(spec)),
        kappa_(spec.kappa),
        num_threads_(executor.num_threads()),
        num_outcomes_(prior.tables->num_outcomes()) {
    const OutcomeTables& tables = *prior.tables;
    if (tables.num_stimuli() != set.num())
      throw SpecError({"stimulus", fmt::format("the {} stimuli of the model's tables", tables.num_stimuli()),
                       fmt::format("{}", set.num()), ""});
    if (kind_ == Kind::parameter_variance) {
      num_features_ = parameter_names.size();
      features_.resize(tables.num_nodes() * num_features_);
      for (std::size_t n = 0; n < tables.num_nodes(); ++n) tables.node(n, {&features_[n * num_features_], num_features_});
      scale_ = 1;
    } else if (kind_ == Kind::prediction_error) {
      if (spec.average_over != "auto" && spec.average_over != "pool")
        throw SpecError({"design.average_over", "pool for a belief on a grid", "\"" + spec.average_over + "\"", ""});
      num_features_ = set.num();
      features_.resize(tables.num_nodes() * num_features_);
      for (std::size_t n = 0; n < tables.num_nodes(); ++n)
        for (std::size_t x = 0; x < num_features_; ++x) features_[n * num_features_ + x] = tables.node_response(n, x);
      scale_ = 1 / static_cast<double>(num_features_);
    } else if (kind_ == Kind::target) {
      group_nodes(spec, tables, parameter_names);
    }
  }

  std::unique_ptr<State> make_state() const override {
    return std::make_unique<DiscreteState>(num_threads_, num_outcomes_, num_features_);
  }
  std::size_t block_size() const override { return 8; }
  void follow(State&, const Capability&, std::span<const std::uint8_t>) const override {}
  void prepare(State&, const Capability&, std::span<const std::uint8_t>) const override {}

  void score(State& any_state, const Capability& belief, std::span<const std::size_t> members, std::span<double> utility,
             std::span<double> expected_count) const override {
    const auto& view = std::get<DiscreteView>(belief);
    const std::span<const Belief* const> beliefs = view.outlook.empty() ? std::span(&view.belief, 1) : view.outlook;
    static_cast<DiscreteState&>(any_state).slots.with([&](DiscreteScratch& scratch) {
      for (std::size_t k = 0; k < members.size(); ++k) {
        utility[k] = 0;
        for (const Belief* b : beliefs)
          utility[k] += utility_of(*view.tables, *b, members[k], scratch) / static_cast<double>(beliefs.size());
      }
    });
    for (std::size_t k = 0; k < expected_count.size(); ++k) {
      expected_count[k] = 0;
      for (const Belief* b : beliefs)
        expected_count[k] += view.tables->mean_response(*b, members[k]).first / static_cast<double>(beliefs.size());
    }
  }

 private:
  /// Nodes with the same values of the target's parameters form a group.
  void group_nodes(const DesignSpec& spec, const OutcomeTables& tables, std::span<const std::string> names) {
    if (!spec.target_weights.empty())
      throw SpecError({"design.target_weights", "absent for a belief on a grid",
                       fmt::format("{} numbers", spec.target_weights.size()), "Name parameters in design.target."});
    if (spec.target.empty())
      throw SpecError({"design.target", "given", "nothing", "Name the parameters that the experiment is about."});
    const TargetFunctions functions(spec.target, names);
    std::map<std::vector<double>, std::uint32_t> found;
    std::vector<double> parameters(names.size()), key(functions.num());
    for (std::size_t n = 0; n < tables.num_nodes(); ++n) {
      tables.node(n, parameters);
      functions(parameters.data(), 1, 1, key.data());
      for (const double value : key) TargetFunctions::check(value);
      group_.push_back(found.emplace(key, static_cast<std::uint32_t>(found.size())).first->second);
    }
    num_features_ = found.size();
  }

  double utility_of(const OutcomeTables& tables, const Belief& belief, std::size_t x, DiscreteScratch& scratch) const {
    if (kind_ == Kind::posterior_variance) return tables.mean_response(belief, x).second;
    if (kind_ == Kind::expected_response) return tables.mean_response(belief, x).first;
    if (kind_ == Kind::upper_confidence) {
      const auto [mean, variance] = tables.mean_response(belief, x);
      return mean + kappa_ * std::sqrt(std::max(variance, 0.0));
    }
    const double mean_entropy = tables.predictive(belief, x, scratch.probabilities);
    if (kind_ == Kind::mutual_information) return outcome_entropy(scratch.probabilities) - mean_entropy;
    if (kind_ == Kind::target) {
      tables.outcome_groups(belief, x, group_, scratch.sums);
      return information_of_groups(scratch);
    }
    tables.outcome_sums(belief, x, features_, scratch.sums);
    return scale_ * fall_of_variance(scratch);
  }

  /// Σ_yk p(y, k) log(p(y, k) / (p(y) p(k)))
  double information_of_groups(DiscreteScratch& scratch) const {
    const std::vector<double>& joint = scratch.sums;
    std::vector<double>& of_group = scratch.mean;
    std::fill(of_group.begin(), of_group.end(), 0.0);
    for (std::size_t y = 0; y < num_outcomes_; ++y)
      for (std::size_t k = 0; k < num_features_; ++k) of_group[k] += joint[y * num_features_ + k];
    double total = 0;
    for (std::size_t y = 0; y < num_outcomes_; ++y) {
      double p = 0;
      for (std::size_t k = 0; k < num_features_; ++k) p += joint[y * num_features_ + k];
      for (std::size_t k = 0; k < num_features_; ++k)
        if (const double q = joint[y * num_features_ + k]; q > 0) total += q * std::log(q / (p * of_group[k]));
    }
    return total;
  }

  /// Σ_k (Σ_y (Σ_θ b p(y) φ_k)² / p(y) - (Σ_θ b φ_k)²): the variance over y of the posterior means
  double fall_of_variance(DiscreteScratch& scratch) const {
    const std::vector<double>&sums = scratch.sums, &probabilities = scratch.probabilities;
    std::vector<double>& mean = scratch.mean;
    std::fill(mean.begin(), mean.end(), 0.0);
    for (std::size_t y = 0; y < probabilities.size(); ++y)
      for (std::size_t k = 0; k < num_features_; ++k) mean[k] += sums[y * num_features_ + k];
    double total = 0;
    for (std::size_t y = 0; y < probabilities.size(); ++y) {
      const double p = probabilities[y];
      if (!(p > 1e-300)) continue;
      for (std::size_t k = 0; k < num_features_; ++k) {
        const double shift = sums[y * num_features_ + k] / p - mean[k];
        total += p * shift * shift;
      }
    }
    return total;
  }

  Kind kind_;
  double kappa_, scale_ = 1;
  int num_threads_;
  std::size_t num_outcomes_, num_features_ = 0;
  std::vector<double> features_;      // [num_nodes, num_features]
  std::vector<std::uint32_t> group_;  // [num_nodes]
};

}  // namespace

std::unique_ptr<PoolScorer> make_discrete_scorer(const DesignSpec& spec, const StimulusSet& set, const DiscreteView& prior,
                                                 std::span<const std::string> parameter_names, Executor& executor) {
  return std::make_unique<DiscreteScorer>(spec, set, prior, parameter_names, executor);
}

}  // namespace hartline::design
