#include "models/gaussian_process.hpp"

#include <fmt/format.h>

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.hpp"
#include "numerics/dense.hpp"
#include "numerics/panels.hpp"

namespace hartline::models {

namespace {

constexpr double smallest_share = 1e-14;  // of the prior variance: what rounding leaves of a difference
constexpr double jitter = 1e-8;           // of the prior variance, on the diagonal of what is factored for a draw

/// y = A x for a symmetric A of which the lower half is stored row by row.
void multiply_packed(const double* a, std::size_t n, const double* x, double* y) {
  std::fill(y, y + n, 0.0);
  for (std::size_t i = 0; i < n; a += ++i) {
    y[i] += numerics::dot(a, x, i + 1);
    numerics::add_scaled(y, x[i], a, i);
  }
}

/// Σ_i x_i y_i
double dot(const std::vector<double>& x, const std::vector<double>& y, std::size_t n) {
  return numerics::dot(x.data(), y.data(), n);
}

}  // namespace

double SmoothPrior::covariance(const double* x, const double* y) const {
  double squares = 0;
  for (std::size_t d = 0; d < length.size(); ++d) {
    const double z = (x[d] - y[d]) / length[d];
    squares += z * z;
  }
  return variance * std::exp(-0.5 * squares);
}

GaussianProcessBelief::GaussianProcessBelief(std::size_t num_members, std::size_t stimulus_dim, std::size_t room)
    : num(num_members), dim(stimulus_dim), mean(num_members), variance(num_members), squares(num_members) {
  reserve(room);
}

GaussianProcessBelief::GaussianProcessBelief(const GaussianProcessBelief& other)
    : GaussianProcessBelief(other.num, other.dim, other.max_visited) {
  *this = other;
}

void GaussianProcessBelief::replace_by(const Belief& other) {
  const std::uint64_t last = version;
  *this = dynamic_cast<const GaussianProcessBelief&>(other);
  version = last + 1;
}

std::uint64_t GaussianProcessBelief::digest() const {
  return content_hash(mean.data(), mean.size()) ^ (content_hash(variance.data(), variance.size()) * 3);
}

void GaussianProcessBelief::reserve(std::size_t room) {
  max_visited = room;
  places.reserve(room * dim);
  for (auto* v : {&total, &count, &offset, &a, &phi, &root_info, &slope, &info, &step, &moved, &trial_a, &trial_phi, &a_before})
    v->reserve(room);
  among.reserve(room * (room + 1) / 2);
  lower.reserve(room * room);
  columns.reserve(room * num);
  root.reserve(room * num);
  panel.reserve(room * numerics::panel_columns);
  censored.reserve(room);
  censored_at.reserve(room);
}

GaussianProcess::GaussianProcess(const GaussianProcessSpec& spec, const GaussianProcessBeliefSpec& belief, std::vector<double> pool,
                                 std::size_t dim, std::size_t max_visited)
    : law(make_response_law(spec.response, spec.link, spec.bin_ms / 1000, 1, "model", spec.overdispersion)),
      belief_(belief),
      prior_{spec.mean, spec.variance, spec.length},
      pool_(std::move(pool)),
      max_visited_(max_visited) {
  if (dim == 0 || pool_.empty() || pool_.size() % dim != 0)
    throw SpecError({"stimulus.kind", "axis, file or random_pool for this model, with at least one member", "another",
                     "A Gaussian process is kept at the members of a pool."});
  for (std::size_t i = 0; i < pool_.size(); ++i)
    if (!std::isfinite(pool_[i])) throw SpecError({fmt::format("stimulus.pool[{}]", i / dim), "finite", number_text(pool_[i]), ""});
  if (prior_.length.size() == 1) prior_.length.resize(dim, prior_.length[0]);
  if (prior_.length.size() != dim)
    throw SpecError({"model.length", fmt::format("one number, or one for each of {} dimensions", dim),
                     fmt::format("{} numbers", spec.length.size()), ""});
  stimulus_dim = dim;
  num_parameters = pool_.size() / dim;
  parameter_names.resize(num_parameters);
  response_kind = ResponseKind::counts;
  order_.resize(num_parameters);
  std::iota(order_.begin(), order_.end(), 0U);
  const auto place = [&](std::uint32_t i) { return std::span<const double>(&pool_[i * dim], dim); };
  std::stable_sort(order_.begin(), order_.end(), [&](std::uint32_t i, std::uint32_t j) {
    return std::lexicographical_compare(place(i).begin(), place(i).end(), place(j).begin(), place(j).end());
  });
  members_ = whole(prior_);
}

std::shared_ptr<const std::vector<double>> GaussianProcess::whole(const SmoothPrior& prior) const {
  const std::size_t num = num_parameters;
  if (num > max_members_whole) return nullptr;
  auto k = std::make_shared<std::vector<double>>(num * num);
  for (std::size_t i = 0; i < num; ++i)
    for (std::size_t j = 0; j <= i; ++j)
      (*k)[i * num + j] = (*k)[j * num + i] = prior.covariance(&pool_[i * stimulus_dim], &pool_[j * stimulus_dim]);
  return k;
}

std::unique_ptr<Belief> GaussianProcess::prior() const {
  auto belief = std::make_unique<GaussianProcessBelief>(num_parameters, stimulus_dim, max_visited_);
  belief->prior = prior_;
  belief->members = members_;
  spread_out(*belief);
  return belief;
}

std::size_t GaussianProcess::member(std::span<const double> stimulus) const {
  const auto less = [&](std::uint32_t i, std::span<const double> x) {
    const double* p = &pool_[i * stimulus_dim];
    return std::lexicographical_compare(p, p + stimulus_dim, x.begin(), x.end());
  };
  const auto found = std::lower_bound(order_.begin(), order_.end(), stimulus, less);
  if (found == order_.end() || !std::equal(stimulus.begin(), stimulus.end(), &pool_[*found * stimulus_dim])) return num_parameters;
  return *found;
}

// --- the places visited ---------------------------------------------------------------------------------------------------

/// Where x stands among the places visited; a new one is added, with no responses yet.
std::size_t GaussianProcess::visit(GaussianProcessBelief& b, const double* x) const {
  const std::size_t n = stimulus_dim;
  for (std::size_t i = 0; i < b.num_visited; ++i)
    if (std::equal(x, x + n, &b.places[i * n])) return i;
  const std::size_t at = b.num_visited++;
  if (b.num_visited > b.max_visited) b.reserve(std::max<std::size_t>(16, 2 * b.max_visited));
  b.places.insert(b.places.end(), x, x + n);
  for (auto* v : {&b.total, &b.count, &b.offset, &b.a}) v->push_back(0);
  for (std::size_t i = 0; i <= at; ++i) b.among.push_back(b.prior.covariance(&b.places[i * n], x));
  for (std::size_t j = 0; j < b.num; ++j) b.columns.push_back(b.prior.covariance(&pool_[j * n], x));
  return at;
}

/// Takes back the last place.
void GaussianProcess::leave(GaussianProcessBelief& b) const {
  --b.num_visited;
  b.places.resize(b.num_visited * stimulus_dim);
  for (auto* v : {&b.total, &b.count, &b.offset, &b.a}) v->pop_back();
  b.among.resize(b.num_visited * (b.num_visited + 1) / 2);
  b.columns.resize(b.num_visited * b.num);
}

void GaussianProcess::fold(GaussianProcessBelief& b, std::size_t at, Datum r) const {
  if (r.censored) {
    b.censored_at.push_back(static_cast<std::uint32_t>(at));
    b.censored.push_back(r.value);
    return;
  }
  const auto folded = [&] { return b.count[at] > 0 ? b.count[at] * law.log_likelihood(b.total[at] / b.count[at], 0) : 0; };
  b.offset[at] += folded() + law.log_likelihood(r.value, 0);
  b.total[at] += r.value;
  b.count[at] += 1;
  b.offset[at] -= folded();
}

/// log p(responses | φ) without what does not depend on φ; fills slope and info.
double GaussianProcess::evaluate(GaussianProcessBelief& b, std::span<const double> phi) const {
  double value = 0;
  for (std::size_t i = 0; i < b.num_visited; ++i) {
    const double n = b.count[i], r = n > 0 ? b.total[i] / n : 0;
    value += n > 0 ? n * law.log_likelihood(r, phi[i]) : 0;
    b.slope[i] = n > 0 ? n * law.slope(r, phi[i]) : 0;
    b.info[i] = n > 0 ? n * law.curvature(r, phi[i]) : 0;
  }
  for (std::size_t k = 0; k < b.censored.size(); ++k) {
    const std::size_t i = b.censored_at[k];
    const Datum r(b.censored[k], true);
    value += law.log_likelihood(r, phi[i]);
    b.slope[i] += law.slope(r, phi[i]);
    b.info[i] += law.curvature(r, phi[i]);
  }
  for (std::size_t i = 0; i < b.num_visited; ++i)
    if (!(b.info[i] > 0)) b.info[i] = b.count[i] > 0 ? b.count[i] * law.fisher(phi[i]) : 0;
  return value;
}

/// Newton's way to the mode from a. At place `hinted` the first step is taken from φ = hint. Returns false where it ends nowhere.
///
///   (I + W K) Δa = ∂ log p/∂φ + W (φ_hint - φ) - a,     solved as g - W^½ L⁻ᵀ L⁻¹ W^½ K g
bool GaussianProcess::settle(GaussianProcessBelief& b, std::size_t hinted, double hint) const {
  const std::size_t n = b.num_visited;
  for (auto* v : {&b.phi, &b.root_info, &b.slope, &b.info, &b.step, &b.moved, &b.trial_a, &b.trial_phi}) v->resize(n);
  b.lower.resize(n * n);
  const auto place_phi = [&](const std::vector<double>& a, std::vector<double>& phi) {
    multiply_packed(b.among.data(), n, a.data(), phi.data());
    for (double& p : phi) p += b.prior.mean;
  };
  const auto distance = [&](const std::vector<double>& a, const std::vector<double>& phi) {
    return 0.5 * (dot(a, phi, n) - b.prior.mean * std::accumulate(a.begin(), a.end(), 0.0));
  };
  place_phi(b.a, b.phi);
  double value = evaluate(b, b.phi) - distance(b.a, b.phi), before = std::numeric_limits<double>::infinity();
  for (int iteration = 0; iteration < 200; ++iteration) {
    const bool is_hinted = iteration == 0 && hinted < n;
    b.trial_phi = b.phi;
    if (is_hinted) b.trial_phi[hinted] = hint;
    const double likelihood = evaluate(b, b.trial_phi);
    if (!is_hinted) value = likelihood - distance(b.a, b.phi);
    for (std::size_t i = 0; i < n; ++i) {
      b.root_info[i] = std::sqrt(b.info[i]);
      b.slope[i] += b.info[i] * (b.trial_phi[i] - b.phi[i]) - b.a[i];
    }
    const double* k = b.among.data();
    for (std::size_t i = 0; i < n; k += ++i) {
      for (std::size_t j = 0; j <= i; ++j) b.lower[i * n + j] = b.root_info[i] * k[j] * b.root_info[j];
      b.lower[i * n + i] += 1;
    }
    if (!numerics::factor_lower(b.lower.data(), n)) {
      if (is_hinted) continue;
      return false;
    }
    multiply_packed(b.among.data(), n, b.slope.data(), b.step.data());
    for (std::size_t i = 0; i < n; ++i) b.step[i] *= b.root_info[i];
    numerics::solve_lower(b.lower.data(), n, b.step.data());
    numerics::solve_lower_transposed(b.lower.data(), n, b.step.data());
    for (std::size_t i = 0; i < n; ++i) b.step[i] = b.slope[i] - b.root_info[i] * b.step[i];
    multiply_packed(b.among.data(), n, b.step.data(), b.moved.data());
    // twice the gain of a full step on a quadratic: the squared length of the step in posterior standard deviations
    const double promised = dot(b.slope, b.moved, n);
    if (!is_hinted) {
      if (!std::isfinite(promised)) return false;
      const bool at_rest = promised < 1e-22 || (promised < 1e-10 && promised > 0.25 * before);
      if (at_rest) {
        b.laplace_evidence = value + std::accumulate(b.offset.begin(), b.offset.end(), 0.0);
        for (std::size_t i = 0; i < n; ++i) b.laplace_evidence -= std::log(b.lower[i * n + i]);
        return true;
      }
      before = promised;
    }
    bool better = false;
    for (double scale = 1; !better; scale *= 0.5) {
      if (is_hinted && scale < 1) break;  // the hint leads nowhere
      if (scale < 1e-12) return false;
      for (std::size_t i = 0; i < n; ++i) {
        b.trial_a[i] = b.a[i] + scale * b.step[i];
        b.trial_phi[i] = b.phi[i] + scale * b.moved[i];
      }
      const double next = evaluate(b, b.trial_phi) - distance(b.trial_a, b.trial_phi);
      // near the mode the value no longer tells steps apart: its rounding is as large as what a step gains
      const bool close = !is_hinted && promised < 1e-10 * (1 + std::abs(value));
      better = std::isfinite(next) && (close || next >= value + (is_hinted ? 0 : 1e-4 * scale * promised));
    }
    if (!better) continue;
    std::swap(b.a, b.trial_a);
    place_phi(b.a, b.phi);
  }
  return false;
}

/// Mean and variance of the members from the mode.
void GaussianProcess::spread_out(GaussianProcessBelief& b) const {
  const std::size_t n = b.num_visited;
  b.root.resize(n * b.num);
  b.panel.resize(n * numerics::panel_columns);
  numerics::solve_lower_panels(b.lower.data(), n, b.root_info.data(), b.columns.data(), b.num, b.root.data(), b.squares.data(),
                               b.panel.data());
  numerics::multiply_transposed(b.columns.data(), b.num, n, b.num, b.a.data(), b.mean.data());
  for (std::size_t j = 0; j < b.num; ++j) {
    b.mean[j] += b.prior.mean;
    b.variance[j] = std::max(b.prior.variance - b.squares[j], smallest_share * b.prior.variance);
  }
}

namespace {

/// Mean and variance of φ at a place, [num_visited] of scratch.
std::pair<double, double> moments_at(const GaussianProcessBelief& b, const double* x, double* scratch) {
  double m = b.prior.mean;
  for (std::size_t i = 0; i < b.num_visited; ++i) {
    const double k = b.prior.covariance(&b.places[i * b.dim], x);
    m += k * b.a[i];
    scratch[i] = k * b.root_info[i];
  }
  numerics::solve_lower(b.lower.data(), b.num_visited, scratch);
  const double v = b.prior.variance - numerics::dot(scratch, scratch, b.num_visited);
  return {m, std::max(v, smallest_share * b.prior.variance)};
}

}  // namespace

std::pair<double, double> GaussianProcess::moments(const GaussianProcessBelief& belief, const double* x) const {
  std::vector<double> scratch(belief.num_visited);
  return moments_at(belief, x, scratch.data());
}

Update GaussianProcess::update(Belief& any_belief, std::span<const double> stimulus, const Response& response, double) const {
  auto& b = dynamic_cast<GaussianProcessBelief&>(any_belief);
  if (stimulus.empty()) return {false, 0, {}};
  check(stimulus, response);
  const Mark mark = mark_of(response, 0);
  const std::size_t member_idx = member(stimulus);
  const auto [m, v] =
      member_idx < b.num ? std::pair{b.mean[member_idx], b.variance[member_idx]} : moments_at(b, stimulus.data(), b.step.data());
  b.prediction = {expected_response(law, m, v), std::nan(""), std::nan("")};
  Update out{false, 0, {&b.prediction, 1}};
  if (mark == Mark::missing || mark == Mark::blanked) return out;

  const std::size_t num_before = b.num_visited, at = visit(b, stimulus.data());
  const double total = b.total[at], count = b.count[at], offset = b.offset[at];
  const std::size_t num_censored = b.censored.size();
  b.a_before = b.a;
  std::size_t hinted = at;
  double hint = m;
  if (mark == Mark::pending) {
    fold(b, at, law.mean(m));
    hinted = b.num_visited;  // the mode stays
  } else {
    const Datum r(response.values[0], mark == Mark::censored);
    b.prediction = predict_response(law, r, m, v);
    const Mode mode = find_mode(law, r, m, v);
    out.log_evidence = log_evidence(law, r, m, v, mode);
    out.used = true;
    hint = mode.rho;
    fold(b, at, r);
  }
  if (!settle(b, hinted, hint)) {
    b.a = b.a_before;
    b.censored.resize(num_censored);
    b.censored_at.resize(num_censored);
    b.total[at] = total, b.count[at] = count, b.offset[at] = offset;
    if (b.num_visited > num_before) leave(b);
    settle(b, b.num_visited, 0);
    throw RunError({"response", "one that the belief can explain", fmt::format("{}", response.values[0]),
                    "No mode was found. The belief is unchanged."});
  }
  spread_out(b);
  ++b.version;
  return out;
}

void GaussianProcess::predict(const Belief& belief, std::span<const double> stimuli, std::span<double> mean) const {
  const auto& b = dynamic_cast<const GaussianProcessBelief&>(belief);
  std::vector<double> scratch(b.num_visited);
  for (std::size_t i = 0; i < mean.size(); ++i) {
    const std::span<const double> x = stimuli.subspan(i * stimulus_dim, stimulus_dim);
    const std::size_t at = member(x);
    const auto [m, v] = at < b.num ? std::pair{b.mean[at], b.variance[at]} : moments_at(b, x.data(), scratch.data());
    mean[i] = expected_response(law, m, v);
  }
}

void GaussianProcess::sample(std::span<const double> parameters, std::span<const double> stimulus, Context& context, Stream& stream,
                             std::span<double> response) const {
  const std::size_t at = member(stimulus);
  if (at == num_parameters)
    throw RunError({"stimulus", "a member of the pool", "another", "A simulated φ is known at the members only."});
  response[0] = law.sample(parameters[at], stream, context.gain);
}

double GaussianProcess::log_likelihood(std::span<const double> parameters, std::span<const double> stimulus,
                                       double response) const {
  const std::size_t at = member(stimulus);
  if (at == num_parameters) throw RunError({"stimulus", "a member of the pool", "another", "The parameters are φ at the members."});
  return law.log_likelihood(response, parameters[at]);
}

void GaussianProcess::summarise(const Belief& any_belief, std::span<double> mean, std::span<double> sd) const {
  const auto& belief = dynamic_cast<const GaussianProcessBelief&>(any_belief);
  for (std::size_t i = 0; i < belief.num; ++i) {
    mean[i] = belief.mean[i];
    sd[i] = std::sqrt(belief.variance[i]);
  }
}

Capability GaussianProcess::capability(const Belief& belief) const {
  const auto& b = dynamic_cast<const GaussianProcessBelief&>(belief);
  return FunctionView{b.mean, b.variance, &law, b.members ? b.members->data() : nullptr, b.num_visited, b.root.data()};
}

std::vector<double> GaussianProcess::draw_truth(Stream& stream) const {
  const std::size_t num = num_parameters;
  if (!members_)
    throw SpecError(
        {"stimulus", fmt::format("a pool of at most {} for a drawn truth", max_members_whole), fmt::format("{}", num), ""});
  std::call_once(factored_, [&] {
    Eigen::MatrixXd k =
        Eigen::Map<const Eigen::MatrixXd>(members_->data(), static_cast<Eigen::Index>(num), static_cast<Eigen::Index>(num));
    k.diagonal().array() += jitter * prior_.variance;
    const Eigen::LLT<Eigen::Ref<Eigen::MatrixXd>> cholesky(k);
    factor_.resize(num * num);
    for (std::size_t i = 0; i < num; ++i)
      for (std::size_t j = 0; j <= i; ++j) factor_[i * num + j] = k(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j));
  });
  std::vector<double> z(num), phi(num);
  stream.fill_normal(z);
  for (std::size_t i = 0; i < num; ++i) phi[i] = prior_.mean + numerics::dot(&factor_[i * num], z.data(), i + 1);
  return phi;
}

}  // namespace hartline::models
