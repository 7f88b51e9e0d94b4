#include "models/model.hpp"

#include <fmt/format.h>

#include <cmath>

#include "base/error.hpp"

namespace hartline::models {

bool observed_value(const Response& response, ResponseKind kind, double& value) {
  if (response.kind != kind)
    throw RunError({"response.kind",
                    kind == ResponseKind::counts   ? "counts"
                    : kind == ResponseKind::choice ? "a choice"
                                                   : "a trace",
                    fmt::format("kind {}", static_cast<int>(response.kind)), "The model describes another kind of response."});
  if (response.num_cells != 1 || response.num_bins != 1 || response.values.size() != 1)
    throw RunError({"response", "one value of one cell and one bin",
                    fmt::format("{} cells x {} bins, {} values", response.num_cells, response.num_bins, response.values.size()),
                    ""});
  const Mark mark = response.marks.empty() ? Mark::observed : response.marks[0];
  if (mark == Mark::missing || mark == Mark::blanked) return false;
  if (mark == Mark::censored)
    throw RunError({"response.marks[0]", "observed, missing or blanked", "censored",
                    "This model has no tail probability for a censored value, and skipping it would bias the belief."});
  value = response.values[0];
  if (!std::isfinite(value)) throw RunError({"response", "a finite number", fmt::format("{}", value), ""});
  if (kind != ResponseKind::trace && (value < 0 || value != std::floor(value)))
    throw RunError({"response", "a whole number >= 0", fmt::format("{}", value), ""});
  return true;
}

void check_stimulus(std::span<const double> stimulus, std::size_t stimulus_dim) {
  if (stimulus.size() != stimulus_dim)
    throw RunError({"stimulus", fmt::format("{} numbers", stimulus_dim), fmt::format("{}", stimulus.size()), ""});
  for (std::size_t i = 0; i < stimulus.size(); ++i)
    if (!std::isfinite(stimulus[i]))
      throw RunError(
          {fmt::format("stimulus[{}]", i), "a finite number", fmt::format("{}", stimulus[i]), "The belief is unchanged."});
}

}  // namespace hartline::models
