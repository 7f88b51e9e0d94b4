#include "io/sqlite.hpp"

#include <sqlite3.h>
#include <sys/stat.h>

#include <cctype>
#include <cerrno>
#include <limits>
#include <system_error>

#include "base/error.hpp"

namespace hartline::io {

namespace {

/// A name that SQLite takes for a plain path: neither a URI nor one of its special names.
std::string plain_name(const std::string& path) { return path.starts_with('/') ? path : "./" + path; }

/// A URI that promises SQLite that nobody writes the file, so that it needs no lock and no shared memory.
std::string immutable_uri(const std::string& path) {
  constexpr char digits[] = "0123456789ABCDEF";
  std::string uri = "file:";
  for (const char c : plain_name(path)) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) || c == '/' || c == '.' || c == '-' || c == '_')
      uri += c;
    else
      ((uri += '%') += digits[byte >> 4]) += digits[byte & 15];
  }
  return uri + "?immutable=1";
}

bool has_log(const std::string& path) {
  struct stat status {};
  return ::stat((path + "-wal").c_str(), &status) == 0 && status.st_size > 0;
}

}  // namespace

void Database::Closer::operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }
void Statement::Finalizer::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

Database::Database(const std::string& path, Access access, const std::string& vfs) : path_(path), access_(access) {
  if (access == Access::read) {
    open(plain_name(path), SQLITE_OPEN_READONLY, vfs);
    const auto look = [&] {
      return sqlite3_exec(connection_.get(), "SELECT count(*) FROM sqlite_schema", nullptr, nullptr, nullptr);
    };
    int result = look();
    // In write-ahead mode SQLite wants to make two files beside the record, which a folder that is read-only forbids.
    if (const int code = result & 0xff; code == SQLITE_CANTOPEN || code == SQLITE_READONLY) {
      if (has_log(path))
        throw IoError({path, "in a folder that may be written, or complete", "a write-ahead log in a read-only folder",
                       "Copy it together with " + path + "-wal to another folder and read it there."});
      open(immutable_uri(path), SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, vfs);
      result = look();
    }
    if (result != SQLITE_OK) refuse(result);
    // What was not written by Hartline may hold anything: nothing in the file may run.
    run("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA query_only = ON");
  } else {
    open(plain_name(path), SQLITE_OPEN_READWRITE | (access == Access::create ? SQLITE_OPEN_CREATE : 0), vfs);
    run("PRAGMA trusted_schema = OFF; PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL");
  }
  sqlite3_db_config(connection_.get(), SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
}

void Database::open(const std::string& name, int flags, const std::string& vfs) {
  sqlite3* connection = nullptr;
  const int result = sqlite3_open_v2(name.c_str(), &connection, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                                     vfs.empty() ? nullptr : vfs.c_str());
  connection_.reset(connection);
  if (!connection) throw InternalError("SQLite could not get memory for a connection.");
  if (result != SQLITE_OK) refuse(result);
  set_patience_ms(5000);
}

void Database::refuse(int result) const {
  const int system_error = sqlite3_system_errno(connection_.get());
  std::string reason = sqlite3_errmsg(connection_.get());
  const int code = result & 0xff;
  // SQLite keeps the system's error of the last failed open only where the result is about files.
  if ((code == SQLITE_CANTOPEN || code == SQLITE_IOERR || code == SQLITE_READONLY) && system_error != 0)
    reason = std::system_category().message(system_error);
  switch (code) {
    case SQLITE_FULL:
      throw IoError(
          {path_, "on a disk with space left", "a full disk", "Free some space, then resume; every finished trial is kept."});
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY:
      if (code == SQLITE_CANTOPEN && system_error == ENOENT && access_ != Access::create)
        throw IoError({path_, "an existing record", reason, "Check the spelling of the path."});
      if (access_ == Access::read)
        throw IoError({path_, "a readable record", reason, "Check the spelling of the path and the permissions."});
      throw IoError({path_, "in a folder that may be written", reason, "Choose another folder or change the permissions."});
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
      throw IoError({path_, "free", "a lock held by another program", "Close what has it open."});
    case SQLITE_NOTADB:
      throw IoError({path_, "a record of Hartline", "another kind of file", "Check the spelling of the path."});
    case SQLITE_ERROR:
    case SQLITE_CORRUPT:
    case SQLITE_FORMAT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
    case SQLITE_SCHEMA:
      if (code == SQLITE_CORRUPT || access_ == Access::read)
        throw IoError({path_, "an intact record", "a damaged one: " + reason, "Use a copy of it."});
      throw InternalError(path_ + ": SQLite refused a statement: " + reason);
    case SQLITE_NOMEM:
      throw IoError({path_, "small enough for the memory", "no memory left", ""});
    case SQLITE_CONSTRAINT:
      throw InternalError(path_ + ": a row that the record cannot hold: " + reason);
    default:
      throw IoError({path_, "on a disk that works", reason, "Check the disk, then resume; every finished trial is kept."});
  }
}

void Database::run(const std::string& sql) const {
  const int result = sqlite3_exec(connection_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (result != SQLITE_OK) refuse(result);
}

std::int64_t Database::number(const std::string& sql) const {
  Statement statement(*this, sql);
  return statement.step() && !statement.is_null() ? statement.whole() : 0;
}

std::int64_t Database::num_changed() const { return sqlite3_changes64(connection_.get()); }

void Database::set_patience_ms(int ms) const { sqlite3_busy_timeout(connection_.get(), ms); }

void Database::use_log() {
  // SQLite answers with the mode it is in, an error only where even that fails.
  Statement statement(*this, "PRAGMA journal_mode = WAL");
  if (const std::string mode = statement.step() ? statement.text() : ""; mode != "wal")
    throw IoError({path_, "on a disk that supports shared memory", "journal mode \"" + mode + "\"", "Choose a local disk."});
  // With a hook of our own SQLite no longer shortens the log by itself within a commit that somebody waits for.
  const auto count = [](void* pages, sqlite3*, const char*, int num_pages) {
    *static_cast<int*>(pages) = num_pages;
    return SQLITE_OK;
  };
  sqlite3_wal_hook(connection_.get(), count, &num_log_pages_);
}

void Database::checkpoint() const {
  const int result = sqlite3_wal_checkpoint_v2(connection_.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  if (result != SQLITE_OK && (result & 0xff) != SQLITE_BUSY) refuse(result);
}

void Database::keep_log_on_close() const { sqlite3_db_config(connection_.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr); }

Statement::Statement(const Database& database, std::string_view sql) : database_(database) {
  sqlite3_stmt* statement = nullptr;
  const int result = sqlite3_prepare_v3(database.connection_.get(), sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (result != SQLITE_OK) database.refuse(result);
  statement_.reset(statement);
}

void Statement::check(int result) {
  if (result != SQLITE_OK) database_.refuse(result);
}

Statement& Statement::restart() {
  // The result repeats the error of the last step, which was thrown then.
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
  parameter_ = 0;
  return *this;
}

Statement& Statement::add(std::int64_t v) {
  check(sqlite3_bind_int64(statement_.get(), ++parameter_, v));
  return *this;
}

Statement& Statement::add_real(double v) {
  check(sqlite3_bind_double(statement_.get(), ++parameter_, v));
  return *this;
}

Statement& Statement::add_text(std::string_view v) {
  // A null pointer would bind NULL.
  const char* data = v.empty() ? "" : v.data();
  check(sqlite3_bind_text64(statement_.get(), ++parameter_, data, v.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
  return *this;
}

Statement& Statement::add_null() {
  check(sqlite3_bind_null(statement_.get(), ++parameter_));
  return *this;
}

Statement& Statement::add_bytes(std::span<const std::byte> v) {
  const void* data = v.empty() ? static_cast<const void*>("") : v.data();
  check(sqlite3_bind_blob64(statement_.get(), ++parameter_, data, v.size(), SQLITE_STATIC));
  return *this;
}

bool Statement::step() {
  column_ = 0;
  const int result = sqlite3_step(statement_.get());
  if (result != SQLITE_ROW && result != SQLITE_DONE) database_.refuse(result);
  return result == SQLITE_ROW;
}

void Statement::run() {
  while (step()) {
  }
  sqlite3_reset(statement_.get());
}

int Statement::column_of(int type) {
  const int column = column_++;
  if (sqlite3_column_type(statement_.get(), column) != type) {
    const char* name = sqlite3_column_name(statement_.get(), column);
    throw IoError({database_.path(), "an intact record", std::string("a value of the wrong kind in column ") + (name ? name : "?"),
                   "Use a copy of it."});
  }
  return column;
}

std::int64_t Statement::whole() { return sqlite3_column_int64(statement_.get(), column_of(SQLITE_INTEGER)); }

double Statement::real() {
  if (is_null()) {
    ++column_;
    return std::numeric_limits<double>::quiet_NaN();
  }
  return sqlite3_column_double(statement_.get(), column_of(SQLITE_FLOAT));
}

std::string Statement::text() {
  const int column = column_of(SQLITE_TEXT);
  const unsigned char* data = sqlite3_column_text(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  if (!data) database_.refuse(SQLITE_NOMEM);
  return {reinterpret_cast<const char*>(data), static_cast<std::size_t>(size)};
}

std::span<const std::byte> Statement::bytes() {
  const int column = column_of(SQLITE_BLOB);
  const void* data = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  if (!data && size > 0) database_.refuse(SQLITE_NOMEM);
  return {static_cast<const std::byte*>(data), static_cast<std::size_t>(size)};
}

bool Statement::is_null() const { return sqlite3_column_type(statement_.get(), column_) == SQLITE_NULL; }

}  // namespace hartline::io
