// Instruments by their tables: `kind` names one, the other keys describe it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "instruments/actuator.hpp"
#include "instruments/sensor.hpp"

namespace hartline::instruments {

/// kind: spikes, electrode, voltage_imaging (with a table `indicator`, a file of library/indicators) or calcium_imaging.
/// The program must outlive it. Throws: SpecError, UnitError.
std::unique_ptr<Sensor> make_sensor(const dynamics::Program& program, const Table& table, const DrawNames& draws,
                                    const std::string& path = "sensor");

/// kind: current_clamp, voltage_clamp, fields, light or photocurrent (with a table `indicator`). `shape`: of a picture, for fields.
std::unique_ptr<Actuator> make_actuator(const dynamics::Program& program, const Table& table, const std::string& path = "actuator",
                                        const std::vector<std::int64_t>& shape = {});

}  // namespace hartline::instruments
