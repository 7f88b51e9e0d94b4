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

GaussianBelief::GaussianBelief(std::size_t dim, std::size_t max_steps)
    : mean(dim, 0.0), covariance(dim * dim, 0.0), steps_g(max_steps * dim), s(dim), h(dim) {
  steps.reserve(max_steps);
}

GaussianBelief::GaussianBelief(const GaussianBelief& other) : GaussianBelief(other.mean.size(), other.steps.capacity()) {
  *this = other;
}

GaussianBelief& GaussianBelief::operator=(const GaussianBelief& other) {
  mean = other.mean;
  covariance = other.covariance;
  half_logdet = other.half_logdet;
  hyper = other.hyper;
  context = other.context;
  mean_response = other.mean_response;
  num_responses = other.num_responses;
  version = other.version;
  exact = other.exact;
  steps = other.steps;
  pending = other.pending;
  steps_g = other.steps_g;
  pending_g = other.pending_g;
  predictions = other.predictions;
  s = other.s;
  h = other.h;
  const std::size_t dim = mean.size();
  for (std::size_t i = 0; i < steps.size(); ++i) steps[i].g = &steps_g[i * dim];
  for (std::size_t i = 0; i < pending.size(); ++i) pending[i].g = &pending_g[i * dim];
  return *this;
}

void GaussianBelief::replace_by(const Belief& other) {
  const std::uint64_t last = version;
  *this = gaussian(other);
  version = last + 1;
  exact = false;
  steps.clear();
}

std::uint64_t GaussianBelief::digest() const {
  return content_hash(mean.data(), mean.size()) ^ (content_hash(covariance.data(), covariance.size()) * 3);
}

void GaussianBelief::begin_change() {
  ++version;
  exact = true;
  steps.clear();
}

double* GaussianBelief::add_step(bool is_pending) {
  const std::size_t dim = mean.size();
  std::vector<RankOneChange>& list = is_pending ? pending : steps;
  std::vector<double>& store = is_pending ? pending_g : steps_g;
  list.emplace_back();
  if (store.size() < list.size() * dim) store.resize(list.size() * dim);
  for (std::size_t i = 0; i < list.size(); ++i) list[i].g = &store[i * dim];
  return &store[(list.size() - 1) * dim];
}

Glm::Glm(const GlmSpec& spec, const GaussianBeliefSpec& belief, std::size_t frame_dim, const Sequence& sequence,
         std::span<const std::int64_t> shape)
    : law(make_response_law(spec.response, spec.link, spec.bin_ms / 1000, spec.noise_sd, "model", spec.overdispersion)),
      belief_(belief),
      sequence_(sequence),
      frame_dim_(frame_dim),
      num_lags_(static_cast<std::size_t>(spec.num_lags)),
      num_history_(static_cast<std::size_t>(spec.num_history)),
      coupling_(spec.coupling),
      bias_(spec.bias) {
  if (belief_.censored == "skip")
    throw SpecError(
        {"belief.censored", "tail", "\"skip\"",
         "What is lost is lost where rates are high: a belief that skips it comes out too low. \"forced_skip\" does it all "
         "the same."});
  if (coupling_ && num_history_ == 0)
    throw SpecError({"model.num_history", ">= 1 bins for coupling", "0 bins", "Coupling looks as far back as the history."});
  if (coupling_ && sequence_.num_cells < 2)
    throw SpecError({"model.coupling", "false for one cell", "true", "There is no other cell to look at."});
  stimulus_dim = frame_dim * sequence_.num_frames;
  num_bins = sequence_.num_frames;
  has_context = !sequence_.isolated && (num_lags_ > 1 || num_history_ > 0);
  num_parameters = num_lags_ * frame_dim + num_history_ * (coupling_ ? sequence_.num_cells : 1) + (bias_ ? 1 : 0);
  response_kind = law.law == Law::bernoulli  ? ResponseKind::choice
                  : law.law == Law::gaussian ? ResponseKind::trace
                                             : ResponseKind::counts;
  num_choices = law.law == Law::bernoulli ? 2 : 0;
  std::vector<std::int64_t> lattice(shape.begin(), shape.end());
  if (lattice.empty()) lattice = {1, static_cast<std::int64_t>(frame_dim)};
  if (lattice.size() == 1) lattice.insert(lattice.begin(), 1);
  if (belief_.prior && lattice.size() > 2)
    throw SpecError(
        {"stimulus.shape", "[rows, columns] or [num] for a prior over space", fmt::format("{} numbers", lattice.size()), ""});
  if (belief_.prior) {
    lattice.insert(lattice.begin(), spec.num_lags);
    prior_ = make_prior(*belief_.prior, lattice, "belief.prior");
    if (belief_.prior->fit && num_history_ > 0)
      throw SpecError({"belief.prior.fit", "false for a model that looks back at responses", "true", ""});
  }
  if (has_drift() && belief_.refine_every > 0)
    throw SpecError({"belief.refine_every", "0 when weights drift", fmt::format("{} trials", belief_.refine_every),
                     "A refit on the whole history assumes weights that stay."});
}

