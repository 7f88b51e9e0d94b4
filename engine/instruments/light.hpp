// Light: patterns over many cells, each target's spot reaching its neighbours too.
#pragma once

#include <memory>
#include <vector>

#include "base/describe.hpp"
#include "instruments/actuator.hpp"

namespace hartline::instruments {

/// A table `actuator` of kind light.
struct LightSpec {
  std::string light = {};
  std::vector<double> cells_um = {};
  double spread_um = 10;
  double axial_spread_um = 30;
  double pulse_ms = 5;
  double most_mw = 1000;
  std::vector<std::int64_t> targets = {};
  double onset_ms = 0;
  double duration_ms = 10;
  double rate_hz = 0;
  double delay_ms = 0;
  double cost = 0;

  template <class Field>
  static void describe(Field&& field) {
    field("light", &LightSpec::light, "", required(), "irradiance of each cell, as group.name");
    field("cells_um", &LightSpec::cells_um, "um", required(), "x, y, z of each cell");
    field("spread_um", &LightSpec::spread_um, "um", positive(), "standard deviation of a spot across the beam");
    field("axial_spread_um", &LightSpec::axial_spread_um, "um", positive(), "along the beam, which is z");
    field("pulse_ms", &LightSpec::pulse_ms, "ms", positive(), "of each pulse of a pattern that has a rate");
    field("most_mw", &LightSpec::most_mw, "mW", positive(), "power of all targets together that the source can give");
    field("targets", &LightSpec::targets, "", at_least(0), "cells that a stimulus of numbers lights: one power in mW for each");
    field("onset_ms", &LightSpec::onset_ms, "ms", non_negative(), "of such a stimulus, from the beginning of the trial");
    field("duration_ms", &LightSpec::duration_ms, "ms", positive(), "of such a stimulus");
    field("rate_hz", &LightSpec::rate_hz, "Hz", non_negative(), "of its pulses; 0: light throughout");
    field("delay_ms", &LightSpec::delay_ms, "ms", non_negative(), "from the choice of a stimulus to its trial");
    field("cost", &LightSpec::cost, "", non_negative(), "of a trial");
  }
};

/// Takes patterns {targets, power_mw, onset_ms, duration_ms, rate_hz}, a rate of 0 being light throughout, or, where it has
/// targets, numbers: their powers in mW. Irradiance of cell j:
///
///   E_j = Σ P_k / (2π s²) exp(-(Δx² + Δy²) / 2s²) exp(-Δz² / 2s_z²)
///
/// so that across its plane a spot holds its power.    (actuators_test.cpp: Light.SpreadsOverNeighbours)
/// The program must outlive it. Throws: SpecError; beginning a trial: SpecError for another kind of stimulus, a target that there
/// is not, or power that the source has not.
std::unique_ptr<Actuator> make_light(const dynamics::Program& program, const LightSpec& spec, const std::string& path = "actuator");

/// The light of an indicator drives its photocurrent: outward current in a port, for as long as trials last. Takes any stimulus.
/// A table `actuator` of kind photocurrent.
struct PhotocurrentSpec {
  std::string current = {};
  double light = 1;

  template <class Field>
  static void describe(Field&& field) {
    field("current", &PhotocurrentSpec::current, "", required(), "port of the outward current of the cells");
    field("light", &PhotocurrentSpec::light, "", non_negative(), "of the reference light");
  }
};

struct Indicator;
std::unique_ptr<Actuator> make_photocurrent(const dynamics::Program& program, const PhotocurrentSpec& spec,
                                            const Indicator& indicator, const std::string& path = "actuator");

}  // namespace hartline::instruments
