#include "models/text_law.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.hpp"
#include "equations/lower.hpp"

namespace hartline::models {

using equations::Graph;
using equations::Id;
using equations::Op;

const std::vector<TextLaw>& text_laws() {
  static const std::vector<TextLaw> all = {
      {"poisson", 1, 1, ResponseKind::counts, "poisson(mean)", false},
      {"negative_binomial", 2, 2, ResponseKind::counts, "negative_binomial(mean, dispersion)", false},
      {"bernoulli", 1, 1, ResponseKind::choice, "bernoulli(p)", false},
      {"binomial", 2, 2, ResponseKind::choice, "binomial(n, p)", false},
      {"categorical", 2, 64, ResponseKind::choice, "categorical(w0, w1, …)", false},
      {"logits", 1, 63, ResponseKind::choice, "logits(v1, v2, …)", false},
      {"ordinal", 2, 64, ResponseKind::choice, "ordinal(eta, c1, c2, …)", false},
      {"normal", 2, 2, ResponseKind::trace, "normal(mean, sd)", true},
      {"lognormal", 2, 2, ResponseKind::trace, "lognormal(mean, sd) of the logarithm", false},
      {"gamma", 2, 2, ResponseKind::trace, "gamma(shape, scale)", false},
      {"beta", 2, 2, ResponseKind::trace, "beta(a, b)", false},
      {"von_mises", 2, 2, ResponseKind::trace, "von_mises(mean, concentration)", false},
  };
  return all;
}

std::size_t num_choices(const Graph& graph, const TextLaw& law, std::span<const Id> arguments, const std::string& path) {
  if (law.kind != ResponseKind::choice) return 0;
  if (law.name == "bernoulli") return 2;
  if (law.name == "categorical") return arguments.size();
  if (law.name == "logits") return arguments.size() + 1;
  if (law.name == "ordinal") return arguments.size();
  const auto n = equations::constant_value(graph, arguments[0]);
  if (!n || !(*n >= 1 && *n <= 1000) || std::nearbyint(*n) != *n)
    throw SpecError({path, "binomial(n, p) with a whole number n, 1 to 1000, that is known", n ? number_text(*n) : "another", ""});
  return static_cast<std::size_t>(*n) + 1;
}

std::vector<Id> choice_probabilities(Graph& g, const TextLaw& law, std::span<const Id> a, std::size_t num) {
  std::vector<Id> out;
  const Id one = g.constant(1);
  if (law.name == "bernoulli") return {g.subtract(one, a[0]), a[0]};
  if (law.name == "binomial") {
    const double n = static_cast<double>(num) - 1;
    for (double k = 0; k <= n; ++k) {
      const double ways = std::exp(std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1));
      const Id hits = g.power(a[1], g.constant(k)), misses = g.power(g.subtract(one, a[1]), g.constant(n - k));
      out.push_back(g.multiply(g.constant(std::round(ways)), g.multiply(hits, misses)));
    }
    return out;
  }
  if (law.name == "ordinal") {  // Φ(x) = ½ erfc(-x / √2)
    const auto phi = [&](Id x) {
      return g.multiply(g.constant(0.5), g.apply(Op::erfc, g.multiply(g.constant(-std::numbers::sqrt2 / 2), x)));
    };
    Id below = g.constant(0);
    for (std::size_t k = 1; k < a.size(); ++k) {
      const Id up_to = phi(g.subtract(a[k], a[0]));
      out.push_back(g.subtract(up_to, below));
      below = up_to;
    }
    out.push_back(g.subtract(one, below));
    return out;
  }
  std::vector<Id> weights(a.begin(), a.end());
  if (law.name == "logits") {  // the largest is taken off, so that nothing overflows
    Id top = g.constant(0);
    for (const Id v : a) top = g.apply(Op::max, top, v);
    weights = {g.apply(Op::exp, g.negate(top))};
    for (const Id v : a) weights.push_back(g.apply(Op::exp, g.subtract(v, top)));
  }
  Id total = g.constant(0);
  for (const Id w : weights) total = g.add(total, w);
  for (const Id w : weights) out.push_back(g.divide(w, total));
  return out;
}

