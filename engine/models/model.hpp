// Model and belief: the seam between what is known of a subject and how stimuli are chosen.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/random.hpp"
#include "base/trial.hpp"
#include "models/response_law.hpp"

namespace hartline::models {

/// State of knowledge. Made by Model::prior, changed by Model::update and Model::refine only.
class Belief {
 public:
  virtual ~Belief() = default;
  /// A copy that shares nothing.
  virtual std::unique_ptr<Belief> fork() const = 0;
  /// Becomes a copy of a belief of the same model, as a change of any kind (a refit that was made elsewhere).
  virtual void replace_by(const Belief& other) = 0;
  /// Hash of every bit of what is believed.
  virtual std::uint64_t digest() const = 0;
};

/// A change of a Gaussian belief, so that whoever keeps projections of it can follow without starting again:
///   C ← C + inflation I,   then   C ← C - shrink g gᵀ,   mean ← mean + mean_step g
struct RankOneChange {
  double inflation = 0;       // on the stimulus' coordinates
  double bias_inflation = 0;  // on the last coordinate, where that is a bias
  double shrink = 0;
  double mean_step = 0;
  const double* g = nullptr;  // [dim]
};

/// What happened to a belief between version - 1 and version.
struct BeliefChange {
  std::uint64_t version = 0;
  bool exact = false;                    // false: something else changed too; start again
  std::span<const RankOneChange> steps;  // in order
};

/// Responses that a stimulus x reaches, where the model looks back in time or at earlier responses: response j of num_rows has the
/// linear predictor s_jᵀθ, s_j = fixed_j + x shifted. Weights of lag 0 come first, then lag 1, …
struct Reach {
  std::size_t frame_dim = 0, num_frames = 1, num_lags = 1;
  std::size_t first_bin = 0, num_rows = 1;  // row j is the response in bin first_bin + j, bin 0 being that of the first frame
  std::size_t dim = 0;                      // of θ
  const double* fixed = nullptr;            // [num_rows, dim]: frames before, responses before, the 1 of a bias

  /// s of one row, [dim].
  void place(std::size_t row, const double* x, double* s) const {
    for (std::size_t i = 0; i < dim; ++i) s[i] = fixed[row * dim + i];
    for (std::size_t lag = 0; lag < num_lags; ++lag) {
      const std::size_t frame = first_bin + row - lag;  // wraps where there is none
      if (frame >= num_frames) continue;
      for (std::size_t i = 0; i < frame_dim; ++i) s[lag * frame_dim + i] += x[frame * frame_dim + i];
    }
  }
};

/// Capability of a belief N(mean, covariance) over the weights of a linear predictor ρ = sᵀθ; s = (x, 1 if there is a bias), or as
/// `reach` says.
struct GaussianView {
  std::size_t dim = 0;                     // of θ
  std::size_t stimulus_dim = 0;            // of x: dim, or dim - 1 with a bias; with a reach num_frames · frame_dim
  const double* mean = nullptr;            // [dim]
  const double* covariance = nullptr;      // [dim, dim], pending responses included
  double half_logdet = 0;                  // ½ log det covariance, accumulated
  const ResponseLaw* law = nullptr;        // of the response given ρ
  BeliefChange change;                     // by the last response
  std::span<const RankOneChange> pending;  // expected from responses that are still to come, after `change`
  const Reach* reach = nullptr;            // null: one response, of this stimulus alone
};

/// Outcome probabilities over a finite set of stimuli, averaged over a belief on a finite set of nodes.
class OutcomeTables {
 public:
  virtual ~OutcomeTables() = default;
  virtual std::size_t num_stimuli() const = 0;
  virtual std::size_t num_outcomes() const = 0;
  /// Outcome probabilities of one stimulus averaged over the nodes, [num_outcomes]; returns the mean over the nodes of the
  /// entropy of the outcome given the node, nats.
  virtual double predictive(const Belief& belief, std::size_t stimulus_idx, std::span<double> outcome_probabilities) const = 0;
  /// Mean and variance over the nodes of the expected response to one stimulus.
  virtual std::pair<double, double> mean_response(const Belief& belief, std::size_t stimulus_idx) const = 0;

