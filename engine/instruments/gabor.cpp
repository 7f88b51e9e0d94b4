#include "instruments/gabor.hpp"

#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "base/error.hpp"

namespace hartline::instruments {

std::vector<double> gabor(const GaborSpec& spec, const std::vector<std::int64_t>& shape, double length, const std::string& path) {
  if (shape.size() != 2)
    throw SpecError({"stimulus.shape", "[rows, columns] for Gabor fields", fmt::format("{} numbers", shape.size()), ""});
  std::vector<double> out;
  const double angle = spec.orientation_deg * std::numbers::pi / 180, phase = spec.phase_deg * std::numbers::pi / 180;
  for (std::int64_t row = 0; row < shape[0]; ++row)
    for (std::int64_t column = 0; column < shape[1]; ++column) {
      const double x = static_cast<double>(column) - 0.5 * static_cast<double>(shape[1] - 1) - spec.offset_x_px;
      const double y = static_cast<double>(row) - 0.5 * static_cast<double>(shape[0] - 1) - spec.offset_y_px;
      const double along = x * std::cos(angle) + y * std::sin(angle), across = -x * std::sin(angle) + y * std::cos(angle);
      const double envelope =
          std::exp(-(along * along + spec.aspect * spec.aspect * across * across) / (2 * spec.sigma_px * spec.sigma_px));
      out.push_back(envelope * std::cos(2 * std::numbers::pi * along / spec.wavelength_px + phase));
    }
  double norm = 0;
  for (double k : out) norm += k * k;
  if (!(norm > 0)) throw SpecError({path, "different from zero on the stimulus", "0 everywhere", ""});
  for (double& k : out) k *= length / std::sqrt(norm);
  return out;
}

}  // namespace hartline::instruments
