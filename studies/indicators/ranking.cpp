#include "ranking.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>

#include "base/threads.hpp"
#include "instruments/voltage_imaging.hpp"
#include "io/toml.hpp"

namespace hartline::studies {

namespace {

using instruments::Indicator;
using instruments::InstrumentState;

constexpr double dt_ms = 0.05;
constexpr int frames_before = 3, frames_after = 60;

Table table(std::initializer_list<std::pair<const char*, Value>> items) {
  Table out;
  for (const auto& [key, value] : items) out.set(key, value);
  return out;
}

/// Photons [num_cells, num_frames] of cells with the action potential or without.
std::vector<double> frames(const Indicator& indicator, const Condition& condition, bool two_photon, bool spike, int num_cells,
                           double photons) {
  const Table cells = table({{"num", num_cells},
                             {"equations", table({{"dv/dt", "0 mV/s : mV"}})},
                             {"start", table({{"v", "-70 mV"}})},
                             {"method", "euler"}});
  const dynamics::Program program(table({{"dt_ms", dt_ms}, {"neurons", table({{"cells", cells}})}}), condition.seed);
  const auto sensor =
      instruments::make_voltage_imaging(program,
                                        {.voltage = "cells.v",
                                         .excitation = two_photon ? "two_photon" : "one_photon",
                                         .camera = {.frame_rate_hz = condition.frame_rate_hz, .photons_per_frame = photons}},
                                        indicator, {condition.seed, spike ? 1u : 0u});
  const auto executor = make_serial_executor();
  const double frame_ms = 1e3 / condition.frame_rate_hz, peak_ms = (frames_before + 0.5) * frame_ms;
  const double sd_ms = condition.width_ms / (2 * std::sqrt(2 * std::log(2.0)));
  const auto num_steps = static_cast<std::int64_t>(std::llround((frames_before + frames_after) * frame_ms / dt_ms));
  dynamics::State state = program.start();
  InstrumentState own = sensor->start();
  sensor->begin(state, own, 0, num_steps);
  const dynamics::Port port = program.port("cells.v");
  for (std::int64_t k = 0; k < num_steps; ++k) {
    const double t = (static_cast<double>(k) + 0.5) * dt_ms - peak_ms;
    program.write(state, port, -70 + (spike ? condition.height_mv * std::exp(-t * t / (2 * sd_ms * sd_ms)) : 0));
    program.step(state, *executor);
    sensor->observe(state, own);
  }
  Response out;
  sensor->read(own, out);
  return out.values;
}

struct Moments {
  double mean = 0, variance = 0;
};

/// Of what a matched filter gives for each cell.
Moments filtered(const std::vector<double>& photons, const std::vector<double>& filter) {
  const std::size_t num = photons.size() / filter.size();
  std::vector<double> out(num);
  Moments m;
  for (std::size_t cell = 0; cell < num; ++cell) {
    for (std::size_t k = 0; k < filter.size(); ++k) out[cell] += filter[k] * photons[cell * filter.size() + k];
    m.mean += out[cell] / static_cast<double>(num);
  }
  for (const double x : out) m.variance += (x - m.mean) * (x - m.mean) / static_cast<double>(num - 1);
  return m;
}

Detectability detect(const Indicator& indicator, const Condition& condition, bool two_photon, double photons) {
  // ΔF/F without noise: of a cell with so many photons that none is seen
  constexpr double many = 1e12;
  const std::vector<double> with = frames(indicator, condition, two_photon, true, 1, many),
                            without = frames(indicator, condition, two_photon, false, 1, many);
  const bool responds = (two_photon ? indicator.two_photon_sensitivity : indicator.sensitivity).value != 0;
  std::vector<double> filter(with.size());
  Detectability out;
  for (std::size_t k = 0; k < with.size(); ++k) {
    const double delta = with[k] / without[k] - 1, sum = (with[k] + without[k]) / many / 2 * photons;
    filter[k] = responds ? delta / (1 + delta / 2) : 1.0;  // where there is nothing to match, all frames count alike
    if (responds) out.formula += delta * delta * (without[k] / many * photons) * (without[k] / many * photons) / sum;
  }
  out.formula = std::sqrt(out.formula);
  const Moments one = filtered(frames(indicator, condition, two_photon, true, condition.num_cells, photons), filter);
  const Moments none = filtered(frames(indicator, condition, two_photon, false, condition.num_cells, photons), filter);
  out.simulated = (one.mean - none.mean) / std::sqrt((one.variance + none.variance) / 2);
  out.error = std::sqrt(2.0 / condition.num_cells + out.simulated * out.simulated / (4.0 * condition.num_cells));
  return out;
}

}  // namespace

std::vector<Row> rank_indicators(const std::string& folder, const Condition& condition) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".toml") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<Row> rows;
  for (const auto& file : files) {
    const Indicator indicator = instruments::read_indicator(io::read_toml(file.string()), {"", file.filename().string()});
    Row row;
    row.name = indicator.name;
    Indicator::describe([&](auto, auto member, auto&&...) {
      if constexpr (std::is_same_v<decltype(member), instruments::Sourced Indicator::*>) {
        ++row.num_values;
        row.num_assumed += (indicator.*member).assumed() ? 1 : 0;
      }
    });
    for (const bool two : {false, true}) {
      Condition own_noise = condition;
      own_noise.seed += 2 * rows.size() + (two ? 1 : 0);
      row.equal[two] = detect(indicator, own_noise, two, condition.photons / indicator.photons(two));
      row.own[two] = detect(indicator, own_noise, two, condition.photons);
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace hartline::studies
