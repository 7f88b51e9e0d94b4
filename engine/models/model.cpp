#include "models/model.hpp"

#include <fmt/format.h>

#include <cmath>

#include "base/error.hpp"

namespace hartline::models {

void check_response(const Response& response, ResponseKind kind, std::size_t num_cells, std::size_t num_bins) {
  if (response.kind != kind)
    throw RunError({"response.kind",
                    kind == ResponseKind::counts   ? "counts"
                    : kind == ResponseKind::choice ? "a choice"
                                                   : "a trace",
                    fmt::format("kind {}", static_cast<int>(response.kind)), "The model describes another kind of response."});
  const std::size_t num = num_cells * num_bins;
  if (response.num_cells != static_cast<std::int64_t>(num_cells) || response.num_bins != static_cast<std::int64_t>(num_bins) ||
      response.values.size() != num || (!response.marks.empty() && response.marks.size() != num))
    throw RunError({"response", fmt::format("{} cells x {} bins", num_cells, num_bins),
                    fmt::format("{} cells x {} bins, {} values, {} marks", response.num_cells, response.num_bins,
                                response.values.size(), response.marks.size()),
                    ""});
  bool is_pending = false;
  for (std::size_t i = 0; i < num; ++i) is_pending = is_pending || mark_of(response, i) == Mark::pending;
  for (std::size_t i = 0; i < num; ++i) {
    if (!has_value(mark_of(response, i))) continue;
    if (is_pending)
      throw RunError({"response", "pending in all its values", "one that is in part observed", "They answer the same stimulus."});
    const double value = response.values[i];
    if (!std::isfinite(value)) throw RunError({"response", "a finite number", fmt::format("{}", value), ""});
    if (kind != ResponseKind::trace && (value < 0 || value != std::floor(value)))
      throw RunError({"response", "a whole number >= 0", fmt::format("{}", value), ""});
  }
}

void Model::check(std::span<const double> stimulus, const Response& response) const {
  check_stimulus(stimulus, stimulus_dim);
  check_response(response, response_kind, num_cells, num_bins);
  for (std::size_t i = 0; i < response.values.size() && num_choices > 0; ++i) {
    const Mark mark = mark_of(response, i);
    if (has_value(mark) && !(response.values[i] < static_cast<double>(num_choices)))
      throw RunError({"response", fmt::format("a choice in 0 … {}", num_choices - 1), number_text(response.values[i]), ""});
    if (mark == Mark::censored)
      throw RunError(
          {fmt::format("response.marks[{}]", i), "observed, missing or blanked", "censored", "A choice has no lower bound."});
  }
}

void Model::refine(Belief&, const History&) const {
  throw SpecError({"belief.refine_at_end", "false for this model", "true", "It has no refit."});
}

double Model::sample(std::span<const double> parameters, std::span<const double> stimulus, Stream& stream) const {
  Context context = start();
  double out = 0;
  sample(parameters, stimulus, context, stream, {&out, 1});
  return out;
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
