#include "base/units.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>

#include "base/error.hpp"

namespace hartline {

namespace {

struct Named {
  std::string_view name;
  Unit unit;
  bool prefixed;
};

constexpr std::array<std::string_view, Dimension::num_bases> base_names = {"m", "kg", "s", "A", "K", "mol", "cd", "rad", "dB"};

Unit of(std::initializer_list<int> exponents, double scale = 1) {
  Unit unit{{}, scale};
  std::size_t k = 0;
  for (const int e : exponents) unit.dimension.twelfths[k++] = static_cast<std::int16_t>(12 * e);
  return unit;
}

/// In the order in which unit_text tries them.
const std::vector<Named>& table() {
  static const std::vector<Named> all = {
      {"Hz", of({0, 0, -1}), true},
      {"m", of({1}), true},
      {"g", of({0, 1}, 1e-3), true},
      {"s", of({0, 0, 1}), true},
      {"A", of({0, 0, 0, 1}), true},
      {"K", of({0, 0, 0, 0, 1}), true},
      {"mol", of({0, 0, 0, 0, 0, 1}), true},
      {"cd", of({0, 0, 0, 0, 0, 0, 1}), true},
      {"rad", of({0, 0, 0, 0, 0, 0, 0, 1}), true},
      {"dB", of({0, 0, 0, 0, 0, 0, 0, 0, 1}), false},
      {"V", of({2, 1, -3, -1}), true},
      {"S", of({-2, -1, 3, 2}), true},
      {"F", of({-2, -1, 4, 2}), true},
      {"ohm", of({2, 1, -3, -2}), true},
      {"C", of({0, 0, 1, 1}), true},
      {"W", of({2, 1, -3}), true},
      {"J", of({2, 1, -2}), true},
      {"N", of({1, 1, -2}), true},
      {"Pa", of({-1, 1, -2}), true},
      {"Wb", of({2, 1, -2, -1}), true},
      {"T", of({0, 1, -2, -1}), true},
      {"H", of({2, 1, -2, -2}), true},
      {"M", of({-3, 0, 0, 0, 0, 1}, 1e3), true},
      {"L", of({3}, 1e-3), true},
      {"deg", of({0, 0, 0, 0, 0, 0, 0, 1}, std::numbers::pi / 180), false},
      {"min", of({0, 0, 1}, 60), false},
      {"hour", of({0, 0, 1}, 3600), false},
      {"day", of({0, 0, 1}, 86400), false},
      {"percent", of({}, 0.01), false},
  };
  return all;
}

struct Prefix {
  std::string_view name;
  double scale;
};
constexpr Prefix prefixes[] = {{"f", 1e-15}, {"p", 1e-12}, {"n", 1e-9}, {"u", 1e-6}, {"µ", 1e-6}, {"μ", 1e-6}, {"m", 1e-3},
                               {"c", 1e-2},  {"d", 1e-1},  {"k", 1e3},  {"M", 1e6},  {"G", 1e9},  {"T", 1e12}};

/// Products, quotients and powers over a text.
class UnitReader {
 public:
  UnitReader(std::string_view text, const std::string& path) : text_(text), path_(path) {}

  Unit read() {
    Unit unit = product();
    skip_blanks();
    if (at_ < text_.size()) fail("an operator * / ^ or the end", std::string(text_.substr(at_)));
    return unit;
  }

 private:
  Unit product() {
    Unit unit = factor();
    for (;;) {
      skip_blanks();
      const bool divides = taken('/');
      if (!divides && !taken('*')) return unit;
      const Unit next = factor();
      unit = divides ? Unit{unit.dimension / next.dimension, unit.scale / next.scale}
                     : Unit{unit.dimension * next.dimension, unit.scale * next.scale};
    }
  }

  Unit factor() {
    Unit unit = atom();
    skip_blanks();
    if (!taken('^')) return unit;
    skip_blanks();
    double exponent = 0;
    const auto [end, failed] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), exponent);
    const std::size_t begin = at_;
    if (failed == std::errc{}) at_ = static_cast<std::size_t>(end - text_.data());
    const auto raised = failed == std::errc{} ? power(unit.dimension, exponent) : std::nullopt;
    if (!raised) fail("a power of twelfths", std::string(text_.substr(begin)));
    return {*raised, std::pow(unit.scale, exponent)};
  }