  virtual std::size_t num_nodes() const = 0;
  /// Parameters of one node, [num_parameters].
  virtual void node(std::size_t node_idx, std::span<double> parameters) const = 0;
  /// Expected response to one stimulus at one node.
  virtual double node_response(std::size_t node_idx, std::size_t stimulus_idx) const = 0;
  /// Σ_n b_n p(outcome | x, n) φ_nk for features φ [num_nodes, num_features]: out [num_outcomes, num_features].
  virtual void outcome_sums(const Belief& belief, std::size_t stimulus_idx, std::span<const double> features,
                            std::span<double> out) const = 0;
  /// The same summed over the nodes of each group, group [num_nodes]: out [num_outcomes, num_groups].
  virtual void outcome_groups(const Belief& belief, std::size_t stimulus_idx, std::span<const std::uint32_t> group,
                              std::span<double> out) const = 0;
  /// Takes an outcome of one stimulus into a fork of a belief. Throws: RunError where it is impossible.
  virtual void condition(Belief& fork, std::size_t stimulus_idx, std::size_t outcome) const = 0;
};

/// Capability of a belief on a finite set of nodes.
struct DiscreteView {
  std::span<const double> weights;  // probability of each node, [num_nodes]
  const OutcomeTables* tables = nullptr;
  const Belief* belief = nullptr;
  std::span<const Belief* const> outlook = {};  // equally likely beliefs after the pending responses; empty: none is pending
};

/// Capability of a Gaussian belief about a function φ at the members of the pool; the rate is f(φ).
struct FunctionView {
  std::span<const double> mean, variance;    // of φ, [num], pending responses included
  const ResponseLaw* law = nullptr;          // of the response given φ
  const double* prior_covariance = nullptr;  // K [num, num]
  std::size_t num_visited = 0;
  const double* root = nullptr;  // V [num_visited, num]: covariance = K - VᵀV
};

class TextLikelihood;

/// Capability of a belief by weighted sets of parameters of a model written as text.
struct SampleView {
  std::span<const double> weights;               // [num], sum to one
  const double* parameters = nullptr;            // [num_parameters + num_states, num]
  const TextLikelihood* likelihood = nullptr;    // what a stimulus does to each
  std::span<const std::vector<double>> outlook;  // equally likely weights after the pending responses; empty: none is pending
};

class Population;

/// Capability of beliefs about many cells that see the same stimulus.
struct PopulationView {
  const Population* model = nullptr;
  std::span<const GaussianView> cells;    // those present
  std::span<const std::size_t> cell_idx;  // of each, among all cells
  std::span<const double> weights;        // of each in the utility
  double gain_variance = 0;               // of a gain on the log rate that all cells share in a trial; 0: conditionally independent
};

class Model;

/// Capability of a belief over which of several models is right.
struct CandidatesView {
  std::span<const Model* const> models;
  std::span<const Belief* const> beliefs;
  std::span<const double> weights;  // posterior probability of each model
};

using Capability = std::variant<GaussianView, DiscreteView, SampleView, FunctionView, PopulationView, CandidatesView>;

/// What one update did.
struct Update {
  bool used = true;                              // false: nothing in the response could be used (missing at random or blanked)
  double log_evidence = 0;                       // log p(response | stimulus, everything before), nats
  std::span<const Prediction> predictions = {};  // [num_cells, num_bins], until the next update; empty: the model has none
};

/// What a response depends on besides the stimulus: what was shown and answered just before, and a gain on the rate of counts.
struct Context {
  std::vector<double> frames;     // [num_lags - 1, frame_dim], newest first
  std::vector<double> responses;  // [num_history, num_cells], newest first
  std::vector<double> states;     // of a model written as text; empty before the first trial
  double gain = 1;
  std::vector<double> s;  // scratch
};

/// Trials so far, for a refit.
struct History {
  std::size_t num_trials = 0;
  std::vector<double> stimuli;  // [num_trials, stimulus_dim]
  std::vector<double> values;   // [num_trials, num_cells * num_bins]
  std::vector<Mark> marks;      // [num_trials, num_cells * num_bins]; empty: all observed
};

/// An encoding model: constant, shared by threads.
class Model {
 public:
  virtual ~Model() = default;

