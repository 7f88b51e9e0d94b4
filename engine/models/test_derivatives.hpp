// Derivatives of histories beside differences, for tests.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "models/history_derivatives.hpp"

namespace hartline::models {

/// log p(history) by the likelihood.
inline double log_likelihood_of(const TextLikelihood& likelihood, const TextHistory& history, std::vector<double> rows) {
  const std::size_t d = likelihood.text().num_parameters, dim = likelihood.text().stimulus_dim, num = likelihood.num_responses();
  rows.resize(likelihood.num_rows());
  const ParameterSets sets{rows.data(), 1, 1};
  if (likelihood.has_states()) likelihood.start(sets, &rows[d]);
  double total = 0, one = 0;
  for (std::size_t t = 0; t < history.num; ++t) {
    const std::span<const double> x{&history.stimuli[t * dim], dim};
    likelihood(x, {&history.responses[t * num], num}, sets, &one);
    total += one;
    if (likelihood.has_states()) likelihood.advance(x, {&history.answers[t * num], num}, sets, &rows[d]);
  }
  return total;
}

/// Value, gradient and Hessian against differences of the likelihood, and of the gradient.
inline void check_derivatives(const std::shared_ptr<const EncodingText>& text, const TextHistory& history,
                              const std::vector<double>& at, const std::string& name) {
  const TextLikelihood likelihood(text);
  const HistoryDerivatives derivatives(likelihood);
  const std::size_t d = at.size();
  std::vector<double> gradient(d), hessian(d * d), up(d), down(d), unused(d * d);
  const double value = derivatives(history, at, gradient, hessian);
  ASSERT_TRUE(std::isfinite(value)) << name;
  EXPECT_NEAR(value, log_likelihood_of(likelihood, history, at), 1e-9 * (1 + std::abs(value))) << name;
  double size = 0;
  for (std::size_t k = 0; k < d * d; ++k) size = std::max(size, std::abs(hessian[k]));
  for (std::size_t k = 0; k < d; ++k) {
    const double h = 1e-5 * std::max(0.1, std::abs(at[k]));
    std::vector<double> theta = at;
    theta[k] = at[k] + h;
    const double above = log_likelihood_of(likelihood, history, theta);
    derivatives(history, theta, up, unused);
    theta[k] = at[k] - h;
    const double below = log_likelihood_of(likelihood, history, theta);
    derivatives(history, theta, down, unused);
    EXPECT_NEAR(gradient[k], (above - below) / (2 * h), 1e-5 * (1 + size)) << name << " by parameter " << k;
    for (std::size_t j = 0; j < d; ++j)
      EXPECT_NEAR(hessian[k * d + j], (up[j] - down[j]) / (2 * h), 2e-5 * (1 + size))
          << name << " by parameters " << k << ", " << j;
  }
}

}  // namespace hartline::models
