#include "design/feasible_set.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"

namespace hartline::design {

namespace {

double square(std::span<const double> x) {
  double total = 0;
  for (const double value : x) total += value * value;
  return total;
}

double clipped(const StimulusSet& set, std::size_t i, double x) { return std::clamp(x, set.low_of(i), set.high_of(i)); }

/// |clip(t x)|²
double power_at(const StimulusSet& set, std::span<const double> x, double t) {
  double total = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double y = clipped(set, i, t * x[i]);
    total += y * y;
  }
  return total;
}

}  // namespace

void check_set(const StimulusSet& set) {
  if (set.has_power() && !(set.power > 0)) throw SpecError({"stimulus.power", "> 0", number_text(set.power), ""});
  if (!set.has_range()) return;
  for (const auto* ends : {&set.low, &set.high})
    if (ends->size() != 1 && ends->size() != set.dim)
      throw SpecError({ends == &set.low ? "stimulus.low" : "stimulus.high", fmt::format("one number or {}, one a value", set.dim),
                       fmt::format("{} numbers", ends->size()), ""});
  double least = 0;
  for (std::size_t i = 0; i < set.dim; ++i) {
    if (!(set.high_of(i) > set.low_of(i)))
      throw SpecError({"stimulus.high", fmt::format("> low = {}", set.low_of(i)), number_text(set.high_of(i)), ""});
    least += std::pow(clipped(set, i, 0), 2);
  }
  if (set.kind() == SetKind::ball_in_box && !(least < set.power))
    throw SpecError({"stimulus.power", fmt::format("> {}, the least that the range allows", number_text(least)),
                     number_text(set.power), "Widen the range or raise the power."});
}

void project_onto(const StimulusSet& set, std::span<double> x) {
  const SetKind kind = set.kind();
  if (kind == SetKind::ball) {
    const double norm = square(x);
    if (norm <= set.power) return;
    const double scale = std::sqrt(set.power / norm);
    for (double& value : x) value *= scale;
    return;
  }
  double t = 1;
  if (kind == SetKind::ball_in_box && power_at(set, x, 1) > set.power) {
    double low = 0, high = 1;
    for (int i = 0; i < 60; ++i) {
      t = 0.5 * (low + high);
      (power_at(set, x, t) > set.power ? high : low) = t;
    }
    // which values are clipped is settled: the others share what is left of the power
    double fixed = 0, free = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double y = clipped(set, i, low * x[i]);
      (y == low * x[i] ? free : fixed) += y == low * x[i] ? x[i] * x[i] : y * y;
    }
    t = low;
    if (free > 0 && set.power > fixed) t = std::clamp(std::sqrt((set.power - fixed) / free), low, high);
  }
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = clipped(set, i, t * x[i]);
}

}  // namespace hartline::design
