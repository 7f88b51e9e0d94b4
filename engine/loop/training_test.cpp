#include "loop/training.hpp"

#include <gtest/gtest.h>

#include <atomic>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "io/file.hpp"
#include "io/memory_record.hpp"
#include "io/temporary_folder.hpp"
#include "io/toml.hpp"
#include "loop/run.hpp"

namespace hartline::loop {
namespace {

constexpr const char* text =
    "format = 1\nseed = 3\nnum_trials = 4\n[stimulus]\nx = \"box(-1, 1)\"\n[model]\nresponse = \"r ~ normal(w * x, 0.5)\"\n"
    "[model.parameters]\nw = \"normal(0, 1)\"\n[belief]\nkind = \"particles\"\nnum_particles = 200\n";
constexpr const char* train_table =
    "[train]\nnum_steps = 12\nnum_rollouts = 8\nnum_contrasts = 30\nnum_pairs = 4\nencoder = [6]\nnum_codes = 3\nreadout = [5]\n"
    "checkpoint_s = 1e-9\n";

Table document(const std::string& more) { return io::parse_toml(std::string(text) + more, "test.toml"); }

models::TrainedNetwork trained(const std::string& path, std::int64_t stop_after = -1, int threads = 1) {
  const auto executor = make_executor(threads);
  std::atomic<bool> stop{false};
  return train(document(train_table), "test.toml", "", path, *executor,
               [&](std::int64_t done, std::int64_t) { stop = done == stop_after; }, &stop);
}

std::string message_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Training, GoesOnToTheSameBytes) {
  const io::TemporaryFolder folder;
  const std::string whole = folder.path() + "/whole.policy", parts = folder.path() + "/parts.policy";
  EXPECT_TRUE(trained(whole, -1, 2).finished);
  EXPECT_FALSE(trained(parts, 5).finished);
  EXPECT_FALSE(trained(parts, 9).finished);
  EXPECT_EQ(read_network(parts).network->num_steps, 9);
  EXPECT_TRUE(trained(parts).finished);
  EXPECT_EQ(io::read_text(whole), io::read_text(parts));
  EXPECT_NE(message_of([&] { trained(parts); }).find("a finished one"), std::string::npos);
}

TEST(Training, RefusesTheFileOfAnotherExperiment) {
  const io::TemporaryFolder folder;
  const std::string path = folder.path() + "/a.policy";
  trained(path, 5);
  const auto executor = make_serial_executor();
  const Table other = document(std::string(train_table) + "learning_rate = 0.1\n");
  EXPECT_NE(message_of([&] { train(other, "test.toml", "", path, *executor, {}, nullptr); }).find("another model or train table"),
            std::string::npos);
  EXPECT_NE(message_of([&] {
              const Table gradient = document("[model.state]\nz = \"1\"\n\"z'\" = \"0.5 * z + r\"\n[train]\nmethod = \"gradient\"\n");
              train(gradient, "test.toml", "", folder.path() + "/b.policy", *executor, {}, nullptr);
            }).find("train.method: must be evolution for a text with states"),
            std::string::npos);
}

TEST(Training, MakesAPolicyThatRunsAndKnowsItsText) {
  const io::TemporaryFolder folder;
  trained(folder.path() + "/a.policy");
  const auto executor = make_serial_executor();
  const std::string design = "[design]\nkind = \"policy\"\npolicy = \"a.policy\"\n";
  const auto e = build(read_spec(document(design), "test.toml"), folder.path(), 3, *executor);
  io::MemoryRecord record;
  const ManualClock clock;
  loop::Run run(*e, record, clock);
  run.go();
  EXPECT_EQ(run.learner().num_trials(), 4);
  EXPECT_EQ(e->spec.design.policy, folder.path() + "/a.policy");
  EXPECT_EQ(e->spec.design.policy_hash, read_network(folder.path() + "/a.policy").hash);
  // another text, another content
  Table changed = document(design);
  changed.find("model")->table()->set("response", "r ~ normal(w * x, 0.6)");
  EXPECT_NE(message_of([&] { build(read_spec(changed, "test.toml"), folder.path(), 3, *executor); })
                .find("design.policy: must be trained on this experiment's stimulus and model tables (got one trained on others)"),
            std::string::npos);
  Table hashed = document(design);
  hashed.find("design")->table()->set("policy_hash", "0123456789abcdef");
  EXPECT_NE(message_of([&] { build(read_spec(hashed, "test.toml"), folder.path(), 3, *executor); }).find("It has changed since"),
            std::string::npos);
  const std::string bytes = io::read_text(folder.path() + "/a.policy");
  io::write_text(folder.path() + "/a.policy", bytes.substr(0, bytes.size() / 2));
  EXPECT_THROW(build(read_spec(document(design), "test.toml"), folder.path(), 3, *executor), IoError);
}

}  // namespace
}  // namespace hartline::loop
