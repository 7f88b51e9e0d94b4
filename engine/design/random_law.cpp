#include "design/random_law.hpp"

#include <fmt/format.h>

#include <cmath>

#include "base/error.hpp"
#include "design/feasible_set.hpp"

namespace hartline::design {

RandomLaw::RandomLaw(const DesignSpec& spec, const StimulusSet& set)
    : law_(Law::pool), sd_(spec.law_sd), low_(spec.low), high_(spec.high), set_(set) {
  const SetKind kind = set.kind();
  const char* const possible[] = {"sphere, gaussian or box", "box or gaussian", "sphere", "pool"};
  const char* const names[] = {"a ball", "a box", "a ball within a range", "a pool"};
  const auto at = static_cast<std::size_t>(kind);
  const bool fits = spec.law == "auto" || (kind == SetKind::ball          ? spec.law != "pool"
                                           : kind == SetKind::box         ? spec.law == "box" || spec.law == "gaussian"
                                           : kind == SetKind::ball_in_box ? spec.law == "sphere"
                                                                          : spec.law == "pool");
  if (!fits) throw SpecError({"design.law", possible[at], "\"" + spec.law + "\"", fmt::format("The stimuli are {}.", names[at])});
  if (kind == SetKind::ball && spec.law == "box" && !(spec.high > spec.low))
    throw SpecError({"design.high", fmt::format("> low = {}", spec.low), number_text(spec.high), ""});
  if (kind == SetKind::pool) return;
  const bool box = spec.law == "box" || (kind == SetKind::box && spec.law == "auto");
  law_ = box ? Law::box : spec.law == "gaussian" ? Law::gaussian : Law::sphere;
  if (law_ != Law::gaussian || kind != SetKind::box) return;
  for (std::size_t i = 0; i < set.dim; ++i)
    if (!(set.low_of(i) < 3 * sd_ && set.high_of(i) > -3 * sd_) || !set.levels.empty())
      throw SpecError({"design.law", "box for a box without a middle around 0, or with levels", "\"gaussian\"", ""});
}

void RandomLaw::draw(Stream& stream, std::span<double> x) const {
  if (law_ == Law::sphere) {
    stream.fill_sphere(x, std::sqrt(set_.power));
    if (set_.has_range()) project_onto(set_, x);
  } else if (law_ == Law::gaussian) {
    for (std::size_t i = 0; i < x.size(); ++i) do
        x[i] = sd_ * stream.normal();
      while (set_.has_range() && !(x[i] >= set_.low_of(i) && x[i] <= set_.high_of(i)));
  } else {
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (set_.has_range())
        x[i] = set_.value_at(i, stream.uniform());
      else
        x[i] = low_ + (high_ - low_) * stream.uniform();
    }
  }
}

}  // namespace hartline::design
