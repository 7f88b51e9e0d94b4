// Whether choosing stimuli pays: against random ones and a random pool on a Gabor field, and against the large-sample limit.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "../proof/proof.hpp"
#include "loop/compare.hpp"
#include "loop/run.hpp"
#include "models/glm.hpp"

namespace hartline {
namespace {

using proof::sized;

struct Summary {
  double mean = 0, sd = 0, error = 0;  // error: standard error of the mean
};

Summary summarise(const std::vector<double>& values) {
  Summary s;
  const auto n = static_cast<double>(values.size());
  for (double x : values) s.mean += x / n;
  for (double x : values) s.sd += (x - s.mean) * (x - s.mean) / (n - 1);
  s.sd = std::sqrt(s.sd);
  s.error = s.sd / std::sqrt(n);
  return s;
}

std::vector<double> last_values(const loop::DesignResult& design, loop::Metric metric) {
  std::vector<double> out;
  for (const loop::Band& band : design.bands)
    if (band.metric == metric)
      for (const auto& by_count : band.by_seed) out.push_back(by_count.back());
  return out;
}

std::vector<double> differences(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> out;
  for (std::size_t i = 0; i < a.size(); ++i) out.push_back(a[i] - b[i]);
  return out;
}

/// Another program found after 640 trials, over 300 seeds: infomax error .487 (sd .051) and ½ log det -111.31 (1.80), random .643
/// (.054). The bounds lie four standard errors from these: at 100 seeds .507, -110.6 and .62 … .665, at 8 seeds wider by √(100/8).
/// An engine as good as that one misses any of the four with probability below 1.3e-4. This one is better: -115.6 (2.3) at .450
/// (.053).
TEST(Efficiency, InfomaxNeedsFewerTrialsThanRandomStimuliOnAGabor) {
  const std::int64_t num_seeds = sized(100, 8);
  const double wider = std::sqrt(100 / static_cast<double>(num_seeds));
  Table document = loop::read_document(HARTLINE_EXAMPLES "/gabor.toml", {"compare.at=[640]", "compare.num_held_out=0"});
  const Table compare =
      *io::parse_toml(
           fmt::format("[compare]\nnum_seeds = {}\nat = [640]\nnum_held_out = 0\n"
                       "[[compare.design]]\nname = \"infomax, ball\"\n"
                       "[[compare.design]]\nname = \"infomax, pool of 1000\"\nstimulus = {{ kind = \"random_pool\", num = 1000 }}\n"
                       "[[compare.design]]\nname = \"random on the sphere\"\ndesign = {{ kind = \"random\", law = \"sphere\" }}\n",
                       num_seeds),
           "proof")
           .find("compare")
           ->table();
  document.set("compare", compare);
  const auto executor = make_executor(0);
  const loop::Comparison result = loop::compare(document, "gabor.toml", HARTLINE_EXAMPLES, *executor);

  proof::Sheet sheet(fmt::format("Gabor, d = 64, k = 3, after 640 trials: mean ± standard error of {} paired seeds", num_seeds),
                     {"design", "relative error", "½ log det covariance, nats", "seeds in which the ball has the smaller error"});
  const auto ball = last_values(result.designs[0], loop::Metric::relative_error);
  for (const loop::DesignResult& design : result.designs) {
    const auto error = last_values(design, loop::Metric::relative_error);
    const Summary e = summarise(error), h = summarise(last_values(design, loop::Metric::half_logdet));
    const auto difference = differences(error, ball);
    const auto wins = std::count_if(difference.begin(), difference.end(), [](double x) { return x > 0; });
    sheet.row({design.name, fmt::format("{:.4f} ± {:.4f}", e.mean, e.error), fmt::format("{:.2f} ± {:.2f}", h.mean, h.error),
               &design == &result.designs[0] ? "" : fmt::format("{} of {}", wins, num_seeds)});
  }
  const auto mean = [&](std::size_t design, loop::Metric metric) {
    return summarise(last_values(result.designs[design], metric)).mean;
  };
  EXPECT_LE(mean(0, loop::Metric::relative_error), .487 + .020 * wider);
  EXPECT_LE(mean(0, loop::Metric::half_logdet), -111.31 + .71 * wider);
  EXPECT_GE(mean(2, loop::Metric::relative_error), .6425 - .0225 * wider);
  EXPECT_LE(mean(2, loop::Metric::relative_error), .6425 + .0225 * wider);
  // the search of the whole ball beats a fixed pool in what both maximise: the lead is 18 nats, its sd 2.3; zero lies seven sd away
  const auto leads = differences(last_values(result.designs[1], loop::Metric::half_logdet),
                                 last_values(result.designs[0], loop::Metric::half_logdet));
  EXPECT_GT(*std::min_element(leads.begin(), leads.end()), 0);
}

// --- the large-sample limit -----------------------------------------------------------------------------------------------

/// ½ log det of the information of num_trials trials and the prior, where one trial adds `parallel` along θ and `across` shared by
/// the d - 1 other directions.
double half_log_det(double d, double parallel, double across, double num_trials, double prior) {
  return 0.5 * (std::log(num_trials * parallel + prior) + (d - 1) * std::log(num_trials * across / (d - 1) + prior));
}

/// Gap between the best and random stimuli for θ of length k under a Poisson response to exp(θ·x), |x| = 1: the best all have the
/// cosine α with θ that solves d k + 2/α = 2 (d - 1) α / (1 - α²). tests/reference/laplace_glm.py derives the same numbers.
double theoretical_gap(double d, double k, double num_trials, bool with_prior) {
  double low = 1e-9, high = 1 - 1e-12;
  for (int i = 0; i < 200; ++i) {
    const double a = (low + high) / 2;
    (d * k + 2 / a > 2 * (d - 1) * a / (1 - a * a) ? low : high) = a;
  }
  double weight = 0, parallel = 0, across = 0;
  constexpr int num_nodes = 100000;
  for (int i = 1; i < num_nodes; ++i) {
    const double angle = std::numbers::pi * i / num_nodes, c = std::cos(angle), w = std::pow(std::sin(angle), d - 2);
    weight += w;
    parallel += w * std::exp(k * c) * c * c;
    across += w * std::exp(k * c) * (1 - c * c);
  }
  const double prior = with_prior ? d / (k * k) : 0, rate = std::exp(k * low);
  return half_log_det(d, rate * low * low, rate * (1 - low * low), num_trials, prior) -
         half_log_det(d, parallel / weight, across / weight, num_trials, prior);
}

double half_logdet_after(int k, const char* design, std::int64_t num_trials, std::uint64_t seed) {
  constexpr std::size_t d = 16;
  std::vector<double> theta(d);
  Stream(seed, Purpose::test).fill_sphere(theta, k);
  std::string values;
  for (double x : theta) values += fmt::format("{}{}", values.empty() ? "" : ", ", x);
  const auto executor = make_serial_executor();
  const auto experiment = proof::build(
      fmt::format(
          "format = 1\nseed = 1\nnum_trials = {}\n[subject]\ntruth = \"values\"\nvalues = [{}]\n[stimulus]\nkind = \"ball\"\n"
          "shape = [16]\n[model]\nkind = \"glm\"\n[belief]\nprior_sd = {}\nrefine_at_end = false\n[design]\nkind = \"{}\"\n",
          num_trials, values, k / 4.0, design),
      seed, *executor);
  const auto record = loop::make_null_record();
  const SteadyClock clock;
  loop::Run run(*experiment, *record, clock);
  run.go();
  return dynamic_cast<const models::GaussianBelief&>(run.learner().belief()).half_logdet;
}

TEST(Efficiency, TheGapToRandomStimuliApproachesItsLimit) {
  // The limit was found beforehand by tests/reference/laplace_glm.py.
  EXPECT_NEAR(theoretical_gap(16, 1, 20000, true), 2.745, 1e-3);
  EXPECT_NEAR(theoretical_gap(16, 2, 20000, true), 6.730, 1e-3);
  EXPECT_NEAR(theoretical_gap(16, 3, 20000, true), 11.202, 1e-3);
  EXPECT_NEAR(theoretical_gap(16, 4, 20000, true), 15.793, 1e-3);

  const std::int64_t num_trials = sized(20000, 4000);
  const std::vector<int> gains = proof::is_full() ? std::vector<int>{1, 2, 3, 4} : std::vector<int>{2, 3};
  // found: -0.5 to -1.7 %, at 4,000 trials -1.4 %; the first trials, in which θ is not known yet, cost a part of the gap
  // one seed scatters by .06 nats at k = 1, a fiftieth of the gap: the mean of eight is five standard errors inside the bound
  const double share = .05;
  const int num_seeds = sized(8, 2);
  proof::Sheet sheet(
      fmt::format("Infomax against random stimuli in the long run: d = 16, {} trials, mean of {} seeds", num_trials, num_seeds),
      {"k", "gap in ½ log det, nats", "theory", "theory without prior", "difference", "trials saved, factor", "theory"});
  std::vector<double> gap_of(gains.size() * static_cast<std::size_t>(num_seeds));
  const auto executor = make_executor(0);
  executor->for_each_block(static_cast<int>(gap_of.size()), [&](int run) {
    const int k = gains[static_cast<std::size_t>(run / num_seeds)];
    const auto seed = static_cast<std::uint64_t>(1 + run % num_seeds);
    gap_of[static_cast<std::size_t>(run)] =
        half_logdet_after(k, "random", num_trials, seed) - half_logdet_after(k, "infomax", num_trials, seed);
  });
  for (std::size_t i = 0; i < gains.size(); ++i) {
    double gap = 0;
    for (int s = 0; s < num_seeds; ++s)
      gap += gap_of[i * static_cast<std::size_t>(num_seeds) + static_cast<std::size_t>(s)] / num_seeds;
    const double theory = theoretical_gap(16, gains[i], static_cast<double>(num_trials), true);
    const double limit = theoretical_gap(16, gains[i], 1, false);
    sheet.row({fmt::format("{}", gains[i]), fmt::format("{:.3f}", gap), fmt::format("{:.3f}", theory), fmt::format("{:.3f}", limit),
               fmt::format("{:+.1f} %", 100 * (gap / theory - 1)), fmt::format("{:.2f}", std::exp(gap / 8)),
               fmt::format("{:.2f}", std::exp(limit / 8))});
    EXPECT_NEAR(gap, theory, share * theory) << "k = " << gains[i];
  }
}

}  // namespace
}  // namespace hartline
