#include "design/history_gradient.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"

namespace hartline::design {

Pulls make_pulls(const Rollouts& rollouts, std::size_t num) {
  const std::size_t dim = rollouts.rule().dim(), num_responses = rollouts.likelihood().num_responses(),
                    all = num * rollouts.num_trials();
  Pulls out;
  out.score.assign(num, 0.0);
  out.stimulus.assign(all * dim, 0.0);
  out.response.assign(all * num_responses, 0.0);
  out.slope.assign(all * num_responses * dim, 0.0);
  out.log_slope.assign(all * dim, 0.0);
  out.to_come.assign(all, 0.0);
  return out;
}

void pull(const Rollouts& rollouts, const models::TextGradient& gradient, const Rollouts::Histories& histories,
          const Contrasts& contrasts, std::size_t first, Pulls& out) {
  const std::size_t dim = rollouts.rule().dim(), num_responses = rollouts.likelihood().num_responses(),
                    num_parameters = rollouts.likelihood().text().num_parameters, trials = rollouts.num_trials(),
                    rows = gradient.num_rows();
  thread_local Rollouts::Suspects suspects;
  thread_local std::vector<double> values;
  bool all_smooth = true;
  for (std::size_t j = 0; j < num_responses; ++j) all_smooth = all_smooth && gradient.is_smooth(j);
  for (std::size_t r = 0; r < histories.num; ++r) {
    const std::span<const double> truth{&histories.truth[r * num_parameters], num_parameters};
    rollouts.suspect(histories, r, contrasts, !all_smooth, suspects);
    const std::size_t num = suspects.num;
    double sum = 0;
    for (const double p : suspects.likelihood) sum += p;
    out.score[first + r] = suspects.score;
    values.resize(rows * num);
    for (std::size_t t = 0; t < trials; ++t) {
      const std::size_t at = (first + r) * trials + t;
      const std::span<const double> x{&histories.stimuli[(r * trials + t) * dim], dim},
          y{&histories.responses[(r * trials + t) * num_responses], num_responses};
      gradient(x, y, {suspects.sets.data(), suspects.stride, num}, values.data());
      // the derivative of S by a number v: that of log p of the truth less its mean over the likelihoods of all
      const auto slope = [&](std::size_t row) {
        const double* of_row = &values[row * num];
        double mean = 0;
        for (std::size_t l = 0; l < num; ++l) mean += suspects.likelihood[l] * of_row[l];
        return of_row[0] - mean / sum;
      };
      for (std::size_t i = 0; i < dim; ++i) out.stimulus[at * dim + i] = slope(1 + i);
      for (std::size_t j = 0; j < num_responses; ++j)
        out.response[at * num_responses + j] = gradient.is_smooth(j) ? slope(1 + dim + j) : 0;
      gradient.response_slopes(x, y, truth, &out.slope[at * num_responses * dim]);
      if (all_smooth) continue;
      gradient.log_slopes(x, y, truth, &out.log_slope[at * dim]);
      out.to_come[at] = suspects.score - suspects.before[t];
    }
  }
}

void add_score_function(Pulls& pulls) {
  const std::size_t num = pulls.score.size(), trials = pulls.to_come.size() / num,
                    dim = pulls.stimulus.size() / pulls.to_come.size();
  for (std::size_t t = 0; t < trials; ++t) {
    double all = 0;
    for (std::size_t r = 0; r < num; ++r) all += pulls.to_come[r * trials + t];
    for (std::size_t r = 0; r < num; ++r) {
      const std::size_t at = r * trials + t;
      const double own = pulls.to_come[at], others = (all - own) / static_cast<double>(num - 1);
      for (std::size_t i = at * dim; i < (at + 1) * dim; ++i) pulls.stimulus[i] += (own - others) * pulls.log_slope[i];
    }
  }
}

std::size_t shorten(Pulls& pulls, std::span<const double> stimulus_range, double most) {
  const std::size_t num = pulls.score.size(), each = pulls.stimulus.size() / num, num_responses = pulls.response.size() / num,
                    dim = stimulus_range.size(), trials = each / dim, per_trial = num_responses / trials;
  std::vector<double> lengths(num, 0.0);
  for (std::size_t r = 0; r < num; ++r)
    for (std::size_t i = 0; i < each; ++i) {
      // what a stimulus does by itself and by its response
      double whole = pulls.stimulus[r * each + i];
      const std::size_t t = r * trials + i / dim;
      for (std::size_t j = 0; j < per_trial; ++j)
        whole += pulls.response[t * per_trial + j] * pulls.slope[(t * per_trial + j) * dim + i % dim];
      lengths[r] += whole * whole * stimulus_range[i % dim] * stimulus_range[i % dim];
    }
  std::vector<double> sorted = lengths;
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(num / 2), sorted.end());
  const double longest = most * std::sqrt(sorted[num / 2]);
  std::size_t num_shortened = 0;
  for (std::size_t r = 0; r < num; ++r) {
    const double length = std::sqrt(lengths[r]);
    if (!(length > longest)) continue;
    ++num_shortened;
    for (std::size_t i = r * each; i < (r + 1) * each; ++i) pulls.stimulus[i] *= longest / length;
    for (std::size_t i = r * num_responses; i < (r + 1) * num_responses; ++i) pulls.response[i] *= longest / length;
  }
  return num_shortened;
}

}  // namespace hartline::design
