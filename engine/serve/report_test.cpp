#include "serve/report.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.hpp"
#include "models/gaussian_process.hpp"
#include "serve/test_record.hpp"

namespace hartline::serve {
namespace {

TEST(Report, NumbersEqualTheRecord) {
  const Recorded r(
      "format = 1\nseed = 1\nnum_trials = 25\nsubject = { truth = \"gabor\" }\nstimulus = { kind = \"ball\", shape = [3, 4] }\n"
      "model = { kind = \"glm\" }\n");
  const Value& document = r.document;
  const io::RecordReader reader(r.path);
  std::size_t t = 0;
  reader.for_each_trial([&](const Trial& trial, const io::TrialTimes&) {
    EXPECT_EQ(at(at(document, "trials"), "response").list()->at(t), Value(trial.response.values[0]));
    EXPECT_EQ(at(at(document, "trials"), "utility").list()->at(t), Value(trial.utility));
    ++t;
  });
  EXPECT_EQ(t, 25u);
  const List& snapshots = *at(at(document, "estimate"), "snapshots").list();
  EXPECT_EQ(at(snapshots.front(), "trial"), Value(0));
  EXPECT_EQ(at(snapshots.back(), "trial"), Value(25));
  EXPECT_EQ(at(snapshots.back(), "mean").list()->size(), 12u);
  const auto means = reader.arrays("mean");
  EXPECT_EQ(at(snapshots.back(), "mean"), numbers(means.back().second.values));  // also after the final refit
  EXPECT_EQ(at(at(document, "estimate"), "kind"), Value("image"));
}

TEST(Report, DriftingTruthIsTheOneAtTheEnd) {
  const Recorded r(
      "format = 1\nseed = 1\nnum_trials = 20\nsubject = { truth = \"gabor\", drift_per_s = 0.01 }\n"
      "stimulus = { kind = \"ball\", shape = [3, 4] }\nmodel = { kind = \"glm\" }\nbelief = { drift_per_s = 0.01 }\n");
  const Value& document = r.document;
  const io::RecordReader reader(r.path);
  EXPECT_EQ(at(at(document, "estimate"), "truth"), numbers(reader.arrays("truth").back().second.values));
  for (const Value& value : *at(at(document, "trials"), "half_logdet").list())
    EXPECT_TRUE(std::isfinite(std::get<double>(value.is)));
}

TEST(Report, GridReportsHoldCurveAndMarginals) {
  const Recorded r(
      "format = 1\nseed = 1\nnum_trials = 12\nstimulus = { kind = \"axis\", axis = { from = -40, to = 0, num = 41 } }\n"
      "model = { kind = \"psychometric\", threshold = { from = -40, to = 0, num = 21 }, slope = { values = [2, 3.5] }, "
      "guess = { values = [0.5] }, lapse = { values = [0.02] } }\n");
  const Value& estimate = at(r.document, "estimate");
  EXPECT_EQ(at(estimate, "kind"), Value("curve"));
  EXPECT_EQ(at(estimate, "observations").list()->size(), 12u);
  EXPECT_EQ(at(estimate, "marginals").list()->size(), 2u);
}

TEST(Report, ImagesOverLagsAreThoseOfTheRecordLagByLag) {
  const Recorded r(
      "format = 1\nseed = 1\nnum_trials = 30\nsubject = { truth = \"gabor\" }\nstimulus = { kind = \"random_pool\", shape = [2, "
      "3], "
      "num = 20 }\nmodel = { kind = \"glm\", num_lags = 4, num_history = 2, bias = true }\nbelief = { refine_at_end = false }\n");
  const Value& estimate = at(r.document, "estimate");
  EXPECT_EQ(at(estimate, "kind"), Value("image"));
  EXPECT_EQ(at(estimate, "shape"), Value(List{2, 3}));
  EXPECT_EQ(at(estimate, "num_lags"), Value(4));
  // lag 0 first; history and bias, which come last, are not in the picture
  const auto reader = r.reader();
  for (const char* part : {"mean", "sd"}) {
    const std::vector<double> whole = reader.arrays(part).back().second.values;
    ASSERT_EQ(whole.size(), 4u * 6 + 2 + 1);
    EXPECT_EQ(numbers_of(at(at(estimate, "snapshots").list()->back(), part)),
              std::vector<double>(whole.begin(), whole.begin() + 24));
  }
  const std::vector<double> truth = reader.arrays("truth").back().second.values;
  EXPECT_EQ(numbers_of(at(estimate, "truth")), std::vector<double>(truth.begin(), truth.begin() + 24));
  // a line of pixels is drawn with its lags as rows
  const Recorded line(
      "format = 1\nseed = 1\nnum_trials = 10\nsubject = { truth = \"prior\" }\nstimulus = { kind = \"random_pool\", shape = [5], "
      "num = "
      "20 }\nmodel = { kind = \"glm\", num_lags = 3 }\n");
  EXPECT_EQ(at(at(line.document, "estimate"), "shape"), Value(List{3, 5}));
  EXPECT_EQ(at(at(line.document, "estimate"), "row_label"), Value("lag"));
  EXPECT_EQ(at(at(line.document, "estimate"), "snapshots").list()->size() > 2, true);
}

TEST(Report, MapsAreThoseOfTheRecordRowByRow) {
  const Recorded r(
      "format = 1\nseed = 1\nnum_trials = 20\nsubject = { truth = \"prior\" }\nstimulus = { kind = \"grid\", axes = [{ from = 1, "
      "to = 4, "
      "num = 4 }, { from = 10, to = 30, num = 3 }], unit = \"deg\" }\nmodel = { kind = \"gaussian_process\", link = \"exp\", mean "
      "= 1, "
      "variance = 1.5, length = [3, 10] }\nbelief = { refine_at_end = false }\n");
  const Value& map = at(r.document, "estimate");
  EXPECT_EQ(at(map, "kind"), Value("map"));
  // the last axis runs fastest: it is x
  EXPECT_EQ(numbers_of(at(map, "x")), (std::vector<double>{10, 20, 30}));
  EXPECT_EQ(numbers_of(at(map, "y")), (std::vector<double>{1, 2, 3, 4}));
  const auto reader = r.reader();
  const std::vector<double> phi = reader.arrays("mean").back().second.values, sd = reader.arrays("sd").back().second.values,
                            truth = reader.arrays("truth").back().second.values;
  ASSERT_EQ(phi.size(), 12u);
  const double bin_s = r.experiment->process()->law.bin_s;
  const auto mean = numbers_of(at(at(map, "snapshots").list()->back(), "mean")), told = numbers_of(at(map, "truth"));
  for (std::size_t i = 0; i < 12; ++i) {
    EXPECT_NEAR(told[i], bin_s * std::exp(truth[i]), 1e-9 * told[i]);
    EXPECT_NEAR(mean[i], bin_s * std::exp(phi[i] + sd[i] * sd[i] / 2), 1e-6 * mean[i]);
  }
  const List& observations = *at(map, "observations").list();
  ASSERT_EQ(observations.size(), 20u);
  for (std::size_t t = 0; t < 20; ++t) {
    const auto member = std::get<PoolItem>(r.trials[t].delivered.stimulus.what).index;
    EXPECT_EQ(number(at(observations[t], "x")), 10 + 10 * static_cast<double>(member % 3));
    EXPECT_EQ(number(at(observations[t], "y")), 1 + static_cast<double>(member / 3));
    EXPECT_EQ(number(at(observations[t], "r")), r.trials[t].response.values[0]);
  }
  EXPECT_EQ(at(at(r.document, "utility"), "name"), Value("mmse"));
  EXPECT_EQ(at(at(r.document, "utility"), "unit"), Value("spikes²"));
}

TEST(Report, OneColumnOfUtilitiesHasOneUnit) {
  const std::string text =
      "format = 1\nseed = 1\nnum_trials = 40\nsubject = { truth = \"gabor\" }\nstimulus = { kind = \"random_pool\", shape = [2, "
      "3], num = "
      "20 }\nmodel = { kind = \"glm\" }\n";
  const Recorded alone(text);
  EXPECT_EQ(at(at(alone.document, "utility"), "unit"), Value("nats"));
  EXPECT_EQ(at(alone.document, "utility").table()->find("note"), nullptr);
  const Recorded blind(text + "design = { kind = \"random\" }\n");
  EXPECT_EQ(blind.document.table()->find("utility"), nullptr);
  const Recorded two(text +
                     "[[arms]]\nname = \"variance\"\ndesign = { utility = \"parameter_variance\" }\n[[arms]]\nname = \"bits\"\n");
  EXPECT_EQ(at(at(two.document, "utility"), "unit"), Value("weight²"));
  EXPECT_NE(at(at(two.document, "utility"), "note").text()->find("bits"), std::string::npos);
  const List& told = *at(at(two.document, "trials"), "utility").list();
  for (std::size_t t = 0; t < 40; ++t) {
    const double wanted = two.trials[t].arm == 0 ? two.trials[t].utility : std::nan("");
    EXPECT_TRUE(told[t] == Value(wanted) || (std::isnan(wanted) && std::isnan(number(told[t])))) << t;
  }
}

TEST(Report, PageEmbedsTheDataSafely) {
  const std::string page = report_page("{\"title\": \"</script><b>\"}");
  EXPECT_NE(page.find("\\u003c/script>\\u003cb>"), std::string::npos);
  EXPECT_EQ(page.find("<!--HARTLINE_DATA-->"), std::string::npos);
}

TEST(Report, AFileThatIsNoRecordIsRefused) {
  const auto executor = make_serial_executor();
  EXPECT_THROW(report_document("/nonexistent.hartline", *executor), IoError);
}

/// Over a pool and over a box; at the last trial there is nothing to look ahead to, and a replay repeats what a deadline cut.
TEST(Report, ShowsWhatLookingAheadSaid) {
  for (const char* stimulus : {"range(-2.5, 2.5, 0.25)", "box(-2.5, 2.5)"})
    for (const char* deadline : {"", ", deadline_ms = 3.0"}) {
      const Recorded r(
          fmt::format("format = 1\nseed = 1\nnum_trials = 4\nbelief = {{ num_values = 100 }}\n"
                      "design = {{ lookahead = {{ depth = 2 }}{} }}\n[stimulus]\nx = \"{}\"\n[model]\n"
                      "response = \"y ~ normal(log(0.1 + 1 / (1e-4 + (x - theta)^2)), 0.5)\"\n"
                      "parameters = {{ theta = \"normal(0, 1)\" }}\n",
                      deadline, stimulus));
      const std::vector<double> total = numbers_of(at(at(r.document, "trials"), "total")),
                                lead = numbers_of(at(at(r.document, "trials"), "lead")),
                                error = numbers_of(at(at(r.document, "trials"), "lead_error"));
      ASSERT_EQ(total.size(), 4u);
      for (std::size_t t = 0; t < 4; ++t) {
        EXPECT_GE(total[t], r.trials[t].utility) << t;
        EXPECT_GE(lead[t], 0) << t;
        EXPECT_GE(error[t], 0) << t;
      }
      EXPECT_EQ(total[3], r.trials[3].utility);
      if (!*deadline) {
        EXPECT_GT(total[0], r.trials[0].utility + 0.5);
      }
      EXPECT_EQ(loop::replay(*r.experiment, r.reader()).first_difference, -1) << stimulus << deadline;
    }
}

}  // namespace
}  // namespace hartline::serve
