// Units: dimensions with exact fractional exponents, and the text that names them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hartline {

/// Exponents of the base dimensions. Angles and levels are dimensions of their own: a sum of degrees and a plain number is an
/// error, and decibels never turn into a ratio unless an equation says so.
struct Dimension {
  static constexpr std::size_t num_bases = 9;  // m kg s A K mol cd rad dB
  std::array<std::int16_t, num_bases> twelfths{};

  bool operator==(const Dimension&) const = default;
  bool none() const { return *this == Dimension{}; }
};

Dimension operator*(const Dimension& a, const Dimension& b);
Dimension operator/(const Dimension& a, const Dimension& b);
/// Nothing where an exponent would not be a whole number of twelfths.
std::optional<Dimension> power(const Dimension& a, double exponent);

/// Of one radian.
Dimension angle();

/// A dimension and how many base units (m, kg, s, A, K, mol, cd, rad, dB) one of it is.
struct Unit {
  Dimension dimension;
  double scale = 1;
};

/// A unit by its name, with a prefix or without: "mV", "deg", "Hz", "1". Nothing for a name that is none.
std::optional<Unit> unit_named(std::string_view name);

/// All names that have no prefix, for messages.
const std::vector<std::string_view>& unit_names();

/// Reads products, quotients and powers of units: "Hz", "nS/cm^2", "1/s", "uA*cm^-2". Throws: UnitError, naming `path`.
Unit read_unit(std::string_view text, const std::string& path);

/// A dimension in words that read_unit reads back: "Hz", "m^2 * s^-1", "1".
std::string unit_text(const Dimension& dimension);

}  // namespace hartline
