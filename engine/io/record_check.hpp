// Is this database a record that this version can read?
#pragma once

#include "io/sqlite.hpp"

namespace hartline::io {

/// Throws: IoError for another kind of file, a newer format, or tables that are not those of a record.
void check_record(const Database& database);

}  // namespace hartline::io