  Unit atom() {
    skip_blanks();
    if (taken('(')) {
      if (++depth_ > 50) fail("brackets at most 50 deep", "more");
      const Unit unit = product();
      --depth_;
      skip_blanks();
      if (!taken(')')) fail("a closing bracket", std::string(text_.substr(at_)));
      return unit;
    }
    const std::size_t begin = at_;
    while (at_ < text_.size() && std::string_view(" */^()").find(text_[at_]) == std::string_view::npos) ++at_;
    const std::string_view name = text_.substr(begin, at_ - begin);
    if (const auto unit = unit_named(name)) return *unit;
    constexpr std::string_view counted[] = {"spike", "photon", "cycle", "count", "trial", "event", "pulse", "cell"};
    const std::string_view one = name.ends_with('s') ? name.substr(0, name.size() - 1) : name;
    const bool is_counted = std::find(std::begin(counted), std::end(counted), one) != std::end(counted);
    throw UnitError({path_, "a unit", "\"" + std::string(name) + "\"",
                     is_counted ? "What is counted has no unit: Hz or 1 / s, 1 / deg, 1." : did_you_mean(name, unit_names())});
  }

  bool taken(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void skip_blanks() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  [[noreturn]] void fail(const std::string& wanted, const std::string& got) const {
    throw UnitError({path_, wanted, "\"" + got + "\"", "In the unit \"" + std::string(text_) + "\"."});
  }

  std::string_view text_;
  const std::string& path_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

std::int16_t within_range(int twelfths) {
  if (twelfths < -12000 || twelfths > 12000)
    throw UnitError({"unit", "powers of base units from -1000 to 1000", number_text(twelfths / 12.0), ""});
  return static_cast<std::int16_t>(twelfths);
}

std::string exponent_text(int twelfths) {
  if (twelfths == 12) return "";
  if (twelfths % 12 == 0) return "^" + std::to_string(twelfths / 12);
  return "^" + number_text(twelfths / 12.0);
}

}  // namespace

Dimension operator*(const Dimension& a, const Dimension& b) {
  Dimension out;
  for (std::size_t k = 0; k < Dimension::num_bases; ++k) out.twelfths[k] = within_range(a.twelfths[k] + b.twelfths[k]);
  return out;
}

Dimension operator/(const Dimension& a, const Dimension& b) {
  Dimension out;
  for (std::size_t k = 0; k < Dimension::num_bases; ++k) out.twelfths[k] = within_range(a.twelfths[k] - b.twelfths[k]);
  return out;
}

std::optional<Dimension> power(const Dimension& a, double exponent) {
  Dimension out;
  for (std::size_t k = 0; k < Dimension::num_bases; ++k) {
    const double raised = a.twelfths[k] * exponent;
    if (!(std::abs(raised) < 12 * 1000) || std::abs(raised - std::round(raised)) > 1e-9) return {};
    out.twelfths[k] = static_cast<std::int16_t>(std::lround(raised));
  }
  return out;
}

Dimension angle() { return of({0, 0, 0, 0, 0, 0, 0, 1}).dimension; }

std::optional<Unit> unit_named(std::string_view name) {
  if (name == "1") return Unit{};
  for (const Named& named : table())
    if (named.name == name) return named.unit;
  for (const Prefix& prefix : prefixes) {
    if (!name.starts_with(prefix.name)) continue;
    const std::string_view rest = name.substr(prefix.name.size());
    for (const Named& named : table())
      if (named.prefixed && named.name == rest) return Unit{named.unit.dimension, prefix.scale * named.unit.scale};
  }
  return {};
}

const std::vector<std::string_view>& unit_names() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> out;
    for (const Named& named : table()) out.push_back(named.name);
    return out;
  }();
  return names;
}

Unit read_unit(std::string_view text, const std::string& path) { return UnitReader(text, path).read(); }

std::string unit_text(const Dimension& dimension) {
  if (dimension.none()) return "1";
  for (const Named& named : table())
    if (named.unit.dimension == dimension && named.unit.scale == 1) return std::string(named.name);
  std::string out;
  for (std::size_t k = 0; k < Dimension::num_bases; ++k) {
    if (dimension.twelfths[k] == 0) continue;
    if (!out.empty()) out += " * ";
    out += std::string(base_names[k]) + exponent_text(dimension.twelfths[k]);
  }
  return out;
}

}  // namespace hartline
