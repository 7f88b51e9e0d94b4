#include "cli/program.hpp"

#include <CLI/CLI.hpp>

#include <csignal>

#include "cli/commands.hpp"
#include "cli/outcome.hpp"

namespace hartline::cli {

int run_program(int argc, const char* const* argv) {
  std::signal(SIGXFSZ, SIG_IGN);  // a file at its size limit fails like a full disk, with a message, instead of ending the program
  CLI::App app{
      "Hartline: choose the stimulus from which the most is learned.\n"
      "Exit codes: 0 done, 2 the description is wrong, 3 a run failed, 4 a file or disk failed, 5 an internal fault, "
      "6 a replay differed, 130 interrupted."};
  app.require_subcommand(1);
  app.set_version_flag("--version", version());
  Options options;
  const auto add_common = [&](CLI::App* command, const char* what) {
    command->add_option("file", options.file, what)->required();
    command->add_flag("--json", options.json, "print one JSON document");
    command->add_option("--threads", options.threads, "threads; 0: as many as there are cores")->check(CLI::NonNegativeNumber);
  };
  const auto add_experiment = [&](CLI::App* command) {
    add_common(command, "experiment, TOML");
    command->add_option("--set", options.overrides, "override a value: a.b=3; may be repeated");
    command->add_option("--seed", options.seed, "override the seed");
  };
  CLI::App* run = app.add_subcommand("run", "run an experiment and write its record");
  add_experiment(run);
  run->add_option("--out", options.out, "record to write; default: NAME.hartline here");
  const auto add_rig = [&](CLI::App* command) {
    command->add_option(
        "--rig", options.rig,
        "for a remote subject, where its rig is heard: stdio, tcp, tcp:PORT or tcp:HOST:PORT; a token is printed, or "
        "taken from HARTLINE_RIG_TOKEN");
  };
  add_rig(run);
  CLI::App* compare =
      app.add_subcommand("compare", "compare designs over paired seeds; writes a record of one run with the comparison");
  add_experiment(compare);
  compare->add_option("--out", options.out, "record to write; default: none");
  CLI::App* train =
      app.add_subcommand("train", "train the network of an experiment with a table `train`; goes on where a killed training was");
  add_experiment(train);
  train->add_option("--out", options.out, "network to write; default: the experiment's, or NAME.policy or NAME.posterior here");
  CLI::App* simulate = app.add_subcommand("simulate", "run a network of neurons alone and write what it did");
  add_experiment(simulate);
  simulate->add_option("--out", options.out, "folder for the recordings; default: NAME here");
  CLI::App* check = app.add_subcommand("check", "validate an experiment, or a network that runs alone, without running it");
  add_experiment(check);
  CLI::App* resume = app.add_subcommand("resume", "continue an interrupted run");
  add_common(resume, "record");
  add_rig(resume);
  CLI::App* replay = app.add_subcommand("replay", "recompute every choice of a record");
  add_common(replay, "record");
  CLI::App* report = app.add_subcommand("report", "write a report as one HTML file");
  add_common(report, "record");
  report->add_option("--out", options.out, "HTML file to write; default: NAME.html beside the record");
  CLI::App* explain = app.add_subcommand("explain", "show what a model written as text says, as a text that reads back");
  explain->add_option("file", options.file, "experiment or model, TOML")->required();
  explain->add_option("--set", options.overrides, "override a value: a.b=3; may be repeated");
  explain->add_option("--pass", options.pass, "show it after erase_units, simplify, differentiate, extract_linear or name_shared");
  CLI::App* score = app.add_subcommand("score", "bound the information that logged experiments gave about their parameters");
  score->add_option("files", options.files, "records of simulated subjects whose model is written as text, or logs of any policy")
      ->required();
  score->add_option("--model", options.model, "text of the model, TOML; the files are then logs, one JSON object a line and trial");
  score->add_option("--contrasts", options.num_contrasts, "L, draws from the prior; the score is at most log(L + 1)")
      ->check(CLI::PositiveNumber);
  score->add_flag("--json", options.json, "print one JSON document");
  score->add_option("--threads", options.threads, "threads; 0: as many as there are cores")->check(CLI::NonNegativeNumber);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : 2;
  }
  return guarded([&] {
    if (*run) return run_command(options);
    if (*train) return train_command(options);
    if (*compare) return compare_command(options);
    if (*check) return check_command(options);
    if (*resume) return resume_command(options);
    if (*replay) return replay_command(options);
    if (*explain) return explain_command(options);
    if (*score) return score_command(options);
    if (*simulate) return simulate_command(options);
    return report_command(options);
  });
}

}  // namespace hartline::cli
