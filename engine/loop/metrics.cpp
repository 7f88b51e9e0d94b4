#include "loop/metrics.hpp"

#include <cmath>
#include <numbers>

#include "loop/spiking.hpp"
#include "models/candidates.hpp"
#include "models/gaussian_process.hpp"
#include "models/grid.hpp"
#include "models/population.hpp"
#include "models/text_model.hpp"
#include "numerics/special.hpp"

namespace hartline::loop {

namespace {

double relative_distance(const std::vector<double>& a, const std::vector<double>& b) {
  double distance = 0, length = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    distance += (a[i] - b[i]) * (a[i] - b[i]);
    length += b[i] * b[i];
  }
  return std::sqrt(distance / length);
}

/// Some stimuli of a box, evenly spread.
std::vector<double> spread_over(const design::StimulusSet& set) {
  constexpr std::size_t num = 200;
  std::vector<double> out(num * set.dim);
  for (std::size_t i = 0; i < num; ++i) {
    Stream stream(0, Purpose::pool, i);
    for (std::size_t j = 0; j < set.dim; ++j) out[i * set.dim + j] = set.value_at(j, stream.uniform());
  }
  return out;
}

double relative_error(const Experiment& e, const Learner& learner, const std::vector<double>& truth, std::size_t arm) {
  if (e.glm() || e.population()) return relative_distance(learner.mean(arm).values, truth);
  if (const auto* process = e.process()) {
    std::vector<double> estimate(e.stimuli.num()), expected(truth);
    process->predict(learner.belief(arm), e.stimuli.pool, estimate);
    for (double& f : expected) f = process->law.mean(f);
    return relative_distance(estimate, expected);
  }
  if (const auto* samples = e.samples()) {
    // over the pool, or over a spread of a box that is the same for all
    const std::vector<double> stimuli = e.stimuli.pool.empty() ? spread_over(e.stimuli) : e.stimuli.pool;
    const std::size_t dim = e.stimuli.dim;
    std::vector<double> estimate(stimuli.size() / dim), expected(estimate.size());
    samples->predict(learner.belief(arm), stimuli, estimate);
    for (std::size_t x = 0; x < expected.size(); ++x) expected[x] = samples->expected_response(truth, {&stimuli[x * dim], dim});
    return relative_distance(estimate, expected);
  }
  const auto& grid = *e.grid();
  std::vector<double> estimate(grid.num_stimuli()), expected(grid.num_stimuli());
  for (std::size_t x = 0; x < grid.num_stimuli(); ++x) {
    estimate[x] = grid.mean_response(learner.belief(arm), x).first;
    expected[x] = grid.expected_response(truth, grid.stimuli().subspan(x * grid.stimulus_dim, grid.stimulus_dim));
  }
  return relative_distance(estimate, expected);
}

double correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const auto n = static_cast<double>(a.size());
  double mean_a = 0, mean_b = 0, ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    mean_a += a[i] / n;
    mean_b += b[i] / n;
  }
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - mean_a) * (b[i] - mean_b);
    aa += (a[i] - mean_a) * (a[i] - mean_a);
    bb += (b[i] - mean_b) * (b[i] - mean_b);
  }
  return aa > 1e-24 * n * (1 + mean_a * mean_a) && bb > 0 ? ab / std::sqrt(aa * bb) : 0;
}

/// Log predictive density of each held-out response, summed, nats.
double log_predictive_sum(const Experiment& e, const models::Belief& any_belief, const HeldOut& held_out) {
  double total = 0;
  if (const auto* glm = e.glm()) {
    const std::size_t num = held_out.rows.num;
    std::vector<double> m(num), v(num);
    glm->project(dynamic_cast<const models::GaussianBelief&>(any_belief), held_out.rows, m, v);
    for (std::size_t i = 0; i < num; ++i) total += models::log_predictive(glm->law, held_out.rows.data[i], m[i], v[i]);
  } else if (const auto* process = e.process()) {
    const auto& belief = dynamic_cast<const models::GaussianProcessBelief&>(any_belief);
    for (std::size_t i = 0; i < held_out.trials.num_trials; ++i) {
      const auto [m, v] = process->moments(belief, &held_out.trials.stimuli[i * e.stimuli.dim]);
      total += models::log_predictive(process->law, held_out.trials.values[i], m, v);
    }
  } else if (const auto* samples = e.samples()) {
    const auto& belief = dynamic_cast<const models::SampleBelief&>(any_belief);
    const models::History& trials = held_out.trials;
    for (std::size_t i = 0; i < trials.num_trials; ++i)
      total += samples->log_predictive(belief, {&trials.stimuli[i * e.stimuli.dim], e.stimuli.dim}, trials.values[i]);
  } else {
    const auto& belief = dynamic_cast<const models::GridBelief&>(any_belief);
    const models::History& trials = held_out.trials;
    for (std::size_t i = 0; i < trials.num_trials; ++i)
      total += e.grid()->log_predictive(belief, {&trials.stimuli[i * e.stimuli.dim], e.stimuli.dim}, trials.values[i]);
  }
  return total;
}

