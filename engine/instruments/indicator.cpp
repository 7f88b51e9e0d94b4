#include "instruments/indicator.hpp"

namespace hartline::instruments {

Indicator read_indicator(const Table& table, const Place& place) {
  Indicator out;
  read_table(table, place, out);
  return out;
}

}  // namespace hartline::instruments
