// WriteLock: at most one writer of a record among all processes and within this one.
#pragma once

#include <string>

namespace hartline::io {

/// Holds the file `<path>-lock` while it lives. The system drops the lock when the process ends, however it ends; forked
/// children do not inherit it.
class WriteLock {
 public:
  /// Throws: IoError if somebody holds it or the folder cannot be written.
  explicit WriteLock(const std::string& path);
  WriteLock(const WriteLock&) = delete;
  WriteLock& operator=(const WriteLock&) = delete;
  ~WriteLock();

 private:
  std::string name_;
  int fd_ = -1;
};

}  // namespace hartline::io
