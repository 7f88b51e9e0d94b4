// Generalised linear model with a Gaussian belief over its weights.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/describe.hpp"
#include "models/model.hpp"
#include "models/prior.hpp"

namespace hartline::models {

/// The `model` table of kind glm.
struct GlmSpec {
  std::string kind = "glm";
  std::string response = "poisson";
  std::string link = "exp";
  double bin_ms = 1000;
  double noise_sd = 1;
  double overdispersion = 0;
  bool bias = false;
  std::int64_t num_lags = 1;
  std::int64_t num_history = 0;
  bool coupling = false;

  template <class Field>
  static void describe(Field&& field) {
    field("kind", &GlmSpec::kind, "", one_of({"glm"}), "generalised linear model: E[r] = f(x·k + bias)");
    field("response", &GlmSpec::response, "", one_of({"poisson", "negative_binomial", "bernoulli", "gaussian"}),
          "law of the response");
    field("link", &GlmSpec::link, "", one_of({"exp", "softplus", "logistic", "identity"}), "f; a rate in Hz for poisson responses");
    field("bin_ms", &GlmSpec::bin_ms, "ms", positive(), "bin in which spikes are counted");
    field("noise_sd", &GlmSpec::noise_sd, "", positive(), "standard deviation of a gaussian response");
    field("overdispersion", &GlmSpec::overdispersion, "", non_negative(),
          "α of negative_binomial counts: variance μ + α μ², as under a gamma gain of variance α");
    field("bias", &GlmSpec::bias, "", any(), "whether the linear predictor has a constant term");
    field("num_lags", &GlmSpec::num_lags, "bins", at_least(1), "frames that a response looks back to, its own included");
    field("num_history", &GlmSpec::num_history, "bins", non_negative(), "own responses that a response looks back to");
    field("coupling", &GlmSpec::coupling, "", any(), "whether it looks back to the other cells' responses too");
  }
};

/// The `belief` table of a glm: prior N(mean, sd² I) and drift.
struct GaussianBeliefSpec {
  double prior_sd = 1;
  std::optional<PriorSpec> prior = {};
  std::optional<double> history_sd = {};
  double bias_mean = 0;
  double bias_sd = 1;
  double drift_per_s = 0;
  double bias_drift_per_s = 0;
  std::int64_t refine_every = 0;
  std::int64_t refine_lag = 10;
  bool refine_at_end = true;
  std::string censored = "tail";

  template <class Field>
  static void describe(Field&& field) {
    field("prior_sd", &GaussianBeliefSpec::prior_sd, "", positive(), "prior standard deviation of each weight");
    field("prior", &GaussianBeliefSpec::prior, "", any(), "covariance of the weights over space and lags; absent: prior_sd² I");
    field("history_sd", &GaussianBeliefSpec::history_sd, "", positive(),
          "prior standard deviation of each weight of a response; absent: prior_sd");
    field("bias_mean", &GaussianBeliefSpec::bias_mean, "", any(), "prior mean of the bias");
    field("bias_sd", &GaussianBeliefSpec::bias_sd, "", positive(), "prior standard deviation of the bias");
    field("drift_per_s", &GaussianBeliefSpec::drift_per_s, "1/s", non_negative(),
          "variance that a random walk adds to each weight per second");
    field("bias_drift_per_s", &GaussianBeliefSpec::bias_drift_per_s, "1/s", non_negative(), "the same for the bias");
    field("refine_every", &GaussianBeliefSpec::refine_every, "trials", non_negative(),
          "refit on the whole history after every so many trials, beside the ring; 0: never");
    field("refine_lag", &GaussianBeliefSpec::refine_lag, "trials", at_least(1),
          "a refit begun at trial t is taken over at trial t + refine_lag");
    field("refine_at_end", &GaussianBeliefSpec::refine_at_end, "", any(), "refit on the whole history when the run ends");
    field("censored", &GaussianBeliefSpec::censored, "", one_of({"tail", "skip", "forced_skip"}),
          "a response known only to be at least so large enters through its tail probability; skipping it biases the belief and is "
          "refused, unless forced");
  }
};

/// How trials follow each other, for a model that looks back.
struct Sequence {
  std::size_t num_frames = 1;      // of a stimulus; a response has as many bins
  bool isolated = false;           // nothing shown before a trial reaches into it
  std::size_t num_blank_bins = 0;  // at the start of each trial, always blanked
  std::size_t num_cells = 1;       // recorded together
};

/// N(mean, covariance), and the context of the next response.
struct GaussianBelief final : Belief {
  explicit GaussianBelief(std::size_t dim, std::size_t max_steps = 2);
  GaussianBelief(const GaussianBelief& other);
  GaussianBelief& operator=(const GaussianBelief& other);
  std::unique_ptr<Belief> fork() const override { return std::make_unique<GaussianBelief>(*this); }
  void replace_by(const Belief& other) override;
  std::uint64_t digest() const override;

  /// A new version begins, whose changes `steps` will list.
  void begin_change();
  /// Notes one change; returns where its g goes, [dim].
  double* add_step(bool is_pending);

  std::vector<double> mean;        // [dim]
  std::vector<double> covariance;  // [dim, dim], exactly symmetric
  double half_logdet = 0;          // ½ log det covariance, nats; NaN after drift, when it is not followed
  std::vector<double> hyper;       // hyper-parameters of the prior as they are now
  Context context;
  double mean_response = 0, num_responses = 0;  // so far

  std::uint64_t version = 0;
  bool exact = false;                         // the last change is all in `steps`
  std::vector<RankOneChange> steps, pending;  // g points into the two below
  std::vector<double> steps_g, pending_g;     // [max_steps, dim], [num_pending, dim]
  std::vector<Prediction> predictions;        // [num_bins] of the last update

