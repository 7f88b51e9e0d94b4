#include <gtest/gtest.h>

#include <cmath>

#include "base/error.hpp"
#include "io/toml.hpp"
#include "loop/compare.hpp"
#include "loop/run.hpp"
#include "loop/scored.hpp"
#include "models/glm.hpp"

namespace hartline::loop {
namespace {

constexpr const char* small_ball = R"(
format = 1
seed = 5
num_trials = 30
subject = { truth = "gabor", gain = 2.0 }
stimulus = { kind = "ball", shape = [4, 4] }
model = { kind = "glm" }
belief = { prior_sd = 0.5 }
)";

Table document(const std::string& text) { return io::parse_toml(text, "test.toml"); }

std::string message_of(const std::string& text) {
  try {
    const auto executor = make_serial_executor();
    build(read_spec(document(text), "test.toml"), "", 1, *executor);
  } catch (const SpecError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Spec, ResolvedTextReadsBackToTheSameExperiment) {
  const Spec spec = read_spec(document(small_ball), "test.toml");
  const std::string text = to_toml(resolved(spec));
  EXPECT_EQ(to_toml(resolved(read_spec(document(text), "again.toml"))), text);
}

TEST(Spec, MistakesAreNamedWithTheirPlaceAndTheNearestName) {
  const std::string base = small_ball;
  EXPECT_NE(message_of(base + "[dezign]\nkind = \"random\"").find("Did you mean \"design\"?"), std::string::npos);
  EXPECT_NE(message_of(base + "[design]\nutility = \"laplace_infomation\"").find("Did you mean \"laplace_information\"?"),
            std::string::npos);
  EXPECT_NE(message_of(base + "[design]\nsearch = \"bal\"")
                .find("design.search: must be one of auto, pool, ball, gradient (got \"bal\")"),
            std::string::npos);
  EXPECT_NE(message_of(base + "[design]\nsearch = \"bal\"").find("line"), std::string::npos);
  EXPECT_NE(message_of("format = 2").find("format: must be 1 (got 2)"), std::string::npos);
  EXPECT_NE(message_of("format = 1\nseed = 1\nnum_trials = 0").find("num_trials: must be between 1 and 1000000000 (got 0)"),
            std::string::npos);
  EXPECT_NE(message_of(base + "[design]\nkind = \"random\"\nlaw = \"pool\"").find("design.law"), std::string::npos);
}

TEST(Spec, SizesThatOverflowAreRefused) {
  std::string text = small_ball;
  text.replace(text.find("[4, 4]"), 6, "[4294967296, 4294967296]");
  EXPECT_NE(message_of(text).find("stimulus.shape: must be at most 4096 values"), std::string::npos);
}

TEST(Spec, OverlaysReachSingleKeysOfTables) {
  const Table over = document("name = \"x\"\n[design]\nkind = \"random\"\n[subject]\ngain = 3.0");
  const Spec spec = read_spec(with_overrides(document(small_ball), over), "test.toml");
  EXPECT_EQ(spec.design.kind, "random");
  EXPECT_EQ(spec.subject.gain, 3.0);
  EXPECT_EQ(spec.subject.truth, "gabor");
}

std::unique_ptr<Experiment> experiment(const std::string& text, Executor& executor, std::uint64_t seed = 5) {
  return build(read_spec(document(text), "test.toml"), "", seed, executor);
}

TEST(SimulatedSubject, AnswersARepeatedTrialAsBefore) {
  const auto executor = make_serial_executor();
  const auto e = experiment(std::string(small_ball), *executor);
  const auto subject = e->make_subject(SteadyClock());
  const std::vector<double> x(16, 0.25);
  Trial trial;
  trial.index = 7;
  present_and_wait(*subject, x, trial);
  const double first = trial.response.values[0];
  trial.attempt = 2;
  present_and_wait(*subject, x, trial);
  EXPECT_EQ(trial.response.values[0], first);
}

// 20,000 responses each; bounds of five standard errors.
TEST(SimulatedSubject, LapsesAndGainsHaveTheirStatedSize) {
  const auto executor = make_serial_executor();
  const auto moments = [&](const std::string& subject_table) {
    std::string text = small_ball;
    const std::string plain = "subject = { truth = \"gabor\", gain = 2.0 }";
    text.replace(text.find(plain), plain.size(), subject_table);
    const auto e = experiment(text, *executor);
    const auto subject = e->make_subject(SteadyClock());
    std::vector<double> x(e->truth);
    for (double& v : x) v /= 2;  // along the filter: rate exp(2)
    double sum = 0, squares = 0;
    constexpr int n = 20000;
    for (int t = 0; t < n; ++t) {
      Trial trial;
      trial.index = t;
      present_and_wait(*subject, x, trial);
      const double r = trial.response.values[0];
      sum += r / n;
      squares += r * r / n;
    }
    return std::pair{sum, squares - sum * sum};
  };
  const double rate = std::exp(2.0), tolerance = 5 * std::sqrt(rate / 20000) * 2;
  const auto [mean, variance] = moments("subject = { truth = \"gabor\", gain = 2.0 }");
  EXPECT_NEAR(mean, rate, tolerance);
  EXPECT_NEAR(variance, rate, 8 * tolerance);
  EXPECT_NEAR(moments("subject = { truth = \"gabor\", gain = 2.0, lapse = 0.25 }").first, 0.75 * rate, tolerance);
  const auto [gained_mean, gained_variance] = moments("subject = { truth = \"gabor\", gain = 2.0, overdispersion = 0.3 }");
  EXPECT_NEAR(gained_mean, rate, 2 * tolerance);
  EXPECT_NEAR(gained_variance, rate + 0.3 * rate * rate, 0.1 * (rate + 0.3 * rate * rate));
}

constexpr const char* three_choices = R"toml(
format = 1
seed = 1
num_trials = 300
[stimulus]
x = "range(-2, 2, 0.5)"
[model]
response = "r ~ categorical(1, exp(a * x), exp(b * x))"
[model.parameters]
a = "normal(0, 1)"
b = "normal(0, 1)"
)toml";

/// 3,000 lapses; five standard errors.
TEST(SimulatedSubject, LapsesOfEveryChoiceAreAlike) {
  const auto executor = make_serial_executor();
  const auto e = experiment(std::string(three_choices) + "[subject]\nlapse = 1.0\n", *executor);
  const auto subject = e->make_subject(SteadyClock());
  const double x = 2;
  int seen[3] = {};
  for (int t = 0; t < 3000; ++t) {
    Trial trial;
    trial.index = t;
    present_and_wait(*subject, {&x, 1}, trial);
    ++seen[static_cast<std::size_t>(trial.response.values[0])];
  }
  for (const int num : seen) EXPECT_NEAR(num, 1000, 5 * std::sqrt(3000 * 2. / 9));
}

TEST(SimulatedSubject, DriftIsARandomWalkOfTheStatedVariance) {
  const auto executor = make_serial_executor();
  std::string text = small_ball;
  text.replace(text.find("gain = 2.0"), 10, "gain = 2.0, drift_per_s = 0.01, trial_ms = 500");
  double squares = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const auto e = experiment(text, *executor, seed);
    const auto subject = e->make_subject(SteadyClock());
    const std::vector<double> x(16, 0);
    Trial trial;
    trial.index = 200;
    present_and_wait(*subject, x, trial);
    const auto now = subject->truth();
    for (std::size_t i = 0; i < 16; ++i) squares += std::pow(now[i] - e->truth[i], 2) / 1600;
  }
  // 200 trials of half a second: variance 1 each; five standard errors of a mean of 1,600 squares
  EXPECT_NEAR(squares, 1, 5 * std::sqrt(2. / 1600));
}

