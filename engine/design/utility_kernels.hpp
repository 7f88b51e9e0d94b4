// Integrals over ρ ~ N(m, v) behind the utilities, eight stimuli at a time. They allocate nothing.
#pragma once

#include <span>

#include "models/response_law.hpp"

namespace hartline::design {

/// out_i = ½ E_ρ E_r log(1 + D(r, ρ) v), D the observed information (the expected one where the law is not log-concave);
/// first_order: ½ v E_ρ J(ρ). Any number of stimuli.
void information(const models::ResponseLaw& law, bool first_order, std::span<const double> m, std::span<const double> v,
                 std::span<double> out);

/// low_i <= out_i <= high_i for the first of these and exp poisson counts.
void exp_count_bounds(double bin_s, std::span<const double> m, std::span<const double> v, std::span<double> low,
                      std::span<double> high);

/// Mean and standard deviation over ρ of the expected response E[r | ρ].
void response_moments(const models::ResponseLaw& law, std::span<const double> m, std::span<const double> v, std::span<double> mean,
                      std::span<double> sd);

}  // namespace hartline::design
