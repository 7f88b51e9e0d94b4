#include "models/gaussian_process.hpp"

#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <cmath>

#include "base/error.hpp"

namespace hartline::models {
namespace {

Response counts(double r, Mark mark = Mark::observed) {
  return {ResponseKind::counts, 1, 1, {r}, mark == Mark::observed ? std::vector<Mark>{} : std::vector<Mark>{mark}, ""};
}

/// Points 0, 1, … on a line.
std::vector<double> line(std::size_t num) {
  std::vector<double> x(num);
  for (std::size_t i = 0; i < num; ++i) x[i] = static_cast<double>(i);
  return x;
}

/// A square of side² points.
std::vector<double> square(std::size_t side) {
  std::vector<double> x;
  for (std::size_t i = 0; i < side; ++i)
    for (std::size_t j = 0; j < side; ++j) x.insert(x.end(), {static_cast<double>(i), static_cast<double>(j)});
  return x;
}

GaussianProcessSpec spec_of(const std::string& link, double mean, double variance, double length) {
  GaussianProcessSpec spec;
  spec.link = link;
  spec.mean = mean;
  spec.variance = variance;
  spec.length = {length};
  return spec;
}

const GaussianProcessBelief& process(const Belief& belief) { return dynamic_cast<const GaussianProcessBelief&>(belief); }

/// A run over some trials with repeats, places beside the members and every kind of mark.
struct Trials {
  History history;
  std::unique_ptr<Belief> belief;
};

Trials run(const GaussianProcess& model, std::size_t num_trials, std::uint64_t seed, const std::vector<Mark>& marks) {
  Trials out;
  out.belief = model.prior();
  Stream stream(seed, Purpose::test);
  const std::vector<double> truth = model.draw_truth(stream);
  const std::size_t dim = model.stimulus_dim;
  for (std::size_t t = 0; t < num_trials; ++t) {
    const auto i = static_cast<std::size_t>(stream.integer(static_cast<std::int64_t>(model.num_members()) / (t % 3 == 0 ? 4 : 1)));
    std::vector<double> x(dim);
    for (std::size_t d = 0; d < dim; ++d) x[d] = model.pool_at(i)[d];
    const double r = model.sample(truth, x, stream);
    if (t % 7 == 3) x[0] += 0.25;  // beside the members
    const Mark mark = marks.empty() ? Mark::observed : marks[t % marks.size()];
    out.history.stimuli.insert(out.history.stimuli.end(), x.begin(), x.end());
    out.history.values.push_back(r);
    out.history.marks.push_back(mark);
    ++out.history.num_trials;
    model.update(*out.belief, x, counts(r, mark), 1);
  }
  return out;
}

TEST(GaussianProcess, TrialByTrialEqualsFromScratch) {
  for (const char* link : {"exp", "softplus"}) {
    const bool is_exp = std::string(link) == "exp";
    const GaussianProcess model(spec_of(link, 1, is_exp ? 1.5 : 30, 4), {}, square(18), 2, 150);
    const Trials trials = run(model, 150, 1, {Mark::observed, Mark::observed, Mark::missing, Mark::censored, Mark::blanked});
    const auto anew = model.prior();
    model.refine(*anew, trials.history);
    const auto &kept = process(*trials.belief), &fresh = process(*anew);
    EXPECT_LT(kept.num_visited, 90u);  // repeats are folded
    ASSERT_EQ(kept.num_visited, fresh.num_visited);
    EXPECT_NEAR(kept.laplace_evidence, fresh.laplace_evidence, 1e-8);
    for (std::size_t j = 0; j < kept.num; ++j) {
      EXPECT_NEAR(kept.mean[j], fresh.mean[j], 1e-8);
      EXPECT_NEAR(kept.variance[j], fresh.variance[j], 1e-8);
    }
    for (std::size_t i = 0; i < kept.root.size(); ++i) EXPECT_NEAR(kept.root[i], fresh.root[i], 1e-8);
  }
}

/// Against a dense computation that knows nothing of V, of folded repeats or of Newton's way: K here is invertible. Every fifth
/// response is a lower bound.
TEST(GaussianProcess, ModeAndVarianceSolveTheirEquations) {
  for (const auto& [response, link] : {std::pair{"poisson", "exp"}, {"poisson", "softplus"}, {"negative_binomial", "exp"}}) {
    GaussianProcessSpec spec = spec_of(link, 0.5, 2, 1);
    spec.response = response;
    spec.overdispersion = spec.response == "poisson" ? 0 : 0.4;
    const GaussianProcess model(spec, {}, line(40), 1, 60);
    const Mark seen = Mark::observed;
    const Trials trials = run(model, 60, 2, {seen, seen, seen, seen, Mark::censored});
    const auto& belief = process(*trials.belief);
    const auto num = static_cast<Eigen::Index>(belief.num_visited), all = static_cast<Eigen::Index>(belief.num);
    Eigen::MatrixXd k(num, num), cross(num, all);
    Eigen::VectorXd slope = Eigen::VectorXd::Zero(num), info = Eigen::VectorXd::Zero(num), phi(num);
    const auto kernel = [](double x, double y) { return 2 * std::exp(-0.5 * (x - y) * (x - y)); };
    double likelihood = 0;
    for (Eigen::Index i = 0; i < num; ++i) {
      const double x = belief.places[static_cast<std::size_t>(i)];
      for (Eigen::Index j = 0; j < num; ++j) k(i, j) = kernel(x, belief.places[static_cast<std::size_t>(j)]);
      for (Eigen::Index j = 0; j < all; ++j) cross(i, j) = kernel(x, static_cast<double>(j));
      phi[i] = model.moments(belief, &x).first;
      for (std::size_t t = 0; t < trials.history.num_trials; ++t) {
        if (trials.history.stimuli[t] != x) continue;
        const Datum r(trials.history.values[t], trials.history.marks[t] == Mark::censored);
        slope[i] += model.law.slope(r, phi[i]);
        info[i] += model.law.curvature(r, phi[i]);
        likelihood += model.law.log_likelihood(r, phi[i]);
      }
    }
    const Eigen::VectorXd distance = phi.array() - 0.5;
    const Eigen::MatrixXd inverse = k.fullPivLu().inverse();
    EXPECT_LT((inverse * distance - slope).cwiseAbs().maxCoeff(), 1e-8);
    const Eigen::MatrixXd posterior = (inverse + Eigen::MatrixXd(info.asDiagonal())).inverse();
    const Eigen::MatrixXd weights = inverse * cross;  // of the members on the places
    for (Eigen::Index j = 0; j < all; ++j) {
      const Eigen::VectorXd w = weights.col(j);
      EXPECT_NEAR(belief.mean[static_cast<std::size_t>(j)], 0.5 + w.dot(distance), 1e-8);
      EXPECT_NEAR(belief.variance[static_cast<std::size_t>(j)], 2 - w.dot(cross.col(j)) + w.dot(posterior * w), 1e-8);
    }
    const Eigen::MatrixXd b = Eigen::MatrixXd::Identity(num, num) + k * info.asDiagonal();
    EXPECT_NEAR(belief.laplace_evidence, likelihood - 0.5 * distance.dot(inverse * distance) - 0.5 * std::log(b.determinant()),
                1e-8);
  }
}

/// For one response the evidence is known by quadrature; Laplace's differs from it by 1/(12 r).
TEST(GaussianProcess, EvidenceOfOneResponseAgreesWithQuadrature) {
  const GaussianProcess model(spec_of("exp", 6, 1, 1), {}, line(5), 1);
  const auto belief = model.prior();
  const double x = 2;
  const Update update = model.update(*belief, {&x, 1}, counts(400), 0);
  EXPECT_NEAR(update.log_evidence, process(*belief).laplace_evidence, 3e-4);
}

TEST(GaussianProcess, TakesAPlaceBesideTheMembersAtItsOwn) {
  const GaussianProcess model(spec_of("exp", 1, 1, 2), {}, line(20), 1);
  const auto beside = model.prior(), at = model.prior();
  const double x = 7.5, y = 7;
  model.update(*beside, {&x, 1}, counts(20), 0);
  model.update(*at, {&y, 1}, counts(20), 0);
  EXPECT_NEAR(process(*beside).mean[7], process(*beside).mean[8], 1e-12);  // it lies half-way
  EXPECT_GT(std::abs(process(*at).mean[7] - process(*at).mean[8]), 1e-3);
  EXPECT_EQ(process(*beside).places[0], 7.5);
}

TEST(GaussianProcess, APendingResponseKeepsTheMeanAndLowersTheVariance) {
  for (const char* link : {"exp", "softplus"}) {
    const GaussianProcess model(spec_of(link, 1, 2, 3), {}, line(30), 1, 30);
    const Trials trials = run(model, 20, 3, {});
    const auto before = trials.belief->fork();
    const auto fork = trials.belief->fork();
    for (const double x : {4., 11., 4., 17.3}) model.update(*fork, {&x, 1}, counts(0, Mark::pending), 0);
    for (std::size_t j = 0; j < 30; ++j) {
      EXPECT_NEAR(process(*fork).mean[j], process(*before).mean[j], 1e-9);
      EXPECT_LE(process(*fork).variance[j], process(*before).variance[j] + 1e-12);
      EXPECT_EQ(process(*trials.belief).variance[j], process(*before).variance[j]);  // a fork shares nothing that changes
    }
    EXPECT_LT(process(*fork).variance[4], 0.8 * process(*before).variance[4]);
  }
}

/// Exact under a Gaussian φ: the mean and both ends of the step of the distribution function, summed from the evidence.
TEST(GaussianProcess, ForetellsTheNextResponse) {
  const GaussianProcess model(spec_of("exp", 1, 1, 3), {}, line(10), 1, 10);
  const auto belief = model.prior();
  const double x = 3, y = 4;
  model.update(*belief, {&x, 1}, counts(4), 0);
  const auto [m, v] = model.moments(process(*belief), &y);
  double below = 0, mean = 0;
  model.predict(*belief, {&y, 1}, {&mean, 1});
  for (int r = 0; r < 6; ++r) below += std::exp(log_evidence(model.law, r, m, v, find_mode(model.law, r, m, v)));
  const double at = std::exp(log_evidence(model.law, 6, m, v, find_mode(model.law, 6, m, v)));
  const Update update = model.update(*belief, {&y, 1}, counts(6), 0);
  ASSERT_EQ(update.predictions.size(), 1u);
  EXPECT_NEAR(update.predictions[0].mean, std::exp(m + 0.5 * v), 1e-9);
  EXPECT_NEAR(update.predictions[0].mean, mean, 1e-12);
  EXPECT_NEAR(update.predictions[0].below, below, 1e-7);
  EXPECT_NEAR(update.predictions[0].up_to, below + at, 1e-7);
  EXPECT_NEAR(update.log_evidence, std::log(at), 1e-12);
}

TEST(GaussianProcess, WhatIsMissingOrBlankedChangesNothing) {
  const GaussianProcess model(spec_of("exp", 1, 1, 3), {}, line(10), 1, 10);
  const auto belief = model.prior();
  const double x = 3;
  model.update(*belief, {&x, 1}, counts(4), 0);
  const auto before = belief->fork();
  for (const Mark mark : {Mark::missing, Mark::blanked})
    EXPECT_FALSE(model.update(*belief, {&x, 1}, counts(std::nan(""), mark), 0).used);
  EXPECT_EQ(process(*belief).mean, process(*before).mean);
  EXPECT_EQ(process(*belief).version, process(*before).version);
}

TEST(GaussianProcess, SurvivesExtremeCounts) {
  for (const char* link : {"exp", "softplus"}) {
    const GaussianProcess model(spec_of(link, 1, std::string(link) == "exp" ? 1 : 625, 25), {}, line(200), 1, 40);
    const auto belief = model.prior();
    for (std::size_t t = 0; t < 40; ++t) {
      const double x = static_cast<double>(t * 37 % 200), r = t % 10 == 5 ? 1e6 : 0;
      ASSERT_TRUE(std::isfinite(model.update(*belief, {&x, 1}, counts(r), 0).log_evidence));
    }
    for (std::size_t j = 0; j < 200; ++j) {
      EXPECT_TRUE(std::isfinite(process(*belief).mean[j]));
      EXPECT_GT(process(*belief).variance[j], 0);
    }
  }
}

TEST(GaussianProcess, RefusesWhatDoesNotFitAndStaysAsItWas) {
  EXPECT_THROW(GaussianProcess(spec_of("exp", 0, 1, 1), {}, {}, 1), SpecError);
  GaussianProcessSpec three = spec_of("exp", 0, 1, 1);
  three.length = {1, 2, 3};
  EXPECT_THROW(GaussianProcess(three, {}, square(3), 2), SpecError);
  EXPECT_THROW(GaussianProcess(spec_of("exp", 0, 1, 1), {}, {0, std::nan("")}, 1), SpecError);
  const GaussianProcess model(spec_of("exp", 0, 1, 1), {}, line(5), 1);
  const auto belief = model.prior();
  const double x = 2, beside = 2.5, nan = std::nan("");
  model.update(*belief, {&x, 1}, counts(3), 0);
  const auto before = belief->fork();
  EXPECT_THROW(model.update(*belief, {&nan, 1}, counts(1), 0), RunError);
  EXPECT_THROW(model.update(*belief, {&x, 1}, counts(nan), 0), RunError);
  EXPECT_THROW(model.update(*belief, {&x, 1}, counts(-1), 0), RunError);
  EXPECT_EQ(process(*belief).mean, process(*before).mean);
  Stream stream(1, Purpose::test);
  EXPECT_THROW(model.sample(std::vector<double>(5, 0.0), {&beside, 1}, stream), RunError);
}

/// The mean square of a draw's contrasts at distance d is 2 variance (1 - exp(-½ d²/l²)); over 4,000 draws its relative standard
/// error is √(2/4000) = 2.2 %.
TEST(GaussianProcess, DrawsHaveTheStatedCovariance) {
  GaussianProcessSpec spec = spec_of("exp", -2, 1.5, 3);
  spec.length = {3, 6};
  const GaussianProcess model(spec, {}, square(8), 2);
  Stream stream(4, Purpose::truth);
  double mean = 0, variance = 0, along = 0, across = 0;
  constexpr int num = 4000;
  for (int k = 0; k < num; ++k) {
    const std::vector<double> phi = model.draw_truth(stream);
    mean += phi[27] / num;
    variance += (phi[27] + 2) * (phi[27] + 2) / num;
    along += (phi[27] - phi[27 + 24]) * (phi[27] - phi[27 + 24]) / num;  // three down the first dimension
    across += (phi[27] - phi[27 + 3]) * (phi[27] - phi[27 + 3]) / num;
  }
  EXPECT_NEAR(mean, -2, 5 * std::sqrt(1.5 / num));
  EXPECT_NEAR(variance, 1.5, .11 * 1.5);
  EXPECT_NEAR(along, 3 * (1 - std::exp(-.5)), .11 * 3 * (1 - std::exp(-.5)));
  EXPECT_NEAR(across, 3 * (1 - std::exp(-.125)), .11 * 3 * (1 - std::exp(-.125)));
}

TEST(GaussianProcess, ARefitFindsHyperParametersThatExplainMore) {
  const std::vector<double> pool = line(120);
  const GaussianProcess truth_model(spec_of("exp", 2, 1, 8), {}, pool, 1);
  Stream stream(5, Purpose::truth);
  const std::vector<double> truth = truth_model.draw_truth(stream);
  const GaussianProcess model(spec_of("exp", 1, 4, 2), {.fit = true}, pool, 1, 120);
  History history;
  const auto belief = model.prior();
  for (std::size_t t = 0; t < 400; ++t) {
    const double x = static_cast<double>(t * 53 % 120), r = truth_model.sample(truth, {&x, 1}, stream);
    history.stimuli.push_back(x);
    history.values.push_back(r);
    ++history.num_trials;
    model.update(*belief, {&x, 1}, counts(r), 0);
  }
  const double before = process(*belief).laplace_evidence;
  model.refine(*belief, history);
  const auto& fitted = process(*belief);
  EXPECT_GT(fitted.laplace_evidence, before + 5);
  EXPECT_GT(fitted.prior.length[0], 4);
  EXPECT_LT(fitted.prior.length[0], 16);
  // the fitted belief goes on learning with what was found
  const double x = 60;
  model.update(*belief, {&x, 1}, counts(5), 0);
  EXPECT_EQ(process(*belief).prior.length, fitted.prior.length);
  EXPECT_NEAR((*fitted.members)[61], fitted.prior.covariance(&pool[0], &pool[61]), 1e-15);
}

}  // namespace
}  // namespace hartline::models
