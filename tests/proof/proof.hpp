// Proof: whether a proof runs at full size, and the table that it leaves behind.
#pragma once

#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "base/threads.hpp"
#include "io/toml.hpp"
#include "loop/experiment.hpp"

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

}  // namespace hartline::proof
