// How what is learned in simulated experiments depends on their stimuli.
#pragma once

#include <vector>

#include "design/rollouts.hpp"
#include "models/text_gradient.hpp"

namespace hartline::design {

/// Of every rollout its sPCE S and what pulls at stimuli x and responses y, so that
///
///   dE[S] = E Σ_t (∂S/∂x_t + (S - S_t - b_t) ∂ log p(y_t | x_t, θ₀)/∂x_t) dx_t + ∂S/∂y_t dy_t,   dy_t = ∂y_t/∂x_t dx_t
///
/// where a response that follows its law smoothly has a slope ∂y_t/∂x_t (reparametrisation), and of another the score function
/// stands in its place; S_t is what was learned before trial t, and b_t the mean of S - S_t over the other rollouts.
///
/// Where responses are choices, what trial t itself tells is worked out for every answer, over all w_l who may answer: with
/// m = Σ_l w_l p_l,
///
///   dE[S] = E Σ_t (∂I_t/∂x_t + f ∂(S - S_t+1)/∂x_t + f (S - S_t+1 - b_t) ∂ log p/∂x_t) dx_t,   I_t = Σ_y Σ_l w_l p_l(y) log p_l(y)
///   / m(y)
///
/// which has a small part of the noise; f = 1 is exact, and below it what later trials make of a stimulus counts for less.
/// (history_gradient_test.cpp: HistoryGradient.IsTheDifferenceOfScores, HistoryGradient.OfChoicesIsTheDifferenceOfMeans)
struct Pulls {
  std::vector<double> score;      // [num]
  std::vector<double> now;        // [num, num_trials, dim] ∂I/∂x of choices
  std::vector<double> stimulus;   // [num, num_trials, dim] ∂S/∂x, then with add_score_function() all that multiplies dx
  std::vector<double> response;   // [num, num_trials, num_responses] ∂S/∂y; 0 where it is not smooth
  std::vector<double> slope;      // [num, num_trials, num_responses, dim] ∂y/∂x
  std::vector<double> log_slope;  // [num, num_trials, dim] ∂ log p(y | x, θ₀)/∂x of the responses that are not smooth
  std::vector<double> to_come;    // [num, num_trials] S - S_t; 0 where all is smooth
};

/// Every answer that a trial may have, where all its responses are choices [num_answers, num_responses]; empty elsewhere and where
/// there are more than 32.
std::vector<double> every_answer(const models::EncodingText& text);

/// Sets the pulls of histories first … first + histories.num - 1, of which `out` has room for all.
void pull(const Rollouts& rollouts, const models::TextGradient& gradient, const Rollouts::Histories& histories,
          const Contrasts& contrasts, std::size_t first, Pulls& out);

/// Room for the pulls of num rollouts.
Pulls make_pulls(const Rollouts& rollouts, std::size_t num);

/// Puts together what multiplies dx; f = foresight.
void add_score_function(Pulls& pulls, double foresight = 1);

/// Near a likelihood's edges a few rollouts pull many times as hard as the others. Those that pull harder than `most` times the
/// median, in numbers of the stimulus' range, are shortened to that; returns how many.
std::size_t shorten(Pulls& pulls, std::span<const double> stimulus_range, double most);

}  // namespace hartline::design
