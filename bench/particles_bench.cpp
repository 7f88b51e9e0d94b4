// Update and choice with 5,000 particles: two sources in the plane are looked for, ten trials, anything in a box may be shown; and
// updates of a long run.
#include <fmt/format.h>

#include "bench/measure.hpp"
#include "io/toml.hpp"
#include "loop/run.hpp"
#include "models/particles.hpp"

namespace hartline::bench {

namespace {

constexpr const char* sources = R"toml(
format = 1
seed = 1
num_trials = 10
[stimulus]
x = "box(-4, 4)[2]"
[model]
response = "y ~ normal(log(intensity), 0.5)"
intensity = "0.1 + sum(k in 2, 1 / (1e-4 + sum(j in 2, (x[j] - theta[k, j])^2)))"
[model.parameters]
theta = "normal(0, 1)[2, 2]"
[belief]
kind = "particles"
num_particles = 5000
)toml";

constexpr std::size_t num_experiments = 60, num_checked = 20, num_draws = 400'000, num_centres = 200;
constexpr double spreads[] = {0.01, 0.1, 0.5};

/// log p(responses) and its standard error by importance: half of the draws from the prior, which is N(0, I) and finds what the
/// belief may have lost, half about places where the belief is, with three spreads.
std::pair<double, double> evidence_by_draws(const models::TextLikelihood& likelihood, const models::ParticleBelief& belief) {
  constexpr std::size_t dim = 4, block = 10000;
  const models::TextHistory& history = belief.history;
  std::vector<double> centres(dim * num_centres), rows(dim * block), sum(block), one(block);
  Stream stream(1, Purpose::test, 1);
  for (std::size_t c = 0; c < num_centres; ++c) {
    double u = stream.uniform();
    std::size_t i = 0;
    while (i + 1 < belief.num() && u >= belief.weights[i]) u -= belief.weights[i++];
    for (std::size_t k = 0; k < dim; ++k) centres[k * num_centres + c] = belief.parameters[k * belief.num() + i];
  }
  const auto log_normal = [](double square, double sd) { return -0.5 * square / (sd * sd) - dim * std::log(sd); };
  double total = 0, square_total = 0, top = -INFINITY;
  for (std::size_t first = 0; first < num_draws; first += block) {
    likelihood.draw_prior(1, Purpose::test, first, block, rows);
    for (std::size_t i = 1; i < block; i += 2) {
      const auto c = static_cast<std::size_t>(stream.integer(num_centres));
      const double sd = spreads[stream.integer(std::size(spreads))];
      for (std::size_t k = 0; k < dim; ++k) rows[k * block + i] = centres[k * num_centres + c] + sd * stream.normal();
    }
    std::fill(sum.begin(), sum.end(), 0.0);
    for (std::size_t t = 0; t < history.num; ++t) {
      likelihood({&history.stimuli[2 * t], 2}, history.responses[t], {rows.data(), block, block}, one.data());
      for (std::size_t i = 0; i < block; ++i) sum[i] += one[i];
    }
    for (std::size_t i = 0; i < block; ++i) {
      double of_prior = 0, near = 0;
      for (std::size_t k = 0; k < dim; ++k) of_prior += rows[k * block + i] * rows[k * block + i];
      for (std::size_t c = 0; c < num_centres; ++c) {
        double square = 0;
        for (std::size_t k = 0; k < dim; ++k) square += std::pow(rows[k * block + i] - centres[k * num_centres + c], 2);
        for (const double sd : spreads) near += std::exp(log_normal(square, sd)) / (num_centres * std::size(spreads));
      }
      const double prior = log_normal(of_prior, 1), x = sum[i] + prior - std::log(0.5 * std::exp(prior) + 0.5 * near);
      if (x > top) {
        total *= std::exp(top - x);
        square_total *= std::exp(2 * (top - x));
        top = x;
      }
      total += std::exp(x - top);
      square_total += std::exp(2 * (x - top));
    }
  }
  return {top + std::log(total / num_draws), std::sqrt(square_total) / total};
}

/// Updates of 2,000 trials of a line through the origin, whose posterior is known: the later half beside the earlier.
Row long_run() {
  constexpr const char* line = R"toml(
format = 1
seed = 1
num_trials = 2000
[stimulus]
x = "box(-1, 1)"
[model]
response = "r ~ normal(w * x, 0.5)"
[model.parameters]
w = "normal(0, 1)"
[belief]
kind = "particles"
num_particles = 5000
)toml";
  constexpr std::size_t num_trials = 2000;
  const auto executor = make_serial_executor();
  const auto experiment = loop::build(loop::read_spec(io::parse_toml(line, "line"), "line"), "", 1, *executor);
  const models::Model& model = *experiment->model;
  const auto belief = model.prior();
  std::vector<double> half_ms[2];
  double precision = 1, weighted = 0;
  Response response{ResponseKind::trace, 1, 1, {0}, {}, ""};
  for (std::size_t t = 0; t < num_trials; ++t) {
    Stream stream(2, Purpose::test, t);
    const double x = stream.uniform() < 0.5 ? -1 : 1, r = -0.4 * x + 0.5 * stream.normal();
    precision += 4;
    weighted += 4 * x * r;
    response.values[0] = r;
    const double begin = thread_ms();
    model.update(*belief, {&x, 1}, response, 0);
    half_ms[t / (num_trials / 2)].push_back(thread_ms() - begin);
  }
  double mean = 0, sd = 0;
  model.summarise(*belief, {&mean, 1}, {&sd, 1});
  const double off = std::abs(mean - weighted / precision) * std::sqrt(precision), width = sd * std::sqrt(precision);
  const double early = quantile(half_ms[0], 0.99), late = quantile(half_ms[1], 0.99), ratio = early / late;
  return {"particles/5000/2000 trials",
          "update p99, later half",
          late,
          "ms",
          "the earlier half",
          early,
          ratio,
          "ratio >= 0.8",
          ratio >= 0.8,
          "",
          true,
          off < 0.3 && std::abs(width - 1) < 0.15,
          fmt::format("posterior of a line: mean off by {:.2f} sd, sd {:.2f} times the exact one", off, width)};
}

}  // namespace

