// Belief on a grid of parameters, with tables of outcome probabilities.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "models/family.hpp"
#include "models/model.hpp"

namespace hartline {
class Executor;
}

namespace hartline::models {

/// Probability of each node.
struct GridBelief final : Belief {
  GridBelief() = default;
  GridBelief(const GridBelief& other) : GridBelief() { *this = other; }
  GridBelief& operator=(const GridBelief& other);
  std::unique_ptr<Belief> fork() const override { return std::make_unique<GridBelief>(*this); }
  void replace_by(const Belief& other) override { *this = dynamic_cast<const GridBelief&>(other); }
  std::uint64_t digest() const override { return content_hash(log_weights.data(), log_weights.size()); }
  std::vector<double> log_weights;           // [num_nodes], normalised
  std::vector<double> weights;               // [num_nodes], exp of log_weights, sum to one
  std::vector<std::uint32_t> active_blocks;  // blocks of nodes that are not negligible together
  std::vector<double> log_likelihood;        // [num_nodes] scratch of the update
  std::vector<double> outcomes;              // [num_outcomes] scratch
  Prediction prediction;                     // of the last response
  std::uint64_t num_updates = 0;
  // Beliefs after responses that are still to come, each with its own imagined ones; empty: none is pending.
  std::vector<std::unique_ptr<GridBelief>> imagined;
  std::vector<const Belief*> outlook;  // the same
  std::uint64_t num_pending = 0;
};

/// How many futures a belief imagines where responses are pending.
constexpr std::size_t num_imagined = 8;

/// A parametric family with a belief on the grid of its parameters and tables over a finite set of stimuli.
///
/// Choices keep p(choice | x, θ) and their entropy; counts keep λ, exp(-λ) and the entropy of Poisson(λ) and form
/// p(r | x, θ) by p_r = p_{r-1} λ / r. Blocks of nodes whose weights sum to less than 1e-15 are passed over when averaging; the
/// averages then err by less than 1e-12 in all    (grid_test.cpp: Grid.SkippedBlocksDoNotChangeInformation)
/// A stimulus outside the set is taken at its own value: nothing is moved to the nearest grid point.
/// Tables of choices may be kept in single precision, which reads half the bytes: stimuli are compared by them, with utilities that
/// err by less than 1e-6, and the belief is updated by the model itself    (grid_test.cpp: Grid.SingleTablesRankStimuliAlike)
class GridModel final : public Model, public OutcomeTables {
 public:
  /// `stimuli`: [num_stimuli, family->stimulus_dim].
  /// Throws: SpecError when the tables would not fit in `max_bytes`, where a rate is too high for the count tables, and for single
  /// tables of counts.
  GridModel(std::unique_ptr<Family> family, std::vector<double> stimuli, Executor& executor,
            std::size_t max_bytes = std::size_t{8} << 30, bool single_tables = false);
  ~GridModel() override;

  std::unique_ptr<Belief> prior() const override;
  Update update(Belief& belief, std::span<const double> stimulus, const Response& response, double elapsed_s) const override;
  void predict(const Belief& belief, std::span<const double> stimuli, std::span<double> mean) const override;
  void summarise(const Belief& belief, std::span<double> mean, std::span<double> sd) const override;
  using Model::sample;
  void sample(std::span<const double> parameters, std::span<const double> stimulus, Context& context, Stream& stream,
              std::span<double> response) const override;
  double log_likelihood(std::span<const double> parameters, std::span<const double> stimulus, double response) const override;
  Capability capability(const Belief& belief) const override;

  /// log p(response | stimulus, belief), nats.
  double log_predictive(const GridBelief& belief, std::span<const double> stimulus, double response) const;
  /// Expected response for known parameters; of choices Σ k p_k.
  double expected_response(std::span<const double> parameters, std::span<const double> stimulus) const;
  /// Mean and standard deviation over the nodes of the expected response to any stimulus.
  std::pair<double, double> response_moments(const GridBelief& belief, std::span<const double> stimulus) const;
  /// The value that a share p of the belief about the expected response to a stimulus lies below.
  double response_quantile(const GridBelief& belief, std::span<const double> stimulus, double p) const;
  /// Probability of each value of one parameter, [its number of values].
  std::vector<double> marginal(const GridBelief& belief, std::size_t parameter_idx) const;
  void marginal(const GridBelief& belief, std::size_t parameter_idx, std::vector<double>& out) const;
  /// Parameters of one node, [num_parameters].
  void node(std::size_t node_idx, std::span<double> parameters) const override;

