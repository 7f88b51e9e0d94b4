// Voltage imaging: photons of a genetically encoded indicator that follows the membrane potential of each cell.
#pragma once

#include <memory>

#include "instruments/camera.hpp"
#include "instruments/indicator.hpp"
#include "instruments/sensor.hpp"

namespace hartline::instruments {

/// A table `sensor` of kind voltage_imaging.
struct VoltageImagingSpec {
  std::string voltage = {};
  std::string excitation = "one_photon";
  double rest_mv = -70;
  double light = 1;
  CameraSpec camera = {};
  double delay_ms = 0;
  double cost = 0;

  template <class Field>
  static void describe(Field&& field) {
    field("voltage", &VoltageImagingSpec::voltage, "", required(), "membrane potential of the cells, as group.name");
    field("excitation", &VoltageImagingSpec::excitation, "", one_of({"one_photon", "two_photon"}), "how the indicator is excited");
    field("rest_mv", &VoltageImagingSpec::rest_mv, "mV", any(), "potential at which fluorescence is F0");
    field("light", &VoltageImagingSpec::light, "", positive(),
          "of the indicator's reference light: multiplies photons, divides the time to bleach");
    field("camera", &VoltageImagingSpec::camera, "", any(), "frames and photons");
    field("delay_ms", &VoltageImagingSpec::delay_ms, "ms", non_negative(), "from the end of a trial to its response");
    field("cost", &VoltageImagingSpec::cost, "", non_negative(), "of reading a trial");
  }
};

/// A trace [num_cells, num_frames] of photons, Poisson about
///
///   ∫ F₀ B (1 + s (y - v₀) / 100 mV) dt over the exposure,  dB/dt = -light B / τ_bleach while exposed,
///
/// where y is the share-weighted sum of two states that go to v exponentially, with the time constants of on where v is above them,
/// of off where it is below. A step of 100 mV is seen with a signal-to-noise ratio of |s| √F₀ a frame.
/// (imaging_test.cpp: VoltageImaging.StepIsSeenWithShotNoise, imaging_test.cpp: VoltageImaging.FollowsWithItsKinetics,
/// imaging_test.cpp: VoltageImaging.BleachesExponentially)  A last part of a frame is left out.
/// The program must outlive it. Throws: SpecError; observing: RunError where fluorescence would fall below zero.
std::unique_ptr<Sensor> make_voltage_imaging(const dynamics::Program& program, const VoltageImagingSpec& spec,
                                             const Indicator& indicator, const DrawNames& draws,
                                             const std::string& path = "sensor");

}  // namespace hartline::instruments