/// Predicted mean of each held-out response.
std::vector<double> predicted(const Experiment& e, const models::Belief& belief, const HeldOut& held_out) {
  std::vector<double> mean(held_out.responses().size());
  if (const auto* glm = e.glm()) {
    std::vector<double> v(mean.size());
    glm->project(dynamic_cast<const models::GaussianBelief&>(belief), held_out.rows, mean, v);
    for (std::size_t i = 0; i < mean.size(); ++i) mean[i] = models::expected_response(glm->law, mean[i], v[i]);
  } else {
    e.model->predict(belief, held_out.trials.stimuli, mean);
  }
  return mean;
}

double bits_per_spike(double log_likelihood, const HeldOut& held_out) {
  if (!(held_out.constant_rate > 0)) return std::nan("");  // no spike was held out
  double constant = 0, spikes = 0;
  for (double r : held_out.responses()) {
    constant += r * std::log(held_out.constant_rate) - held_out.constant_rate - numerics::log_factorial(r);
    spikes += r;
  }
  return (log_likelihood - constant) / spikes / std::numbers::ln2;
}

}  // namespace

std::vector<double> HeldOut::responses() const {
  std::vector<double> out;
  for (std::size_t i = 0; i < trials.values.size(); ++i)
    if (trials.marks.empty() || trials.marks[i] == Mark::observed) out.push_back(trials.values[i]);
  return out;
}

HeldOut make_held_out(const Experiment& e, std::int64_t num) {
  HeldOut out;
  models::History& trials = out.trials;
  const std::size_t dim = e.stimuli.dim, num_values = e.model->num_cells * e.model->num_bins;
  if (e.candidates()) return out;
  // of several responses there is no one number, and with states what is held out depends on what came before
  if (const auto* samples = e.samples(); samples && (samples->num_cells > 1 || samples->has_context)) return out;
  if (e.recording) {
    const Recording& recording = *e.recording;
    const auto row = static_cast<std::int64_t>(dim), bins = static_cast<std::int64_t>(num_values);
    trials.num_trials = static_cast<std::size_t>(recording.held_out_last - recording.held_out_first);
    trials.stimuli.assign(recording.stimuli.begin() + recording.held_out_first * row,
                          recording.stimuli.begin() + recording.held_out_last * row);
    trials.values.assign(recording.responses.begin() + recording.held_out_first * bins,
                         recording.responses.begin() + recording.held_out_last * bins);
    trials.marks.assign(trials.values.size(), Mark::observed);
    for (std::size_t t = 0; t < trials.num_trials; ++t)
      std::fill_n(trials.marks.begin() + static_cast<std::ptrdiff_t>(t * num_values), recording.num_blank_bins, Mark::blanked);
  } else if (!e.truth.empty()) {
    std::vector<double> x(dim), response(num_values);
    models::Context context = e.answering().start();
    for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(num); ++i) {
      Stream stream(e.seed, Purpose::held_out, i);
      if (e.stimuli.kind() == design::SetKind::box && e.samples()) {
        for (std::size_t j = 0; j < dim; ++j) x[j] = e.stimuli.value_at(j, stream.uniform());
      } else if (e.stimuli.pool.empty()) {
        stream.fill_sphere(x, std::sqrt(e.stimuli.power));
      } else {
        const auto member = static_cast<std::size_t>(stream.integer(static_cast<std::int64_t>(e.stimuli.num())));
        x.assign(e.stimuli.pool.begin() + static_cast<std::ptrdiff_t>(member * dim),
                 e.stimuli.pool.begin() + static_cast<std::ptrdiff_t>((member + 1) * dim));
      }
      e.answering().sample(e.truth, x, context, stream, response);
      trials.stimuli.insert(trials.stimuli.end(), x.begin(), x.end());
      trials.values.insert(trials.values.end(), response.begin(), response.end());
      ++trials.num_trials;
    }
  }
  if (e.glm()) out.rows = e.glm()->rows(trials);
  const std::vector<double> responses = out.responses();
  for (double r : responses) out.constant_rate += r / static_cast<double>(responses.size());
  return out;
}

