#include "io/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "base/error.hpp"

namespace hartline::io {

namespace {

/// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  /// Closes now, to hear of a late write error.
  int close() {
    const int fd = fd_;
    fd_ = -1;
    return ::close(fd);
  }

 private:
  int fd_;
};

std::string next_step(int error_number) {
  switch (error_number) {
    case ENOENT:
      return "Check the spelling of the path.";
    case EACCES:
    case EPERM:
    case EROFS:
      return "Choose a folder that you may write to, or change the permissions.";
    case ENOSPC:
    case EDQUOT:
      return "Free some space or choose another disk.";
    default:
      return "";
  }
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

void refuse_file(const std::string& path, const std::string& requirement, int error_number, const std::string& hint) {
  throw IoError({path, requirement, std::system_category().message(error_number), hint.empty() ? next_step(error_number) : hint});
}

std::string read_text(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) refuse_file(path, "a readable file", errno, errno == EACCES ? "Change its permissions." : "");
  std::string text;
  struct stat status {};
  if (::fstat(file.get(), &status) == 0 && status.st_size > 0) text.reserve(static_cast<std::size_t>(status.st_size));
  char block[65536];
  for (;;) {
    const ssize_t got = ::read(file.get(), block, sizeof block);
    if (got == 0) return text;
    if (got > 0)
      text.append(block, static_cast<std::size_t>(got));
    else if (errno != EINTR)
      refuse_file(path, "a readable file", errno, "");
  }
}

void sync_folder_of(const std::string& path) {
  const std::string folder = folder_of(path);
  const Descriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // Some file systems do not sync folders and say so with EINVAL; nothing more can be done there.
  if (descriptor.get() < 0 || (::fsync(descriptor.get()) != 0 && errno != EINVAL))
    refuse_file(folder, "a folder that can be synced", errno, "");
}

void write_text(const std::string& path, std::string_view text) {
  const std::string temporary = path + ".new-" + std::to_string(::getpid());
  const auto give_up = [&](int error_number) {
    ::unlink(temporary.c_str());
    refuse_file(path, "a writable file", error_number, "");
  };
  Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (file.get() < 0) refuse_file(path, "a writable file", errno, errno == ENOENT ? "Make the folder first." : "");
  while (!text.empty()) {
    const ssize_t written = ::write(file.get(), text.data(), text.size());
    if (written >= 0)
      text.remove_prefix(static_cast<std::size_t>(written));
    else if (errno != EINTR)
      give_up(errno);
  }
  if (::fsync(file.get()) != 0 && errno != EINVAL) give_up(errno);
  if (file.close() != 0) give_up(errno);
  if (::rename(temporary.c_str(), path.c_str()) != 0) give_up(errno);
  sync_folder_of(path);
}

}  // namespace hartline::io
