// NumPy's .npy files ↔ Array.
#pragma once

#include <string>
#include <string_view>

#include "base/value.hpp"

namespace hartline::io {

/// Reads a .npy file, version 1.0, 2.0 or 3.0, in C or Fortran order, of bool or little-endian int8 … int64, uint8 … uint64,
/// float32, float64. Values become doubles; NaN and infinities stay, their owner decides.
/// Throws: IoError for a file that cannot be read, is malformed or cut short; SpecError for another element type and for
/// 64-bit integers that a double cannot hold.
/// Reference: numpy/lib/format.py, NEP 1
Array read_npy(const std::string& path);

/// The same from bytes; `name` stands for the file in messages.
Array parse_npy(std::string_view bytes, const std::string& name);

/// Writes float64 in C order, version 1.0, as one step (see write_text).
/// Throws: IoError with the system's reason, SpecError if the values do not fill the shape.
void write_npy(const std::string& path, const Array& array);

}  // namespace hartline::io
