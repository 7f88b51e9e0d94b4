// Laws of the ring: the number of threads, forks and refits beside it change no bit.
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "models/glm.hpp"
#include "models/grid.hpp"
#include "ring.hpp"

namespace hartline {
namespace {

using namespace laws;

TEST(RingLaws, OneTwoAndEightThreadsGiveTheSameBytes) {
  const SteadyClock clock;
  for (const Case& c : every_case(24)) {
    SCOPED_TRACE(c.name);
    const auto one = make_executor(1), two = make_executor(2), eight = make_executor(8);
    const Outcome expected = run_in_memory(c.text, *one, clock);
    ASSERT_EQ(expected.trials.size(), 24u);
    for (Executor* executor : {two.get(), eight.get()}) {
      const Outcome got = run_in_memory(c.text, *executor, clock);
      EXPECT_EQ(got.digest, expected.digest) << executor->num_threads() << " threads";
      EXPECT_EQ(first_difference(got, expected), -1) << executor->num_threads() << " threads";
    }
  }
}

TEST(RingLaws, AnotherSeedGivesAnotherRun) {
  const SteadyClock clock;
  const auto executor = make_serial_executor();
  for (const Case& c : every_case(12)) {
    SCOPED_TRACE(c.name);
    const Outcome first = run_in_memory(c.text, *executor, clock, 1), second = run_in_memory(c.text, *executor, clock, 2);
    EXPECT_NE(first.digest, second.digest);
    EXPECT_GE(first_difference(first, second), 0);
  }
}

std::vector<double> bits_of(const models::Belief& belief) {
  if (const auto* gaussian = dynamic_cast<const models::GaussianBelief*>(&belief)) {
    std::vector<double> out = gaussian->mean;
    out.insert(out.end(), gaussian->covariance.begin(), gaussian->covariance.end());
    return out;
  }
  return dynamic_cast<const models::GridBelief&>(belief).log_weights;
}

/// A belief that is forked, and whose fork goes on, ends where the belief ends that was never forked; what the fork learns leaves
/// the original alone; and a plan that was not there before chooses from the fork what the old plan chooses from the belief.
TEST(RingLaws, AForkGoesOnAsIfItHadNeverBeenForked) {
  constexpr std::int64_t num_trials = 24, fork_at = 11;
  const auto executor = make_serial_executor();
  const SteadyClock clock;
  for (const Case& c : every_case(num_trials)) {
    if (c.name == "refits") continue;  // a refit belongs to the learner, not to a belief
    SCOPED_TRACE(c.name);
    const auto experiment = proof::build(c.text, 1, *executor);
    const Outcome run = run_in_memory(c.text, *executor, clock);
    const auto update = [&](models::Belief& belief, std::int64_t t) {
      const Trial& trial = run.trials[static_cast<std::size_t>(t)];
      const std::int64_t last_ns = run.trials[static_cast<std::size_t>(std::max<std::int64_t>(t - 1, 0))].delivered.time_ns;
      const double elapsed_s = 1e-9 * static_cast<double>(trial.delivered.time_ns - last_ns);
      experiment->model->update(belief, experiment->values(trial.delivered.stimulus, t), trial.response, elapsed_s);
    };
    auto never_forked = experiment->model->prior(), original = experiment->model->prior();
    for (std::int64_t t = 0; t < num_trials; ++t) update(*never_forked, t);
    for (std::int64_t t = 0; t < fork_at; ++t) update(*original, t);
    const auto before = bits_of(*original);
    const auto fork = original->fork();
    for (std::int64_t t = fork_at; t < num_trials; ++t) update(*fork, t);
    EXPECT_EQ(bits_of(*fork), bits_of(*never_forked));
    EXPECT_EQ(bits_of(*original), before);
    EXPECT_NE(bits_of(*fork), before);
    for (std::int64_t t = fork_at; t < num_trials; ++t) update(*original, t);
    EXPECT_EQ(bits_of(*original), bits_of(*fork));
  }
}

TEST(RingLaws, AForkIsJudgedByAPlanLikeItsOriginal) {
  constexpr std::int64_t num_trials = 12;
  const auto executor = make_serial_executor();
  for (const Case& c : {ball(num_trials), ball(num_trials, 12), grid(num_trials), counts_grid(num_trials)}) {
    SCOPED_TRACE(c.name);
    const auto experiment = proof::build(c.text, 1, *executor);
    const auto record = loop::make_null_record();
    const SteadyClock clock;
    loop::Run run(*experiment, *record, clock);
    run.go();
    const auto fork = run.learner().belief().fork();
    design::Choice from_original, from_fork;
    Trial next;
    next.index = num_trials;
    run.learner().choose(next, {}, from_original);
    experiment->arms[0].design->choose(run.learner().plan(), experiment->model->capability(*fork), num_trials, {}, from_fork);
    EXPECT_EQ(from_fork.values, from_original.values);
    EXPECT_TRUE(same_bits(from_fork.utility, from_original.utility));
  }
}

/// The refits run on threads of their own; when they are taken over depends on the trial, never on how long they took.
TEST(RingLaws, RefitsBesideTheRingAreRepeatable) {
  const SteadyClock clock;
  const auto executor = make_serial_executor();
  const Case c = refits(60);
  const Outcome expected = run_in_memory(c.text, *executor, clock);
  for (int repetition = 0; repetition < 3; ++repetition) {
    const Outcome got = run_in_memory(c.text, *executor, clock);
    EXPECT_EQ(got.digest, expected.digest);
    EXPECT_EQ(first_difference(got, expected), -1);
  }
  std::string without = c.text;
  without.replace(without.find("refine_every = 16"), 17, "refine_every = 0 ");
  EXPECT_EQ(first_difference(run_in_memory(without, *executor, clock), expected), 21);  // begun after 16, taken over after 21
}

TEST(RingLaws, ResponsesThatAreNotFiniteAreRefusedWithTheTrialNamed) {
  const auto executor = make_serial_executor();
  for (const Case& c : every_case(6)) {
    SCOPED_TRACE(c.name);
    const auto experiment = proof::build(c.text, 1, *executor);
    loop::Learner learner(*experiment);
    const auto subject = experiment->make_subject(SteadyClock());
    design::Choice choice;
    Trial trial;
    const auto present = [&](std::int64_t index) {
      trial = {};
      trial.index = index;
      learner.choose(trial, {}, choice);
      if (choice.pool_index >= 0)
        trial.requested.stimulus.what =
            PoolItem{choice.pool_index, experiment->pool_hash[static_cast<std::size_t>(choice.pool_index)]};
      else
        trial.requested.stimulus.what = Array{experiment->shape, choice.values};
      present_and_wait(*subject, choice.values, trial);
    };
    for (std::int64_t t = 0; t < 3; ++t) {
      present(t);
      learner.learn(trial);
    }
    const std::uint64_t before = learner.digest();
    present(3);
    const Trial good = trial;
    for (const double bad : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
      trial = good;
      trial.response.values[0] = bad;
      try {
        learner.learn(trial);
        ADD_FAILURE() << "took in the response " << bad;
      } catch (const RunError& error) {
        EXPECT_EQ(error.trial, 3);
        EXPECT_NE(std::string(error.what()).find("trial 3"), std::string::npos) << error.what();
      }
      if (!std::holds_alternative<Array>(good.delivered.stimulus.what)) continue;
      trial = good;
      std::get<Array>(trial.delivered.stimulus.what).values[1] = bad;
      try {
        learner.learn(trial);
        ADD_FAILURE() << "took in the stimulus " << bad;
      } catch (const RunError& error) {
        EXPECT_EQ(error.trial, 3);
      }
    }
    EXPECT_EQ(learner.digest(), before);
    EXPECT_EQ(learner.num_trials(), 3);
    trial = good;
    EXPECT_NO_THROW(learner.learn(trial));
  }
}

}  // namespace
}  // namespace hartline
