// The exact mutual information of one response and its linear predictor.
#pragma once

#include "models/response_law.hpp"

namespace hartline::design {

/// I(ρ; r) for ρ ~ N(m, v), nats; gaussian responses through the identity link only.
/// Accuracy: 1e-6    (utility_test.cpp: Utility.MutualInformationAgreesWithBruteForce)
double mutual_information(const models::ResponseLaw& law, double m, double v);

}  // namespace hartline::design
