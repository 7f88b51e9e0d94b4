#include "io/write_lock.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>
#include <set>
#include <utility>

#include "base/error.hpp"
#include "io/file.hpp"

namespace hartline::io {

namespace {

// The system's record locks belong to a process: they neither stop a second writer within it nor survive its closing any descriptor
// of the same file. So this process also keeps the files that it holds, and looks here before it opens one.
using FileId = std::pair<dev_t, ino_t>;

std::mutex held_mutex;

std::set<FileId>& held() {
  static std::set<FileId> files;
  return files;
}

bool find_file(const std::string& name, FileId& id) {
  struct stat status {};
  if (::stat(name.c_str(), &status) != 0) return false;
  id = {status.st_dev, status.st_ino};
  return true;
}

[[noreturn]] void refuse_busy(const std::string& path, const std::string& holder) {
  throw IoError({path, "free for writing", "a record that is being written by " + holder,
                 "Wait until that run has ended, or end it; reading it is possible meanwhile."});
}

}  // namespace

WriteLock::WriteLock(const std::string& path) : name_(path + "-lock") {
  const std::lock_guard guard(held_mutex);
  for (;;) {
    FileId id;
    if (find_file(name_, id) && held().contains(id)) refuse_busy(path, "this process");
    fd_ = ::open(name_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd_ < 0) refuse_file(path, "in a folder that may be written", errno, errno == ENOENT ? "Make the folder first." : "");
    struct flock request {};
    request.l_type = F_WRLCK;
    request.l_whence = SEEK_SET;
    if (::fcntl(fd_, F_SETLK, &request) != 0) {
      const int reason = errno;
      ::fcntl(fd_, F_GETLK, &request);
      ::close(fd_);
      if (reason != EACCES && reason != EAGAIN) refuse_file(path, "on a disk that can lock files", reason, "Choose a local disk.");
      refuse_busy(path, "another process" + (request.l_type == F_UNLCK ? "" : " (" + std::to_string(request.l_pid) + ")"));
    }
    // Its last holder may have removed the file between our open and our lock; then the name leads elsewhere.
    struct stat status {};
    if (::fstat(fd_, &status) == 0 && find_file(name_, id) && id == FileId(status.st_dev, status.st_ino)) {
      held().insert(id);
      return;
    }
    ::close(fd_);
  }
}

WriteLock::~WriteLock() {
  const std::lock_guard guard(held_mutex);
  struct stat status {};
  if (::fstat(fd_, &status) == 0) held().erase({status.st_dev, status.st_ino});
  ::unlink(name_.c_str());
  ::close(fd_);
}

}  // namespace hartline::io
