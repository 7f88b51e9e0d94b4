// What the number is that a design compares stimuli by: its name, in words, and its unit.
#pragma once

#include <string>

#include "design/design_spec.hpp"
#include "models/model.hpp"

namespace hartline::design {

/// The utility of a design; empty for one that has none.
struct UtilityMeaning {
  std::string name;             // as `design.utility` has it, never auto
  std::string label;            // in words
  std::string unit;             // "" for a number without
  bool is_information = false;  // nats of a trial: not per second, and no cost subtracted

  bool operator==(const UtilityMeaning&) const = default;
};

/// The name of what infomax maximises and uncertainty sampling goes by under a kind of belief: what auto stands for.
std::string utility_name(const DesignSpec& spec, const models::Capability& prior);

/// The meaning of a design's utility under a kind of belief:
///
///   informations                                      nats
///   posterior_variance                                the unit of ρ, or for a belief on a grid that of the response, squared
///   parameter_variance                                the unit of the parameters squared
///   prediction_error                                  as posterior_variance
///   expected_response, upper_confidence, response_sd  the unit of the response
///   mmse                                              the unit of the response squared
///
/// `per_second` divides the unit by s.
UtilityMeaning utility_meaning(const DesignSpec& spec, const models::Capability& prior, ResponseKind response);

}  // namespace hartline::design
