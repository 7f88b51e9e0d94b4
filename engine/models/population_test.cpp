#include "models/population.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <Eigen/Cholesky>
#include <Eigen/LU>
#include <cmath>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "models/test_refit.hpp"
#include "numerics/quadrature.hpp"

namespace hartline::models {
namespace {

const PopulationBelief& of(const Belief& belief) { return dynamic_cast<const PopulationBelief&>(belief); }

Response counts_of(std::size_t num_cells, std::size_t num_bins = 1) {
  const std::size_t num = num_cells * num_bins;
  return {ResponseKind::counts,          static_cast<std::int64_t>(num_cells),   static_cast<std::int64_t>(num_bins),
          std::vector<double>(num, 0.0), std::vector<Mark>(num, Mark::observed), ""};
}

/// Bits of everything that a belief says of its cells.
std::vector<double> bits_of(const PopulationBelief& belief) {
  std::vector<double> out;
  for (const GaussianBelief& cell : belief.cells) {
    out.insert(out.end(), cell.mean.begin(), cell.mean.end());
    out.insert(out.end(), cell.covariance.begin(), cell.covariance.end());
    out.push_back(std::isnan(cell.half_logdet) ? 0 : cell.half_logdet);
  }
  return out;
}

struct Simulated {
  std::vector<double> truth;  // [num_cells, weights]
  std::vector<double> stimuli;
  std::vector<Response> responses;
};

/// Responses to normal stimuli, weights N(0, sd²), each mark drawn with `p_lost` of missing ones.
Simulated simulate(const Population& population, std::size_t num_trials, double sd, double p_lost, std::uint64_t seed) {
  Simulated out;
  out.truth.resize(population.num_parameters);
  Stream(seed, Purpose::truth).fill_normal(out.truth);
  for (double& w : out.truth) w *= sd;
  out.stimuli.resize(num_trials * population.stimulus_dim);
  Stream(seed, Purpose::pool).fill_normal(out.stimuli);
  Context context = population.start();
  for (std::size_t t = 0; t < num_trials; ++t) {
    Response r = counts_of(population.num_cells, population.num_bins);
    Stream stream(seed, Purpose::response, t);
    population.sample(out.truth, {&out.stimuli[t * population.stimulus_dim], population.stimulus_dim}, context, stream, r.values);
    for (Mark& mark : r.marks)
      if (stream.uniform() < p_lost) mark = Mark::missing;
    out.responses.push_back(r);
  }
  return out;
}

std::unique_ptr<Belief> learn(const Population& population, const Simulated& data) {
  auto belief = population.prior();
  for (std::size_t t = 0; t < data.responses.size(); ++t)
    population.update(*belief, {&data.stimuli[t * population.stimulus_dim], population.stimulus_dim}, data.responses[t], 1);
  return belief;
}

TEST(Population, EqualsIndependentUpdatesBitForBit) {
  const auto executor = make_executor(2);
  GlmSpec spec;
  spec.bias = true;
  spec.num_lags = 2;
  spec.num_history = 2;
  const GaussianBeliefSpec belief_spec{.prior_sd = 0.4, .drift_per_s = 1e-4};
  const Sequence sequence{.num_frames = 3};
  const Population population(spec, belief_spec, {.num_cells = 19}, 4, sequence, *executor);
  const Glm one(spec, belief_spec, 4, sequence);
  const Simulated data = simulate(population, 60, 0.05, 0.2, 1);
  const auto together = learn(population, data);
  double log_evidence = 0;
  for (std::size_t t = 0; t < 60; ++t) {
    auto belief = population.prior();
    if (t == 0) log_evidence = population.update(*belief, {data.stimuli.data(), 12}, data.responses[0], 1).log_evidence;
  }
  for (std::size_t c = 0; c < 19; ++c) {
    auto belief = one.prior();
    for (std::size_t t = 0; t < 60; ++t) {
      const Response& all = data.responses[t];
      const auto own = [&](const auto& list) {
        return std::vector(list.begin() + static_cast<std::ptrdiff_t>(c * 3),
                           list.begin() + static_cast<std::ptrdiff_t>(c * 3 + 3));
      };
      const Update update =
          one.update(*belief, {&data.stimuli[t * 12], 12}, {all.kind, 1, 3, own(all.values), own(all.marks), ""}, 1);
      if (t == 0) log_evidence -= update.log_evidence;
    }
    const auto& alone = dynamic_cast<const GaussianBelief&>(*belief);
    EXPECT_EQ(alone.mean, of(*together).cells[c].mean);
    EXPECT_EQ(alone.covariance, of(*together).cells[c].covariance);
  }
  EXPECT_NEAR(log_evidence, 0, 1e-9);
}

TEST(Population, StepsTellHowMeansAndCovariancesChanged) {
  const auto executor = make_serial_executor();
  for (const double drift : {0.0, 1e-3})
    for (const double gain_sd : {0.0, 0.4}) {
      const Population population({.bias = true}, {.prior_sd = 0.4, .drift_per_s = drift, .bias_drift_per_s = drift},
                                  {.num_cells = 3, .shared_gain_sd = gain_sd}, 4, {}, *executor);
      Simulated data = simulate(population, 30, 0.3, 0.2, 3);
      for (std::size_t t = 0; t < 30; t += 3)
        if (data.responses[t].marks[0] == Mark::observed) data.responses[t].marks[0] = Mark::censored;
      auto belief = population.prior();
      for (std::size_t t = 0; t < data.responses.size(); ++t) {
        const auto before = belief->fork();
        population.update(*belief, {&data.stimuli[t * 4], 4}, data.responses[t], 1);
        for (std::size_t c = 0; c < 3; ++c) {
          const GaussianBelief& now = of(*belief).cells[c];
          ASSERT_TRUE(now.exact);
          Eigen::VectorXd mean = Eigen::Map<const Eigen::VectorXd>(of(*before).cells[c].mean.data(), 5);
          Eigen::MatrixXd covariance = Eigen::Map<const Eigen::MatrixXd>(of(*before).cells[c].covariance.data(), 5, 5);
          for (const RankOneChange& step : now.steps) {
            const Eigen::Map<const Eigen::VectorXd> g(step.g, 5);
            covariance.diagonal().head(4).array() += step.inflation;
            covariance(4, 4) += step.bias_inflation;
            covariance -= step.shrink * g * g.transpose();
            mean += step.mean_step * g;
          }
          EXPECT_LT((mean - Eigen::Map<const Eigen::VectorXd>(now.mean.data(), 5)).cwiseAbs().maxCoeff(), 1e-14);
          EXPECT_LT((covariance - Eigen::Map<const Eigen::MatrixXd>(now.covariance.data(), 5, 5)).cwiseAbs().maxCoeff(), 1e-14);
        }
      }
    }
}

TEST(Population, AnyNumberOfThreadsGivesTheSameBits) {
  for (const double gain_sd : {0.0, 0.3}) {
    std::vector<double> first;
    for (const int threads : {1, 2, 8}) {
      const auto executor = make_executor(threads);
      const Population population({.bias = true}, {.prior_sd = 0.4}, {.num_cells = 50, .shared_gain_sd = gain_sd}, 5, {},
                                  *executor);
      const auto belief = learn(population, simulate(population, 40, 0.3, 0.1, 2));
      if (threads == 1) first = bits_of(of(*belief));
      EXPECT_EQ(first, bits_of(of(*belief))) << threads << " threads, gain " << gain_sd;
    }
  }
}

TEST(Population, CellsComeAndGoAsTheResponsesTell) {
  const auto executor = make_serial_executor();
  const Population population({}, {.prior_sd = 0.5}, {.num_cells = 3, .vanish_after = 2}, 2, {}, *executor);
  auto belief = population.prior();
  const auto present = [&] {
    const auto capability = population.capability(*belief);
    const auto cells = std::get<PopulationView>(capability).cell_idx;
    return std::vector<std::size_t>(cells.begin(), cells.end());
  };
  const double x[] = {1, -0.5};
  const auto show = [&](Mark a, Mark b, Mark c) {
    Response r = counts_of(3);
    r.values = {2, 1, 1};
    r.marks = {a, b, c};
    population.update(*belief, x, r, 0);
  };
  constexpr Mark yes = Mark::observed, no = Mark::missing;
  EXPECT_EQ(present(), (std::vector<std::size_t>{0, 1, 2}));
  show(yes, yes, no);  // the third was never there
  EXPECT_EQ(present(), (std::vector<std::size_t>{0, 1}));
  show(yes, no, no);
  EXPECT_EQ(present(), (std::vector<std::size_t>{0, 1}));
  const std::vector<double> left = of(*belief).cells[1].mean;
  show(yes, no, Mark::blanked);
  EXPECT_EQ(present(), (std::vector<std::size_t>{0, 2}));
  show(yes, no, Mark::censored);
  Response later = counts_of(3);
  later.marks.assign(3, Mark::pending);
  auto fork = belief->fork();
  population.update(*fork, x, later, 0);
  EXPECT_EQ(of(*fork).cells[0].pending.size(), 1u);
  EXPECT_EQ(of(*fork).cells[1].pending.size(), 0u);  // nothing is to be expected of a cell that is gone
  EXPECT_EQ(of(*belief).cells[1].mean, left);
  EXPECT_EQ(of(*belief).num_trials, 4);
  show(no, yes, yes);
  EXPECT_EQ(present(), (std::vector<std::size_t>{0, 1, 2}));
  std::string told;
  for (const Attendance& a : of(*belief).attendance) told += fmt::format("{}{}{} ", a.present ? '+' : '-', a.cell, a.trial);
  EXPECT_EQ(told, "-20 -12 +22 +14 ");
  const Population forever({}, {}, {.num_cells = 1}, 2, {}, *executor);
  auto other = forever.prior();
  Response missing = counts_of(1);
  missing.marks = {no};
  for (int t = 0; t < 10; ++t) EXPECT_FALSE(forever.update(*other, x, missing, 0).used);
  EXPECT_TRUE(of(*other).present[0]);
}

TEST(Population, FindsCouplingBetweenCells) {
  const auto executor = make_executor(2);
  GlmSpec spec;
  spec.bias = true;
  spec.num_history = 1;
  spec.coupling = true;
  const Population population(spec, {.prior_sd = 0.5}, {.num_cells = 3}, 2, {}, *executor);
  // weights of a cell: stimulus 2, own history, the other cells in order, bias
  const std::vector<double> truth = {0.5, 0,    -0.3, 0.4, 0,  0,  //
                                     0,   0.5,  -0.2, 0,   0,  0,  //
                                     0.3, -0.3, 0,    0,   -1, 0.2};
  auto belief = population.prior();
  Context context = population.start();
  for (std::uint64_t t = 0; t < 1500; ++t) {
    Stream stream(4, Purpose::test, t);
    double x[2];
    stream.fill_normal(x);
    Response r = counts_of(3);
    population.sample(truth, x, context, stream, r.values);
    population.update(*belief, x, r, 0);
  }
  for (std::size_t c = 0; c < 3; ++c)
    for (std::size_t i = 0; i < 6; ++i) {
      const GaussianBelief& cell = of(*belief).cells[c];
      const double sd = std::sqrt(cell.covariance[i * 6 + i]);
      EXPECT_NEAR(cell.mean[i], truth[c * 6 + i], 4 * sd);  // false alarms: 18 in 16,000
      EXPECT_LT(sd, 0.12);
    }
}

/// The belief on two cells and their gain by brute force on a grid of z, each cell's integral by its own quadrature.
TEST(Population, SharedGainAgreesWithIntegrationOverTheGain) {
  const auto executor = make_serial_executor();
  const double s = 0.4, x[] = {1};
  const Population population({}, {.prior_sd = 0.3, .bias_sd = 1}, {.num_cells = 6, .shared_gain_sd = s}, 1, {}, *executor);
  auto belief = population.prior();
  Response r = counts_of(6);
  r.values = {4, 2, 3, 1, 5, 2};
  r.marks[3] = Mark::missing;
  const double log_evidence = population.update(*belief, x, r, 0).log_evidence;
  const numerics::NormalRule rule = numerics::trapezoid(0.05, 8);
  double total = 0, mean[6] = {}, square[6] = {};
  for (std::size_t j = 0; j < rule.nodes.size(); ++j) {
    double weight = rule.weights[j];
    double first[6], second[6];
    for (std::size_t c = 0; c < 6; ++c) {
      double p = 0, p1 = 0, p2 = 0;
      for (std::size_t k = 0; k < rule.nodes.size(); ++k) {
        const double rho = 0.3 * rule.nodes[k];
        const double likelihood = c == 3 ? 1 : std::exp(population.glm().law.log_likelihood(r.values[c], rho + s * rule.nodes[j]));
        p += rule.weights[k] * likelihood;
        p1 += rule.weights[k] * likelihood * rho;
        p2 += rule.weights[k] * likelihood * rho * rho;
      }
      weight *= p;
      first[c] = p1 / p;
      second[c] = p2 / p;
    }
    total += weight;
    for (std::size_t c = 0; c < 6; ++c) {
      mean[c] += weight * first[c];
      square[c] += weight * second[c];
    }
  }
  EXPECT_NEAR(log_evidence, std::log(total), 0.01);
  for (std::size_t c = 0; c < 6; ++c) {
    const double exact = mean[c] / total, variance = square[c] / total - exact * exact;
    EXPECT_NEAR(of(*belief).cells[c].mean[0], exact, 0.03) << c;
    EXPECT_NEAR(of(*belief).cells[c].covariance[0] / variance, 1, 0.06) << c;
  }
}

/// Share of the true weights inside the 90 % ellipsoid of their cell.
double coverage(double assumed_gain_sd, double true_gain_sd, std::size_t num_runs) {
  constexpr std::size_t dim = 4, num_cells = 20, num_trials = 150;
  constexpr double threshold = 7.779440339734858;  // chi-square, 4 degrees of freedom
  const auto executor = make_serial_executor();
  const GaussianBeliefSpec prior{.prior_sd = 0.5};
  const Population truth({}, prior, {.num_cells = num_cells, .shared_gain_sd = true_gain_sd}, dim, {}, *executor);
  const Population assumed({}, prior, {.num_cells = num_cells, .shared_gain_sd = assumed_gain_sd}, dim, {}, *executor);
  double inside = 0;
  for (std::uint64_t run = 0; run < num_runs; ++run) {
    const Simulated data = simulate(truth, num_trials, 0.5, 0, 100 + run);
    const auto belief = learn(assumed, data);
    for (std::size_t c = 0; c < num_cells; ++c) {
      const GaussianBelief& cell = of(*belief).cells[c];
      const Eigen::Map<const Eigen::Matrix4d> covariance(cell.covariance.data());
      const Eigen::Vector4d off =
          Eigen::Map<const Eigen::Vector4d>(cell.mean.data()) - Eigen::Map<const Eigen::Vector4d>(&data.truth[c * dim]);
      inside += off.dot(covariance.llt().solve(off)) <= threshold;
    }
  }
  return inside / static_cast<double>(num_runs * num_cells);
}

TEST(Population, SharedGainIsCalibratedWhereIndependenceIsNot) {
  const double shared = coverage(0.6, 0.6, 60), independent = coverage(0, 0.6, 60), without = coverage(0, 0, 60);
  RecordProperty("shared", fmt::format("{:.3f}", shared));
  RecordProperty("independent", fmt::format("{:.3f}", independent));
  fmt::print("90 % ellipsoids cover {:.3f} with the gain in the belief, {:.3f} without it, {:.3f} where there is no gain\n", shared,
             independent, without);
  EXPECT_GT(shared, 0.87);
  EXPECT_LT(shared, 0.93);
  EXPECT_LT(independent, 0.75);
  EXPECT_GT(without, 0.87);
}

TEST(Population, RefineEqualsTheRefitOfEachCell) {
  const auto executor = make_executor(2);
  for (const bool coupling : {false, true}) {
    GlmSpec spec;
    spec.num_history = coupling ? 1 : 0;
    spec.coupling = coupling;
    const GaussianBeliefSpec prior{.prior_sd = 0.4};
    const Population population(spec, prior, {.num_cells = 3}, 3, {}, *executor);
    const Simulated data = simulate(population, 80, 0.05, 0, 5);
    auto belief = learn(population, data);
    History history{80, data.stimuli, {}, {}};
    for (const Response& r : data.responses) history.values.insert(history.values.end(), r.values.begin(), r.values.end());
    population.refine(*belief, history);
    const std::size_t dim = population.glm().num_parameters;
    for (std::size_t c = 0; c < 3; ++c) {
      std::vector<double> row(dim);
      Eigen::MatrixXd s(80, static_cast<Eigen::Index>(dim));
      Eigen::VectorXd counts(80);
      Context context = population.start();
      for (std::size_t t = 0; t < 80; ++t) {
        const std::span<const double> x(&data.stimuli[t * 3], 3);
        population.glm().place(context, x, 0, c, row.data());
        for (std::size_t i = 0; i < dim; ++i) s(static_cast<Eigen::Index>(t), static_cast<Eigen::Index>(i)) = row[i];
        counts[static_cast<Eigen::Index>(t)] = data.responses[t].values[c];
        population.glm().advance(context, x, 0, data.responses[t].values);
      }
      const auto variance = Eigen::VectorXd::Constant(static_cast<Eigen::Index>(dim), 0.16);
      EXPECT_LT(gradient_at_mode(of(*belief).cells[c], s, counts, variance).cwiseAbs().maxCoeff(), 1e-5)
          << "coupling " << coupling << ", cell " << c;
    }
  }
  const Population gain({}, {}, {.num_cells = 2, .shared_gain_sd = 0.2}, 3, {}, *executor);
  EXPECT_FALSE(gain.can_refine());
  EXPECT_THROW(gain.refine(*gain.prior(), {}), SpecError);
}

TEST(Population, PredictsWhatItWouldSampleOnAverage) {
  const auto executor = make_serial_executor();
  for (const double gain_sd : {0.0, 0.3}) {
    const Population population({.bias = true}, {.prior_sd = 0.3, .bias_sd = 0.3}, {.num_cells = 2, .shared_gain_sd = gain_sd}, 2,
                                {}, *executor);
    const auto belief = population.prior();
    const double stimuli[] = {1, 0.5, -0.5, 2};
    double predicted[4], mean[2] = {}, response[2], weights[6];
    population.predict(*belief, stimuli, predicted);
    constexpr int num = 40000;
    for (std::uint64_t k = 0; k < num; ++k) {
      Stream stream(8, Purpose::test, k);
      stream.fill_normal(weights);
      for (double& w : weights) w *= 0.3;
      Context context = population.start();
      population.sample(weights, {stimuli, 2}, context, stream, response);
      for (int c = 0; c < 2; ++c) mean[c] += response[c] / num;
    }
    EXPECT_NEAR(mean[0], predicted[0], 0.035);  // five standard errors
    EXPECT_NEAR(mean[1], predicted[1], 0.035);
    EXPECT_GT(predicted[2], predicted[0]);  // the second stimulus is longer
  }
}

TEST(Population, PendingResponsesOfAForkLeaveTheBelief) {
  const auto executor = make_serial_executor();
  for (const double gain_sd : {0.0, 0.3}) {
    const Population population({}, {.prior_sd = 0.5}, {.num_cells = 4, .shared_gain_sd = gain_sd}, 3, {}, *executor);
    auto belief = population.prior();
    const double x[] = {1, 0.3, -1};
    Response pending = counts_of(4), observed = counts_of(4);
    pending.marks.assign(4, Mark::pending);
    auto fork = belief->fork();
    population.update(*fork, x, pending, 0);
    EXPECT_EQ(bits_of(of(*belief)), bits_of(of(*population.prior())));
    for (const GaussianBelief& cell : of(*fork).cells) {
      ASSERT_EQ(cell.pending.size(), gain_sd > 0 ? 2u : 1u);
      EXPECT_EQ(cell.version, 0u);
      const double half = 0.5 * std::log(Eigen::Map<const Eigen::Matrix3d>(cell.covariance.data()).determinant());
      EXPECT_LT(half, of(*belief).cells[0].half_logdet);
      if (gain_sd == 0) {
        EXPECT_NEAR(cell.half_logdet, half, 1e-12);
      }
    }
    pending.marks[0] = Mark::observed;
    EXPECT_THROW(population.update(*fork, x, pending, 0), RunError);
    population.update(*belief, x, observed, 0);
    population.update(*belief, {}, observed, 5);  // time alone changes nothing without drift
    EXPECT_EQ(of(*belief).cells[0].version, 1u);
  }
}

TEST(Population, RefusesWhatItCannotMean) {
  const auto executor = make_serial_executor();
  const auto error_of = [&](const GlmSpec& glm, const PopulationSpec& spec) -> std::string {
    try {
      const Population population(glm, {}, spec, 2, {}, *executor);
    } catch (const SpecError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(error_of({}, {.num_cells = 2, .aggregate = "weighted", .weights = {1}}),
            "model.population.weights: must be 2 numbers, one a cell (got 1 numbers).");
  EXPECT_EQ(error_of({}, {.num_cells = 2, .weights = {1, 2}}),
            "model.population.weights: must be left out unless aggregate is weighted (got 2 numbers).");
  EXPECT_NE(error_of({}, {.num_cells = 2, .aggregate = "weighted", .weights = {0, 0}}), "");
  EXPECT_NE(error_of({.link = "softplus"}, {.num_cells = 2, .shared_gain_sd = 0.1}), "");
  EXPECT_NE(error_of({}, {.num_cells = 2, .aggregate = "worst", .shared_gain_sd = 0.1}), "");
  const Population population({}, {}, {.num_cells = 2}, 2, {}, *executor);
  auto belief = population.prior();
  const double x[] = {1, 0};
  EXPECT_THROW(population.update(*belief, x, counts_of(3), 0), RunError);
  EXPECT_EQ(of(*belief).num_trials, 0);
}

}  // namespace
}  // namespace hartline::models
