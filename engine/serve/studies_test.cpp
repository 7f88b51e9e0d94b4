// Arms, validation, mismatch and populations of a report against the record and against formulas worked out here.
#include "serve/studies.hpp"

#include <gtest/gtest.h>

#include <Eigen/Dense>

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include "models/population.hpp"
#include "serve/test_record.hpp"

namespace hartline::serve {
namespace {

constexpr const char* linear =
    "format = 1\nseed = 1\nnum_trials = 150\n[subject]\ntruth = \"prior\"\n[stimulus]\nkind = \"random_pool\"\nshape = [2, 3]\n"
    "num = 30\n[model]\nkind = \"glm\"\n[belief]\nprior_sd = 0.6\nrefine_at_end = false\n";

double distance(const std::vector<double>& a, const std::vector<double>& b) {
  double apart = 0, size = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    apart += (a[i] - b[i]) * (a[i] - b[i]);
    size += b[i] * b[i];
  }
  return std::sqrt(apart / size);
}

double mean_of(const std::vector<double>& x) {
  double total = 0;
  for (double v : x) total += v;
  return total / static_cast<double>(x.size());
}

double correlation(const std::vector<double>& a, const std::vector<double>& b) {
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - mean_of(a)) * (b[i] - mean_of(b));
    aa += (a[i] - mean_of(a)) * (a[i] - mean_of(a));
    bb += (b[i] - mean_of(b)) * (b[i] - mean_of(b));
  }
  return ab / std::sqrt(aa * bb);
}

TEST(NoiseCeiling, AgreesWithCasesWorkedOutByHand) {
  // means 2, 6, 10: S = 16; each has the variance 2 / 2
  EXPECT_NEAR(noise_ceiling({{1, 3}, {5, 7}, {9, 11}}), std::sqrt(15.0 / 16), 1e-14);
  // three repeats: means 1, 3, S = 2; variances 1, 4, N = (1 + 4) / 3 / 2
  EXPECT_NEAR(noise_ceiling({{0, 1, 2}, {1, 3, 5}}), std::sqrt((2 - 5.0 / 6) / 2), 1e-14);
  EXPECT_EQ(noise_ceiling({{0, 10}, {2, 10}}), 0);  // means 5, 6: less spread than noise
  EXPECT_EQ(noise_ceiling({{1, 1}, {4, 4}}), 1);    // no noise
  EXPECT_TRUE(std::isnan(noise_ceiling({{0, 10}, {1, 9}})));
  EXPECT_TRUE(std::isnan(noise_ceiling({{1, 2}, {3}})));
  EXPECT_TRUE(std::isnan(noise_ceiling({{1, 2}})));
}

TEST(NoiseCeiling, IsWhatAPerfectPredictionReaches) {
  // signal of variance 1, noise of variance 4 over 8 repeats: √(1 / 1.5)
  constexpr std::size_t num = 4000, num_repeats = 8;
  std::vector<std::vector<double>> repeats(num);
  std::vector<double> truth, means;
  for (std::size_t i = 0; i < num; ++i) {
    Stream stream(5, Purpose::response, i);
    truth.push_back(stream.normal());
    for (std::size_t k = 0; k < num_repeats; ++k) repeats[i].push_back(truth[i] + 2 * stream.normal());
    means.push_back(mean_of(repeats[i]));
  }
  // standard deviation of the estimate about 0.01: 4 of them
  EXPECT_NEAR(noise_ceiling(repeats), std::sqrt(1 / 1.5), 0.04);
  EXPECT_NEAR(correlation(means, truth), noise_ceiling(repeats), 0.02);
}

