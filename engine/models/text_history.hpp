// What a text was shown and answered.
#pragma once

#include <vector>

#include "models/response_law.hpp"

namespace hartline::models {

/// Trials so far.
struct TextHistory {
  std::vector<double> stimuli;   // [num, stimulus_dim]
  std::vector<Datum> responses;  // [num, num_responses] that count; what is not a number is missing
  std::vector<Datum> answers;    // the same for the states, also of trials that do not count; empty: there are no states
  std::size_t num = 0;
};

}  // namespace hartline::models
