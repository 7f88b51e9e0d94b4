#include "models/particles.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "models/refuted.hpp"

namespace hartline::models {

namespace {

constexpr std::size_t block = 128;      // particles that move together
constexpr std::size_t max_stages = 60;  // of one response
constexpr double jitter = 1e-5;         // so that no direction is out of reach

double effective_of(std::span<const double> weights) {
  double total = 0, square = 0;
  for (const double w : weights) {
    total += w;
    square += w * w;
  }
  return total * total / square;
}

/// Effective number of particles of weights w_i e^(β ℓ_i).
double effective_at(std::span<const double> weights, std::span<const double> log_likelihood, double top, double power) {
  double total = 0, square = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double w = weights[i] * std::exp(power * (log_likelihood[i] - top));
    total += w;
    square += w * w;
  }
  return total * total / square;
}

}  // namespace

std::uint64_t ParticleBelief::digest() const {
  return content_hash(parameters.data(), parameters.size()) * 0x9e3779b97f4a7c15ULL + content_hash(weights.data(), weights.size());
}

ParticleModel::ParticleModel(std::shared_ptr<const EncodingText> text, const ParticleSettings& settings, std::uint64_t seed,
                             Executor& executor)
    : TextModel(std::move(text), executor), settings_(settings), seed_(seed) {}

std::unique_ptr<Belief> ParticleModel::prior() const {
  auto out = std::make_unique<ParticleBelief>();
  const std::size_t num = settings_.num, d = num_parameters;
  out->weights.assign(num, 1 / static_cast<double>(num));
  out->scores.resize(d * num);
  out->parameters.resize(likelihood_.num_rows() * num);
  out->arguments.resize(likelihood_.num_arguments() * num);
  out->log_likelihood.assign(num, 0.0);
  out->latest.assign(num, 0.0);
  out->old_scores.resize(d * num);
  out->ancestors.resize(num);
  for (std::size_t i = 0; i < num; ++i) {
    Stream stream(seed_, Purpose::particles, 0, i);
    for (std::size_t k = 0; k < d; ++k) out->scores[k * num + i] = stream.normal();
  }
  text().from_scores(out->scores.data(), num, num, out->parameters.data());
  if (likelihood_.has_states()) likelihood_.start(out->sets(), &out->parameters[d * num]);
  out->health.effective = static_cast<double>(num);
  out->health.num_unique = num;
  return out;
}

Update ParticleModel::update(Belief& any_belief, std::span<const double> stimulus, const Response& response, double) const {
  auto& belief = dynamic_cast<ParticleBelief&>(any_belief);
  if (stimulus.empty()) return {false, 0, {}};
  const Trial trial = read(stimulus, response);
  if (trial.pending) {
    imagine(belief, stimulus, trial, seed_);
    return {false, 0, {}};
  }
  if (!trial.counts && !likelihood_.has_states()) return {false, 0, {}};
  // what was learned before is settled now, so that `latest` is free
  log_likelihoods(belief, stimulus, trial.responses, belief.old_scores);
  std::vector<Prediction> predictions = foretell(belief, stimulus, trial.responses);
  if (!(*std::max_element(belief.old_scores.begin(), belief.old_scores.begin() + static_cast<std::ptrdiff_t>(belief.num())) >
        -INFINITY))
    throw Refuted({"response", "possible under some particle", number_text(trial.responses[0].value),
                   "Every particle gives it probability 0. The belief is unchanged."},
                  std::move(predictions));
  for (std::size_t i = 0; i < belief.num(); ++i) {
    belief.log_likelihood[i] += belief.latest[i];
    belief.latest[i] = belief.old_scores[i];
  }
  remember(belief.history, stimulus, trial);
  belief.notices.clear();
  advance(belief, stimulus, trial);
  if (!trial.counts) return {false, 0, {}};
  ++belief.num_updates;
  belief.predictions = std::move(predictions);
  Update out{true, take(belief), belief.predictions};
  belief.log_evidence += out.log_evidence;
  belief.information = -belief.log_evidence;
  for (std::size_t i = 0; i < belief.num(); ++i)
    if (belief.weights[i] > 0) belief.information += belief.weights[i] * (belief.log_likelihood[i] + belief.latest[i]);
  return out;
}