TEST(Studies, ArmsHoldTheirOwnTrialsAndBeliefs) {
  const Recorded r(std::string(linear) +
                   "[[arms]]\nname = \"adaptive\"\nshare = 2.0\n[[arms]]\nname = \"random\"\ndesign = { kind = "
                   "\"random\" }\n");
  const List& arms = *at(r.document, "arms").list();
  ASSERT_EQ(arms.size(), 2u);
  EXPECT_EQ(at(arms[0], "role"), Value("adaptive"));
  EXPECT_EQ(at(arms[1], "role"), Value("baseline"));
  for (std::size_t a = 0; a < 2; ++a) {
    const auto belief = r.experiment->model->prior();
    std::vector<double> trials, half_logdet, error, mean(6), sd(6);
    for (const Trial& trial : r.trials) {
      if (trial.arm != static_cast<std::int64_t>(a)) continue;
      r.experiment->model->update(*belief, r.shown(trial), trial.response, 0);
      const auto view = std::get<models::GaussianView>(r.experiment->model->capability(*belief));
      trials.push_back(static_cast<double>(trial.index + 1));
      half_logdet.push_back(models::half_logdet(view));
      r.experiment->model->summarise(*belief, mean, sd);
      error.push_back(distance(mean, r.experiment->truth));
    }
    EXPECT_EQ(number(at(arms[a], "num_trials")), static_cast<double>(trials.size()));
    EXPECT_EQ(numbers_of(at(arms[a], "trials")), trials);
    const auto told = numbers_of(at(arms[a], "half_logdet")), told_error = numbers_of(at(arms[a], "relative_error"));
    ASSERT_EQ(told.size(), trials.size());
    ASSERT_EQ(told_error.size(), trials.size());
    for (std::size_t t = 0; t < trials.size(); ++t) {
      EXPECT_NEAR(told[t], half_logdet[t], 1e-10);
      EXPECT_NEAR(told_error[t], error[t], 1e-12);
    }
    const Value& last = at(at(arms[a], "estimate"), "snapshots").list()->back();
    EXPECT_EQ(numbers_of(at(last, "mean")), r.reader().arrays(a == 0 ? "mean" : "mean/random").back().second.values);
    EXPECT_EQ(numbers_of(at(last, "sd")), r.reader().arrays(a == 0 ? "sd" : "sd/random").back().second.values);
  }
}

TEST(Studies, OneDesignHasNoArms) {
  const Recorded r(linear);
  for (const char* part : {"arms", "validation", "population"}) EXPECT_EQ(r.document.table()->find(part), nullptr) << part;
}

TEST(Studies, ValidationIsThatOfTheRecord) {
  const Recorded r(std::string(linear) + "[validation]\nshare = 0.4\nmembers = [4, 9, 2, 17]\n");
  std::map<std::int64_t, std::vector<double>> trials, responses;
  const auto belief = r.experiment->model->prior();
  for (const Trial& trial : r.trials) {
    if (trial.role != Role::validate) {
      r.experiment->model->update(*belief, r.shown(trial), trial.response, 0);
      continue;
    }
    const std::int64_t member = std::get<PoolItem>(trial.delivered.stimulus.what).index;
    trials[member].push_back(static_cast<double>(trial.index + 1));
    responses[member].push_back(trial.response.values[0]);
  }
  const Value& validation = at(r.document, "validation");
  EXPECT_EQ(number(at(validation, "share")), 0.4);
  const List& stimuli = *at(validation, "stimuli").list();
  ASSERT_EQ(stimuli.size(), 4u);
  const auto view = std::get<models::GaussianView>(r.experiment->model->capability(*belief));
  std::vector<std::vector<double>> repeats;
  std::vector<double> means, predicted, when, standardised;
  const std::int64_t members[] = {4, 9, 2, 17};
  for (std::size_t i = 0; i < 4; ++i) {
    const std::vector<double>& own = responses[members[i]];
    ASSERT_GT(own.size(), 5u);
    EXPECT_EQ(numbers_of(at(stimuli[i], "trials")), trials[members[i]]);
    EXPECT_EQ(numbers_of(at(stimuli[i], "responses")), own);
    // r ~ Poisson(Δ e^ρ), ρ ~ N(m, v)
    const double* x = &r.experiment->stimuli.pool[static_cast<std::size_t>(members[i]) * 6];
    double m = 0, v = 0;
    for (std::size_t j = 0; j < 6; ++j) {
      m += x[j] * view.mean[j];
      for (std::size_t k = 0; k < 6; ++k) v += x[j] * view.covariance[j * 6 + k] * x[k];
    }
    const double bin_s = view.law->bin_s, reach = 1.6448536269514722 * std::sqrt(v);
    EXPECT_NEAR(number(at(stimuli[i], "predicted")), bin_s * std::exp(m + v / 2), 1e-9);
    EXPECT_NEAR(number(at(stimuli[i], "predicted_low")), bin_s * std::exp(m - reach), 1e-9);
    EXPECT_NEAR(number(at(stimuli[i], "predicted_high")), bin_s * std::exp(m + reach), 1e-9);
    repeats.push_back(own);
    means.push_back(mean_of(own));
    predicted.push_back(bin_s * std::exp(m + v / 2));
    double squares = 0;
    for (double y : own) squares += (y - means[i]) * (y - means[i]);
    const double sd = std::sqrt(squares / static_cast<double>(own.size() - 1));
    for (std::size_t k = 0; k < own.size(); ++k) {
      when.push_back(trials[members[i]][k]);
      standardised.push_back((own[k] - means[i]) / sd);
    }
  }
  const auto within = [](const Value& part, const char* name, double wanted) {
    EXPECT_NEAR(number(at(part, name)), wanted, 1e-9);
    EXPECT_LE(number(at(part, "low")), number(at(part, "high")));
  };
  within(at(validation, "ceiling"), "correlation", noise_ceiling(repeats));
  within(at(validation, "model"), "correlation", correlation(means, predicted));
  // slope = cov(t, z) / var(t), of 100 trials
  double tz = 0, tt = 0;
  for (std::size_t k = 0; k < when.size(); ++k) {
    tz += (when[k] - mean_of(when)) * (standardised[k] - mean_of(standardised));
    tt += (when[k] - mean_of(when)) * (when[k] - mean_of(when));
  }
  within(at(validation, "drift"), "slope", 100 * tz / tt);
  const double p = number(at(at(validation, "drift"), "p_value"));
  const bool outside = number(at(at(validation, "drift"), "low")) > 0 || number(at(at(validation, "drift"), "high")) < 0;
  EXPECT_EQ(p < 0.05, outside) << p;
}

