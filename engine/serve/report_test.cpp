#include "serve/report.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "base/error.hpp"
#include "io/json.hpp"
#include "io/record_reader.hpp"
#include "io/run_record.hpp"
#include "io/toml.hpp"
#include "loop/run.hpp"

namespace hartline::serve {
namespace {

const Value& at(const Value& value, std::string_view key) { return *value.table()->find(key); }

std::string make_record(const std::string& text) {
  const auto path = (std::filesystem::temp_directory_path() / ("report_" + std::to_string(::getpid()) + ".hartline")).string();
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(path + suffix);
  const auto executor = make_serial_executor();
  const auto e = loop::build(loop::read_spec(io::parse_toml(text, "t"), "t"), "", 1, *executor);
  io::RecordInfo info;
  info.configuration = to_toml(loop::resolved(e->spec));
  info.durability = "window:100";
  info.seed = 1;
  const auto record = io::RunRecord::create(path, info);
  const SteadyClock clock;
  loop::Run run(*e, *record, clock);
  run.go();
  run.finish();
  return path;
}

TEST(Report, NumbersEqualTheRecord) {
  const std::string path = make_record(
      "format = 1\nseed = 1\nnum_trials = 25\nsubject = { truth = \"gabor\" }\nstimulus = { kind = \"ball\", shape = [3, 4] }\n"
      "model = { kind = \"glm\" }\n");
  const auto executor = make_serial_executor();
  const Value document = report_document(path, *executor);
  const io::RecordReader reader(path);
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
  const std::string path = make_record(
      "format = 1\nseed = 1\nnum_trials = 20\nsubject = { truth = \"gabor\", drift_per_s = 0.01 }\n"
      "stimulus = { kind = \"ball\", shape = [3, 4] }\nmodel = { kind = \"glm\" }\nbelief = { drift_per_s = 0.01 }\n");
  const auto executor = make_serial_executor();
  const Value document = report_document(path, *executor);
  const io::RecordReader reader(path);
  EXPECT_EQ(at(at(document, "estimate"), "truth"), numbers(reader.arrays("truth").back().second.values));
  for (const Value& value : *at(at(document, "trials"), "half_logdet").list())
    EXPECT_TRUE(std::isfinite(std::get<double>(value.is)));
}

TEST(Report, GridReportsHoldCurveAndMarginals) {
  const std::string path = make_record(
      "format = 1\nseed = 1\nnum_trials = 12\nstimulus = { kind = \"axis\", axis = { from = -40, to = 0, num = 41 } }\n"
      "model = { kind = \"psychometric\", threshold = { from = -40, to = 0, num = 21 }, slope = { values = [2, 3.5] }, "
      "guess = { values = [0.5] }, lapse = { values = [0.02] } }\n");
  const auto executor = make_serial_executor();
  const Value estimate = at(report_document(path, *executor), "estimate");
  EXPECT_EQ(at(estimate, "kind"), Value("curve"));
  EXPECT_EQ(at(estimate, "observations").list()->size(), 12u);
  EXPECT_EQ(at(estimate, "marginals").list()->size(), 2u);
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

}  // namespace
}  // namespace hartline::serve
