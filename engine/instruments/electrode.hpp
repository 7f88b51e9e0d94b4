// Extracellular electrodes: the field of the cells' currents in a medium, with noise, a band and a stimulation artefact.
#pragma once

#include <memory>
#include <vector>

#include "base/describe.hpp"
#include "instruments/sensor.hpp"

namespace hartline::instruments {

/// A table `sensor` of kind electrode.
struct ElectrodeSpec {
  std::string current = {};
  std::string spikes = {};
  double spike_current_na = 10;
  double spike_width_ms = 0.2;
  std::vector<double> cells_um = {};
  std::vector<double> electrodes_um = {};
  double conductivity_s_per_m = 0.3;
  double resistance_mohm = 0;
  double temperature_c = 37;
  double flicker_uv = 0;
  double flicker_low_hz = 1;
  double high_pass_hz = 0;
  double low_pass_hz = 0;
  double sample_ms = 0.1;
  std::string artefact_of = {};
  double artefact_uv = 0;
  double artefact_ms = 1;
  double blank_ms = 2;
  double delay_ms = 0;
  double cost = 0;

  template <class Field>
  static void describe(Field&& field) {
    field("current", &ElectrodeSpec::current, "", any(), "transmembrane current of each cell, outward, as group.name; or spikes");
    field("spikes", &ElectrodeSpec::spikes, "", any(), "group whose spikes stand for currents, where cells are points");
    field("spike_current_na", &ElectrodeSpec::spike_current_na, "nA", positive(), "peak of a spike's inward current");
    field("spike_width_ms", &ElectrodeSpec::spike_width_ms, "ms", positive(),
          "from that peak to where the current changes its sign");
    field("cells_um", &ElectrodeSpec::cells_um, "um", required(), "x, y, z of each cell");
    field("electrodes_um", &ElectrodeSpec::electrodes_um, "um", required(), "x, y, z of each electrode");
    field("conductivity_s_per_m", &ElectrodeSpec::conductivity_s_per_m, "S/m", positive(), "of the medium");
    field("resistance_mohm", &ElectrodeSpec::resistance_mohm, "Mohm", non_negative(), "real part of the impedance: thermal noise");
    field("temperature_c", &ElectrodeSpec::temperature_c, "degrees Celsius", between(-273.15, 100), "of that noise");
    field("flicker_uv", &ElectrodeSpec::flicker_uv, "uV", non_negative(), "1/f noise: root of its spectrum at 1 Hz times 1 Hz");
    field("flicker_low_hz", &ElectrodeSpec::flicker_low_hz, "Hz", positive(), "down to where that is 1/f");
    field("high_pass_hz", &ElectrodeSpec::high_pass_hz, "Hz", non_negative(), "lower end of the band; 0: none");
    field("low_pass_hz", &ElectrodeSpec::low_pass_hz, "Hz", non_negative(), "upper end of the band; 0: none");
    field("sample_ms", &ElectrodeSpec::sample_ms, "ms", positive(), "from one sample to the next");
    field("artefact_of", &ElectrodeSpec::artefact_of, "", any(), "port of a stimulator: where it changes there is an artefact");
    field("artefact_uv", &ElectrodeSpec::artefact_uv, "uV", non_negative(), "of each electrode, right after a change");
    field("artefact_ms", &ElectrodeSpec::artefact_ms, "ms", positive(), "time constant with which it decays");
    field("blank_ms", &ElectrodeSpec::blank_ms, "ms", non_negative(), "samples this soon after a change are marked blanked");
    field("delay_ms", &ElectrodeSpec::delay_ms, "ms", non_negative(), "from the end of a trial to its response");
    field("cost", &ElectrodeSpec::cost, "", non_negative(), "of reading a trial");
  }
};

/// A trace [num_electrodes, num_samples] in µV:
///
///   φ(t) = Σ I(t) / (4π σ r),  thermal noise S = 4 k T R,  1/f noise S = level² / f
///
/// filtered at every step of the network, then sampled. A spike's current is -I₀ (1 - s²/w²) exp(-s²/2w²), of no net charge, at its
/// peak 4 w after the spike.    (electrode_test.cpp: Electrode.FieldFallsWithDistance, electrode_test.cpp:
/// Electrode.NoiseHasItsSpectrum) The program must outlive it. Throws: SpecError, also for a cell at an electrode, where the field
/// has no value. Reference: Nunez & Srinivasan 2006, Electric Fields of the Brain (point source); Nyquist 1928,
/// doi 10.1103/PhysRev.32.110
std::unique_ptr<Sensor> make_electrode(const dynamics::Program& program, const ElectrodeSpec& spec, const DrawNames& draws,
                                       const std::string& path = "sensor");

}  // namespace hartline::instruments