TEST(Learner, RefitBesideTheRingEqualsARefitAtOnceFollowedByTheTrialsSince) {
  const auto executor = make_serial_executor();
  std::string text = small_ball;
  text.replace(text.find("prior_sd = 0.5"), 14, "prior_sd = 0.5, refine_every = 10, refine_lag = 4, refine_at_end = false");
  const auto e = experiment(text, *executor);
  const auto record = make_null_record();
  const SteadyClock clock;
  loop::Run run(*e, *record, clock);
  models::History history;
  std::vector<Trial> trials;
  for (int t = 0; t < 14; ++t) {
    run.step();
    trials.push_back(run.last_trial());
  }
  auto belief = e->model->prior();
  for (int t = 0; t < 10; ++t) {
    const auto x = e->values(trials[static_cast<std::size_t>(t)].delivered.stimulus, t);
    history.stimuli.insert(history.stimuli.end(), x.begin(), x.end());
    history.values.push_back(trials[static_cast<std::size_t>(t)].response.values[0]);
    ++history.num_trials;
  }
  auto& gaussian = dynamic_cast<models::GaussianBelief&>(*belief);
  e->glm()->refine(gaussian, history);
  for (int t = 10; t < 14; ++t) {
    const Trial& trial = trials[static_cast<std::size_t>(t)];
    e->model->update(gaussian, e->values(trial.delivered.stimulus, t), trial.response, 0);
  }
  const auto& learned = dynamic_cast<const models::GaussianBelief&>(run.learner().belief());
  for (std::size_t i = 0; i < 16; ++i) EXPECT_NEAR(learned.mean[i], gaussian.mean[i], 1e-7);
}

