#include <fmt/format.h>

#include "base/error.hpp"
#include "design/random_law.hpp"
#include "design/second_form.hpp"
#include "numerics/dense.hpp"

namespace hartline::design {

namespace {

/// Mean [dim] and second moment [dim, dim] of a stimulus.
struct Moments {
  std::size_t dim;
  std::vector<double> mean, square;
  explicit Moments(std::size_t n) : dim(n), mean(n), square(n * n) {}
  void add(std::span<const double> x, double weight) {
    for (std::size_t i = 0; i < dim; ++i) {
      mean[i] += weight * x[i];
      numerics::add_scaled(&square[i * dim], weight * x[i], x.data(), dim);
    }
  }
};

constexpr std::size_t num_draws = 20000;  // of a random law

Moments moments_of(const DesignSpec& spec, const StimulusSet& set, std::uint64_t seed) {
  Moments out(set.dim);
  if (spec.average_over == "pool" && set.kind() != SetKind::pool)
    throw SpecError({"design.average_over", "law or matrix for stimuli that are not a pool", "\"pool\"", ""});
  if (set.kind() == SetKind::pool) {
    for (std::size_t i = 0; i < set.num(); ++i) out.add({&set.pool[i * set.dim], set.dim}, 1 / static_cast<double>(set.num()));
    return out;
  }
  const RandomLaw law(spec, set);
  std::vector<double> x(set.dim);
  for (std::size_t k = 0; k < num_draws; ++k) {
    Stream stream(seed, Purpose::design, k, 2);
    law.draw(stream, x);
    out.add(x, 1 / static_cast<double>(num_draws));
  }
  return out;
}

}  // namespace

std::vector<double> second_moment(const DesignSpec& spec, const StimulusSet& set, const models::GaussianView& prior,
                                  std::uint64_t seed) {
  const std::size_t dim = prior.dim;
  if ((spec.average_over == "matrix") == spec.second_moment.empty())
    throw SpecError({"design.second_moment",
                     spec.second_moment.empty() ? "given for matrix" : "absent unless average_over = matrix",
                     spec.second_moment.empty() ? "nothing" : fmt::format("{} numbers", spec.second_moment.size()), ""});
  if (spec.average_over == "matrix") {
    if (spec.second_moment.size() != dim * dim)
      throw SpecError(
          {"design.second_moment", fmt::format("{} x {} numbers", dim, dim), fmt::format("{}", spec.second_moment.size()), ""});
    for (std::size_t i = 0; i < dim * dim; ++i)
      if (spec.second_moment[i] != spec.second_moment[i % dim * dim + i / dim])
        throw SpecError(
            {fmt::format("design.second_moment[{}]", i), "that of a symmetric matrix", number_text(spec.second_moment[i]), ""});
    return spec.second_moment;
  }
  const Moments x = moments_of(spec, set, seed);
  std::vector<double> out(dim * dim);
  if (!prior.reach) {
    for (std::size_t i = 0; i < dim; ++i)
      for (std::size_t j = 0; j < dim; ++j)
        out[i * dim + j] = i < x.dim && j < x.dim ? x.square[i * x.dim + j] : i < x.dim ? x.mean[i] : j < x.dim ? x.mean[j] : 1;
    return out;
  }
  // over the bins of one stimulus: lag l of bin f shows frame f - l, of this stimulus or of one before
  const models::Reach& reach = *prior.reach;
  const bool isolated = reach.first_bin + reach.num_rows <= reach.num_frames;
  const auto num_frames = static_cast<std::ptrdiff_t>(reach.num_frames), num_lags = static_cast<std::ptrdiff_t>(reach.num_lags);
  const auto first = static_cast<std::ptrdiff_t>(isolated ? reach.first_bin : 0);
  const double weight = 1 / static_cast<double>(num_frames - first);
  const std::size_t n = reach.frame_dim, bias = dim - 1;
  const bool has_bias = reach.fixed[bias] == 1 && dim > reach.num_lags * n;
  const auto floor_div = [&](std::ptrdiff_t a) { return a >= 0 ? a / num_frames : (a + 1) / num_frames - 1; };
  for (std::ptrdiff_t bin = first; bin < num_frames; ++bin)
    for (std::ptrdiff_t l = 0; l < num_lags; ++l) {
      if (isolated && l > bin) break;
      const std::ptrdiff_t which = floor_div(bin - l), at = (bin - l - which * num_frames) * static_cast<std::ptrdiff_t>(n);
      const auto a = static_cast<std::size_t>(at), to = static_cast<std::size_t>(l) * n;
      for (std::ptrdiff_t k = 0; k < num_lags; ++k) {
        if (isolated && k > bin) break;
        const std::ptrdiff_t other = floor_div(bin - k);
        const auto b = static_cast<std::size_t>((bin - k - other * num_frames) * static_cast<std::ptrdiff_t>(n));
        const std::size_t from = static_cast<std::size_t>(k) * n;
        for (std::size_t i = 0; i < n; ++i)
          for (std::size_t j = 0; j < n; ++j)
            out[(to + i) * dim + from + j] +=
                weight * (which == other ? x.square[(a + i) * x.dim + b + j] : x.mean[a + i] * x.mean[b + j]);
      }
      for (std::size_t i = 0; has_bias && i < n; ++i) {
        out[(to + i) * dim + bias] += weight * x.mean[a + i];
        out[bias * dim + to + i] += weight * x.mean[a + i];
      }
    }
  if (has_bias) out[bias * dim + bias] = 1;
  return out;
}

}  // namespace hartline::design
