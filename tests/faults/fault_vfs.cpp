#include "fault_vfs.hpp"

#include <sqlite3.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <new>

#include "base/random.hpp"

namespace hartline::io {

namespace {

constexpr std::size_t sector = 512;

std::string content_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

bool exists(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0;
}

}  // namespace

/// What SQLite holds for an open file; the real handle follows it in memory.
struct FaultFile {
  sqlite3_file base;
  FaultVfs* vfs;
  bool is_kept;  // a temporary file has no name and no future
  char path[1024];

  static FaultFile& of(sqlite3_file* file) { return *reinterpret_cast<FaultFile*>(file); }
  static sqlite3_file* real(sqlite3_file* file) { return reinterpret_cast<sqlite3_file*>(&of(file) + 1); }
  static FaultVfs& owner(sqlite3_vfs* vfs) { return *static_cast<FaultVfs*>(vfs->pAppData); }
  using Verdict = FaultVfs::Verdict;

  static int close(sqlite3_file* file) { return real(file)->pMethods->xClose(real(file)); }
  static int read(sqlite3_file* file, void* data, int size, sqlite3_int64 offset) {
    return real(file)->pMethods->xRead(real(file), data, size, offset);
  }

  static int write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
    FaultFile& self = of(file);
    const std::lock_guard guard(self.vfs->mutex_);
    const Verdict verdict = self.vfs->strike();
    if (verdict == Verdict::stopped) return self.vfs->code_of(verdict, SQLITE_IOERR_WRITE);
    // A write that fails reaches the file in part; one during which the power goes may.
    if (verdict == Verdict::fail) size /= 2;
    std::string bytes(static_cast<const char*>(data), static_cast<std::size_t>(size));
    if (self.is_kept) self.vfs->state_of(self.path).pending.push_back({offset, std::move(bytes), false});
    if (verdict == Verdict::cut) return self.vfs->code_of(verdict, SQLITE_IOERR_WRITE);
    const int result = real(file)->pMethods->xWrite(real(file), data, size, offset);
    return verdict == Verdict::pass ? result : self.vfs->code_of(verdict, SQLITE_IOERR_WRITE);
  }

  static int truncate(sqlite3_file* file, sqlite3_int64 size) {
    FaultFile& self = of(file);
    const std::lock_guard guard(self.vfs->mutex_);
    const Verdict verdict = self.vfs->strike();
    if (verdict != Verdict::pass) return self.vfs->code_of(verdict, SQLITE_IOERR_TRUNCATE);
    if (self.is_kept) self.vfs->state_of(self.path).pending.push_back({size, "", true});
    return real(file)->pMethods->xTruncate(real(file), size);
  }

  static int sync(sqlite3_file* file, int) {
    FaultFile& self = of(file);
    const std::lock_guard guard(self.vfs->mutex_);
    const Verdict verdict = self.vfs->strike();
    if (verdict != Verdict::pass) return self.vfs->code_of(verdict, SQLITE_IOERR_FSYNC);
    ++self.vfs->num_syncs_;
    if (!self.is_kept) return SQLITE_OK;
    FaultVfs::FileState& state = self.vfs->state_of(self.path);
    for (const FaultVfs::Change& change : state.pending) FaultVfs::apply(change, state.durable);
    state.pending.clear();
    state.was_synced = true;
    return SQLITE_OK;
  }

  static int file_size(sqlite3_file* file, sqlite3_int64* size) { return real(file)->pMethods->xFileSize(real(file), size); }
  static int lock(sqlite3_file* file, int level) { return real(file)->pMethods->xLock(real(file), level); }
  static int unlock(sqlite3_file* file, int level) { return real(file)->pMethods->xUnlock(real(file), level); }
  static int check_reserved(sqlite3_file* file, int* out) { return real(file)->pMethods->xCheckReservedLock(real(file), out); }
  static int control(sqlite3_file* file, int code, void* argument) {
    return real(file)->pMethods->xFileControl(real(file), code, argument);
  }
  static int sector_size(sqlite3_file* file) { return real(file)->pMethods->xSectorSize(real(file)); }
  static int characteristics(sqlite3_file* file) { return real(file)->pMethods->xDeviceCharacteristics(real(file)); }
  static int shm_map(sqlite3_file* file, int page, int size, int extend, void volatile** out) {
    return real(file)->pMethods->xShmMap(real(file), page, size, extend, out);
  }
  static int shm_lock(sqlite3_file* file, int offset, int count, int flags) {
    return real(file)->pMethods->xShmLock(real(file), offset, count, flags);
  }
  static void shm_barrier(sqlite3_file* file) { real(file)->pMethods->xShmBarrier(real(file)); }
  static int shm_unmap(sqlite3_file* file, int remove) { return real(file)->pMethods->xShmUnmap(real(file), remove); }

