// Records as histories to be scored.
#pragma once

#include <memory>
#include <string>

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

/// Throws: SpecError for a record of a model that is not written as text or of a subject that was not simulated; IoError.
Scored read_scored(const io::RecordReader& reader, const std::string& path);

}  // namespace hartline::loop