  virtual std::unique_ptr<Belief> prior() const = 0;

  /// Throws: RunError for a stimulus or a response that an update would refuse.
  void check(std::span<const double> stimulus, const Response& response) const;

  /// Takes one response into the belief. `elapsed_s`: time since the previous update, for drift. Blanked and missing values are
  /// skipped, censored ones enter through their tail probability, pending ones as expected information that the next update of the
  /// same belief takes for granted (do that to a fork). An empty stimulus only lets the time pass. Allocates: nothing.
  /// Throws: RunError for a stimulus or a response that is not finite or has the wrong shape; the belief is then unchanged.
  virtual Update update(Belief& belief, std::span<const double> stimulus, const Response& response, double elapsed_s) const = 0;

  /// Fits hyper-parameters, where there are any to fit, and forms the belief anew from the whole history. Takes its time.
  /// Throws: SpecError where a model has no refit; RunError when none is found, the belief is then unchanged.
  virtual void refine(Belief& belief, const History& history) const;
  virtual bool can_refine() const { return false; }

  /// Expected response to each of num = stimuli.size() / stimulus_dim stimuli, averaged over the belief.
  virtual void predict(const Belief& belief, std::span<const double> stimuli, std::span<double> mean) const = 0;

  /// Mean and standard deviation of the parameters under the belief, [num_parameters] each.
  virtual void summarise(const Belief& belief, std::span<double> mean, std::span<double> sd) const = 0;

  /// The context before the first trial.
  virtual Context start() const { return {}; }

  /// Draws a response for known parameters, [num_cells, num_bins], and moves the context on.
  virtual void sample(std::span<const double> parameters, std::span<const double> stimulus, Context& context, Stream& stream,
                      std::span<double> response) const = 0;
  /// The same for a model of one value that does not look back.
  double sample(std::span<const double> parameters, std::span<const double> stimulus, Stream& stream) const;

  /// log p(response | parameters, stimulus), nats.
  virtual double log_likelihood(std::span<const double> parameters, std::span<const double> stimulus, double response) const = 0;

  /// What a design may see. Valid until the belief changes or dies.
  virtual Capability capability(const Belief& belief) const = 0;

  // Constants, set by the constructor.
  std::size_t stimulus_dim = 0;
  std::size_t num_cells = 1, num_bins = 1;  // of a response
  ResponseKind response_kind = ResponseKind::counts;
  std::int64_t num_choices = 0;              // of a choice; 0: the response is none
  bool has_context = false;                  // a response depends on earlier trials
  std::vector<std::string> parameter_names;  // [num_parameters]; empty names for weights of a stimulus
  std::size_t num_parameters = 0;
};

/// Throws: RunError for a response of another kind or shape, or with a value that is not finite or is impossible for the kind,
/// where the value counts (observed or censored).
void check_response(const Response& response, ResponseKind kind, std::size_t num_cells, std::size_t num_bins);

/// The mark of one value.
inline Mark mark_of(const Response& response, std::size_t i) { return response.marks.empty() ? Mark::observed : response.marks[i]; }

/// The value counts.
inline bool has_value(Mark mark) { return mark == Mark::observed || mark == Mark::censored; }

/// Throws RunError when a stimulus has the wrong length or a value that is not finite.
void check_stimulus(std::span<const double> stimulus, std::size_t stimulus_dim);

}  // namespace hartline::models
