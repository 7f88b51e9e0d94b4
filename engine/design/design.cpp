#include "design/design.hpp"

#include <fmt/format.h>

#include <type_traits>

#include "base/error.hpp"
#include "design/candidates_scorer.hpp"
#include "design/continuous_design.hpp"
#include "design/discrete_scorer.hpp"
#include "design/feasible_set.hpp"
#include "design/function_pool.hpp"
#include "design/linear_scorer.hpp"
#include "design/lookahead.hpp"
#include "design/pool_design.hpp"
#include "design/population_pool.hpp"
#include "design/reach_scorer.hpp"
#include "design/sample_pool.hpp"
#include "design/sample_search.hpp"
#include "design/tree_search.hpp"
#include "design/utility_meaning.hpp"

namespace hartline::design {

namespace {

using models::Capability;

[[noreturn]] void refuse(const char* key, const std::string& wanted, const std::string& got, const char* hint) {
  throw SpecError({fmt::format("design.{}", key), wanted, got, hint});
}

std::string quoted(const std::string& text) { return "\"" + text + "\""; }

/// Refuses settings that this kind of design would not use.
void refuse_unused(const DesignSpec& spec, const StimulusSet& set) {
  const DesignSpec none;
  const bool pool = set.kind() == SetKind::pool, searches = spec.kind == "infomax" || spec.kind == "uncertainty";
  const bool draws = spec.kind == "random" || spec.explore > 0;
  const auto unused = [&](const char* key, bool given, bool used, const std::string& by) {
    if (given && !used) refuse(key, "left out", "a value", ("It is used by " + by + " only.").c_str());
  };
  unused("policy", !spec.policy.empty() || !spec.policy_hash.empty(), false, "kind policy");
  unused("utility", spec.utility != none.utility, spec.kind == "infomax", "kind infomax");
  unused("target", !spec.target.empty(), spec.utility == "target", "utility target");
  unused("target_weights", !spec.target_weights.empty(), spec.utility == "target", "utility target");
  unused("average_over", spec.average_over != none.average_over, spec.utility == "prediction_error", "utility prediction_error");
  unused("second_moment", !spec.second_moment.empty(), spec.utility == "prediction_error", "utility prediction_error");
  unused("kappa", spec.kappa != none.kappa, spec.utility == "upper_confidence", "utility upper_confidence");
  unused("scoring", spec.scoring != none.scoring, searches, "kinds infomax and uncertainty");
  unused("search", spec.search != none.search, searches, "kinds infomax and uncertainty");
  unused("deadline_ms", spec.deadline_ms.has_value(), searches, "kinds infomax and uncertainty");
  const bool ahead = searches && spec.lookahead.depth > 1;
  unused("lookahead.depth", spec.lookahead.depth != 1, searches, "kinds infomax and uncertainty");
  unused("lookahead.width", spec.lookahead.width != none.lookahead.width, ahead, "a depth of 2 or more");
  unused("lookahead.num_futures", spec.lookahead.num_futures != none.lookahead.num_futures, ahead, "a depth of 2 or more");
  unused("lookahead.num_samples", spec.lookahead.num_samples != none.lookahead.num_samples, ahead, "a depth of 2 or more");
  unused("per_second", spec.per_second, searches && pool, "infomax and uncertainty over a pool");
  unused("cost", !spec.cost.empty(), searches && pool, "infomax and uncertainty over a pool");
  unused("max_expected_count", spec.max_expected_count.has_value(), searches, "kinds infomax and uncertainty");
  unused("explore", spec.explore != 0, searches, "kinds infomax and uncertainty");
  unused("no_repeat", spec.no_repeat, pool && spec.kind != "sequence", "random, infomax and uncertainty over a pool");
  const bool by_law = draws || (spec.utility == "prediction_error" && (spec.average_over == "law" || !pool));
  unused("law", spec.law != none.law, by_law, "random stimuli");
  unused("law_sd", spec.law_sd != none.law_sd, spec.law == "gaussian", "law gaussian");
  const bool box = spec.law == "box" && set.kind() == SetKind::ball;
  unused("low", spec.low != none.low, box, "law box of a ball");
  unused("high", spec.high != none.high, box, "law box of a ball");
  unused("max_products", spec.max_products != none.max_products, searches && !pool && spec.search != "gradient",
         "the search of a ball");
  unused("max_evaluations", spec.max_evaluations != none.max_evaluations, searches && !pool && spec.search != "ball",
         "a gradient search");
  if (!spec.cost.empty() && spec.cost.size() != set.num())
    refuse("cost", fmt::format("{} numbers, one a stimulus", set.num()), fmt::format("{} numbers", spec.cost.size()), "");
  if (spec.no_repeat && set.num() < 2) refuse("no_repeat", "false for a pool of one stimulus", "true", "");
}

/// Designs for one kind of belief. A kind of belief is added here: one function, or one scorer of pools.
struct Builder {
  const DesignSpec& spec;  // its utility is not auto
  const StimulusSet& set;
  std::span<const std::string> names;
  std::uint64_t seed;
  Executor& executor;
  using Result = std::unique_ptr<Design>;

  bool pool() const { return set.kind() == SetKind::pool; }
  Result over_pool(std::unique_ptr<PoolScorer> scorer) const {
    return make_pool_design(spec, std::move(scorer), set, seed, executor);
  }
  void require_pool(const char* belief) const {
    if (!pool()) throw SpecError({"stimulus.kind", fmt::format("a pool for {}", belief), "a ball or a box", ""});
  }

