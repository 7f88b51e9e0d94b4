// A .npy file that grows row by row, so that a recording takes the disk's room and not the memory's.
#pragma once

#include <cstdio>
#include <span>
#include <string>
#include <vector>

namespace hartline::io {

/// float64 rows in C order, [num_rows, num_columns]. The file takes its name when it is closed; until then it has `.part` behind
/// it, with all rows that were flushed. (npy_stream_test.cpp: NpyStream.GrowsToWhatWasPut)
class NpyStream {
 public:
  /// Throws: IoError with the system's reason.
  NpyStream(std::string path, std::size_t num_columns);
  ~NpyStream();
  NpyStream(const NpyStream&) = delete;
  NpyStream& operator=(const NpyStream&) = delete;

  /// Throws: IoError, for a full disk for example.
  void put(std::span<const double> row);
  /// Writes the number of rows and gives the file its name. Throws: IoError.
  void close();
  std::size_t num_rows() const { return num_rows_; }

 private:
  void write_header();
  void flush();
  [[noreturn]] void refuse();

  std::string path_, part_;
  std::size_t num_columns_, num_rows_ = 0;
  std::vector<double> buffer_;
  std::FILE* file_ = nullptr;
};

}  // namespace hartline::io
