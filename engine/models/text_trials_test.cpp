// What goes beyond one response of one trial: several responses, mixtures, states, correlated parameters.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "models/particles.hpp"
#include "models/test_texts.hpp"
#include "models/text_grid.hpp"
#include "models/text_laplace.hpp"
#include "models/text_model.hpp"

namespace hartline::models {
namespace {

struct Lines {
  Value response;
  TestLines parameters;
  TestLines state = {};
  std::vector<std::pair<const char*, double>> correlations = {};
  const char* stimulus = "box(-3, 3)";
};

std::shared_ptr<const EncodingText> read(const Lines& lines) {
  Table stimulus, model;
  const auto table = [](const auto& items) {
    Table out;
    for (const auto& [name, value] : items) out.set(name, value);
    return out;
  };
  stimulus.set("x", lines.stimulus);
  model.set("response", lines.response);
  model.set("parameters", table(lines.parameters));
  if (lines.state.size() > 0) model.set("state", table(lines.state));
  if (!lines.correlations.empty()) model.set("correlations", table(lines.correlations));
  return std::make_shared<const EncodingText>(stimulus, model);
}

Response answer(const Model& model, std::vector<double> values, std::vector<Mark> marks = {}) {
  return {model.response_kind, static_cast<std::int64_t>(values.size()), 1, std::move(values), std::move(marks), ""};
}

double log_normal_density(double r, double mean, double sd) {
  return -0.5 * (r - mean) * (r - mean) / (sd * sd) - std::log(sd) - 0.91893853320467274178;
}

const Lines adapting{"r ~ normal(gain * x - z, 0.5 mV) : mV",
                     {{"gain", "normal(1, 0.5)"}, {"rate", "uniform(0, 1)"}, {"start_of_z", "normal(200, 100) : uV"}},
                     {{"z", "start_of_z : uV"}, {"z'", "z + rate * (r - z) : uV"}},
                     {},
                     "box(0, 3) : mV"};

constexpr double xs[] = {0.3, 2.9, 1.4, 0.7, 2.2, 1.9}, rs[] = {0.1, 2.2, 0.3, 0.6, 1.7, 0.9};

/// log p(r_1 … r_n) as the text says it, by hand; a response that is not a number is missing and was as expected.
double by_hand(double gain, double rate, double start_uv, std::span<const double> r) {
  double z = start_uv * 1e-3, total = 0;
  for (std::size_t t = 0; t < r.size(); ++t) {
    const double mean = gain * xs[t] - z;
    if (!std::isnan(r[t])) total += log_normal_density(r[t], mean, 0.5);
    z += rate * ((std::isnan(r[t]) ? mean : r[t]) - z);
  }
  return total;
}

TEST(TextTrials, StatesAreCarriedFromTrialToTrial) {
  const TextLikelihood likelihood(read(adapting));
  ASSERT_TRUE(likelihood.has_states());
  ASSERT_TRUE(likelihood.looks_back(0));
  for (const bool one_is_missing : {false, true}) {
    std::vector<double> r(std::begin(rs), std::end(rs));
    if (one_is_missing) r[2] = std::nan("");
    constexpr std::size_t num = 5;
    std::vector<double> rows(4 * num), total(num, 0.0), one(num);
    for (std::size_t i = 0; i < num; ++i) {
      rows[i] = 0.6 + 0.2 * static_cast<double>(i);
      rows[num + i] = 0.1 * static_cast<double>(i);
      rows[2 * num + i] = 100 + 70 * static_cast<double>(i);
    }
    const ParameterSets sets{rows.data(), num, num};
    likelihood.start(sets, &rows[3 * num]);
    for (std::size_t t = 0; t < r.size(); ++t) {
      const Datum answers[] = {r[t]};
      likelihood({&xs[t], 1}, answers, sets, one.data());
      likelihood.advance({&xs[t], 1}, answers, sets, &rows[3 * num]);
      for (std::size_t i = 0; i < num; ++i) total[i] += one[i];
    }
    for (std::size_t i = 0; i < num; ++i) EXPECT_NEAR(total[i], by_hand(rows[i], rows[num + i], rows[2 * num + i], r), 1e-12);
  }
}

/// Means under a fine grid by hand, a lost response among those that came.
TEST(TextTrials, BeliefsAboutTextsWithStatesAgree) {
  std::vector<double> r(std::begin(rs), std::end(rs));
  r[3] = std::nan("");
  const auto text = read(adapting);
  double total = 0, mean[3] = {}, evidence = 0;
  constexpr int num = 60;
  for (int i = 0; i < num * num * num; ++i) {
    const double u[] = {(i % num + 0.5) / num, (i / num % num + 0.5) / num, (i / num / num + 0.5) / num};
    double p[3];
    for (int k = 0; k < 3; ++k) p[k] = text->parameters[static_cast<std::size_t>(k)].prior.quantile(u[k]);
    const double w = std::exp(by_hand(p[0], p[1], p[2], r));
    total += w;
    for (int k = 0; k < 3; ++k) mean[k] += w * p[k];
  }
  evidence = std::log(total / (num * num * num));
  const auto executor = make_serial_executor();
  const auto check = [&](const TextModel& model, double tolerance) {
    const auto belief = model.prior();
    double log_evidence = 0;
    bool told = false;
    for (std::size_t t = 0; t < r.size(); ++t) {
      const bool lost = std::isnan(r[t]);
      const Update update = model.update(*belief, {&xs[t], 1}, answer(model, {r[t]}, {lost ? Mark::missing : Mark::observed}), 0);
      EXPECT_EQ(update.used, !lost);
      log_evidence += update.log_evidence;
      for (const Notice& notice : dynamic_cast<const SampleBelief&>(*belief).notices) told = told || notice.kind == "state";
    }
    EXPECT_TRUE(told);
    std::vector<double> found(3), sd(3);
    model.summarise(*belief, found, sd);
    for (std::size_t k = 0; k < 3; ++k) EXPECT_NEAR(found[k], mean[k] / total, tolerance * sd[k]) << k;
    EXPECT_NEAR(log_evidence, evidence, 0.1);
    // the states now are those of the whole history
    const auto& samples = dynamic_cast<const SampleBelief&>(*belief);
    const std::size_t n = samples.num();
    for (std::size_t i = 0; i < n; ++i) {
      double z = samples.parameters[2 * n + i];
      for (std::size_t t = 0; t < r.size(); ++t) {
        const double expected = samples.parameters[i] * xs[t] - z * 1e-3;
        z += samples.parameters[n + i] * (1e3 * (std::isnan(r[t]) ? expected : r[t]) - z);
      }
      ASSERT_NEAR(samples.parameters[3 * n + i], z, 1e-9 * (1 + std::abs(z)));
    }
  };
  check(ParticleModel(text, {4000, 0.5, 3, 2e7}, 5, *executor), 0.1);
  check(TextGrid(text, {30, 30, 30}, false, *executor), 0.05);
  check(TextLaplace(text, 4000, 1, *executor), 0.1);
}

TEST(TextTrials, SimulatedSubjectsKeepTheirStates) {
  const auto executor = make_serial_executor();
  const ParticleModel model(read(adapting), {200, 0.5, 3, 1e6}, 5, *executor);
  EXPECT_TRUE(model.has_context);
  const double parameters[] = {1, 0.5, 100};
  Context context = model.start();
  Stream stream(3, Purpose::test);
  double z = 0.1;
  for (int t = 0; t < 5; ++t) {
    double r = 0;
    model.sample(parameters, {&xs[t], 1}, context, stream, {&r, 1});
    z += 0.5 * (r - z);
    ASSERT_EQ(context.states.size(), 1u);
    EXPECT_NEAR(context.states[0], 1e3 * z, 1e-9);
  }
}

/// A pending response leaves the weights alone, and the states go on.
TEST(TextTrials, PendingTrialsMoveTheStatesOfAFork) {
  const auto executor = make_serial_executor();
  const ParticleModel model(read(adapting), {500, 0.5, 3, 1e6}, 5, *executor);
  const auto belief = model.prior();
  const auto fork = belief->fork();
  model.update(*fork, {&xs[1], 1}, answer(model, {std::nan("")}, {Mark::pending}), 0);
  const auto &before = dynamic_cast<const SampleBelief&>(*belief), &after = dynamic_cast<const SampleBelief&>(*fork);
  EXPECT_EQ(after.weights, before.weights);
  EXPECT_EQ(after.imagined.size(), num_sample_futures);
  const std::size_t n = before.num();
  const double gain = before.parameters[0], rate = before.parameters[n], z = before.parameters[3 * n];
  EXPECT_NEAR(after.parameters[3 * n], z + rate * (1e3 * gain * xs[1] - z - z), 1e-9 * (1 + std::abs(z)));
}

const Lines choice_and_time{List{"choice ~ bernoulli(logistic(k * x))", "time ~ lognormal(m - 0.3 * abs(k * x), 0.2)"},
                            {{"k", "normal(1, 0.5)"}, {"m", "normal(0, 0.5)"}}};

TEST(TextTrials, SeveralResponsesAddUp) {
  const auto executor = make_serial_executor();
  const auto text = read(choice_and_time);
  const auto one = [&](double k, double m, double x, double choice, double time) {
    const double p = 1 / (1 + std::exp(-k * x)), log_time = std::log(time);
    return (std::isnan(choice) ? 0 : std::log(choice == 1 ? p : 1 - p)) +
           (std::isnan(time) ? 0 : log_normal_density(log_time, m - 0.3 * std::abs(k * x), 0.2) - log_time);
  };
  const double nan = std::nan("");
  const double trials[][3] = {{1.5, 0, 0.7}, {-0.5, 1, 1.1}, {0.8, nan, 0.9}, {-1.7, 0, nan}};
  double total = 0, mean_k = 0, mean_m = 0;
  for (int i = 0; i < 400 * 400; ++i) {
    const double k = 1 + 0.5 * (-5 + (i % 400 + 0.5) / 40), m = 0.5 * (-5 + (i / 400 + 0.5) / 40);
    double log_p = log_normal_density(k, 1, 0.5) + log_normal_density(m, 0, 0.5);
    for (const auto& [x, choice, time] : trials) log_p += one(k, m, x, choice, time);
    total += std::exp(log_p);
    mean_k += k * std::exp(log_p);
    mean_m += m * std::exp(log_p);
  }
  const auto check = [&](const TextModel& model, double tolerance, std::size_t num_trials) {
    EXPECT_EQ(model.num_cells, 2u);
    EXPECT_EQ(model.response_kind, ResponseKind::trace);
    const auto belief = model.prior();
    for (std::size_t t = 0; t < num_trials; ++t) {
      const auto& [x, choice, time] = trials[t];
      const auto mark = [](double value) { return std::isnan(value) ? Mark::missing : Mark::observed; };
      const Update update = model.update(*belief, {&x, 1}, answer(model, {choice, time}, {mark(choice), mark(time)}), 0);
      ASSERT_EQ(update.predictions.size(), 2u);
      EXPECT_EQ(std::isnan(update.predictions[0].below), std::isnan(choice));
      EXPECT_EQ(std::isnan(update.predictions[1].below), std::isnan(time));
    }
    std::vector<double> found(2), sd(2);
    model.summarise(*belief, found, sd);
    EXPECT_NEAR(found[0], mean_k / total, tolerance);
    EXPECT_NEAR(found[1], mean_m / total, tolerance);
    const double x = 1;
    EXPECT_THROW(model.update(*belief, {&x, 1}, answer(model, {2, 1}), 0), RunError);
    EXPECT_THROW(model.update(*belief, {&x, 1}, answer(model, {1}), 0), RunError);
  };
  check(ParticleModel(text, {4000, 0.5, 3, 1e7}, 5, *executor), 0.02, 4);
  check(TextGrid(text, {60, 60}, false, *executor), 0.01, 4);
  check(TextLaplace(text, 4000, 1, *executor), 0.02, 4);
}

/// A rare value stays possible on a grid, with its own probability.
TEST(TextTrials, GridsHaveUnevenPriors) {
  const auto executor = make_serial_executor();
  const TextGrid grid(read({"r ~ normal(c, 1)", {{"c", "bernoulli(0.01)"}}}), {25}, false, *executor);
  const auto belief = grid.prior();
  const double x = 0;
  grid.update(*belief, {&x, 1}, answer(grid, {1.5}), 0);
  const double one = 0.01 * std::exp(-0.5 * 0.25), zero = 0.99 * std::exp(-0.5 * 2.25);
  std::vector<double> mean(1), sd(1);
  grid.summarise(*belief, mean, sd);
  EXPECT_NEAR(mean[0], one / (one + zero), 1e-12);
}

/// Predictions are of the first trial, whatever states a belief has come to.
TEST(TextTrials, PredictionsStartAgain) {
  const auto executor = make_serial_executor();
  const ParticleModel model(read(adapting), {500, 0.5, 3, 1e6}, 5, *executor);
  const auto belief = model.prior(), fork = belief->fork();
  model.update(*fork, {&xs[1], 1}, answer(model, {std::nan("")}, {Mark::missing}), 0);
  double before = 0, after = 0;
  model.predict(*belief, {&xs[1], 1}, {&before, 1});
  model.predict(*fork, {&xs[1], 1}, {&after, 1});
  EXPECT_EQ(before, after);
}

TEST(TextTrials, LapsesAreAMixture) {
  const auto one = [](const char* response) {
    return TextLikelihood(read({response, {{"k", "normal(1, 0.5)"}, {"lapse", "beta(1, 9)"}}}));
  };
  const TextLikelihood mixed = one("r ~ mixture(1 - lapse, bernoulli(logistic(k * x)), lapse, bernoulli(0.5))"),
                       plain = one("r ~ bernoulli((1 - lapse) * logistic(k * x) + lapse / 2)"),
                       counts = one("r ~ mixture(1 - lapse, poisson(exp(k * x)), lapse, negative_binomial(9, 0.5))");
  const double rows[] = {1.3, 0.2}, x = 0.7;
  for (const double r : {0.0, 1.0}) {
    double a = 0, b = 0;
    mixed({&x, 1}, r, {rows, 1, 1}, &a);
    plain({&x, 1}, r, {rows, 1, 1}, &b);
    EXPECT_NEAR(a, b, 1e-14);
  }
  double log_p = 0;
  counts({&x, 1}, 4.0, {rows, 1, 1}, &log_p);
  const double mean = std::exp(1.3 * 0.7), first = std::exp(4 * std::log(mean) - mean) / 24;
  const double second = 2 * 3 * 4 * 5 / 24.0 * std::pow(4.5 / 5.5, 4) * std::pow(1 / 5.5, 2);
  EXPECT_NEAR(log_p, std::log(0.8 * first + 0.2 * second), 1e-12);
  EXPECT_THROW(one("r ~ mixture(0.5, poisson(2), 0.5, normal(0, 1))"), SpecError);
}

TEST(TextTrials, ZeroInflatedGammasHaveAnAtom) {
  const TextLaw& law = *std::find_if(text_laws().begin(), text_laws().end(),
                                     [](const TextLaw& one) { return one.form == LawForm::zero_inflated_gamma; });
  const double a[] = {0.3, 2.5, 0.8};
  EXPECT_EQ(distribution(law, a, 0).below, 0);
  EXPECT_EQ(distribution(law, a, 0).up_to, 0.3);
  double total = 0.3, mean = 0;
  for (double r = 5e-4; r < 40; r += 1e-3) {
    const double p = std::exp(log_weight(law, a, r) - log_norm(law, a));
    total += 1e-3 * p;
    mean += 1e-3 * r * p;
    if (r < 1.0004 && r > 0.9992) {
      EXPECT_NEAR(distribution(law, a, r + 5e-4).up_to, total, 1e-5);
    }
  }
  EXPECT_NEAR(total, 1, 1e-6);
  EXPECT_NEAR(mean, expected_value(law, a), 1e-6);
  EXPECT_NEAR(log_weight(law, a, 0) - log_norm(law, a), std::log(0.3), 1e-14);
  Stream stream(4, Purpose::test);
  double drawn = 0, zeros = 0;
  for (int k = 0; k < 20000; ++k) {
    const double r = draw_response(law, a, stream);
    zeros += r == 0;
    drawn += r;
  }
  EXPECT_NEAR(zeros / 20000, 0.3, 0.015);
  EXPECT_NEAR(drawn / 20000, 1.4, 0.04);
}

const Lines correlated{"r ~ normal(a + b * x, 0.7)", {{"a", "normal(1, 2)"}, {"b", "normal(-1, 0.5)"}}, {}, {{"a, b", -0.8}}};

/// The posterior of a linear model, exactly.
TEST(TextTrials, CorrelatedPriorsAreThoseOfANormalLaw) {
  const auto text = read(correlated);
  const auto executor = make_serial_executor();
  double mean[] = {1, -1}, c[2][2] = {{4, -0.8}, {-0.8, 0.25}};
  const double x_of[] = {0.5, 2, -1.5}, r_of[] = {0.3, -1.4, 3.1};
  double evidence = 0;
  for (int t = 0; t < 3; ++t) {
    const double s[] = {1, x_of[t]};
    double g[2], v = 0.49;
    for (int k = 0; k < 2; ++k) g[k] = c[k][0] * s[0] + c[k][1] * s[1];
    v += g[0] * s[0] + g[1] * s[1];
    const double error = r_of[t] - mean[0] - mean[1] * s[1];
    evidence += log_normal_density(error, 0, std::sqrt(v));
    for (int k = 0; k < 2; ++k) mean[k] += g[k] * error / v;
    for (int k = 0; k < 2; ++k)
      for (int j = 0; j < 2; ++j) c[k][j] -= g[k] * g[j] / v;
  }
  const auto check = [&](const TextModel& model, double tolerance) {
    const auto belief = model.prior();
    double log_evidence = 0;
    for (int t = 0; t < 3; ++t) log_evidence += model.update(*belief, {&x_of[t], 1}, answer(model, {r_of[t]}), 0).log_evidence;
    std::vector<double> found(2), sd(2);
    model.summarise(*belief, found, sd);
    for (std::size_t k = 0; k < 2; ++k) {
      EXPECT_NEAR(found[k], mean[k], tolerance * std::sqrt(c[k][k]));
      EXPECT_NEAR(sd[k], std::sqrt(c[k][k]), tolerance * sd[k]);
    }
    EXPECT_NEAR(log_evidence, evidence, tolerance);
  };
  check(TextLaplace(text, 20000, 1, *executor), 0.02);
  check(ParticleModel(text, {5000, 0.5, 3, 1e7}, 5, *executor), 0.08);
  check(TextGrid(text, {150, 150}, false, *executor), 0.05);
  // draws, as scores and subjects use them
  double sums[5] = {};
  constexpr int num = 20000;
  for (int k = 0; k < num; ++k) {
    Stream stream(8, Purpose::test, static_cast<std::uint64_t>(k));
    double p[2];
    text->draw_prior(stream, p);
    const double u = (p[0] - 1) / 2, w = (p[1] + 1) / 0.5, terms[] = {u, w, u * u, w * w, u * w};
    for (int j = 0; j < 5; ++j) sums[j] += terms[j] / num;
  }
  EXPECT_NEAR(sums[0], 0, 0.03);
  EXPECT_NEAR(sums[1], 0, 0.03);
  EXPECT_NEAR(sums[2], 1, 0.04);
  EXPECT_NEAR(sums[3], 1, 0.04);
  EXPECT_NEAR(sums[4], -0.8, 0.03);
}

TEST(TextTrials, WrongOnesAreToldWhereAndWhy) {
  const TestLines parameters{{"a", "normal(0, 1)"}, {"n", "values(1, 2)"}};
  const struct {
    Lines lines;
    const char* message;
  } wrong[] = {
      {{"r ~ normal(z, 1)", parameters, {{"z", "x"}, {"z'", "z"}}},
       "model.state.z: must be a start that depends on parameters alone (got \"x\")."},
      {{"r ~ normal(z, 1)", parameters, {{"z", "1"}}}, "model.state.z': must be what z is worth in the next trial (got nothing)."},
      {{"r ~ normal(a, 1)", parameters, {{"z'", "1"}}}, "model.state.z': must be a state that starts somewhere (got no z)."},
      {{"r ~ normal(z, 1)", parameters, {{"z", "1 mV : mV"}, {"z'", "z"}}},
       "model.response: \"z\" is mV where normal takes a number without unit (column 12). Say the unit of the response behind a "
       "colon."},
      {{"r ~ normal(r, 1)", parameters, {{"z", "1"}, {"z'", "z"}}},
       "model.response: must be responses that are independent given stimulus and parameters (got \"r\" among the arguments of "
       "\"r\"). What was answered may enter the next value of a state."},
      {{List{"r ~ normal(a, 1)", "s ~ normal(r, 1)"}, parameters},
       "model.response[1]: must be responses that are independent given stimulus and parameters (got \"r\" among the arguments of "
       "\"s\"). What was answered may enter the next value of a state."},
      {{List{"r ~ poisson(exp(a * x))", "s ~ poisson(r + 1)"}, parameters, {{"z", "0"}, {"z'", "r"}}},
       "model.response[1]: must be responses that are independent given stimulus and parameters (got \"r\" among the arguments of "
       "\"s\"). What was answered may enter the next value of a state."},
      {{List{}, parameters}, "model.response: must be one response or more (got none)."},
      {{"r ~ normal(a, 1)", parameters, {}, {{"a, b", 0.5}}},
       "model.correlations.\"a, b\": must be two of a, n (got \"b\"). Did you mean \"a\"?"},
      {{"r ~ normal(a, 1)", parameters, {}, {{"a, n", 0.5}}},
       "model.correlations.\"a, n\": must be priors with a density (got single values of n)."},
      {{"r ~ normal(a, 1)", parameters, {}, {{"a, a", 0.5}}},
       "model.correlations.\"a, a\": must be two parameters and a number between -1 and 1 (got 0.5)."},
  };
  for (const auto& one : wrong) {
    try {
      read(one.lines);
      ADD_FAILURE() << "not refused: " << one.message;
    } catch (const SpecError& error) {
      EXPECT_STREQ(error.what(), one.message);
    }
  }
}

}  // namespace
}  // namespace hartline::models