  Result operator()(const models::GaussianView& prior) const {
    refuse_lookahead("a linear model");
    if (spec.utility == "model_information" || spec.utility == "response_sd" || spec.utility == "mmse")
      refuse("utility",
             "one of laplace_information, first_order_information, mutual_information, posterior_variance, parameter_variance, "
             "prediction_error, target, expected_response, upper_confidence for a linear model",
             quoted(spec.utility), "");
    if (spec.scoring == "current_bin" && !prior.reach)
      refuse("scoring", "joint where a stimulus reaches one response", quoted(spec.scoring), "The model does not look back.");
    if (spec.max_expected_count && prior.law->law == models::Law::gaussian)
      refuse("max_expected_count", "left out for traces", number_text(*spec.max_expected_count), "A trace has no count.");
    const GaussianUtility utility(spec, *prior.law);
    const SecondForm second(spec, set, prior, names, seed);
    if (!pool()) return make_continuous_design(spec, utility, second, set, prior, seed);
    if (!prior.reach) return over_pool(make_linear_scorer(utility, second, set, executor));
    return over_pool(make_reach_scorer(JointUtility(utility), second, spec.scoring == "current_bin", set, *prior.reach, executor));
  }

  /// Whether a choice is to think of more than the next trial.
  bool looks_ahead() const {
    if (spec.lookahead.depth == 1) return false;
    if (spec.max_expected_count)
      refuse("max_expected_count", "left out with look-ahead", number_text(*spec.max_expected_count), "");
    return true;
  }
  void refuse_lookahead(const char* belief) const {
    if (spec.lookahead.depth > 1)
      refuse("lookahead.depth", fmt::format("1 for {}", belief), fmt::format("{}", spec.lookahead.depth),
             "Grids, particles and Laplace's method look ahead.");
  }

  Result operator()(const models::DiscreteView& prior) const {
    require_pool("a belief on a grid");
    if (looks_ahead()) return make_lookahead_design(spec, imagine_tables(spec, set, prior, names, executor), set, seed, executor);
    return over_pool(make_discrete_scorer(spec, set, prior, names, executor));
  }

  Result operator()(const models::SampleView& prior) const {
    if (!pool() && set.kind() != SetKind::box)
      throw SpecError({"stimulus", "a pool or a box for a belief by samples", "a ball", ""});
    const SampleObjective objective(spec, set, prior, names);
    if (looks_ahead() && pool())
      return make_lookahead_design(spec, imagine_samples(spec, objective, set, prior, executor), set, seed, executor);
    return over_samples(objective);
  }
  Result over_samples(const SampleObjective& objective) const {
    if (pool()) return over_pool(make_sample_scorer(objective, set, executor));
    if (spec.max_expected_count) refuse("max_expected_count", "left out for a box", number_text(*spec.max_expected_count), "");
    if (spec.search == "ball") refuse("search", "auto or gradient for a box", quoted(spec.search), "");
    if (looks_ahead()) return make_tree_search(spec, objective, set, seed, executor);
    return std::make_unique<SampleSearch>(spec, objective, set, seed, executor);
  }

  Result operator()(const models::CandidatesView& prior) const {
    refuse_lookahead("competing models");
    if (spec.kind != "infomax" || spec.utility != "model_information")
      refuse("utility", "model_information, with kind infomax, for competing models",
             quoted(spec.kind == "infomax" ? spec.utility : spec.kind), "");
    if (std::holds_alternative<models::SampleView>(prior.models[0]->capability(*prior.beliefs[0])))
      return over_samples(SampleObjective(prior));
    require_pool("competing models");
    return over_pool(make_candidates_scorer(set, prior, executor));
  }

  Result operator()(const models::FunctionView& prior) const {
    refuse_lookahead("a Gaussian process");
    require_pool("a Gaussian process");
    return make_function_pool_design(spec, *prior.law, set, seed, executor);
  }

  Result operator()(const models::PopulationView& prior) const {
    refuse_lookahead("a population");
    require_pool("a population");
    if (spec.max_expected_count) refuse("max_expected_count", "left out for a population", "a value", "");
    for (const char* other : {"parameter_variance", "prediction_error", "target", "model_information", "response_sd", "mmse"})
      if (spec.utility == other)
        refuse("utility",
               "one of laplace_information, first_order_information, mutual_information, posterior_variance, expected_response, "
               "upper_confidence for a population",
               quoted(spec.utility), "");
    return make_population_pool_design(spec, *prior.model, set, seed, executor);
  }
};

}  // namespace

void Design::learn(Plan&, std::span<const double>, const Response&) const {}

std::unique_ptr<Design> make_design(const DesignSpec& spec, const StimulusSet& set, const Capability& prior,
                                    std::span<const std::string> parameter_names, std::uint64_t seed, Executor& executor) {
  check_set(set);
  const bool pool = set.kind() == SetKind::pool;
  if (spec.kind == "sequence" && !pool)
    refuse("kind", "infomax, uncertainty or random for stimuli that are not a pool", quoted(spec.kind), "They have no order.");
  if (spec.kind == "policy")
    refuse("kind", "infomax, uncertainty, random or sequence here", quoted(spec.kind),
           "A policy belongs to an experiment, whose text it is held against.");
  refuse_unused(spec, set);
  if (spec.kind == "sequence" || spec.kind == "random") return make_blind_design(spec, set, seed);
  if (spec.explore > 0 || spec.law != "auto") RandomLaw(spec, set);  // refuses what does not fit
  if (spec.search == "pool" && !pool)
    refuse("search", "auto, ball or gradient", quoted(spec.search), "The stimuli are not a pool.");
  if (spec.search != "auto" && spec.search != "pool" && pool)
    refuse("search", "auto or pool", quoted(spec.search), "The stimuli are a pool.");
  DesignSpec named = spec;
  named.utility = utility_name(spec, prior);
  return std::visit(Builder{named, set, parameter_names, seed, executor}, prior);
}

}  // namespace hartline::design
