#include "instruments/sourced.hpp"

#include "base/units.hpp"

namespace hartline::instruments {

namespace {

struct Entry {
  double value = 0;
  std::string unit, source;

  template <class Field>
  static void describe(Field&& field) {
    field("value", &Entry::value, "", required(), "the number");
    field("unit", &Entry::unit, "", required(), "of the number");
    field("source", &Entry::source, "", required(), "author, year and place; or: assumed, and why");
  }
};

}  // namespace

void read(const Value& value, const Place& place, std::string_view key, std::string_view unit, const Constraint& c, Sourced& out) {
  Entry entry;
  hartline::read(value, place, key, "", {}, entry);
  if (entry.source.empty()) throw SpecError({place.of(key) + ".source", "given", "\"\"", "Write assumed where there is none."});
  const Unit written = read_unit(entry.unit, place.of(key) + ".unit"), wanted = read_unit(unit, place.of(key));
  if (written.dimension != wanted.dimension)
    throw UnitError({place.of(key) + ".unit", "a unit like " + std::string(unit), "\"" + entry.unit + "\"", place.line(value)});
  Value scaled(entry.value * (written.scale / wanted.scale));
  scaled.line = value.line;
  hartline::read(scaled, place, key, unit, c, out.value);
  out.source = entry.source;
}

}  // namespace hartline::instruments
