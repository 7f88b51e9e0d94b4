// The `design` table of an experiment: how the next stimulus is to be chosen.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/describe.hpp"
#include "design/target.hpp"

namespace hartline::design {

/// The `design.lookahead` table.
struct LookaheadSpec {
  std::int64_t depth = 1;
  std::int64_t width = 8;
  std::int64_t num_futures = 32;
  std::int64_t num_samples = 512;

  bool operator==(const LookaheadSpec&) const = default;
  template <class F>
  static void describe(F&& field) {
    field("depth", &LookaheadSpec::depth, "trials", between(1, 10), "trials that are thought of together; 1: the next alone");
    field("width", &LookaheadSpec::width, "", at_least(1), "stimuli that are looked into, the best one-step ones");
    field("num_futures", &LookaheadSpec::num_futures, "", between(2, 4096),
          "responses imagined to each, where they are not enumerated");
    field("num_samples", &LookaheadSpec::num_samples, "", between(16, 1000000), "samples of an imagined belief by samples");
  }
};

/// The `design` table.
struct DesignSpec {
  std::string kind = "infomax";
  std::string policy, policy_hash;
  std::string utility = "auto";
  std::vector<Target> target;
  std::vector<double> target_weights;
  std::string average_over = "auto";
  std::vector<double> second_moment;
  double kappa = 1;
  std::string scoring = "joint";
  std::string search = "auto";
  std::int64_t max_products = 48;
  std::int64_t max_evaluations = 4000;
  std::optional<double> deadline_ms;
  LookaheadSpec lookahead;
  bool per_second = false;
  std::vector<double> cost;
  std::optional<double> max_expected_count;
  bool no_repeat = false;
  double explore = 0;
  std::int64_t batch = 1;
  std::string law = "auto";
  double law_sd = 1;
  double low = -1, high = 1;

  template <class Field>
  static void describe(Field&& field) {
    field("kind", &DesignSpec::kind, "", one_of({"infomax", "uncertainty", "random", "sequence", "policy"}),
          "infomax: largest utility; uncertainty: largest posterior variance; random: by law; sequence: the pool in its order; "
          "policy: by a trained network");
    field("policy", &DesignSpec::policy, "", any(), "file of the network, relative to this file; `hartline train` makes it");
    field("policy_hash", &DesignSpec::policy_hash, "", any(), "of that file; filled in, so that a record knows its policy");
    field("utility", &DesignSpec::utility, "",
          one_of({"auto", "laplace_information", "first_order_information", "mutual_information", "posterior_variance",
                  "parameter_variance", "prediction_error", "target", "expected_response", "upper_confidence", "model_information",
                  "response_sd", "mmse"}),
          "what infomax maximises; auto: laplace_information for a linear model, mutual_information for a belief on a grid, "
          "model_information for competing models. parameter_variance and prediction_error: how far the posterior variances of "
          "the parameters, or of the predictor over stimuli, are expected to fall; target: information about some parameters; "
          "expected_response and upper_confidence: stimuli that drive the cell; response_sd and mmse: of a Gaussian process, how "
          "uncertain the expected response is, and how far its variance over all stimuli is expected to fall");
    field("target", &DesignSpec::target, "", any(),
          "what utility target is about: parameters by name or by number from 0, or functions of them, as log(A / b)");
    field("target_weights", &DesignSpec::target_weights, "", any(), "or the weights of one linear function of all parameters");
    field("average_over", &DesignSpec::average_over, "", one_of({"auto", "pool", "law", "matrix"}),
          "stimuli that prediction_error averages over; auto: pool or law, as the stimuli are; law: of random stimuli; matrix: "
          "those with the second moment given");
    field("second_moment", &DesignSpec::second_moment, "", any(), "E[s sᵀ] of the predictor's inputs, row by row, for matrix");
    field("kappa", &DesignSpec::kappa, "", non_negative(), "standard deviations above the mean that upper_confidence looks");
    field("scoring", &DesignSpec::scoring, "", one_of({"joint", "current_bin"}),
          "where a stimulus reaches several responses; joint: what they tell together; current_bin: the first alone, a control "
          "that is worse than random when a filter has lags");
    field("search", &DesignSpec::search, "", one_of({"auto", "pool", "ball", "gradient"}),
          "where and how to search; pool: every member; ball: the curve of optima of a ball; gradient: ascent from several starts; "
          "auto: the first of these that fits");
    field("max_products", &DesignSpec::max_products, "", between(4, 96), "dimension of the Krylov space of a ball search");
    field("max_evaluations", &DesignSpec::max_evaluations, "", at_least(1), "evaluations that a gradient search may take");
    field("deadline_ms", &DesignSpec::deadline_ms, "ms", positive(), "time for a choice; when it is over the best so far is taken");
    field("lookahead", &DesignSpec::lookahead, "", any(), "trials ahead that a choice thinks of");
    field("per_second", &DesignSpec::per_second, "", any(),
          "divide the utility by how long trials of the stimulus have taken so far; of one not shown yet, by the mean of all");
    field("cost", &DesignSpec::cost, "", any(), "of each member of the pool, in the unit of the utility; subtracted");
    field("max_expected_count", &DesignSpec::max_expected_count, "", positive(), "stimuli expected to give more are not shown");
    field("no_repeat", &DesignSpec::no_repeat, "", any(), "never the same member of the pool twice in a row");
    field("explore", &DesignSpec::explore, "", between(0, 1), "share of trials whose stimulus is drawn at random");
    field("batch", &DesignSpec::batch, "trials", at_least(1),
          "trials decided together, one after the other, each with those before it as pending");
    field("law", &DesignSpec::law, "", one_of({"auto", "sphere", "gaussian", "box", "pool"}),
          "law of random stimuli; auto: pool, box or sphere, as the stimuli are; uniform on the sphere of the set's power (the "
          "nearest stimulus within the range, where there is one), independent normal, uniform in a box, uniform in the pool");
    field("law_sd", &DesignSpec::law_sd, "", positive(), "standard deviation of each value under law gaussian");
    field("low", &DesignSpec::low, "", any(), "lower end of each value under law box of a ball");
    field("high", &DesignSpec::high, "", any(), "upper end of each value under law box of a ball");
  }
};

}  // namespace hartline::design
