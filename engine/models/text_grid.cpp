#include "models/text_grid.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "models/refuted.hpp"
#include "numerics/special.hpp"

namespace hartline::models {

namespace {

constexpr double max_nodes = 1e8;
constexpr double border_mass = 0.02;   // on the outermost value, from which on an axis is widened
constexpr double least_effective = 5;  // values that matter, below which an axis is narrowed
constexpr double least_along = 1.6;    // the same along lines of nodes, below which a power of the likelihood is looked at instead
constexpr double least_told = 1.4;     // below which a warning is given
constexpr double negligible = 1e-5;    // share of the mass beyond the new ends
constexpr double negligible_tempered = 1e-3;  // the same under a power of the likelihood, which is wider
constexpr double farthest = 6;                // normal score: 1e-9 of the prior lies beyond
constexpr int max_rounds = 40;                // of one update
constexpr std::size_t block = 4096;           // nodes

/// The normal score in the middle of share j of num of equal probability.
double score_of_share(std::size_t j, std::size_t num) {
  return numerics::normal_quantile((static_cast<double>(j) + 0.5) / static_cast<double>(num));
}

/// What value j of an axis stands for: up to the middles to its neighbours; at the ends as much beyond, as what lies further was
/// found to be improbable.
std::pair<double, double> reach_of(const std::vector<double>& axis, std::size_t j) {
  const double before = j > 0 ? axis[j] - axis[j - 1] : axis[1 % axis.size()] - axis[0];
  const double after = j + 1 < axis.size() ? axis[j + 1] - axis[j] : before;
  return {axis[j] - 0.5 * before, axis[j] + 0.5 * after};
}

}  // namespace

std::uint64_t TextGridBelief::digest() const {
  return content_hash(parameters.data(), parameters.size()) * 0x9e3779b97f4a7c15ULL + content_hash(weights.data(), weights.size());
}

TextGrid::TextGrid(std::shared_ptr<const EncodingText> text, const std::vector<std::size_t>& num_values, bool follow,
                   Executor& executor)
    : TextModel(std::move(text), executor), follow_(follow) {
  double num = 1;
  for (std::size_t k = 0; k < this->text().parameters.size(); ++k) {
    const TextParameter& parameter = this->text().parameters[k];
    for (std::size_t j = 0; j < parameter.num(); ++j) {
      num_values_.push_back(parameter.prior.nodes(num_values[k]).size());
      priors_.push_back(&parameter.prior);
      num *= static_cast<double>(num_values_.back());
    }
  }
  if (num > max_nodes)
    throw SpecError({"belief.num_values", fmt::format("at most {:g} nodes in all", max_nodes), fmt::format("{:g}", num),
                     "Take fewer values, or belief.kind = \"particles\"."});
}

std::unique_ptr<Belief> TextGrid::prior() const {
  auto out = std::make_unique<TextGridBelief>();
  for (std::size_t k = 0; k < num_parameters; ++k) {
    std::vector<double>& axis = out->axes.emplace_back();
    for (std::size_t j = 0; j < num_values_[k]; ++j)
      axis.push_back(priors_[k]->is_uneven() ? priors_[k]->score_of(j) : score_of_share(j, num_values_[k]));
  }
  lay(*out);
  weigh(*out);
  return out;
}

/// Nodes of the axes, with the likelihood of everything so far.
void TextGrid::lay(TextGridBelief& belief) const {
  std::size_t num = 1;
  for (const std::vector<double>& axis : belief.axes) num *= axis.size();
  belief.scores.resize(num_parameters * num);
  belief.parameters.resize(likelihood_.num_rows() * num);
  belief.arguments.resize(likelihood_.num_arguments() * num);
  belief.log_prior.assign(num, 0.0);
  belief.log_likelihood.resize(num);
  belief.weights.resize(num);
  std::size_t stride = num;
  for (std::size_t k = 0; k < num_parameters; ++k) {
    const std::vector<double>& axis = belief.axes[k];
    stride /= axis.size();
    // probability of a value: that of the prior between the middles to its neighbours
    std::vector<double> log_prior(axis.size()), values(axis.size());
    for (std::size_t j = 0; j < axis.size(); ++j) {
      values[j] = priors_[k]->from_normal(axis[j]);  // of a correlated parameter it is worked out below
      const auto [low, high] = reach_of(axis, j);
      const double p = low > 0 ? numerics::normal_cdf(-low) - numerics::normal_cdf(-high)
                               : numerics::normal_cdf(high) - numerics::normal_cdf(low);
      const bool even = has_equal_shares(axis, k);
      log_prior[j] = priors_[k]->is_uneven() ? priors_[k]->log_density(values[j])
                     : even                  ? -std::log(static_cast<double>(axis.size()))
                                             : std::log(p);
    }
    for (std::size_t n = 0; n < num; ++n) {
      const std::size_t j = n / stride % axis.size();
      belief.scores[k * num + n] = axis[j];
      belief.parameters[k * num + n] = values[j];
      belief.log_prior[n] += log_prior[j];
    }
  }
  if (text().is_correlated()) text().from_scores(belief.scores.data(), num, num, belief.parameters.data());
  belief.log_joint = belief.log_prior;
  const std::size_t num_blocks = (num + block - 1) / block;
  executor_.for_each_block(static_cast<int>(num_blocks), [&](int b) {
    const std::size_t first = static_cast<std::size_t>(b) * block, count = std::min(block, num - first);
    std::vector<double> total(count);
    replay(belief.history, belief.history.num, &belief.parameters[first], num, count, total.data(), &belief.log_likelihood[first]);
    for (std::size_t i = 0; i < count; ++i) belief.log_joint[first + i] += total[i];
  });
}

/// Weights, evidence and information from the joint.
void TextGrid::weigh(TextGridBelief& belief) const {
  const double top = *std::max_element(belief.log_joint.begin(), belief.log_joint.end());
  double total = 0;
  for (std::size_t i = 0; i < belief.num(); ++i) total += belief.weights[i] = std::exp(belief.log_joint[i] - top);
  for (double& w : belief.weights) w /= total;
  belief.log_evidence = top + std::log(total);
}

std::pair<double, double> TextGrid::ends(const TextGridBelief& belief, std::size_t k) const {
  return {priors_[k]->from_normal(belief.axes[k].front()), priors_[k]->from_normal(belief.axes[k].back())};
}

/// Whether an axis is that of the prior, whose values stand for shares of equal probability.
bool TextGrid::has_equal_shares(const std::vector<double>& axis, std::size_t k) const {
  if (priors_[k]->is_discrete()) return true;
  const std::size_t num = axis.size();
  return num == num_values_[k] && axis.front() == score_of_share(0, num) && axis.back() == score_of_share(num - 1, num);
}

double TextGrid::quantile(const SampleBelief& of, std::size_t k, double p) const {
  const auto& belief = dynamic_cast<const TextGridBelief&>(of);
  const std::vector<double>& axis = belief.axes[k];
  if (priors_[k]->is_discrete() || priors_[k]->period() > 0 || text().is_correlated() || axis.size() < 2)
    return TextModel::quantile(of, k, p);
  const std::vector<double> weights = marginal(belief, k);
  std::size_t j = 0;
  double below = 0;
  while (j + 1 < axis.size() && below + weights[j] < p) below += weights[j++];
  const double share = weights[j] > 0 ? std::clamp((p - below) / weights[j], 0.0, 1.0) : 0.5;
  if (has_equal_shares(axis, k)) return priors_[k]->quantile((static_cast<double>(j) + share) / static_cast<double>(axis.size()));
  const auto [low, high] = reach_of(axis, j);
  return priors_[k]->from_normal(low + share * (high - low));
}

std::vector<double> TextGrid::marginal(const TextGridBelief& belief, std::size_t k) const {
  return marginal(belief, belief.weights, k);
}

std::vector<double> TextGrid::marginal(const TextGridBelief& belief, std::span<const double> weights, std::size_t k) const {
  std::size_t stride = 1;
  for (std::size_t j = k + 1; j < num_parameters; ++j) stride *= belief.axes[j].size();
  std::vector<double> out(belief.axes[k].size(), 0.0);
  for (std::size_t n = 0; n < belief.num(); ++n) out[n / stride % out.size()] += weights[n];
  return out;
}

namespace {

/// Values that matter.
double effective(const std::vector<double>& p) {
  double square = 0;
  for (const double q : p) square += q * q;
  return 1 / square;
}

/// Whether mass has piled up on an end: more than border_mass and what the prior, on evenly laid normal scores, has there.
struct Ends {
  bool low, high;
};
Ends piled_up(const std::vector<double>& axis, const std::vector<double>& p) {
  double total = 0;
  for (const double z : axis) total += std::exp(-0.5 * z * z);
  const auto of_prior = [&](double z) { return std::exp(-0.5 * z * z) / total; };
  return {p.front() > border_mass + 2 * of_prior(axis.front()), p.back() > border_mass + 2 * of_prior(axis.back())};
}

}  // namespace

/// Values of one parameter that matter where all others are known, on average. Of a ridge aslant these are few while many matter
/// of each parameter alone; which of them do is then chance.
double TextGrid::effective_along(const TextGridBelief& belief, std::span<const double> weights, std::size_t k) const {
  std::size_t stride = 1;
  for (std::size_t j = k + 1; j < num_parameters; ++j) stride *= belief.axes[j].size();
  const std::size_t num = belief.axes[k].size();
  double out = 0;
  for (std::size_t from = 0; from < belief.num(); from += num * stride)
    for (std::size_t n = from; n < from + stride; ++n) {
      double total = 0, square = 0;
      for (std::size_t j = 0; j < num; ++j) {
        const double w = weights[n + j * stride];
        total += w;
        square += w * w;
      }
      if (square > 0) out += total * total * total / square;
    }
  return out;
}

/// Weights under a power of the likelihood, at most 1, that has some width along every axis that can move: where the posterior is
/// narrower than the nodes are apart, one of them has all its mass, and tells nothing of where it lies.
double TextGrid::temper(const TextGridBelief& belief, std::vector<double>& weights) const {
  double power = 1;
  const auto is_enough = [&] {
    const double top = *std::max_element(belief.log_joint.begin(), belief.log_joint.end());
    double best = -INFINITY, total = 0;
    for (std::size_t i = 0; i < belief.num(); ++i)
      if (belief.log_joint[i] > -INFINITY)
        best = std::max(best, weights[i] = power * (belief.log_joint[i] - top) + (1 - power) * belief.log_prior[i]);
      else
        weights[i] = -INFINITY;
    for (double& w : weights) total += w = std::exp(w - best);
    for (double& w : weights) w /= total;
    for (std::size_t k = 0; k < num_parameters; ++k)
      if (can_move(belief, k) && effective_along(belief, weights, k) < least_along) return false;
    return true;
  };
  if (is_enough()) return power;
  double low = -60, high = 0;  // of log2 power
  for (int step = 0; step < 14; ++step) {
    const double middle = 0.5 * (low + high);
    power = std::exp2(middle);
    (is_enough() ? low : high) = middle;
  }
  power = std::exp2(low);
  is_enough();
  return power;
}

bool TextGrid::can_move(const TextGridBelief& belief, std::size_t k) const {
  return !priors_[k]->is_discrete() && belief.axes[k].size() >= 6;
}

/// Widens and narrows the axes where that is needed, and names them; false where they may stay.
bool TextGrid::lay_anew(TextGridBelief& belief, std::set<std::string>& widened, std::set<std::string>& narrowed) const {
  std::vector<double>& weights = belief.log_likelihood;  // scratch by now
  const bool whole = temper(belief, weights) == 1;
  bool moved = false;
  std::vector<std::vector<double>> axes = belief.axes;
  for (std::size_t k = 0; k < num_parameters; ++k) {
    if (!can_move(belief, k)) continue;
    const std::vector<double>& axis = belief.axes[k];
    const std::size_t num = axis.size();
    const std::vector<double> p = marginal(belief, weights, k);
    const double share = whole ? negligible : negligible_tempered;
    double below = 0;
    std::size_t first = 0, last = num - 1;
    for (std::size_t j = 0; j < num; ++j) {
      below += p[j];
      if (below < share) first = j + 1;
      if (below > 1 - share && last == num - 1) last = j;
    }
    first = std::min(first, last);
    const double width = axis.back() - axis.front(), spacing = width / static_cast<double>(num - 1);
    double low = axis[first > 0 ? first - 1 : 0], high = axis[std::min(last + 1, num - 1)];
    Ends at = piled_up(axis, p);
    at.low = at.low && axis.front() > -farthest + spacing;
    at.high = at.high && axis.back() < farthest - spacing;
    const bool few = whole ? effective(p) < least_effective && high - low < 0.8 * width : high - low < 0.95 * width;
    if (!at.low && !at.high && !few) continue;
    // beyond a border it may be far: the axis grows by its whole width, and by twice that when it is too short once more
    if (at.low) low = std::max(-farthest, axis.front() - width);
    if (at.high) high = std::min(farthest, axis.back() + width);
    (at.low || at.high ? widened : narrowed).insert(parameter_names[k]);
    for (std::size_t j = 0; j < num; ++j) axes[k][j] = low + (high - low) * static_cast<double>(j) / static_cast<double>(num - 1);
    moved = true;
  }
  if (!moved) return false;
  belief.axes = std::move(axes);
  lay(belief);
  weigh(belief);
  return true;
}

/// Lays the axes anew until they fit; notes it, and warns of what does not fit whatever is tried.
void TextGrid::follow(TextGridBelief& belief) const {
  std::set<std::string> widened, narrowed;
  int rounds = 0;
  while (rounds < max_rounds && lay_anew(belief, widened, narrowed)) ++rounds;
  if (rounds > 0) {
    std::string text = "the grid was laid anew:";
    if (!widened.empty()) text += fmt::format(" {} beyond a border that mass had piled up on", fmt::join(widened, ", "));
    for (const std::string& name : widened) narrowed.erase(name);
    if (!narrowed.empty())
      text += fmt::format("{}{} over what is probable", widened.empty() ? " " : "; ", fmt::join(narrowed, ", "));
    belief.notices.push_back({false, "grid", std::move(text)});
  }
  std::string beyond, few;
  for (std::size_t k = 0; k < num_parameters; ++k) {
    if (!can_move(belief, k)) continue;
    const std::vector<double> p = marginal(belief, k);
    const Ends at = piled_up(belief.axes[k], p);
    if (has_border(k) && (at.low || at.high)) beyond += (beyond.empty() ? "" : ", ") + parameter_names[k];
    if (effective_along(belief, belief.weights, k) < least_told) few += (few.empty() ? "" : ", ") + parameter_names[k];
  }
  if (!beyond.empty() && !belief.told_border)
    belief.notices.push_back(
        {true, "border",
         fmt::format("the belief about {} lies on a border that the grid was not laid beyond: it reaches as far as all but 1e-9 of "
                     "the prior. Widen the prior, or look for what the model leaves out",
                     beyond)});
  if (!few.empty() && !belief.told_coarse)
    belief.notices.push_back(
        {true, "coarse",
         fmt::format("what is believed about {} is narrower than the grid's values are apart, wherever it is laid: raise "
                     "belief.num_values",
                     few)});
  belief.told_border = belief.told_border || !beyond.empty();
  belief.told_coarse = belief.told_coarse || !few.empty();
}

Update TextGrid::update(Belief& any_belief, std::span<const double> stimulus, const Response& response, double) const {
  auto& belief = dynamic_cast<TextGridBelief&>(any_belief);
  if (stimulus.empty()) return {false, 0, {}};
  const Trial trial = read(stimulus, response);
  if (trial.pending) {
    imagine(belief, stimulus, trial, 0);
    return {false, 0, {}};
  }
  if (!trial.counts && !likelihood_.has_states()) return {false, 0, {}};
  log_likelihoods(belief, stimulus, trial.responses, belief.log_likelihood);
  std::vector<Prediction> predictions = foretell(belief, stimulus, trial.responses);
  double possible = 0;
  for (std::size_t i = 0; i < belief.num(); ++i)
    if (belief.log_likelihood[i] > -INFINITY) possible += belief.weights[i];
  if (!(possible > 0))
    throw Refuted({"response", "possible at some node", number_text(trial.responses[0].value),
                   "Every node of the grid gives it probability 0. The belief is unchanged."},
                  std::move(predictions));
  const double before = belief.log_evidence;
  for (std::size_t i = 0; i < belief.num(); ++i) belief.log_joint[i] += belief.log_likelihood[i];
  remember(belief.history, stimulus, trial);
  belief.notices.clear();
  advance(belief, stimulus, trial);
  if (!trial.counts) return {false, 0, {}};
  ++belief.num_updates;
  belief.predictions = std::move(predictions);
  weigh(belief);
  if (follow_) follow(belief);
  belief.information = -belief.log_evidence;
  for (std::size_t i = 0; i < belief.num(); ++i)
    if (belief.weights[i] > 0) belief.information += belief.weights[i] * (belief.log_joint[i] - belief.log_prior[i]);
  return {true, belief.log_evidence - before, belief.predictions};
}

}  // namespace hartline::models
