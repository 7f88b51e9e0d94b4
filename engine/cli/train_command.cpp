// hartline train: a network from an experiment.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "cli/commands.hpp"
#include "cli/progress.hpp"
#include "io/json.hpp"
#include "loop/spec.hpp"
#include "loop/stimuli.hpp"
#include "loop/training.hpp"

namespace hartline::cli {

namespace {

namespace fs = std::filesystem;

/// Where the network goes: where the experiment looks for it, or beside the reader.
std::string network_path(const Options& options, const loop::Spec& spec, const std::string& folder) {
  if (!options.out.empty()) return options.out;
  if (spec.train->target == "policy" && !spec.design.policy.empty()) return loop::in_folder(folder, spec.design.policy);
  const Value* network = spec.belief.find("network");
  if (spec.train->target == "posterior" && network && network->text()) return loop::in_folder(folder, *network->text());
  return fs::path(options.file).stem().string() + "." + spec.train->target;
}

}  // namespace

int train_command(const Options& options) {
  Table document = loop::read_document(options.file, options.overrides);
  if (options.seed) document.set("seed", *options.seed);
  const loop::Spec spec = loop::read_spec(document, options.file);
  if (!spec.train)
    throw SpecError({"train", "a table", "nothing", "[train] alone takes every default."});
  const std::string folder = fs::absolute(options.file).parent_path().string(), path = network_path(options, spec, folder);
  const auto executor = make_executor(options.threads);
  stop_on_interrupt();
  models::TrainedNetwork network;
  {
    std::optional<Progress> line;
    network = loop::train(document, options.file, folder, path, *executor, [&](std::int64_t done_of, std::int64_t all) {
      if (!line) line.emplace(spec.train->minutes ? "seconds" : "steps", all, options.json);
      line->show(done_of);
    }, &stop_requested);
  }
  Table out;
  out.set("format", 1);
  out.set("network", path);
  out.set("num_steps", network.num_steps);
  out.set("num_weights", static_cast<std::int64_t>(network.weights.size()));
  if (!network.curve.empty()) out.set("score", network.curve.back());
  out.set("finished", network.finished);
  if (options.json) std::printf("%s\n", io::to_json(out).c_str());
  for (const auto& [name, value] : out.items)
    if (!options.json && name != "format") std::printf("%s = %s\n", name.c_str(), display(value).c_str());
  if (!network.finished && !options.json) std::printf("interrupted; continue with the same command\n");
  return network.finished ? done : interrupted;
}

}  // namespace hartline::cli