TEST(Studies, MismatchAlarmsAtTheTrialOfTheWarning) {
  // the cell's gain varies from trial to trial, which its model does not know
  const char* wrong =
      "format = 1\nseed = 1\nnum_trials = 400\n[subject]\noverdispersion = 0.6\n[stimulus]\nkind = \"ball\"\nshape = [3, 3]\npower "
      "= 9.0\n"
      "[model]\nkind = \"glm\"\n[belief]\nrefine_at_end = false\n[watch]\nfalse_alarm = 0.05\n";
  const Recorded r(wrong);
  const Value& mismatch = at(r.document, "mismatch");
  EXPECT_NEAR(number(at(mismatch, "threshold")), std::log10(20), 1e-12);
  std::int64_t alarm = -1;
  for (const Event& event : r.reader().events())
    if (event.kind == "mismatch") alarm = event.trial + 1;
  ASSERT_GT(alarm, 0) << "wrong enough to be noticed";
  EXPECT_EQ(at(mismatch, "alarm_trial"), Value(alarm));
  const auto trials = numbers_of(at(mismatch, "trials")), evidence = numbers_of(at(mismatch, "log10_evidence"));
  ASSERT_EQ(trials.size(), evidence.size());
  EXPECT_EQ(trials.back(), 400);
  for (std::size_t i = 0; i < trials.size(); ++i)
    EXPECT_TRUE(trials[i] >= static_cast<double>(alarm) || evidence[i] < std::log10(20)) << trials[i];
  double counts = 0;
  for (double n : numbers_of(at(at(mismatch, "pit"), "counts"))) counts += n;
  EXPECT_EQ(counts, 400);
  // the capital is the mean of those of the strategies
  double capital = 0;
  const List& strategies = *at(mismatch, "strategies").list();
  for (const Value& one : strategies) capital += std::pow(10.0, number(at(one, "log10_evidence")));
  EXPECT_NEAR(std::log10(capital / static_cast<double>(strategies.size())), evidence.back(), 1e-9);
  EXPECT_EQ(at(at(Recorded(linear).document, "mismatch"), "alarm_trial"), Value());
}

