#include "numerics/minimize.hpp"

#include <nlopt.h>

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>
#include <exception>
#include <limits>
#include <memory>

#include "base/error.hpp"

namespace hartline::numerics {

namespace {

void check_start(std::span<const double> start, double value) {
  if (start.empty()) throw SpecError({"start", "at least one variable", "none", ""});
  if (!std::isfinite(value)) throw SpecError({"start", "a point where the objective is finite", number_text(value), ""});
}

/// What NLopt calls back: counts, keeps the best point, and carries an exception over its C frames.
struct Evaluator {
  ObjectiveWithGradient objective;
  Minimum best;
  std::vector<double> gradient;
  double best_slope = std::numeric_limits<double>::infinity();  // largest component of the gradient at the best point
  nlopt_opt optimizer = nullptr;
  std::exception_ptr thrown = nullptr;

  double operator()(std::span<const double> x, double* out_gradient) {
    ++best.num_evaluations;
    const double value = objective(x, gradient);
    if (best.num_evaluations == 1) check_start(x, value);
    if (!std::isfinite(value)) return std::numeric_limits<double>::max();
    if (best.x.empty() || value < best.value) {
      best.value = value;
      best.x.assign(x.begin(), x.end());
      best_slope = 0;
      for (double g : gradient) best_slope = std::max(best_slope, std::abs(g));
    }
    if (out_gradient) std::copy(gradient.begin(), gradient.end(), out_gradient);
    return value;
  }
};

double call(unsigned n, const double* x, double* gradient, void* any) {
  auto& evaluator = *static_cast<Evaluator*>(any);
  try {
    return evaluator({x, n}, gradient);
  } catch (...) {
    evaluator.thrown = std::current_exception();
    nlopt_force_stop(evaluator.optimizer);
    return 0;
  }
}

Minimum run(nlopt_algorithm algorithm, ObjectiveWithGradient objective, std::span<const double> start,
            const MinimizeOptions& options) {
  check_start(start, 0);
  const auto n = static_cast<unsigned>(start.size());
  const std::unique_ptr<nlopt_opt_s, void (*)(nlopt_opt)> optimizer(nlopt_create(algorithm, n), nlopt_destroy);
  Evaluator evaluator{std::move(objective), {}, std::vector<double>(n)};
  evaluator.optimizer = optimizer.get();
  std::vector<double> x(start.begin(), start.end());
  nlopt_set_min_objective(optimizer.get(), call, &evaluator);
  nlopt_set_maxeval(optimizer.get(), static_cast<int>(std::min<std::int64_t>(options.max_evaluations, 1 << 30)));
  nlopt_set_ftol_rel(optimizer.get(), options.tolerance);
  nlopt_set_ftol_abs(optimizer.get(), options.tolerance * options.tolerance);
  if (!options.first_step.empty()) nlopt_set_initial_step(optimizer.get(), options.first_step.data());
  double value = 0;
  const nlopt_result result = nlopt_optimize(optimizer.get(), x.data(), &value);
  if (evaluator.thrown) std::rethrow_exception(evaluator.thrown);
  Minimum out = std::move(evaluator.best);
  // a line search that rounding ends is a failure to NLopt; at a point without slope it is a minimum
  const bool flat = algorithm == NLOPT_LD_LBFGS && evaluator.best_slope <= 1e-6 * (1 + std::abs(out.value));
  out.converged = (result > 0 && result != NLOPT_MAXEVAL_REACHED) || (result < 0 && flat);
  return out;
}

}  // namespace

Minimum nelder_mead(const Objective& objective, std::span<const double> start, const MinimizeOptions& options) {
  return run(
      NLOPT_LN_NELDERMEAD, [&](std::span<const double> x, std::span<double>) { return objective(x); }, start, options);
}

Minimum lbfgs(const ObjectiveWithGradient& objective, std::span<const double> start, const MinimizeOptions& options) {
  return run(NLOPT_LD_LBFGS, objective, start, options);
}

Minimum newton(const ObjectiveWithHessian& objective, std::span<const double> start, const MinimizeOptions& options) {
  const auto n = static_cast<Eigen::Index>(start.size());
  Eigen::VectorXd x = Eigen::Map<const Eigen::VectorXd>(start.data(), n), gradient(n), next(n);
  Eigen::MatrixXd hessian(n, n);
  Minimum out;
  const auto evaluate = [&](const Eigen::VectorXd& at) {
    ++out.num_evaluations;
    return objective({at.data(), start.size()}, {gradient.data(), start.size()}, {hessian.data(), start.size() * start.size()});
  };
  double value = evaluate(x);
  check_start(start, value);
  Eigen::LLT<Eigen::MatrixXd> cholesky;
  while (!out.converged && out.num_evaluations < options.max_evaluations) {
    const double size = hessian.cwiseAbs().maxCoeff();
    cholesky.compute(hessian);
    for (double damping = 1e-6; cholesky.info() != Eigen::Success; damping *= 10)
      cholesky.compute(hessian + damping * std::max(size, 1e-300) * Eigen::MatrixXd::Identity(n, n));
    const Eigen::VectorXd step = -cholesky.solve(gradient);
    const double promised = -gradient.dot(step);  // twice what a full step gains on a quadratic
    if (!(promised > options.tolerance * options.tolerance * (1 + std::abs(value)))) {
      out.converged = true;
      break;
    }
    double scale = 1, next_value = value;
    while (out.num_evaluations < options.max_evaluations) {
      next = x + scale * step;
      next_value = evaluate(next);
      if (next_value <= value - 1e-4 * scale * promised || scale < 1e-12) break;
      scale *= 0.5;
    }
    if (!(next_value < value)) {  // rounding hides what is left to gain, or the evaluations ran out
      out.converged = promised <= 1e-10 * (1 + std::abs(value));
      break;
    }
    x = next;
    value = next_value;
  }
  out.x.assign(x.begin(), x.end());
  out.value = value;
  return out;
}

}  // namespace hartline::numerics
