// Indicator: a fluorescent protein that reports membrane potential, as library/indicators describes them.
#pragma once

#include "base/describe.hpp"
#include "instruments/sourced.hpp"

namespace hartline::instruments {

/// One file of library/indicators. ΔF/F is linear in the indicator's state, which follows the membrane potential with two time
/// constants each way: a share with the fast one, the rest with the slow one.
struct Indicator {
  std::string name;
  Sourced sensitivity, two_photon_sensitivity;
  Sourced on_fast, on_slow, off_fast, off_slow;
  Sourced fast_share;
  Sourced brightness, two_photon_brightness;
  Sourced reference_light, bleaching_time;
  Sourced photocurrent;

  template <class Field>
  static void describe(Field&& field) {
    const Constraint given = required(), share = required(between(0, 1)), time = required(positive());
    field("name", &Indicator::name, "", given, "as in the literature");
    field("sensitivity", &Indicator::sensitivity, "1", given,
          "change of fluorescence, of that at rest, for 100 mV of depolarisation");
    field("two_photon_sensitivity", &Indicator::two_photon_sensitivity, "1", given,
          "the same under two-photon excitation; 0: none");
    field("on_fast", &Indicator::on_fast, "ms", time, "fast time constant of a depolarising step");
    field("on_slow", &Indicator::on_slow, "ms", time, "slow time constant of it");
    field("off_fast", &Indicator::off_fast, "ms", time, "fast time constant of a repolarising step");
    field("off_slow", &Indicator::off_slow, "ms", time, "slow time constant of it");
    field("fast_share", &Indicator::fast_share, "1", share, "of the change that goes with the fast time constants");
    field("brightness", &Indicator::brightness, "1", required(positive()),
          "photons at rest, of those of EGFP under the same light");
    field("two_photon_brightness", &Indicator::two_photon_brightness, "1", required(positive()),
          "the same under two-photon excitation");
    field("reference_light", &Indicator::reference_light, "mW/mm^2", required(positive()),
          "one-photon irradiance that is usual for it");
    field("bleaching_time", &Indicator::bleaching_time, "s", time, "time constant of bleaching under reference light");
    field("photocurrent", &Indicator::photocurrent, "pA", given, "of a cell under reference light, outward positive");
  }

  /// Photons at rest under reference light, of those of EGFP under 10 mW/mm²; with two photons of EGFP under the same light.
  double photons(bool two_photon) const {
    return two_photon ? two_photon_brightness.value : brightness.value * reference_light.value / 10;
  }
};

/// Reads a file of library/indicators. Throws: SpecError, UnitError.
Indicator read_indicator(const Table& table, const Place& place);

}  // namespace hartline::instruments