std::unique_ptr<Belief> Glm::prior() const {
  auto belief = std::make_unique<GaussianBelief>(num_parameters, num_bins + 2);
  if (belief_.prior) belief->hyper = prior_.start();
  set_prior(*belief);
  belief->context = start();
  return belief;
}

void Glm::set_prior(GaussianBelief& belief) const {
  const std::size_t dim = num_parameters, num_weights = num_lags_ * frame_dim_;
  std::fill(belief.mean.begin(), belief.mean.end(), 0.0);
  std::fill(belief.covariance.begin(), belief.covariance.end(), 0.0);
  belief.half_logdet = 0;
  for (std::size_t i = 0; i < dim; ++i) {
    const double sd = bias_ && i + 1 == dim ? belief_.bias_sd
                      : i < num_weights     ? belief_.prior_sd
                                            : belief_.history_sd.value_or(belief_.prior_sd);
    belief.covariance[i * dim + i] = sd * sd;
    belief.half_logdet += std::log(sd);
  }
  if (bias_) belief.mean[dim - 1] = belief_.bias_mean;
  if (!belief_.prior) return;
  const std::vector<double> weights = covariance(prior_, belief.hyper);
  for (std::size_t i = 0; i < num_weights; ++i) std::copy_n(&weights[i * num_weights], num_weights, &belief.covariance[i * dim]);
  const auto n = static_cast<Eigen::Index>(dim);
  belief.half_logdet = Eigen::LLT<Eigen::MatrixXd>(Eigen::Map<const RowMatrix>(belief.covariance.data(), n, n))
                           .matrixLLT()
                           .diagonal()
                           .array()
                           .log()
                           .sum();
}

void Glm::summarise(const Belief& any_belief, std::span<double> mean, std::span<double> sd) const {
  const GaussianBelief& belief = gaussian(any_belief);
  for (std::size_t i = 0; i < num_parameters; ++i) {
    mean[i] = belief.mean[i];
    sd[i] = std::sqrt(belief.covariance[i * num_parameters + i]);
  }
}

Context Glm::start() const {
  Context context;
  context.frames.assign((num_lags_ - 1) * frame_dim_, 0.0);
  context.responses.assign(num_history_ * sequence_.num_cells, 0.0);
  return context;
}

void Glm::rest(Context& context) const {
  std::fill(context.frames.begin(), context.frames.end(), 0.0);
  std::fill(context.responses.begin(), context.responses.end(), 0.0);
}

void Glm::place(const Context& context, std::span<const double> stimulus, std::size_t bin, std::size_t cell, double* s) const {
  const double* frame = stimulus.data() + bin * frame_dim_;
  s = std::copy(frame, frame + frame_dim_, s);
  s = std::copy(context.frames.begin(), context.frames.end(), s);
  const std::size_t num_cells_here = sequence_.num_cells;
  for (std::size_t j = 0; j < num_history_; ++j) *s++ = context.responses[j * num_cells_here + cell];
  if (coupling_)
    for (std::size_t other = 0; other < num_cells_here; ++other)
      for (std::size_t j = 0; j < num_history_ && other != cell; ++j) *s++ = context.responses[j * num_cells_here + other];
  if (bias_) *s = 1;
}

