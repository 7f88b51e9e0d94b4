#include "io/npy_stream.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.hpp"
#include "io/file.hpp"

namespace hartline::io {

namespace {

constexpr std::size_t buffered = 8192;  // numbers
constexpr std::size_t header_size = 128;

}  // namespace

NpyStream::NpyStream(std::string path, std::size_t num_columns)
    : path_(std::move(path)), part_(path_ + ".part"), num_columns_(num_columns) {
  buffer_.reserve(buffered + num_columns);
  file_ = std::fopen(part_.c_str(), "wb");
  if (!file_) refuse();
  write_header();
}

NpyStream::~NpyStream() {
  if (file_) std::fclose(file_);
}

void NpyStream::refuse() { refuse_file(part_, "a file that can be written", errno, "Free some room or record less."); }

void NpyStream::write_header() {
  std::string text = fmt::format("{{'descr': '<f8', 'fortran_order': False, 'shape': ({}, {}), }}", num_rows_, num_columns_);
  constexpr std::size_t prefix = 10;
  text.resize(header_size - prefix - 1, ' ');
  text += '\n';
  const auto length = static_cast<unsigned>(text.size());
  const std::string start = std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(length & 0xff) + static_cast<char>(length >> 8);
  if (std::fwrite(start.data(), 1, start.size(), file_) != start.size() ||
      std::fwrite(text.data(), 1, text.size(), file_) != text.size())
    refuse();
}

void NpyStream::put(std::span<const double> row) {
  if (row.size() != num_columns_) throw InternalError(fmt::format("a row of {} numbers for {} columns", row.size(), num_columns_));
  buffer_.insert(buffer_.end(), row.begin(), row.end());
  ++num_rows_;
  if (buffer_.size() >= buffered) flush();
}

void NpyStream::flush() {
  if (std::fwrite(buffer_.data(), sizeof(double), buffer_.size(), file_) != buffer_.size()) refuse();
  buffer_.clear();
}

void NpyStream::close() {
  flush();
  if (std::fseek(file_, 0, SEEK_SET) != 0) refuse();
  write_header();
  if (std::fflush(file_) != 0 || fsync(fileno(file_)) != 0) refuse();
  std::fclose(file_);
  file_ = nullptr;
  if (std::rename(part_.c_str(), path_.c_str()) != 0) refuse();
  sync_folder_of(path_);
}

}  // namespace hartline::io
