// hartline train: a network from an experiment, here or in the program that has libtorch.
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "cli/commands.hpp"
#include "cli/progress.hpp"
#include "io/json.hpp"
#include "loop/spec.hpp"
#include "loop/stimuli.hpp"

extern char** environ;

namespace hartline::cli {

namespace {

namespace fs = std::filesystem;

/// hartline_train with the same command line; its exit code.
int pass_on(const Options& options) {
  const fs::path program = fs::read_symlink("/proc/self/exe").parent_path() / "hartline_train";
  if (!fs::exists(program))
    throw SpecError({"train.method", "evolution where hartline_train is not installed", "\"gradient\"",
                     "It is built where libtorch-dev is installed (tools/setup test, HARTLINE_TORCH)."});
  std::vector<std::string> arguments{program.string()};
  arguments.insert(arguments.end(), options.arguments.begin(), options.arguments.end());
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t child = 0;
  stop_on_interrupt();
  if (const int error = posix_spawn(&child, program.c_str(), nullptr, nullptr, argv.data(), environ); error != 0)
    throw IoError({program.string(), "a program that starts", std::strerror(error), ""});
  int status = 0;
  bool told = false;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) throw IoError({program.string(), "a program that can be waited for", std::strerror(errno), ""});
    if (stop_requested && !std::exchange(told, true)) kill(child, SIGTERM);
  }
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  throw RunError({program.string(), "a program that ends by itself", fmt::format("signal {}", WTERMSIG(status)),
                  "Run the command again: training goes on where it was written down."});
}

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
  if (spec.train->method == "gradient" && !options.gradient) return pass_on(options);
  const std::string folder = fs::absolute(options.file).parent_path().string(), path = network_path(options, spec, folder);
  const auto executor = make_executor(options.threads);
  stop_on_interrupt();
  models::TrainedNetwork network;
  {
    std::optional<Progress> line;
    network = loop::train(document, options.file, folder, path, *executor, options.gradient, [&](std::int64_t done_of, std::int64_t all) {
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