void Glm::advance(Context& context, std::span<const double> stimulus, std::size_t bin, std::span<const double> responses) const {
  if (num_lags_ > 1) {
    std::copy_backward(context.frames.begin(), context.frames.end() - static_cast<std::ptrdiff_t>(frame_dim_),
                       context.frames.end());
    std::copy_n(stimulus.begin() + static_cast<std::ptrdiff_t>(bin * frame_dim_), frame_dim_, context.frames.begin());
  }
  if (num_history_ > 0) {
    const auto num = static_cast<std::ptrdiff_t>(sequence_.num_cells);
    std::copy_backward(context.responses.begin(), context.responses.end() - num, context.responses.end());
    std::copy(responses.begin(), responses.end(), context.responses.begin());
  }
}

void Glm::let_time_pass(GaussianBelief& belief, double elapsed_s, bool is_pending) const {
  if (!has_drift() || !(elapsed_s > 0)) return;
  double* g = belief.add_step(is_pending);
  const std::size_t dim = num_parameters;
  std::fill(g, g + dim, 0.0);
  RankOneChange& change = (is_pending ? belief.pending : belief.steps).back();
  change.inflation = belief_.drift_per_s * elapsed_s;
  change.bias_inflation = bias_ ? belief_.bias_drift_per_s * elapsed_s : 0;
  for (std::size_t i = 0; i < dim; ++i)
    belief.covariance[i * dim + i] += bias_ && i + 1 == dim ? change.bias_inflation : change.inflation;
  belief.half_logdet = std::numeric_limits<double>::quiet_NaN();
}

Prediction Glm::observe(GaussianBelief& belief, const double* s, Datum datum, Mark mark, double& evidence) const {
  const std::size_t dim = num_parameters;
  Prediction out{0, std::nan(""), std::nan("")};
  if (mark == Mark::missing || mark == Mark::blanked) {
    out.mean = expected_response(law, numerics::dot(s, belief.mean.data(), dim), 0);
    return out;
  }
  if (datum.censored && belief_.censored == "forced_skip") {
    numerics::multiply_rows(belief.covariance.data(), num_parameters, 0, dim, dim, s, belief.h.data());
    return predict_response(law, datum, numerics::dot(s, belief.mean.data(), dim), numerics::dot(s, belief.h.data(), dim));
  }
  double* g = belief.add_step(mark == Mark::pending);
  RankOneChange& change = (mark == Mark::pending ? belief.pending : belief.steps).back();
  numerics::multiply_rows(belief.covariance.data(), dim, 0, dim, dim, s, g);
  const double v = numerics::dot(s, g, dim);
  const double m = numerics::dot(s, belief.mean.data(), dim);
  double information = 0;
  if (mark == Mark::pending) {
    information = expected_information(law, m, v, v);
    out.mean = expected_response(law, m, v);
  } else {
    out = predict_response(law, datum, m, v);
    const Mode mode = find_mode(law, datum, m, v);
    evidence += log_evidence(law, datum, m, v, mode);
    information = law.curvature(datum, mode.rho);
    if (!(information > 0)) information = datum.censored ? 0 : law.fisher(mode.rho);
    change.mean_step = mode.step;
    numerics::add_scaled(belief.mean.data(), mode.step, g, dim);
    belief.num_responses += 1;
    belief.mean_response += (datum.value - belief.mean_response) / belief.num_responses;
  }
  change.shrink = information / (1 + information * v);
  const double root = std::sqrt(change.shrink);
  for (std::size_t i = 0; i < dim; ++i) belief.h[i] = root * g[i];
  numerics::subtract_outer(belief.covariance.data(), dim, 0, dim, belief.h.data());
  belief.half_logdet -= 0.5 * std::log1p(information * v);
  return out;
}

