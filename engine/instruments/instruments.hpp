// Instruments by their tables: `kind` names one, the other keys describe it.
#pragma once

#include <memory>
#include <string>

#include "instruments/actuator.hpp"
#include "instruments/sensor.hpp"

namespace hartline::instruments {

/// kind: spikes, electrode, voltage_imaging (with a table `indicator`, a file of library/indicators) or calcium_imaging.
/// The program must outlive it. Throws: SpecError, UnitError.
std::unique_ptr<Sensor> make_sensor(const dynamics::Program& program, const Table& table, const DrawNames& draws,
                                    const std::string& path = "sensor");

/// kind: current_clamp, voltage_clamp, light or photocurrent (with a table `indicator`).
std::unique_ptr<Actuator> make_actuator(const dynamics::Program& program, const Table& table, const std::string& path = "actuator");

}  // namespace hartline::instruments