namespace {

double field_correlation(const Experiment& e, const Learner& learner, std::size_t arm) {
  const std::vector<double>& field = e.spiking->field;
  const Array mean = learner.mean(arm);
  const std::size_t cells = e.model->num_cells, dim = mean.values.size() / cells, num = field.size() / cells;
  double out = 0;
  for (std::size_t c = 0; c < cells; ++c) {
    double of_field = 0, of_mean = 0, both = 0;
    for (std::size_t i = 0; i < num; ++i) {
      const double k = field[c * num + i], m = mean.values[c * dim + i];
      of_field += k * k;
      of_mean += m * m;
      both += k * m;
    }
    out += of_mean > 0 ? both / std::sqrt(of_field * of_mean) / static_cast<double>(cells) : 0;
  }
  return out;
}

}  // namespace

std::vector<Metric> metrics_of(const Experiment& e, const HeldOut& held_out) {
  std::vector<Metric> out;
  if (e.candidates()) return {Metric::entropy};  // they have no parameters in common
  if (!e.truth.empty()) out.push_back(Metric::relative_error);
  if (e.has_fields()) out.push_back(Metric::field_correlation);
  out.push_back(e.glm() || e.population() ? Metric::half_logdet : e.process() ? Metric::posterior_sd : Metric::entropy);
  if (e.population()) return out;
  if (held_out.trials.num_trials == 0) return out;
  out.push_back(Metric::heldout_correlation);
  if (e.model->response_kind == ResponseKind::counts) out.push_back(Metric::heldout_bits_per_spike);
  out.push_back(Metric::heldout_log_likelihood);
  return out;
}

double uncertainty(const Experiment& e, const models::Belief& belief) {
  if (e.grid()) return models::entropy(dynamic_cast<const models::GridBelief&>(belief));
  if (e.candidates()) return models::entropy(dynamic_cast<const models::CandidatesBelief&>(belief));
  // relative to the prior
  if (e.samples()) return -dynamic_cast<const models::SampleBelief&>(belief).information;
  const models::Capability capability = e.model->capability(belief);
  if (const auto* view = std::get_if<models::GaussianView>(&capability)) return models::half_logdet(*view);
  double total = 0;
  if (const auto* view = std::get_if<models::FunctionView>(&capability)) {
    for (double v : view->variance) total += v / static_cast<double>(view->variance.size());
    return std::sqrt(total);
  }
  for (const models::GaussianBelief& cell : dynamic_cast<const models::PopulationBelief&>(belief).cells) {
    models::GaussianView view;
    view.dim = cell.mean.size();
    view.covariance = cell.covariance.data();
    view.half_logdet = cell.half_logdet;
    total += models::half_logdet(view);
  }
  return total;
}

std::vector<double> measure(const Experiment& e, const Learner& learner, const std::vector<double>& truth, const HeldOut& held_out,
                            const std::vector<Metric>& metrics, std::size_t arm) {
  std::vector<double> out;
  double log_likelihood = std::nan("");
  for (const Metric metric : metrics) {
    if (metric >= Metric::heldout_bits_per_spike && std::isnan(log_likelihood))
      log_likelihood = log_predictive_sum(e, learner.belief(arm), held_out);
    switch (metric) {
      case Metric::relative_error:
        out.push_back(relative_error(e, learner, truth, arm));
        break;
      case Metric::field_correlation:
        out.push_back(field_correlation(e, learner, arm));
        break;
      case Metric::half_logdet:
      case Metric::posterior_sd:
      case Metric::entropy:
        out.push_back(uncertainty(e, learner.belief(arm)));
        break;
      case Metric::heldout_correlation: {
        out.push_back(correlation(predicted(e, learner.belief(arm), held_out), held_out.responses()));
        break;
      }
      case Metric::heldout_bits_per_spike:
        out.push_back(bits_per_spike(log_likelihood, held_out));
        break;
      case Metric::heldout_log_likelihood:
        out.push_back(log_likelihood / static_cast<double>(held_out.responses().size()));
        break;
    }
  }
  return out;
}

}  // namespace hartline::loop
