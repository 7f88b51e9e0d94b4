// Gauge: a port of a network in a unit that an instrument states, and times as whole steps.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/describe.hpp"
#include "dynamics/program.hpp"

namespace hartline::instruments {

/// Reads and writes a port in its stated unit.
struct Gauge {
  dynamics::Port port;
  double factor = 1;  // stated units in one of the port's

  std::size_t num() const { return port.num; }
  void read(const dynamics::Program& program, const dynamics::State& state, std::span<double> out) const {
    program.read(state, port, out);
    for (double& x : out) x *= factor;
  }
};

/// A port by its name; `path`: of the field that names it. Throws: SpecError.
dynamics::Port find_port(const dynamics::Program& program, const std::string& name, const std::string& path);

/// `path`: of the field that names the port. Throws: SpecError for a port that is not there, UnitError for one of another unit.
Gauge make_gauge(const dynamics::Program& program, const std::string& name, const std::string& unit, const std::string& path);

/// How many steps a time is. Throws: SpecError where it is no whole number of them, one or more.
std::int64_t whole_steps(const dynamics::Program& program, double time_ms, const std::string& path);

/// Positions [num, 3] of points in µm. Throws: SpecError where the numbers are not three for each.
using Points = std::vector<double>;
void check_points(const Points& points, std::size_t num, const std::string& what, const std::string& path);

/// The squared distance of two points.
inline double squared_distance(const Points& a, std::size_t i, const Points& b, std::size_t j) {
  double sum = 0;
  for (std::size_t k = 0; k < 3; ++k) sum += (a[3 * i + k] - b[3 * j + k]) * (a[3 * i + k] - b[3 * j + k]);
  return sum;
}

/// A description whose fields satisfy its table. Throws: SpecError.
template <Described T>
T checked(const T& spec, const std::string& path) {
  T out;
  read_table(*to_value(spec).table(), {path, ""}, out);
  return out;
}

}  // namespace hartline::instruments
