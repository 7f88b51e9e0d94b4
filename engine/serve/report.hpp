// The report: one HTML page from a record and nothing else.
#pragma once

#include <string>

#include "base/threads.hpp"
#include "base/value.hpp"
#include "io/record_reader.hpp"
#include "loop/experiment.hpp"

namespace hartline::serve {

/// The page's data (docs/report-format.md), format 1, from a record. The belief over trials is recomputed from the recorded
/// responses. Throws: IoError, SpecError.
Value report_document(const std::string& record_path, Executor& executor);

/// The same of an experiment that is built already, which made the record.
Value report_document(const io::RecordReader& reader, const loop::Experiment& experiment, const std::string& record_path);

/// The page's data of a belief by itself: the estimate and how sure it is.
Value belief_document(const loop::Experiment& experiment, const models::Belief& belief);

/// The page with a document's JSON text embedded.
std::string report_page(const std::string& json);

}  // namespace hartline::serve