Id log_density(Graph& g, const TextLaw& law, std::span<const Id> a, Id r) {
  const auto number = [&](double x) { return g.constant(x); };
  const auto log = [&](Id x) { return g.apply(Op::log, x); };
  const auto log_gamma = [&](Id x) { return g.apply(Op::log_gamma, x); };
  const auto square = [&](Id x) { return g.power(x, number(2)); };
  const Id one = number(1);
  if (law.name == "poisson")
    return g.subtract(g.subtract(g.where(g.apply(Op::equal, r, number(0)), number(0), g.multiply(r, log(a[0]))), a[0]),
                      log_gamma(g.add(r, one)));
  if (law.name == "negative_binomial") {  // n = 1 / dispersion
    const Id n = g.divide(one, a[1]), sum = g.add(one, g.multiply(a[1], a[0]));
    const Id ways = g.subtract(g.subtract(log_gamma(g.add(r, n)), log_gamma(n)), log_gamma(g.add(r, one)));
    const Id hits = g.where(g.apply(Op::equal, r, number(0)), number(0), g.multiply(r, log(g.divide(g.multiply(a[1], a[0]), sum))));
    return g.subtract(g.add(ways, hits), g.multiply(n, log(sum)));
  }
  const auto normal = [&](Id z, Id sd) {
    return g.subtract(g.subtract(g.multiply(number(-0.5), square(z)), log(sd)), number(0.5 * std::log(2 * std::numbers::pi)));
  };
  if (law.name == "normal") return normal(g.divide(g.subtract(r, a[0]), a[1]), a[1]);
  if (law.name == "lognormal") return g.subtract(normal(g.divide(g.subtract(log(r), a[0]), a[1]), a[1]), log(r));
  if (law.name == "gamma")
    return g.subtract(g.subtract(g.subtract(g.multiply(g.subtract(a[0], one), log(r)), g.divide(r, a[1])), log_gamma(a[0])),
                      g.multiply(a[0], log(a[1])));
  if (law.name == "beta") {
    const Id shape = g.subtract(g.subtract(log_gamma(g.add(a[0], a[1])), log_gamma(a[0])), log_gamma(a[1]));
    return g.add(shape, g.add(g.multiply(g.subtract(a[0], one), log(r)),
                              g.multiply(g.subtract(a[1], one), g.apply(Op::log1p, g.negate(r)))));
  }
  if (law.name == "von_mises")
    return g.subtract(g.subtract(g.multiply(a[1], g.apply(Op::cos, g.subtract(r, a[0]))), g.apply(Op::log_bessel_i0, a[1])),
                      number(std::log(2 * std::numbers::pi)));
  throw InternalError("a choice has probabilities, no density: " + std::string(law.name));
}

bool is_possible(const TextLaw& law, double r) {
  if (law.kind == ResponseKind::counts) return r >= 0 && std::nearbyint(r) == r;
  if (law.name == "lognormal" || law.name == "gamma") return r > 0 && std::isfinite(r);
  if (law.name == "beta") return r > 0 && r < 1;
  return std::isfinite(r);
}

Id expected_value(Graph& g, const TextLaw& law, std::span<const Id> a) {
  if (law.name == "gamma") return g.multiply(a[0], a[1]);
  if (law.name == "beta") return g.divide(a[0], g.add(a[0], a[1]));
  if (law.name == "lognormal") return g.apply(Op::exp, g.add(a[0], g.multiply(g.constant(0.5), g.power(a[1], g.constant(2)))));
  return a[0];
}

double draw_response(const TextLaw& law, std::span<const double> a, Stream& stream) {
  if (law.name == "poisson") return stream.poisson(a[0]);
  if (law.name == "negative_binomial") return stream.poisson(a[1] > 0 ? stream.gamma(1 / a[1], a[0] * a[1]) : a[0]);
  if (law.name == "normal") return a[0] + a[1] * stream.normal();
  if (law.name == "lognormal") return std::exp(a[0] + a[1] * stream.normal());
  if (law.name == "gamma") return stream.gamma(a[0], a[1]);
  if (law.name == "beta") {
    const double x = stream.gamma(a[0], 1), y = stream.gamma(a[1], 1);
    return x / (x + y);
  }
  // von Mises by rejection from a wrapped Cauchy law: Best & Fisher 1979, Applied Statistics 28:152
  const double k = a[1];
  if (k < 1e-8) return std::remainder(a[0] + 2 * std::numbers::pi * stream.uniform(), 2 * std::numbers::pi);
  const double tau = 1 + std::sqrt(1 + 4 * k * k), rho = (tau - std::sqrt(2 * tau)) / (2 * k), s = (1 + rho * rho) / (2 * rho);
  for (;;) {
    const double z = std::cos(std::numbers::pi * stream.uniform()), f = (1 + s * z) / (s + z), c = k * (s - f);
    const double u = stream.uniform();
    if (c * (2 - c) > u || std::log(c / u) + 1 >= c) {
      const double angle = std::acos(std::clamp(f, -1.0, 1.0));
      return std::remainder(a[0] + (stream.uniform() < 0.5 ? -angle : angle), 2 * std::numbers::pi);
    }
  }
}

}  // namespace hartline::models