/// Takes the latest response in; returns its log evidence.
double ParticleModel::take(ParticleBelief& belief) const {
  const std::size_t num = belief.num();
  const double wanted = settings_.min_effective * static_cast<double>(num);
  double evidence = 0, power = 0, budget = settings_.max_evaluations;
  belief.health.num_stages = 0;
  belief.health.num_evaluations = 0;
  while (power < 1) {
    const double top = *std::max_element(belief.latest.begin(), belief.latest.end());
    double step = 1 - power;
    // the last stage may be weighted only; where even a small step leaves too few, the smallest is taken and told of
    const bool whole = effective_at(belief.weights, belief.latest, top, step) >= wanted;
    if (!whole) {
      double low = 0, high = step;
      for (int k = 0; k < 24; ++k) {
        const double middle = 0.5 * (low + high);
        (effective_at(belief.weights, belief.latest, top, middle) >= wanted ? low : high) = middle;
      }
      step = high;
      if (belief.health.num_stages + 1 >= max_stages) step = 1 - power;
    }
    double total = 0;
    for (std::size_t i = 0; i < num; ++i) total += belief.weights[i] *= std::exp(step * (belief.latest[i] - top));
    for (double& w : belief.weights) w /= total;
    evidence += step * top + std::log(total);
    power = whole ? 1 : power + step;
    if (whole) break;
    ++belief.health.num_stages;
    draw_anew(belief);
    budget -= pay(belief, budget, power);
  }
  if (belief.health.num_owed > 0 && budget > 0) pay(belief, budget, 1);
  belief.health.effective = effective_of(belief.weights);
  if (belief.health.num_stages > 0 || belief.health.num_owed > 0) {
    std::copy_n(belief.scores.begin(), num, belief.old_scores.begin());
    const auto end = belief.old_scores.begin() + static_cast<std::ptrdiff_t>(num);
    std::sort(belief.old_scores.begin(), end);
    belief.health.num_unique = static_cast<std::size_t>(std::unique(belief.old_scores.begin(), end) - belief.old_scores.begin());
  }
  const bool was_thin = belief.health.thin;
  belief.health.thin = belief.health.effective < 0.02 * static_cast<double>(num) ||
                       static_cast<double>(belief.health.num_unique) < 0.1 * static_cast<double>(num) ||
                       belief.health.num_stages >= max_stages;
  if (belief.health.num_stages > 0)
    belief.notices.push_back(
        {false, "particles",
         fmt::format("{} particles drawn anew in {} stage{}: {} differ, {:.0f} effective, {:.0f} % of moves accepted", num,
                     belief.health.num_stages, belief.health.num_stages > 1 ? "s" : "", belief.health.num_unique,
                     belief.health.effective, 100 * belief.health.acceptance)});
  if (belief.health.thin && !was_thin)
    belief.notices.push_back(
        {true, "thin",
         fmt::format("{:.0f} of {} particles are effective and {} differ: the belief is not to be trusted. Raise "
                     "belief.num_particles or belief.max_evaluations",
                     belief.health.effective, num, belief.health.num_unique)});
  return evidence;
}

/// Systematic resampling: every particle by its weight, all weights equal afterwards.
void ParticleModel::draw_anew(ParticleBelief& belief) const {
  const std::size_t num = belief.num();
  Stream stream(seed_, Purpose::particles, belief.num_updates, ++belief.num_sweeps << 32);
  const double start = stream.uniform();
  double below = belief.weights[0] * static_cast<double>(num);
  std::size_t from = 0;
  for (std::size_t i = 0; i < num; ++i) {
    while (static_cast<double>(i) + start >= below && from + 1 < num) below += belief.weights[++from] * static_cast<double>(num);
    belief.ancestors[i] = static_cast<std::uint32_t>(from);
  }
  const auto gather = [&](double* row) {
    // ancestors ascend, so a row can be gathered through one copy
    std::copy_n(row, num, belief.old_scores.begin());
    for (std::size_t i = 0; i < num; ++i) row[i] = belief.old_scores[belief.ancestors[i]];
  };
  for (std::size_t k = 0; k < num_parameters; ++k) gather(&belief.scores[k * num]);
  for (std::size_t k = 0; k < likelihood_.num_rows(); ++k) gather(&belief.parameters[k * num]);
  gather(belief.log_likelihood.data());
  gather(belief.latest.data());
  std::fill(belief.weights.begin(), belief.weights.end(), 1 / static_cast<double>(num));
  belief.health.num_owed = static_cast<double>(settings_.num_moves * num);
}

