// Generalised linear model with a Gaussian belief over its weights.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/describe.hpp"
#include "models/model.hpp"

namespace hartline::models {

/// The `model` table of kind glm.
struct GlmSpec {
  std::string kind = "glm";
  std::string response = "poisson";
  std::string link = "exp";
  double bin_ms = 1000;
  double noise_sd = 1;
  bool bias = false;

  template <class Field>
  static void describe(Field&& field) {
    field("kind", &GlmSpec::kind, "", one_of({"glm"}), "generalised linear model: E[r] = f(x·k + bias)");
    field("response", &GlmSpec::response, "", one_of({"poisson", "bernoulli", "gaussian"}), "law of the response");
    field("link", &GlmSpec::link, "", one_of({"exp", "softplus", "logistic", "identity"}), "f; a rate in Hz for poisson responses");
    field("bin_ms", &GlmSpec::bin_ms, "ms", positive(), "bin in which spikes are counted");
    field("noise_sd", &GlmSpec::noise_sd, "", positive(), "standard deviation of a gaussian response");
    field("bias", &GlmSpec::bias, "", any(), "whether the linear predictor has a constant term");
  }
};

/// The `belief` table of a glm: prior N(mean, sd² I) and drift.
struct GaussianBeliefSpec {
  double prior_sd = 1;
  double bias_mean = 0;
  double bias_sd = 1;
  double drift_per_s = 0;
  double bias_drift_per_s = 0;
  std::int64_t refine_every = 0;
  std::int64_t refine_lag = 10;
  bool refine_at_end = true;

  template <class Field>
  static void describe(Field&& field) {
    field("prior_sd", &GaussianBeliefSpec::prior_sd, "", positive(), "prior standard deviation of each weight");
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
  }
};

/// N(mean, covariance).
struct GaussianBelief final : Belief {
  explicit GaussianBelief(std::size_t dim);
  GaussianBelief(const GaussianBelief& other);
  GaussianBelief& operator=(const GaussianBelief& other);
  std::unique_ptr<Belief> fork() const override { return std::make_unique<GaussianBelief>(*this); }

  std::vector<double> mean;        // [dim]
  std::vector<double> covariance;  // [dim, dim], exactly symmetric
  double half_logdet = 0;          // ½ log det covariance, nats; NaN after drift, when it is not followed
  RankOneChange change;            // by the last update; change.g points into g

  std::vector<double> s, g, h;  // [dim] scratch of the update
};

/// Responses so far, for a refit.
struct History {
  std::size_t num_trials = 0;
  std::vector<double> stimuli;    // [num_trials, stimulus_dim]
  std::vector<double> responses;  // [num_trials]
};

/// r_t ~ law(ρ_t), ρ_t = k·x_t + bias; belief N(mean, covariance).
///
/// Update by the one-step Laplace approximation: with g = C s, v = s·g, m = s·mean,
///
///   a = ∂ log p(r | ρ)/∂ρ at ρ = m + v a       mean ← mean + a g
///   D = -∂² log p(r | ρ)/∂ρ²                   C ← C - D/(1 + D v) g gᵀ,   log det C ← log det C - log(1 + D v)
///
/// preceded by C ← C + drift · elapsed I. Where D is not positive at the mode (possible only for laws that are not log-concave)
/// the expected information takes its place.
/// Accuracy: golden values to 1e-8    (models_test.cpp: Glm.UpdateReproducesGoldenValues)
/// Reference: Lewi, Butera & Paninski 2009, Neural Computation 21:619
class Glm final : public Model {
 public:
  /// Throws: SpecError for an impossible pair of response and link.
  Glm(const GlmSpec& spec, const GaussianBeliefSpec& belief, std::size_t stimulus_dim);

  std::unique_ptr<Belief> prior() const override;
  Update update(Belief& belief, std::span<const double> stimulus, const Response& response, double elapsed_s) const override;
  void predict(const Belief& belief, std::span<const double> stimuli, std::span<double> mean) const override;
  double sample(std::span<const double> parameters, std::span<const double> stimulus, Stream& stream) const override;
  double log_likelihood(std::span<const double> parameters, std::span<const double> stimulus, double response) const override;
  Capability capability(const Belief& belief) const override;

  /// Replaces the belief by the Laplace approximation around the joint mode of the whole history. O(num_trials dim²) an iteration.
  /// Throws: SpecError with drift, for which the history has no single parameter; RunError when no mode is found.
  void refine(GaussianBelief& belief, const History& history) const;

  /// Mean m and variance v of ρ for each of num stimuli.
  void project(const GaussianBelief& belief, std::span<const double> stimuli, std::span<double> m, std::span<double> v) const;

  bool has_drift() const { return belief_.drift_per_s > 0 || (bias_ && belief_.bias_drift_per_s > 0); }

  ResponseLaw law;

 private:
  double linear_predictor(std::span<const double> parameters, std::span<const double> stimulus) const;

  GaussianBeliefSpec belief_;
  bool bias_;
};

/// ½ log det of the covariance, nats: accumulated where the belief follows it, else by Cholesky in O(dim³).
double half_logdet(const GaussianView& view);

/// log of the predictive density of one response, nats.
inline double log_predictive(const ResponseLaw& law, double response, double m, double v) {
  return log_evidence(law, response, m, v, find_mode(law, response, m, v));
}

}  // namespace hartline::models
