// What a run tells of itself: in its record, and when it is over.
#pragma once

#include <memory>
#include <string>

#include "io/record_info.hpp"
#include "io/record_reader.hpp"
#include "loop/run.hpp"

namespace hartline::cli {

std::string version();

/// What the record of a run of this experiment says about it as a whole: configuration, versions, host, time.
io::RecordInfo info_of(const loop::Experiment& experiment);

/// The experiment that a record was made from. Its paths are absolute.
std::unique_ptr<loop::Experiment> experiment_of(const io::RecordReader& reader, const std::string& path, Executor& executor);

/// The result of a finished run: trials, digest of the belief, metrics, time for a choice.
Table outcome(const loop::Experiment& experiment, loop::Run& run, const std::string& record);

}  // namespace hartline::cli
