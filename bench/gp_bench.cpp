// One trial of a Gaussian process at 200 of 1,600 places: 40 x 40 points, length 5, variance 1.5625, mean 1, exp counts.
#include <cblas.h>
#include <fmt/format.h>

#include <Eigen/Dense>

#include "base/threads.hpp"
#include "bench/measure.hpp"
#include "design/function_pool.hpp"
#include "models/gaussian_process.hpp"
#include "numerics/panels.hpp"

namespace hartline::bench {

namespace {

constexpr std::size_t side = 40, num = side * side, num_places = 200, num_repeats = 15;

using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using models::FunctionView;
using models::GaussianProcess;
using models::GaussianProcessBelief;

/// The belief after counts at the first 200 places of an order that jumps about.
struct Scene {
  design::StimulusSet set;
  std::unique_ptr<GaussianProcess> model;
  std::unique_ptr<models::Belief> belief;
  std::vector<double> truth;

  Scene() {
    set.dim = 2;
    for (std::size_t i = 0; i < num; ++i)
      set.pool.insert(set.pool.end(), {static_cast<double>(i / side), static_cast<double>(i % side)});
    models::GaussianProcessSpec spec;
    spec.mean = 1;
    spec.variance = 1.5625;
    spec.length = {5};
    model = std::make_unique<GaussianProcess>(spec, models::GaussianProcessBeliefSpec{}, set.pool, 2, num_places + num_repeats);
    belief = model->prior();
    Stream stream(20160101, Purpose::truth);
    truth = model->draw_truth(stream);
    for (std::size_t t = 0; t < num_places; ++t) respond(*belief, t);
  }

  void respond(models::Belief& b, std::size_t t) const {
    const std::size_t i = t * 1013 % num;
    const std::span<const double> x(&set.pool[2 * i], 2);
    Stream stream(20160101, Purpose::response, t);
    model->update(b, x, {ResponseKind::counts, 1, 1, {model->sample(truth, x, stream)}, {}, ""}, 0);
  }
};

struct Peer {
  std::string name;
  double ms = 0;
};

template <class Body>
double timed(Body&& body) {
  const double begin = thread_ms();
  body();
  return thread_ms() - begin;
}

/// The faster of two by their medians.
Peer faster(const std::vector<double>& eigen, const std::vector<double>& blas) {
  const double a = median(eigen), b = median(blas);
  return a < b ? Peer{"Eigen", a} : Peer{"OpenBLAS", b};
}

/// ½ E log(1 + v e^ρ), ρ ~ N(m, v), by brute force.
double information(double m, double v) {
  double total = 0;
  for (int k = -1000; k <= 1000; ++k) {
    const double z = 0.01 * k;
    total += 0.005 * std::exp(-0.5 * z * z) / std::sqrt(2 * M_PI) * std::log1p(v * std::exp(m + std::sqrt(v) * z));
  }
  return total;
}

}  // namespace

Rows gp_rows() {
  openblas_set_num_threads(1);
  const Scene scene;
  const auto& belief = dynamic_cast<const GaussianProcessBelief&>(*scene.belief);
  const auto view = scene.model->capability(belief);
  const auto& function = std::get<FunctionView>(view);
  const auto executor = make_serial_executor();
  const auto design_for = [&](const char* utility) {
    design::DesignSpec spec;
    spec.utility = utility;
    return design::make_function_pool_design(spec, scene.model->law, scene.set, 1, *executor);
  };
  const auto by_information = design_for("laplace_information"), by_mmse = design_for("mmse");
  const auto information_plan = by_information->make_plan(), mmse_plan = by_mmse->make_plan();

  const auto rows = static_cast<Eigen::Index>(num_places), columns = static_cast<Eigen::Index>(num);
  const Eigen::Map<const RowMatrix> lower(belief.lower.data(), rows, rows), cross(belief.columns.data(), rows, columns),
      v(belief.root.data(), rows, columns), k(function.prior_covariance, columns, columns);
  const Eigen::MatrixXd lower_by_column = lower, v_by_column = v;
  const Eigen::Map<const Eigen::VectorXd> scale(belief.root_info.data(), rows);
  const Eigen::MatrixXd right_by_column = scale.asDiagonal() * cross;
  const RowMatrix right = right_by_column;

  std::vector<double> variance_ours, eigen_solve, blas_solve, mmse_ours, eigen_product, blas_product, update;
  std::vector<double> root(num_places * num), squares(num), panel(num_places * numerics::panel_columns), variance(num);
  design::Choice choice;
  RowMatrix solved = right, product(columns, columns);
  Eigen::MatrixXd solved_by_column, product_by_column(columns, columns);
  for (std::size_t repeat = 0; repeat < num_repeats; ++repeat) {
    variance_ours.push_back(timed([&] {
      numerics::solve_lower_panels(belief.lower.data(), num_places, belief.root_info.data(), belief.columns.data(), num,
                                   root.data(), squares.data(), panel.data());
      for (std::size_t j = 0; j < num; ++j) variance[j] = belief.prior.variance - squares[j];
      by_information->choose(*information_plan, view, repeat, {}, choice);
    }));
    solved_by_column = right_by_column;
    eigen_solve.push_back(timed([&] { lower_by_column.triangularView<Eigen::Lower>().solveInPlace(solved_by_column); }));
    solved = right;
    blas_solve.push_back(timed([&] {
      cblas_dtrsm(CblasRowMajor, CblasLeft, CblasLower, CblasNoTrans, CblasNonUnit, static_cast<int>(rows),
                  static_cast<int>(columns), 1, belief.lower.data(), static_cast<int>(rows), solved.data(),
                  static_cast<int>(columns));
    }));
    mmse_ours.push_back(timed([&] { by_mmse->choose(*mmse_plan, view, repeat, {}, choice); }));
    if (repeat < 5) eigen_product.push_back(timed([&] { product_by_column.noalias() = v_by_column.transpose() * v_by_column; }));
    blas_product.push_back(timed([&] {
      cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, static_cast<int>(columns), static_cast<int>(columns),
                  static_cast<int>(rows), 1, v.data(), static_cast<int>(columns), v.data(), static_cast<int>(columns), 0,
                  product.data(), static_cast<int>(columns));
    }));
  }
  const auto fork = scene.belief->fork();
  for (std::size_t t = 0; t < num_repeats; ++t) update.push_back(timed([&] { scene.respond(*fork, num_places + t); }));