Rows particle_rows() {
  const auto executor = make_serial_executor();
  const auto record = loop::make_null_record();
  const SteadyClock clock;
  const loop::Spec spec = loop::read_spec(io::parse_toml(sources, "sources"), "sources");
  std::vector<double> trial_ms;
  double farthest = 0, sum = 0, square_sum = 0, largest_error = 0;  // of log evidences; standard error of the draws, nats
  for (std::size_t e = 0; e < num_experiments; ++e) {
    const auto experiment = loop::build(spec, "", e + 1, *executor);
    loop::Run run(*experiment, *record, clock);
    double begin = thread_ms();
    for (std::int64_t t = 0; t < spec.num_trials; ++t) {
      run.step();
      trial_ms.push_back(thread_ms() - begin);
      begin = thread_ms();
    }
    if (e >= num_checked) continue;
    const auto& belief = dynamic_cast<const models::ParticleBelief&>(run.learner().belief());
    const auto [by_draws, error] = evidence_by_draws(experiment->samples()->likelihood(), belief);
    largest_error = std::max(largest_error, error);
    const double off = belief.log_evidence - by_draws;
    farthest = std::max(farthest, std::abs(off));
    sum += off;
    square_sum += off * off;
  }
  double mean = 0;
  for (const double ms : trial_ms) mean += ms / static_cast<double>(trial_ms.size());
  const double p99 = quantile(trial_ms, 0.99);
  const double bias = sum / num_checked, rms = std::sqrt(square_sum / num_checked);
  const std::string answer = fmt::format(
      "{} trials; log evidences of {} experiments off those by {} draws, half of them of the prior, by {:.2f} nats rms, {:+.2f} in "
      "the "
      "mean, {:.2f} at most (standard error of the draws at most {:.2f})",
      trial_ms.size(), num_checked, num_draws, rms, bias, farthest, largest_error);
  const bool right = rms < 0.5 && std::abs(bias) < 0.3 && largest_error < 0.5;
  return {{"particles/5000", "trial mean", mean, "ms", "", {}, {}, "<= 25", mean <= 25, "", true, right, answer},
          {"particles/5000", "trial p99", p99, "ms", "", {}, {}, "<= 60", p99 <= 60, "", true, right, answer},
          long_run()};
}

}  // namespace hartline::bench
