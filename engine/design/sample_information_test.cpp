#include "design/sample_information.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.hpp"
#include "base/random.hpp"
#include "base/threads.hpp"
#include "models/text_model.hpp"

namespace hartline::design {
namespace {

using models::TextLaw;

const TextLaw& law_named(std::string_view name) {
  for (const TextLaw& law : models::text_laws())  // of binomials the counts
    if (law.name == name && law.form != models::LawForm::binomial) return law;
  throw InternalError("no such law");
}

SampleInformation information_of(const TextLaw& law, std::size_t num_arguments) {
  const models::LawPart part{&law, 0, num_arguments};
  return SampleInformation({&part, 1});
}

struct Samples {
  std::vector<double> weights, arguments;
  std::size_t num = 0;
};

/// Some samples with weights of their own; row k of the arguments by draw(k, stream).
template <class Draw>
Samples drawn(std::size_t num, std::size_t num_arguments, std::uint64_t seed, Draw&& draw) {
  Samples out{{}, std::vector<double>(num * num_arguments), num};
  double total = 0;
  for (std::size_t i = 0; i < num; ++i) {
    Stream stream(seed, Purpose::test, i);
    total += out.weights.emplace_back(0.2 + stream.uniform());
    for (std::size_t k = 0; k < num_arguments; ++k) out.arguments[k * num + i] = draw(k, stream);
  }
  for (double& w : out.weights) w /= total;
  return out;
}

/// ∫ Σ_i w_i p(r | i) log (p(r | i) / p(r)), over counts or by the midpoint rule from low to high.
double by_quadrature(const TextLaw& law, const Samples& s, std::size_t num_arguments, double low, double high, double step) {
  double total = 0;
  std::vector<double> log_p(s.num), a(num_arguments);
  for (double r = low; r < high; r += step) {
    double mixed = 0;
    for (std::size_t i = 0; i < s.num; ++i) {
      for (std::size_t k = 0; k < num_arguments; ++k) a[k] = s.arguments[k * s.num + i];
      log_p[i] = models::log_weight(law, a, r) - models::log_norm(law, a);
      mixed += s.weights[i] * std::exp(log_p[i]);
    }
    for (std::size_t i = 0; i < s.num && mixed > 0; ++i) {
      const double p = std::exp(log_p[i]);
      if (p > 0) total += step * s.weights[i] * p * (log_p[i] - std::log(mixed));
    }
  }
  return total;
}

struct Case {
  const char* law;
  Samples samples;
  double low, high, step, tolerance;
};

std::vector<Case> cases() {
  const auto normal = [](double mean, double sd_of_mean, double sd, double ratio) {
    return drawn(60, 2, 1, [=](std::size_t k, Stream& stream) {
      return k == 0 ? mean + sd_of_mean * stream.normal() : sd * std::pow(ratio, stream.uniform());
    });
  };
  const auto hits = [](double n, double low, double high) {
    return drawn(60, 2, 4, [=](std::size_t k, Stream& stream) { return k == 0 ? n : low + (high - low) * stream.uniform(); });
  };
  const auto counts = [](double low, double high) {
    return drawn(60, 1, 2, [=](std::size_t, Stream& stream) { return low * std::pow(high / low, stream.uniform()); });
  };
  return {{"normal", normal(0, 1, 0.5, 1), -8, 8, 0.005, 1e-4},
          {"normal", normal(3, 0.02, 0.5, 1), -2, 8, 0.005, 1e-4},
          {"normal", normal(0, 20, 0.5, 1), -90, 90, 0.01, 1e-4},
          {"normal", normal(0, 1, 0.3, 3), -12, 12, 0.002, 3e-3},
          {"normal", normal(0, 0.01, 0.3, 1.2), -6, 6, 0.002, 3e-3},
          {"poisson", counts(0.01, 0.02), 0, 30, 1, 1e-4},
          {"poisson", counts(0.5, 12), 0, 80, 1, 1e-4},
          {"poisson", counts(0.01, 60), 0, 160, 1, 1e-4},
          {"poisson", counts(80, 110), 0, 260, 1, 1e-4},
          {"poisson", counts(2040, 2056), 1500, 2600, 1, 1e-4},
          {"poisson", counts(0.5, 30000), 0, 33000, 1, 1e-4},
          {"poisson", counts(29000, 30000), 27000, 33000, 1, 1e-4},
          {"binomial", hits(7, 0.02, 0.98), 0, 8, 1, 1e-4},
          {"binomial", hits(300, 0.0, 0.01), 0, 301, 1, 1e-4},
          {"binomial", hits(300, 0.3, 0.999), 0, 301, 1, 1e-4},
          {"normal", normal(0, 4, 0.02, 300), -50, 50, 0.005, 1e-4},
          {"normal", normal(0, 3000, 0.5, 1), -10000, 10000, 0.1, 1e-4}};
}

TEST(SampleInformation, EqualsQuadrature) {
  for (const Case& c : cases()) {
    const TextLaw& law = law_named(c.law);
    const std::size_t num_arguments = c.samples.arguments.size() / c.samples.num;
    SampleInformation::Scratch scratch;
    const double found =
        information_of(law, num_arguments)(c.samples.weights, c.samples.arguments.data(), c.samples.num, scratch, nullptr);
    const double exact = by_quadrature(law, c.samples, num_arguments, c.low, c.high, c.step);
    EXPECT_NEAR(found, exact, c.tolerance * std::max(0.1, exact)) << c.law << " " << exact;
  }
  // rates of .01 to .02 tell 1e-4 nats: they are not lost in the error
  const Case few = cases()[5];
  SampleInformation::Scratch scratch;
  const double exact = by_quadrature(law_named("poisson"), few.samples, 1, 0, 30, 1);
  EXPECT_NEAR(
      information_of(law_named("poisson"), 1)(few.samples.weights, few.samples.arguments.data(), few.samples.num, scratch, nullptr),
      exact, 1e-9);
}

/// Negative binomials and mixtures, narrow and wide, of one dispersion and of many.
TEST(SampleInformation, OfMixturesEqualsQuadrature) {
  const TextLaw &poisson = law_named("poisson"), &negative = law_named("negative_binomial"), &normal = law_named("normal");
  const TextLaw burst = models::make_mixture({{&poisson, 1, 1}, {&negative, 3, 2}}, "");
  const TextLaw lapse = models::make_mixture({{&normal, 1, 2}, {&normal, 4, 2}, {&normal, 7, 2}}, "");
  const auto counts = [](double low, double high, double dispersion, double ratio) {
    return drawn(60, 2, 21, [=](std::size_t k, Stream& stream) {
      return k == 0 ? low * std::pow(high / low, stream.uniform()) : dispersion * std::pow(ratio, stream.uniform());
    });
  };
  const auto bursts = [](double high) {
    return drawn(60, 5, 22, [=](std::size_t k, Stream& stream) {
      return k % 2 == 0 && k < 4 ? 0.2 + stream.uniform() : k == 1 ? 5 * stream.uniform() : k == 3 ? high * stream.uniform() : 0.3;
    });
  };
  const auto lapses = [](double sd, double ratio) {
    return drawn(60, 9, 23, [=](std::size_t k, Stream& stream) {
      return k % 3 == 0 ? 0.1 + stream.uniform() : k % 3 == 1 ? 2 * stream.normal() : sd * std::pow(ratio, stream.uniform());
    });
  };
  const struct {
    const TextLaw& law;
    Samples samples;
    double low, high, step;
  } all[] = {{negative, counts(0.1, 3, 0.2, 1), 0, 120, 1},
             {negative, counts(0.1, 60, 0.3, 1), 0, 3000, 1},
             {negative, counts(0.1, 60, 0.05, 20), 0, 5000, 1},
             {negative, counts(200, 400, 1e-6, 1), 0, 800, 1},
             {negative, counts(200, 400, 1e-12, 1e9), 0, 800, 1},
             {negative, counts(1, 600, 1, 1), 0, 30000, 1},
             {negative, counts(1, 60, 8, 1), 0, 30000, 1},
             {burst, bursts(4), 0, 400, 1},
             {burst, bursts(400), 0, 20000, 1},
             {lapse, lapses(0.5, 1), -15, 15, 0.01},
             {lapse, lapses(0.02, 100), -25, 25, 0.002}};
  for (const auto& c : all) {
    const std::size_t num_arguments = c.samples.arguments.size() / c.samples.num;
    SampleInformation::Scratch scratch;
    const double found =
        information_of(c.law, num_arguments)(c.samples.weights, c.samples.arguments.data(), c.samples.num, scratch, nullptr);
    const double exact = by_quadrature(c.law, c.samples, num_arguments, c.low, c.high, c.step);
    EXPECT_NEAR(found, exact, 1e-4 * std::max(0.1, exact)) << c.law.name << " to " << c.high;
    EXPECT_EQ(scratch.standard_error, 0);
  }
}

TEST(SampleInformation, OfChoicesIsTheSum) {
  const Samples s = drawn(40, 3, 3, [](std::size_t, Stream& stream) { return stream.uniform(); });
  Samples p = s;
  for (std::size_t i = 0; i < p.num; ++i) {
    const double total = p.arguments[i] + p.arguments[40 + i] + p.arguments[80 + i];
    for (std::size_t k = 0; k < 3; ++k) p.arguments[k * 40 + i] /= total;
  }
  p.arguments[0] = 0;  // a choice that is impossible for one
  p.arguments[40] = 1 - p.arguments[80];
  SampleInformation::Scratch scratch;
  const TextLaw& law = law_named("categorical");
  double exact = 0;
  for (std::size_t k = 0; k < 3; ++k) {
    double mixed = 0;
    for (std::size_t i = 0; i < p.num; ++i) mixed += p.weights[i] * p.arguments[k * 40 + i];
    for (std::size_t i = 0; i < p.num; ++i)
      if (const double q = p.arguments[k * 40 + i]; q > 0) exact += p.weights[i] * q * std::log(q / mixed);
  }
  EXPECT_NEAR(information_of(law, 3)(p.weights, p.arguments.data(), 40, scratch, nullptr), exact, 1e-12);
}

/// Slopes are finite differences of the information itself.
TEST(SampleInformation, SlopesAreDifferences) {
  for (const Case& c : cases()) {
    const TextLaw& law = law_named(c.law);
    if (!information_of(law, 2).has_slopes()) continue;
    Samples s = c.samples;
    const std::size_t num_arguments = s.arguments.size() / s.num;
    const SampleInformation information = information_of(law, num_arguments);
    SampleInformation::Scratch scratch;
    std::vector<double> slopes(s.arguments.size());
    information(s.weights, s.arguments.data(), s.num, scratch, slopes.data());
    for (std::size_t k = 0; k < num_arguments; ++k) {
      if (k == 1 && std::string_view(c.law) == "normal") {
        const double first = s.arguments[s.num];
        bool same = true;
        for (std::size_t i = 0; i < s.num; ++i) same = same && s.arguments[s.num + i] == first;
        if (same) continue;  // moving one would give it a width of its own
      }
      for (const std::size_t i : {std::size_t{3}, std::size_t{17}, std::size_t{44}}) {
        const double at = s.arguments[k * s.num + i], h = 1e-3 * std::max(std::abs(at), 0.01);
        double ends[2];
        for (const int side : {0, 1}) {
          s.arguments[k * s.num + i] = at + (side ? h : -h);
          ends[side] = information(s.weights, s.arguments.data(), s.num, scratch, nullptr);
        }
        s.arguments[k * s.num + i] = at;
        const double difference = (ends[1] - ends[0]) / (2 * h);
        EXPECT_NEAR(slopes[k * s.num + i], difference, 0.02 * std::abs(difference) + 2e-4 * s.weights[i])
            << c.law << " " << k << " " << i;
      }
    }
  }
}

/// Laws without a rule of their own: within four stated errors of quadrature.
TEST(SampleInformation, NestedErrorsAreAsStated) {
  const Samples shapes =
      drawn(200, 2, 5, [](std::size_t k, Stream& stream) { return k == 0 ? 1 + 6 * stream.uniform() : 0.5 + stream.uniform(); });
  const Samples angles = drawn(200, 2, 6, [](std::size_t k, Stream& stream) { return k == 0 ? stream.normal() : 3.0; });
  const struct {
    const char* law;
    const Samples& samples;
    double low, high, step;
  } all[] = {{"gamma", shapes, 0.0025, 60, 0.005}, {"von_mises", angles, -M_PI, M_PI, 0.005}};
  for (const auto& c : all) {
    const TextLaw& law = law_named(c.law);
    SampleInformation::Scratch scratch;
    const double found = information_of(law, 2)(c.samples.weights, c.samples.arguments.data(), c.samples.num, scratch, nullptr);
    EXPECT_GT(scratch.standard_error, 0);
    EXPECT_LT(scratch.standard_error, 0.1);
    EXPECT_NEAR(found, by_quadrature(law, c.samples, 2, c.low, c.high, c.step), 4 * scratch.standard_error) << c.law;
  }
}

/// Means and noise over many sizes, as of constant elasticity of substitution: atoms at the ends and a density between.
/// Several responses: choices by enumeration, a choice and a number against a sum over both.
TEST(SampleInformation, OfSeveralResponsesIsThatOfAllTogether) {
  const TextLaw &choice = law_named("categorical"), &normal = law_named("normal");
  const Samples s = drawn(200, 7, 9, [](std::size_t k, Stream& stream) {
    return k == 5 ? 2 * stream.normal() : k == 6 ? 0.5 + stream.uniform() : 0.1 + stream.uniform();
  });
  Samples p = s;  // two choices of two and three, then a normal law
  for (std::size_t i = 0; i < p.num; ++i)
    for (const auto& [first, num] : {std::pair<std::size_t, std::size_t>{0, 2}, {2, 3}}) {
      double total = 0;
      for (std::size_t k = first; k < first + num; ++k) total += p.arguments[k * p.num + i];
      for (std::size_t k = first; k < first + num; ++k) p.arguments[k * p.num + i] /= total;
    }
  const auto at = [&](std::size_t k, std::size_t i) { return p.arguments[k * p.num + i]; };
  SampleInformation::Scratch scratch;
  double exact = 0;
  for (std::size_t a = 0; a < 2; ++a)
    for (std::size_t b = 2; b < 5; ++b) {
      double mixed = 0;
      for (std::size_t i = 0; i < p.num; ++i) mixed += p.weights[i] * at(a, i) * at(b, i);
      for (std::size_t i = 0; i < p.num; ++i) exact += p.weights[i] * at(a, i) * at(b, i) * std::log(at(a, i) * at(b, i) / mixed);
    }
  const models::LawPart choices[] = {{&choice, 0, 2}, {&choice, 2, 3}};
  EXPECT_NEAR(SampleInformation(choices)(p.weights, p.arguments.data(), p.num, scratch, nullptr), exact, 1e-12);
  EXPECT_EQ(scratch.standard_error, 0);

  exact = 0;
  for (std::size_t b = 2; b < 5; ++b)
    for (double r = -20; r < 20; r += 0.01) {
      std::vector<double> log_p(p.num);
      double mixed = 0;
      for (std::size_t i = 0; i < p.num; ++i) {
        const double a[] = {at(5, i), at(6, i)};
        log_p[i] = std::log(at(b, i)) + models::log_weight(normal, a, r) - models::log_norm(normal, a);
        mixed += p.weights[i] * std::exp(log_p[i]);
      }
      for (std::size_t i = 0; i < p.num; ++i)
        if (mixed > 1e-300) exact += 0.01 * p.weights[i] * std::exp(log_p[i]) * (log_p[i] - std::log(mixed));
    }
  const models::LawPart both[] = {{&choice, 0, 3}, {&normal, 3, 2}};
  const double found = SampleInformation(both)(p.weights, &p.arguments[2 * p.num], p.num, scratch, nullptr);
  EXPECT_NEAR(found, exact, 4 * scratch.standard_error);
  EXPECT_LT(scratch.standard_error, 0.1 * exact);
}

/// Responses that tell more than a few samples can say are compared by more, and the limit is told.
TEST(SampleInformation, NestedSaysItsLimit) {
  const TextLaw& normal = law_named("normal");
  const models::LawPart both[] = {{&normal, 0, 2}, {&normal, 2, 2}};
  for (const double sd : {1e-3, 3.0}) {
    const Samples s = drawn(1024, 4, 31, [=](std::size_t k, Stream& stream) { return k % 2 ? sd : stream.normal(); });
    SampleInformation::Scratch scratch;
    const double found = SampleInformation(both)(s.weights, s.arguments.data(), s.num, scratch, nullptr);
    const bool few = sd > 1;
    EXPECT_DOUBLE_EQ(scratch.limit, std::log(few ? 256. : 1024.));
    EXPECT_LE(found, scratch.limit);
    EXPECT_GT(found, few ? 0.1 : std::log(256.) + 0.5);
  }
  SampleInformation::Scratch scratch;
  const double weights[] = {0.5, 0.5}, rates[] = {1, 2};
  information_of(law_named("poisson"), 1)(weights, rates, 2, scratch, nullptr);
  EXPECT_EQ(scratch.limit, INFINITY);
}

/// Falls of variances are those of the posterior means under every response.
TEST(SampleInformation, FallOfVariances) {
  const TextLaw &choice = law_named("categorical"), &normal = law_named("normal");
  for (const bool chosen : {true, false}) {
    const std::size_t num_arguments = chosen ? 3 : 2;
    Samples s = drawn(60, num_arguments, 11, [&](std::size_t k, Stream& stream) {
      return chosen ? stream.uniform() : k == 0 ? 2 * stream.normal() : 0.5 + stream.uniform();
    });
    for (std::size_t i = 0; i < s.num && chosen; ++i) {
      const double total = s.arguments[i] + s.arguments[s.num + i] + s.arguments[2 * s.num + i];
      for (std::size_t k = 0; k < 3; ++k) s.arguments[k * s.num + i] /= total;
    }
    std::vector<double> features(2 * s.num);
    for (std::size_t i = 0; i < s.num; ++i) {
      features[i] = 3 + s.arguments[i];
      features[s.num + i] = s.arguments[s.num + i] * s.arguments[i];
    }
    double means[2] = {}, exact = 0;
    for (std::size_t i = 0; i < 2 * s.num; ++i) means[i / s.num] += s.weights[i % s.num] * features[i];
    const auto add = [&](double width, const auto& p) {
      double mixed = 0, sums[2] = {};
      for (std::size_t i = 0; i < s.num; ++i) {
        const double q = s.weights[i] * p(i);
        mixed += q;
        for (std::size_t k = 0; k < 2; ++k) sums[k] += q * features[k * s.num + i];
      }
      for (std::size_t k = 0; k < 2 && mixed > 1e-200; ++k) exact += width * mixed * std::pow(sums[k] / mixed - means[k], 2);
    };
    if (chosen)
      for (std::size_t y = 0; y < 3; ++y) add(1, [&](std::size_t i) { return s.arguments[y * s.num + i]; });
    for (double r = -15; r < 15 && !chosen; r += 0.01)
      add(0.01, [&](std::size_t i) {
        const double a[] = {s.arguments[i], s.arguments[s.num + i]};
        return std::exp(models::log_weight(normal, a, r) - models::log_norm(normal, a));
      });
    SampleInformation::Scratch scratch;
    const double found = information_of(chosen ? choice : normal, num_arguments)
                             .expected_fall(s.weights, s.arguments.data(), features.data(), 2, s.num, scratch);
    EXPECT_NEAR(found, exact, chosen ? 1e-13 : 4 * scratch.standard_error);
    EXPECT_EQ(scratch.standard_error == 0, chosen);
    EXPECT_LT(scratch.standard_error, 0.15 * exact);
  }
}

TEST(SampleInformation, OfClippedNormalsIsWithinItsError) {
  for (const double width : {0.3, 5.0, 40.0}) {
    const Samples s = drawn(400, 4, 8, [=](std::size_t k, Stream& stream) {
      return k == 0 ? width * stream.normal() : k == 1 ? std::exp(stream.normal() - 0.5) : k == 2 ? -4 : 4;
    });
    const TextLaw& law = law_named("clipped_normal");
    SampleInformation::Scratch scratch;
    const double found = information_of(law, 4)(s.weights, s.arguments.data(), s.num, scratch, nullptr);
    double exact = by_quadrature(law, s, 4, -4 + 0.0005, 4, 0.001);
    for (const double end : {-4., 4.}) {  // the ends by themselves
      double mixed = 0, mean = 0;
      for (std::size_t i = 0; i < s.num; ++i) {
        const double a[] = {s.arguments[i], s.arguments[s.num + i], -4, 4}, p = std::exp(models::log_weight(law, a, end));
        mixed += s.weights[i] * p;
        mean += p > 0 ? s.weights[i] * p * std::log(p) : 0;
      }
      exact += mean - mixed * std::log(mixed);
    }
    EXPECT_NEAR(found, exact, 4 * scratch.standard_error + 0.01) << width;
  }
}

TEST(SampleInformation, RefusesWhatIsNoLaw) {
  SampleInformation::Scratch scratch;
  const double weights[] = {0.5, 0.5}, rates[] = {1, -1}, normals[] = {0, 1, 0.5, 0};
  EXPECT_THROW(information_of(law_named("poisson"), 1)(weights, rates, 2, scratch, nullptr), RunError);
  const double negative[] = {0.5, 1.2, 0.5, -0.2}, none[] = {0.5, NAN, 0.5, NAN};
  const TextLaw& choice = law_named("categorical");
  EXPECT_THROW(information_of(choice, 2)(weights, negative, 2, scratch, nullptr), RunError);
  EXPECT_THROW(information_of(choice, 2)(weights, none, 2, scratch, nullptr), RunError);
  EXPECT_THROW(information_of(law_named("normal"), 2)(weights, normals, 2, scratch, nullptr), RunError);
}

/// However far apart or narrow: laws that never overlap tell which of them it is.
TEST(SampleInformation, NoSpreadIsTooWide) {
  SampleInformation::Scratch scratch;
  const double weights[] = {0.5, 0.5}, rates[] = {0, 1e14}, far[] = {0, 1e9, 0.5, 0.5}, narrow[] = {0, 1, 1e-12, 3};
  EXPECT_NEAR(information_of(law_named("poisson"), 1)(weights, rates, 2, scratch, nullptr), std::log(2), 1e-9);
  EXPECT_NEAR(information_of(law_named("normal"), 2)(weights, far, 2, scratch, nullptr), std::log(2), 1e-9);
  EXPECT_NEAR(information_of(law_named("normal"), 2)(weights, narrow, 2, scratch, nullptr), std::log(2), 1e-9);
}

}  // namespace
}  // namespace hartline::design
