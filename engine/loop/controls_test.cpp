// Arms, validation, stop rules, late responses and living subjects.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "io/memory_record.hpp"
#include "io/record_reader.hpp"
#include "io/run_record.hpp"
#include "io/temporary_folder.hpp"
#include "io/toml.hpp"
#include "loop/run.hpp"
#include "models/glm.hpp"

namespace hartline::loop {
namespace {

constexpr const char* base =
    "format = 1\nseed = 3\nnum_trials = 120\n[stimulus]\nkind = \"random_pool\"\nshape = [6]\nnum = 40\n[model]\nkind = \"glm\"\n"
    "[belief]\nprior_sd = 0.6\nrefine_at_end = false\n";
constexpr const char* two_arms =
    "[[arms]]\nname = \"adaptive\"\nshare = 3.0\n[[arms]]\nname = \"random\"\ndesign = { kind = \"random\" }\n";

std::unique_ptr<Experiment> experiment(const std::string& text, Executor& executor) {
  return build(read_spec(io::parse_toml(text, "test.toml"), "test.toml"), "", 3, executor);
}

struct Ran {
  std::vector<Trial> trials;
  std::vector<Event> events;
  std::uint64_t digest = 0;
  std::vector<std::int64_t> in_arm;
  std::vector<double> mean;
};

Ran run(const std::string& text) {
  const auto executor = make_serial_executor();
  const auto e = experiment(text, *executor);
  io::MemoryRecord record;
  const SteadyClock clock;
  loop::Run r(*e, record, clock);
  r.go();
  Ran out{record.trials(), record.events(), r.learner().digest(), {}, r.learner().mean().values};
  for (std::size_t a = 0; a < e->arms.size(); ++a) out.in_arm.push_back(r.learner().num_trials(a));
  return out;
}

io::RecordInfo info_of(const Experiment& e) {
  io::RecordInfo info;
  info.configuration = to_toml(resolved(e.spec));
  info.durability = "window:50";
  info.seed = e.seed;
  return info;
}

std::int64_t count(const std::vector<Event>& events, std::string_view kind) {
  return std::count_if(events.begin(), events.end(), [&](const Event& e) { return e.kind == kind; });
}

TEST(Arms, ShareTheTrialsAsStatedAndKeepBeliefsApart) {
  const Ran r = run(std::string(base) + two_arms);
  EXPECT_LE(std::abs(r.in_arm[0] - 90), 3);
  EXPECT_LE(std::abs(r.in_arm[1] - 30), 3);
  for (const Trial& trial : r.trials) EXPECT_EQ(std::isnan(trial.utility), trial.arm == 1);
  // the adaptive arm's belief is that of its own trials alone
  const auto executor = make_serial_executor();
  const auto e = experiment(std::string(base) + two_arms, *executor);
  const auto belief = e->model->prior();
  for (const Trial& trial : r.trials)
    if (trial.arm == 0) e->model->update(*belief, e->values(trial.delivered.stimulus, trial.index), trial.response, 0);
  EXPECT_EQ(dynamic_cast<models::GaussianBelief&>(*belief).mean, r.mean);
}

TEST(Arms, RefuseWhatIsNotTheirs) {
  const auto executor = make_serial_executor();
  EXPECT_THROW(experiment(std::string(base) + "[[arms]]\nname = \"a\"\ndesign = { batch = 3 }\n", *executor), SpecError);
}

TEST(Validation, RepeatsItsSetAtItsShareAndTeachesNothing) {
  const Ran r = run(std::string(base) + "[validation]\nshare = 0.25\nmembers = [4, 9]\n");
  std::int64_t num = 0, first = 0;
  for (const Trial& trial : r.trials) {
    if (trial.role != Role::validate) continue;
    const auto member = std::get<PoolItem>(trial.requested.stimulus.what).index;
    EXPECT_TRUE(member == 4 || member == 9);
    first += member == 4;
    ++num;
  }
  EXPECT_LE(std::abs(num - 30), 3);
  EXPECT_LE(std::abs(first - 15), 3);
  EXPECT_EQ(r.in_arm[0], 120 - num);
}

TEST(Stop, EndsTheRunWhenTheIntervalIsNarrowOrTheTimeIsOver) {
  const Ran narrow = run(std::string(base) + "[stop]\nparameter = \"2\"\ncredible_width = 1.2\n");
  EXPECT_LT(narrow.trials.size(), 120u);
  EXPECT_EQ(count(narrow.events, "stop"), 1);
  const Ran minutes = run(std::string(base) + "[stop]\nminutes = 1.0\n");
  EXPECT_EQ(minutes.trials.size(), 61u);  // one a second; the sixty-first comes a minute after the first
  const auto executor = make_serial_executor();
  EXPECT_THROW(experiment(std::string(base) + "[stop]\nparameter = \"width\"\ncredible_width = 1.0\n", *executor), SpecError);
  EXPECT_THROW(experiment(std::string(base) + "[stop]\nparameter = \"2\"\n", *executor), SpecError);
}

TEST(Learner, LateAndDisorderedResponsesGiveTheSameBelief) {
  const Ran r = run(std::string(base) + "[subject]\ndelay_trials = 3\nswapped_share = 0.3\ndoubled_share = 0.3\n");
  ASSERT_EQ(r.trials.size(), 120u);
  EXPECT_GT(count(r.events, "doubled"), 10);
  EXPECT_EQ(count(r.events, "lost"), 0);
  // the same trials in order, each answered at once
  const auto executor = make_serial_executor();
  const auto e = experiment(base, *executor);
  Learner learner(*e);
  for (Trial trial : r.trials) learner.learn(trial);
  EXPECT_EQ(learner.digest(), r.digest);
  // a choice knows what is pending: no stimulus three times running at the start, when all are pending and all are new
  EXPECT_NE(r.trials[0].requested.stimulus.what, r.trials[1].requested.stimulus.what);
  for (const Trial& trial : r.trials) EXPECT_LE(trial.num_learned, trial.index - std::min<std::int64_t>(trial.index, 3));
}

/// What is pending, of this arm and of the other, is known to a choice and leaves nothing behind in a plan.
TEST(Learner, PlansFollowTheirBeliefsThroughPendingTrialsOfEveryArm) {
  const std::string look_back =
      "format = 1\nseed = 3\nnum_trials = 90\n[stimulus]\nkind = \"random_pool\"\nshape = [6]\nnum = 40\n"
      "[model]\nkind = \"glm\"\nnum_lags = 3\n[belief]\nprior_sd = 0.6\n";
  for (const std::string& model : {std::string(base), look_back}) {
    const auto executor = make_serial_executor();
    const auto e = experiment(model + two_arms + "[subject]\ndelay_trials = 2\n", *executor);
    io::MemoryRecord record;
    const SteadyClock clock;
    loop::Run r(*e, record, clock);
    while (r.learner().num_trials() < 80) {
      r.step();
      const design::Design& design = *e->arms[0].design;
      const auto followed = design.utilities(r.learner().plan(), r.learner().capability()),
                 fresh = design.utilities(*design.make_plan(), r.learner().capability());
      for (std::size_t i = 0; i < fresh.size(); ++i)
        ASSERT_NEAR(followed[i], fresh[i], 1e-9 * (1 + std::abs(fresh[i]))) << r.learner().num_trials();
    }
  }
}

TEST(Learner, AResponseThatNeverComesCountsAsMissing) {
  const Ran r = run(std::string(base) + "[subject]\ndelay_trials = 30\npatience_trials = 5\n");
  EXPECT_GT(count(r.events, "lost"), 80);
  EXPECT_GT(count(r.events, "late"), 0);
  EXPECT_EQ(r.trials[0].response.marks[0], Mark::missing);
}

TEST(Batch, DecidesTogether) {
  const Ran r = run(std::string(base) + "[design]\nbatch = 4\n");
  for (const Trial& trial : r.trials) EXPECT_EQ(trial.num_learned, trial.index / 4 * 4);
}

TEST(Watch, OnlyInformationStalls) {
  const auto stalled = [](const std::string& design) {
    return count(run("format = 1\nseed = 3\nnum_trials = 80\n[stimulus]\nkind = \"random_pool\"\nshape = [6]\nnum = 40\n[model]\n"
                     "kind = \"glm\"\n[belief]\nprior_sd = 1e-4\nrefine_at_end = false\n" +
                     design)
                     .events,
                 "stalled");
  };
  // all of these utilities are below 1e-4 throughout
  EXPECT_EQ(stalled(""), 1);
  EXPECT_EQ(stalled("[design]\nutility = \"first_order_information\"\n"), 1);
  EXPECT_EQ(stalled("[design]\nutility = \"parameter_variance\"\n"), 0);
  EXPECT_EQ(stalled("[design]\nutility = \"prediction_error\"\n"), 0);
  EXPECT_EQ(stalled("[design]\nutility = \"posterior_variance\"\n"), 0);
  EXPECT_EQ(stalled("[design]\nper_second = true\n"), 0);
  // the window is that of the arm whose utility is information
  const char* arms = "[[arms]]\nname = \"a\"\n[[arms]]\nname = \"b\"\nrole = \"adaptive\"\ndesign = { utility = ";
  EXPECT_EQ(stalled(std::string(arms) + "\"parameter_variance\" }\n"), 0);  // 40 trials of it, of a window of 50
  EXPECT_EQ(stalled(std::string(arms) + "\"first_order_information\" }\n"), 1);
}

TEST(Learner, CellsThatComeAndGoAreEventsOfTheRun) {
  const std::string cells =
      std::string(base) + "[model.population]\nnum_cells = 3\nvanish_after = 2\n[subject]\nmissing_share = 0.4\n";
  const Ran r = run(cells);
  std::vector<std::pair<std::int64_t, bool>> wanted, told;
  bool present = true;
  int without = 0;
  for (const Trial& trial : r.trials) {
    const bool missing = !trial.response.marks.empty() && trial.response.marks[0] == Mark::missing;
    without = missing ? without + 1 : 0;
    const bool now = !missing || (present && without < (trial.index == without - 1 ? 1 : 2));
    for (int c = 0; c < 3 && now != present; ++c) wanted.emplace_back(trial.index, now);
    present = now;
  }
  ASSERT_GT(wanted.size(), 12u);
  for (const Event& event : r.events) {
    if (event.kind != "cell") continue;
    EXPECT_EQ(event.level, Level::info);
    EXPECT_TRUE(event.message.starts_with(fmt::format("cell {} ", told.size() % 3 + 1))) << event.message;
    told.emplace_back(event.trial, event.message.find("counts as present") != std::string::npos);
  }
  EXPECT_EQ(told, wanted);
  EXPECT_EQ(count(run(std::string(base) + "[model.population]\nnum_cells = 3\n[subject]\nmissing_share = 0.4\n").events, "cell"),
            0);
}

TEST(Learner, ACellThatIsGoneStaysSoThroughTheTrialsOfOtherArms) {
  // with a history every arm follows every trial; what was missing is so for all
  std::string text = std::string(base) + "[[arms]]\nname = \"a\"\n[[arms]]\nname = \"b\"\n[design]\nkind = \"random\"\n" +
                     "[model.population]\nnum_cells = 2\nvanish_after = 2\n[subject]\nmissing_share = 1.0\n";
  text.insert(text.find("kind = \"glm\"\n"), "num_history = 2\n");
  const Ran r = run(text);
  EXPECT_EQ(count(r.events, "cell"), 4);  // of each arm both cells, once
  for (const Event& event : r.events) EXPECT_TRUE(event.kind != "cell" || event.trial == 0) << event.trial;
}

/// Every kind of control goes through the record and back: replay repeats it, resume continues it.
TEST(Controls, AreRepeatedByReplayAndContinuedByResume) {
  const std::string text = std::string(base) + two_arms +
                           "[validation]\nshare = 0.2\n[design]\nexplore = 0.1\nbatch = 2\n[subject]\ndelay_trials = 2\n"
                           "swapped_share = 0.2\nmissing_share = 0.1\nblanked_share = 0.1\n";
  const Ran whole = run(text);
  const auto executor = make_serial_executor();
  const auto e = experiment(text, *executor);
  for (const std::int64_t stop_at : {0, 1, 17, 60}) {
    const io::TemporaryFolder folder;
    const std::string path = folder / "run.hartline";
    const SteadyClock clock;
    {
      const auto record = io::RunRecord::create(path, info_of(*e));
      loop::Run r(*e, *record, clock);
      while (r.learner().num_trials() < stop_at) r.step();
      record->flush();
    }
    {
      const io::RecordReader reader(path);
      const auto record = io::RunRecord::append(path);
      loop::Run r(*e, *record, clock);
      r.restore(reader);
      r.go();
      r.finish();
      EXPECT_EQ(r.learner().digest(), whole.digest) << stop_at;
    }
    const io::RecordReader reader(path);
    const ReplayResult result = replay(*e, reader);
    EXPECT_EQ(result.first_difference, -1) << result.difference;
    EXPECT_EQ(result.num_trials, 120);
  }
}

TEST(LivingSubject, IsNotAskedTwiceAndItsWeightsDriftOverTheGap) {
  const std::string text = std::string(base) + "drift_per_s = 0.0001\n[subject]\nliving = true\ntrial_ms = 1000.0\n";
  const auto executor = make_serial_executor();
  const auto e = experiment(text, *executor);
  const io::TemporaryFolder folder;
  const std::string path = folder / "run.hartline";
  const SteadyClock clock;
  double before = 0;
  {
    const auto record = io::RunRecord::create(path, info_of(*e));
    loop::Run r(*e, *record, clock);
    for (int t = 0; t < 10; ++t) r.step();
    before = dynamic_cast<const models::GaussianBelief&>(r.learner().belief()).covariance[0];
    // in flight when the power failed
    Trial open = r.last_trial();
    open.index = 10;
    open.num_learned = 10;
    open.token += 1;
    open.requested.time_ns = 10'000'000'000;
    record->decide(open);
    record->flush();
  }
  const io::RecordReader reader(path);
  const auto record = io::RunRecord::append(path);
  loop::Run r(*e, *record, clock);
  constexpr std::int64_t hour_ns = 3600'000'000'000;
  r.restore(reader, wall_time_ns() + hour_ns);
  EXPECT_EQ(r.learner().num_trials(), 11);
  const double after = dynamic_cast<const models::GaussianBelief&>(r.learner().belief()).covariance[0];
  EXPECT_NEAR(after - before, 0.0001 * 3601, 0.01);
  record->flush();
  const auto events = reader.events();
  EXPECT_EQ(count(events, "aborted"), 1);
  r.step();
  EXPECT_EQ(r.learner().num_trials(), 12);
  EXPECT_GT(r.last_trial().delivered.time_ns, hour_ns);
}

/// What a simulated subject cannot do to the responses of a text is refused before the first trial.
TEST(LivingSubjects, OfTextsAreRefusedWhatTheyCannotDo) {
  const auto message = [](const std::string& model, const std::string& subject, const char* belief) -> std::string {
    try {
      run("format = 1\nseed = 1\nnum_trials = 2\n[stimulus]\nx = \"range(-1, 1, 1)\"\n[model]\nresponse = " + model +
          "\n[model.parameters]\nk = \"normal(0, 1)\"\n[subject]\n" + subject + "\n[belief]\nkind = \"" + belief + "\"\n");
      return "";
    } catch (const SpecError& error) {
      return error.what();
    }
  };
  const char *counts = "\"r ~ poisson(exp(k * x))\"", *tries = "\"r ~ binomial(200, logistic(k * x))\"";
  EXPECT_EQ(message(counts, "overdispersion = 0.2", "particles"), "");
  EXPECT_NE(message(tries, "overdispersion = 0.2", "particles").find("subject.overdispersion: must be 0"), std::string::npos);
  EXPECT_EQ(message(tries, "lapse = 0.2", "particles"), "");
  EXPECT_NE(message("[\"a ~ poisson(exp(k))\", \"b ~ poisson(exp(x))\"]", "lapse = 0.2", "particles").find("subject.lapse"),
            std::string::npos);
  EXPECT_EQ(message(counts, "sorter_limit = 50.0", "grid"), "");
  EXPECT_EQ(message(counts, "sorter_limit = 50.0", "laplace"), "");
}

}  // namespace
}  // namespace hartline::loop
