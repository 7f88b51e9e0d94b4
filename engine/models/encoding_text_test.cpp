#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <boost/math/quadrature/gauss_kronrod.hpp>
#include <cmath>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "equations/kernel.hpp"
#include "models/encoding_text.hpp"
#include "models/grid.hpp"

namespace hartline::models {
namespace {

using equations::Id;

Table table(std::initializer_list<std::pair<const char*, const char*>> items) {
  Table out;
  for (const auto& [name, text] : items) out.set(name, text);
  return out;
}

Table model_table(std::initializer_list<std::pair<const char*, const char*>> items, const Table& parameters) {
  Table out = table(items);
  out.set("parameters", parameters);
  return out;
}

double entropy_of(std::span<const double> p) {
  double h = 0;
  for (const double q : p)
    if (q > 0) h -= q * std::log(q);
  return h;
}

double information(const GridModel& model, const Belief& belief, std::size_t x) {
  std::vector<double> p(model.num_outcomes());
  const double given = model.predictive(belief, x, p);
  return entropy_of(p) - given;
}

std::shared_ptr<const EncodingText> tuning() {
  return std::make_shared<const EncodingText>(table({{"x", "range(-10, 10, 0.5) : deg"}}),
                                              model_table({{"response", "r ~ poisson(rate * window)"},
                                                           {"rate", "b + A * exp(-(x - mu)^2 / (2 * sigma^2)) : Hz"},
                                                           {"window", "1 s"}},
                                                          table({{"mu", "range(-9, 9, 1) : deg"},
                                                                 {"sigma", "values(0.5, 1, 2, 4) : deg"},
                                                                 {"A", "values(10, 25, 50) : Hz"},
                                                                 {"b", "values(1, 2, 5) : Hz"}})));
}

// The values of grid_test.cpp, from text: worked out by brute force, tests/reference/poisson_grid.py.
TEST(EncodingText, ReproducesThePoissonCase) {
  const auto text = tuning();
  const auto executor = make_serial_executor();
  const GridModel model(make_family(text, {25, 25, 25, 25}), text->stimulus[0].values, *executor);
  ASSERT_EQ(model.num_nodes(), 684u);
  ASSERT_EQ(model.num_stimuli(), 41u);
  auto belief = model.prior();
  const auto index_of = [](double x) { return static_cast<std::size_t>(std::lround((x + 10) * 2)); };
  EXPECT_NEAR(information(model, *belief, index_of(0.5)), 1.05707703, 1e-8);
  EXPECT_NEAR(information(model, *belief, index_of(-10)), 0.75210215, 1e-8);
  for (const auto& [x, r] : {std::pair{-5.0, 1.0}, {0.0, 2.0}, {3.0, 40.0}})
    model.update(*belief, {&x, 1}, {ResponseKind::counts, 1, 1, {r}, {}, ""}, 0);
  EXPECT_NEAR(entropy(dynamic_cast<const GridBelief&>(*belief)), 2.49792555, 1e-8);
  EXPECT_NEAR(information(model, *belief, index_of(5)), 1.24223953, 1e-8);
  EXPECT_NEAR(information(model, *belief, index_of(0)), 0.26722369, 1e-8);
}

TEST(EncodingText, EqualsTheFamilyWrittenInCode) {
  const auto text = std::make_shared<const EncodingText>(
      table({{"x", "range(-40, 0, 1) : dB"}}),
      model_table({{"response", "r ~ bernoulli(p)"}, {"p", "1 - lapse - (1 - guess - lapse) * exp(-10^(slope * (x - t) / 20 dB))"}},
                  table({{"t", "uniform(-40, 0) : dB"},
                         {"slope", "uniform(2, 5)"},
                         {"guess", "values(0.5)"},
                         {"lapse", "uniform(0, 0.04)"}})));
  const auto from_text = make_family(text, {3, 3, 3, 3});
  PsychometricSpec spec;
  spec.threshold.values = {-20};
  spec.slope.values = {3};
  spec.guess.values = {.5};
  spec.lapse.values = {.02};
  const auto in_code = make_family(spec);
  Stream stream(3, Purpose::test);
  for (int k = 0; k < 200; ++k) {
    const double x = -40 * stream.uniform();
    const double p[] = {-40 * stream.uniform(), 2 + 3 * stream.uniform(), .5, .04 * stream.uniform()};
    double a[2], b[2];
    from_text->evaluate(&x, p, a);
    in_code->evaluate(&x, p, b);
    EXPECT_NEAR(a[1], b[1], 1e-14);
    EXPECT_NEAR(a[0], b[0], 1e-14);
  }
}

TEST(EncodingText, VectorsAreSeveralNumbers) {
  const auto family = make_family(std::make_shared<const EncodingText>(table({{"x", "values(-1, 0, 1)[2]"}}),
                                                                       model_table({{"response", "r ~ poisson(exp(dot(w, x)))"}},
                                                                                   table({{"w", "normal(0, 1)[2]"}}))),
                                  {4});
  ASSERT_EQ(family->parameters.size(), 2u);
  EXPECT_EQ(family->parameters[1].name, "w[1]");
  EXPECT_EQ(family->stimulus_dim, 2u);
  const double x[] = {1, -2}, w[] = {0.5, 0.25};
  double rate = 0;
  family->evaluate(x, w, &rate);
  EXPECT_DOUBLE_EQ(rate, 1);
}

struct LawCase {
  const char* law;
  std::vector<double> arguments;
  double low, high;  // of a trace
};

const LawCase law_cases[] = {
    {"poisson", {3.7}, 0, 0},
    {"negative_binomial", {4.2, 0.6}, 0, 0},
    {"binomial", {9, 0.3}, 0, 0},
    {"normal", {0.4, 1.3}, -12, 12},
    {"lognormal", {0.2, 0.5}, 0, 40},
    {"gamma", {2.3, 1.4}, 0, 90},
    {"beta", {2.5, 1.7}, 0, 1},
    {"von_mises", {0.7, 2.2}, -M_PI, M_PI},
    {"mixed counts", {2, 3.7, 0.5, 7.2, 0.6}, 0, 0},
    {"mixed normals", {0.7, 0.4, 1.3, 0.3, 3, 0.6}, -12, 14},
};

const TextLaw& law_named(std::string_view name) {
  for (const TextLaw& law : text_laws())  // of binomials the counts
    if (law.name == name && law.form != LawForm::binomial) return law;
  static const TextLaw counts = make_mixture({{&law_named("poisson"), 1, 1}, {&law_named("negative_binomial"), 3, 2}}, "");
  static const TextLaw normals = make_mixture({{&law_named("normal"), 1, 2}, {&law_named("normal"), 4, 2}}, "");
  return name == "mixed counts" ? counts : normals;
}

/// log p(r) by the interpreter.
struct Density {
  explicit Density(const LawCase& c) {
    const TextLaw& law = law_named(c.law);
    std::vector<Id> arguments;
    for (const double a : c.arguments) arguments.push_back(graph.constant(a));
    const auto r = graph.add_symbol({"r", {}, {}, ""});
    const Id output = log_density(graph, law, arguments, graph.symbol_value(r));
    kernel = equations::make_interpreter(graph, {&output, 1}, {true});
  }
  double operator()(double r) const {
    double value = 0;
    double* out[] = {&value};
    const equations::Input input{&r, 1, 1};
    kernel->run({&input, 1}, 1, out);
    return std::exp(value);
  }
  equations::Graph graph;
  std::unique_ptr<equations::Kernel> kernel;
};

double integral(const Density& density, double low, double high, double power) {
  double total = 0;
  constexpr int panels = 40;
  for (int k = 0; k < panels; ++k) {
    const double a = low + (high - low) * k / panels, b = low + (high - low) * (k + 1) / panels;
    total += boost::math::quadrature::gauss_kronrod<double, 31>::integrate(
        [&](double r) { return std::pow(r, power) * density(r); }, a, b, 0);
  }
  return total;
}

TEST(TextLaws, DensitiesSumToOneAndHaveTheirMean) {
  for (const LawCase& c : law_cases) {
    const Density density(c);
    double total = 0, mean = 0;
    if (law_named(c.law).kind == ResponseKind::counts) {
      for (int r = 0; r < 400; ++r) {
        total += density(r);
        mean += r * density(r);
      }
    } else {
      total = integral(density, c.low, c.high, 0);
      mean = integral(density, c.low, c.high, 1);
    }
    EXPECT_NEAR(total, 1, 1e-8) << c.law;
    if (std::string_view(c.law) != "von_mises") {  // whose mean is a direction
      EXPECT_NEAR(mean, expected_value(law_named(c.law), c.arguments), 1e-7) << c.law;
    }
  }
}

TEST(TextLaws, DistributionsAreIntegralsOfDensities) {
  for (const LawCase& c : law_cases) {
    const TextLaw& law = law_named(c.law);
    const Density density(c);
    if (law.kind == ResponseKind::counts) {
      double below = 0;
      for (int r = 0; r < 30; ++r) {
        const Below p = distribution(law, c.arguments, r);
        EXPECT_NEAR(p.below, below, 1e-10) << c.law;
        EXPECT_NEAR(std::exp(log_weight(law, c.arguments, r) - log_norm(law, c.arguments)), density(r), 1e-12) << c.law;
        below += density(r);
        EXPECT_NEAR(p.up_to, below, 1e-10) << c.law;
      }
      continue;
    }
    for (const double share : {0.2, 0.45, 0.7}) {
      const double r = c.low + (c.high - c.low) * share;
      EXPECT_NEAR(log_weight(law, c.arguments, r) - log_norm(law, c.arguments), std::log(density(r)), 1e-10) << c.law;
      EXPECT_NEAR(distribution(law, c.arguments, r).below, integral(density, c.low, r, 0), 1e-8) << c.law << " " << r;
      EXPECT_EQ(distribution(law, c.arguments, r).below, distribution(law, c.arguments, r).up_to);
    }
  }
}

/// What is below and above is read as the limits: atoms beside a density, of which everything is made.
TEST(TextLaws, ClippedNormalsHaveAtoms) {
  const LawCase c{"clipped_normal", {0.4, 1.3, -0.5, 1.5}, -0.5, 1.5};
  const TextLaw& law = law_named(c.law);
  const Density density(c);
  double total = integral(density, -0.5 + 1e-9, 1.5 - 1e-9, 0), mean = integral(density, -0.5 + 1e-9, 1.5 - 1e-9, 1);
  for (const double end : {-0.5, 1.5}) {
    total += density(end);
    mean += end * density(end);
    EXPECT_NEAR(std::exp(log_weight(law, c.arguments, end) - log_norm(law, c.arguments)), density(end), 1e-12);
    const Below p = distribution(law, c.arguments, end);
    EXPECT_NEAR(p.up_to - p.below, density(end), 1e-12);
  }
  EXPECT_NEAR(total, 1, 1e-8);
  EXPECT_NEAR(mean, expected_value(law, c.arguments), 1e-8);
  // far out, where the tail itself is no number any more: z = -60, by the first terms of its series
  const double far[] = {60, 1, 0, 1};
  EXPECT_NEAR(log_weight(law, far, 0), -1800 - std::log(60) - 0.5 * std::log(2 * M_PI) - 1. / 3600, 1e-6);
  Stream stream(5, Purpose::test);
  int low = 0;
  for (int k = 0; k < 20000; ++k) low += draw_response(law, c.arguments, stream) == -0.5;
  EXPECT_NEAR(low / 20000., density(-0.5), 0.013);
}

/// 20,000 draws in ten classes of equal probability or less; χ² above 33.7 has a probability of 1e-4.
TEST(TextLaws, DrawsFollowTheirDensities) {
  for (const LawCase& c : law_cases) {
    const TextLaw& law = law_named(c.law);
    const Density density(c);
    Stream stream(5, Purpose::test);
    constexpr int num = 20000;
    std::array<double, 10> seen{}, expected{};
    const bool counts = law.kind == ResponseKind::counts;
    const double high = std::string_view(c.law) == "lognormal" ? 3
                        : std::string_view(c.law) == "gamma"   ? 8
                        : std::string_view(c.law) == "normal"  ? 3
                        : c.low < -10                          ? 5
                                                               : c.high;
    const double low = c.low < -10 ? -2.2 : c.low;
    for (int k = 0; k < num; ++k) {
      const double r = draw_response(law, c.arguments, stream);
      const double at = counts ? r : 10 * (r - low) / (high - low);
      ++seen[static_cast<std::size_t>(std::clamp(std::floor(at), 0.0, 9.0))];
    }
    double rest = 1;
    for (int k = 0; k < 9; ++k) {
      const double a = low + (high - low) * k / 10, b = low + (high - low) * (k + 1) / 10;
      double p = counts ? density(k) : integral(density, a, b, 0);
      if (k == 0 && !counts && low > c.low) p += integral(density, c.low, low, 0);
      expected[static_cast<std::size_t>(k)] = num * p;
      rest -= p;
    }
    expected[9] = num * rest;
    double chi_square = 0;
    for (std::size_t k = 0; k < 10; ++k) chi_square += (seen[k] - expected[k]) * (seen[k] - expected[k]) / expected[k];
    EXPECT_LT(chi_square, 33.7) << c.law;
  }
}

TEST(TextLaws, ProbabilitiesOfChoicesSumToOne) {
  const std::pair<const char*, std::vector<double>> cases[] = {{"bernoulli", {.3}},
                                                               {"binomial", {6, .4}},
                                                               {"categorical", {1, 2, 5}},
                                                               {"logits", {700, -3, 2}},
                                                               {"ordinal", {.3, -1, .5, 2}}};
  for (const auto& [name, values] : cases) {
    equations::Graph graph;
    std::vector<Id> arguments;
    for (const double v : values) arguments.push_back(graph.constant(v));
    const TextLaw& law =
        *std::find_if(text_laws().begin(), text_laws().end(), [&](const TextLaw& one) { return one.name == name; });
    const std::size_t num = num_choices(graph, law, arguments, "r");
    const auto p = choice_probabilities(graph, law, arguments, num);
    ASSERT_EQ(p.size(), num);
    double total = 0;
    for (const Id id : p) {
      ASSERT_TRUE(graph.is_constant(id));
      EXPECT_GE(graph.at(id).value, 0);
      total += graph.at(id).value;
    }
    EXPECT_NEAR(total, 1, 1e-13) << name;
    if (std::string_view(name) == "ordinal") {  // Φ(0.2) - Φ(-1.3)
      EXPECT_NEAR(graph.at(p[1]).value, 0.5792597094391030 - 0.0968004845856103, 1e-14);
    }
    if (std::string_view(name) == "binomial") {
      EXPECT_NEAR(graph.at(p[2]).value, 15 * .16 * .1296, 1e-14);
    }
  }
}

struct Wrong {
  const char* response;
  const char* rate;
  const char* mu;
  const char* message;
};

const Wrong wrong[] = {
    {"r ~ poisson(rate * window)", "b + mu", "uniform(-1, 1) : deg",
     "model.rate: cannot add Hz and deg. In \"b + mu\", b is Hz and mu is deg (column 1)."},
    {"r ~ poisson(rate)", "b : Hz", "uniform(-1, 1) : deg",
     "model.response: \"rate\" is Hz where poisson takes a number without unit (column 13)."},
    {"r ~ poison(rate)", "b : Hz", "uniform(-1, 1) : deg",
     "model.response: must be one of mixture, censored, poisson, negative_binomial, bernoulli, binomial, categorical, logits, "
     "ordinal, "
     "normal, "
     "clipped_normal, lognormal, "
     "gamma, zero_inflated_gamma, beta, von_mises (got \"poison\"). Did you mean \"poisson\"?"},
    {"r ~ normal(rate, 1 Hz)", "b : Hz", "uniform(-1, 1) : deg",
     "model.response: \"rate\" is Hz where normal takes a number without unit (column 12). Say the unit of the response behind a "
     "colon."},
    {"r ~ poisson(rate * window)", "b : Hz", "uniform(1, -1) : deg",
     "model.parameters.mu: must be uniform(low, high) with low < high (got \"uniform(1, -1)\")."},
    {"r ~ poisson(rate * window)", "b : Hz", "unifrom(-1, 1) : deg",
     "model.parameters.mu: must be one of uniform, normal, lognormal, half_normal, exponential, gamma, beta, "
     "zero_inflated_gamma, clipped_normal, von_mises, circular, values, range, poisson, negative_binomial, binomial, bernoulli, "
     "categorical, logits, ordinal, truncated, mixture (got \"unifrom\"). Did you mean \"uniform\"?"},
    {"r ~ poisson(rate * window)", "b : Hz", "uniform(-1 deg, 1) : deg",
     "model.parameters.mu: \"-1 deg\" has a unit; arguments are numbers in the unit that stands behind the colon."},
    {"r ~ lognormal(rate * window, 1) : s", "b : Hz", "uniform(-1, 1) : deg",
     "model.response: must be without a unit behind lognormal (got \": s\"). Its arguments are numbers without unit, and so is the "
     "response: the number of s."},
    {"r ~ poisson(rate * window)", "b : Hz", "normal(1, 0) : deg",
     "model.parameters.mu: must be normal(mean, sd) with sd > 0 (got \"normal(1, 0)\"). What is known is values(1)."},
    {"r ~ poisson(rate * window)", "b : spikes/s", "uniform(-1, 1) : deg",
     "model.rate: must be a unit (got \"spikes\"). What is counted has no unit: Hz or 1 / s, 1 / deg, 1."},
    {"r ~ von_mises(x + mu, 2)", "b : Hz", "uniform(-1, 1) : deg",
     "model.response: \"x + mu\" is deg where von_mises takes a number without unit (column 15)."},
    {"r ~ censored(poisson(rate * window), 0)", "b : Hz", "uniform(-1, 1) : deg",
     "model.response: must be censored(law(…), low, high) (got \"censored(poisson(rate * window), 0)\")."},
    {"r ~ censored(von_mises(1, 2), 0, 1)", "b : Hz", "uniform(-1, 1) : deg",
     "model.response: must be censored(law(…), low, high) of counts or of a trace on a line (got \"von_mises\"). It has no two "
     "ends."},
    {"r ~ censored(normal(rate, 1 Hz), 0, 1 kHz) : Hz", "b : Hz", "uniform(-1, 1) : deg", nullptr},
    {"r ~ censored(normal(rate, 1 Hz), 0, 1 s) : Hz", "b : Hz", "uniform(-1, 1) : deg",
     "model.response: \"1 s\" is s where a limit is Hz (column 37)."},
    {"r ~ censored(normal(rate, 1 Hz), 0, 2 * b) : Hz", "b : Hz", "uniform(-1, 1) : deg",
     "model.response: must be limits made of numbers and of the stimulus (got \"2 * b\"). What is censored has to be known from "
     "the "
     "response."},
    {"r ~ mixture(1, censored(normal(1, 1), 0, 1), 1, normal(1, 1))", "b : Hz", "uniform(-1, 1) : deg",
     "model.response: must be a mixture of laws (got \"censored\"). What is censored is all of it: censored(mixture(…), low, "
     "high)."},
    {"poisson(rate)", "b : Hz", "uniform(-1, 1) : deg",
     "model.response: must be \"=\" (got \"(\" at column 8). In \"poisson(rate)\"."},
};

TEST(EncodingText, WrongTextsAreToldWhereAndWhy) {
  for (const Wrong& one : wrong) {
    try {
      EncodingText(table({{"x", "range(-1, 1, 1) : deg"}}),
                   model_table({{"response", one.response}, {"rate", one.rate}, {"window", "100 ms"}},
                               table({{"mu", one.mu}, {"b", "uniform(1, 2) : Hz"}})));
      EXPECT_EQ(one.message, nullptr) << "not refused";
    } catch (const SpecError& error) {
      EXPECT_STREQ(error.what(), one.message);
    }
  }
}

TEST(EncodingText, TablesByAnotherNameAreTold) {
  const auto message = [](const char* response, const char* parameters) -> std::string {
    Table model, priors;
    priors.set("a", "normal(0, 1)");
    model.set(response, "r ~ poisson(exp(a))");
    model.set(parameters, priors);
    try {
      EncodingText(table({{"x", "range(-1, 1, 1)"}}), model);
    } catch (const SpecError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(message("response", "parameters"), "");
  EXPECT_EQ(message("response", "paramaters"),
            "model.parameters: must be a table of names and priors (got nothing). Is \"paramaters\" meant to be it?");
  EXPECT_EQ(
      message("reponse", "parameters"),
      "model.response: must be given, for example \"r ~ poisson(rate * window)\" (got nothing). Is \"reponse\" meant to be it?");
}

TEST(EncodingText, ParametersThatNothingDependsOnAreKnown) {
  const EncodingText text(table({{"x", "range(-1, 1, 1)"}}),
                          model_table({{"response", "r ~ poisson(exp(a * x))"}, {"twice", "2 * c"}},
                                      table({{"a", "normal(0, 1)"}, {"b", "normal(0, 1)"}, {"c", "normal(0, 1)"}})));
  EXPECT_EQ(text.unused, (std::vector<std::string>{"b", "c"}));
}

TEST(EncodingText, ProbabilitiesOutsideTheirRangeAreRefusedWithThePlace) {
  const auto text = std::make_shared<const EncodingText>(
      table({{"x", "values(0, 1)"}}), model_table({{"response", "r ~ bernoulli(a + x)"}}, table({{"a", "values(0.25)"}})));
  const auto family = make_family(text, {3});
  const double x = 1, a = 0.25;
  double out[2];
  try {
    family->evaluate(&x, &a, out);
    ADD_FAILURE() << "not refused";
  } catch (const SpecError& error) {
    EXPECT_STREQ(error.what(), "model.response: must be a probability, 0 to 1 (got -0.25). At x = 1, a = 0.25.");
  }
}

}  // namespace
}  // namespace hartline::models
