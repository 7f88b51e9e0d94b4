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

/// State of knowledge. Made by Model::prior, changed by Model::update only.
class Belief {
 public:
  virtual ~Belief() = default;
  /// A copy that shares nothing.
  virtual std::unique_ptr<Belief> fork() const = 0;
};

/// How the last update changed a Gaussian belief, so that whoever keeps projections of it can follow without starting again:
///   C ← C + inflation I,   then   C ← C - shrink g gᵀ,   mean ← mean + mean_step g
struct RankOneChange {
  std::uint64_t version = 0;  // counts changes of any kind
  bool exact = false;         // false: something else changed too; start again
  double inflation = 0;       // on the stimulus' coordinates
  double bias_inflation = 0;  // on the bias
  double shrink = 0;
  double mean_step = 0;
  const double* g = nullptr;  // [dim]
};

/// Capability of a belief N(mean, covariance) over the weights of a linear predictor ρ = sᵀθ, s = (x, 1 if there is a bias).
struct GaussianView {
  std::size_t dim = 0;                 // of θ
  std::size_t stimulus_dim = 0;        // of x: dim, or dim - 1 with a bias
  const double* mean = nullptr;        // [dim]
  const double* covariance = nullptr;  // [dim, dim]
  double half_logdet = 0;              // ½ log det covariance, accumulated
  const ResponseLaw* law = nullptr;    // of the response given ρ
  RankOneChange change;
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
};

/// Capability of a belief on a finite set of nodes.
struct DiscreteView {
  std::span<const double> weights;  // probability of each node, [num_nodes]
  const OutcomeTables* tables = nullptr;
  const Belief* belief = nullptr;
};

using Capability = std::variant<GaussianView, DiscreteView>;

/// What one update did.
struct Update {
  bool used = true;         // false: nothing in the response could be used (missing at random or blanked)
  double log_evidence = 0;  // log p(response | stimulus, everything before), nats
};

/// An encoding model: constant, shared by threads. At most six verbs.
class Model {
 public:
  virtual ~Model() = default;

  virtual std::unique_ptr<Belief> prior() const = 0;

  /// Takes one response into the belief. `elapsed_s`: time since the previous update, for drift. Allocates: nothing.
  /// Throws: RunError for a stimulus or a response that is not finite or has the wrong shape; the belief is then unchanged.
  virtual Update update(Belief& belief, std::span<const double> stimulus, const Response& response, double elapsed_s) const = 0;

  /// Expected response to each of num = stimuli.size() / stimulus_dim stimuli, averaged over the belief.
  virtual void predict(const Belief& belief, std::span<const double> stimuli, std::span<double> mean) const = 0;

  /// Draws a response for known parameters.
  virtual double sample(std::span<const double> parameters, std::span<const double> stimulus, Stream& stream) const = 0;

  /// log p(response | parameters, stimulus), nats.
  virtual double log_likelihood(std::span<const double> parameters, std::span<const double> stimulus, double response) const = 0;

  /// What a design may see. Valid until the belief changes or dies.
  virtual Capability capability(const Belief& belief) const = 0;

  // Constants, set by the constructor.
  std::size_t stimulus_dim = 0;
  ResponseKind response_kind = ResponseKind::counts;
  std::vector<std::string> parameter_names;  // [num_parameters]; empty names for weights of a stimulus
  std::size_t num_parameters = 0;
};

/// The single observed value of a response of one cell and one bin, or nothing where it may be skipped.
/// Throws: RunError for a wrong shape, a value that is not finite or is impossible for `kind`, or a censored value, which these
/// beliefs have no likelihood for: dropping it would bias them.
bool observed_value(const Response& response, ResponseKind kind, double& value);

/// Throws RunError when a stimulus has the wrong length or a value that is not finite.
void check_stimulus(std::span<const double> stimulus, std::size_t stimulus_dim);

}  // namespace hartline::models
