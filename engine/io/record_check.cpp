#include "io/record_check.hpp"

#include "base/error.hpp"
#include "io/record_schema.hpp"

namespace hartline::io {

void check_record(const Database& database) {
  const std::string& path = database.path();
  if (database.number("PRAGMA application_id") != record_application_id)
    throw IoError({path, "a record of Hartline", "another kind of database", "Check the spelling of the path."});
  const std::int64_t format = database.number("PRAGMA user_version");
  if (format != record_format)
    throw IoError({path, "a record of format " + std::to_string(record_format), "format " + std::to_string(format),
                   format > record_format ? "Read it with a newer version of Hartline." : ""});
  Statement statement(database, "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?");
  for (const TableText& table : record_tables) {
    statement.restart().add_text(table.name);
    if (!statement.step() || statement.is_null() || statement.text() != table.sql)
      throw IoError({path, "an intact record", "one without the table \"" + std::string(table.name) + "\" of its format",
                     "Use a copy of it."});
  }
}

}  // namespace hartline::io
