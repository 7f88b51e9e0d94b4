#include "design/history_gradient.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"

namespace hartline::design {

constexpr std::size_t most_answers = 32;

Pulls make_pulls(const Rollouts& rollouts, std::size_t num) {
  const std::size_t dim = rollouts.rule().dim(), num_responses = rollouts.likelihood().num_responses(),
                    all = num * rollouts.num_trials();
  Pulls out;
  out.score.assign(num, 0.0);
  out.now.assign(all * dim, 0.0);
  out.stimulus.assign(all * dim, 0.0);
  out.response.assign(all * num_responses, 0.0);
  out.slope.assign(all * num_responses * dim, 0.0);
  out.log_slope.assign(all * dim, 0.0);
  out.to_come.assign(all, 0.0);
  return out;
}

std::vector<double> every_answer(const models::EncodingText& text) {
  const std::size_t num = text.responses.size();
  std::size_t num_answers = 1;
  for (const models::TextResponse& response : text.responses) num_answers *= response.num_choices;
  if (num_answers == 0 || num_answers > most_answers) return {};
  std::vector<double> out(num_answers * num);
  for (std::size_t a = 0; a < num_answers; ++a) {
    std::size_t left = a;
    for (std::size_t j = 0; j < num; ++j) {
      out[a * num + j] = static_cast<double>(left % text.responses[j].num_choices);
      left /= text.responses[j].num_choices;
    }
  }
  return out;
}

void pull(const Rollouts& rollouts, const models::TextGradient& gradient, const Rollouts::Histories& histories,
          const Contrasts& contrasts, std::size_t first, Pulls& out) {
  const std::size_t dim = rollouts.rule().dim(), num_responses = rollouts.likelihood().num_responses(),
                    num_parameters = rollouts.likelihood().text().num_parameters, trials = rollouts.num_trials(),
                    rows = gradient.num_rows();
  thread_local Rollouts::Suspects suspects;
  thread_local std::vector<double> values, before, slope_then;
  const std::vector<double> answers = every_answer(rollouts.likelihood().text());
  bool all_smooth = true;
  for (std::size_t j = 0; j < num_responses; ++j) all_smooth = all_smooth && gradient.is_smooth(j);
  before.resize(trials + 1);
  slope_then.assign(trials * dim, 0.0);
  for (std::size_t r = 0; r < histories.num; ++r) {
    const double* xs = &histories.stimuli[r * trials * dim];
    const double* ys = &histories.responses[r * trials * num_responses];
    // what the trial itself tells, over all answers and all who are left
    const auto look = [&](std::size_t t, const Rollouts::Suspects& left) {
      before[t] = left.score;
      if (answers.empty()) return;
      const std::span<const double> x{xs + t * dim, dim};
      double* now = &out.now[((first + r) * trials + t) * dim];
      std::fill_n(now, dim, 0.0);
      double sum = 0;
      for (const double w : left.likelihood) sum += w;
      values.resize(rows * left.num);
      for (std::size_t a = 0; a < answers.size(); a += num_responses) {
        const std::span<const double> y{&answers[a], num_responses};
        gradient(x, y, {left.sets.data(), left.stride, left.num}, values.data());
        double m = 0;
        for (std::size_t l = 0; l < left.num; ++l) m += left.likelihood[l] * std::exp(values[l]);
        const double log_m = std::log(m / sum);
        const bool came = std::equal(y.begin(), y.end(), ys + t * num_responses);
        for (std::size_t i = 0; i < dim; ++i) {
          const double* d = &values[(1 + i) * left.num];
          double of_information = 0, of_mean = 0;
          for (std::size_t l = 0; l < left.num; ++l) {
            const double p = left.likelihood[l] * std::exp(values[l]);
            if (!(p > 0)) continue;
            of_information += p * d[l] * (values[l] - log_m);
            of_mean += p * d[l];
          }
          now[i] += of_information / sum;
          if (came) slope_then[t * dim + i] = d[0] - of_mean / m;
        }
      }
    };
    rollouts.suspect(histories, r, contrasts, all_smooth ? Rollouts::Before() : Rollouts::Before(std::ref(look)), suspects);
    before[trials] = suspects.score;
    const std::span<const double> truth{&histories.truth[r * num_parameters], num_parameters};
    const std::size_t num = suspects.num;
    double sum = 0;
    for (const double p : suspects.likelihood) sum += p;
    out.score[first + r] = suspects.score;
    values.resize(rows * num);
    for (std::size_t t = 0; t < trials; ++t) {
      const std::size_t at = (first + r) * trials + t;
      const std::span<const double> x{xs + t * dim, dim}, y{ys + t * num_responses, num_responses};
      gradient(x, y, {suspects.sets.data(), suspects.stride, num}, values.data());
      // the derivative of S by a number v: that of log p of the truth less its mean over the likelihoods of all
      const auto slope = [&](std::size_t row) {
        const double* of_row = &values[row * num];
        double mean = 0;
        for (std::size_t l = 0; l < num; ++l) mean += suspects.likelihood[l] * of_row[l];
        return of_row[0] - mean / sum;
      };
      for (std::size_t i = 0; i < dim; ++i) out.stimulus[at * dim + i] = slope(1 + i) - slope_then[t * dim + i];
      for (std::size_t j = 0; j < num_responses; ++j)
        out.response[at * num_responses + j] = gradient.is_smooth(j) ? slope(1 + dim + j) : 0;
      gradient.response_slopes(x, y, truth, &out.slope[at * num_responses * dim]);
      if (all_smooth) continue;
      gradient.log_slopes(x, y, truth, &out.log_slope[at * dim]);
      out.to_come[at] = suspects.score - before[answers.empty() ? t : t + 1];
    }
  }
}

void add_score_function(Pulls& pulls, double foresight) {
  const std::size_t num = pulls.score.size(), trials = pulls.to_come.size() / num,
                    dim = pulls.stimulus.size() / pulls.to_come.size();
  for (std::size_t t = 0; t < trials; ++t) {
    double all = 0;
    for (std::size_t r = 0; r < num; ++r) all += pulls.to_come[r * trials + t];
    for (std::size_t r = 0; r < num; ++r) {
      const std::size_t at = r * trials + t;
      const double own = pulls.to_come[at], others = (all - own) / static_cast<double>(num - 1);
      for (std::size_t i = at * dim; i < (at + 1) * dim; ++i)
        pulls.stimulus[i] = pulls.now[i] + foresight * (pulls.stimulus[i] + (own - others) * pulls.log_slope[i]);
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
