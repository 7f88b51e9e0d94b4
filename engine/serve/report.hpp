// The report: one HTML page from a record and nothing else.
#pragma once

#include <string>

#include "base/threads.hpp"
#include "base/value.hpp"

namespace hartline::serve {

/// The page's data (docs/report-format.md), format 1, from a record. The belief over trials is recomputed from the recorded
/// responses. Throws: IoError, SpecError.
Value report_document(const std::string& record_path, Executor& executor);

/// The page with a document's JSON text embedded.
std::string report_page(const std::string& json);

}  // namespace hartline::serve
