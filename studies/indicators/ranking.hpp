// How well each indicator of the library shows one action potential: d' of the ideal observer, from simulated frames.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hartline::studies {

/// What is shown: an action potential of a Gaussian shape from rest at -70 mV, its peak in the middle of a frame.
struct Condition {
  double height_mv = 100, width_ms = 1.5;  // width at half height
  double frame_rate_hz = 1000;
  double photons = 1000;  // of a cell at rest in a frame; at its own brightness: if it were EGFP under 10 mW/mm²
  int num_cells = 2000;   // simulated with the action potential, and as many without
  std::uint64_t seed = 1;
};

/// d' as simulated, its standard error, and as shot noise says: √(Σ δ² F₀ / (1 + δ / 2)) over the frames, δ the noiseless ΔF/F.
struct Detectability {
  double simulated = 0, error = 0, formula = 0;
};

struct Row {
  std::string name;
  int num_values = 0, num_assumed = 0;
  Detectability equal[2], own[2];  // at equal photons and at its own brightness; with one photon and with two
};

/// All indicators of a folder, by their names. Throws: IoError, SpecError.
std::vector<Row> rank_indicators(const std::string& folder, const Condition& condition);

}  // namespace hartline::studies
