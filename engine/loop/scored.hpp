// Records, and logs of other programs, as histories to be scored.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/value.hpp"
#include "design/score.hpp"

namespace hartline::io {
class RecordReader;
}

namespace hartline::loop {

/// The text of a record's model, and what its simulated subject was shown and answered.
struct Scored {
  std::shared_ptr<const models::EncodingText> text;
  design::ScoredHistory history;
};

/// Responses that were missing at random are left out, censored ones enter by their tail.
/// Throws: SpecError for a record of a model that is not written as text or of a subject that was not simulated; IoError.
Scored read_scored(const io::RecordReader& reader, const std::string& path);

/// The experiments of a log, one JSON object a line and trial (docs/models-as-text.md): by their names the stimulus, the responses
/// and the true parameters, in the units of the text, arrays as lists; `experiment`, where there are several. A response that is
/// null or absent is missing at random, {"at_least": c} is censored. What is true of an experiment may stand in its first line
/// alone. Throws: SpecError naming the line; `path` names the log.
std::vector<Scored> read_log(std::string_view lines, const Table& model, const std::string& path);

}  // namespace hartline::loop