  std::vector<double> s, h;           // [dim] scratch of the update
  mutable Reach reach;                // of the next stimulus
  mutable std::vector<double> fixed;  // [num_rows, dim]
};

/// Linear predictors of many responses: row i is s_i.
struct Rows {
  std::size_t num = 0;
  std::vector<double> s;    // [num, dim]
  std::vector<Datum> data;  // [num]
};

/// r_t ~ law(ρ_t), ρ_t = Σ_l k_l·x_{t-l} + Σ_j a_j r_{t-j} + Σ_c Σ_j b_cj r^c_{t-j} + bias; belief N(mean, covariance). Weights in
/// this order: k [num_lags, frame_dim], own history a [num_history], coupling b [other cells, num_history], bias.
///
/// Update by the one-step Laplace approximation, bin by bin: with g = C s, v = s·g, m = s·mean,
///
///   a = ∂ log p(r | ρ)/∂ρ at ρ = m + v a       mean ← mean + a g
///   D = -∂² log p(r | ρ)/∂ρ²                   C ← C - D/(1 + D v) g gᵀ,   log det C ← log det C - log(1 + D v)
///
/// preceded by C ← C + drift · elapsed I. Where D is not positive at the mode (possible only for laws that are not log-concave)
/// the expected information takes its place. A pending response keeps the mean and has log(1 + D v) = E log(1 + J(ρ) v), J the
/// expected information. Earlier responses that are missing or pending enter the history at their predicted mean.
/// Accuracy: golden values to 1e-8    (models_test.cpp: Glm.UpdateReproducesGoldenValues)
/// Reference: Lewi, Butera & Paninski 2009, Neural Computation 21:619
class Glm final : public Model {
 public:
  /// Throws: SpecError for an impossible pair of response and link.
  /// `shape`: of a frame, for a prior over space; empty: a line of frame_dim values.
  Glm(const GlmSpec& spec, const GaussianBeliefSpec& belief, std::size_t frame_dim, const Sequence& sequence = {},
      std::span<const std::int64_t> shape = {});

  std::unique_ptr<Belief> prior() const override;
  Update update(Belief& belief, std::span<const double> stimulus, const Response& response, double elapsed_s) const override;
  /// The mean to second order from the mode, and the mode's covariance; with prior.fit in turns with fits by Laplace evidence.
  /// O(num_responses dim²) an iteration. Throws: SpecError with drift, for which the history has no single parameter.
  void refine(Belief& belief, const History& history) const override;
  bool can_refine() const override { return !has_drift(); }
  void predict(const Belief& belief, std::span<const double> stimuli, std::span<double> mean) const override;
  void summarise(const Belief& belief, std::span<double> mean, std::span<double> sd) const override;
  Context start() const override;
  using Model::sample;
  void sample(std::span<const double> parameters, std::span<const double> stimulus, Context& context, Stream& stream,
              std::span<double> response) const override;
  double log_likelihood(std::span<const double> parameters, std::span<const double> stimulus, double response) const override;
  Capability capability(const Belief& belief) const override;

  /// The pieces of an update, for a population: the predictor of cell `cell` in bin `bin` of a stimulus, one response, and what
  /// the next bin sees. `responses` of the context: [num_history, num_cells].
  void place(const Context& context, std::span<const double> stimulus, std::size_t bin, std::size_t cell, double* s) const;
  Prediction observe(GaussianBelief& belief, const double* s, Datum datum, Mark mark, double& log_evidence) const;
  void advance(Context& context, std::span<const double> stimulus, std::size_t bin, std::span<const double> responses) const;
  void rest(Context& context) const;  // between isolated trials
  void let_time_pass(GaussianBelief& belief, double elapsed_s, bool is_pending) const;
  /// What the next stimulus reaches, for cell `cell`. Null where the model does not look back.
  const Reach* reach(const GaussianBelief& belief, const Context& context, std::size_t cell) const;

  /// The predictors of all values of a history that count, in order, for cell `cell` of `sequence().num_cells`.
  Rows rows(const History& history, std::size_t cell = 0) const;
  /// Mean m and variance v of ρ for each row.
  void project(const GaussianBelief& belief, const Rows& rows, std::span<double> m, std::span<double> v) const;
  bool has_drift() const { return belief_.drift_per_s > 0 || (bias_ && belief_.bias_drift_per_s > 0); }
  bool looks_back() const { return num_lags_ > 1 || num_history_ > 0 || sequence_.num_frames > 1; }
  const Sequence& sequence() const { return sequence_; }
  std::size_t frame_dim() const { return frame_dim_; }
  std::size_t num_lags() const { return num_lags_; }
  std::size_t num_history() const { return num_history_; }
  bool has_bias() const { return bias_; }

  ResponseLaw law;

 private:
  void set_prior(GaussianBelief& belief) const;
  /// Mode and covariance under the belief's prior; the likelihood around it, where `likelihood` is not null.
  void find_mode_of_all(GaussianBelief& belief, const Rows& rows, GaussianLikelihood* likelihood) const;

  GaussianBeliefSpec belief_;
  Prior prior_;
  Sequence sequence_;
  std::size_t frame_dim_, num_lags_, num_history_;
  bool coupling_, bias_;
};

/// ½ log det of the covariance, nats: accumulated where the belief follows it, else by Cholesky in O(dim³).
double half_logdet(const GaussianView& view);

/// log of the predictive density of one response, nats.
inline double log_predictive(const ResponseLaw& law, Datum response, double m, double v) {
  return log_evidence(law, response, m, v, find_mode(law, response, m, v));
}

}  // namespace hartline::models