Update Glm::update(Belief& any_belief, std::span<const double> stimulus, const Response& response, double elapsed_s) const {
  auto& belief = dynamic_cast<GaussianBelief&>(any_belief);
  bool is_pending = false, changes = has_drift() && elapsed_s > 0;
  if (!stimulus.empty()) {
    check(stimulus, response);
    for (std::size_t b = 0; b < num_bins; ++b) {
      const Mark mark = mark_of(response, b);
      is_pending = is_pending || mark == Mark::pending;
      changes = changes || has_value(mark);
    }
  }
  if (stimulus.empty() && !changes) return {false, 0, {}};
  // what only moves the context makes no version: a plan that followed a fork so far would miss the next change of the belief
  if (changes && !is_pending) belief.begin_change();
  let_time_pass(belief, elapsed_s, is_pending);
  if (stimulus.empty()) return {false, 0, {}};
  belief.predictions.resize(num_bins);
  Update out{false, 0, belief.predictions};
  if (sequence_.isolated) rest(belief.context);
  for (std::size_t b = 0; b < num_bins; ++b) {
    const Mark mark = b < sequence_.num_blank_bins ? Mark::blanked : mark_of(response, b);
    place(belief.context, stimulus, b, 0, belief.s.data());
    Prediction& prediction = belief.predictions[b];
    prediction = observe(belief, belief.s.data(), {response.values[b], mark == Mark::censored}, mark, out.log_evidence);
    out.used = out.used || has_value(mark);
    const bool known = has_value(mark) || (mark == Mark::blanked && std::isfinite(response.values[b]));
    const double seen = known ? response.values[b] : prediction.mean;
    advance(belief.context, stimulus, b, {&seen, 1});
  }
  return out;
}

const Reach* Glm::reach(const GaussianBelief& belief, const Context& context, std::size_t cell) const {
  if (!looks_back()) return nullptr;
  const std::size_t dim = num_parameters, num_frames = sequence_.num_frames, num_cells_here = sequence_.num_cells;
  Reach& reach = belief.reach;
  reach = {frame_dim_, num_frames, num_lags_, sequence_.num_blank_bins, num_frames - sequence_.num_blank_bins, dim, nullptr};
  if (!sequence_.isolated) reach.num_rows += num_lags_ - 1;
  belief.fixed.assign(reach.num_rows * dim, 0.0);
  for (std::size_t row = 0; row < reach.num_rows; ++row) {
    const std::size_t bin = reach.first_bin + row;
    double* s = &belief.fixed[row * dim];
    if (!sequence_.isolated)
      for (std::size_t lag = bin + 1; lag < num_lags_; ++lag)
        std::copy_n(context.frames.begin() + static_cast<std::ptrdiff_t>((lag - bin - 1) * frame_dim_), frame_dim_,
                    s + lag * frame_dim_);
    s += num_lags_ * frame_dim_;
    // responses that are not there yet are taken at the mean so far
    const auto earlier = [&](std::size_t j, std::size_t of) {
      return j >= bin && !sequence_.isolated ? context.responses[(j - bin) * num_cells_here + of] : belief.mean_response;
    };
    for (std::size_t j = 0; j < num_history_; ++j) *s++ = earlier(j, cell);
    if (coupling_)
      for (std::size_t other = 0; other < num_cells_here; ++other)
        for (std::size_t j = 0; j < num_history_ && other != cell; ++j) *s++ = earlier(j, other);
    if (bias_) *s = 1;
  }
  reach.fixed = belief.fixed.data();
  return &reach;
}

Capability Glm::capability(const Belief& any_belief) const {
  const GaussianBelief& belief = gaussian(any_belief);
  return GaussianView{num_parameters,
                      stimulus_dim,
                      belief.mean.data(),
                      belief.covariance.data(),
                      belief.half_logdet,
                      &law,
                      {belief.version, belief.exact, belief.steps},
                      belief.pending,
                      reach(belief, belief.context, 0)};
}

