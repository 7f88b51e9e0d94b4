// Calcium imaging: photons of an indicator that follows the spikes of each cell, slowly and not linearly.
#pragma once

#include <memory>

#include "instruments/camera.hpp"
#include "instruments/sensor.hpp"

namespace hartline::instruments {

/// A table `sensor` of kind calcium_imaging. Defaults are of the order of a fast GCaMP and assumed.
struct CalciumImagingSpec {
  std::string of = {};
  double rise_ms = 40;
  double decay_ms = 400;
  double most = 5;
  double half_spikes = 10;
  double hill = 2;
  CameraSpec camera{.frame_rate_hz = 20};
  double neuropil_share = 0;
  double neuropil_sd = 0;
  double neuropil_ms = 500;
  double motion_um = 0;
  double motion_ms = 200;
  double cell_radius_um = 7;
  double delay_ms = 0;
  double cost = 0;

  template <class Field>
  static void describe(Field&& field) {
    field("of", &CalciumImagingSpec::of, "", required(), "group that spikes");
    field("rise_ms", &CalciumImagingSpec::rise_ms, "ms", positive(), "time constant with which a transient rises");
    field("decay_ms", &CalciumImagingSpec::decay_ms, "ms", positive(), "time constant with which it decays, longer than that");
    field("most", &CalciumImagingSpec::most, "", positive(),
          "change of fluorescence when the indicator is saturated, of that at rest");
    field("half_spikes", &CalciumImagingSpec::half_spikes, "", positive(), "spikes at once whose peak gives half of that");
    field("hill", &CalciumImagingSpec::hill, "", between(0.1, 20), "Hill coefficient of the indicator");
    field("camera", &CalciumImagingSpec::camera, "", any(), "frames and photons");
    field("neuropil_share", &CalciumImagingSpec::neuropil_share, "", non_negative(),
          "fluorescence of the neuropil that is counted with a cell's, of a cell's at rest");
    field("neuropil_sd", &CalciumImagingSpec::neuropil_sd, "", non_negative(),
          "standard deviation of the logarithm of the neuropil's own changes");
    field("neuropil_ms", &CalciumImagingSpec::neuropil_ms, "ms", positive(), "time constant of them");
    field("motion_um", &CalciumImagingSpec::motion_um, "um", non_negative(), "standard deviation of the tissue's place, each way");
    field("motion_ms", &CalciumImagingSpec::motion_ms, "ms", positive(), "time constant of it");
    field("cell_radius_um", &CalciumImagingSpec::cell_radius_um, "um", positive(),
          "of the Gaussian window that a cell is seen through");
    field("delay_ms", &CalciumImagingSpec::delay_ms, "ms", non_negative(), "from the end of a trial to its response");
    field("cost", &CalciumImagingSpec::cost, "", non_negative(), "of reading a trial");
  }
};

/// A trace [num_cells, num_frames] of photons, Poisson about
///
///   F₀ exp(-|d|² / 2R²) (1 + h(c) + a e^(n - σ²/2) (1 + h̄)) + background,  h(c) = most cⁿ / (cⁿ + halfⁿ)
///
/// over the exposure: c is the sum over the cell's spikes of transients (e^(-t/τ_decay) - e^(-t/τ_rise)) of peak 1, reached after
/// τ_decay τ_rise / (τ_decay - τ_rise) log(τ_decay / τ_rise); h̄ is the mean of h over the cells, n the neuropil's own changes, d
/// the displacement of a frame, the same for all cells. Both are normal and correlated in time. (imaging_test.cpp:
/// CalciumImaging.TransientPeaksWhenItShould, imaging_test.cpp: CalciumImaging.NeuropilAndMotionHaveTheirSize) The program must
/// outlive it. Throws: SpecError.
std::unique_ptr<Sensor> make_calcium_imaging(const dynamics::Program& program, const CalciumImagingSpec& spec,
                                             const DrawNames& draws, const std::string& path = "sensor");

}  // namespace hartline::instruments
