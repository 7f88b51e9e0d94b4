// Histogram of durations with a fixed relative resolution, so that a run of any length costs the same memory.
#pragma once

#include <array>
#include <cstdint>

namespace hartline {

/// Counts durations in bins of an eighth of an octave from 64 ns to over an hour.
/// Accuracy: a percentile is right to 9 %    (base_test.cpp: Histogram.PercentilesAreWithinNinePercent)
class Histogram {
 public:
  static constexpr int bins_per_octave = 8;
  static constexpr int num_bins = 36 * bins_per_octave;

  void add(std::int64_t duration_ns);
  std::int64_t count() const { return count_; }
  std::int64_t max_ns() const { return max_ns_; }
  std::int64_t count_in(int bin) const { return counts_[static_cast<std::size_t>(bin)]; }
  /// Lower edge of a bin in ns.
  static double edge_ns(int bin);
  /// The duration below which a share `p` of all lies, ns; 0 when empty.
  double percentile_ns(double p) const;
  /// Restores a bin from a record.
  void set(int bin, std::int64_t count, std::int64_t max_ns);

 private:
  std::array<std::int64_t, num_bins> counts_{};
  std::int64_t count_ = 0;
  std::int64_t max_ns_ = 0;
};

}  // namespace hartline