TEST(Compare, IsTheSameAtAnyNumberOfThreadsAndSavesTrials) {
  Table doc = document(std::string(small_ball) + "[compare]\nnum_seeds = 6\nnum_held_out = 50\n");
  doc.set("num_trials", 120);
  const auto serial = make_serial_executor(), threads = make_executor(4);
  const Comparison one = compare(doc, "t", "", *serial), four = compare(doc, "t", "", *threads);
  EXPECT_EQ(to_document(one), to_document(four));
  ASSERT_EQ(one.designs.size(), 2u);
  const Band &adaptive = one.designs[0].bands[0], &random = one.designs[1].bands[0];
  EXPECT_EQ(adaptive.metric, Metric::relative_error);
  EXPECT_LT(adaptive.mean.back(), random.mean.back());
  for (std::size_t t = 0; t < one.trials.size(); ++t) {
    EXPECT_LE(adaptive.low[t], adaptive.mean[t]);
    EXPECT_GE(adaptive.high[t], adaptive.mean[t]);
  }
  ASSERT_TRUE(one.saving.has_value());
  EXPECT_GT(one.saving->ratio, 1);
}

TEST(Compare, RunsMadeApartCombineToTheComparison) {
  const Table doc = document(std::string(small_ball) + "[compare]\nnum_seeds = 3\nnum_held_out = 20\n");
  const auto serial = make_serial_executor();
  const Pairing here(doc, "t", ""), there(doc, "t", "");
  ASSERT_EQ(here.num_runs(), 6);
  std::vector<Pairing::Values> runs(6);
  for (std::int64_t k = 5; k >= 0; --k) runs[static_cast<std::size_t>(k)] = (k % 2 ? here : there).measure(k);
  EXPECT_EQ(to_document(here.combine(runs)), to_document(compare(doc, "t", "", *serial)));
  EXPECT_THROW(here.measure(6), SpecError);
  runs[4][0].pop_back();
  EXPECT_THROW(here.combine(runs), SpecError);
}

TEST(Compare, RefusesDesignsThatCouldNotBeRepeated) {
  const auto executor = make_serial_executor();
  const Table doc = document(std::string(small_ball) +
                             "[compare]\nnum_seeds = 1\n[[compare.design]]\nname = \"hurried\"\n"
                             "design = { deadline_ms = 1.0 }\n");
  EXPECT_THROW(check_comparison(doc, "t", "", *executor), SpecError);
}

TEST(Metrics, HeldOutMeasuresAgreeWithTheirDefinitions) {
  const auto executor = make_serial_executor();
  const auto e = experiment(small_ball, *executor);
  Learner learner(*e);
  const HeldOut held_out = make_held_out(*e, 4000);
  const auto values = measure(*e, learner, e->truth, held_out, metrics_of(*e, held_out));
  // the prior predicts the same mean everywhere on the sphere: error 1, no correlation
  EXPECT_NEAR(values[0], 1, 1e-12);
  EXPECT_NEAR(values[1], 16 * std::log(0.5), 1e-12);
  EXPECT_NEAR(values[2], 0, 1e-12);
}

/// The same belief about three choices by tables and by particles errs alike, and little.
TEST(Metrics, ErrorsOfThreeChoicesAreThoseOfTheirExpectation) {
  const auto executor = make_serial_executor();
  double error[2];
  for (const bool particles : {false, true}) {
    const auto e =
        experiment(std::string(three_choices) +
                       (particles ? "[belief]\nkind = \"particles\"\nnum_particles = 2000\n" : "[belief]\nnum_values = 40\n") +
                       "[design]\nkind = \"random\"\n",
                   *executor);
    const auto record = make_null_record();
    const SteadyClock clock;
    loop::Run run(*e, *record, clock);
    run.go();
    const HeldOut none;
    error[particles] = measure(*e, run.learner(), e->truth, none, {Metric::relative_error})[0];
  }
  EXPECT_LT(error[0], 0.1);
  EXPECT_NEAR(error[0], error[1], 0.02);
}