  // dense references
  const auto informations = by_information->utilities(*information_plan, view), mmse = by_mmse->utilities(*mmse_plan, view);
  Eigen::MatrixXd b = Eigen::MatrixXd::Identity(rows, rows);
  for (Eigen::Index i = 0; i < rows; ++i)
    for (Eigen::Index j = 0; j < rows; ++j)
      b(i, j) +=
          scale[i] * scale[j] *
          belief.prior.covariance(&belief.places[static_cast<std::size_t>(2 * i)], &belief.places[static_cast<std::size_t>(2 * j)]);
  const Eigen::MatrixXd among = b.llt().solve(right_by_column);
  const RowMatrix covariance = k - right_by_column.transpose() * among;
  double variance_error = 0, information_error = 0, mmse_error = 0;
  for (std::size_t i = 0; i < num; ++i) {
    const auto x = static_cast<Eigen::Index>(i);
    variance_error = std::max(variance_error, std::abs(variance[i] - covariance(x, x)));
    information_error =
        std::max(information_error, std::abs(informations[i] / information(function.mean[i], function.variance[i]) - 1));
    double total = 0;
    for (std::size_t j = 0; j < num; ++j) {
      const double c = covariance(x, static_cast<Eigen::Index>(j));
      total += std::exp(2 * function.mean[j]) * c * c;
    }
    const double w = std::exp(function.mean[i]);
    mmse_error = std::max(mmse_error, std::abs(mmse[i] / (total * w / (1 + w * covariance(x, x))) - 1));
  }

  const Peer solve = faster(eigen_solve, blas_solve), whole = faster(eigen_product, blas_product);
  const auto row = [](const std::string& name, double ours, const Peer& peer, bool right_answer, const std::string& answer) {
    Row out{name,           "choose_p50", ours, "ms", peer.name,    peer.ms, peer.ms / ours,
            "ratio >= 0.5", true,         "",   true, right_answer, answer};
    out.ok = *out.ratio >= 0.5;
    return out;
  };
  Rows out;
  out.push_back(row("gp/variance_information", median(variance_ours), {solve.name + ", triangular solve 200 x 1,600", solve.ms},
                    variance_error < 1e-9 && information_error < 1e-8,
                    fmt::format("variance off Cholesky's by {:.1e}, information off brute force by {:.1e} of itself",
                                variance_error, information_error)));
  out.push_back(row("gp/mmse", median(mmse_ours), {whole.name + ", product 1,600 x 1,600 x 200", whole.ms}, mmse_error < 1e-8,
                    fmt::format("off the whole covariance's by {:.1e} of itself", mmse_error)));
  Row updating;
  updating.name = "gp/update";
  updating.metric = "update_p50";
  updating.value = median(update);
  updating.unit = "ms";
  updating.answer = "gaussian_process_test: trial by trial equals from scratch";
  out.push_back(updating);
  return out;
}

}  // namespace hartline::bench
