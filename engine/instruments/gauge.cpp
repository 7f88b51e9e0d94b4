#include "instruments/gauge.hpp"

#include <fmt/format.h>

#include <cmath>

#include "base/units.hpp"

namespace hartline::instruments {

dynamics::Port find_port(const dynamics::Program& program, const std::string& name, const std::string& path) {
  try {
    return program.port(name);
  } catch (const SpecError& error) {
    throw SpecError({path, error.fault.requirement, error.fault.got, error.fault.hint});
  }
}

Gauge make_gauge(const dynamics::Program& program, const std::string& name, const std::string& unit, const std::string& path) {
  Gauge gauge;
  gauge.port = find_port(program, name, path);
  const Unit stated = read_unit(unit, path), written = read_unit(gauge.port.unit_text, path);
  if (stated.dimension != written.dimension)
    throw UnitError({path, "a quantity in " + unit, name + " in " + gauge.port.unit_text, ""});
  gauge.factor = gauge.port.scale / stated.scale;
  return gauge;
}

std::int64_t whole_steps(const dynamics::Program& program, double time_ms, const std::string& path) {
  const double dt_ms = program.dt_s() * 1e3, steps = time_ms / dt_ms;
  const double whole = std::round(steps);
  if (!(whole >= 1) || std::abs(steps - whole) > 1e-6)
    throw SpecError({path, fmt::format("a whole number of steps of {} ms", number_text(dt_ms)), number_text(time_ms) + " ms", ""});
  return static_cast<std::int64_t>(whole);
}

void check_points(const Points& points, std::size_t num, const std::string& what, const std::string& path) {
  if (points.size() != 3 * num)
    throw SpecError({path, fmt::format("x, y, z of {} {}, {} numbers", num, what, 3 * num), std::to_string(points.size()), ""});
}

}  // namespace hartline::instruments
