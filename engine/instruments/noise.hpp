// Noise of a stated spectrum and filters of a stated band, sample by sample. Their states are numbers of whoever uses them.
#pragma once

#include <cstddef>
#include <vector>

#include "base/random.hpp"

namespace hartline::instruments {

/// A second-order section y = (b₀ + b₁ z⁻¹ + b₂ z⁻²) / (1 + a₁ z⁻¹ + a₂ z⁻²) x, transposed direct form II.
struct Section {
  double b0 = 1, b1 = 0, b2 = 0, a1 = 0, a2 = 0;

  static constexpr std::size_t num_numbers = 2;
  double step(double x, double* own) const {
    const double y = b0 * x + own[0];
    own[0] = b1 * x - a1 * y + own[1];
    own[1] = b2 * x - a2 * y;
    return y;
  }
  /// |H| at a frequency.
  double gain(double frequency_hz, double rate_hz) const;
};

/// Butterworth's second-order filters by the bilinear transform: gain 1/√2 at the cut-off, which must be below half the rate.
/// Accuracy: gains at and around the cut-off    (electrode_test.cpp: Filters.AreButterworths)
Section low_pass(double cutoff_hz, double rate_hz);
Section high_pass(double cutoff_hz, double rate_hz);

/// 1/f noise: a sum of first-order processes whose corner frequencies rise by octaves.
///
///   S(f) = level² / f  between low_hz and a tenth of the rate, one-sided, level² in V²
///
/// Accuracy: 3 % of level² / f in that band    (electrode_test.cpp: Flicker.HasItsSpectrum)
class Flicker {
 public:
  Flicker() = default;
  Flicker(double level, double low_hz, double rate_hz);

  std::size_t num_numbers() const { return decay_.size(); }
  /// Draws the stationary state.
  void start(Stream& stream, double* own) const;
  double step(Stream& stream, double* own) const;
  /// The spectrum of the sum as it is sampled.
  double spectrum(double frequency_hz) const;

 private:
  std::vector<double> decay_, kick_;  // of each process from sample to sample
  double sd_ = 0, rate_hz_ = 1;
};

}  // namespace hartline::instruments
