// Metrics: how good a belief is, against a known truth or against held-out responses.
#pragma once

#include <string_view>
#include <vector>

#include "loop/learner.hpp"

namespace hartline::loop {

enum class Metric : std::uint8_t {
  relative_error,
  field_correlation,
  half_logdet,
  entropy,
  posterior_sd,
  heldout_correlation,
  heldout_bits_per_spike,
  heldout_log_likelihood
};
constexpr std::size_t num_metrics = 8;

struct MetricInfo {
  std::string_view name, label, unit;
  bool lower_is_better;
};
constexpr MetricInfo metric_info[num_metrics] = {
    {"relative_error", "Relative error", "", true},
    {"field_correlation", "Correlation with the field", "", false},
    {"half_logdet", "½ log det covariance", "nats", true},
    {"entropy", "Posterior entropy", "nats", true},
    {"posterior_sd", "Posterior standard deviation of φ", "", true},
    {"heldout_correlation", "Held-out correlation", "", false},
    {"heldout_bits_per_spike", "Held-out information", "bits per spike", false},
    {"heldout_log_likelihood", "Held-out log-likelihood", "nats per trial", false},
};

/// Trials that no design sees.
struct HeldOut {
  models::History trials;
  models::Rows rows;                      // their predictors, of a linear model
  double constant_rate = 0;               // mean held-out response
  std::vector<double> responses() const;  // those that count, in order
};

/// Held-out trials: of the recording, or `num` simulated ones with stimuli of the set (uniform on the sphere of a ball, uniform in
/// a pool). The same for every design.
HeldOut make_held_out(const Experiment& experiment, std::int64_t num);

/// The metrics that this experiment has, in the order of `Metric`.
std::vector<Metric> metrics_of(const Experiment& experiment, const HeldOut& held_out);

/// The metric half_logdet, entropy or posterior_sd, whichever this experiment's beliefs have.
double uncertainty(const Experiment& experiment, const models::Belief& belief);

/// One value for each of `metrics`, of one arm's belief:
///
///   relative_error           |E[θ] - θ| / |θ|; on a grid or of a Gaussian process |E[f] - f| / |f| for the expected
///                            response f over the stimuli
///   field_correlation        cosine of the expected weights and the field that drives a spiking cell, mean over cells
///   half_logdet              ½ log det covariance, nats; of a population the sum over its cells
///   entropy                  of the belief over the grid, nats
///   posterior_sd             of the function φ of a Gaussian process: root of its mean variance over the stimuli
///   heldout_correlation      Pearson, predictive mean against single responses; 0 for a constant prediction
///   heldout_bits_per_spike   (log predictive density - log Poisson density of the constant rate) / spikes / ln 2
///   heldout_log_likelihood   mean log predictive density, nats
std::vector<double> measure(const Experiment& experiment, const Learner& learner, const std::vector<double>& truth,
                            const HeldOut& held_out, const std::vector<Metric>& metrics, std::size_t arm = 0);

}  // namespace hartline::loop
