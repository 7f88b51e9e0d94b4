#include "instruments/camera.hpp"

#include <cmath>

#include "instruments/gauge.hpp"
#include "numerics/special.hpp"

namespace hartline::instruments {

double count_photons(Stream& stream, double mean) {
  if (mean < 10) return stream.poisson(mean);
  const double b = 0.931 + 2.53 * std::sqrt(mean), a = -0.059 + 0.02483 * b, accepted = 0.9277 - 3.6224 / (b - 2);
  for (;;) {
    const double u = stream.uniform() - 0.5, v = stream.uniform(), edge = 0.5 - std::abs(u);
    if (!(edge > 0)) continue;
    const double k = std::floor((2 * a / edge + b) * u + mean + 0.43);
    if (edge >= 0.07 && v <= accepted) return k;
    if (k < 0 || (edge < 0.013 && v > edge)) continue;
    const double height = std::log(v * (1.1239 + 1.1328 / (b - 3.4)) / (a / (edge * edge) + b));
    if (height <= k * std::log(mean) - mean - numerics::log_factorial(k)) return k;
  }
}

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