  static int open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* out_flags) {
    static const sqlite3_io_methods methods = {
        2,          &close,          &read,    &write,       &truncate,        &sync,    &file_size, &lock,
        &unlock,    &check_reserved, &control, &sector_size, &characteristics, &shm_map, &shm_lock,  &shm_barrier,
        &shm_unmap, nullptr,         nullptr};
    FaultVfs& self = owner(vfs);
    auto* out = new (file) FaultFile{};
    const std::lock_guard guard(self.mutex_);
    if (flags & SQLITE_OPEN_CREATE)
      if (const Verdict verdict = self.strike(); verdict != Verdict::pass) {
        self.code_of(verdict, SQLITE_CANTOPEN);
        return SQLITE_CANTOPEN;
      }
    const int result = self.real_->xOpen(self.real_, path, real(file), flags, out_flags);
    if (result != SQLITE_OK) return result;
    out->base.pMethods = &methods;
    out->vfs = &self;
    out->is_kept = path && !(flags & SQLITE_OPEN_DELETEONCLOSE);
    if (out->is_kept) {
      std::strncpy(out->path, path, sizeof out->path - 1);
      self.state_of(path);
    }
    return SQLITE_OK;
  }

  static int remove(sqlite3_vfs* vfs, const char* path, int) {
    FaultVfs& self = owner(vfs);
    const std::lock_guard guard(self.mutex_);
    const Verdict verdict = self.strike();
    if (verdict != Verdict::pass) return self.code_of(verdict, SQLITE_IOERR_DELETE);
    self.files_.erase(path);
    return self.real_->xDelete(self.real_, path, 0);
  }

  static int access(sqlite3_vfs* vfs, const char* path, int flags, int* out) {
    return owner(vfs).real_->xAccess(owner(vfs).real_, path, flags, out);
  }
  static int full_pathname(sqlite3_vfs* vfs, const char* path, int size, char* out) {
    return owner(vfs).real_->xFullPathname(owner(vfs).real_, path, size, out);
  }
  static int randomness(sqlite3_vfs* vfs, int size, char* out) {
    return owner(vfs).real_->xRandomness(owner(vfs).real_, size, out);
  }
  static int sleep(sqlite3_vfs* vfs, int microseconds) { return owner(vfs).real_->xSleep(owner(vfs).real_, microseconds); }
  static int current_time(sqlite3_vfs* vfs, double* out) { return owner(vfs).real_->xCurrentTime(owner(vfs).real_, out); }
  static int current_time_ms(sqlite3_vfs* vfs, sqlite3_int64* out) {
    return owner(vfs).real_->xCurrentTimeInt64(owner(vfs).real_, out);
  }
  static int last_error(sqlite3_vfs*, int, char*) { return errno; }
};

FaultVfs::FaultVfs(std::string name)
    : name_(std::move(name)), real_(sqlite3_vfs_find(nullptr)), vfs_(std::make_unique<sqlite3_vfs>()) {
  vfs_->iVersion = 2;
  vfs_->szOsFile = static_cast<int>(sizeof(FaultFile)) + real_->szOsFile;
  vfs_->mxPathname = real_->mxPathname;
  vfs_->zName = name_.c_str();
  vfs_->pAppData = this;
  vfs_->xOpen = &FaultFile::open;
  vfs_->xDelete = &FaultFile::remove;
  vfs_->xAccess = &FaultFile::access;
  vfs_->xFullPathname = &FaultFile::full_pathname;
  vfs_->xRandomness = &FaultFile::randomness;
  vfs_->xSleep = &FaultFile::sleep;
  vfs_->xCurrentTime = &FaultFile::current_time;
  vfs_->xGetLastError = &FaultFile::last_error;
  vfs_->xCurrentTimeInt64 = &FaultFile::current_time_ms;
  sqlite3_vfs_register(vfs_.get(), 0);
}

