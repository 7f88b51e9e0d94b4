#include <algorithm>

#include "models/grid.hpp"
#include "models/grid_kernels.hpp"
#include "numerics/dense.hpp"

namespace hartline::models {

template <class Take>
void GridModel::for_each_outcome(const GridBelief& belief, std::size_t x, Take&& take) const {
  for (const std::uint32_t b : belief.active_blocks)
    for (std::size_t n = b * block_size; n < std::min((b + 1) * block_size, num_nodes_); ++n) {
      const double weight = belief.weights[n];
      if (num_choices == 0) {
        const double rate = rate_[x * num_nodes_ + n];
        const int top = top_count_[x * num_groups_ + n / group_size];
        double p = weight * zero_[x * num_nodes_ + n];
        for (int r = 0; r <= top; ++r) {
          take(n, static_cast<std::size_t>(r), p);
          p *= rate / (r + 1);
        }
        continue;
      }
      double rest = 1;
      for (std::size_t c = 1; c < num_outcomes_; ++c) {
        const double p = probability(x, c, n);
        take(n, c, weight * p);
        rest -= p;
      }
      take(n, 0, weight * rest);
    }
}

double GridModel::node_response(std::size_t n, std::size_t x) const {
  if (num_choices == 0) return rate_[x * num_nodes_ + n];
  double mean = 0;
  for (std::size_t c = 1; c < num_outcomes_; ++c) mean += static_cast<double>(c) * probability(x, c, n);
  return mean;
}

void GridModel::outcome_sums(const Belief& belief, std::size_t x, std::span<const double> features, std::span<double> out) const {
  const std::size_t num = features.size() / num_nodes_;
  std::fill(out.begin(), out.end(), 0.0);
  for_each_outcome(dynamic_cast<const GridBelief&>(belief), x, [&](std::size_t n, std::size_t outcome, double p) {
    numerics::add_scaled(&out[outcome * num], p, &features[n * num], num);
  });
}

void GridModel::outcome_groups(const Belief& belief, std::size_t x, std::span<const std::uint32_t> group,
                               std::span<double> out) const {
  const std::size_t num = out.size() / num_outcomes_;
  std::fill(out.begin(), out.end(), 0.0);
  for_each_outcome(dynamic_cast<const GridBelief&>(belief), x,
                   [&](std::size_t n, std::size_t outcome, double p) { out[outcome * num + group[n]] += p; });
}

}  // namespace hartline::models
