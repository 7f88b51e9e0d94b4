#include "design/modifiers.hpp"

#include <fmt/format.h>

namespace hartline::design {

void Modifiers::Members::present(std::int64_t pool_index, std::span<const double> stimulus, double duration_s) {
  durations.note(pool_index, duration_s);
  if (pool_index < 0 || stimulus.empty()) return;
  available.present(pool_index);
  last = pool_index;
}

Modifiers::Modifiers(const DesignSpec& spec, std::uint64_t seed)
    : per_second_(spec.per_second),
      no_repeat_(spec.no_repeat),
      cost_(spec.cost),
      cap_(spec.max_expected_count.value_or(std::numeric_limits<double>::infinity())),
      explore_(spec.explore),
      seed_(seed) {}

double Modifiers::value(const Members& members, std::size_t i, double utility) const {
  if (!cost_.empty()) utility -= cost_[i];
  return per_second_ ? utility / members.durations.expected_s(i) : utility;
}

bool Modifiers::may_follow(const Members& members, std::size_t i) const {
  return members.available.mask[i] && !(no_repeat_ && static_cast<std::int64_t>(i) == members.last);
}

std::int64_t Modifiers::num_left(const Members& members, std::uint64_t trial) const {
  members.available.require_some(trial);
  const bool last_is_barred = no_repeat_ && members.last >= 0 && members.available.mask[static_cast<std::size_t>(members.last)];
  const std::int64_t left = members.available.count - (last_is_barred ? 1 : 0);
  if (left == 0)
    throw RunError({"stimulus.pool", "of two stimuli or more where none may follow itself", "1 stimulus left",
                    "Set design.no_repeat = false or lower num_trials."},
                   static_cast<std::int64_t>(trial));
  return left;
}

void Modifiers::draw_allowed(const StimulusSet& set, const Members& members, std::uint64_t trial, Stream& stream,
                             double least_count, Choice& out) const {
  std::int64_t num_allowed = 0;
  for (const std::uint8_t may : members.allowed) num_allowed += may;
  if (num_allowed == 0) refuse(trial, least_count);
  std::int64_t wanted = stream.integer(num_allowed), index = 0;
  while (!members.allowed[static_cast<std::size_t>(index)] || wanted-- > 0) ++index;
  out.explored = true;
  out.units = 0;
  out.utility = std::numeric_limits<double>::quiet_NaN();
  take(set, index, out);
}

void Modifiers::refuse(std::uint64_t trial, double least_count) const {
  if (capped() && !(least_count <= cap_))
    throw RunError({"design.max_expected_count", "at least the smallest expected count of a stimulus",
                    fmt::format("{}, where the smallest is {}", number_text(cap_), number_text(least_count)),
                    "Raise it, or add stimuli that drive the cell less."},
                   static_cast<std::int64_t>(trial));
  throw RunError({"belief", "one whose utilities are finite", "none",
                  "Its variances, a law's densities or the stimuli overflow: narrow the prior or what may be shown."},
                 static_cast<std::int64_t>(trial));
}

}  // namespace hartline::design