/// Moves particles in their turn, as many as are owed and the budget allows; returns what that cost.
double ParticleModel::pay(ParticleBelief& belief, double budget, double power) const {
  const std::size_t num = belief.num(), num_blocks = (num + block - 1) / block;
  const double cost_of_one = static_cast<double>(belief.history.num);
  double spent = 0;
  std::size_t num_moved = 0, num_accepted = 0;
  while (belief.health.num_owed >= 1) {
    const double affordable = (budget - spent) / (cost_of_one * static_cast<double>(block));
    const double owed = std::ceil(belief.health.num_owed / static_cast<double>(block));
    const auto blocks = static_cast<std::size_t>(std::min({affordable, owed, static_cast<double>(num_blocks)}));
    if (blocks == 0) break;
    std::copy(belief.scores.begin(), belief.scores.end(), belief.old_scores.begin());
    ++belief.num_sweeps;
    std::vector<std::size_t> accepted(blocks, 0);
    executor_.for_each_block(static_cast<int>(blocks), [&](int b) {
      const std::size_t at = (belief.next + static_cast<std::size_t>(b)) % num_blocks, first = at * block;
      move(belief, first, std::min(block, num - first), power, accepted[static_cast<std::size_t>(b)]);
    });
    std::size_t moved = 0;
    for (std::size_t b = 0; b < blocks; ++b) {
      moved += std::min(block, num - (belief.next + b) % num_blocks * block);
      num_accepted += accepted[b];
    }
    belief.next = (belief.next + blocks) % num_blocks;
    belief.health.num_owed = std::max(0.0, belief.health.num_owed - static_cast<double>(moved));
    spent += cost_of_one * static_cast<double>(moved);
    belief.health.num_evaluations += cost_of_one * static_cast<double>(moved);
    num_moved += moved;
  }
  if (num_moved > 0) belief.health.acceptance = static_cast<double>(num_accepted) / static_cast<double>(num_moved);
  return spent;
}

/// One Metropolis move of a block; `power`: of the latest response.
void ParticleModel::move(ParticleBelief& belief, std::size_t first, std::size_t count, double power, std::size_t& accepted) const {
  const std::size_t num = belief.num(), d = num_parameters, num_rows = likelihood_.num_rows();
  thread_local std::vector<double> scratch;
  scratch.resize((d + num_rows + 4) * block);
  double *scores = scratch.data(), *parameters = scores + d * block, *log_ratio = parameters + num_rows * block,
         *before = log_ratio + block, *latest = before + block, *one = latest + block;
  Stream stream(seed_, Purpose::particles, belief.num_updates, (belief.num_sweeps << 32) + first + 1);
  const double gamma = 2.38 / std::sqrt(2 * static_cast<double>(d));
  for (std::size_t i = 0; i < count; ++i) {
    const auto a = static_cast<std::size_t>(stream.integer(static_cast<std::int64_t>(num)));
    const auto b = static_cast<std::size_t>(stream.integer(static_cast<std::int64_t>(num)));
    const double u = stream.uniform(), length = u < 0.1 ? 1 : gamma * (0.25 + u);
    log_ratio[i] = 0;
    for (std::size_t k = 0; k < d; ++k) {
      const double old = belief.scores[k * num + first + i];
      const double z = old + length * (belief.old_scores[k * num + a] - belief.old_scores[k * num + b]) + jitter * stream.normal();
      scores[k * block + i] = z;
      log_ratio[i] += 0.5 * (old * old - z * z);
    }
  }
  text().from_scores(scores, block, count, parameters);
  const ParameterSets sets{parameters, block, count};
  const TextHistory& history = belief.history;
  const std::size_t last = history.num - 1;
  replay(history, last, parameters, block, count, before, one);
  const std::span<const double> stimulus{&history.stimuli[last * stimulus_dim], stimulus_dim};
  likelihood_(stimulus, {&history.responses[last * num_cells], num_cells}, sets, latest);
  if (likelihood_.has_states())
    likelihood_.advance(stimulus, {&history.answers[last * num_cells], num_cells}, sets, parameters + d * block);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t n = first + i;
    log_ratio[i] += before[i] - belief.log_likelihood[n] + power * (latest[i] - belief.latest[n]);
    if (!(std::log(1 - stream.uniform()) < log_ratio[i] && log_ratio[i] < INFINITY)) continue;
    ++accepted;
    belief.log_likelihood[n] = before[i];
    belief.latest[n] = latest[i];
    for (std::size_t k = 0; k < d; ++k) belief.scores[k * num + n] = scores[k * block + i];
    for (std::size_t k = 0; k < num_rows; ++k) belief.parameters[k * num + n] = parameters[k * block + i];
  }
}

}  // namespace hartline::models