TEST(Studies, PopulationTellsWhoWasThereAndWhatWasLearned) {
  const auto executor = make_serial_executor();
  const std::string text = std::string(linear) + "[model.population]\nnum_cells = 4\nvanish_after = 2\n";
  const auto e = loop::build(loop::read_spec(io::parse_toml(text, "t"), "t"), "", 1, *executor);
  loop::Learner learner(*e);
  // o: a value, -: none. The second comes late, the third is away for a while, the last goes.
  const char* seen[] = {"oooooo", "---ooo", "oo--oo", "ooo---"};
  for (std::int64_t t = 0; t < 6; ++t) {
    Trial trial;
    trial.index = t;
    const auto member = static_cast<std::size_t>(3 * t);
    trial.requested.stimulus.what = PoolItem{static_cast<std::int64_t>(member), e->pool_hash[member]};
    trial.delivered = trial.requested;
    trial.response.kind = ResponseKind::counts;
    trial.response.num_cells = 4;
    trial.response.num_bins = 1;
    trial.answered = true;
    for (const char* cell : seen) {
      trial.response.values.push_back(static_cast<double>(t % 3));
      trial.response.marks.push_back(cell[t] == 'o' ? Mark::observed : Mark::missing);
    }
    learner.learn(trial);
  }
  const Studies studies(*e);
  const Value population = studies.population(learner, e->truth);
  const List& cells = *at(population, "cells").list();
  ASSERT_EQ(cells.size(), 4u);
  EXPECT_EQ(at(population, "num_cells"), Value(4));
  const double first[] = {1, 4, 1, 1}, last[] = {6, 6, 6, 4}, num[] = {6, 3, 4, 3};
  const auto& belief = dynamic_cast<const models::PopulationBelief&>(learner.belief());
  double before = INFINITY;
  for (const Value& cell : cells) {
    const auto c = static_cast<std::size_t>(number(at(cell, "cell")));
    EXPECT_EQ(number(at(cell, "first_trial")), first[c]) << c;
    EXPECT_EQ(number(at(cell, "last_trial")), last[c]) << c;
    EXPECT_EQ(number(at(cell, "num_responses")), num[c]) << c;
    EXPECT_EQ(numbers_of(at(cell, "mean")), belief.cells[c].mean);
    const std::vector<double> truth(e->truth.begin() + static_cast<std::ptrdiff_t>(6 * c),
                                    e->truth.begin() + static_cast<std::ptrdiff_t>(6 * c + 6));
    EXPECT_EQ(numbers_of(at(cell, "truth")), truth);
    // ½ log det of the prior 0.6² I less that of the posterior
    const Eigen::Map<const Eigen::MatrixXd> covariance(belief.cells[c].covariance.data(), 6, 6);
    const double bits = (6 * std::log(0.6) - 0.5 * std::log(covariance.determinant())) / std::numbers::ln2;
    EXPECT_NEAR(number(at(cell, "information_bits")), bits, 1e-9) << c;
    EXPECT_NEAR(numbers_of(at(cell, "sd"))[2], std::sqrt(covariance(2, 2)), 1e-14);
    EXPECT_LE(number(at(cell, "information_bits")), before);
    before = number(at(cell, "information_bits"));
  }
}

TEST(Studies, PopulationOfARunAddsUpToItsInformationAndTellsItsCells) {
  const Recorded r(std::string(linear).replace(std::string(linear).find("[stimulus]"), 0, "missing_share = 0.4\n") +
                   "[model.population]\nnum_cells = 3\nvanish_after = 2\n");
  double bits = 0, gained = 0;
  for (const Value& cell : *at(at(r.document, "population"), "cells").list()) bits += number(at(cell, "information_bits"));
  for (const Value& figure : *at(r.document, "figures").list())
    if (at(figure, "label") == Value("Information gained")) gained = number(at(figure, "value"));
  EXPECT_GT(bits, 1);
  EXPECT_NEAR(bits, gained, 1e-9);
  std::size_t num = 0;
  for (const Value& event : *at(r.document, "events").list()) num += at(event, "kind") == Value("cell");
  EXPECT_GE(num, 6u);
  EXPECT_EQ(num % 3, 0u);  // all are missing together
}

}  // namespace
}  // namespace hartline::serve
