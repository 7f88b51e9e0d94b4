// A response that a model gives probability 0, whatever its parameters are.
#pragma once

#include <vector>

#include "base/error.hpp"
#include "models/response_law.hpp"

namespace hartline::models {

/// The belief is unchanged. `predictions`: what the model had expected of the responses, as Update has it.
struct Refuted final : RunError {
  Refuted(Fault facts, std::vector<Prediction> expected) : RunError(std::move(facts)), predictions(std::move(expected)) {}
  std::vector<Prediction> predictions;
};

}  // namespace hartline::models
