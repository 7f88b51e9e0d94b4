// Fields: each cell of a group is driven by a picture through a field of its own.
#pragma once

#include <memory>
#include <vector>

#include "base/describe.hpp"
#include "instruments/actuator.hpp"

namespace hartline::instruments {

/// A table `actuator` of kind fields. Lists hold one number for all cells or one for each.
struct FieldsSpec {
  std::string current = {};
  std::vector<double> gain = {};
  double holding = 0;
  double onset_ms = 0;
  double frame_ms = 100;
  std::vector<double> sigma_px = {2}, wavelength_px = {4}, orientation_deg = {45}, phase_deg = {0}, aspect = {1}, offset_x_px = {0},
                      offset_y_px = {0};
  double delay_ms = 0;
  double cost = 0;

  template <class Field>
  static void describe(Field&& field) {
    field("current", &FieldsSpec::current, "", required(), "port that is driven, as group.name");
    field("gain", &FieldsSpec::gain, "", required(),
          "in the port's unit: what a picture of length 1 that is the field itself gives");
    field("holding", &FieldsSpec::holding, "", any(), "what is added to it always, in the port's unit");
    field("onset_ms", &FieldsSpec::onset_ms, "ms", non_negative(), "from the beginning of the trial to the first picture");
    field("frame_ms", &FieldsSpec::frame_ms, "ms", positive(), "for which each picture is shown");
    field("sigma_px", &FieldsSpec::sigma_px, "px", positive(), "of each Gabor field: standard deviation of the envelope");
    field("wavelength_px", &FieldsSpec::wavelength_px, "px", positive(), "wavelength of the carrier");
    field("orientation_deg", &FieldsSpec::orientation_deg, "deg", any(), "direction in which the carrier varies");
    field("phase_deg", &FieldsSpec::phase_deg, "deg", any(), "phase of the carrier at the centre");
    field("aspect", &FieldsSpec::aspect, "", positive(), "how much narrower the envelope is across");
    field("offset_x_px", &FieldsSpec::offset_x_px, "px", any(), "centre to the right of the middle");
    field("offset_y_px", &FieldsSpec::offset_y_px, "px", any(), "centre below the middle");
    field("delay_ms", &FieldsSpec::delay_ms, "ms", non_negative(), "from the choice of a stimulus to its trial");
    field("cost", &FieldsSpec::cost, "", non_negative(), "of a trial");
  }
};

/// The port of cell i is holding + gain_i k_iᵀx while the picture x is shown, |k_i| = 1, and holding else; a stimulus of several
/// pictures shows one after the other. `shape`: [rows, columns] of a picture. The program must outlive it.
/// (actuators_test.cpp: Fields.DriveEachCellThroughItsOwn) Throws: SpecError; beginning a trial: SpecError for a stimulus that is
/// no array of pictures.
std::unique_ptr<Actuator> make_fields(const dynamics::Program& program, const FieldsSpec& spec,
                                      const std::vector<std::int64_t>& shape, const std::string& path = "actuator");

}  // namespace hartline::instruments
