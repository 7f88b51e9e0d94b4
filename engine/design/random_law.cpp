#include "design/random_law.hpp"

#include <fmt/format.h>

#include <cmath>

#include "base/error.hpp"
#include "design/feasible_set.hpp"

namespace hartline::design {

RandomLaw::RandomLaw(const DesignSpec& spec, const StimulusSet& set)
    : law_(Law::pool), sd_(spec.law_sd), low_(spec.low), high_(spec.high), set_(set) {
  const SetKind kind = set.kind();
  const char* const possible[] = {"sphere, gaussian or box", "box", "sphere", "pool"};
  const char* const names[] = {"a ball", "a box", "a ball within a range", "a pool"};
  const auto at = static_cast<std::size_t>(kind);
  const bool fits = spec.law == "auto" || (kind == SetKind::ball          ? spec.law != "pool"
                                           : kind == SetKind::box         ? spec.law == "box"
                                           : kind == SetKind::ball_in_box ? spec.law == "sphere"
                                                                          : spec.law == "pool");
  if (!fits) throw SpecError({"design.law", possible[at], "\"" + spec.law + "\"", fmt::format("The stimuli are {}.", names[at])});
  if (kind == SetKind::ball && spec.law == "box" && !(spec.high > spec.low))
    throw SpecError({"design.high", fmt::format("> low = {}", spec.low), number_text(spec.high), ""});
  if (kind == SetKind::pool) return;
  const bool box = kind == SetKind::box || spec.law == "box";
  law_ = box ? Law::box : spec.law == "gaussian" ? Law::gaussian : Law::sphere;
}

void RandomLaw::draw(Stream& stream, std::span<double> x) const {
  if (law_ == Law::sphere) {
    stream.fill_sphere(x, std::sqrt(set_.power));
    if (set_.has_range()) project_onto(set_, x);
  } else if (law_ == Law::gaussian) {
    stream.fill_normal(x);
    for (double& value : x) value *= sd_;
  } else {
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double low = set_.has_range() ? set_.low_of(i) : low_, high = set_.has_range() ? set_.high_of(i) : high_;
      x[i] = low + (high - low) * stream.uniform();
    }
  }
}

}  // namespace hartline::design
