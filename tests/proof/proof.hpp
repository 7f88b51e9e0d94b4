// Proof: whether a proof runs at full size, and the table that it leaves behind.
#pragma once

#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/threads.hpp"
#include "io/toml.hpp"
#include "loop/run.hpp"

namespace hartline::proof {

/// Whether HARTLINE_PROOF=1 asks for the full size.
inline bool is_full() {
  const char* value = std::getenv("HARTLINE_PROOF");
  return value && std::string(value) == "1";
}

/// The full size or the reduced one.
template <class Size>
Size sized(Size full, Size reduced) {
  return is_full() ? full : reduced;
}

/// A Markdown table with a title; appended to the file named by HARTLINE_PROOF_FILE, where there is one, at the end of its life.
class Sheet {
 public:
  Sheet(const std::string& title, const std::vector<std::string>& columns) : text_("\n#### " + title + "\n\n") {
    row(columns);
    row(std::vector<std::string>(columns.size(), "---"));
  }
  Sheet(const Sheet&) = delete;
  Sheet& operator=(const Sheet&) = delete;
  ~Sheet() {
    if (const char* file = std::getenv("HARTLINE_PROOF_FILE")) std::ofstream(file, std::ios::app) << text_;
  }

  void row(const std::vector<std::string>& cells) {
    for (const std::string& cell : cells) text_ += "| " + cell + " ";
    text_ += "|\n";
  }

 private:
  std::string text_;
};

/// An experiment from the text of its description.
inline std::unique_ptr<loop::Experiment> build(const std::string& text, std::uint64_t seed, Executor& executor,
                                               std::shared_ptr<const loop::Recording> recording = nullptr) {
  return loop::build(loop::read_spec(io::parse_toml(text, "proof"), "proof"), "", seed, executor, std::move(recording));
}

/// Builds an experiment for each of `num` seeds from `first` on, lets `prepare(k, experiment)` change it and `body(k, experiment,
/// run)` do with its run what it likes; on all cores, so that what bodies share wants a lock.
template <class Body, class Prepare = void (*)(std::size_t, loop::Experiment&)>
void for_each_run(
    const std::string& text, std::uint64_t first, std::int64_t num, Body&& body,
    Prepare&& prepare = [](std::size_t, loop::Experiment&) {}) {
  const auto executor = make_executor(0);
  executor->for_each_block(static_cast<int>(num), [&](int block) {
    const auto k = static_cast<std::size_t>(block);
    const auto serial = make_serial_executor();
    const auto experiment = build(text, first + k, *serial);
    prepare(k, *experiment);
    const auto record = loop::make_null_record();
    const SteadyClock clock;
    loop::Run run(*experiment, *record, clock);
    body(k, *experiment, run);
  });
}

}  // namespace hartline::proof
