#include "design/ball_search.hpp"

#include <gtest/gtest.h>

#include <Eigen/Core>
#include <Eigen/QR>
#include <algorithm>
#include <cmath>

#include "models/glm.hpp"
#include "numerics/dense.hpp"

namespace hartline::design {
namespace {

using models::GaussianView;
using models::ResponseLaw;

struct Pair {
  const char *law, *link;
};
constexpr Pair pairs[] = {{"poisson", "exp"},       {"poisson", "softplus"}, {"poisson", "logistic"},  {"bernoulli", "logistic"},
                          {"gaussian", "identity"}, {"gaussian", "exp"},     {"gaussian", "softplus"}, {"gaussian", "logistic"}};

/// A belief with random mean and spectrum, with or without a bias.
struct Case {
  std::vector<double> mean, covariance;
  GaussianView view;
  Case(std::size_t n, bool bias, double mean_size, double sd_low, double sd_high, std::uint64_t seed) {
    const std::size_t dim = n + (bias ? 1 : 0);
    const auto d = static_cast<Eigen::Index>(dim);
    Stream stream(seed, Purpose::test);
    Eigen::MatrixXd a(d, d);
    for (Eigen::Index i = 0; i < d; ++i)
      for (Eigen::Index j = 0; j < d; ++j) a(i, j) = stream.normal();
    const Eigen::MatrixXd q = Eigen::HouseholderQR<Eigen::MatrixXd>(a).householderQ();
    Eigen::VectorXd c(d);
    for (Eigen::Index i = 0; i < d; ++i) c[i] = std::pow(sd_low * std::pow(sd_high / sd_low, stream.uniform()), 2);
    Eigen::MatrixXd covariance_matrix = q * c.asDiagonal() * q.transpose();
    covariance_matrix = (0.5 * (covariance_matrix + covariance_matrix.transpose())).eval();
    covariance.assign(covariance_matrix.data(), covariance_matrix.data() + d * d);
    mean.resize(dim);
    stream.fill_sphere(mean, mean_size);
    point(n);
  }
  void point(std::size_t n) {
    view.dim = mean.size();
    view.stimulus_dim = n;
    view.mean = mean.data();
    view.covariance = covariance.data();
  }
};

std::pair<double, double> project(const GaussianView& view, std::span<const double> x) {
  std::vector<double> s(x.begin(), x.end()), g(view.dim);
  if (view.dim > view.stimulus_dim) s.push_back(1);
  numerics::multiply_rows(view.covariance, view.dim, 0, view.dim, view.dim, s.data(), g.data());
  return {numerics::dot(s.data(), view.mean, view.dim), numerics::dot(s.data(), g.data(), view.dim)};
}

BallOptimum search(const GaussianView& view, const LinearUtility& utility, double power, std::vector<double>& x,
                   int max_products = 64) {
  const BallSearch ball(utility, power, max_products);
  const auto scratch = ball.make_scratch(view.stimulus_dim);
  x.resize(view.stimulus_dim);
  return ball(view, {}, 1, 0, {}, *scratch, x);
}

TEST(Ball, ReproducesGoldenOptima) {
  const ResponseLaw law = models::make_response_law("poisson", "exp", 1, 1, "model");
  Case c(2, false, 1, 1, 1, 1);
  c.mean = {1, 0.5};
  c.covariance = {1, 0, 0, 0.25};
  std::vector<double> x;
  const BallOptimum exact = search(c.view, {Utility::laplace_information, law}, 1, x);
  EXPECT_NEAR(exact.utility, 0.71956438, 1e-8);
  EXPECT_NEAR(x[0], 0.983235, 1e-4);
  EXPECT_NEAR(x[1], 0.182345, 5e-4);
  const BallOptimum first = search(c.view, {Utility::first_order_information, law}, 1, x);
  EXPECT_NEAR(2 * first.utility, 4.65637204, 1e-8);
  EXPECT_NEAR(x[0], 0.988372, 1e-4);
  EXPECT_NEAR(x[1], 0.152057, 5e-4);
}

// Every link and utility, 3 to 10 dimensions, narrow and wide beliefs, with and without a bias, against random directions.
class BallAgainstRandom : public testing::TestWithParam<int> {};

TEST_P(BallAgainstRandom, NeverLoses) {
  const Pair pair = pairs[GetParam()];
  const ResponseLaw law = models::make_response_law(pair.law, pair.link, 0.7, 0.8, "model");
  const char* proof = std::getenv("HARTLINE_PROOF");
  const long num_directions = proof && std::string_view(proof) == "1" ? 1000000 : 5000;
  for (std::size_t n = 3; n <= 10; ++n)
    for (const bool bias : {false, true})
      for (const double sd : {0.3, 2.0}) {
        Case c(n, bias, sd * 1.5, 0.2 * sd, sd, n * 10 + (bias ? 1 : 0));
        const LinearUtility utility(n % 2 ? Utility::laplace_information : Utility::first_order_information, law);
        std::vector<double> x, best_x, m, v, u, direction(n);
        const BallOptimum found = search(c.view, utility, 1.3, x);
        const auto [xm, xv] = project(c.view, x);
        EXPECT_NEAR(found.utility, utility(xm, xv), 1e-9 * (1 + found.utility));
        EXPECT_LE(numerics::dot(x.data(), x.data(), n), 1.3 * (1 + 1e-12));
        double best = 0;
        for (long first = 0; first < num_directions; first += 1000) {
          Stream stream(77, Purpose::test, n, static_cast<std::uint64_t>(first));
          m.clear();
          v.clear();
          u.resize(1000);
          for (int k = 0; k < 1000; ++k) {
            stream.fill_sphere(direction, std::sqrt(1.3));
            const auto [dm, dv] = project(c.view, direction);
            m.push_back(dm);
            v.push_back(dv);
          }
          utility.evaluate(m, v, u);
          best = std::max(best, *std::max_element(u.begin(), u.end()));
        }
        EXPECT_GE(found.utility, best * (1 - 1e-9))
            << pair.law << ' ' << pair.link << " d=" << n << " bias=" << bias << " sd=" << sd;
      }
}
INSTANTIATE_TEST_SUITE_P(EveryLink, BallAgainstRandom, testing::Range(0, 8));

TEST(Ball, SolvesTheHardCase) {
  // The mean is orthogonal to the top eigenvector, and for a symmetric choice the best stimulus mixes both.
  const ResponseLaw law = models::make_response_law("bernoulli", "logistic", 1, 1, "model");
  for (const double mean_size : {1e-9, 0.5, 3.0}) {
    Case c(3, false, 1, 1, 1, 1);
    c.mean = {0, mean_size, 0};
    c.covariance = {1, 0, 0, 0, 0.8, 0, 0, 0, 0.1};
    const LinearUtility utility(Utility::laplace_information, law);
    std::vector<double> x;
    const BallOptimum found = search(c.view, utility, 4, x);
    double best = 0;
    for (int i = 0; i < 20000; ++i) {
      const double angle = M_PI * i / 20000;
      const double a = 2 * std::cos(angle), b = 2 * std::sin(angle);
      best = std::max(best, utility(mean_size * b, a * a + 0.8 * b * b));
    }
    EXPECT_GE(found.utility, best * (1 - 1e-9)) << mean_size;
  }
}

TEST(Ball, BreaksIsotropicTiesReproducibly) {
  const models::Glm glm({}, {.prior_sd = 0.4}, 60);
  const auto prior = glm.prior();
  const auto view = std::get<GaussianView>(glm.capability(*prior));
  std::vector<double> x, again;
  search(view, {Utility::laplace_information, glm.law}, 1, x);
  search(view, {Utility::laplace_information, glm.law}, 1, again);
  EXPECT_EQ(x, again);
  EXPECT_NEAR(numerics::dot(x.data(), x.data(), x.size()), 1, 1e-12);
}

TEST(Ball, IsotropicCovarianceWithAMeanIsSearchedFully) {
  const ResponseLaw law = models::make_response_law("bernoulli", "logistic", 1, 1, "model");
  Case c(4, false, 1, 1, 1, 1);
  c.mean = {2, 1, 0, 0};
  c.covariance.assign(16, 0);
  for (std::size_t i = 0; i < 4; ++i) c.covariance[5 * i] = 1;
  const LinearUtility utility(Utility::laplace_information, law);
  std::vector<double> x;
  // the best choice is uncertain: orthogonal to the mean
  EXPECT_NEAR(search(c.view, utility, 1, x).utility, utility(0, 1), 1e-9);
}

// The Krylov space against the full spectrum, on beliefs as they arise in a run.
TEST(Ball, KrylovSpaceLosesLittleInformation) {
  constexpr std::size_t n = 96;
  const models::Glm glm({}, {.prior_sd = 3 / std::sqrt(static_cast<double>(n))}, n);
  auto belief = glm.prior();
  std::vector<double> truth(n), x(n);
  Stream(4, Purpose::test).fill_sphere(truth, 3);
  const BallSearch small({Utility::laplace_information, glm.law}, 1, 48), full({Utility::laplace_information, glm.law}, 1, 96);
  const auto small_scratch = small.make_scratch(n), full_scratch = full.make_scratch(n);
  std::vector<double> last;
  double worst = 0, total = 0;
  for (std::uint64_t t = 0; t < 600; ++t) {
    const auto view = std::get<GaussianView>(glm.capability(*belief));
    std::vector<double> other(n);
    const double best = full(view, last, 1, t, {}, *full_scratch, other).utility;
    const double found = small(view, last, 1, t, {}, *small_scratch, x).utility;
    worst = std::max(worst, (best - found) / best);
    total += (best - found) / best / 600;
    Stream stream(4, Purpose::response, t);
    glm.update(*belief, x, {ResponseKind::counts, 1, 1, {glm.sample(truth, x, stream)}, {}, ""}, 0);
    last = x;
  }
  RecordProperty("worst_relative_loss", std::to_string(worst));
  std::printf("relative loss of a 48-dimensional Krylov space at d = 96: mean %.2g, worst %.2g\n", total, worst);
  EXPECT_LT(total, 2e-3);
  EXPECT_LT(worst, 3e-2);
}

TEST(Ball, WorkBudgetIsHonouredAndRepeatable) {
  Case c(90, false, 2, 0.1, 1, 3);
  const ResponseLaw law = models::make_response_law("poisson", "exp", 1, 1, "model");
  const BallSearch ball({Utility::laplace_information, law}, 1, 64);
  const auto scratch = ball.make_scratch(90);
  std::vector<double> x(90), again(90);
  Budget budget;
  budget.max_units = 17;
  const BallOptimum found = ball(c.view, {}, 1, 0, budget, *scratch, x);
  EXPECT_EQ(found.units, 17);
  ball(c.view, {}, 1, 0, budget, *scratch, again);
  EXPECT_EQ(x, again);
  ManualClock clock;
  clock.step_ns = 1000;
  Budget deadline;
  deadline.clock = &clock;
  deadline.deadline_ns = 20500;
  EXPECT_LT(ball(c.view, {}, 1, 0, deadline, *scratch, x).units, 30);
}

// Where products are dear the space stops growing by itself; replaying the number of units it took gives the same stimulus.
TEST(Ball, ManyDimensionsStopEarlyAndRepeatably) {
  constexpr std::size_t n = 300;
  const models::Glm glm({}, {.prior_sd = 3 / std::sqrt(static_cast<double>(n))}, n);
  auto belief = glm.prior();
  std::vector<double> truth(n), x(n), again(n);
  Stream(5, Purpose::test).fill_sphere(truth, 3);
  const BallSearch ball({Utility::laplace_information, glm.law}, 1, 96);
  const auto scratch = ball.make_scratch(n);
  for (std::uint64_t t = 0; t < 60; ++t) {
    const auto view = std::get<GaussianView>(glm.capability(*belief));
    const BallOptimum found = ball(view, {}, 1, t, {}, *scratch, x);
    EXPECT_LT(found.units, 96);
    Budget budget;
    budget.max_units = found.units;
    const BallOptimum repeated = ball(view, {}, 1, t, budget, *scratch, again);
    EXPECT_EQ(repeated.units, found.units);
    EXPECT_EQ(x, again);
    Stream stream(5, Purpose::response, t);
    glm.update(*belief, x, {ResponseKind::counts, 1, 1, {glm.sample(truth, x, stream)}, {}, ""}, 0);
  }
}

}  // namespace
}  // namespace hartline::design
