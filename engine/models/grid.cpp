#include "models/grid.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/math/special_functions/gamma.hpp>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "models/circle.hpp"
#include "models/grid_kernels.hpp"
#include "models/refuted.hpp"
#include "numerics/special.hpp"

namespace hartline::models {

namespace {
const GridBelief& grid(const Belief& belief) { return dynamic_cast<const GridBelief&>(belief); }
constexpr double negligible = 1e-15;
constexpr double max_expected_count = 600;  // exp(-λ) must stay a normal number

/// log P(r >= c) for a Poisson count.
double log_poisson_tail(double c, double rate) { return c > 0 ? std::log(boost::math::gamma_p(c, rate)) : 0; }

}  // namespace

GridModel::GridModel(std::unique_ptr<Family> family, std::vector<double> stimuli, Executor& executor, std::size_t max_bytes,
                     bool single_tables)
    : family_(std::move(family)), stimuli_(std::move(stimuli)), single_tables_(single_tables) {
  stimulus_dim = family_->stimulus_dim;
  double num_nodes = 1;
  for (const Parameter& parameter : family_->parameters) {
    num_nodes *= static_cast<double>(parameter.values.size());
    parameter_names.push_back(parameter.name);
  }
  num_parameters = family_->parameters.size();
  num_choices = family_->num_choices();
  const auto num_tables = static_cast<std::size_t>(num_choices > 0 ? num_choices : 3);
  const double bytes = static_cast<double>(num_stimuli()) * num_nodes * static_cast<double>(num_tables) * (single_tables ? 4 : 8);
  if (bytes > static_cast<double>(max_bytes))
    throw SpecError({"model", fmt::format("at most {:.1f} GB of tables", static_cast<double>(max_bytes) / 1e9),
                     fmt::format("{:.1f} GB for {} stimuli x {:.0f} nodes", bytes / 1e9, num_stimuli(), num_nodes),
                     "Use fewer values for a parameter or a coarser set of stimuli."});
  num_nodes_ = static_cast<std::size_t>(num_nodes);
  num_blocks_ = (num_nodes_ + block_size - 1) / block_size;
  num_groups_ = (num_nodes_ + group_size - 1) / group_size;
  response_kind = num_choices > 0 ? ResponseKind::choice : ResponseKind::counts;
  fill_tables(executor);
}

GridModel::~GridModel() = default;

void GridModel::node(std::size_t node_idx, std::span<double> out) const {
  for (std::size_t k = num_parameters; k-- > 0;) {
    const auto& values = family_->parameters[k].values;
    out[k] = values[node_idx % values.size()];
    node_idx /= values.size();
  }
}

template <class Visit>
void GridModel::for_each_node(const double* stimulus, Visit&& visit) const {
  constexpr std::size_t chunk = 4096;
  const auto num_out = static_cast<std::size_t>(std::max(family_->num_choices(), 1));
  // Kept from call to call, and taken out while in use: a family written by a user may come back here.
  thread_local std::vector<double> kept_parameters, kept_outcomes;
  std::vector<double> parameters = std::move(kept_parameters), outcomes = std::move(kept_outcomes);
  parameters.resize(std::min(chunk, num_nodes_) * num_parameters);
  outcomes.resize(std::min(chunk, num_nodes_) * num_out);
  for (std::size_t first = 0; first < num_nodes_; first += chunk) {
    const std::size_t num = std::min(chunk, num_nodes_ - first);
    for (std::size_t i = 0; i < num; ++i) node(first + i, {&parameters[i * num_parameters], num_parameters});
    family_->evaluate_all(stimulus, num, parameters.data(), outcomes.data());
    for (std::size_t i = 0; i < num; ++i) visit(first + i, &outcomes[i * num_out]);
  }
  kept_parameters = std::move(parameters);
  kept_outcomes = std::move(outcomes);
}

void GridModel::fill_tables(Executor& executor) {
  const std::size_t num_x = num_stimuli(), cells = num_x * num_nodes_;
  if (single_tables_ && num_choices == 0)
    throw SpecError({"belief.tables", "\"double\" for counts", "\"single\"", "Only choices have tables in single precision."});
  single_entropy_.resize(single_tables_ ? cells : 0);
  entropy_.resize(single_tables_ ? 0 : cells);
  if (num_choices > 0) {
    num_outcomes_ = static_cast<std::size_t>(num_choices);
    single_probability_.resize(single_tables_ ? cells * (num_outcomes_ - 1) : 0);
    probability_.resize(single_tables_ ? 0 : cells * (num_outcomes_ - 1));
  } else {
    rate_.resize(cells);
    zero_.resize(cells);
    top_count_.resize(num_x * num_groups_);
  }
  executor.for_each_block(static_cast<int>(num_x), [&](int block) {
    const auto x = static_cast<std::size_t>(block);
    for_each_node(&stimuli_[x * stimulus_dim], [&](std::size_t n, const double* outcome) {
      if (num_choices == 0) {
        rate_[x * num_nodes_ + n] = outcome[0];
        return;
      }
      double h = 0;
      for (std::size_t c = 0; c < num_outcomes_; ++c) {
        const std::size_t at = (x * (num_outcomes_ - 1) + c - 1) * num_nodes_ + n;
        if (c > 0 && single_tables_) single_probability_[at] = static_cast<float>(outcome[c]);
        if (c > 0 && !single_tables_) probability_[at] = outcome[c];
        if (outcome[c] > 0) h -= outcome[c] * std::log(outcome[c]);
      }
      if (single_tables_)
        single_entropy_[x * num_nodes_ + n] = static_cast<float>(h);
      else
        entropy_[x * num_nodes_ + n] = h;
    });
  });
  if (num_choices > 0) return;

  const double top_rate = *std::max_element(rate_.begin(), rate_.end());
  if (!(top_rate < max_expected_count))
    throw SpecError(
        {"model", fmt::format("< {} expected counts a bin", max_expected_count), fmt::format("{:.4g}", top_rate),
         "Lower the largest rate or the time that is counted in. Of a text, belief.follow = true and particles take any."});
  num_outcomes_ = static_cast<std::size_t>(count_bound(top_rate)) + 1;
  std::vector<double> log_factorials(num_outcomes_);
  for (std::size_t r = 0; r < num_outcomes_; ++r) log_factorials[r] = numerics::log_factorial(static_cast<double>(r));
  executor.for_each_block(static_cast<int>(num_x), [&](int block) {
    const auto x = static_cast<std::size_t>(block);
    for (std::size_t g = 0; g < num_groups_; ++g) {
      const std::size_t first = g * group_size, last = std::min(first + group_size, num_nodes_);
      const double* rate = &rate_[x * num_nodes_];
      const int top = count_bound(*std::max_element(rate + first, rate + last));
      top_count_[x * num_groups_ + g] = static_cast<std::uint16_t>(top);
      for (std::size_t n = first; n < last; ++n) {
        zero_[x * num_nodes_ + n] = std::exp(-rate[n]);
        entropy_[x * num_nodes_ + n] = poisson_entropy(rate[n], zero_[x * num_nodes_ + n], log_factorials);
      }
    }
  });
}

std::unique_ptr<Belief> GridModel::prior() const {
  auto belief = std::make_unique<GridBelief>();
  belief->log_weights.assign(num_nodes_, -std::log(static_cast<double>(num_nodes_)));
  belief->weights.assign(num_nodes_, 1 / static_cast<double>(num_nodes_));
  belief->log_likelihood.resize(num_nodes_);
  belief->active_blocks.resize(num_blocks_);
  std::iota(belief->active_blocks.begin(), belief->active_blocks.end(), 0u);
  return belief;
}

std::size_t GridModel::find(std::span<const double> stimulus) const {
  std::size_t x = 0;
  while (x < num_stimuli() && !std::equal(stimulus.begin(), stimulus.end(), &stimuli_[x * stimulus_dim])) ++x;
  return x;
}

void GridModel::node_log_likelihood(std::span<const double> stimulus, double response, std::span<double> out) const {
  const auto r = static_cast<std::size_t>(response);
  const bool choices = num_choices > 0;
  // a stimulus of the set is looked up, any other is evaluated, and so are all where tables are coarser than the belief
  if (const std::size_t x = find(stimulus); x < num_stimuli() && !single_tables_) {
    if (!choices) return poisson_log_likelihood(&rate_[x * num_nodes_], num_nodes_, response, out.data());
    const double* table = &probability_[x * (num_outcomes_ - 1) * num_nodes_];
    if (r > 0) return log_all(table + (r - 1) * num_nodes_, num_nodes_, out.data());
    for (std::size_t n = 0; n < num_nodes_; ++n) {
      double p = 1;
      for (std::size_t c = 0; c + 1 < num_outcomes_; ++c) p -= table[c * num_nodes_ + n];
      out[n] = p;
    }
    return log_all(out.data(), num_nodes_, out.data());
  }
  for_each_node(stimulus.data(),
                [&](std::size_t n, const double* outcome) { out[n] = choices ? std::log(std::max(outcome[r], 0.0)) : outcome[0]; });
  if (!choices) poisson_log_likelihood(out.data(), num_nodes_, response, out.data());
}

GridBelief& GridBelief::operator=(const GridBelief& other) {
  log_weights = other.log_weights;
  weights = other.weights;
  active_blocks = other.active_blocks;
  log_likelihood = other.log_likelihood;
  outcomes = other.outcomes;
  prediction = other.prediction;
  num_updates = other.num_updates;
  num_pending = other.num_pending;
  imagined.clear();
  outlook.clear();
  for (const auto& belief : other.imagined) {
    imagined.push_back(std::make_unique<GridBelief>(*belief));
    outlook.push_back(imagined.back().get());
  }
  return *this;
}

void GridModel::take(GridBelief& belief, std::span<const double> stimulus, double r, bool censored, double& evidence) const {
  if (censored) {
    for_each_node(stimulus.data(),
                  [&](std::size_t n, const double* outcome) { belief.log_likelihood[n] = log_poisson_tail(r, outcome[0]); });
  } else {
    node_log_likelihood(stimulus, r, belief.log_likelihood);
  }
  evidence = log_mean_exp(belief.log_weights.data(), belief.log_likelihood.data(), num_nodes_);
  if (!std::isfinite(evidence))
    throw Refuted({"response", "possible at some node", number_text(r),
                   "Every node of the grid gives it probability 0. The belief is unchanged."},
                  {foretell(belief, stimulus, r, censored)});
  reweight(belief.log_weights.data(), belief.log_likelihood.data(), evidence, num_nodes_, belief.weights.data());
  belief.active_blocks.clear();
  for (std::size_t b = 0; b < num_blocks_; ++b) {
    const auto first = belief.weights.begin() + static_cast<std::ptrdiff_t>(b * block_size);
    const auto last = belief.weights.begin() + static_cast<std::ptrdiff_t>(std::min((b + 1) * block_size, num_nodes_));
    if (std::accumulate(first, last, 0.0) > negligible) belief.active_blocks.push_back(static_cast<std::uint32_t>(b));
  }
}

void GridModel::imagine(GridBelief& belief, std::span<const double> stimulus) const {
  if (belief.imagined.empty()) {
    const GridBelief before(belief);  // a future has no futures of its own
    for (std::size_t k = 0; k < num_imagined; ++k) {
      belief.imagined.push_back(std::make_unique<GridBelief>(before));
      belief.outlook.push_back(belief.imagined.back().get());
    }
  }
  std::vector<double> parameters(num_parameters);
  for (std::size_t k = 0; k < num_imagined; ++k) {
    GridBelief& future = *belief.imagined[k];
    // the seed needs no experiment: imagined responses only have to differ from future to future and from trial to trial
    Stream stream(0, Purpose::imagine, belief.num_updates, belief.num_pending * num_imagined + k);
    double u = (static_cast<double>(k) + stream.uniform()) / static_cast<double>(num_imagined);  // stratified
    std::size_t n = 0;
    while (n + 1 < num_nodes_ && u >= future.weights[n]) u -= future.weights[n++];
    node(n, parameters);
    const double r = Model::sample(parameters, stimulus, stream);
    double evidence = 0;
    take(future, stimulus, r, false, evidence);
  }
  ++belief.num_pending;
}

Prediction GridModel::foretell(GridBelief& belief, std::span<const double> stimulus, double r, bool censored) const {
  const std::size_t x = find(stimulus);
  if (x == num_stimuli() || r >= static_cast<double>(num_outcomes_)) {
    const double below = x < num_stimuli() ? 1 : std::nan("");
    return {response_moments(belief, stimulus).first, below, censored ? 1 : below};
  }
  belief.outcomes.resize(num_outcomes_);
  predictive(belief, x, belief.outcomes);
  const auto first = belief.outcomes.begin();
  const double below = std::accumulate(first, first + static_cast<std::ptrdiff_t>(r), 0.0);
  return {mean_response(belief, x).first, below, censored ? 1 : below + belief.outcomes[static_cast<std::size_t>(r)]};
}

Update GridModel::update(Belief& any_belief, std::span<const double> stimulus, const Response& response, double) const {
  auto& belief = dynamic_cast<GridBelief&>(any_belief);
  if (stimulus.empty()) return {false, 0, {}};
  check(stimulus, response);
  const Mark mark = mark_of(response, 0);
  if (mark == Mark::pending) {
    imagine(belief, stimulus);
    return {false, 0, {}};
  }
  if (mark == Mark::missing || mark == Mark::blanked) return {false, 0, {}};
  const double r = response.values[0];
  const Prediction prediction = foretell(belief, stimulus, r, mark == Mark::censored);
  Update out{true, 0, {&belief.prediction, 1}};
  take(belief, stimulus, r, mark == Mark::censored, out.log_evidence);
  belief.prediction = prediction;
  ++belief.num_updates;
  return out;
}

void GridModel::condition(Belief& fork, std::size_t x, std::size_t outcome) const {
  double evidence = 0;
  take(dynamic_cast<GridBelief&>(fork), {&stimuli_[x * stimulus_dim], stimulus_dim}, static_cast<double>(outcome), false, evidence);
}

double GridModel::predictive(const Belief& any_belief, std::size_t x, std::span<double> p) const {
  const GridBelief& belief = grid(any_belief);
  std::fill(p.begin(), p.end(), 0.0);
  double mean_entropy = 0;
  const double* weights = belief.weights.data();
  for (const std::uint32_t b : belief.active_blocks) {
    const std::size_t first = b * block_size, count = std::min(block_size, num_nodes_ - first), at = x * num_nodes_ + first;
    if (num_choices > 0) {
      const std::size_t row = x * (num_outcomes_ - 1) * num_nodes_ + first;
      mean_entropy += single_tables_ ? average(weights + first, &single_probability_[row], num_nodes_, num_outcomes_ - 1,
                                               &single_entropy_[at], count, p.data() + 1)
                                     : average(weights + first, &probability_[row], num_nodes_, num_outcomes_ - 1, &entropy_[at],
                                               count, p.data() + 1);
    } else {
      mean_entropy += average_counts(weights + first, &rate_[at], &zero_[at], &entropy_[at], count,
                                     &top_count_[x * num_groups_ + first / group_size], p.data());
    }
  }
  if (num_choices > 0) p[0] = std::max(0.0, 1 - std::accumulate(p.begin() + 1, p.end(), 0.0));
  return mean_entropy;
}

double GridModel::expected_response(const double* outcome) const {
  double mean = 0;
  for (std::int64_t c = 0; c < num_choices; ++c) mean += static_cast<double>(c) * outcome[c];
  return num_choices > 0 ? mean : outcome[0];
}

double GridModel::expected_response(std::span<const double> parameters, std::span<const double> stimulus) const {
  double outcome[64];
  family_->evaluate(stimulus.data(), parameters.data(), outcome);
  return expected_response(outcome);
}

std::pair<double, double> GridModel::mean_response(const Belief& any_belief, std::size_t x) const {
  const GridBelief& belief = grid(any_belief);
  double mean = 0, square = 0;
  for (const std::uint32_t b : belief.active_blocks) {
    const std::size_t first = b * block_size, last = std::min(first + block_size, num_nodes_);
    for (std::size_t n = first; n < last; ++n) {
      double value = 0;
      if (num_choices == 0) {
        value = rate_[x * num_nodes_ + n];
      } else {
        for (std::size_t c = 1; c < num_outcomes_; ++c) value += static_cast<double>(c) * probability(x, c, n);
      }
      mean += belief.weights[n] * value;
      square += belief.weights[n] * value * value;
    }
  }
  return {mean, std::max(0.0, square - mean * mean)};
}

std::pair<double, double> GridModel::response_moments(const GridBelief& belief, std::span<const double> stimulus) const {
  double mean = 0, square = 0;
  for_each_node(stimulus.data(), [&](std::size_t n, const double* outcome) {
    const double value = expected_response(outcome);
    mean += belief.weights[n] * value;
    square += belief.weights[n] * value * value;
  });
  return {mean, std::sqrt(std::max(0.0, square - mean * mean))};
}

double GridModel::response_quantile(const GridBelief& belief, std::span<const double> stimulus, double p) const {
  std::vector<std::pair<double, double>> values(num_nodes_);
  for_each_node(stimulus.data(), [&](std::size_t n, const double* outcome) {
    values[n] = {expected_response(outcome), belief.weights[n]};
  });
  std::sort(values.begin(), values.end());
  double below = 0;
  for (const auto& [value, weight] : values) {
    below += weight;
    if (below >= p) return value;
  }
  return values.back().first;
}

void GridModel::predict(const Belief& belief, std::span<const double> stimuli, std::span<double> mean) const {
  for (std::size_t i = 0; i < mean.size(); ++i) {
    const std::span<const double> stimulus = stimuli.subspan(i * stimulus_dim, stimulus_dim);
    const std::size_t x = find(stimulus);
    mean[i] = x < num_stimuli() ? mean_response(belief, x).first : response_moments(grid(belief), stimulus).first;
  }
}

double GridModel::log_predictive(const GridBelief& belief, std::span<const double> stimulus, double response) const {
  const std::size_t x = find(stimulus);
  if (x < num_stimuli() && response < static_cast<double>(num_outcomes_)) {
    std::vector<double> p(num_outcomes_);
    predictive(belief, x, p);
    // the tables drop what is below 1e-15; the sum over all nodes decides there
    if (const double here = p[static_cast<std::size_t>(response)]; here > 1e-9) return std::log(here);
  }
  std::vector<double> log_likelihood(num_nodes_);
  node_log_likelihood(stimulus, response, log_likelihood);
  return log_mean_exp(belief.log_weights.data(), log_likelihood.data(), num_nodes_);
}

void GridModel::sample(std::span<const double> parameters, std::span<const double> stimulus, Context& context, Stream& stream,
                       std::span<double> response) const {
  double outcome[64];
  family_->evaluate(stimulus.data(), parameters.data(), outcome);
  if (num_choices == 0) {
    response[0] = stream.poisson(context.gain * outcome[0]);
    return;
  }
  double u = stream.uniform();
  int choice = 0;
  while (choice + 1 < num_choices && u >= outcome[choice]) u -= outcome[choice++];
  response[0] = choice;
}

double GridModel::log_likelihood(std::span<const double> parameters, std::span<const double> stimulus, double response) const {
  std::vector<double> outcome(std::max<std::size_t>(num_outcomes_, 1));
  family_->evaluate(stimulus.data(), parameters.data(), outcome.data());
  if (num_choices > 0) return std::log(outcome[static_cast<std::size_t>(response)]);
  return response * std::log(outcome[0]) - outcome[0] - numerics::log_factorial(response);
}

std::vector<double> GridModel::marginal(const GridBelief& belief, std::size_t parameter_idx) const {
  std::vector<double> out;
  marginal(belief, parameter_idx, out);
  return out;
}

void GridModel::marginal(const GridBelief& belief, std::size_t parameter_idx, std::vector<double>& out) const {
  std::size_t stride = 1;
  for (std::size_t k = parameter_idx + 1; k < num_parameters; ++k) stride *= family_->parameters[k].values.size();
  out.assign(family_->parameters[parameter_idx].values.size(), 0.0);
  for (std::size_t n = 0; n < num_nodes_; ++n) out[(n / stride) % out.size()] += belief.weights[n];
}

void GridModel::summarise(const Belief& belief, std::span<double> mean, std::span<double> sd) const {
  for (std::size_t k = 0; k < num_parameters; ++k) {
    const auto weights = marginal(grid(belief), k);
    const std::vector<double>& values = family_->parameters[k].values;
    if (const double period = family_->parameters[k].period; period > 0) {
      const Circle circle = on_circle(values, weights, period, 0.5 * (values.front() + values.back() - period));
      mean[k] = circle.mean;
      sd[k] = circle.sd;
      continue;
    }
    mean[k] = std::inner_product(weights.begin(), weights.end(), values.begin(), 0.0);
    double variance = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) variance += weights[i] * std::pow(values[i] - mean[k], 2);
    sd[k] = std::sqrt(variance);
  }
}

std::size_t GridModel::table_bytes() const {
  const std::size_t tables = num_choices > 0 ? num_outcomes_ : 3;
  return num_stimuli() * num_nodes_ * tables * (single_tables_ ? sizeof(float) : sizeof(double));
}

Capability GridModel::capability(const Belief& belief) const {
  return DiscreteView{grid(belief).weights, this, &belief, grid(belief).outlook};
}

double entropy(const GridBelief& belief) {
  double h = 0;
  for (std::size_t n = 0; n < belief.weights.size(); ++n)
    if (belief.weights[n] > 0) h -= belief.weights[n] * belief.log_weights[n];
  return h;
}

}  // namespace hartline::models
