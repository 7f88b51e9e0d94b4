#include "numerics/panels.hpp"

#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <vector>

#include "base/random.hpp"

namespace hartline::numerics {
namespace {

using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

RowMatrix normal_matrix(Eigen::Index rows, Eigen::Index columns, std::uint64_t seed) {
  RowMatrix m(rows, columns);
  Stream(seed, Purpose::test).fill_normal({m.data(), static_cast<std::size_t>(m.size())});
  return m;
}

TEST(Panels, FactorReproducesTheMatrixAndRefusesIndefiniteOnes) {
  for (const Eigen::Index n : {1, 2, 7, 33, 64, 101}) {
    const RowMatrix root = normal_matrix(n, n + 3, 1), a = root * root.transpose();
    RowMatrix lower = a;
    ASSERT_TRUE(factor_lower(lower.data(), static_cast<std::size_t>(n)));
    lower = lower.triangularView<Eigen::Lower>().toDenseMatrix();
    EXPECT_LT((lower * lower.transpose() - a).norm(), 1e-13 * a.norm());
    Eigen::VectorXd x = normal_matrix(n, 1, 2), y = x;
    solve_lower(lower.data(), static_cast<std::size_t>(n), y.data());
    EXPECT_LT((lower * y - x).norm(), 1e-10 * x.norm());
    solve_lower_transposed(lower.data(), static_cast<std::size_t>(n), y.data());
    EXPECT_LT((a * y - x).norm(), 1e-8 * x.norm());
  }
  RowMatrix bad(2, 2);
  bad << 1, 2, 2, 1;
  EXPECT_FALSE(factor_lower(bad.data(), 2));
}

TEST(Panels, SolveAgreesWithEigen) {
  for (const Eigen::Index rows : {0, 1, 5, 8, 23, 64})
    for (const Eigen::Index columns : {1, 7, 48, 100}) {
      RowMatrix lower = normal_matrix(rows, rows, 3);
      lower.diagonal().array() = lower.diagonal().array().abs() + std::sqrt(static_cast<double>(rows));
      const RowMatrix a = normal_matrix(rows, columns, 4);
      const Eigen::VectorXd scale = normal_matrix(rows, 1, 5);
      RowMatrix v = RowMatrix::Zero(rows, columns);
      std::vector<double> squares(static_cast<std::size_t>(columns), -1), panel(static_cast<std::size_t>(rows) * panel_columns);
      solve_lower_panels(lower.data(), static_cast<std::size_t>(rows), scale.data(), a.data(), static_cast<std::size_t>(columns),
                         v.data(), squares.data(), panel.data());
      const RowMatrix wanted = lower.triangularView<Eigen::Lower>().solve(scale.asDiagonal() * a);
      EXPECT_LE((v - wanted).norm(), 1e-13 * wanted.norm());
      for (Eigen::Index j = 0; j < columns; ++j)
        EXPECT_NEAR(squares[static_cast<std::size_t>(j)], wanted.col(j).squaredNorm(), 1e-12 * (1 + wanted.col(j).squaredNorm()));
    }
}

TEST(Panels, WeightedSquaresAgreeWithTheWholeMatrix) {
  constexpr std::size_t n = 150, depth = 37;
  const RowMatrix v = normal_matrix(depth, n, 6), root = normal_matrix(n, n, 7), k = root * root.transpose();
  const RowMatrix c = k - v.transpose() * v;
  const Eigen::VectorXd weights = normal_matrix(n, 1, 8).cwiseAbs();
  std::vector<double> tiles[2], padded[2];
  for (std::size_t t = 0; t < 2; ++t) {
    tiles[t].resize(depth * tile_columns);
    padded[t].assign(tile_columns, 0.0);
    pack_columns(v.data(), depth, n, t * tile_columns, tiles[t].data());
    for (std::size_t i = t * tile_columns; i < std::min(n, (t + 1) * tile_columns); ++i)
      padded[t][i - t * tile_columns] = weights[static_cast<Eigen::Index>(i)];
  }
  std::vector<double> row(tile_columns), column(tile_columns), other_row(tile_columns), other_column(tile_columns);
  for (std::size_t s = 0; s < 2; ++s)
    for (std::size_t t = 0; t < 2; ++t) {
      const std::size_t num_s = std::min(tile_columns, n - s * tile_columns), num_t = std::min(tile_columns, n - t * tile_columns);
      weighted_squares(tiles[s].data(), tiles[t].data(), depth, k.data() + s * tile_columns * n + t * tile_columns, n, num_s, num_t,
                       padded[s].data(), padded[t].data(), row.data(), column.data());
      const auto block = c.block(static_cast<Eigen::Index>(s * tile_columns), static_cast<Eigen::Index>(t * tile_columns),
                                 static_cast<Eigen::Index>(num_s), static_cast<Eigen::Index>(num_t));
      for (std::size_t i = 0; i < num_s; ++i) {
        double wanted = 0;
        for (std::size_t j = 0; j < num_t; ++j) {
          const double x = block(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j));
          wanted += padded[t][j] * x * x;
        }
        EXPECT_NEAR(row[i], wanted, 1e-11 * wanted);
      }
      for (std::size_t j = 0; j < num_t; ++j) {
        double wanted = 0;
        for (std::size_t i = 0; i < num_s; ++i) {
          const double x = block(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j));
          wanted += padded[s][i] * x * x;
        }
        EXPECT_NEAR(column[j], wanted, 1e-11 * wanted);
      }
    }
}

}  // namespace
}  // namespace hartline::numerics