  std::size_t num_nodes() const override { return num_nodes_; }
  std::size_t num_stimuli() const override { return stimuli_.size() / stimulus_dim; }
  std::size_t num_outcomes() const override { return num_outcomes_; }
  double predictive(const Belief& belief, std::size_t stimulus_idx, std::span<double> outcome_probabilities) const override;
  std::pair<double, double> mean_response(const Belief& belief, std::size_t stimulus_idx) const override;
  double node_response(std::size_t node_idx, std::size_t stimulus_idx) const override;
  void outcome_sums(const Belief& belief, std::size_t stimulus_idx, std::span<const double> features,
                    std::span<double> out) const override;
  void condition(Belief& fork, std::size_t stimulus_idx, std::size_t outcome) const override;
  void outcome_groups(const Belief& belief, std::size_t stimulus_idx, std::span<const std::uint32_t> group,
                      std::span<double> out) const override;
  std::span<const double> stimuli() const { return stimuli_; }
  const Family& family() const { return *family_; }
  /// Bytes that one choice over all stimuli reads when every block is active.
  std::size_t table_bytes() const;

 private:
  double expected_response(const double* outcome) const;
  /// Calls visit(node, outcome) for every node, outcome being what the stimulus does there.
  template <class Visit>
  void for_each_node(const double* stimulus, Visit&& visit) const;
  /// Calls take(node, outcome, b_node p(outcome | x, node)) over the active nodes and the outcomes that matter.
  template <class Take>
  void for_each_outcome(const GridBelief& belief, std::size_t stimulus_idx, Take&& take) const;
  /// p(choice | x, node), choice > 0.
  double probability(std::size_t stimulus_idx, std::size_t choice, std::size_t node_idx) const {
    const std::size_t at = (stimulus_idx * (num_outcomes_ - 1) + choice - 1) * num_nodes_ + node_idx;
    return single_tables_ ? static_cast<double>(single_probability_[at]) : probability_[at];
  }
  /// Index of a stimulus in the set, or num_stimuli().
  std::size_t find(std::span<const double> stimulus) const;
  void fill_tables(Executor& executor);
  void take(GridBelief& belief, std::span<const double> stimulus, double response, bool censored, double& log_evidence) const;
  void imagine(GridBelief& belief, std::span<const double> stimulus) const;
  Prediction foretell(GridBelief& belief, std::span<const double> stimulus, double response, bool censored) const;
  void node_log_likelihood(std::span<const double> stimulus, double response, std::span<double> out) const;

  std::unique_ptr<Family> family_;
  std::vector<double> stimuli_;  // [num_stimuli, stimulus_dim]
  std::size_t num_nodes_ = 1;
  std::size_t num_blocks_ = 0, num_groups_ = 0;
  std::size_t num_outcomes_ = 0;                            // table columns: choices, or counts 0 … num_outcomes - 1
  std::vector<double> probability_;                         // choices: [num_stimuli, num_choices - 1, num_nodes], choices 1 …
  std::vector<float> single_probability_, single_entropy_;  // instead of probability_ and entropy_
  bool single_tables_ = false;
  std::vector<double> rate_, zero_;       // counts: λ and exp(-λ), [num_stimuli, num_nodes]
  std::vector<double> entropy_;           // [num_stimuli, num_nodes], nats
  std::vector<std::uint16_t> top_count_;  // counts: largest count that matters, [num_stimuli, num_groups]
};

/// Shannon entropy of the belief over the nodes, nats.
double entropy(const GridBelief& belief);

}  // namespace hartline::models
