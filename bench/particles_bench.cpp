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

constexpr std::size_t num_experiments = 60, num_checked = 8, num_draws = 1'000'000;

/// log p(responses) by the mean of the likelihood over draws of the prior, and its standard error.
std::pair<double, double> evidence_by_draws(const models::TextLikelihood& likelihood, const models::TextHistory& history) {
  constexpr std::size_t block = 10000;
  double total = 0, square = 0, top = -INFINITY;
  std::vector<double> rows(4 * block), sum(block), one(block);
  for (std::size_t first = 0; first < num_draws; first += block) {
    likelihood.draw_prior(1, Purpose::test, first, block, rows);
    std::fill(sum.begin(), sum.end(), 0.0);
    for (std::size_t t = 0; t < history.num; ++t) {
      likelihood({&history.stimuli[2 * t], 2}, history.responses[t], {rows.data(), block, block}, one.data());
      for (std::size_t i = 0; i < block; ++i) sum[i] += one[i];
    }
    for (const double x : sum) {
      if (x > top) {
        total *= std::exp(top - x);
        square *= std::exp(2 * (top - x));
        top = x;
      }
      total += std::exp(x - top);
      square += std::exp(2 * (x - top));
    }
  }
  return {top + std::log(total / num_draws), std::sqrt(square) / total};
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
  double farthest = 0;  // of evidences, in standard errors of both
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
    const auto [by_draws, error] = evidence_by_draws(experiment->samples()->likelihood(), belief.history);
    farthest = std::max(farthest, std::abs(belief.log_evidence - by_draws) / std::hypot(error, 0.15));
  }
  double mean = 0;
  for (const double ms : trial_ms) mean += ms / static_cast<double>(trial_ms.size());
  const double p99 = quantile(trial_ms, 0.99);
  const std::string answer = fmt::format(
      "{} trials; log evidences of {} experiments from those by {} draws of the prior by {:.1f} standard errors at most (0.15 of "
      "ours)",
      trial_ms.size(), num_checked, num_draws, farthest);
  const bool right = farthest < 4;
  return {{"particles/5000", "trial mean", mean, "ms", "", {}, {}, "<= 25", mean <= 25, "", true, right, answer},
          {"particles/5000", "trial p99", p99, "ms", "", {}, {}, "<= 60", p99 <= 60, "", true, right, answer},
          long_run()};
}

}  // namespace hartline::bench
