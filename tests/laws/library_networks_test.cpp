// Every cell and synapse of the library runs, and does so with the same bits where its equations are interpreted, after a copy or a
// restored state, and at any number of threads. A file that is added to the library is found here: a cell needs a drive.
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

/// `num` of the cell; `spread`: each with its own drive.
Table cell_network(const std::string& name, Table cell, int num, bool spread) {
  cell.set("num", num);
  Table parameters = *cell.find("parameters")->table();
  parameters.set(name == "poisson_glm" ? "drive" : "I",
                 spread ? "(" + std::string(drives.at(name)) + ") * (0.8 + 0.4 * random)" : drives.at(name));
  cell.set("parameters", parameters);
  return network(name == "hodgkin_huxley" || name == "traub_miles" ? 0.02 : 0.05, table({{"cell", cell}}));
}

Table synapse_network(Table synapse, int num_sources, int num_targets, const char* probability) {
  const Table source = table({{"num", num_sources}, {"threshold", "random < 30 Hz * dt"}});
  const Table target = table({{"num", num_targets},
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
  synapse.set("connect", table({{"probability", probability}}));
  return network(0.1, table({{"source", source}, {"target", target}}), table({{"s", synapse}}));
}

Outcome outcome(const Table& net, const std::string& spikes_of, double duration_s) {
  const Program program(net, 2);
  State state = program.start();
  MemorySink sink;
  const auto recorder = record_events(program, spikes_of, sink);
  Recorder* const recorders[] = {recorder.get()};
  const std::uint64_t before = digest(state);
  run(program, state, std::llround(duration_s / program.dt_s()), *make_serial_executor(), recorders);
  EXPECT_NE(digest(state), before);
  return {digest(state), sink.values.size() / 2};
}

std::map<std::string, Outcome> outcomes() {
  std::map<std::string, Outcome> out;
  for (const auto& [name, cell] : library("neurons"))
    out["neurons/" + name] = outcome(cell_network(name, cell, 11, false), "cell", 0.3);
  for (const auto& [name, synapse] : library("synapses"))
    out["synapses/" + name] = outcome(synapse_network(synapse, 20, 10, "0.5"), "source", 0.3);
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

/// A fork and a restored state go on as the state itself, and any number of threads does.
void expect_the_same_bits(const std::string& name, const Table& net) {
  SCOPED_TRACE(name);
  const Program program(net, 3);
  const auto after = [&](State state, Executor& executor) {
    run(program, state, 200, executor);
    return digest(state);
  };
  const auto serial = make_serial_executor();
  State state = program.start();
  run(program, state, 200, *serial);
  const State fork = state;
  const std::uint64_t before = digest(state);
  const State restored = program.restore(state.bytes());
  const std::uint64_t whole = after(program.start(), *serial);
  EXPECT_EQ(whole, before);
  run(program, state, 200, *serial);
  EXPECT_EQ(digest(fork), before);  // what it was copied from has gone on
  EXPECT_EQ(after(fork, *serial), digest(state));
  EXPECT_EQ(after(restored, *serial), digest(state));
  for (const int num : {2, 8}) {
    const auto threads = make_executor(num);
    State other = program.start();
    run(program, other, 400, *threads);
    EXPECT_EQ(digest(other), digest(state)) << num << " threads";
  }
}

TEST(LibraryNetworks, ForksRestoredStatesAndThreadsHaveTheSameBits) {
  for (const auto& [name, cell] : library("neurons")) expect_the_same_bits(name, cell_network(name, cell, 2500, true));
  for (const auto& [name, synapse] : library("synapses")) expect_the_same_bits(name, synapse_network(synapse, 2500, 2500, "0.004"));
}

}  // namespace
}  // namespace hartline::dynamics
