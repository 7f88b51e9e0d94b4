// Sqlite: connections and statements with Hartline's errors; the only part of io that sees SQLite's interface.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace hartline::io {

enum class Access { read, write, create };

/// One connection, for one thread at a time.
class Database {
 public:
  /// Opens a file; `vfs` names a virtual file system of SQLite, "" the usual one.
  /// A reader also opens what lies in a folder that it cannot write to.
  /// Throws: IoError.
  Database(const std::string& path, Access access, const std::string& vfs = "");
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// Runs statements that return nothing of interest.
  void run(const std::string& sql) const;
  /// The first column of the first row as a whole number; 0 without one.
  std::int64_t number(const std::string& sql) const;
  /// How many rows the last statement changed.
  std::int64_t num_changed() const;

  /// Waiting time for a lock that somebody else holds.
  void set_patience_ms(int ms) const;
  /// Switches to a write-ahead log, which readers may read along with, and which nobody shortens but checkpoint().
  void use_log();
  /// Length of the log at the last commit.
  int num_log_pages() const { return num_log_pages_; }
  /// Copies what it can from the log into the file and does not wait for readers.
  void checkpoint() const;
  /// Leaves the log as it is when closing.
  void keep_log_on_close() const;

  const std::string& path() const { return path_; }
  /// Throws the IoError for a result code: what the file must be, the reason, the next step.
  [[noreturn]] void refuse(int result) const;

 private:
  friend class Statement;
  struct Closer {
    void operator()(sqlite3* connection) const;
  };
  void open(const std::string& name, int flags, const std::string& vfs);

  std::string path_;
  Access access_;
  int num_log_pages_ = 0;
  std::unique_ptr<sqlite3, Closer> connection_;
};

/// One prepared statement. Parameters are bound in order by add…, columns are read in order after step().
class Statement {
 public:
  Statement(const Database& database, std::string_view sql);

  /// Forgets the parameters and starts again.
  Statement& restart();
  Statement& add(std::int64_t v);
  Statement& add_real(double v);  // NaN becomes NULL, as SQLite has none
  Statement& add_text(std::string_view v);
  Statement& add_null();
  /// The bytes must live until the statement has run.
  Statement& add_bytes(std::span<const std::byte> v);
  Statement& add_doubles(std::span<const double> v) { return add_bytes(std::as_bytes(v)); }

  /// To the next row; false after the last.
  bool step();
  /// Runs a statement without rows.
  void run();

  // Each reads the next column of the row and throws IoError if it holds something else.
  std::int64_t whole();
  double real();  // NULL becomes NaN
  std::string text();
  std::span<const std::byte> bytes();  // until the next step
  bool is_null() const;                // looks at the next column without passing it
  void skip() { ++column_; }

 private:
  struct Finalizer {
    void operator()(sqlite3_stmt* statement) const;
  };
  void check(int result);
  int column_of(int type);

  const Database& database_;
  std::unique_ptr<sqlite3_stmt, Finalizer> statement_;
  int parameter_ = 0;
  int column_ = 0;
};

}  // namespace hartline::io
