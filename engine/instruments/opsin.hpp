// Opsin: a light-gated channel of four states, as library/opsins describes it, as equations of a group.
#pragma once

#include "base/describe.hpp"
#include "instruments/sourced.hpp"

namespace hartline::instruments {

/// One file of library/opsins: closed and open, each in the dark and adapted to light, C1 ⇄ O1 ⇄ O2 ⇄ C2 → C1.
///
///   Ga1 = k1 a, Ga2 = k2 a, a = xᵖ / (1 + xᵖ);  Gf = Gf0 + kf b, Gb = Gb0 + kb b, b = x^q / (1 + x^q);  x = light / half_light
///   I = g0 (O1 + γ O2) v1 (1 - exp(-(v - E) / v0))
///
/// Reference: Evans et al. 2016, Front Neuroinform 10:8, doi 10.3389/fninf.2016.00008; Nikolic et al. 2009, Photochem Photobiol
/// 85:400
struct Opsin {
  std::string name;
  Sourced conductance, ratio, half_flux, wavelength;
  Sourced k1, k2, p, gf0, kf, gb0, kb, q, gd1, gd2, gr0;
  Sourced reversal, v0, v1;

  template <class Field>
  static void describe(Field&& field) {
    const Constraint rate = required(non_negative()), more = required(positive());
    field("name", &Opsin::name, "", required(), "as in the literature");
    field("conductance", &Opsin::conductance, "nS", more, "g0 of a cell with all channels in O1, at v = E + v1");
    field("ratio", &Opsin::ratio, "1", required(between(0, 1)), "γ: conductance of O2, of that of O1");
    field("half_flux", &Opsin::half_flux, "1/(mm^2 * s)", more, "photons at which Hill's terms are one half");
    field("wavelength", &Opsin::wavelength, "nm", more, "of the light, to turn photons into power");
    field("k1", &Opsin::k1, "1/ms", more, "most of C1 → O1");
    field("k2", &Opsin::k2, "1/ms", more, "most of C2 → O2");
    field("p", &Opsin::p, "1", more, "Hill exponent of activation");
    field("gf0", &Opsin::gf0, "1/ms", rate, "O1 → O2 in the dark");
    field("kf", &Opsin::kf, "1/ms", rate, "most that light adds");
    field("gb0", &Opsin::gb0, "1/ms", rate, "O2 → O1 in the dark");
    field("kb", &Opsin::kb, "1/ms", rate, "most that light adds");
    field("q", &Opsin::q, "1", more, "Hill exponent of these");
    field("gd1", &Opsin::gd1, "1/ms", more, "O1 → C1");
    field("gd2", &Opsin::gd2, "1/ms", more, "O2 → C2");
    field("gr0", &Opsin::gr0, "1/ms", more, "C2 → C1");
    field("reversal", &Opsin::reversal, "mV", required(), "E");
    field("v0", &Opsin::v0, "mV", more, "of the rectification");
    field("v1", &Opsin::v1, "mV", more, "of the rectification");
  }

  /// Irradiance at half_flux: flux h c / wavelength.
  double half_light_mw_per_mm2() const;
  /// Outward current of a cell that has been at v under light for long.
  ///   O1 ∝ Ga1 (Gb (Ga2 + Gr) + Gd2 Gr), O2 ∝ Ga1 Gf (Ga2 + Gr), by counting trees of the cycle
  /// (actuators_test.cpp: Opsin.SettlesAtItsClosedForm)
  double steady_current_na(double light_mw_per_mm2, double v_mv) const;
};

/// Reads a file of library/opsins. Throws: SpecError, UnitError.
Opsin read_opsin(const Table& table, const Place& place);

/// Adds the channel to a table of neurons whose membrane potential is v: variables O1, O2, C2, a parameter `light` in mW/mm² of
/// which each neuron has its own, and the outward current `I_opsin`, which the equation of v subtracts. Throws: SpecError for a
/// name taken.
void add_opsin(Table& neurons, const Opsin& opsin);

}  // namespace hartline::instruments
