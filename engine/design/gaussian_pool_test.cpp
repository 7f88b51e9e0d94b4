#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.hpp"
#include "design/gaussian_utility.hpp"
#include "design/test_beliefs.hpp"
#include "numerics/quadrature.hpp"

namespace hartline::design {
namespace {

using models::GaussianView;
using models::Glm;

struct Problem {
  Glm glm;
  std::unique_ptr<models::Belief> belief;
  StimulusSet set = random_pool(300, 4);
  GaussianView view() const { return std::get<GaussianView>(glm.capability(*belief)); }
};

Problem problem() {
  models::GlmSpec spec;
  spec.bias = true;
  Problem out{Glm(spec, {.prior_sd = 0.7}, 4), nullptr};
  out.belief = out.glm.prior();
  learn(out.glm, *out.belief, out.set, 12);
  return out;
}

DesignSpec spec_of(const char* utility) {
  DesignSpec spec;
  spec.utility = utility;
  return spec;
}

/// E f(D) under ρ ~ N(m, v) for exp counts of 1 s, D = e^ρ.
template <class F>
double over_information(double m, double v, F f) {
  const auto rule = numerics::gauss_hermite(60);
  double total = 0;
  for (std::size_t k = 0; k < rule.nodes.size(); ++k) total += rule.weights[k] * f(std::exp(m + std::sqrt(v) * rule.nodes[k]));
  return total;
}

/// The covariance after a response of information d to s.
Matrix after(const Matrix& c, const Vector& s, double d) {
  const Vector g = c * s;
  return c - d / (1 + d * s.dot(g)) * g * g.transpose();
}

TEST(Utilities, AgreeWithBruteForce) {
  const auto executor = make_executor(2);
  const Problem p = problem();
  const GaussianView view = p.view();
  const Matrix c = covariance_of(view);
  Matrix moment = Matrix::Zero(5, 5);
  for (std::size_t i = 0; i < p.set.num(); ++i) {
    const Matrix s = rows_of(view, &p.set.pool[4 * i]);
    moment += s.transpose() * s / static_cast<double>(p.set.num());
  }
  DesignSpec target = spec_of("target"), weights = spec_of("target"), matrix = spec_of("prediction_error");
  target.target = {1, 4};
  weights.target_weights = {1, -1, 0, 2, 0.5};
  matrix.average_over = "matrix";
  const Matrix given = Matrix::Identity(5, 5) + Matrix::Ones(5, 5);
  matrix.second_moment.assign(given.data(), given.data() + 25);
  Matrix pick = Matrix::Zero(2, 5), line(1, 5);
  pick(0, 1) = pick(1, 4) = 1;
  line << 1, -1, 0, 2, 0.5;
  const auto expected_fall = [&](const Matrix& m, const Vector& s, double mean, double v) {
    return over_information(mean, v, [&](double d) { return (m * (c - after(c, s, d))).trace(); });
  };
  const auto information_about_lines = [&](const Matrix& a, const Vector& s, double mean, double v) {
    return over_information(mean, v, [&](double d) {
      const Matrix before = a * c * a.transpose(), later = a * after(c, s, d) * a.transpose();
      return 0.5 * std::log(before.determinant() / later.determinant());
    });
  };
  for (const auto& spec : {spec_of("parameter_variance"), spec_of("prediction_error"), target, weights, matrix,
                           spec_of("expected_response"), spec_of("upper_confidence")}) {
    const auto design = make_design(spec, p.set, view, {}, 1, *executor);
    const auto utilities = design->utilities(*design->make_plan(), view);
    for (std::size_t i = 0; i < p.set.num(); i += 7) {
      const Vector s = rows_of(view, &p.set.pool[4 * i]).row(0);
      const double m = s.dot(mean_of(view)), v = s.dot(c * s);
      double wanted = std::exp(m + v / 2);
      if (spec.utility == "upper_confidence") wanted *= 1 + std::sqrt(std::expm1(v));
      if (spec.utility == "parameter_variance") wanted = expected_fall(Matrix::Identity(5, 5), s, m, v);
      if (spec.utility == "prediction_error") wanted = expected_fall(spec.second_moment.empty() ? moment : given, s, m, v);
      if (spec.utility == "target") wanted = information_about_lines(spec.target.empty() ? line : pick, s, m, v);
      EXPECT_NEAR(utilities[i], wanted, 1e-8 * (1 + wanted)) << spec.utility;
    }
  }
}

TEST(Utilities, TargetOfEveryParameterIsTheWholeInformation) {
  const auto executor = make_serial_executor();
  const Problem p = problem();
  DesignSpec spec = spec_of("target");
  spec.target = {0, 1, 2, 3, 4};
  const auto part = make_design(spec, p.set, p.view(), {}, 1, *executor),
             whole = make_design({}, p.set, p.view(), {}, 1, *executor);
  const auto a = part->utilities(*part->make_plan(), p.view()), b = whole->utilities(*whole->make_plan(), p.view());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-8);
}

TEST(Utilities, PendingResponsesCountInSecondForms) {
  const auto executor = make_serial_executor();
  const Problem p = problem();
  DesignSpec target = spec_of("target");
  target.target = {0};
  for (const auto& spec : {spec_of("parameter_variance"), target}) {
    const auto design = make_design(spec, p.set, p.view(), {}, 1, *executor);
    const auto plan = design->make_plan();
    design->follow(*plan, p.view(), -1, {}, 1);
    const auto fork = p.belief->fork();
    p.glm.update(*fork, {&p.set.pool[0], 4}, counts({0}, Mark::pending), 0);
    // a belief that took the same step for good
    GaussianView settled = std::get<GaussianView>(p.glm.capability(*fork));
    const auto followed = design->utilities(*plan, settled);
    settled.pending = {};
    settled.change = {};
    const auto wanted = design->utilities(*design->make_plan(), settled);
    for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_NEAR(followed[i], wanted[i], 1e-10) << spec.utility;
  }
}

TEST(Utilities, ImpossibleOnesAreRefusedWithWhatIsPossible) {
  const auto executor = make_serial_executor();
  const Problem p = problem();
  const auto message = [&](const DesignSpec& spec) -> std::string {
    try {
      make_design(spec, p.set, p.view(), p.glm.parameter_names, 1, *executor);
    } catch (const SpecError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_NE(message(spec_of("model_information")).find("laplace_information"), std::string::npos);
  EXPECT_NE(message(spec_of("target")).find("design.target: must be given"), std::string::npos);
  DesignSpec spec = spec_of("target");
  spec.target = {5};
  EXPECT_NE(message(spec).find("design.target[0]: must be another parameter, 0 … 4 (got 5)"), std::string::npos) << message(spec);
  spec.target = {1, 1};
  EXPECT_NE(message(spec).find("design.target[1]"), std::string::npos);
  spec = spec_of("prediction_error");
  spec.average_over = "matrix";
  EXPECT_NE(message(spec).find("design.second_moment"), std::string::npos);
  spec = {};
  spec.kappa = 2;
  EXPECT_NE(message(spec).find("upper_confidence only"), std::string::npos);
  spec = spec_of("parameter_variance");
  spec.kind = "random";
  EXPECT_NE(message(spec).find("kind infomax only"), std::string::npos);
  spec = {};
  spec.law = "pool";
  EXPECT_NE(message(spec).find("design.law"), std::string::npos);
  spec.explore = 0.1;
  EXPECT_EQ(message(spec), "");
}

}  // namespace
}  // namespace hartline::design
