// The commands of the program, one function each; each returns an exit code.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace hartline::cli {

struct Options {
  std::string file;                    // experiment or record
  std::vector<std::string> files;      // records
  std::vector<std::string> overrides;  // "a.b=3"
  std::optional<std::int64_t> seed;
  std::string out;
  std::string model;  // text of a log's model
  std::string pass;   // after which a program is shown
  std::string rig;    // where a remote subject's rig is heard
  bool json = false;
  int threads = 0;
  std::int64_t num_contrasts = 100000;
};

enum ExitCode {
  done = 0,
  wrong_spec = 2,
  run_failed = 3,
  io_failed = 4,
  internal_fault = 5,
  replay_differed = 6,
  interrupted = 130
};

int run_command(const Options& options);
int compare_command(const Options& options);
int check_command(const Options& options);
int resume_command(const Options& options);
int replay_command(const Options& options);
int report_command(const Options& options);
int explain_command(const Options& options);
int score_command(const Options& options);
int train_command(const Options& options);
int simulate_command(const Options& options);

/// Set by the signals that ask the program to stop, once stop_on_interrupt was called.
extern std::atomic<bool> stop_requested;
void stop_on_interrupt();

/// Calls `body`; an error becomes one line on standard error and its exit code.
int guarded(const std::function<int()>& body);

}  // namespace hartline::cli
