// Link functions f(ρ): the map from a linear predictor to a rate, a probability or a trace.
#pragma once

#include <cstdint>

namespace hartline::models {

enum class Link : std::uint8_t { exp, softplus, logistic, identity };

/// A value with its first and second derivative in ρ.
struct LinkValue {
  double f, df, ddf;
};

/// f, f', f''
LinkValue link_value(Link link, double rho);

/// log f, (log f)', (log f)'', finite where f itself vanishes or overflows.
LinkValue log_link_value(Link link, double rho);

/// The ρ at which f(ρ) = value; an infinity where the value is not reached.
double inverse_link(Link link, double value);

}  // namespace hartline::models
