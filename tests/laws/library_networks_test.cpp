// Every cell and synapse of the library runs, and does so with the same bits where its equations are interpreted.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "base/hash.hpp"
#include "base/threads.hpp"
#include "dynamics/run.hpp"
#include "dynamics/test_networks.hpp"
#include "equations/kernel.hpp"
#include "io/toml.hpp"

namespace hartline::dynamics {
namespace {

namespace fs = std::filesystem;

std::map<std::string, Table> library(const std::string& folder) {
  std::map<std::string, Table> out;
  for (const auto& entry : fs::directory_iterator(HARTLINE_LIBRARY "/" + folder))
    out.emplace(entry.path().stem().string(), io::read_toml(entry.path().string()));
  return out;
}

/// What drives each cell to spike.
const std::map<std::string, const char*> drives = {{"adex", "1 nA"},
                                                   {"lif", "0.3 nA"},
                                                   {"eif", "2 uA/cm^2"},
                                                   {"izhikevich", "10"},
                                                   {"hodgkin_huxley", "10 uA/cm^2"},
                                                   {"traub_miles", "0.5 nA"},
                                                   {"morris_lecar", "100 uA/cm^2"},
                                                   {"fitzhugh_nagumo", "0.5"},
                                                   {"glif", "0.3 nA"},
                                                   {"poisson_glm", "1"}};

std::uint64_t digest(const State& state) {
  return hash_bytes({reinterpret_cast<const char*>(state.bytes().data()), state.bytes().size()});
}

struct Outcome {
  std::uint64_t digest = 0;
  std::size_t num_spikes = 0;
};

Outcome run_cell(const std::string& name, Table cell) {
  cell.set("num", 11);
  Table parameters = *cell.find("parameters")->table();
  parameters.set(name == "poisson_glm" ? "drive" : "I", drives.at(name));
  cell.set("parameters", parameters);
  const Program program(network(name == "hodgkin_huxley" || name == "traub_miles" ? 0.02 : 0.05, table({{"cell", cell}})), 1);
  State state = program.start();
  MemorySink sink;
  const auto recorder = record_events(program, "cell", sink);
  Recorder* const recorders[] = {recorder.get()};
  run(program, state, std::llround(0.3 / program.dt_s()), *make_serial_executor(), recorders);
  return {digest(state), sink.values.size() / 2};
}

Outcome run_synapse(Table synapse) {
  const Table source = table({{"num", 20}, {"threshold", "random < 30 Hz * dt"}});
  const Table target = table({{"num", 10},
                              {"equations", table({{"dv/dt", "(-60 mV - v + g / (1 nS) * 30 mV) / (10 ms) : mV"},
                                                   {"dg/dt", "(x - g) / (5 ms) : nS"},
                                                   {"dx/dt", "-x / (5 ms) : nS"}})},
                              {"parameters", table({{"g_nmda", "0 nS"}})},
                              {"own", List{"g_nmda"}},
                              {"start", table({{"v", "-60 mV"}, {"g", "0 nS"}, {"x", "0 nS"}})},
                              {"threshold", "v > -50 mV"},
                              {"reset", List{"v = -60 mV"}}});
  synapse.set("from", "source");
  synapse.set("to", "target");
  synapse.set("connect", table({{"probability", "0.5"}}));
  const Program program(network(0.1, table({{"source", source}, {"target", target}}), table({{"s", synapse}})), 2);
  State state = program.start();
  MemorySink sink;
  const auto recorder = record_events(program, "source", sink);
  Recorder* const recorders[] = {recorder.get()};
  const std::uint64_t before = digest(state);
  run(program, state, 3000, *make_serial_executor(), recorders);
  EXPECT_NE(digest(state), before);
  return {digest(state), sink.values.size() / 2};
}

std::map<std::string, Outcome> outcomes() {
  std::map<std::string, Outcome> out;
  for (const auto& [name, cell] : library("neurons")) out["neurons/" + name] = run_cell(name, cell);
  for (const auto& [name, synapse] : library("synapses")) out["synapses/" + name] = run_synapse(synapse);
  return out;
}

TEST(LibraryNetworks, EveryCellSpikesAndEverySynapseChanges) {
  const auto all = outcomes();
  EXPECT_GE(all.size(), 17u);
  for (const auto& [name, outcome] : all) {
    EXPECT_GT(outcome.num_spikes, 10u) << name;
    std::printf("digest %s %llx\n", name.c_str(), static_cast<unsigned long long>(outcome.digest));
  }
}

TEST(LibraryNetworks, InterpretedAndCompiledHaveTheSameBits) {
  if (!equations::missing_compiler().empty()) GTEST_SKIP() << equations::missing_compiler();
  const std::string command = "HARTLINE_INTERPRET=1 " + fs::read_symlink("/proc/self/exe").string() +
                              " --gtest_filter=LibraryNetworks.EveryCellSpikesAndEverySynapseChanges";
  std::FILE* child = popen(command.c_str(), "r");
  ASSERT_NE(child, nullptr);
  std::map<std::string, unsigned long long> interpreted;
  std::array<char, 512> line;
  while (std::fgets(line.data(), static_cast<int>(line.size()), child)) {
    std::array<char, 256> name;
    unsigned long long value = 0;
    if (std::sscanf(line.data(), "digest %255s %llx", name.data(), &value) == 2) interpreted[name.data()] = value;
  }
  EXPECT_EQ(pclose(child), 0);
  const auto compiled = outcomes();
  EXPECT_EQ(interpreted.size(), compiled.size());
  for (const auto& [name, outcome] : compiled) EXPECT_EQ(interpreted[name], outcome.digest) << name;
}

}  // namespace
}  // namespace hartline::dynamics
