#include "design/joint_utility.hpp"

#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <cmath>

#include "base/random.hpp"

namespace hartline::design {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

struct Rows {
  std::vector<double> m;
  Matrix v, w;
  explicit Rows(Eigen::Index n, std::uint64_t seed) : m(static_cast<std::size_t>(n)) {
    Stream stream(seed, Purpose::test);
    Matrix a(n, n + 3);
    for (Eigen::Index i = 0; i < n; ++i)
      for (Eigen::Index j = 0; j < n + 3; ++j) a(i, j) = 0.5 * stream.normal();
    v = a * a.transpose();
    const Matrix half = a.leftCols(n + 1);
    w = half * half.transpose();
    for (double& value : m) value = 0.5 * stream.normal();
  }
};

DesignSpec spec_of(const char* utility) {
  DesignSpec spec;
  spec.utility = utility;
  return spec;
}

constexpr const char* all[] = {"laplace_information", "mutual_information", "posterior_variance", "parameter_variance", "target",
                               "expected_response",   "upper_confidence"};

TEST(JointUtility, OneResponseIsWorthExactlyItsOwnUtility) {
  const auto law = models::make_response_law("poisson", "exp", 0.5, 1, "model");
  const double m = 0.4, v = 0.8, w = 0.3;
  for (const char* name : all) {
    const GaussianUtility single(spec_of(name), law);
    JointScratch scratch(1);
    double alone = 0;
    single.evaluate({&m, 1}, {&v, 1}, {&w, 1}, {&alone, 1});
    EXPECT_EQ(JointUtility(single).value(1, &m, &v, &w, scratch), alone) << name;
  }
}

TEST(JointUtility, InformationIsTheLogDeterminant) {
  const auto law = models::make_response_law("poisson", "exp", 0.5, 1, "model");
  const GaussianUtility single(Utility::laplace_information, law);
  for (const Eigen::Index n : {2, 3, 7}) {
    const Rows rows(n, static_cast<std::uint64_t>(n));
    Eigen::VectorXd d(n);
    for (Eigen::Index j = 0; j < n; ++j)
      d[j] = std::expm1(2 * single.linear()(rows.m[static_cast<std::size_t>(j)], rows.v(j, j))) / rows.v(j, j);
    const Matrix root = d.cwiseSqrt().asDiagonal();
    const double wanted = 0.5 * std::log((Matrix::Identity(n, n) + root * rows.v * root).determinant());
    JointScratch scratch(static_cast<std::size_t>(n));
    EXPECT_NEAR(JointUtility(single).value(static_cast<std::size_t>(n), rows.m.data(), rows.v.data(), nullptr, scratch), wanted,
                1e-11);
  }
}

TEST(JointUtility, ReductionIsTheFallOfTheTrace) {
  const auto law = models::make_response_law("gaussian", "identity", 1, 0.7, "model");
  const GaussianUtility single(spec_of("parameter_variance"), law);
  const Eigen::Index n = 4;
  const Rows rows(n, 5);
  // W by rows of C: tr(C - C') = tr((D⁻¹ + V)⁻¹ W)
  const Matrix d = Matrix::Identity(n, n) * 0.49;
  const double wanted = ((d + rows.v).inverse() * rows.w).trace();
  JointScratch scratch(4);
  EXPECT_NEAR(JointUtility(single).value(4, rows.m.data(), rows.v.data(), rows.w.data(), scratch), wanted, 1e-11 * wanted);
}

TEST(JointUtility, DerivativesAreDifferences) {
  for (const auto& [law_name, link] : {std::pair{"poisson", "exp"}, {"poisson", "softplus"}, {"bernoulli", "logistic"}}) {
    const auto law = models::make_response_law(law_name, link, 0.5, 1, "model");
    for (const char* name : all)
      for (const Eigen::Index n : {1, 2, 4}) {
        const JointUtility joint(GaussianUtility(spec_of(name), law));
        const auto count = static_cast<std::size_t>(n);
        Rows rows(n, 11 + count);
        JointScratch scratch(count);
        std::vector<double> dm(count), dv(count * count), dw(count * count, 0.0);
        const auto value = [&] { return joint.value(count, rows.m.data(), rows.v.data(), rows.w.data(), scratch); };
        EXPECT_NEAR(joint.gradient(count, rows.m.data(), rows.v.data(), rows.w.data(), scratch, dm.data(), dv.data(), dw.data()),
                    value(), 1e-9);
        const double h = 1e-4;
        const auto difference = [&](auto&& set) {
          set(h);
          const double up = value();
          set(-2 * h);
          const double down = value();
          set(h);
          return (up - down) / (2 * h);
        };
        for (std::size_t j = 0; j < count; ++j) {
          const double wanted = difference([&](double step) { rows.m[j] += step; });
          EXPECT_NEAR(dm[j], wanted, 1e-6 * (1 + std::abs(wanted))) << law_name << ' ' << link << ' ' << name << " dm " << j;
          for (std::size_t k = 0; k <= j; ++k) {
            const auto a = static_cast<Eigen::Index>(j), b = static_cast<Eigen::Index>(k);
            const auto both = [&](Matrix& matrix) {
              return difference([&](double step) {
                matrix(a, b) += step;
                if (a != b) matrix(b, a) += step;
              });
            };
            const double by_v = both(rows.v), got_v = dv[j * count + k] + (j == k ? 0 : dv[k * count + j]);
            EXPECT_NEAR(got_v, by_v, 1e-6 * (1 + std::abs(by_v))) << law_name << ' ' << link << ' ' << name << " dv " << j << k;
            if (!joint.single().needs_second()) continue;
            const double by_w = both(rows.w), got_w = dw[j * count + k] + (j == k ? 0 : dw[k * count + j]);
            EXPECT_NEAR(got_w, by_w, 1e-6 * (1 + std::abs(by_w))) << law_name << ' ' << link << ' ' << name << " dw " << j << k;
          }
        }
      }
  }
}

TEST(JointUtility, NothingOverflowsAtHugeInformation) {
  const double a[2] = {800, 900}, v[4] = {1, 0.5, 0.5, 1};
  JointScratch scratch(2);
  EXPECT_NEAR(joint_information(2, a, v, scratch), 1700 + 0.5 * std::log(0.75), 1e-9);
}

}  // namespace
}  // namespace hartline::design