Rows Glm::rows(const History& history, std::size_t cell) const {
  Rows out;
  const std::size_t dim = num_parameters, num_cells_here = sequence_.num_cells;
  Context context = start();
  std::vector<double> seen(num_cells_here);
  double total = 0, count = 0;  // the mean response stands in for what is missing
  for (std::size_t t = 0; t < history.num_trials; ++t) {
    const std::span<const double> stimulus(&history.stimuli[t * stimulus_dim], stimulus_dim);
    if (sequence_.isolated) rest(context);
    for (std::size_t b = 0; b < num_bins; ++b) {
      const auto at = [&](std::size_t c) { return (t * num_cells_here + c) * num_bins + b; };
      const Mark mark = history.marks.empty() ? Mark::observed : history.marks[at(cell)];
      if (has_value(mark)) {
        out.s.resize((out.num + 1) * dim);
        place(context, stimulus, b, cell, &out.s[out.num * dim]);
        out.data.emplace_back(history.values[at(cell)], mark == Mark::censored);
        ++out.num;
        total += history.values[at(cell)];
        count += 1;
      }
      for (std::size_t c = 0; c < num_cells_here; ++c) {
        const bool lost = !history.marks.empty() && history.marks[at(c)] == Mark::missing;
        seen[c] = lost ? (count > 0 ? total / count : 0) : history.values[at(c)];
      }
      advance(context, stimulus, b, seen);
    }
  }
  return out;
}

void Glm::project(const GaussianBelief& belief, const Rows& rows, std::span<double> m, std::span<double> v) const {
  const auto dim = static_cast<Eigen::Index>(num_parameters), num = static_cast<Eigen::Index>(rows.num);
  const Eigen::Map<const RowMatrix> covariance(belief.covariance.data(), dim, dim);
  const Eigen::Map<const Eigen::VectorXd> mean(belief.mean.data(), dim);
  constexpr Eigen::Index block = 64;
  for (Eigen::Index first = 0; first < num; first += block) {
    const Eigen::Index count = std::min(block, num - first);
    const Eigen::Map<const RowMatrix> s(rows.s.data() + first * dim, count, dim);
    Eigen::Map<Eigen::VectorXd>(m.data() + first, count) = s * mean;
    Eigen::Map<Eigen::VectorXd>(v.data() + first, count) = (s * covariance).cwiseProduct(s).rowwise().sum();
  }
}

void Glm::predict(const Belief& any_belief, std::span<const double> stimuli, std::span<double> mean) const {
  const GaussianBelief& belief = gaussian(any_belief);
  Rows rows;
  rows.num = num_bins;
  rows.s.resize(num_bins * num_parameters);
  std::vector<double> m(num_bins), v(num_bins);
  for (std::size_t i = 0; i * num_bins < mean.size(); ++i) {
    const std::span<const double> stimulus = stimuli.subspan(i * stimulus_dim, stimulus_dim);
    Context context = belief.context;
    if (sequence_.isolated) rest(context);
    const std::vector<double> seen(sequence_.num_cells, belief.mean_response);
    for (std::size_t b = 0; b < num_bins; ++b) {
      place(context, stimulus, b, 0, &rows.s[b * num_parameters]);
      advance(context, stimulus, b, seen);
    }
    project(belief, rows, m, v);
    for (std::size_t b = 0; b < num_bins; ++b) mean[i * num_bins + b] = expected_response(law, m[b], v[b]);
  }
}

void Glm::sample(std::span<const double> parameters, std::span<const double> stimulus, Context& context, Stream& stream,
                 std::span<double> response) const {
  context.s.resize(num_parameters);
  if (sequence_.isolated) rest(context);
  for (std::size_t b = 0; b < num_bins; ++b) {
    place(context, stimulus, b, 0, context.s.data());
    response[b] = law.sample(numerics::dot(context.s.data(), parameters.data(), num_parameters), stream, context.gain);
    advance(context, stimulus, b, {&response[b], 1});
  }
}

double Glm::log_likelihood(std::span<const double> parameters, std::span<const double> stimulus, double response) const {
  double rho = bias_ ? parameters[num_parameters - 1] : 0;
  rho += numerics::dot(parameters.data(), stimulus.data(), stimulus_dim);
  return law.log_likelihood(response, rho);
}

double half_logdet(const GaussianView& view) {
  if (!std::isnan(view.half_logdet)) return view.half_logdet;
  const auto dim = static_cast<Eigen::Index>(view.dim);
  const Eigen::LLT<Eigen::MatrixXd> cholesky(Eigen::Map<const RowMatrix>(view.covariance, dim, dim));
  return cholesky.matrixLLT().diagonal().array().log().sum();
}

}  // namespace hartline::models
