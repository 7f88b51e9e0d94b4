#include "models/text_laplace.hpp"

#include <fmt/format.h>

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "equations/differentiate.hpp"
#include "models/refuted.hpp"
#include "numerics/minimize.hpp"

namespace hartline::models {

namespace {

using equations::Id;
using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr std::size_t num_candidates = 200;  // draws of the prior that starts are picked from
constexpr std::size_t num_starts = 4;
constexpr std::uint64_t early = 20, every = 10;  // trials after which several starts are tried
constexpr double same_mode = 1e-3;               // distance in posterior standard deviations
constexpr std::size_t block = 512;

bool is_angle(const TextLaw& law) { return law.form == LawForm::von_mises || (!law.parts.empty() && is_angle(*law.parts[0].law)); }

}  // namespace

std::uint64_t TextLaplaceBelief::digest() const {
  return content_hash(mode.data(), mode.size()) * 0x9e3779b97f4a7c15ULL + content_hash(covariance.data(), covariance.size());
}

TextLaplace::TextLaplace(std::shared_ptr<const EncodingText> text, std::size_t num_samples, std::uint64_t seed, Executor& executor)
    : TextModel(std::move(text), executor), derivatives_(likelihood_), num_samples_(num_samples + num_samples % 2) {
  const EncodingText& read = this->text();
  for (const TextParameter& parameter : read.parameters) {
    if (!parameter.prior.has_density())
      throw SpecError({"model.parameters." + parameter.name, "a prior with a density for Laplace's method", "single values",
                       "Take belief.kind = \"particles\" or \"grid\"."});
    priors_.resize(priors_.size() + parameter.num(), &parameter.prior);
  }
  if (read.is_correlated()) {
    root_.assign(num_parameters * num_parameters, 0.0);
    for (std::size_t k = 0; k < num_parameters; ++k) {
      if (read.root(k).empty()) root_[k * (num_parameters + 1)] = 1;
      for (const auto& [j, c] : read.root(k)) root_[k * num_parameters + j] = c;
    }
  }
  normals_.resize(num_parameters * num_samples_);
  for (std::size_t i = 0; i < num_samples_; i += 2) {
    Stream stream(seed, Purpose::particles, 0, i);
    for (std::size_t k = 0; k < num_parameters; ++k) {
      normals_[k * num_samples_ + i] = stream.normal();
      normals_[k * num_samples_ + i + 1] = -normals_[k * num_samples_ + i];
    }
  }
}

std::unique_ptr<Belief> TextLaplace::prior() const {
  auto out = std::make_unique<TextLaplaceBelief>();
  out->mode.assign(num_parameters, 0.0);
  out->covariance.assign(num_parameters * num_parameters, 0.0);
  for (std::size_t k = 0; k < num_parameters; ++k) out->covariance[k * (num_parameters + 1)] = 1;
  out->scores.resize(num_parameters * num_samples_);
  out->parameters.resize(likelihood_.num_rows() * num_samples_);
  out->log_likelihood.assign(num_samples_, 0.0);
  out->arguments.resize(likelihood_.num_arguments() * num_samples_);
  out->weights.assign(num_samples_, 1 / static_cast<double>(num_samples_));
  draw(*out, 1);
  if (likelihood_.has_states()) likelihood_.start(out->sets(), &out->parameters[num_parameters * num_samples_]);
  return out;
}

/// Samples of a Gaussian that is wider than the one at the mode, all of the same weight.
void TextLaplace::draw(TextLaplaceBelief& belief, double width) const {
  const auto d = static_cast<Eigen::Index>(num_parameters), num = static_cast<Eigen::Index>(num_samples_);
  const Matrix root = width * Matrix(Eigen::Map<const Matrix>(belief.covariance.data(), d, d).llt().matrixL());
  Eigen::Map<Matrix> z(belief.scores.data(), d, num);
  z = root * Eigen::Map<const Matrix>(normals_.data(), d, num);
  z.colwise() += Eigen::Map<const Eigen::VectorXd>(belief.mode.data(), d);
  text().from_scores(belief.scores.data(), num_samples_, num_samples_, belief.parameters.data());
  std::fill(belief.weights.begin(), belief.weights.end(), 1 / static_cast<double>(num_samples_));
}

void TextLaplace::replay_all(const TextHistory& history, std::size_t num, std::vector<double>& rows,
                             std::vector<double>& out) const {
  executor_.for_each_block(static_cast<int>((num + block - 1) / block), [&](int b) {
    thread_local std::vector<double> one;
    one.resize(block);
    const std::size_t first = static_cast<std::size_t>(b) * block;
    replay(history, history.num, &rows[first], num, std::min(block, num - first), &out[first], one.data());
  });
}

/// Minus the log posterior of the normal scores, less its constant.
double TextLaplace::objective(const TextLaplaceBelief& belief, std::span<const double> z, std::span<double> gradient,
                              std::span<double> hessian) const {
  if (!std::all_of(z.begin(), z.end(), [](double score) { return std::isfinite(score); }))
    return INFINITY;  // a step that went astray
  const std::size_t d = num_parameters;
  std::vector<double> score(z.begin(), z.end()), theta(d), first(d), second(d), by(d), pairs(d * d);
  const auto n = static_cast<Eigen::Index>(d);
  const Eigen::Map<const Matrix> root(root_.data(), n, n);
  if (!root_.empty()) Eigen::Map<Eigen::VectorXd>(score.data(), n) = root * Eigen::Map<const Eigen::VectorXd>(z.data(), n);
  for (std::size_t k = 0; k < d; ++k) {
    theta[k] = priors_[k]->from_normal(score[k]);
    priors_[k]->slopes_from_normal(score[k], theta[k], first[k], second[k]);
  }
  double out = -derivatives_(belief.history, theta, by, pairs);
  for (std::size_t k = 0; k < d; ++k) {
    gradient[k] = -by[k] * first[k];
    for (std::size_t j = 0; j < d; ++j) hessian[k * d + j] = -pairs[k * d + j] * first[k] * first[j];
    hessian[k * d + k] -= by[k] * second[k];
  }
  if (!root_.empty()) {
    Eigen::Map<Eigen::VectorXd> g(gradient.data(), n);
    Eigen::Map<Matrix> h(hessian.data(), n, n);
    g = (root.transpose() * g).eval();
    h = (root.transpose() * h * root).eval();
  }
  for (std::size_t k = 0; k < d; ++k) {
    out += 0.5 * z[k] * z[k];
    gradient[k] += z[k];
    hessian[k * d + k] += 1;
  }
  return out;
}

/// Weighs samples by the posterior beside the Gaussian that they were drawn from, and mends the evidence. Returns the effective
/// share of the weights, beside what it is where the posterior is normal. `log_peak`: log p(everything, mode).
double TextLaplace::weigh(TextLaplaceBelief& belief, double log_peak) const {
  // so wide that a normal posterior leaves half of the samples, in any number of dimensions
  const double width = std::sqrt(1 + 1.2 / std::sqrt(static_cast<double>(num_parameters)));
  draw(belief, width);
  replay_all(belief.history, num_samples_, belief.parameters, belief.log_likelihood);
  std::vector<double> log_ratio(num_samples_), log_of_normal(num_samples_);
  for (std::size_t i = 0; i < num_samples_; ++i) {
    double own = 0, prior = 0;
    for (std::size_t k = 0; k < num_parameters; ++k) {
      prior += belief.scores[k * num_samples_ + i] * belief.scores[k * num_samples_ + i];
      own += normals_[k * num_samples_ + i] * normals_[k * num_samples_ + i];
    }
    log_ratio[i] = belief.log_likelihood[i] - 0.5 * prior + 0.5 * own;
    log_of_normal[i] = 0.5 * own * (1 - width * width);
    if (std::isnan(log_ratio[i])) log_ratio[i] = -INFINITY;
  }
  const double top = *std::max_element(log_ratio.begin(), log_ratio.end());
  double total = 0, square = 0, normal = 0, normal_square = 0;
  for (std::size_t i = 0; i < num_samples_; ++i) {
    const double w = std::exp(log_ratio[i] - top), n = std::exp(log_of_normal[i]);
    belief.weights[i] = w;
    total += w;
    square += w * w;
    normal += n;
    normal_square += n * n;
  }
  for (double& w : belief.weights) w /= total;
  // the same sum for the Gaussian itself takes most of the noise off
  belief.log_evidence += top + std::log(total) - log_peak - std::log(normal);
  return total * total / square / (normal * normal / normal_square);
}

void TextLaplace::fit(TextLaplaceBelief& belief) const {
  const auto d = static_cast<Eigen::Index>(num_parameters);
  struct Peak {
    std::vector<double> z;
    Matrix covariance;
    double log_peak = -INFINITY, log_mass = -INFINITY;
  };
  std::vector<Peak> modes;
  const numerics::ObjectiveWithHessian f = [&](std::span<const double> z, std::span<double> g, std::span<double> h) {
    return objective(belief, z, g, h);
  };
  std::vector<double> g(num_parameters), h(num_parameters * num_parameters);
  const auto try_from = [&](std::span<const double> start) {
    if (!std::isfinite(objective(belief, start, g, h))) return;
    const numerics::Minimum found = numerics::newton(f, start, {200, 1e-12, {}});
    const double value = objective(belief, found.x, g, h);
    const Eigen::LLT<Matrix> factor(Eigen::Map<const Matrix>(h.data(), d, d));
    double steepness = 0;
    for (const double slope : g) steepness = std::max(steepness, std::abs(slope));
    if (factor.info() != Eigen::Success || !std::isfinite(value) || !(steepness < 1e-3)) return;
    Peak mode{found.x, factor.solve(Matrix::Identity(d, d)), -value, -value};
    if (!mode.covariance.allFinite()) return;
    for (Eigen::Index k = 0; k < d; ++k) mode.log_mass -= std::log(factor.matrixLLT()(k, k));
    for (const Peak& other : modes) {
      Eigen::VectorXd apart(d);
      for (Eigen::Index k = 0; k < d; ++k) apart[k] = mode.z[static_cast<std::size_t>(k)] - other.z[static_cast<std::size_t>(k)];
      if (apart.squaredNorm() == 0 || apart.dot(other.covariance.llt().solve(apart)) < same_mode * same_mode) return;
    }
    modes.push_back(std::move(mode));
  };
  try_from(belief.mode);
  if (modes.empty() || belief.num_updates <= early || belief.num_updates % every == 0) {
    // the best of some draws of the prior
    std::vector<std::pair<double, std::size_t>> order;
    const std::size_t num = std::min(num_candidates, num_samples_);
    std::vector<double> z(num_parameters), scores(num_parameters * num), rows(likelihood_.num_rows() * num), value(num);
    const auto candidate = [&](std::size_t i) {
      for (std::size_t k = 0; k < num_parameters; ++k) z[k] = normals_[k * num_samples_ + i];
    };
    for (std::size_t k = 0; k < num_parameters; ++k) std::copy_n(&normals_[k * num_samples_], num, &scores[k * num]);
    text().from_scores(scores.data(), num, num, rows.data());
    replay_all(belief.history, num, rows, value);
    for (std::size_t i = 0; i < num; ++i) {
      candidate(i);
      for (const double score : z) value[i] -= 0.5 * score * score;
      if (std::isfinite(value[i])) order.emplace_back(-value[i], i);
    }
    std::sort(order.begin(), order.end());
    for (std::size_t k = 0; k < std::min(num_starts, order.size()); ++k) {
      candidate(order[k].second);
      try_from(z);
    }
  }
  const bool was_trusted = belief.trusted;
  belief.trusted = !modes.empty();
  std::string cause = "no mode of the posterior was found";
  if (!modes.empty()) {
    const auto best =
        std::max_element(modes.begin(), modes.end(), [](const Peak& a, const Peak& b) { return a.log_mass < b.log_mass; });
    belief.second_mode = 0;
    double others = 0;
    for (const Peak& mode : modes)
      if (&mode != &*best) others += std::exp(mode.log_mass - best->log_mass);
    belief.second_mode = others / (1 + others);
    belief.mode = best->z;
    std::copy_n(best->covariance.data(), belief.covariance.size(), belief.covariance.begin());
    belief.log_evidence = best->log_mass;
    belief.effective = weigh(belief, best->log_peak);
    if (belief.effective < least_effective)
      cause = fmt::format("the posterior is not normal: importance weights leave {:.0f} % of what they would of a normal one",
                          100 * belief.effective);
    if (belief.second_mode > 0.05) cause = fmt::format("other modes hold {:.0f} % of the mass", 100 * belief.second_mode);
    belief.trusted = belief.effective >= least_effective && belief.second_mode <= 0.05;
  }
  if (was_trusted && !belief.trusted)
    belief.notices.push_back({true, "laplace", cause + ". Laplace's method is not to be trusted here; particles or a grid are"});
  if (!was_trusted && belief.trusted) belief.notices.push_back({false, "laplace", "the posterior is near enough to normal again"});
}

Update TextLaplace::update(Belief& any_belief, std::span<const double> stimulus, const Response& response, double) const {
  auto& belief = dynamic_cast<TextLaplaceBelief&>(any_belief);
  if (stimulus.empty()) return {false, 0, {}};
  const Trial trial = read(stimulus, response);
  if (trial.pending) {
    imagine(belief, stimulus, trial, 0);
    return {false, 0, {}};
  }
  if (!trial.counts && !likelihood_.has_states()) return {false, 0, {}};
  for (std::size_t j = 0; j < num_cells; ++j)
    if (trial.responses[j].censored && is_angle(*text().laws[j].law))
      throw RunError({fmt::format("response.marks[{}]", j), "observed or missing, of an angle", "censored",
                      "An angle has no two ends. The belief is unchanged."});
  std::vector<double> log_likelihood(num_samples_);
  log_likelihoods(belief, stimulus, trial.responses, log_likelihood);
  std::vector<Prediction> predictions = foretell(belief, stimulus, trial.responses);
  if (!(*std::max_element(log_likelihood.begin(), log_likelihood.end()) > -INFINITY))
    throw Refuted({"response", "possible under some sample", number_text(trial.responses[0].value),
                   "Every sample gives it probability 0. The belief is unchanged."},
                  std::move(predictions));
  remember(belief.history, stimulus, trial);
  belief.notices.clear();
  advance(belief, stimulus, trial);
  if (!trial.counts) return {false, 0, {}};
  ++belief.num_updates;
  const double before = belief.log_evidence;
  fit(belief);
  belief.predictions = std::move(predictions);
  belief.information = -belief.log_evidence;
  for (std::size_t i = 0; i < num_samples_; ++i)
    if (belief.weights[i] > 0) belief.information += belief.weights[i] * belief.log_likelihood[i];
  return {true, belief.log_evidence - before, belief.predictions};
}

}  // namespace hartline::models
