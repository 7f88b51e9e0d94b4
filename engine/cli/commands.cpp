#include "cli/commands.hpp"

#include <fmt/format.h>

#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "cli/outcome.hpp"
#include "cli/progress.hpp"
#include "io/file.hpp"
#include "io/json.hpp"
#include "io/record_reader.hpp"
#include "io/run_record.hpp"
#include "io/toml.hpp"
#include "loop/compare.hpp"
#include "loop/run.hpp"
#include "loop/scored.hpp"
#include "loop/simulation.hpp"
#include "models/encoding_text.hpp"
#include "serve/network_page.hpp"
#include "serve/report.hpp"
#include "serve/rig_server.hpp"

namespace hartline::cli {

std::atomic<bool> stop_requested{false};

void stop_on_interrupt() {
  stop_requested = false;
  std::signal(SIGINT, [](int) { stop_requested = true; });
  std::signal(SIGTERM, [](int) { stop_requested = true; });
}

namespace {

namespace fs = std::filesystem;

std::string folder_of(const std::string& file) {
  const fs::path parent = fs::absolute(file).parent_path();
  return parent.string();
}

void print(const std::string& text, std::FILE* to = stdout) {
  std::fputs(text.c_str(), to);
  std::fputs("\n", to);
}

Table document_of(const Options& options) {
  Table document = loop::read_document(options.file, options.overrides);
  if (options.seed) document.set("seed", *options.seed);
  return document;
}

void print_outcome(const Options& options, const loop::Experiment& experiment, loop::Run& run, const std::string& record) {
  const Table out = outcome(experiment, run, record);
  std::FILE* to = options.rig == "stdio" ? stderr : stdout;  // what a rig reads ends with its goodbye
  if (options.json) return print(io::to_json(out), to);
  for (const auto& [name, value] : out.items)
    if (name != "format") print(fmt::format("{} = {}", name, display(value)), to);
}

/// Lets the rig drive the run. What is printed goes before and after what the rig hears.
void serve_rig(const Options& options, const loop::Experiment& experiment, loop::Run& run, Record& record) {
  const serve::RigAddress address = serve::rig_address(options.rig);
  const char* given = std::getenv("HARTLINE_RIG_TOKEN");
  const std::string token = !address.tcp ? "" : given && *given ? given : serve::make_rig_token();
  serve::RigProtocol protocol(experiment, run, record, token);
  if (!address.tcp) return serve::serve_rig_stdio(protocol, stop_requested);
  serve::serve_rig_tcp(protocol, address, experiment.spec.subject.silence_s, stop_requested, [&](std::uint16_t port) {
    Table out;
    out.set("rig", "tcp");
    out.set("protocol", serve::rig_protocol);
    out.set("host", address.host);
    out.set("port", static_cast<std::int64_t>(port));
    if (!given) out.set("token", token);
    print(io::to_json(out));
    std::fflush(stdout);
  });
}

int finish_run(const Options& options, const loop::Experiment& experiment, loop::Run& run, Record& record,
               const std::string& path) {
  stop_on_interrupt();
  const bool remote = experiment.spec.subject.kind == "remote";
  if (remote == options.rig.empty())
    throw SpecError({"--rig", remote ? "given for a remote subject" : "absent but for a remote subject",
                     remote ? "nothing" : "\"" + options.rig + "\"", "subject.kind says who responds."});
  if (remote) {
    serve_rig(options, experiment, run, record);
  } else {
    Progress progress("trials", experiment.spec.num_trials, options.json);
    run.go([&](std::int64_t done_trials) { progress.show(done_trials); }, &stop_requested);
  }
  if (!run.done()) {
    std::FILE* to = options.rig == "stdio" ? stderr : stdout;
    if (options.json) {
      Table out;
      out.set("format", 1);
      out.set("record", path);
      out.set("num_trials", run.learner().num_trials());
      out.set("interrupted", true);
      print(io::to_json(out), to);
      return interrupted;
    }
    print(fmt::format("interrupted after {} trials; continue with: hartline resume {}", run.learner().num_trials(), path), to);
    return interrupted;
  }
  run.finish();
  print_outcome(options, experiment, run, path);
  return done;
}

std::string default_out(const Options& options, const char* extension) {
  return options.out.empty() ? fs::path(options.file).stem().string() + extension : options.out;
}

}  // namespace

int guarded(const std::function<int()>& body) {
  const auto tell = [](const char* what, int code) {
    std::fprintf(stderr, "hartline: %s\n", what);
    return code;
  };
  try {
    return body();
  } catch (const SpecError& error) {
    return tell(error.what(), wrong_spec);
  } catch (const RunError& error) {
    return tell(error.what(), run_failed);
  } catch (const IoError& error) {
    return tell(error.what(), io_failed);
  } catch (const fs::filesystem_error& error) {
    return tell(error.what(), io_failed);
  } catch (const std::exception& error) {
    return tell(fmt::format("internal fault: {}. Please report it with the command.", error.what()).c_str(), internal_fault);
  }
}

int run_command(const Options& options) {
  const Table document = document_of(options);
  const loop::Spec spec = loop::read_spec(document, options.file);
  const auto executor = make_executor(options.threads);
  const std::string folder = folder_of(options.file), path = default_out(options, ".hartline");
  const auto experiment = loop::build(spec, folder, static_cast<std::uint64_t>(spec.seed), *executor);
  io::RecordInfo info = info_of(*experiment);
  const auto record = io::RunRecord::create(path, info);
  const SteadyClock clock;
  loop::Run run(*experiment, *record, clock);
  return finish_run(options, *experiment, run, *record, path);
}

int simulate_command(const Options& options) {
  const Table document = document_of(options);
  const std::string folder = default_out(options, "");
  const auto executor = make_executor(options.threads);
  stop_on_interrupt();
  const Value* duration = document.find("duration_ms");
  const auto* whole = duration ? std::get_if<std::int64_t>(&duration->is) : nullptr;
  const auto* real = duration ? std::get_if<double>(&duration->is) : nullptr;
  Progress progress("ms", whole ? *whole : real ? static_cast<std::int64_t>(*real) : 0, options.json);
  const Table out = loop::simulate(
      document, options.file, folder, *executor, [&](double done_ms) { progress.show(static_cast<std::int64_t>(done_ms)); },
      &stop_requested);
  const std::string report = folder + "/report.html", command = "hartline simulate " + options.file;
  io::write_text(report, serve::report_page(io::to_json(serve::network_document(out, folder, to_toml(document), command))));
  print(options.json ? io::to_json(out) : to_toml(out) + "\nreport: " + report);
  return stop_requested ? interrupted : done;
}

int resume_command(const Options& options) {
  const auto executor = make_executor(options.threads);
  const io::RecordReader reader(options.file);
  const auto experiment = experiment_of(reader, options.file, *executor);
  const auto record = io::RunRecord::append(options.file);
  const SteadyClock clock;
  loop::Run run(*experiment, *record, clock);
  run.restore(reader);
  return finish_run(options, *experiment, run, *record, options.file);
}

int replay_command(const Options& options) {
  const auto executor = make_executor(options.threads);
  const io::RecordReader reader(options.file);
  const auto experiment = experiment_of(reader, options.file, *executor);
  loop::ReplayResult result;
  {
    Progress progress("trials", reader.num_trials(), options.json);
    result = loop::replay(*experiment, reader, [&](std::int64_t trials) { progress.show(trials); });
  }
  Table out;
  out.set("format", 1);
  out.set("num_trials", result.num_trials);
  out.set("first_difference", result.first_difference);
  out.set("difference", result.difference);
  out.set("belief_digest", fmt::format("{:016x}", result.digest));
  if (options.json)
    print(io::to_json(out));
  else if (result.first_difference < 0)
    print(fmt::format("{} trials recomputed, every choice and every evidence equal to the bit", result.num_trials));
  else
    print(fmt::format("first difference in trial {}: {}", result.first_difference, result.difference));
  return result.first_difference < 0 ? done : replay_differed;
}

int compare_command(const Options& options) {
  const Table document = document_of(options);
  const loop::Spec spec = loop::read_spec(document, options.file);
  const auto executor = make_executor(options.threads);
  const std::string folder = folder_of(options.file);
  if (!options.out.empty() && fs::exists(options.out))
    throw IoError({options.out, "a new file", "one that exists", "Remove it or name another with --out."});
  loop::Comparison comparison;
  {
    std::optional<Progress> line;
    comparison = loop::compare(document, options.file, folder, *executor, [&](std::int64_t trials, std::int64_t all) {
      if (!line) line.emplace("trials", all, options.json);
      line->show(trials);
    });
  }
  const std::string text = io::to_json(loop::to_document(comparison));
  if (!options.out.empty()) {
    const auto experiment = loop::build(spec, folder, static_cast<std::uint64_t>(spec.seed), *executor);
    {
      const auto record = io::RunRecord::create(options.out, info_of(*experiment));
      const SteadyClock clock;
      loop::Run run(*experiment, *record, clock);
      run.go();
      run.finish();
    }
    io::write_document(options.out, "comparison", text);
  }
  if (options.json) {
    print(text);
    return done;
  }
  for (const auto& design : comparison.designs) {
    print(fmt::format("{} after {} trials, mean of {} seeds [95 % interval]", design.name, comparison.trials.back(),
                      comparison.num_seeds));
    for (const auto& band : design.bands) {
      const auto& info = loop::metric_info[static_cast<std::size_t>(band.metric)];
      print(fmt::format("  {:<24}{:10.4f}  [{:.4f}, {:.4f}] {}", info.name, band.mean.back(), band.low.back(), band.high.back(),
                        info.unit));
    }
  }
  if (comparison.saving) {
    const auto& s = *comparison.saving;
    print(fmt::format("{} {:.4g}: {} needs {:.0f} trials, {} {:.0f}: {:.2f} times fewer [{:.2f}, {:.2f}]",
                      loop::metric_info[static_cast<std::size_t>(s.metric)].name, s.criterion, s.baseline, s.baseline_trials,
                      s.adaptive, s.adaptive_trials, s.ratio, s.low, s.high));
  } else {
    print("no trials saved are given: there is no baseline, or a design does not reach the criterion in these trials");
  }
  return done;
}

int check_command(const Options& options) {
  const Table document = document_of(options);
  if (document.find("neurons")) {  // a network that runs alone
    loop::check_simulation(document, options.file);
    print(options.json ? io::to_json(document) : to_toml(document));
    return done;
  }
  const loop::Spec spec = loop::read_spec(document, options.file);
  const auto executor = make_executor(options.threads);
  const auto experiment = loop::build(spec, folder_of(options.file), static_cast<std::uint64_t>(spec.seed), *executor);
  io::window_of(spec.record.durability);
  if (spec.compare) loop::check_comparison(document, options.file, folder_of(options.file), *executor);
  const Table out = loop::resolved(experiment->spec);
  print(options.json ? io::to_json(out) : to_toml(out));
  return done;
}

int score_command(const Options& options) {
  const auto executor = make_executor(options.threads);
  std::vector<loop::Scored> experiments;
  for (const std::string& file : options.files) {
    if (options.model.empty()) {
      const io::RecordReader reader(file);
      experiments.push_back(loop::read_scored(reader, file));
      continue;
    }
    for (loop::Scored& one : loop::read_log(io::read_text(file), io::read_toml(options.model), file)) {
      one.history.seed = experiments.size() + 1;
      experiments.push_back(std::move(one));
    }
  }
  const double num = static_cast<double>(experiments.size()), most = std::log(static_cast<double>(options.num_contrasts) + 1);
  std::vector<double> spce, snmc;
  double num_saturated = 0;
  for (const loop::Scored& scored : experiments) {
    const models::TextLikelihood likelihood(scored.text);
    const design::Score s = design::score(likelihood, scored.history, static_cast<std::size_t>(options.num_contrasts), *executor);
    spce.push_back(s.spce);
    snmc.push_back(s.snmc);
    num_saturated += s.spce > most - 0.1;
  }
  const auto mean_and_error = [&](const std::vector<double>& values) {
    double mean = 0, square = 0;
    for (const double x : values) mean += x / num;
    for (const double x : values) square += (x - mean) * (x - mean);
    return std::pair{mean, num > 1 ? std::sqrt(square / (num - 1) / num) : std::numeric_limits<double>::quiet_NaN()};
  };
  Table out;
  out.set("format", 1);
  out.set(options.model.empty() ? "num_records" : "num_experiments", static_cast<std::int64_t>(experiments.size()));
  out.set("num_contrasts", options.num_contrasts);
  out.set("spce", mean_and_error(spce).first);
  out.set("spce_standard_error", mean_and_error(spce).second);
  out.set("snmc", mean_and_error(snmc).first);
  out.set("snmc_standard_error", mean_and_error(snmc).second);
  out.set("log_contrasts", most);
  out.set("num_saturated", static_cast<std::int64_t>(num_saturated));
  if (options.json) {
    print(io::to_json(out));
    return done;
  }
  for (const auto& [name, value] : out.items)
    if (name != "format") print(fmt::format("{} = {}", name, display(value)));
  if (num_saturated > 0)
    print(fmt::format("{} of {} scores lie within 0.1 nats of log(L + 1), where they say nothing more: raise --contrasts.",
                      num_saturated, num));
  return done;
}

int explain_command(const Options& options) {
  const Table document = loop::read_document(options.file, options.overrides);
  const auto table_of = [](const Table& from, const char* name) {
    const Value* value = from.find(name);
    return value ? value->table() : nullptr;
  };
  const Table *stimulus = table_of(document, "stimulus"), *model = table_of(document, "model");
  const Value* candidates = model ? model->find("candidate") : nullptr;
  const auto explain = [&](const Table& one) {
    const models::EncodingText text(*stimulus, one);
    equations::Program program = text.written;
    if (!options.pass.empty()) equations::run_passes(program, options.pass);
    std::fputs(equations::print(program).c_str(), stdout);
  };
  if (stimulus && candidates && candidates->list()) {
    for (const Value& candidate : *candidates->list()) {
      const Table* own = candidate.table() ? table_of(*candidate.table(), "model") : nullptr;
      const Value* name = candidate.table() ? candidate.table()->find("name") : nullptr;
      if (!own || !own->find("response")) continue;
      print(fmt::format("# {}", name && name->text() ? *name->text() : "a candidate"));
      explain(*own);
    }
    return done;
  }
  if (!stimulus || !model || !model->find("response"))
    throw SpecError({"model.response", "a model written as text, for example \"r ~ poisson(rate * window)\"", "none", ""});
  explain(*model);
  return done;
}

int report_command(const Options& options) {
  const auto executor = make_executor(options.threads);
  const Value document = serve::report_document(options.file, *executor);
  if (options.json) {
    print(io::to_json(document));
    return done;
  }
  std::string path = options.out;
  if (path.empty()) path = fs::path(options.file).replace_extension(".html").string();
  io::write_text(path, serve::report_page(io::to_json(document)));
  print(fs::absolute(path).string());
  return done;
}

}  // namespace hartline::cli
