// Gabor fields: weights of a picture's pixels.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/describe.hpp"

namespace hartline::instruments {

/// k_ij ∝ exp(-(a² + γ² b²) / (2 σ²)) cos(2π a / λ + φ), a and b along and across the orientation, in pixels from the centre; times
/// exp(-(lag - peak)² / (2 width²)) where there are lags.
struct GaborSpec {
  double sigma_px = 2;
  double wavelength_px = 4;
  double orientation_deg = 45;
  double phase_deg = 0;
  double aspect = 1;
  double offset_x_px = 0;
  double offset_y_px = 0;
  double peak_lag = 0;
  double lag_width = 1;

  template <class Field>
  static void describe(Field&& field) {
    field("sigma_px", &GaborSpec::sigma_px, "px", positive(), "standard deviation of the envelope");
    field("wavelength_px", &GaborSpec::wavelength_px, "px", positive(), "wavelength of the carrier");
    field("orientation_deg", &GaborSpec::orientation_deg, "deg", any(), "direction in which the carrier varies");
    field("phase_deg", &GaborSpec::phase_deg, "deg", any(), "phase of the carrier at the centre");
    field("aspect", &GaborSpec::aspect, "", positive(), "γ, how much narrower the envelope is across");
    field("offset_x_px", &GaborSpec::offset_x_px, "px", any(), "centre to the right of the middle");
    field("offset_y_px", &GaborSpec::offset_y_px, "px", any(), "centre below the middle");
    field("peak_lag", &GaborSpec::peak_lag, "bins", non_negative(), "lag at which a model with lags responds most");
    field("lag_width", &GaborSpec::lag_width, "bins", positive(), "standard deviation of the time course around it");
  }
};

/// Weights [rows · columns] of length `length`, without lags. Throws: SpecError where the shape is not [rows, columns], or the
/// field is 0 everywhere on it; `path`: of the table.
std::vector<double> gabor(const GaborSpec& spec, const std::vector<std::int64_t>& shape, double length, const std::string& path);

}  // namespace hartline::instruments
