#include "instruments/camera.hpp"

#include "instruments/gauge.hpp"

namespace hartline::instruments {

Camera make_camera(const dynamics::Program& program, const CameraSpec& spec, const std::string& path) {
  Camera out;
  const double frame_ms = 1e3 / spec.frame_rate_hz;
  out.frame_steps = whole_steps(program, frame_ms, path + ".frame_rate_hz");
  out.exposed_steps = whole_steps(program, frame_ms * spec.exposure_share, path + ".exposure_share");
  out.photons_per_step = spec.photons_per_frame / static_cast<double>(out.frame_steps);
  out.background_per_step = spec.background_photons / static_cast<double>(out.frame_steps);
  out.read_noise = spec.read_noise_photons;
  return out;
}

}  // namespace hartline::instruments
