#include "base/histogram.hpp"

#include <algorithm>
#include <cmath>

namespace hartline {

namespace {
constexpr double first_edge_ns = 64;
}

double Histogram::edge_ns(int bin) { return first_edge_ns * std::exp2(static_cast<double>(bin) / bins_per_octave); }

void Histogram::add(std::int64_t duration_ns) {
  const double octaves = std::log2(std::max(static_cast<double>(duration_ns), first_edge_ns) / first_edge_ns);
  const int bin = std::min(static_cast<int>(octaves * bins_per_octave), num_bins - 1);
  ++counts_[static_cast<std::size_t>(bin)];
  ++count_;
  max_ns_ = std::max(max_ns_, duration_ns);
}

double Histogram::percentile_ns(double p) const {
  const double wanted = p * static_cast<double>(count_);
  double seen = 0;
  for (int bin = 0; bin < num_bins; ++bin) {
    const double here = static_cast<double>(count_in(bin));
    if (here > 0 && seen + here >= wanted) {
      const double inside = (wanted - seen) / here;
      return std::min(edge_ns(bin) * std::exp2(inside / bins_per_octave), static_cast<double>(max_ns_));
    }
    seen += here;
  }
  return 0;
}

void Histogram::set(int bin, std::int64_t count, std::int64_t max_ns) {
  count_ += count - count_in(bin);
  counts_[static_cast<std::size_t>(bin)] = count;
  max_ns_ = std::max(max_ns_, max_ns);
}

}  // namespace hartline
