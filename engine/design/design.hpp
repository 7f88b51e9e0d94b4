// Designs: how the next stimulus is chosen from a belief.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/describe.hpp"
#include "design/budget.hpp"
#include "models/model.hpp"

namespace hartline {
class Executor;
}

namespace hartline::design {

/// The stimuli that may be shown: a ball |x|² <= power, or a finite pool.
struct StimulusSet {
  std::size_t dim = 0;
  double power = 1;          // of a ball
  std::vector<double> pool;  // [num, dim]; empty: a ball
  bool once = false;         // each member of the pool may be shown once
  std::size_t num() const { return dim ? pool.size() / dim : 0; }
};

/// The `design` table.
struct DesignSpec {
  std::string kind = "infomax";
  std::string utility = "auto";
  std::string search = "auto";
  std::string law = "auto";
  double law_sd = 1;
  double low = -1, high = 1;
  std::int64_t max_products = 48;
  std::optional<double> deadline_ms;

  template <class Field>
  static void describe(Field&& field) {
    field("kind", &DesignSpec::kind, "", one_of({"infomax", "uncertainty", "random", "sequence"}),
          "infomax: largest utility; uncertainty: largest posterior variance; random: by law; sequence: the pool in its order");
    field("utility", &DesignSpec::utility, "",
          one_of({"auto", "laplace_information", "first_order_information", "mutual_information", "posterior_variance"}),
          "what infomax maximises; auto: laplace_information for a linear model, mutual_information for a belief on a grid, which "
          "knows "
          "that and posterior_variance");
    field("search", &DesignSpec::search, "", one_of({"auto", "pool", "ball"}), "where to search; auto: what the stimuli are");
    field("law", &DesignSpec::law, "", one_of({"auto", "sphere", "gaussian", "box", "pool"}),
          "law of random stimuli; auto: pool or sphere, as the stimuli are; uniform on the sphere of the set's power, independent "
          "normal, uniform in a box, uniform in the pool");
    field("law_sd", &DesignSpec::law_sd, "", positive(), "standard deviation of each value under law gaussian");
    field("low", &DesignSpec::low, "", any(), "lower end of each value under law box");
    field("high", &DesignSpec::high, "", any(), "upper end of each value under law box");
    field("max_products", &DesignSpec::max_products, "", between(4, 96), "dimension of the Krylov space of a ball search");
    field("deadline_ms", &DesignSpec::deadline_ms, "ms", positive(), "time for a choice; when it is over the best so far is taken");
  }
};

/// A stimulus chosen.
struct Choice {
  std::int64_t pool_index = -1;  // -1: not from a pool
  std::vector<double> values;    // [dim]
  double utility = 0;            // NaN for designs without one
  std::int64_t units = 0;        // units of work done
};

/// State of a design. A function of the stimuli presented and the updates of the belief, in order.
class Plan {
 public:
  virtual ~Plan() = default;
};

/// How the next stimulus is chosen: constant, shared by threads.
class Design {
 public:
  virtual ~Design() = default;
  virtual std::unique_ptr<Plan> make_plan() const = 0;

  /// Takes note of the stimulus of a trial and of the belief after it.
  virtual void follow(Plan& plan, const models::Capability& belief, std::int64_t pool_index,
                      std::span<const double> stimulus) const = 0;

  /// The stimulus for a trial. Repeatable: same plan, belief, trial and units give the same bytes, at any number of threads.
  /// Allocates: nothing after the first calls. Throws: RunError when a pool is exhausted.
  virtual void choose(Plan& plan, const models::Capability& belief, std::uint64_t trial, const Budget& budget,
                      Choice& out) const = 0;

  /// The utility of every member of the pool; empty for a ball or a design without utility.
  virtual std::vector<double> utilities(Plan& plan, const models::Capability& belief) const = 0;
};

/// Builds a design. `law`: the response law of a linear model, or null for a belief on a grid.
/// The set and the executor must outlive it.
/// Throws: SpecError for a choice that does not fit the stimuli or the belief.
std::unique_ptr<Design> make_design(const DesignSpec& spec, const StimulusSet& set, const models::ResponseLaw* law,
                                    std::uint64_t seed, Executor& executor);

}  // namespace hartline::design
