#include "design/evolution.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/threads.hpp"

namespace hartline::design {

namespace {

constexpr double largest_fall = 0.5;  // nats
constexpr double most_usual = 1.5;  // lengths of a gradient

}  // namespace

void take_step(models::TrainedNetwork& network, std::span<const double> gradient, double rate, double score) {
  const std::size_t num = network.weights.size();
  if (network.momentum.empty()) {
    network.momentum.assign(num, 0.0);
    network.square.assign(num, 0.0);
  }
  const auto k = static_cast<double>(++network.num_steps);
  const double first = 1 - std::pow(0.9, k), second = 1 - std::pow(0.99, k);
  double length = 0, usual = 0;
  for (std::size_t i = 0; i < num; ++i) {
    length += gradient[i] * gradient[i];
    usual += network.square[i];
  }
  // of the first few steps nothing is known yet
  const double limit = k > 10 ? most_usual * std::sqrt(usual / (1 - std::pow(0.99, k - 1))) : length;
  const double share = length > 0 ? std::min(1.0, limit / std::sqrt(length)) : 1;
  for (std::size_t i = 0; i < num; ++i) {
    double &m = network.momentum[i], &v = network.square[i];
    const double g = share * gradient[i];
    m = 0.9 * m + 0.1 * g;
    v = 0.99 * v + 0.01 * g * g;
    network.weights[i] += rate * (m / first) / (std::sqrt(v / second) + 1e-8);
  }
  network.score_sum += score;
  network.score_count += 1;
}

void note_score(models::TrainedNetwork& network) {
  const double mean = network.score_sum / network.score_count;
  network.curve_steps.push_back(static_cast<double>(network.num_steps));
  network.curve.push_back(mean);
  network.score_sum = network.score_count = 0;
  if (network.best.empty() || mean > network.best_score) {
    network.best = network.weights;
    network.best_score = mean;
  } else if (mean < network.best_score - largest_fall) {
    network.weights = network.best;
    std::fill(network.momentum.begin(), network.momentum.end(), 0.0);
    ++network.num_falls;
  }
}

double falling_rate(double start, double share) { return start * 0.5 * (1 + std::cos(std::numbers::pi * std::min(share, 1.0))); }

Evolution::Evolution(const models::TextLikelihood& likelihood, const models::TrainedNetwork& network, const TrainSpec& spec,
                     Executor& executor)
    : spec_(spec), rollouts_(likelihood, network, static_cast<std::uint64_t>(spec.seed)), executor_(executor) {}

void Evolution::perturbation(std::uint64_t step, std::size_t pair_idx, std::span<double> out) const {
  Stream(static_cast<std::uint64_t>(spec_.seed), Purpose::particles, step, pair_idx).fill_normal(out);
}

PairFitness Evolution::fitness(std::span<const double> weights, std::uint64_t step, std::size_t pair_idx) const {
  return fitness(weights, step, pair_idx, rollouts_.draw_contrasts(step, static_cast<std::size_t>(spec_.num_contrasts)));
}

PairFitness Evolution::fitness(std::span<const double> weights, std::uint64_t step, std::size_t pair_idx,
                               const Contrasts& contrasts) const {
  thread_local std::vector<double> change, tried;
  thread_local Rollouts::Suspects scratch;
  thread_local Rollouts::Histories histories;
  change.resize(weights.size());
  tried.resize(weights.size());
  perturbation(step, pair_idx, change);
  const auto num = static_cast<std::size_t>(spec_.num_rollouts);
  const auto reached = [&](double size) {
    for (std::size_t i = 0; i < weights.size(); ++i) tried[i] = weights[i] + size * change[i];
    rollouts_.simulate(tried, step, 0, num, histories);
    return rollouts_.score(histories, contrasts, scratch) / static_cast<double>(num);
  };
  const double plus = reached(spec_.spread), minus = reached(-spec_.spread);
  return {plus, minus};
}

double Evolution::combine(std::uint64_t step, std::span<const PairFitness> pairs, std::span<double> gradient) const {
  std::vector<double> sorted;
  double mean = 0;
  for (const PairFitness& pair : pairs) {
    sorted.push_back(pair.plus);
    sorted.push_back(pair.minus);
    mean += 0.5 * (pair.plus + pair.minus) / static_cast<double>(pairs.size());
  }
  std::sort(sorted.begin(), sorted.end());
  const auto shaped = [&](double fitness) {
    const auto [low, high] = std::equal_range(sorted.begin(), sorted.end(), fitness);
    const auto place = 0.5 * static_cast<double>((low - sorted.begin()) + (high - sorted.begin()) - 1);
    return place / static_cast<double>(sorted.size() - 1) - 0.5;
  };
  std::fill(gradient.begin(), gradient.end(), 0.0);
  std::vector<double> change(gradient.size());
  for (std::size_t k = 0; k < pairs.size(); ++k) {
    const double weight = (shaped(pairs[k].plus) - shaped(pairs[k].minus)) / (2 * spec_.spread * static_cast<double>(pairs.size()));
    perturbation(step, k, change);
    for (std::size_t i = 0; i < change.size(); ++i) gradient[i] += weight * change[i];
  }
  return mean;
}

double Evolution::estimate(std::span<const double> weights, std::uint64_t step, std::span<double> gradient) {
  const Contrasts contrasts = rollouts_.draw_contrasts(step, static_cast<std::size_t>(spec_.num_contrasts));
  std::vector<PairFitness> pairs(static_cast<std::size_t>(spec_.num_pairs));
  executor_.for_each_block(static_cast<int>(pairs.size()), [&](int k) {
    pairs[static_cast<std::size_t>(k)] = fitness(weights, step, static_cast<std::size_t>(k), contrasts);
  });
  return combine(step, pairs, gradient);
}

}  // namespace hartline::design