TEST(Learner, TellsOfParametersThatNothingDependsOn) {
  const auto executor = make_serial_executor();
  for (const char* belief : {"", "[belief]\nkind = \"particles\"\nnum_particles = 100\n"}) {
    Learner learner(*experiment(std::string(three_choices) + "unused_one = \"normal(0, 1)\"\n" + belief, *executor));
    const auto news = learner.take_news();
    ASSERT_EQ(news.size(), 1u);
    EXPECT_EQ(news[0].kind, "unused");
    EXPECT_EQ(news[0].message, "no response depends on parameter unused_one: its posterior is its prior");
  }
}

TEST(Spec, TextsAreKnownByTheirStimuli) {
  EXPECT_EQ(
      message_of("format = 1\nseed = 1\nnum_trials = 3\n[stimulus]\nx = \"range(0, 1, 1)\"\n[model]\nreponse = \"r ~ poisson(a)\"\n"
                 "[model.parameters]\na = \"uniform(1, 2)\"\n"),
      "model.response: must be given, for example \"r ~ poisson(rate * window)\" (got nothing). Is \"reponse\" meant to be it?");
}

constexpr const char* choice_and_time = R"toml(
[stimulus]
x = "box(-3, 3)"
[model]
response = ["right ~ bernoulli(p)", "time ~ lognormal(m, 0.5)"]
p = "logistic(k * x)"
m = "w[0] - 0.3 * w[1]"
[model.parameters]
k = "lognormal(0, 0.5)"
w = "normal(0, 1)[2]"
)toml";

/// By hand: log p of two experiments, of which responses are missing, and censored.
TEST(Scored, LogsOfOtherProgramsAreHistories) {
  const Table model = document(choice_and_time);
  const auto logs = read_log(
      "{\"experiment\": \"a\", \"x\": 1.5, \"right\": 1, \"time\": 0.7, \"k\": 2, \"w\": [0.5, -1]}\n\n"
      "{\"experiment\": \"b\", \"x\": 1, \"right\": 0, \"time\": 2, \"k\": 1, \"w\": [0, 1]}\n"
      "{\"experiment\": \"a\", \"x\": -1, \"right\": null, \"time\": {\"at_least\": 3}}\n",
      model, "log");
  ASSERT_EQ(logs.size(), 2u);
  const design::ScoredHistory& a = logs[0].history;
  EXPECT_EQ(a.truth, (std::vector<double>{2, 0.5, -1}));
  EXPECT_EQ(a.stimuli, (std::vector<double>{1.5, -1}));
  ASSERT_EQ(a.responses.size(), 4u);
  EXPECT_TRUE(std::isnan(a.responses[2].value));
  EXPECT_TRUE(a.responses[3].censored);
  EXPECT_EQ(logs[1].history.truth, (std::vector<double>{1, 0, 1}));
  const auto executor = make_serial_executor();
  const double mean = 0.8, z = (std::log(0.7) - mean) / 0.5;
  const double wanted = -std::log1p(std::exp(-3)) - 0.5 * z * z - std::log(0.5 * 0.7 * std::sqrt(2 * M_PI)) +
                        std::log(0.5 * std::erfc((std::log(3) - mean) / 0.5 / std::sqrt(2)));
  EXPECT_NEAR(design::score(models::TextLikelihood(logs[0].text), a, 100, *executor).log_likelihood, wanted, 1e-10);
}

TEST(Scored, WrongLogsAreToldWhereAndWhy) {
  const Table model = document(choice_and_time);
  const std::string whole = "{\"x\": 1.5, \"right\": 1, \"time\": 0.7, \"k\": 2, \"w\": [0.5, -1]}\n";
  const std::pair<std::string, const char*> cases[] = {
      {"", "log: must be one trial or more, a JSON object a line (got none)."},
      {"[1]\n", "log:1: must be a JSON object for a trial (got [1])."},
      {"{\"x\": 1}\n", "log:1.k: must be given: the true value, in the first line of an experiment (got nothing)."},
      {whole + "{\"right\": 1}\n", "log:2.x: must be given: what was shown (got nothing)."},
      {whole + "{\"x\": 1, \"k\": 3}\n", "log:2.k: must be the same in all of an experiment (got 3)."},
      {whole + "{\"x\": [1, 2]}\n", "log:2.x: must be a finite number (got [1, 2])."},
      {whole + "{\"x\": 1, \"rigth\": 1}\n",
       "log:2.rigth: must be one of the keys experiment, x, right, time, k, w (got \"rigth\"). Did you mean \"right\"?"},
  };
  for (const auto& [text, message] : cases) {
    try {
      read_log(text, model, "log");
      ADD_FAILURE() << "not refused: " << message;
    } catch (const SpecError& error) {
      EXPECT_STREQ(error.what(), message);
    }
  }
}

}  // namespace
}  // namespace hartline::loop
