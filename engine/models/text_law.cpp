#include "models/text_law.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "base/error.hpp"
#include "equations/lower.hpp"
#include "models/law_tail.hpp"
#include "numerics/special.hpp"

namespace hartline::models {

using equations::Graph;
using equations::Id;
using equations::Op;

namespace {
constexpr std::size_t max_choices = 64;
}

const std::vector<TextLaw>& text_laws() {
  static const std::vector<TextLaw> all = {
      {"poisson", LawForm::poisson, 1, 1, ResponseKind::counts, "poisson(mean)", false},
      {"negative_binomial", LawForm::negative_binomial, 2, 2, ResponseKind::counts, "negative_binomial(mean, dispersion)", false},
      {"bernoulli", LawForm::bernoulli, 1, 1, ResponseKind::choice, "bernoulli(p)", false},
      {"binomial", LawForm::binomial, 2, 2, ResponseKind::choice, "binomial(n, p)", false},
      {"categorical", LawForm::categorical, 2, max_choices, ResponseKind::choice, "categorical(w0, w1, …)", false},
      {"logits", LawForm::logits, 1, max_choices - 1, ResponseKind::choice, "logits(v1, v2, …)", false},
      {"ordinal", LawForm::ordinal, 2, max_choices, ResponseKind::choice, "ordinal(eta, c1, c2, …)", false},
      {"binomial", LawForm::binomial_count, 2, 2, ResponseKind::counts, "binomial(n, p)", false},
      {"normal", LawForm::normal, 2, 2, ResponseKind::trace, "normal(mean, sd)", true},
      {"clipped_normal", LawForm::clipped_normal, 4, 4, ResponseKind::trace, "clipped_normal(mean, sd, low, high)", true},
      {"lognormal", LawForm::lognormal, 2, 2, ResponseKind::trace, "lognormal(mean, sd) of the logarithm", false},
      {"gamma", LawForm::gamma, 2, 2, ResponseKind::trace, "gamma(shape, scale)", false},
      {"zero_inflated_gamma", LawForm::zero_inflated_gamma, 3, 3, ResponseKind::trace, "zero_inflated_gamma(p, shape, scale)",
       false},
      {"beta", LawForm::beta, 2, 2, ResponseKind::trace, "beta(a, b)", false},
      {"von_mises", LawForm::von_mises, 2, 2, ResponseKind::trace, "von_mises(mean, concentration)", false},
  };
  return all;
}

const TextLaw* find_law(const Graph& graph, std::string_view name, std::span<const Id> arguments) {
  for (const TextLaw& law : text_laws()) {
    if (law.name != name) continue;
    if (law.form == LawForm::binomial && !arguments.empty()) {  // few tries that are known are choices, others counts
      const auto n = equations::constant_value(graph, arguments[0]);
      if (!n || *n > max_choices - 1) continue;
    }
    return &law;
  }
  return nullptr;
}

TextLaw make_mixture(std::vector<LawPart> parts, const std::string& path) {
  enum class Support { counts, choices, reals, above_zero, zero_to_one, angles, alone };
  const auto support = [](const TextLaw& law) {
    if (law.kind == ResponseKind::counts) return Support::counts;
    if (law.kind == ResponseKind::choice) return Support::choices;
    if (law.form == LawForm::normal) return Support::reals;
    if (law.form == LawForm::lognormal || law.form == LawForm::gamma) return Support::above_zero;
    if (law.form == LawForm::beta) return Support::zero_to_one;
    return law.form == LawForm::von_mises ? Support::angles : Support::alone;
  };
  const TextLaw& first = *parts[0].law;
  for (const LawPart& part : parts)
    if (support(*part.law) == Support::alone)
      throw SpecError({path, "a mixture of other laws", "\"" + std::string(part.law->name) + "\"", "It has an end of its own."});
  for (const LawPart& part : parts)
    if (support(*part.law) != support(first))
      throw SpecError(
          {path, "a mixture of laws with the same possible responses", fmt::format("{} and {}", first.name, part.law->name), ""});
  TextLaw out = first;
  out.name = "mixture";
  out.form = LawForm::mixture;
  out.parts = std::move(parts);
  return out;
}

TextLaw make_censored(const LawPart& part, const std::string& path) {
  const auto refuse = [&](const TextLaw& law) {
    const bool has_ends = law.form == LawForm::clipped_normal || law.form == LawForm::censored;
    if (law.kind != ResponseKind::choice && law.form != LawForm::von_mises && !has_ends) return;
    throw SpecError({path, "censored(law(…), low, high) of counts or of a trace on a line", "\"" + std::string(law.name) + "\"",
                     has_ends ? "It has limits of its own." : "It has no two ends."});
  };
  refuse(*part.law);
  for (const LawPart& one : part.law->parts) refuse(*one.law);
  TextLaw out = *part.law;
  out.name = "censored";
  out.form = LawForm::censored;
  out.parts = {part};
  return out;
}

std::size_t num_choices(const Graph& graph, const TextLaw& law, std::span<const Id> arguments, const std::string& path) {
  if (law.kind != ResponseKind::choice) return 0;
  if (law.form == LawForm::bernoulli) return 2;
  if (law.form == LawForm::mixture) {
    std::size_t most = 0;
    for (const LawPart& part : law.parts)
      most = std::max(most, num_choices(graph, *part.law, arguments.subspan(part.first, part.num), path));
    return most;
  }
  if (law.form == LawForm::categorical) return arguments.size();
  if (law.form == LawForm::logits) return arguments.size() + 1;
  if (law.form == LawForm::ordinal) return arguments.size();
  const auto n = equations::constant_value(graph, arguments[0]);
  if (!n || !(*n >= 1 && *n <= max_choices - 1) || std::nearbyint(*n) != *n)
    throw SpecError({path, "binomial(n, p) with a whole number n >= 1", n ? number_text(*n) : "another", ""});
  return static_cast<std::size_t>(*n) + 1;
}

std::vector<Id> choice_probabilities(Graph& g, const TextLaw& law, std::span<const Id> a, std::size_t num) {
  std::vector<Id> out;
  const Id one = g.constant(1);
  if (law.form == LawForm::bernoulli) return {g.subtract(one, a[0]), a[0]};
  if (law.form == LawForm::mixture) {  // a part with fewer choices gives the others probability 0
    Id total = g.constant(0);
    out.assign(num, total);
    for (const LawPart& part : law.parts) {
      const std::size_t own = models::num_choices(g, *part.law, a.subspan(part.first, part.num), "model.response");
      const std::vector<Id> p = choice_probabilities(g, *part.law, a.subspan(part.first, part.num), own);
      for (std::size_t k = 0; k < own; ++k) out[k] = g.add(out[k], g.multiply(a[part.first - 1], p[k]));
      total = g.add(total, a[part.first - 1]);
    }
    for (Id& p : out) p = g.divide(p, total);
    return out;
  }
  if (law.form == LawForm::binomial) {
    const double n = static_cast<double>(num) - 1;
    for (double k = 0; k <= n; ++k) {
      const double ways = std::exp(numerics::log_gamma(n + 1) - numerics::log_gamma(k + 1) - numerics::log_gamma(n - k + 1));
      const Id hits = g.power(a[1], g.constant(k)), misses = g.power(g.subtract(one, a[1]), g.constant(n - k));
      out.push_back(g.multiply(g.constant(std::round(ways)), g.multiply(hits, misses)));
    }
    return out;
  }
  if (law.form == LawForm::ordinal) {  // Φ(x) = ½ erfc(-x / √2)
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
  if (law.form == LawForm::logits) {  // the largest is taken off, so that nothing overflows
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
  if (law.form == LawForm::censored) return log_density(g, *law.parts[0].law, a.subspan(law.parts[0].first, law.parts[0].num), r);
  if (law.form == LawForm::mixture) {  // the largest is taken off, so that nothing underflows
    std::vector<Id> logs;
    Id top = g.constant(-std::numeric_limits<double>::infinity()), total = number(0), mixed = number(0);
    for (const LawPart& part : law.parts) {
      logs.push_back(g.add(log(a[part.first - 1]), log_density(g, *part.law, a.subspan(part.first, part.num), r)));
      top = logs.size() == 1 ? logs[0] : g.apply(Op::max, top, logs.back());
    }
    for (std::size_t k = 0; k < logs.size(); ++k) {
      mixed = g.add(mixed, g.apply(Op::exp, g.subtract(logs[k], top)));
      total = g.add(total, a[law.parts[k].first - 1]);
    }
    const Id value = g.add(top, log(g.divide(mixed, total)));
    return g.where(g.apply(Op::less, top, number(-1e300)), top, value);
  }
  if (law.form == LawForm::poisson)
    return g.subtract(g.subtract(g.where(g.apply(Op::equal, r, number(0)), number(0), g.multiply(r, log(a[0]))), a[0]),
                      log_gamma(g.add(r, one)));
  if (law.form == LawForm::binomial_count) {
    const auto times_log = [&](Id c, Id x) { return g.where(g.apply(Op::equal, c, number(0)), number(0), g.multiply(c, log(x))); };
    const Id misses = g.subtract(a[0], r);
    const Id ways = g.subtract(g.subtract(log_gamma(g.add(a[0], one)), log_gamma(g.add(r, one))), log_gamma(g.add(misses, one)));
    const Id possible = g.add(ways, g.add(times_log(r, a[1]), times_log(misses, g.subtract(one, a[1]))));
    return g.where(g.apply(Op::less, a[0], r), log(number(0)), possible);
  }
  if (law.form == LawForm::negative_binomial) {  // n = 1 / dispersion
    const Id n = g.divide(one, a[1]), sum = g.add(one, g.multiply(a[1], a[0]));
    const Id ways = g.subtract(g.subtract(log_gamma(g.add(r, n)), log_gamma(n)), log_gamma(g.add(r, one)));
    const Id hits = g.where(g.apply(Op::equal, r, number(0)), number(0), g.multiply(r, log(g.divide(g.multiply(a[1], a[0]), sum))));
    return g.subtract(g.add(ways, hits), g.multiply(n, log(sum)));
  }
  const auto normal = [&](Id z, Id sd) {
    return g.subtract(g.subtract(g.multiply(number(-0.5), square(z)), log(sd)), number(0.5 * std::log(2 * std::numbers::pi)));
  };
  if (law.form == LawForm::normal) return normal(g.divide(g.subtract(r, a[0]), a[1]), a[1]);
  if (law.form == LawForm::clipped_normal) {
    const auto tail = [&](Id distance) { return g.apply(Op::log_normal_cdf, g.divide(distance, a[1])); };
    const Id inside = normal(g.divide(g.subtract(r, a[0]), a[1]), a[1]);
    return g.where(g.apply(Op::less_equal, r, a[2]), tail(g.subtract(a[2], a[0])),
                   g.where(g.apply(Op::less_equal, a[3], r), tail(g.subtract(a[0], a[3])), inside));
  }
  if (law.form == LawForm::lognormal) return g.subtract(normal(g.divide(g.subtract(log(r), a[0]), a[1]), a[1]), log(r));
  const auto gamma = [&](Id shape, Id scale) {
    return g.subtract(g.subtract(g.subtract(g.multiply(g.subtract(shape, one), log(r)), g.divide(r, scale)), log_gamma(shape)),
                      g.multiply(shape, log(scale)));
  };
  if (law.form == LawForm::gamma) return gamma(a[0], a[1]);
  if (law.form == LawForm::zero_inflated_gamma)
    return g.where(g.apply(Op::equal, r, number(0)), log(a[0]), g.add(g.apply(Op::log1p, g.negate(a[0])), gamma(a[1], a[2])));
  if (law.form == LawForm::beta) {
    const Id shape = g.subtract(g.subtract(log_gamma(g.add(a[0], a[1])), log_gamma(a[0])), log_gamma(a[1]));
    return g.add(shape, g.add(g.multiply(g.subtract(a[0], one), log(r)),
                              g.multiply(g.subtract(a[1], one), g.apply(Op::log1p, g.negate(r)))));
  }
  if (law.form == LawForm::von_mises)
    return g.subtract(g.subtract(g.multiply(a[1], g.apply(Op::cos, g.subtract(r, a[0]))), g.apply(Op::log_bessel_i0, a[1])),
                      number(std::log(2 * std::numbers::pi)));
  throw InternalError("a choice has probabilities, no density: " + std::string(law.name));
}

bool is_possible(const TextLaw& law, double r) {
  if (law.kind == ResponseKind::counts) return r >= 0 && std::nearbyint(r) == r;
  if (law.form == LawForm::lognormal || law.form == LawForm::gamma) return r > 0 && std::isfinite(r);
  if (law.form == LawForm::zero_inflated_gamma) return r >= 0 && std::isfinite(r);
  if (law.form == LawForm::beta) return r > 0 && r < 1;
  if (law.form == LawForm::mixture) return is_possible(*law.parts[0].law, r);
  return std::isfinite(r);
}

namespace {

/// Σ weight · value(part) / Σ weight.
template <class Value>
double average(const TextLaw& law, std::span<const double> a, Value&& value) {
  double total = 0, out = 0;
  for (const LawPart& part : law.parts) {
    const double weight = a[part.first - 1];
    total += weight;
    if (weight > 0) out += weight * value(*part.law, part.of(a));
  }
  return out / total;
}

}  // namespace

double log_weight(const TextLaw& law, std::span<const double> a, double r) {
  const auto times_log = [](double c, double x) { return c == 0 ? 0 : c * std::log(x); };
  if (!is_possible(law, r)) return -std::numeric_limits<double>::infinity();
  switch (law.form) {
    case LawForm::mixture: {
      double top = -std::numeric_limits<double>::infinity();
      const auto log_p = [&](const TextLaw& part, std::span<const double> own) {
        return log_weight(part, own, r) - log_norm(part, own);
      };
      for (const LawPart& part : law.parts)
        if (a[part.first - 1] > 0) top = std::max(top, log_p(*part.law, part.of(a)));
      if (!std::isfinite(top)) return top;
      return top + std::log(average(
                       law, a, [&](const TextLaw& part, std::span<const double> own) { return std::exp(log_p(part, own) - top); }));
    }
    case LawForm::censored: {
      const LawPart& inner = law.parts[0];
      const double low = a[a.size() - 2], high = a[a.size() - 1];
      if (r <= low) return log_tail(*inner.law, inner.of(a), low, Side::up_to);
      if (r >= high) return log_tail(*inner.law, inner.of(a), high, Side::from);
      return log_weight(*inner.law, inner.of(a), r) - log_norm(*inner.law, inner.of(a));
    }
    case LawForm::zero_inflated_gamma:
      return r == 0 ? std::log(a[0])
                    : std::log1p(-a[0]) + times_log(a[1] - 1, r) - r / a[2] - numerics::log_gamma(a[1]) - a[1] * std::log(a[2]);
    case LawForm::poisson:
      return times_log(r, a[0]) - numerics::log_gamma(r + 1);
    case LawForm::binomial_count:
      return r > a[0] ? -std::numeric_limits<double>::infinity()
                      : times_log(r, a[1]) + times_log(a[0] - r, 1 - a[1]) - numerics::log_gamma(r + 1) -
                            numerics::log_gamma(a[0] - r + 1);
    case LawForm::clipped_normal: {
      const auto tail = [&](double distance) { return equations::function_of(Op::log_normal_cdf).value(distance / a[1]); };
      if (r <= a[2]) return tail(a[2] - a[0]);
      if (r >= a[3]) return tail(a[0] - a[3]);
      return -0.5 * (r - a[0]) * (r - a[0]) / (a[1] * a[1]) - std::log(a[1]) - 0.91893853320467274178;
    }
    case LawForm::negative_binomial:
      return numerics::log_gamma(r + 1 / a[1]) - numerics::log_gamma(r + 1) + times_log(r, a[0] * a[1] / (1 + a[0] * a[1]));
    case LawForm::normal:
      return -0.5 * (r - a[0]) * (r - a[0]) / (a[1] * a[1]);
    case LawForm::lognormal:
      return -0.5 * (std::log(r) - a[0]) * (std::log(r) - a[0]) / (a[1] * a[1]) - std::log(r);
    case LawForm::gamma:
      return times_log(a[0] - 1, r) - r / a[1];
    case LawForm::beta:
      return times_log(a[0] - 1, r) + (a[1] == 1 ? 0 : (a[1] - 1) * std::log1p(-r));
    case LawForm::von_mises:
      return a[1] * std::cos(r - a[0]);
    default:
      return std::log(a[static_cast<std::size_t>(r)]);
  }
}

double log_norm(const TextLaw& law, std::span<const double> a) {
  constexpr double half_log_two_pi = 0.91893853320467274178;
  switch (law.form) {
    case LawForm::poisson:
      return a[0];
    case LawForm::binomial_count:
      return -numerics::log_gamma(a[0] + 1);
    case LawForm::negative_binomial:
      return numerics::log_gamma(1 / a[1]) + std::log1p(a[0] * a[1]) / a[1];
    case LawForm::normal:
    case LawForm::lognormal:
      return std::log(a[1]) + half_log_two_pi;
    case LawForm::gamma:
      return numerics::log_gamma(a[0]) + a[0] * std::log(a[1]);
    case LawForm::beta:
      return numerics::log_gamma(a[0]) + numerics::log_gamma(a[1]) - numerics::log_gamma(a[0] + a[1]);
    case LawForm::von_mises:
      return equations::function_of(Op::log_bessel_i0).value(a[1]) + 2 * half_log_two_pi;
    default:
      return 0;
  }
}

double expected_value(const TextLaw& law, std::span<const double> a) {
  if (law.kind == ResponseKind::choice) {
    double mean = 0;
    for (std::size_t k = 1; k < a.size(); ++k) mean += static_cast<double>(k) * a[k];
    return mean;
  }
  if (law.form == LawForm::mixture)
    return average(law, a, [](const TextLaw& part, std::span<const double> own) { return expected_value(part, own); });
  if (law.form == LawForm::gamma || law.form == LawForm::binomial_count) return a[0] * a[1];
  if (law.form == LawForm::zero_inflated_gamma) return (1 - a[0]) * a[1] * a[2];
  if (law.form == LawForm::beta) return a[0] / (a[0] + a[1]);
  if (law.form == LawForm::clipped_normal) {
    const double low = (a[2] - a[0]) / a[1], high = (a[3] - a[0]) / a[1];
    const auto phi = [](double z) { return std::exp(-0.5 * z * z) / std::sqrt(2 * std::numbers::pi); };
    return a[2] * numerics::normal_cdf(low) + a[3] * numerics::normal_cdf(-high) +
           a[0] * (numerics::normal_cdf(high) - numerics::normal_cdf(low)) + a[1] * (phi(low) - phi(high));
  }
  if (law.form == LawForm::lognormal) return std::exp(a[0] + 0.5 * a[1] * a[1]);
  if (law.form == LawForm::censored) {
    const LawPart& inner = law.parts[0];
    const double low = a[a.size() - 2], high = a[a.size() - 1];
    const double below_high = law.kind == ResponseKind::counts ? std::ceil(high) - 1 : high;
    return low * std::exp(log_tail(*inner.law, inner.of(a), low, Side::up_to)) +
           high * std::exp(log_tail(*inner.law, inner.of(a), high, Side::from)) +
           partial_mean(*inner.law, inner.of(a), below_high) - partial_mean(*inner.law, inner.of(a), low);
  }
  return a[0];
}

Id expected_value(Graph& g, const TextLaw& law, std::span<const Id> a) {
  const Id one = g.constant(1);
  if (law.kind == ResponseKind::choice) {
    Id mean = g.constant(0);
    for (std::size_t k = 1; k < a.size(); ++k) mean = g.add(mean, g.multiply(g.constant(static_cast<double>(k)), a[k]));
    return mean;
  }
  const auto phi = [&](Id z) {  // Φ(z)
    return g.multiply(g.constant(0.5), g.apply(Op::erfc, g.multiply(g.constant(-std::numbers::sqrt2 / 2), z)));
  };
  switch (law.form) {
    case LawForm::mixture: {
      Id total = g.constant(0), out = total;
      for (const LawPart& part : law.parts) {
        const Id weight = a[part.first - 1];
        total = g.add(total, weight);
        out = g.add(out, g.multiply(weight, expected_value(g, *part.law, a.subspan(part.first, part.num))));
      }
      return g.divide(out, total);
    }
    case LawForm::gamma:
    case LawForm::binomial_count:
      return g.multiply(a[0], a[1]);
    case LawForm::zero_inflated_gamma:
      return g.multiply(g.subtract(one, a[0]), g.multiply(a[1], a[2]));
    case LawForm::beta:
      return g.divide(a[0], g.add(a[0], a[1]));
    case LawForm::lognormal:
      return g.apply(Op::exp, g.add(a[0], g.multiply(g.constant(0.5), g.power(a[1], g.constant(2)))));
    case LawForm::clipped_normal: {
      const auto z = [&](Id limit) { return g.divide(g.subtract(limit, a[0]), a[1]); };
      const auto density = [&](Id at) {
        return g.multiply(g.constant(1 / std::sqrt(2 * std::numbers::pi)),
                          g.apply(Op::exp, g.multiply(g.constant(-0.5), g.power(at, g.constant(2)))));
      };
      const Id low = z(a[2]), high = z(a[3]);
      const Id ends = g.add(g.multiply(a[2], phi(low)), g.multiply(a[3], phi(g.negate(high))));
      return g.add(ends, g.add(g.multiply(a[0], g.subtract(phi(high), phi(low))),
                               g.multiply(a[1], g.subtract(density(low), density(high)))));
    }
    case LawForm::censored:
      throw SpecError({"model.response", "a law whose mean is known as an expression, where a state depends on what may be lost",
                       "\"censored\"", "Take belief.kind = \"particles\" or \"grid\"."});
    default:
      return a[0];
  }
}

bool is_valid(const TextLaw& law, std::span<const double> a) {
  if (law.kind == ResponseKind::choice)
    return std::all_of(a.begin(), a.end(), [](double p) { return p >= -1e-12 && p <= 1 + 1e-12; });
  if (law.form == LawForm::poisson) return a[0] >= 0 && std::isfinite(a[0]);
  if (law.form == LawForm::mixture) {
    double total = 0;
    for (const LawPart& part : law.parts) {
      const double weight = a[part.first - 1];
      if (!(weight >= 0 && std::isfinite(weight)) || !is_valid(*part.law, part.of(a))) return false;
      total += weight;
    }
    return total > 0;
  }
  if (law.form == LawForm::censored) {
    const double low = a[a.size() - 2], high = a[a.size() - 1];
    const bool whole = law.kind != ResponseKind::counts || (std::nearbyint(low) == low && std::nearbyint(high) == high);
    return low < high && whole && is_valid(*law.parts[0].law, law.parts[0].of(a));
  }
  if (law.form == LawForm::zero_inflated_gamma)
    return a[0] >= 0 && a[0] <= 1 && a[1] > 0 && a[2] > 0 && std::isfinite(a[1]) && std::isfinite(a[2]);
  if (!std::isfinite(a[0]) || !std::isfinite(a[1])) return false;
  if (law.form == LawForm::negative_binomial) return a[0] >= 0 && a[1] > 0;
  if (law.form == LawForm::binomial_count) return a[0] >= 0 && std::nearbyint(a[0]) == a[0] && a[1] >= 0 && a[1] <= 1;
  if (law.form == LawForm::clipped_normal) return a[1] > 0 && a[2] < a[3];
  const bool by_shape = law.form == LawForm::gamma || law.form == LawForm::beta;
  return law.form == LawForm::von_mises ? a[1] >= 0 : a[1] > 0 && (!by_shape || a[0] > 0);
}

double draw_response(const TextLaw& law, std::span<const double> a, Stream& stream) {
  if (law.kind == ResponseKind::choice) {
    double u = stream.uniform();
    std::size_t k = 0;
    while (k + 1 < a.size() && u >= a[k]) u -= a[k++];
    return static_cast<double>(k);
  }
  if (law.form == LawForm::mixture) {
    double total = 0;
    for (const LawPart& part : law.parts) total += a[part.first - 1];
    double u = stream.uniform() * total;
    std::size_t k = 0;
    while (k + 1 < law.parts.size() && u >= a[law.parts[k].first - 1]) u -= a[law.parts[k++].first - 1];
    return draw_response(*law.parts[k].law, law.parts[k].of(a), stream);
  }
  if (law.form == LawForm::censored)
    return std::clamp(draw_response(*law.parts[0].law, law.parts[0].of(a), stream), a[a.size() - 2], a[a.size() - 1]);
  if (law.form == LawForm::zero_inflated_gamma) return stream.uniform() < a[0] ? 0 : stream.gamma(a[1], a[2]);
  if (law.form == LawForm::poisson) return stream.poisson(a[0]);
  if (law.form == LawForm::negative_binomial) return stream.poisson(a[1] > 0 ? stream.gamma(1 / a[1], a[0] * a[1]) : a[0]);
  if (law.form == LawForm::normal) return a[0] + a[1] * stream.normal();
  if (law.form == LawForm::clipped_normal) return std::clamp(a[0] + a[1] * stream.normal(), a[2], a[3]);
  if (law.form == LawForm::binomial_count) {
    double hits = 0;
    for (double k = 0; k < a[0]; ++k) hits += stream.uniform() < a[1];
    return hits;
  }
  if (law.form == LawForm::lognormal) return std::exp(a[0] + a[1] * stream.normal());
  if (law.form == LawForm::gamma) return stream.gamma(a[0], a[1]);
  if (law.form == LawForm::beta) {
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
