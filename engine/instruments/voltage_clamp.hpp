// Voltage clamp: an amplifier that drives cells to a commanded potential through a series resistance.
#pragma once

#include <memory>

#include "base/describe.hpp"
#include "instruments/actuator.hpp"

namespace hartline::instruments {

/// A table `actuator` of kind voltage_clamp.
struct VoltageClampSpec {
  std::string voltage = {};
  std::string current = {};
  double series_mohm = 10;
  double lag_ms = 0;
  double segment_ms = 100;
  double holding_mv = -70;
  double delay_ms = 0;
  double cost = 0;

  template <class Field>
  static void describe(Field&& field) {
    field("voltage", &VoltageClampSpec::voltage, "", required(), "membrane potential, as group.name");
    field("current", &VoltageClampSpec::current, "", required(), "port of the current into each of those cells");
    field("series_mohm", &VoltageClampSpec::series_mohm, "Mohm", positive(), "resistance between amplifier and membrane");
    field("lag_ms", &VoltageClampSpec::lag_ms, "ms", non_negative(),
          "by which the amplifier sees the potential and the command late");
    field("segment_ms", &VoltageClampSpec::segment_ms, "ms", positive(), "for which each number of the stimulus is held, in mV");
    field("holding_mv", &VoltageClampSpec::holding_mv, "mV", any(), "command before and after");
    field("delay_ms", &VoltageClampSpec::delay_ms, "ms", non_negative(), "from the choice of a stimulus to its trial");
    field("cost", &VoltageClampSpec::cost, "", non_negative(), "of a trial");
  }
};

/// I(t) = (V_command(t - lag) - v(t - lag)) / R_series, which a port of the network then tells: its clamp current. With leak g at E
/// the cell settles at (V / R + g E) / (1 / R + g).    (actuators_test.cpp: VoltageClamp.HoldsUpToItsSeriesResistance) A step of
/// the network must be short beside R_series C, and so must the lag, as for an amplifier. The program must outlive it. Throws:
/// SpecError.
std::unique_ptr<Actuator> make_voltage_clamp(const dynamics::Program& program, const VoltageClampSpec& spec,
                                             const std::string& path = "actuator");

}  // namespace hartline::instruments
