// Files: whole texts in, whole texts out; a reader never sees half a file.
#pragma once

#include <string>
#include <string_view>

namespace hartline::io {

/// Reads a whole file.
/// Throws: IoError with the system's reason.
std::string read_text(const std::string& path);

/// Replaces a file as one step: temporary file beside it, fsync, rename, fsync of the folder. A failure leaves the old file.
/// Throws: IoError with the system's reason.
void write_text(const std::string& path, std::string_view text);

/// Forces the folder that holds `path` to the disk, so that a name made or renamed in it survives a loss of power.
/// Throws: IoError with the system's reason.
void sync_folder_of(const std::string& path);

/// IoError for a call of the system that failed: what the file must be, the reason of `error_number`, the next step.
[[noreturn]] void refuse_file(const std::string& path, const std::string& requirement, int error_number, const std::string& hint);

}  // namespace hartline::io
