#include "design/score.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "base/threads.hpp"

namespace hartline::design {

namespace {

constexpr std::size_t block = 4096;  // contrasts; fixed, so that sums do not depend on the number of threads

/// log Σ e^x, as a largest term and a sum.
struct LogSum {
  double top = -std::numeric_limits<double>::infinity(), total = 0;
  void add(double x) { add(LogSum{x, x == -std::numeric_limits<double>::infinity() ? 0.0 : 1.0}); }
  void add(const LogSum& other) {
    if (other.total == 0) return;
    if (other.top > top) {
      total = total * std::exp(top - other.top) + other.total;
      top = other.top;
    } else {
      total += other.total * std::exp(other.top - top);
    }
  }
  double value() const { return top + std::log(total); }
};

}  // namespace

Score score(const models::TextLikelihood& likelihood, const ScoredHistory& history, std::size_t num_contrasts, Executor& executor) {
  const std::size_t dim = likelihood.text().stimulus_dim, num_rows = likelihood.num_rows(),
                    num_responses = likelihood.num_responses();
  const std::size_t num_trials = history.responses.size() / num_responses, num_parameters = likelihood.text().num_parameters;
  // log p(history) of sets whose parameters stand in rows [num_rows, num]
  const auto add_up = [&](std::vector<double>& rows, std::size_t num, std::span<double> total) {
    const models::ParameterSets sets{rows.data(), num, num};
    double* states = rows.data() + num_parameters * num;
    std::vector<double> one(num);
    std::fill(total.begin(), total.end(), 0.0);
    if (likelihood.has_states()) likelihood.start(sets, states);
    for (std::size_t t = 0; t < num_trials; ++t) {
      const std::span<const double> stimulus{&history.stimuli[t * dim], dim};
      const std::span<const models::Datum> answers{&history.responses[t * num_responses], num_responses};
      likelihood(stimulus, answers, sets, one.data());
      for (std::size_t i = 0; i < num; ++i) total[i] += one[i];
      if (likelihood.has_states()) likelihood.advance(stimulus, answers, sets, states);
    }
  };
  Score out;
  std::vector<double> truth = history.truth;
  truth.resize(num_rows);
  add_up(truth, 1, {&out.log_likelihood, 1});
  if (!std::isfinite(out.log_likelihood))
    throw RunError({"score", "a history that is possible under its truth", number_text(out.log_likelihood), ""});
  const std::size_t num_blocks = (num_contrasts + block - 1) / block;
  std::vector<LogSum> sums(num_blocks);
  executor.for_each_block(static_cast<int>(num_blocks), [&](int b) {
    const std::size_t first = static_cast<std::size_t>(b) * block, num = std::min(block, num_contrasts - first);
    std::vector<double> rows(num_rows * num), total(num);
    likelihood.draw_prior(history.seed, Purpose::contrast, first, num, rows);
    add_up(rows, num, total);
    for (const double x : total) {
      if (std::isnan(x))
        throw RunError({"score", "a likelihood wherever the prior reaches", "not a number", "See the model's text."});
      sums[static_cast<std::size_t>(b)].add(x);
    }
  });
  LogSum all;
  for (const LogSum& sum : sums) all.add(sum);
  const double l = static_cast<double>(num_contrasts);
  out.snmc = out.log_likelihood - (all.value() - std::log(l));
  all.add(out.log_likelihood);
  out.spce = out.log_likelihood - (all.value() - std::log(l + 1));
  return out;
}

}  // namespace hartline::design
