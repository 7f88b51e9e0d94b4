#include "instruments/instruments.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "instruments/calcium_imaging.hpp"
#include "instruments/current_clamp.hpp"
#include "instruments/electrode.hpp"
#include "instruments/fields.hpp"
#include "instruments/light.hpp"
#include "instruments/spikes.hpp"
#include "instruments/voltage_clamp.hpp"
#include "instruments/voltage_imaging.hpp"

namespace hartline::instruments {

namespace {

/// Takes a key out of a table.
Value take(Table& table, std::string_view key) {
  const auto at = std::find_if(table.items.begin(), table.items.end(), [&](const auto& item) { return item.first == key; });
  if (at == table.items.end()) return {};
  Value value = std::move(at->second);
  table.items.erase(at);
  return value;
}

std::string take_kind(Table& table, std::initializer_list<std::string_view> choices, const std::string& path) {
  const Value kind = take(table, "kind");
  if (kind.is_null()) refuse_missing({path, ""}, "kind", one_of(choices), "");
  std::string out;
  read(kind, {path, ""}, "kind", "", one_of(choices), out);
  return out;
}

Indicator take_indicator(Table& table, const std::string& path) {
  const Value value = take(table, "indicator");
  if (value.is_null()) throw SpecError({path + ".indicator", "given", "nothing", "Name a file of library/indicators."});
  Table content;
  read(value, {path, ""}, "indicator", "", {}, content);
  return read_indicator(content, {path + ".indicator", ""});
}

template <Described T>
T spec_of(const Table& table, const std::string& path) {
  T spec;
  read_table(table, {path, ""}, spec);
  return spec;
}

}  // namespace

std::unique_ptr<Sensor> make_sensor(const dynamics::Program& program, const Table& table, const DrawNames& draws,
                                    const std::string& path) {
  Table rest = table;
  const std::string kind = take_kind(rest, {"spikes", "electrode", "voltage_imaging", "calcium_imaging"}, path);
  if (kind == "spikes") return make_spike_sensor(program, spec_of<SpikeSensorSpec>(rest, path), draws, path);
  if (kind == "electrode") return make_electrode(program, spec_of<ElectrodeSpec>(rest, path), draws, path);
  if (kind == "calcium_imaging") return make_calcium_imaging(program, spec_of<CalciumImagingSpec>(rest, path), draws, path);
  const Indicator indicator = take_indicator(rest, path);
  return make_voltage_imaging(program, spec_of<VoltageImagingSpec>(rest, path), indicator, draws, path);
}

std::unique_ptr<Actuator> make_actuator(const dynamics::Program& program, const Table& table, const std::string& path,
                                        const std::vector<std::int64_t>& shape) {
  Table rest = table;
  const std::string kind = take_kind(rest, {"current_clamp", "voltage_clamp", "fields", "light", "photocurrent"}, path);
  if (kind == "current_clamp") return make_current_clamp(program, spec_of<CurrentClampSpec>(rest, path), path);
  if (kind == "voltage_clamp") return make_voltage_clamp(program, spec_of<VoltageClampSpec>(rest, path), path);
  if (kind == "fields") return make_fields(program, spec_of<FieldsSpec>(rest, path), shape, path);
  if (kind == "light") return make_light(program, spec_of<LightSpec>(rest, path), path);
  const Indicator indicator = take_indicator(rest, path);
  return make_photocurrent(program, spec_of<PhotocurrentSpec>(rest, path), indicator, path);
}

}  // namespace hartline::instruments
