// Laws of a response that a text can name: r ~ poisson(rate * window).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "base/trial.hpp"
#include "equations/graph.hpp"

namespace hartline::models {

/// What a law is made of. Arguments are numbers without unit, except those of laws of a quantity, which all have its unit.
///
///   poisson(mean)                        counts
///   negative_binomial(mean, dispersion)  counts of variance mean + dispersion · mean²
///   bernoulli(p)                         choice 1 with probability p, else 0
///   binomial(n, p)                       choice 0 … n where n is a known number, else a count
///   categorical(w0, w1, …)               choice k with probability w_k / Σ w
///   logits(v1, v2, …)                    choice k with probability e^v_k / Σ e^v, v_0 = 0
///   ordinal(eta, c1, c2, …)              choice k with probability Φ(c_{k+1} - eta) - Φ(c_k - eta), c_0 = -∞, c_last = ∞
///   clipped_normal(mean, sd, low, high)  a trace that reads low where it is below, and high where it is above
///   normal(mean, sd)  lognormal(mean, sd)  gamma(shape, scale)  beta(a, b)  von_mises(mean, concentration)    a trace
///   zero_inflated_gamma(p, shape, scale) a trace that is 0 with probability p
///   mixture(weight, law(…), weight, law(…), …)    of laws with the same support; weights are taken relative to their sum
///   censored(law(…), low, high)          counts or a trace of which low says that it is at most low, and high that it is at least
///   high
enum class LawForm : std::uint8_t {
  poisson,
  negative_binomial,
  bernoulli,
  binomial,
  binomial_count,
  categorical,
  logits,
  ordinal,
  normal,
  clipped_normal,
  lognormal,
  gamma,
  zero_inflated_gamma,
  beta,
  von_mises,
  mixture,
  censored
};

struct TextLaw;

/// A law whose arguments are some of many.
struct LawPart {
  const TextLaw* law = nullptr;
  std::size_t first = 0, num = 0;

  std::span<const double> of(std::span<const double> arguments) const { return arguments.subspan(first, num); }
};

struct TextLaw {
  std::string_view name;
  LawForm form;
  std::size_t min_args, max_args;
  ResponseKind kind;
  std::string_view wanted;  // for messages
  bool has_unit;            // the response is a quantity: mean and sd have its unit
  std::vector<LawPart> parts =
      {};  // of a mixture, the weight of each stands before its arguments; of a censored law what is censored
};

const std::vector<TextLaw>& text_laws();

/// The law that a text names, with these arguments: binomial is a count where n is not known. Null where there is none.
const TextLaw* find_law(const equations::Graph& graph, std::string_view name, std::span<const equations::Id> arguments);

/// The mixture of these laws. Throws: SpecError where they differ in what responses are possible.
TextLaw make_mixture(std::vector<LawPart> parts, const std::string& path);

/// What is seen of a law between two limits, which stand behind its arguments. Throws: SpecError for choices, angles and laws that
/// have limits of their own.
TextLaw make_censored(const LawPart& part, const std::string& path);

/// Number of choices of a law with these arguments, 0 where the response is no choice. Throws: SpecError.
std::size_t num_choices(const equations::Graph& graph, const TextLaw& law, std::span<const equations::Id> arguments,
                        const std::string& path);

/// Probabilities of the choices, [num_choices], in a graph without units.
std::vector<equations::Id> choice_probabilities(equations::Graph& graph, const TextLaw& law,
                                                std::span<const equations::Id> arguments, std::size_t num_choices);

/// log p(r | arguments) of counts and traces; `r` is the symbol's value. Of a censored law that of what is censored.
equations::Id log_density(equations::Graph& graph, const TextLaw& law, std::span<const equations::Id> arguments, equations::Id r);

/// Whether a response can come from a law at all.
bool is_possible(const TextLaw& law, double r);

/// The same as a number, given the values of the arguments, is log_weight - log_norm; only the first depends on r.
double log_weight(const TextLaw& law, std::span<const double> arguments, double r);
double log_norm(const TextLaw& law, std::span<const double> arguments);

/// E[r | arguments]; of a choice the arguments are its probabilities, of an angle the mean is its direction.
double expected_value(const TextLaw& law, std::span<const double> arguments);

/// The same as an expression; the arguments of a choice are its probabilities.
equations::Id expected_value(equations::Graph& graph, const TextLaw& law, std::span<const equations::Id> arguments);

/// P(r' < r) and P(r' <= r), given the values of the arguments (of a choice its probabilities). Those of an angle count from -π.
/// Accuracy: 1e-10; of an angle with a concentration above 500 one in the concentration
/// (encoding_text_test.cpp: TextLaws.DistributionsAreIntegralsOfDensities)
struct Below {
  double below = 0, up_to = 0;
};
Below distribution(const TextLaw& law, std::span<const double> arguments, double r);

/// The argument values are some that the law can have.
bool is_valid(const TextLaw& law, std::span<const double> arguments);

/// A draw, given the values of the arguments (of a choice its probabilities).
double draw_response(const TextLaw& law, std::span<const double> arguments, Stream& stream);

}  // namespace hartline::models
