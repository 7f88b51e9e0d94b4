#include "models/glm.hpp"

#include <fmt/format.h>

#include <Eigen/Cholesky>
#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "numerics/dense.hpp"
#include "numerics/quadrature.hpp"

namespace hartline::models {

namespace {

using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

const GaussianBelief& gaussian(const Belief& belief) { return dynamic_cast<const GaussianBelief&>(belief); }

}  // namespace

GaussianBelief::GaussianBelief(std::size_t dim) : mean(dim, 0.0), covariance(dim * dim, 0.0), s(dim), g(dim), h(dim) {
  change.g = g.data();
}

GaussianBelief::GaussianBelief(const GaussianBelief& other) : GaussianBelief(other.mean.size()) { *this = other; }

GaussianBelief& GaussianBelief::operator=(const GaussianBelief& other) {
  mean = other.mean;
  covariance = other.covariance;
  half_logdet = other.half_logdet;
  s = other.s;
  g = other.g;
  h = other.h;
  change = other.change;
  change.g = g.data();
  return *this;
}

Glm::Glm(const GlmSpec& spec, const GaussianBeliefSpec& belief, std::size_t dim)
    : law(make_response_law(spec.response, spec.link, spec.bin_ms / 1000, spec.noise_sd, "model")),
      belief_(belief),
      bias_(spec.bias) {
  stimulus_dim = dim;
  num_parameters = dim + (bias_ ? 1 : 0);
  response_kind = law.law == Law::poisson     ? ResponseKind::counts
                  : law.law == Law::bernoulli ? ResponseKind::choice
                                              : ResponseKind::trace;
  if (has_drift() && belief_.refine_every > 0)
    throw SpecError({"belief.refine_every", "0 when weights drift", fmt::format("{} trials", belief_.refine_every),
                     "A refit on the whole history assumes weights that stay."});
}

std::unique_ptr<Belief> Glm::prior() const {
  auto belief = std::make_unique<GaussianBelief>(num_parameters);
  for (std::size_t i = 0; i < num_parameters; ++i) {
    const bool is_bias = bias_ && i + 1 == num_parameters;
    const double sd = is_bias ? belief_.bias_sd : belief_.prior_sd;
    belief->mean[i] = is_bias ? belief_.bias_mean : 0;
    belief->covariance[i * num_parameters + i] = sd * sd;
    belief->half_logdet += std::log(sd);
  }
  return belief;
}

Update Glm::update(Belief& any_belief, std::span<const double> stimulus, const Response& response, double elapsed_s) const {
  auto& belief = dynamic_cast<GaussianBelief&>(any_belief);
  check_stimulus(stimulus, stimulus_dim);
  double r = 0;
  const bool used = observed_value(response, response_kind, r);
  if (used && law.law == Law::bernoulli && r > 1)
    throw RunError({"response", "0 or 1 for bernoulli responses", fmt::format("{}", r), ""});

  const std::size_t dim = num_parameters;
  RankOneChange change{belief.change.version + 1, true, 0, 0, 0, 0, belief.g.data()};
  if (has_drift() && elapsed_s > 0) {
    change.inflation = belief_.drift_per_s * elapsed_s;
    change.bias_inflation = belief_.bias_drift_per_s * elapsed_s;
    for (std::size_t i = 0; i < dim; ++i)
      belief.covariance[i * dim + i] += i < stimulus_dim ? change.inflation : change.bias_inflation;
    belief.half_logdet = std::numeric_limits<double>::quiet_NaN();
  }
  Update out{used, 0};
  if (used) {
    std::copy(stimulus.begin(), stimulus.end(), belief.s.begin());
    if (bias_) belief.s[dim - 1] = 1;
    numerics::multiply_rows(belief.covariance.data(), dim, 0, dim, dim, belief.s.data(), belief.g.data());
    const double v = numerics::dot(belief.s.data(), belief.g.data(), dim);
    const double m = numerics::dot(belief.s.data(), belief.mean.data(), dim);
    const Mode mode = find_mode(law, r, m, v);
    out.log_evidence = log_evidence(law, r, m, v, mode);
    double information = law.curvature(r, mode.rho);
    if (!(information > 0)) information = law.fisher(mode.rho);
    change.shrink = information / (1 + information * v);
    change.mean_step = mode.step;
    const double root = std::sqrt(change.shrink);
    for (std::size_t i = 0; i < dim; ++i) belief.h[i] = root * belief.g[i];
    numerics::add_scaled(belief.mean.data(), mode.step, belief.g.data(), dim);
    numerics::subtract_outer(belief.covariance.data(), dim, 0, dim, belief.h.data());
    belief.half_logdet -= 0.5 * std::log1p(information * v);
  }
  belief.change = change;
  return out;
}

void Glm::project(const GaussianBelief& belief, std::span<const double> stimuli, std::span<double> m, std::span<double> v) const {
  const auto dim = static_cast<Eigen::Index>(num_parameters), x_dim = static_cast<Eigen::Index>(stimulus_dim);
  const Eigen::Map<const RowMatrix> covariance(belief.covariance.data(), dim, dim);
  const Eigen::Map<const Eigen::VectorXd> mean(belief.mean.data(), dim);
  const auto num = static_cast<Eigen::Index>(stimuli.size() / stimulus_dim);
  constexpr Eigen::Index block = 64;
  for (Eigen::Index first = 0; first < num; first += block) {
    const Eigen::Index count = std::min(block, num - first);
    RowMatrix s(count, dim);
    s.leftCols(x_dim) = Eigen::Map<const RowMatrix>(stimuli.data() + first * x_dim, count, x_dim);
    if (bias_) s.rightCols(1).setOnes();
    const Eigen::VectorXd rho = s * mean;
    const Eigen::VectorXd variance = (s * covariance).cwiseProduct(s).rowwise().sum();
    for (Eigen::Index i = 0; i < count; ++i) {
      m[static_cast<std::size_t>(first + i)] = rho[i];
      v[static_cast<std::size_t>(first + i)] = variance[i];
    }
  }
}

void Glm::predict(const Belief& belief, std::span<const double> stimuli, std::span<double> mean) const {
  std::vector<double> v(mean.size());
  project(gaussian(belief), stimuli, mean, v);
  static const numerics::NormalRule rule = numerics::gauss_hermite(32);
  for (std::size_t i = 0; i < mean.size(); ++i) {
    const double m = mean[i], sd = std::sqrt(v[i]);
    if (law.link == Link::exp) {
      mean[i] = law.mean(m + 0.5 * v[i]);
    } else {
      double total = 0;
      for (std::size_t k = 0; k < rule.nodes.size(); ++k) total += rule.weights[k] * law.mean(m + sd * rule.nodes[k]);
      mean[i] = total;
    }
  }
}

double Glm::linear_predictor(std::span<const double> parameters, std::span<const double> stimulus) const {
  return numerics::dot(parameters.data(), stimulus.data(), stimulus_dim) + (bias_ ? parameters[stimulus_dim] : 0);
}

double Glm::sample(std::span<const double> parameters, std::span<const double> stimulus, Stream& stream) const {
  return law.sample(linear_predictor(parameters, stimulus), stream);
}

double Glm::log_likelihood(std::span<const double> parameters, std::span<const double> stimulus, double response) const {
  return law.log_likelihood(response, linear_predictor(parameters, stimulus));
}

Capability Glm::capability(const Belief& any_belief) const {
  const GaussianBelief& belief = gaussian(any_belief);
  return GaussianView{num_parameters,     stimulus_dim, belief.mean.data(), belief.covariance.data(),
                      belief.half_logdet, &law,         belief.change};
}

void Glm::refine(GaussianBelief& belief, const History& history) const {
  if (has_drift())
    throw SpecError({"belief.refine_at_end", "false when weights drift", "true", "A refit assumes weights that stay."});
  const auto dim = static_cast<Eigen::Index>(num_parameters), x_dim = static_cast<Eigen::Index>(stimulus_dim);
  const auto num = static_cast<Eigen::Index>(history.num_trials);
  const auto start = prior();
  const GaussianBelief& prior_belief = gaussian(*start);
  const Eigen::Map<const Eigen::VectorXd> prior_mean(prior_belief.mean.data(), dim);
  Eigen::VectorXd prior_precision(dim);
  for (Eigen::Index i = 0; i < dim; ++i) prior_precision[i] = 1 / prior_belief.covariance[static_cast<std::size_t>(i * dim + i)];

  RowMatrix s(num, dim);
  if (num > 0) s.leftCols(x_dim) = Eigen::Map<const RowMatrix>(history.stimuli.data(), num, x_dim);
  if (bias_) s.rightCols(1).setOnes();

  const auto log_posterior = [&](const Eigen::VectorXd& rho, const Eigen::VectorXd& theta) {
    double total = -0.5 * (prior_precision.array() * (theta - prior_mean).array().square()).sum();
    for (Eigen::Index t = 0; t < num; ++t) total += law.log_likelihood(history.responses[static_cast<std::size_t>(t)], rho[t]);
    return total;
  };

  Eigen::VectorXd theta = Eigen::Map<const Eigen::VectorXd>(belief.mean.data(), dim);
  Eigen::VectorXd rho = s * theta;
  double value = log_posterior(rho, theta);
  Eigen::LLT<Eigen::MatrixXd> cholesky;
  for (int iteration = 0;; ++iteration) {
    if (iteration == 100) throw RunError({"belief.refine", "", "", "No mode was found in 100 Newton steps."}, num);
    Eigen::VectorXd slope(num), root(num);
    for (Eigen::Index t = 0; t < num; ++t) {
      const double r = history.responses[static_cast<std::size_t>(t)];
      slope[t] = law.slope(r, rho[t]);
      double information = law.curvature(r, rho[t]);
      if (!(information > 0)) information = law.fisher(rho[t]);
      root[t] = std::sqrt(information);
    }
    Eigen::MatrixXd precision = prior_precision.asDiagonal();
    const Eigen::MatrixXd scaled = s.transpose() * root.asDiagonal();
    precision.selfadjointView<Eigen::Lower>().rankUpdate(scaled);
    cholesky.compute(precision.selfadjointView<Eigen::Lower>());
    const Eigen::VectorXd gradient = s.transpose() * slope - prior_precision.cwiseProduct(theta - prior_mean);
    const Eigen::VectorXd step = cholesky.solve(gradient);
    const double promised = gradient.dot(step);  // twice the gain of a full step on a quadratic
    if (promised < 1e-16 * (1 + std::abs(value))) break;
    double scale = 1;
    for (;; scale *= 0.5) {
      const Eigen::VectorXd next = theta + scale * step;
      const Eigen::VectorXd next_rho = s * next;
      const double next_value = log_posterior(next_rho, next);
      // so near the mode the value no longer tells steps apart: rounding of it is as large as what a step gains
      if (promised < 1e-10 * (1 + std::abs(value)) || next_value >= value + 1e-4 * scale * promised) {
        theta = next;
        rho = next_rho;
        value = next_value;
        break;
      }
      if (scale < 1e-10) break;
    }
    if (scale < 1e-10) break;  // rounding: no step improves the value further
  }
  Eigen::MatrixXd covariance = cholesky.solve(Eigen::MatrixXd::Identity(dim, dim));
  for (Eigen::Index i = 0; i < dim; ++i)
    for (Eigen::Index j = 0; j <= i; ++j)
      belief.covariance[static_cast<std::size_t>(i * dim + j)] = belief.covariance[static_cast<std::size_t>(j * dim + i)] =
          0.5 * (covariance(i, j) + covariance(j, i));
  Eigen::Map<Eigen::VectorXd>(belief.mean.data(), dim) = theta;
  belief.half_logdet = -cholesky.matrixLLT().diagonal().array().log().sum();
  belief.change = {belief.change.version + 1, false, 0, 0, 0, 0, belief.g.data()};
}

double half_logdet(const GaussianView& view) {
  if (!std::isnan(view.half_logdet)) return view.half_logdet;
  const auto dim = static_cast<Eigen::Index>(view.dim);
  const Eigen::LLT<Eigen::MatrixXd> cholesky(Eigen::Map<const RowMatrix>(view.covariance, dim, dim));
  return cholesky.matrixLLT().diagonal().array().log().sum();
}

}  // namespace hartline::models
