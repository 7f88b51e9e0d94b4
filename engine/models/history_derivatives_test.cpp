#include "models/history_derivatives.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "models/test_derivatives.hpp"
#include "models/test_texts.hpp"

namespace hartline::models {
namespace {

std::shared_ptr<const EncodingText> text_of(Value response, TestLines parameters, TestLines state = {},
                                            const char* stimulus = "box(-3, 3)") {
  Table stimuli, model, priors, states;
  stimuli.set("x", stimulus);
  for (const auto& [name, value] : parameters) priors.set(name, value);
  for (const auto& [name, value] : state) states.set(name, value);
  model.set("response", std::move(response));
  model.set("parameters", priors);
  if (state.size() > 0) model.set("state", states);
  return std::make_shared<const EncodingText>(stimuli, model);
}

TextHistory history_of(std::initializer_list<double> xs, std::vector<Datum> responses, std::vector<Datum> answers = {}) {
  TextHistory out;
  out.stimuli = xs;
  out.num = xs.size();
  out.responses = std::move(responses);
  out.answers = std::move(answers);
  return out;
}

/// Every law, its responses whole, missing and, where it has two ends, censored.
TEST(HistoryDerivatives, AreThoseOfTheLikelihood) {
  const double lost = std::nan("");
  const struct {
    const char* response;
    std::vector<Datum> answers;
  } cases[] = {
      {"r ~ poisson(exp(a + b * x))", {2, lost, 0, {5, true}, {1, true}, 3}},
      {"r ~ negative_binomial(exp(a + b * x), exp(b))", {2, lost, 0, {5, true}, {1, true}, 3}},
      {"r ~ binomial(9, logistic(a + b * x))", {2, lost, 0, {7, true}, {1, true}, 9}},
      {"r ~ binomial(90, logistic(a + b * x))", {20, lost, 0, {70, true}, {1, true}, 90}},
      {"r ~ bernoulli(logistic(a + b * x))", {1, lost, 0, {1, true}, {0, true}, 0}},
      {"r ~ categorical(1, exp(a), exp(b * x))", {2, lost, 0, {1, true}, {2, true}, 1}},
      {"r ~ logits(a, b * x)", {2, lost, 0, {1, true}, {2, true}, 1}},
      {"r ~ ordinal(b * x, a - 1, a + 0.5)", {2, lost, 0, {1, true}, {2, true}, 1}},
      {"r ~ normal(a + b * x, exp(b))", {0.4, lost, -1.2, {0.1, true}, {9, true}, 2}},
      {"r ~ clipped_normal(a + b * x, exp(b), -1, 1)", {0.4, lost, -1, {0.1, true}, {1, true}, 1}},
      {"r ~ lognormal(a + b * x, exp(b))", {0.4, lost, 2.2, {0.1, true}, {9, true}, 2}},
      {"r ~ gamma(exp(a), exp(b * x))", {0.4, lost, 2.2, {0.1, true}, {9, true}, 2}},
      {"r ~ beta(exp(a), exp(0.3 * b * x))", {0.4, lost, 0.1, {0.1, true}, {0.95, true}, 0.7}},
      {"r ~ von_mises(a + b * x, exp(b))", {0.4, lost, 2.2, 0.1, -3, 2}},
      {"r ~ zero_inflated_gamma(logistic(a), exp(a), exp(b * x))", {0.4, lost, 0, {0.1, true}, {0, true}, 2}},
      {"r ~ mixture(logistic(a), poisson(exp(a)), 1, negative_binomial(exp(3 + b * x), 0.2))",
       {2, lost, 0, {15, true}, {1, true}, 3}},
      {"r ~ mixture(logistic(a), normal(b * x, 0.4), 0.3, normal(a, 3))", {0.4, lost, -1.2, {0.1, true}, {9, true}, 2}},
      {"r ~ mixture(0.9, bernoulli(logistic(a + b * x)), 0.1, bernoulli(0.5))", {1, lost, 0, {1, true}, {0, true}, 0}},
      {"r ~ censored(poisson(exp(a + b * x)), 1, 6)", {2, lost, 1, {5, true}, 6, 3}},
      {"r ~ censored(gamma(exp(a), exp(b * x)), 0.3, 2 + x / 9)", {0.4, lost, 0.3, {0.5, true}, 3, 1}},
      {"r ~ censored(normal(a + b * x, exp(b)), -1, 1)", {0.4, lost, -1, {0.1, true}, 1, 1}},
      {"r ~ censored(mixture(logistic(a), lognormal(b * x, 0.4), 0.3, gamma(exp(a), 3)), 0, 2)",
       {0.4, lost, 0.1, {0.1, true}, 2, 1}},
  };
  for (const auto& one : cases)
    check_derivatives(text_of(one.response, {{"a", "normal(0, 1)"}, {"b", "normal(0, 1)"}}),
                      history_of({-2, 0.3, 1.1, 2.4, -0.7, 1.9}, one.answers), {0.37, -0.43}, one.response);
}

TEST(HistoryDerivatives, AreCarriedThroughStatesAndLostTrials) {
  const double lost = std::nan("");
  const TestLines parameters{{"gain", "normal(1, 0.5)"}, {"rate", "uniform(0, 1)"}, {"s0", "normal(0, 1)"}};
  const TestLines state{{"z", "s0 * rate"}, {"z'", "z + rate * (tanh(r) - z * gain)"}, {"k", "1"}, {"k'", "0.8 * k + 0.1 * z^2"}};
  const std::vector<Datum> r{0.4, lost, 1.2, lost, 2.1}, answered{0.4, lost, 1.2, 0.8, 2.1};
  const auto history = history_of({0.3, 2.9, 1.4, 0.7, 2.2}, r, answered);
  for (const char* response :
       {"r ~ normal(gain * x - z * k, 0.5)", "r ~ lognormal(0.1 * gain * x - z * k, exp(rate))", "r ~ gamma(exp(z), exp(k * gain))",
        "r ~ clipped_normal(gain * x - z, 0.7 * k, -1, 3)", "r ~ mixture(rate, normal(z, 1), 0.5, normal(gain * k, 2))"})
    check_derivatives(text_of(response, parameters, state), history, {0.8, 0.3, 0.5}, response);
  const std::vector<Datum> counts{1, lost, 0, {2, true}, 3}, counted{1, lost, 0, 2, 3};
  for (const char* response : {"r ~ poisson(exp(0.2 * x + z))", "r ~ binomial(4, logistic(x * gain - z * k))",
                               "r ~ negative_binomial(exp(0.2 * x + z), k)"})
    check_derivatives(text_of(response, parameters, state), history_of({0.3, 2.9, 1.4, 0.7, 2.2}, counts, counted), {0.8, 0.3, 0.5},
                      response);
}

TEST(HistoryDerivatives, LeaveOutThePartsThatAreLost) {
  const double lost = std::nan("");
  check_derivatives(text_of(List{"right ~ bernoulli(logistic(a * x))", "time ~ lognormal(b - a * x, 0.3)"},
                            {{"a", "normal(0, 1)"}, {"b", "normal(0, 1)"}}),
                    history_of({0.3, 2.9, 1.4}, {1, lost, lost, 2.2, 0, {1.4, true}}), {0.4, -0.2}, "choice and time");
}

}  // namespace
}  // namespace hartline::models
