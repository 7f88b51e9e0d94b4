#include "targets.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>

#include "base/error.hpp"
#include "equations/program.hpp"
#include "io/example_trial.hpp"
#include "io/file.hpp"
#include "io/json.hpp"
#include "io/network_file.hpp"
#include "io/npy.hpp"
#include "io/temporary_folder.hpp"
#include "io/toml.hpp"
#include "loop/training.hpp"
#include "models/encoding_text.hpp"

namespace hartline::fuzz {

using namespace io;

void demand(bool holds, const char* promise) {
  if (!holds) throw std::logic_error(promise);
}

namespace {

/// One folder in memory for all inputs of a process.
const TemporaryFolder& scratch() {
  static const TemporaryFolder folder(TemporaryFolder::in_memory());
  return folder;
}

void write_plainly(const std::string& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

/// Reads all of the record, then continues it.
void use_record(const std::string& path) {
  try {
    const RecordReader reader(path);
    reader.info();
    reader.num_trials();
    reader.for_each_trial([](const Trial&, const TrialTimes&) {});
    reader.events();
    for (const std::string& name : reader.array_names()) reader.arrays(name);
    reader.latency();
    reader.documents();
  } catch (const Error&) {
  }
  try {
    const auto record = RunRecord::append(path);
    Trial trial = example_trial(1);
    trial.attempt = 77;
    record->decide(trial);
    record->observe(trial);
    record->flush();
  } catch (const Error&) {
  }
  for (const char* suffix : {"", "-wal", "-shm", "-journal"}) ::unlink((path + suffix).c_str());
}

/// A record while it is being written: the file and the log beside it.
std::pair<std::string, std::string> unfinished_record() {
  const TemporaryFolder folder(TemporaryFolder::in_memory());
  const std::string path = folder / "run.hartline";
  const auto record = RunRecord::create(path, example_info());
  for (int i = 0; i < 3; ++i) {
    record->decide(example_trial(i));
    record->observe(example_trial(i));
  }
  record->flush();
  return {read_text(path), read_text(path + "-wal")};
}

std::vector<std::string> toml_seeds() {
  return {
      "format = 1\nseed = 7\nnum_trials = 100\n\n[subject]\nkind = \"simulated\"\nfilter = [0.5, -1e-3, inf]\n\n"
      "[[compare.design]]\nname = \"random\"\nsearch = {kind = \"pool\", size = 0x10, \"a key\" = true}\n",
      "a.b.'c d' = '''\nmany\nlines'''\nt = \"tab \\t \\u00e9 \\\" \\\\\"\nm = \"\"\"\nx \\\n  y\"\"\"\"\n"
      "empty = [ ]\nd = 1979-05-27\n",
      "x = [[1, 2], [], [{y = nan}, {y = -0.0}]] # comment . [\n[a.b.c.d]\n[a.b]\nk=1_000\n\"\"=2\n",
  };
}

std::vector<std::string> text_seeds() {
  return {
      "given x : deg\ngiven mu : deg\ngiven sigma : deg\ngiven A : Hz\nrate = 2 Hz + A * exp(-(x - mu)^2 / (2 * sigma^2)) : Hz\n"
      "window = 100 ms\nr ~ poisson(rate * window)\n",
      "given x[2]\ngiven w[2, 3]\ny = sum(k in 2, x[k] * sum(j in 3, w[k, j]^2)) - dot(x, x) / -2.5e-3\nz' = 0.5 * z\nstart z = "
      "1\n",
      "given v : mV\nm = where(v < -40 mV and not (v == 0) or 1 > 2, log_gamma(clip(v / 1 mV, 1, 9)), -3^-2) : 1\n"
      "I = 120 mS / (1 cm)^2 * m^3 * (v - 50 mV) : A/m^2\np = atan2(m, 2) / 30 deg\nq = m + m * m - (m - -m)\n",
  };
}

std::vector<std::string> network_seeds() {
  models::TrainedNetwork network;
  network.target = "policy";
  network.stimulus.set("x", "box(-1, 1)");
  Table parameters;
  parameters.set("w", "normal(0, 1)");
  network.model.set("response", "r ~ normal(w * x, 0.5)");
  network.model.set("parameters", parameters);
  network.model_hash = models::text_hash(network.stimulus, network.model);
  network.encoder = network.readout = {2};
  network.num_codes = 1;
  network.train = *to_value(design::TrainSpec{}).table();
  network.stimulus_middle = network.response_mean = {0};
  network.stimulus_range = network.response_scale = {1};
  const models::EncodingText text(network.stimulus, network.model);
  network.weights.assign(models::shape_of(network, text).num_weights(), 0.25);
  const std::string finished = loop::to_bytes(network);
  network.momentum = network.square = network.weights;
  return {finished, loop::to_bytes(network)};
}

std::vector<std::string> json_seeds() {
  return {"{\"format\": 1, \"a\": [1, -2.5e-3, true, null, \"\\u00e9\\ud83d\\ude00\\n\"], \"b\": {\"c\": {}}}",
          "[[[]], {\"x\": [0.1]}]", "-9223372036854775808"};
}

std::string npy_seed(const std::string& descr, bool fortran, const std::string& shape, std::size_t num_bytes, char major) {
  const std::string header =
      "{'descr': '" + descr + "', 'fortran_order': " + (fortran ? "True" : "False") + ", 'shape': (" + shape + "), }\n";
  std::string out = "\x93NUMPY";
  out += {major, '\0', static_cast<char>(header.size()), '\0'};
  if (major > 1) out += {'\0', '\0'};
  return out + header + std::string(num_bytes, '\x01');
}

std::vector<std::string> npy_seeds() {
  return {npy_seed("<f8", false, "2, 3", 48, 1), npy_seed("<i8", true, "2, 2, 2", 64, 2), npy_seed("|b1", true, "4,", 4, 3),
          npy_seed("<f4", false, "", 4, 1), npy_seed("<u2", true, "3, 1", 6, 1)};
}

std::vector<std::string> record_seeds() {
  const TemporaryFolder folder(TemporaryFolder::in_memory());
  write_example(folder / "a", 5);
  write_example(folder / "b", 1);
  return {read_text(folder / "a"), read_text(folder / "b")};
}

std::vector<std::string> log_seeds() { return {unfinished_record().second}; }

}  // namespace

void read_as_toml(std::string_view bytes) {
  Table table;
  try {
    table = parse_toml(bytes, "fuzz.toml");
  } catch (const SpecError&) {
    return;
  }
  // What was read can be written, and reads back to the same text.
  const std::string text = to_toml(table);
  demand(to_toml(parse_toml(text, "again.toml")) == text, "a table reads back");
}

void read_as_text(std::string_view bytes) {
  equations::Program program;
  try {
    program = equations::read_program(bytes, "fuzz");
  } catch (const SpecError&) {
    return;
  }
  // What was read prints, after every change, as a text that reads back and prints the same.
  const auto demand_same = [&] {
    const std::string text = equations::print(program);
    demand(equations::print(equations::read_program(text, "again")) == text, "a program reads back");
  };
  demand_same();
  for (const char* pass : {"simplify", "name_shared"}) {
    equations::Program changed = program;
    equations::run_passes(changed, pass);
    std::swap(changed, program);
    demand_same();
    std::swap(changed, program);
  }
}

void read_as_json(std::string_view bytes) {
  Value value;
  try {
    value = parse_json(bytes);
  } catch (const SpecError&) {
    return;
  }
  const std::string text = to_json(value);
  demand(parse_json(text) == value && to_json(parse_json(to_json(value, 2))) == text, "a value reads back");
}

void read_as_npy(std::string_view bytes) {
  try {
    const Array array = parse_npy(bytes, "fuzz.npy");
    demand(array.values.size() <= bytes.size(), "values come from bytes");
  } catch (const Error&) {
  }
}

void read_as_network(std::string_view bytes) {
  const auto use = [](std::string_view all) {
    try {
      const loop::NetworkOfFile file = loop::network_from(all, "fuzz.policy");
      demand(loop::to_bytes(*loop::network_from(loop::to_bytes(*file.network), "again").network) == loop::to_bytes(*file.network),
             "a network reads back");
    } catch (const Error&) {
    }
  };
  use(bytes);
  // behind the hash nothing else is reached: the same with a first line that fits
  const std::size_t end = bytes.find('\n');
  if (end == std::string_view::npos || end > 120) return;
  const std::string_view body = bytes.substr(end + 1);
  const std::string line(bytes.substr(0, end));
  const std::size_t size = line.size() > 19 ? std::strtoul(line.c_str() + 19, nullptr, 10) : 0;
  NetworkFile file;
  try {
    file.header = parse_toml(body.substr(0, size), "fuzz.policy");
  } catch (const Error&) {
    return;
  }
  file.numbers.assign(body.size() > size ? (body.size() - size) / sizeof(double) : 0, 0.5);
  use(network_bytes(file));
}

void read_as_record(std::string_view bytes) {
  const std::string path = scratch() / "fuzz.hartline";
  write_plainly(path, bytes);
  use_record(path);
}

void read_as_log(std::string_view bytes) {
  static const std::string intact = unfinished_record().first;
  const std::string path = scratch() / "fuzz.hartline";
  write_plainly(path, intact);
  write_plainly(path + "-wal", bytes);
  use_record(path);
}

const std::vector<Target>& targets() {
  static const std::vector<Target> all = {
      {"toml", read_as_toml, toml_seeds},       {"json", read_as_json, json_seeds}, {"npy", read_as_npy, npy_seeds},
      {"record", read_as_record, record_seeds}, {"log", read_as_log, log_seeds},    {"rig", read_as_rig, rig_seeds},
      {"text", read_as_text, text_seeds},       {"network", read_as_network, network_seeds},
  };
  return all;
}

}  // namespace hartline::fuzz