FaultVfs::~FaultVfs() { sqlite3_vfs_unregister(vfs_.get()); }

std::int64_t FaultVfs::num_operations() const {
  const std::lock_guard guard(mutex_);
  return num_operations_;
}

std::int64_t FaultVfs::num_syncs() const {
  const std::lock_guard guard(mutex_);
  return num_syncs_;
}

bool FaultVfs::has_struck() const {
  const std::lock_guard guard(mutex_);
  return struck_;
}

void FaultVfs::fail_at(std::int64_t n, Failure failure, bool lasting) {
  const std::lock_guard guard(mutex_);
  strike_at_ = num_operations_ + n;
  failure_ = failure;
  lasting_ = lasting;
  cuts_power_ = struck_ = false;
}

void FaultVfs::repair() {
  const std::lock_guard guard(mutex_);
  strike_at_ = 0;
}

void FaultVfs::cut_power_at(std::int64_t n) {
  fail_at(n, Failure::input_output, true);
  const std::lock_guard guard(mutex_);
  cuts_power_ = true;
}

FaultVfs::Verdict FaultVfs::strike() {
  ++num_operations_;
  if (strike_at_ == 0 || num_operations_ < strike_at_ || (num_operations_ > strike_at_ && !lasting_)) return Verdict::pass;
  const bool first = !struck_;
  struck_ = true;
  if (!cuts_power_) return Verdict::fail;
  return first ? Verdict::cut : Verdict::stopped;
}

int FaultVfs::code_of(Verdict verdict, int input_output_code) const {
  const bool full = verdict == Verdict::fail && failure_ == Failure::disk_full;
  errno = full ? ENOSPC : EIO;
  return full ? SQLITE_FULL : input_output_code;
}

FaultVfs::FileState& FaultVfs::state_of(const std::string& path) {
  if (const auto found = files_.find(path); found != files_.end()) return found->second;
  // A file under construction carries its unsynced writes along when it is renamed.
  const std::string before = path + "-new";
  if (const auto found = files_.find(before); found != files_.end() && !exists(before)) {
    auto node = files_.extract(found);
    node.key() = path;
    return files_.insert(std::move(node)).position->second;
  }
  const bool was_there = exists(path) && std::filesystem::file_size(path) > 0;
  return files_.emplace(path, FileState{content_of(path), was_there, {}}).first->second;
}

void FaultVfs::apply(const Change& change, std::string& content) {
  const auto offset = static_cast<std::size_t>(change.offset);
  if (change.truncates) {
    content.resize(offset);
    return;
  }
  if (content.size() < offset + change.bytes.size()) content.resize(offset + change.bytes.size());
  content.replace(offset, change.bytes.size(), change.bytes);
}

void FaultVfs::lose_power(std::uint64_t seed) {
  const std::lock_guard guard(mutex_);
  Stream stream(seed, Purpose::test);
  const auto keeps = [&] { return seed == 1 || (seed > 1 && stream.uniform() < 0.5); };
  for (auto& [path, state] : files_) {
    if (!exists(path)) continue;
    std::string content = state.durable;
    for (const Change& change : state.pending) {
      if (change.truncates) {
        if (keeps()) apply(change, content);
        continue;
      }
      for (std::size_t from = 0; from < change.bytes.size();) {
        const std::size_t offset = static_cast<std::size_t>(change.offset) + from;
        const std::size_t size = std::min(sector - offset % sector, change.bytes.size() - from);
        if (keeps()) apply({static_cast<std::int64_t>(offset), change.bytes.substr(from, size), false}, content);
        from += size;
      }
    }
    if (content.empty() && !state.was_synced)
      std::filesystem::remove(path);
    else
      std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
    std::filesystem::remove(path + "-shm");
  }
  files_.clear();
  strike_at_ = 0;
}

}  // namespace hartline::io
