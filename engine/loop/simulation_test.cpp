#include "loop/simulation.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "io/file.hpp"
#include "io/npy.hpp"
#include "io/temporary_folder.hpp"
#include "io/toml.hpp"
#include "loop/checkpoint.hpp"

namespace hartline::loop {
namespace {

constexpr const char* noisy_pair = R"toml(
format = 1
seed = 3
duration_ms = 200
dt_ms = 0.1
[neurons.cells]
model = "lif"
num = 6
[neurons.cells.equations]
"dv/dt" = "(EL - v + R * I) / tau + 10 mV * sqrt(2 / tau) * xi : mV"
[neurons.cells.parameters]
I = "0.25 nA"
[synapses.among]
from = "cells"
to = "cells"
connect = { probability = "0.5" }
on_pre = ["v_post += 0.5 mV"]
delay = "2 ms"
[record.spikes]
spikes = "cells"
[record.v]
values = ["cells.v"]
which = [2]
every_ms = 5
[record.rate]
rate = "cells"
every_ms = 50
)toml";

Table run(const std::string& more, const std::string& folder) {
  const auto executor = make_serial_executor();
  Table document = io::parse_toml(noisy_pair, "test.toml");
  for (const auto& [key, value] : io::parse_toml(more, "more.toml").items) document.set(key, value);
  return simulate(document, folder + "/test.toml", folder, *executor);
}

std::vector<double> rows(const std::string& folder, const char* name) { return io::read_npy(folder + "/" + name + ".npy").values; }

TEST(Simulation, IsCheckedWithoutWriting) {
  Table document = io::parse_toml(noisy_pair, "test.toml");
  check_simulation(document, "test.toml");
  document.find("record")->table()->find("v")->table()->set("values", List{"cells.u"});
  try {
    check_simulation(document, "test.toml");
    FAIL();
  } catch (const SpecError& error) {
    EXPECT_NE(std::string(error.what()).find("Did you mean"), std::string::npos) << error.what();
  }
}

TEST(Simulation, ThatFailsLeavesItsRecordingsAndTheLastGoodState) {
  const io::TemporaryFolder folder;
  const std::string wrong =
      "[inputs.wrong]\nto = \"cells\"\nadds = \"v\"\nweight = \"1 mV / where(t < 100 ms, 1, 0)\"\nrate = \"1000 Hz\"";
  try {
    run("keep = \"state\"\n" + wrong, folder.path());
    FAIL();
  } catch (const RunError& error) {
    EXPECT_NE(std::string(error.what()).find("The last good state, at 10"), std::string::npos) << error.what();
  }
  EXPECT_GE(rows(folder.path(), "rate").size(), 4u);
  const Table more = run("begin = \"state\"\nduration_ms = 0.1\n" + wrong, folder.path());
  EXPECT_GE(*std::get_if<double>(&more.find("begun_ms")->is), 100);
}

TEST(Simulation, KeepsFloatsWhereTheyAreAskedFor) {
  const io::TemporaryFolder wide, narrow;
  run("keep = \"state\"", wide.path());
  run("keep = \"state\"\nprecision = \"float\"", narrow.path());
  EXPECT_LT(io::read_text(narrow.path() + "/state").size(), io::read_text(wide.path() + "/state").size());
  const std::vector<double> v = rows(wide.path(), "v"), v_narrow = rows(narrow.path(), "v");
  EXPECT_NE(v[3], v_narrow[3]);
  EXPECT_NEAR(v[3], v_narrow[3], 1e-4);
}

TEST(Simulation, WritesWhatIsAskedFor) {
  const io::TemporaryFolder folder;
  const Table told = run("", folder.path());
  const std::vector<double> spikes = rows(folder.path(), "spikes"), v = rows(folder.path(), "v"),
                            rate = rows(folder.path(), "rate");
  ASSERT_EQ(rate.size(), 8u);  // four windows of 50 ms
  ASSERT_EQ(v.size(), 80u);
  double sum = 0;
  for (std::size_t k = 1; k < rate.size(); k += 2) sum += rate[k] / 4;
  EXPECT_NEAR(sum, static_cast<double>(spikes.size() / 2) / 6 / 0.2, 1e-9);
  EXPECT_GT(spikes.size(), 20u);
  EXPECT_EQ(told.find("neurons")->table()->find("cells")->table()->find("spikes")->is,
            Value(static_cast<std::int64_t>(spikes.size() / 2)).is);
}

/// Two halves with the state on the disk between them are the whole, spike by spike, also with spikes on their way.
TEST(Checkpoint, GoesOnToTheBit) {
  const io::TemporaryFolder whole, first, second;
  run("", whole.path());
  run("duration_ms = 100\nkeep = \"half.state\"", first.path());
  run("duration_ms = 100\nbegin = \"" + first.path() + "/half.state\"", second.path());
  for (const char* name : {"spikes", "v", "rate"}) {
    std::vector<double> both = rows(first.path(), name);
    const std::vector<double> after = rows(second.path(), name);
    EXPECT_FALSE(after.empty());
    both.insert(both.end(), after.begin(), after.end());
    EXPECT_EQ(both, rows(whole.path(), name)) << name;
  }
}

TEST(Checkpoint, RefusesWhatIsNotItsState) {
  const io::TemporaryFolder folder;
  run("duration_ms = 100\nkeep = \"half.state\"", folder.path());
  const std::string path = folder.path() + "/half.state", begin = "begin = \"half.state\"\n";
  EXPECT_THROW(run(begin + "seed = 4", folder.path()), SpecError) << "another seed";
  EXPECT_THROW(run(begin + "dt_ms = 0.2", folder.path()), SpecError) << "another step";
  std::string text = io::read_text(path);
  text[text.size() / 2] ^= 1;
  io::write_text(path, text);
  EXPECT_THROW(run(begin, folder.path()), IoError) << "a bit has changed";
  io::write_text(path, text.substr(0, text.size() - 1));
  EXPECT_THROW(run(begin, folder.path()), IoError) << "the end is missing";
  io::write_text(path, "");
  EXPECT_THROW(run(begin, folder.path()), IoError);
}

}  // namespace
}  // namespace hartline::loop
