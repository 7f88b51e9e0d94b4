// FaultVfs: a virtual file system for SQLite over the usual one, whose operations can be made to fail and whose power can be cut.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

struct sqlite3_vfs;

namespace hartline::io {

/// Counts opens that may create, writes, syncs, truncations and removals, in one sequence from 1.
///
/// Nothing reaches the real disk's cache flush: what a loss of power would leave is computed from the writes since each file's last
/// sync. Renames and removals count as durable at once; that a file's name survives is not modelled.
class FaultVfs {
 public:
  enum class Failure { none, disk_full, input_output };

  /// Registers itself with SQLite under `name`; no connection may outlive it.
  explicit FaultVfs(std::string name);
  FaultVfs(const FaultVfs&) = delete;
  FaultVfs& operator=(const FaultVfs&) = delete;
  ~FaultVfs();

  const std::string& name() const { return name_; }
  std::int64_t num_operations() const;
  std::int64_t num_syncs() const;

  /// The n-th operation from now on fails; with `lasting`, so do all after it.
  void fail_at(std::int64_t n, Failure failure, bool lasting);
  /// Ends what fail_at() began, as if space had been made.
  void repair();
  /// At the n-th operation from now on the machine stops: nothing that follows reaches a file.
  void cut_power_at(std::int64_t n);
  /// Whether a failure or the cut has happened.
  bool has_struck() const;

  /// After all connections are closed: leaves each file as a loss of power may leave it. Seed 0 drops every write since the last
  /// sync, 1 keeps all, others keep a random choice of their 512-byte sectors. The machine works again.
  void lose_power(std::uint64_t seed);

 private:
  friend struct FaultFile;  // the handles that SQLite holds

  /// A write, or a truncation to `offset` where there are no bytes.
  struct Change {
    std::int64_t offset;
    std::string bytes;
    bool truncates;
  };
  struct FileState {
    std::string durable;  // as of the last sync
    bool was_synced = false;
    std::vector<Change> pending;
  };
  enum class Verdict { pass, fail, cut, stopped };

  Verdict strike();
  int code_of(Verdict verdict, int input_output_code) const;
  FileState& state_of(const std::string& path);
  static void apply(const Change& change, std::string& content);

  const std::string name_;
  sqlite3_vfs* real_;
  std::unique_ptr<sqlite3_vfs> vfs_;

  mutable std::mutex mutex_;  // guards what follows
  std::map<std::string, FileState> files_;
  std::int64_t num_operations_ = 0, num_syncs_ = 0;
  std::int64_t strike_at_ = 0;  // 0: never
  Failure failure_ = Failure::none;
  bool lasting_ = false, cuts_power_ = false, struck_ = false;
};

}  // namespace hartline::io
