// Camera: frames of an exposure and the photons that are counted in them.
#pragma once

#include <string>

#include "base/describe.hpp"
#include "dynamics/program.hpp"
#include "instruments/state.hpp"

namespace hartline::instruments {

/// A Poisson number of photons, exact for every mean ≥ 0; above 10 by transformed rejection, which looks at a logarithm one time in
/// ten. (imaging_test.cpp: Camera.CountsArePoisson) Reference: Hörmann 1993, Insurance: Mathematics and Economics 12:39, algorithm
/// PTRS
double count_photons(Stream& stream, double mean);

/// The table `camera` of an imaging sensor.
struct CameraSpec {
  double frame_rate_hz = 1000;
  double exposure_share = 1;
  double photons_per_frame = 1000;
  double background_photons = 0;
  double read_noise_photons = 0;

  template <class Field>
  static void describe(Field&& field) {
    field("frame_rate_hz", &CameraSpec::frame_rate_hz, "Hz", positive(), "frames in a second");
    field("exposure_share", &CameraSpec::exposure_share, "", between(1e-6, 1),
          "of a frame's time in which light is on and counted");
    field("photons_per_frame", &CameraSpec::photons_per_frame, "", between(1e-6, 1e12),
          "detected from a cell at rest over a whole frame; of indicators of the library, if it were EGFP under 10 mW/mm²");
    field("background_photons", &CameraSpec::background_photons, "", between(0, 1e12), "detected besides, over a whole frame");
    field("read_noise_photons", &CameraSpec::read_noise_photons, "", non_negative(),
          "standard deviation of what reading a cell adds");
  }
};

/// Frames as whole steps of a network. The first steps of a frame are exposed.
struct Camera {
  std::int64_t frame_steps = 1, exposed_steps = 1;
  double photons_per_step = 1, background_per_step = 0, read_noise = 0;

  /// Whether the step that has just been taken is exposed; `step` counts from 1 in a trial.
  bool exposed(std::int64_t step) const { return (step - 1) % frame_steps < exposed_steps; }
  /// Whether it ends the exposure of a frame.
  bool ends(std::int64_t step) const { return (step - 1) % frame_steps == exposed_steps - 1; }
  std::int64_t frame(std::int64_t step) const { return (step - 1) / frame_steps; }

  /// What is counted where `mean` photons are expected: Poisson, with the noise of reading.
  double count(Stream stream, double mean) const {
    const double photons = count_photons(stream, mean);
    return read_noise > 0 ? photons + read_noise * stream.normal() : photons;
  }
};

/// Throws: SpecError where a frame or its exposure is no whole number of steps.
Camera make_camera(const dynamics::Program& program, const CameraSpec& spec, const std::string& path);

}  // namespace hartline::instruments
